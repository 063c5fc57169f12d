//! Modules: a plan of many with nothing to do; and two hundred targets that get a file and run a program, beside ansible-playbook.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use lab::Kind;

use crate::race::{Figures, Job};
use crate::report::{Report, Target};
use crate::site::Site;
use crate::{Result, XCRANE, word};

const MODULES: u32 = 60;
const NODES: u32 = 1_000;
/// All of them are one sshd, at so many addresses: what is measured is how they are reached, not what they do.
const TARGETS: u32 = 200;
const RUNS: usize = 3;

/// Compares on hosts of its own, which are gone afterwards.
pub(crate) fn run(report: &mut Report, work: &Path) -> Result<()> {
    nothing_to_do(report, work)?;
    targets(report, work)
}

fn nothing_to_do(report: &mut Report, work: &Path) -> Result<()> {
    let home = work.join("modules-plan");
    fs::create_dir(&home)?;
    let xcrane = |words: &[&str]| {
        let job = Job::new("xcrane", [XCRANE].iter().chain(words).copied());
        job.env("XCRANE_HOME", word(&home)).env("XCRANE_CONFIG", "/nonexistent")
    };
    xcrane(&["mkdef", &format!("n[0001-{NODES}]"), "groups=all", "mgt=ipmi", "ip=|10.1.(($1-1)/250).(($1-1)%250+1)|"])
        .time()?;
    let names: Vec<String> = (1..=MODULES).map(|number| format!("m{number:02}")).collect();
    for (place, name) in names.iter().enumerate() {
        // Each but the first requires the one before it, so that there is an order to find.
        let strong = if place == 0 { String::new() } else { format!("['name eq {}']", names[place - 1]) };
        let method = "{ way = 'local', program = 'run' }";
        let methods: String =
            ["metadata", "init", "plan", "apply", "audit"].iter().map(|name| format!("{name} = {method}\n")).collect();
        let manifest = format!(
            "targets = 'nodes'\nrequires.strong = [{strong}]\n[labels]\nname = '{name}'\nversion = '1.0'\n\
             [config.nodes]\ntype = 'noderange'\nhelp = 'where'\ndefault = 'all'\n[methods]\n{methods}"
        );
        let directory = home.join("modules").join(name);
        fs::create_dir_all(&directory)?;
        fs::write(directory.join("module.toml"), manifest)?;
        fs::write(directory.join("run"), "#!/bin/sh\necho '{\"result\":{\"changes\":[]}}'\n")?;
        fs::set_permissions(directory.join("run"), fs::Permissions::from_mode(0o755))?;
    }
    report.section(&format!("modules: {MODULES} that require each other, {NODES} nodes each"))?;
    let words: Vec<&str> = ["module", "plan"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let limit = Target { ratio: None, time: Some(Duration::from_secs(1)) };
    report.line("module plan, nothing to do", &median(&xcrane(&words))?, None, limit)
}

fn targets(report: &mut Report, work: &Path) -> Result<()> {
    let mut site = Site::bring_up(work, "modules", &[(1, Kind::Light)])?;
    let addresses = format!(
        "for n in $(seq {TARGETS}); do ip address add 10.77.9.$n/32 dev lo; done; mkdir -p /srv/bench
         echo 'MaxStartups 1000' >>/etc/ssh/sshd_config; kill -HUP $(cat /run/sshd.pid)"
    );
    site.host(1)?.shell(&addresses)?;
    site.shell("route", "ip route add 10.77.9.0/24 via 10.77.0.1")?.time()?;
    site.run(&format!("mkdef t[001-{TARGETS}] groups=all ip=|10.77.9.($1+0)|"))?;
    site.run("chdef -t site sshacceptnew=yes connecttimeout=30")?;
    ours(&site)?;
    let playbook = theirs(&site, work)?;
    let clear = site.host(1)?;
    let gone = || clear.shell("rm -rf /srv/bench; mkdir /srv/bench; rm -f /srv/ran");
    // The first time both learn the targets' keys. Ansible looks and changes in one, and so our plan counts as well.
    let plan = site.shell("xcrane", "$XCRANE module plan bench >/dev/null || [ $? -eq 2 ]")?;
    let script = "{ $XCRANE module plan bench || [ $? -eq 2 ]; } >/dev/null && $XCRANE module apply bench >/dev/null";
    let apply = site.shell("xcrane", script)?;
    report.section(&format!("modules: a file and a program on {TARGETS} targets, by ssh"))?;
    let mut times = Vec::new();
    plan.time()?;
    for _ in 0..RUNS {
        gone()?;
        times.push(apply.weigh()?);
        counted(&clear)?;
    }
    // Once: it takes minutes.
    gone()?;
    let theirs = playbook.weigh()?;
    counted(&clear)?;
    times.sort_by_key(|run| run.time);
    let figures = |name: &str, run: &crate::race::Weighed| Figures {
        name: name.into(),
        time: run.time,
        peak_kib: Some(run.peak_kib),
    };
    let ours = figures("xcrane", &times[times.len() / 2]);
    let theirs = figures("ansible-playbook, 32 forks, pipelining", &theirs);
    report.line(&format!("module plan and apply on {TARGETS}"), &ours, Some(&theirs), Target::ratio(10.0))?;
    Ok(site.room.stop()?)
}

/// Whether all targets got their file and ran their program.
fn counted(host: &lab::Host<'_>) -> Result<()> {
    let said = host.shell("ls /srv/bench | wc -l; wc -l </srv/ran")?;
    let wanted = [TARGETS, TARGETS].map(|count| count.to_string());
    if said.split_whitespace().eq(wanted.iter().map(String::as_str)) { Ok(()) } else { Err(said.into()) }
}

fn ours(site: &Site) -> Result<()> {
    let directory = site.home.join("modules/bench");
    fs::create_dir_all(&directory)?;
    let on = |name: &str| format!("{name} = {{ way = 'node', program = 'run' }}\n");
    let manifest = format!(
        "targets = 'nodes'\n[labels]\nname = 'bench'\nversion = '1.0'\n[config.nodes]\ntype = 'noderange'\nhelp = 'where'\ndefault = 'all'\n\
         [methods]\nmetadata = {{ way = 'local', program = 'run' }}\ninit = {{ way = 'local', program = 'run' }}\n{}{}{}",
        on("plan"),
        on("apply"),
        on("audit")
    );
    let program = "#!/bin/sh
file=/srv/bench/$TARGET
case $1 in
plan) if [ -e $file ]; then echo '{\"result\":{\"changes\":[]}}'; else echo '{\"result\":{\"changes\":[{\"what\":\"'$file'\"}]}}'; fi ;;
apply) printf 'Welcome\\n' >$file.new && mv $file.new $file && sh -c 'echo ran >>/srv/ran' && echo '{\"result\":{}}' ;;
esac
";
    fs::write(directory.join("module.toml"), manifest)?;
    fs::write(directory.join("run"), program)?;
    Ok(fs::set_permissions(directory.join("run"), fs::Permissions::from_mode(0o755))?)
}

