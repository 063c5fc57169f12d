//! The stages of a boot, in their order.

use std::fmt;

/// A stage of a boot over the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// A command of ours has switched it on or reset it.
    Power,
    /// Its firmware asks for an address.
    Firmware,
    /// Its firmware loads iPXE.
    Loader,
    /// iPXE asks for an address.
    Ipxe,
    Script,
    Kernel,
    Initrd,
    /// The kernel that was loaded asks for an address.
    System,
    Root,
    /// It says what it is, and is told which node.
    Discovery,
    /// Its installer asks what it is to do.
    Installer,
    Postscripts,
    /// It says of itself how far it has come.
    Said,
    Booted,
}

impl Stage {
    /// The word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Power => "power",
            Self::Firmware => "firmware",
            Self::Loader => "loader",
            Self::Ipxe => "ipxe",
            Self::Script => "script",
            Self::Kernel => "kernel",
            Self::Initrd => "initrd",
            Self::System => "system",
            Self::Root => "root",
            Self::Discovery => "discovery",
            Self::Installer => "installer",
            Self::Postscripts => "postscripts",
            Self::Said => "status",
            Self::Booted => "booted",
        }
    }

    /// How many seconds may pass after it before that is a sign of trouble. Firmware of servers tests their memory first.
    pub(super) fn patience(self) -> u64 {
        match self {
            Self::Power => 300,
            Self::Firmware | Self::Loader | Self::Ipxe | Self::Script => 30,
            Self::Kernel | Self::Initrd | Self::System | Self::Discovery => 90,
            Self::Root | Self::Said | Self::Booted => 240,
            Self::Postscripts => 900,
            Self::Installer => 3600,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Power => "power",
            Self::Firmware => "DHCP, firmware",
            Self::Loader => "loader",
            Self::Ipxe => "DHCP, iPXE",
            Self::Script => "script",
            Self::Kernel => "kernel",
            Self::Initrd => "initial RAM disk",
            Self::System => "DHCP, system",
            Self::Root => "root file system",
            Self::Discovery => "discovery",
            Self::Installer => "installer",
            Self::Postscripts => "postscripts",
            Self::Said => "status",
            Self::Booted => "booted",
        })
    }
}
