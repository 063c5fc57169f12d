//! Boot device: what a machine boots from next, where that is not what its firmware would choose.

use std::fmt;

use async_trait::async_trait;
use tables::Node;

use crate::{Error, Result};

/// Reads and sets the boot override of nodes.
#[async_trait]
pub trait Boot: Send + Sync {
    /// Whether the definition says all that is needed, and machines of this kind boot from `device`, without touching anything.
    fn check(&self, node: &Node, device: Option<BootDevice>) -> Result<()>;

    /// The override that is set; None leaves the choice to the firmware.
    async fn get(&self, node: &Node) -> Result<Option<BootOverride>>;

    /// Sets it, and tells what is set now as the machine says.
    async fn set(&self, node: &Node, wanted: Option<BootOverride>) -> Result<Option<BootOverride>>;
}

/// An order to boot from something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootOverride {
    pub device: BootDevice,
    pub persistence: Persistence,
    /// By UEFI, where the machine can do either.
    pub efi: bool,
    /// Where [`BootDevice::Http`] boots from; None leaves that to the DHCP server.
    pub url: Option<String>,
}

/// Where to boot from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootDevice {
    Network,
    /// From a file that the firmware fetches by HTTP.
    Http,
    Disk,
    Cd,
    Floppy,
    /// The firmware's own setup.
    Setup,
}

/// In xCAT's words.
impl fmt::Display for BootDevice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Network => "Network",
            Self::Http => "UEFI HTTP",
            Self::Disk => "Hard Drive",
            Self::Cd => "CD/DVD",
            Self::Floppy => "Floppy",
            Self::Setup => "BIOS Setup",
        })
    }
}

/// How long an override holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    /// For the next boot.
    Once,
    Always,
}

/// Compares what a machine was told with what it says then. Another device is an error: it boots from that. What it may have
/// understood all the same is told as a warning.
pub fn heeded(wanted: Option<&BootOverride>, now: Option<&BootOverride>) -> Result<Option<String>> {
    let said = match (wanted, now) {
        (Some(wanted), Some(now)) if wanted.device != now.device => {
            format!("its BMC was told {}, and says {}", wanted.device, now.device)
        }
        (None, Some(now)) => format!("its BMC was told to leave it to the firmware, and says {}", now.device),
        (Some(wanted), now) => return Ok(doubt(wanted, now)),
        (None, None) => return Ok(None),
    };
    Err(Error::Refused { what: "cannot set the boot device".into(), why: said })
}

/// What a machine left out of what it was told, where it names no other device.
fn doubt(wanted: &BootOverride, now: Option<&BootOverride>) -> Option<String> {
    let device = wanted.device;
    let Some(now) = now else {
        return Some(format!(
            "its BMC was told {device}, and says that nothing is set: it may boot as its firmware has it"
        ));
    };
    match (wanted.persistence, now.persistence) {
        (Persistence::Once, Persistence::Always) => Some(format!(
            "its BMC was told {device} for the next boot, and says that it is for all: rsetboot NODE default ends that"
        )),
        (Persistence::Always, Persistence::Once) => {
            Some(format!("its BMC was told {device} for all boots, and says that it is for the next one only"))
        }
        _ if wanted.efi && !now.efi => Some(format!("its BMC was told {device} by UEFI, and does not say UEFI")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(device: BootDevice, persistence: Persistence, efi: bool) -> BootOverride {
        BootOverride { device, persistence, efi, url: None }
    }

    #[test]
    fn what_a_machine_says_is_compared_with_what_it_was_told() {
        use BootDevice::{Disk, Network};
        use Persistence::{Always, Once};
        let check = |wanted: Option<BootOverride>, now: Option<BootOverride>, expected: &str| {
            let said = heeded(wanted.as_ref(), now.as_ref());
            let said = said.map_or_else(|error| format!("Error: {error}"), Option::unwrap_or_default);
            assert_eq!(said, expected, "{wanted:?} {now:?}");
        };
        let net = || Some(order(Network, Once, false));
        check(net(), net(), "");
        check(net(), Some(order(Network, Once, true)), "");
        check(None, None, "");
        let error = "Error: cannot set the boot device: its BMC was told ";
        check(net(), Some(order(Disk, Once, false)), &format!("{error}Network, and says Hard Drive"));
        check(None, net(), &format!("{error}to leave it to the firmware, and says Network"));
        let told = "its BMC was told Network";
        check(net(), None, &format!("{told}, and says that nothing is set: it may boot as its firmware has it"));
        let all = format!("{told} for the next boot, and says that it is for all: rsetboot NODE default ends that");
        check(net(), Some(order(Network, Always, false)), &all);
        let next = format!("{told} for all boots, and says that it is for the next one only");
        check(Some(order(Network, Always, false)), net(), &next);
        check(Some(order(Network, Once, true)), net(), &format!("{told} by UEFI, and does not say UEFI"));
    }
}
