//! The words of `nodeset` and of chains: what to do at the next boot, and what then.

use std::fmt;
use std::str::FromStr;

use netboot::script::State;

/// What a node does when it boots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    State(State),
    /// An image; the one of `nodetype.provmethod` where none is named.
    Image(Option<String>),
}

const FORM: &str =
    "states are osimage[=IMAGE], boot, offline, shell, standby, runcmd=COMMAND, runimage=URL, reboot, shutdown";

/// Steps that are done one after the other; there is one at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Steps(Vec<Step>);

impl FromStr for Steps {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut steps: Vec<Step> = Vec::new();
        for word in text.split(',') {
            let step = word.parse().map_err(|why| match steps.last() {
                Some(Step::State(State::Runcmd(_))) => format!("commas separate steps, and a command has none: {why}"),
                _ => why,
            })?;
            steps.push(step);
        }
        match steps.split_last() {
            Some((_, before)) if before.iter().any(|step| !step.ends()) => {
                let stays: Vec<String> = before.iter().filter(|step| !step.ends()).map(ToString::to_string).collect();
                Err(format!("nobody hears of the end of {}: it can only be the last", stays.join(", ")))
            }
            _ => Ok(Self(steps)),
        }
    }
}

impl From<State> for Steps {
    fn from(state: State) -> Self {
        Self(vec![Step::State(state)])
    }
}

impl Steps {
    pub(crate) fn first(&self) -> &Step {
        &self.0[0]
    }

    pub(crate) fn all(&self) -> &[Step] {
        &self.0
    }

    /// What comes after the first, as `chain.currchain` has it.
    pub(crate) fn rest(&self) -> String {
        self.0[1..].iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }

    /// All of them as they are to be told, the first one being done as that state.
    pub(crate) fn told(&self, first: &State) -> String {
        chained(first, &self.rest())
    }

    /// Whether nodes that have done all of it say so, so that somebody can wait for that.
    pub(crate) fn says_booted(&self) -> bool {
        self.0.last().is_some_and(Step::says_booted)
    }
}

/// What a node does now, and what comes then.
pub(crate) fn chained(state: &State, rest: &str) -> String {
    if rest.is_empty() { state.to_string() } else { format!("{state},{rest}") }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text.split_once('=').map_or((text, None), |(word, value)| (word, Some(value.trim()))) {
            ("osimage", None) => Ok(Self::Image(None)),
            ("osimage", Some(name)) if !name.is_empty() => Ok(Self::Image(Some(name.to_owned()))),
            ("runcmd" | "runimage", None | Some("")) => {
                Err(format!("{text} needs a value: {}=…", text.trim_end_matches('=')))
            }
            ("runcmd" | "runimage", Some(value)) if value.contains(['\n', '\r']) => {
                Err("a step is one line: make a script of several, and a command of that: mknb ARCH --add SCRIPT"
                    .to_owned())
            }
            ("runimage", Some(address)) if !is_web(address) => Err(format!(
                "'{address}' is no address: runimage=http://SERVER/FILE.tgz, of an archive with a script runme.sh"
            )),
            ("install" | "netboot" | "statelite", _) => {
                Err("install, netboot and statelite are words of old: osimage=IMAGE says which and how".to_owned())
            }
            _ => match State::parse(text) {
                Some(State::Image { .. } | State::Discover) | None => Err(format!("'{text}' is no state; {FORM}")),
                Some(state) => Ok(Self::State(state)),
            },
        }
    }
}

/// Whether the maintenance system can fetch it.
fn is_web(address: &str) -> bool {
    let rest = ["http://", "https://"].iter().find_map(|scheme| address.strip_prefix(scheme));
    rest.is_some_and(|rest| !rest.starts_with('/') && !rest.is_empty() && !address.contains(char::is_whitespace))
}

impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(state) => state.fmt(out),
            Self::Image(None) => out.write_str("osimage"),
            Self::Image(Some(name)) => write!(out, "osimage={name}"),
        }
    }
}

impl Step {
    fn ends(&self) -> bool {
        match self {
            Self::State(state) => state.ends(),
            Self::Image(_) => true,
        }
    }

    /// Whether nodes boot the images of their definitions.
    pub(crate) fn takes_own_image(&self) -> bool {
        *self == Self::Image(None)
    }

    /// Whether the maintenance system is needed, and there is no other way.
    pub(crate) fn needs_genesis(&self) -> bool {
        matches!(self, Self::State(state) if state.is_maintenance() && *state != State::Shell)
    }

    /// Whether a node that does it says that it is up, so that somebody can wait for that.
    pub(crate) fn says_booted(&self) -> bool {
        matches!(self, Self::Image(_) | Self::State(State::Runcmd(_) | State::Runimage(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_one_step() {
        let check = |text: &str, expected: &Step, says_booted: bool| {
            let step: Step = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((&step, step.says_booted()), (expected, says_booted), "{text}");
        };
        check("osimage", &Step::Image(None), true);
        check(" osimage=deb12", &Step::Image(Some("deb12".into())), true);
        check("runcmd=bmcsetup -x", &Step::State(State::Runcmd("bmcsetup -x".into())), true);
        for state in [State::Boot, State::Offline, State::Shell, State::Standby] {
            check(&state.to_string(), &Step::State(state), false);
        }
        let wrong = |text: &str| text.parse::<Step>().unwrap_err();
        let archive = "http://10.0.0.1/firmware.tgz";
        check(&format!("runimage={archive}"), &Step::State(State::Runimage(archive.into())), true);
        for text in ["foo", "/tmp/a.tgz", "ftp://h/a", "http://", "http:///a", "http://h/a b"] {
            assert!(wrong(&format!("runimage={text}")).starts_with(&format!("'{text}' is no address: runimage=http")));
        }
        assert!(wrong("netboot=x").contains("words of old"));
        assert_eq!(wrong("runcmd="), "runcmd= needs a value: runcmd=…");
        for text in ["", "bogus", "osimage=", "discover", "boot=x", "stat", "boot,boot"] {
            assert!(wrong(text).contains("is no state; states are osimage[=IMAGE], "), "{text}");
        }
    }
    #[test]
    fn steps_follow_each_other() {
        let steps: Steps = "runcmd=bmcsetup -x, osimage=deb12 ,shutdown,osimage".parse().unwrap();
        assert_eq!(steps.first(), &Step::State(State::Runcmd("bmcsetup -x".into())));
        assert_eq!(steps.rest(), "osimage=deb12,shutdown,osimage");
        assert!(steps.says_booted() && steps.all().len() == 4);
        assert_eq!(steps.rest().parse::<Steps>().unwrap().rest(), "shutdown,osimage");
        assert_eq!("standby".parse::<Steps>().unwrap().rest(), "");
        let wrong = |text: &str| text.parse::<Steps>().unwrap_err();
        assert_eq!(wrong("boot,osimage"), "nobody hears of the end of boot: it can only be the last");
        assert!(wrong("runcmd=a,standby,shell,offline,boot").contains("standby, offline:"));
        assert!(wrong("boot,").starts_with("'' is no state"));
        let commas = "commas separate steps, and a command has none: 'b' is no state; states are ";
        assert!(wrong("runcmd=echo a,b").starts_with(commas));
        assert!(
            wrong("runcmd=a\nb").starts_with("a step is one line: ")
                && wrong("runcmd=a\r\nb,boot").contains("one line")
        );
        assert_eq!(
            "runcmd=echo \"q\" ; reboot\n".parse::<Steps>().unwrap().first().to_string(),
            "runcmd=echo \"q\" ; reboot"
        );
    }
}
