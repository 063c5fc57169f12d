//! How much of a machine a host is.

/// What runs on a host, and on what it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An engine and an ssh server below a shell, with a stand-in for `systemctl`: up in no time.
    Light,
    /// systemd with real units, an engine and an ssh server; Open vSwitch is installed, and disabled.
    Systemd,
    /// systemd and an ssh server, as a machine is before it becomes a Docker host.
    Bare,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Light, Self::Systemd, Self::Bare];

    /// What `host.sh` calls it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Systemd => "systemd",
            Self::Bare => "bare",
        }
    }

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}
