//! What most drivers leave on a host: a script that makes its part of the network, and a unit that runs it at boot.
//!
//! The engine makes an empty bridge where the one it knows is missing when it starts, and its containers then run cut off
//! without any error: so the unit comes before the engine.

use super::{Member, Network, claim};
use crate::host::quote;
use crate::setup::{Fact, File, Follow, Risk, Thing, Unit};

const DIRECTORY: &str = "/etc/xcrane/networks";

/// A driver's part of the script: it defines the functions `up`, `down` and `check`, each harmless when there is nothing
/// for it to do. `check` writes to stderr what is not as it should be.
pub(super) struct Script<'a> {
    /// What it makes, as a clause.
    pub(super) about: String,
    /// Shell variables.
    pub(super) settings: Vec<(&'a str, String)>,
    pub(super) functions: Vec<&'static str>,
    /// Whether running it may cut the host off.
    pub(super) risk: bool,
}

/// What is tried again where the host starts before what the network needs.
const BOOT: &str = include_str!("boot.sh");
/// Functions for scripts with a bridge.
pub(super) const BRIDGES: &str = include_str!("plug.sh");
/// Functions for scripts with tunnels.
pub(super) const TUNNELS: &str = include_str!("tunnel.sh");

/// What must be true of a host on which a script makes the network.
pub(super) fn wanted(network: &Network, member: &Member, script: &Script<'_>) -> Vec<Thing> {
    let (path, unit, unit_path) = (path(network), unit(network), unit_path(network));
    let run = |verb: &str| vec![path.clone(), verb.to_owned()];
    let fact = Fact { what: script.about.clone(), check: run("check"), make: run("up") };
    vec![
        file(&path, text(network, member, script), 0o755),
        file(&unit_path, unit_text(network), 0o644),
        // Before the unit: what goes wrong is then said by the script and not by systemd.
        match script.risk {
            false => Thing::Fact(fact),
            true => {
                // What is brought up at boot would be there again after the next one. What fails is tried again.
                let undo = format!(
                    "[ ! -x {path} ] || {path} down; code=$?; systemctl -q disable {unit} 2>/dev/null; exit $code"
                );
                let undo = ["sh", "-c", &undo].map(str::to_owned).into();
                Thing::Risk(Risk { name: risk_name(network), fact, undo })
            }
        },
        Thing::Unit(Unit {
            name: unit,
            enabled: true,
            active: true,
            follows: vec![path.clone(), unit_path],
            follow_by: Follow::Reload,
        }),
    ]
}

/// What must be true when it is gone; `links` are the kernel's names of what it has made.
pub(super) fn unwanted(network: &Network, links: &[String]) -> Vec<Thing> {
    let facts = if links.is_empty() { None } else { Some(Thing::Fact(claim::gone(network, links))) };
    // A run that was killed before the unit was started has left what the fact is about.
    [Thing::Unit(ended(network))].into_iter().chain(facts).chain(no_files(network)).collect()
}

/// The same where taking it away may cut the host off: before the unit ends, which does it without a way back.
pub(super) fn unwanted_with_risk(network: &Network, links: &[String]) -> Vec<Thing> {
    let undo = vec!["sh".to_owned(), "-c".to_owned(), format!("[ ! -x {0} ] || {0} up", path(network))];
    let risk = Thing::Risk(Risk { name: risk_name(network), fact: claim::gone(network, links), undo });
    [risk, Thing::Unit(ended(network))].into_iter().chain(no_files(network)).collect()
}

fn ended(network: &Network) -> Unit {
    Unit { name: unit(network), enabled: false, active: false, follows: Vec::new(), follow_by: Follow::Reload }
}

fn no_files(network: &Network) -> [Thing; 2] {
    [Thing::NoFile(unit_path(network)), Thing::NoFile(path(network))]
}

fn risk_name(network: &Network) -> String {
    format!("network-{}", network.name)
}

fn file(path: &str, text: String, mode: u32) -> Thing {
    Thing::File(File { mode, ..File::public(path, text) })
}

pub(super) fn path(network: &Network) -> String {
    format!("{DIRECTORY}/{}", network.name)
}

fn unit(network: &Network) -> String {
    format!("xcrane-network@{}.service", network.name)
}

fn unit_path(network: &Network) -> String {
    format!("/etc/systemd/system/{}", unit(network))
}