fn theirs(site: &Site, work: &Path) -> Result<Job> {
    let place = work.join("modules-ansible");
    fs::create_dir(&place)?;
    let hosts: String = (1..=TARGETS).map(|number| format!("t{number:03} ansible_host=10.77.9.{number}\n")).collect();
    let head = "[all:vars]\nansible_user=root\nansible_python_interpreter=/usr/bin/python3\n";
    fs::write(place.join("hosts"), format!("{hosts}{head}"))?;
    let playbook = "- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.copy: { dest: '/srv/bench/{{ inventory_hostname }}', content: \"Welcome\\n\" }
    - ansible.builtin.command: sh -c 'echo ran >>/srv/ran'
";
    fs::write(place.join("site.yml"), playbook)?;
    let script = format!("ansible-playbook -i {0}/hosts {0}/site.yml >/dev/null", word(&place));
    let job = site.shell("ansible-playbook", &script)?;
    Ok(job
        .env("ANSIBLE_FORKS", "32")
        .env("ANSIBLE_PIPELINING", "1")
        .env("ANSIBLE_HOST_KEY_CHECKING", "0")
        .env("ANSIBLE_HOME", word(&place)))
}

fn median(job: &Job) -> Result<Figures> {
    let mut weighed = job.weigh()?;
    let mut times = (0..RUNS).map(|_| job.time()).collect::<Result<Vec<_>>>()?;
    times.sort_unstable();
    weighed.time = times[times.len() / 2];
    Ok(Figures { name: job.name.clone(), time: weighed.time, peak_kib: Some(weighed.peak_kib) })
}
