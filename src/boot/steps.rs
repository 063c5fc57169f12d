//! The words of `nodeset`: what to do at the next boot.

use std::str::FromStr;

use netboot::script::State;

/// What a node does when it boots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    State(State),
    /// An image; the one of `nodetype.provmethod` where none is named.
    Image(Option<String>),
}

const FORM: &str = "states are osimage[=IMAGE], boot, offline, shell, standby, runcmd=COMMAND, runimage=URL";

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Nothing tells us when a step is done: the second would never come, and the first at every boot.
        if text.contains(',') {
            return Err("several by comma would not be done one after the other: \
                        set the first, and the next when that is done"
                .to_owned());
        }
        let text = text.trim();
        match text.split_once('=').map_or((text, None), |(word, value)| (word, Some(value.trim()))) {
            ("osimage", None) => Ok(Self::Image(None)),
            ("osimage", Some(name)) if !name.is_empty() => Ok(Self::Image(Some(name.to_owned()))),
            ("runcmd" | "runimage", None | Some("")) => {
                Err(format!("{text} needs a value: {}=…", text.trim_end_matches('=')))
            }
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

impl Step {
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
        assert!(wrong("netboot=x").contains("words of old"));
        assert_eq!(wrong("runcmd="), "runcmd= needs a value: runcmd=…");
        for text in ["runcmd=bmcsetup,osimage", "boot,", "osimage=deb12, boot", ","] {
            assert!(wrong(text).contains("one after the other"), "{text}");
        }
        for text in ["", "bogus", "osimage=", "discover", "boot=x", "stat"] {
            assert!(wrong(text).contains("is no state; states are osimage[=IMAGE], "), "{text}");
        }
    }
}