fn text(network: &Network, member: &Member, script: &Script<'_>) -> String {
    let network_name = [("network", network.name.clone())];
    let unit_name = [("unit", unit(network))];
    let settings = network_name.iter().chain(&unit_name).chain(&script.settings);
    let settings = settings.map(|(name, value)| format!("{name}={}\n", quote(value)));
    format!(
        "#!/bin/sh\n\
         # Network {name} on host {host}: {about}.\n\
         # Written by xcrane's mknet, which writes it anew when the definition changes; rmnet takes it away.\n\
         set -eu\n\
         PATH=/usr/sbin:/usr/bin:/sbin:/bin\n\
         {settings}\n\
         {BOOT}\n\
         {functions}\n\
         case ${{1-}} in\n\
         up | down | check) \"$1\" ;;\n\
         boot) up_or_again ;;\n\
         *)\n\
         \x20   echo \"usage: $0 up|down|check|boot\" >&2\n\
         \x20   exit 2\n\
         \x20   ;;\n\
         esac\n",
        name = network.name,
        host = member.host,
        about = script.about,
        settings = settings.collect::<String>(),
        functions = script.functions.concat().trim_end(),
    )
}

fn unit_text(network: &Network) -> String {
    let path = path(network);
    format!(
        "# Written by xcrane's mknet.\n\
         [Unit]\n\
         Description=Network {name} of xcrane\n\
         After=network.target openvswitch-switch.service openvswitch.service\n\
         Before=docker.service\n\
         \n\
         [Service]\n\
         Type=oneshot\n\
         RemainAfterExit=yes\n\
         ExecStart={path} boot\n\
         ExecReload={path} up\n\
         ExecStop={path} down\n\
         # Else systemd makes a slice for all networks, which stays when they are gone.\n\
         Slice=system.slice\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target docker.service\n",
        name = network.name,
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::super::vxlan::tests::network;
    use super::*;

    #[test]
    fn a_script_reads_as_a_shell_wants_it() {
        let network = network();
        let settings = vec![("peers", "10.0.0.2 10.0.0.3".to_owned()), ("device", String::new())];
        let functions = "up() {\n    echo \"$peers\"\n}\n";
        let script = Script { about: "a test".into(), settings, functions: vec![functions], risk: false };
        let text = text(&network, &network.members[0], &script);
        let run = |verb: &str| {
            let mut shell = Command::new("sh");
            shell.args(["-s", verb]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut shell = shell.spawn().unwrap();
            shell.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
            let output = shell.wait_with_output().unwrap();
            (output.status.code(), String::from_utf8(output.stdout).unwrap())
        };
        assert_eq!(run("up"), (Some(0), "10.0.0.2 10.0.0.3\n".into()), "{text}");
        assert_eq!(run("sideways").0, Some(2));
    }

    #[test]
    fn the_unit_is_there_before_the_engine_and_goes_with_the_network() {
        let network = network();
        let text = unit_text(&network);
        for line in ["Before=docker.service", "ExecStart=/etc/xcrane/networks/blue boot", "RemainAfterExit=yes"] {
            assert!(text.lines().any(|found| found == line), "{text}");
        }
        let script = Script { about: "a test".into(), settings: Vec::new(), functions: Vec::new(), risk: false };
        let made = wanted(&network, &network.members[0], &script);
        let gone = unwanted(&network, &["br-blue".into()]);
        for thing in &made {
            let Thing::File(file) = thing else { continue };
            assert!(gone.contains(&Thing::NoFile(file.path.clone())), "{} stays", file.path);
        }
    }
    #[test]
    fn a_way_back_that_fails_says_so() {
        let network = network();
        let script = Script { about: "a test".into(), settings: Vec::new(), functions: Vec::new(), risk: true };
        let made = wanted(&network, &network.members[0], &script);
        let undo = made.iter().find_map(|thing| match thing {
            Thing::Risk(risk) => Some(risk.undo.clone()),
            _ => None,
        });
        let undo = undo.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let stub = directory.path().join("blue").display().to_string();
        let run = |given: &str| {
            let text = undo[2].replace(&path(&network), &stub);
            let text = format!("{given}\nsystemctl() {{ return 5; }}\n{text}");
            Command::new("sh").args(["-c", &text]).status().unwrap().code()
        };
        assert_eq!(run(""), Some(0), "there is no script, and nothing to undo");
        for code in [0, 4] {
            let given = format!("echo '#!/bin/sh\n[ $1 = down ] && exit {code}' >{stub}; chmod +x {stub}");
            assert_eq!(run(&given), Some(code));
        }
    }
}
