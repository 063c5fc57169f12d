//! Controllers: the settings of a BMC itself, its network and who may log in to it.

use std::net::Ipv4Addr;

use async_trait::async_trait;
use tables::Node;

use crate::{Result, Secret};

/// Reads and changes what a machine's controller is to be.
///
/// A change is looked at from outside, as the next one will come: by its new address, with its new password. Where that
/// fails all is put back, and the error says whether it is.
#[async_trait]
pub trait Controller: Send + Sync {
    /// Whether the definition says all that is needed, without touching anything.
    fn check(&self, node: &Node) -> Result<()>;

    async fn network(&self, node: &Node) -> Result<ControllerNetwork>;

    /// Tells the network that it has then.
    async fn set_network(&self, node: &Node, change: &NetworkChange) -> Result<ControllerNetwork>;

    async fn users(&self, node: &Node) -> Result<Vec<ControllerUser>>;

    /// Tells who the user is then.
    async fn set_user(&self, node: &Node, change: &UserChange) -> Result<UserChanged>;
}

/// The network of a controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControllerNetwork {
    pub address: Ipv4Addr,
    pub mask: Ipv4Addr,
    /// 0.0.0.0 where there is none.
    pub gateway: Ipv4Addr,
    /// False where somebody else, such as a DHCP server, gives the address.
    pub fixed: bool,
    pub vlan: Option<u16>,
}

/// What of it is to be another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NetworkChange {
    pub address: Option<Ipv4Addr>,
    pub mask: Option<Ipv4Addr>,
    pub gateway: Option<Ipv4Addr>,
    pub vlan: Option<Option<u16>>,
}

/// Who may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControllerUser {
    pub number: u8,
    pub name: String,
    /// The controller's own word, such as administrator.
    pub privilege: String,
    pub enabled: bool,
}

/// A user with a new password. Who does not exist is made an administrator.
#[derive(Debug, Clone)]
pub struct UserChange {
    /// The place of the user; None for that of the name.
    pub number: Option<u8>,
    /// None for the one that we log in as.
    pub name: Option<String>,
    pub password: Secret,
}

/// What a user has become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserChanged {
    pub name: String,
    /// True for the one that we log in as: the tables have to follow.
    pub is_us: bool,
}
