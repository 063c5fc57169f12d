//! What a node is to do when it boots over the network, in the words of `chain.currstate`.

use std::fmt;

use tables::Node;

/// What a node does at its next boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// An image: how, and which as `OS-ARCH-PROFILE`.
    Image {
        method: Method,
        what: String,
    },
    /// From its own disk; also what a node does of which nothing was said.
    Boot,
    Shell,
    Standby,
    /// Let the firmware go on.
    Offline,
    /// A command in the maintenance system.
    Runcmd(String),
    /// An archive of that address, run in the maintenance system.
    Runimage(String),
    Discover,
    /// Once more through the firmware, and then what comes next.
    Reboot,
    /// Off, by the maintenance system; what comes next waits until somebody switches it on.
    Shutdown,
}

/// How an image is used (`osimage.provmethod`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Netboot,
    Install,
    Statelite,
}

impl Method {
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Netboot, Self::Install, Self::Statelite].into_iter().find(|method| method.word() == word)
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Netboot => "netboot",
            Self::Install => "install",
            Self::Statelite => "statelite",
        }
    }
}

impl State {
    /// What `chain.currstate` says; a word that nobody knows boots from the disk, where it does no harm.
    pub fn of(node: &Node) -> Self {
        node.get("currstate").and_then(Self::parse).unwrap_or(Self::Boot)
    }

    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some((key, value)) = text.split_once('=') {
            return match key {
                "runcmd" => Some(Self::Runcmd(value.to_owned())),
                "runimage" => Some(Self::Runimage(value.to_owned())),
                _ => None,
            };
        }
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        Some(match word {
            "boot" => Self::Boot,
            "shell" => Self::Shell,
            "standby" => Self::Standby,
            "offline" => Self::Offline,
            "discover" => Self::Discover,
            "reboot" => Self::Reboot,
            "shutdown" => Self::Shutdown,
            _ => Self::Image { method: Method::parse(word)?, what: rest.trim().to_owned() },
        })
    }

    /// Whether it needs the maintenance system.
    pub fn is_maintenance(&self) -> bool {
        match self {
            Self::Shell | Self::Standby | Self::Runcmd(_) | Self::Runimage(_) | Self::Discover | Self::Shutdown => true,
            Self::Image { .. } | Self::Boot | Self::Offline | Self::Reboot => false,
        }
    }

    /// The first word of what [`fmt::Display`] writes.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Image { method, .. } => method.word(),
            Self::Boot => "boot",
            Self::Shell => "shell",
            Self::Standby => "standby",
            Self::Offline => "offline",
            Self::Runcmd(_) => "runcmd",
            Self::Runimage(_) => "runimage",
            Self::Discover => "discover",
            Self::Reboot => "reboot",
            Self::Shutdown => "shutdown",
        }
    }

    /// The image, where it is one.
    pub fn image(&self) -> &str {
        if let Self::Image { what, .. } = self { what } else { "" }
    }

    /// `nodelist.status` of a node that has fetched its script.
    pub fn status(&self) -> &'static str {
        match self {
            Self::Image { method: Method::Install, .. } => "installing",
            Self::Image { method: Method::Netboot | Method::Statelite, .. } => "netbooting",
            Self::Discover => "discovering",
            Self::Runcmd(_) => "configuring",
            Self::Standby => "standingby",
            Self::Shell => "shell",
            Self::Shutdown => "powering-off",
            Self::Boot | Self::Offline | Self::Runimage(_) | Self::Reboot => "booting",
        }
    }

    /// Whether somebody hears of its end, so that another can follow.
    pub fn ends(&self) -> bool {
        match self {
            Self::Image { .. } | Self::Shell | Self::Runcmd(_) | Self::Runimage(_) | Self::Reboot | Self::Shutdown => {
                true
            }
            Self::Boot | Self::Standby | Self::Offline | Self::Discover => false,
        }
    }

    /// What a node does when that is over and nothing else was said; None if it does the same again.
    pub fn afterwards(&self) -> Option<Self> {
        match self {
            Self::Runcmd(_) | Self::Runimage(_) => Some(Self::Standby),
            Self::Reboot | Self::Shutdown => Some(Self::Boot),
            _ => None,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image { method, what } => write!(out, "{} {what}", method.word()),
            Self::Boot => out.write_str("boot"),
            Self::Shell => out.write_str("shell"),
            Self::Standby => out.write_str("standby"),
            Self::Offline => out.write_str("offline"),
            Self::Runcmd(command) => write!(out, "runcmd={command}"),
            Self::Runimage(address) => write!(out, "runimage={address}"),
            Self::Discover => out.write_str("discover"),
            Self::Reboot => out.write_str("reboot"),
            Self::Shutdown => out.write_str("shutdown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_as_written_and_give_a_status() {
        for (text, status) in [
            ("netboot debian12-x86_64-compute", "netbooting"),
            ("statelite rocky9.4-x86_64-compute", "netbooting"),
            ("install rocky9.4-x86_64-service", "installing"),
            ("boot", "booting"),
            ("shell", "shell"),
            ("standby", "standingby"),
            ("offline", "booting"),
            ("runcmd=bmcsetup", "configuring"),
            ("runcmd=a b=c", "configuring"),
            ("runimage=http://x/y.tgz", "booting"),
            ("discover", "discovering"),
            ("reboot", "booting"),
            ("shutdown", "powering-off"),
        ] {
            let state = State::parse(text).unwrap();
            assert_eq!((state.to_string().as_str(), state.status()), (text, status));
            let place = tables::objects::NODE.named("currstate").next().unwrap();
            assert_eq!(tables::definitions::check_value("currstate", place, text).err(), None, "{text} can be set");
        }
        for text in ["", "bogus", "x=y"] {
            assert_eq!(State::parse(text), None, "{text}");
        }
    }
}
