//! Boot device: what a machine boots from next, where that is not what its firmware would choose.

use async_trait::async_trait;
use tables::Node;

use crate::Result;

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

/// How long an override holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    /// For the next boot.
    Once,
    Always,
}
