//! The words of `nodeset`: what to do first, and by commas what then.

use std::str::FromStr;

use netboot::script::State;

/// What a node does at one boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    State(State),
    /// An image; the one of `nodetype.provmethod` where none is named.
    Image(Option<String>),
}

/// Steps one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Steps {
    first: Step,
    rest: Vec<Step>,
}

const FORM: &str = "it is one of osimage[=IMAGE], boot, offline, shell, standby, runcmd=COMMAND, runimage=URL, stat";

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=').map_or((text, None), |(word, value)| (word, Some(value.trim()))) {
            ("osimage", None) => Ok(Self::Image(None)),
            ("osimage", Some(name)) if !name.is_empty() => Ok(Self::Image(Some(name.to_owned()))),
            ("runcmd" | "runimage", None | Some("")) => Err(format!("{text} needs a value: {text}=…")),
            ("install" | "netboot" | "statelite", _) => {
                Err("install, netboot and statelite are words of old: osimage=IMAGE says which and how".to_owned())
            }
            _ => match State::parse(text) {
                Some(State::Image { .. } | State::Discover) | None => Err(format!("'{text}': {FORM}")),
                Some(state) => Ok(Self::State(state)),
            },
        }
    }
}

impl Step {
    fn word(&self) -> String {
        match self {
            Self::State(state) => state.to_string(),
            Self::Image(None) => "osimage".to_owned(),
            Self::Image(Some(name)) => format!("osimage={name}"),
        }
    }
}

impl FromStr for Steps {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut steps = text.split(',').map(|step| step.trim().parse::<Step>());
        let first = steps.next().ok_or(FORM)??;
        Ok(Self { first, rest: steps.collect::<Result<_, _>>()? })
    }
}

impl Steps {
    pub(crate) fn first(&self) -> &Step {
        &self.first
    }

    /// What is left when the first is done, as `chain.currchain` has it.
    pub(crate) fn rest(&self) -> String {
        self.rest.iter().map(Step::word).collect::<Vec<_>>().join(",")
    }

    /// The images that are named.
    pub(crate) fn images(&self) -> impl Iterator<Item = &str> {
        self.all().filter_map(|step| match step {
            Step::Image(name) => name.as_deref(),
            Step::State(_) => None,
        })
    }

    /// Whether nodes boot the images of their definitions.
    pub(crate) fn takes_own_image(&self) -> bool {
        self.all().any(|step| *step == Step::Image(None))
    }

    /// Whether the maintenance system is needed at once, and there is no other way.
    pub(crate) fn needs_genesis(&self) -> bool {
        self.all().any(|step| matches!(step, Step::State(state) if state.is_maintenance() && *state != State::Shell))
    }

    fn all(&self) -> impl Iterator<Item = &Step> {
        std::iter::once(&self.first).chain(&self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_what_is_left_of_them() {
        let check = |text: &str, first: &str, rest: &str| {
            let steps: Steps = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((steps.first().word().as_str(), steps.rest().as_str()), (first, rest));
        };
        check("osimage", "osimage", "");
        check("boot", "boot", "");
        check("runcmd=bmcsetup,osimage=deb12, boot", "runcmd=bmcsetup", "osimage=deb12,boot");
        let wrong = |text: &str| text.parse::<Steps>().unwrap_err();
        assert!(wrong("netboot=x").contains("words of old"));
        assert!(wrong("boot,runcmd").contains("needs a value"));
        for text in ["", "boot,", "bogus", "osimage=", "discover", "boot=x"] {
            assert!(wrong(text).contains("it is one of"), "{text}");
        }
    }
}
