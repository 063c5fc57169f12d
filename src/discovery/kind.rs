//! Which machines of table discoverydata are meant: by how they became nodes, or by one's UUID.

use clap::{Args, ValueEnum};
use tables::{Row, Select, Tables};

use super::table;
use crate::failure::Failure;

/// How a machine became a node, in xCAT's words and ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// In order
    Seq,
    /// By its switch port
    Switch,
    /// By its serial number
    Mtms,
    /// By its MAC address
    Mac,
    /// By its UUID
    Uuid,
    /// By the address of its BMC
    Bmc,
    /// By nodediscoverdef
    Manual,
    /// Not at all
    Undef,
    /// It says that it is a node that it cannot be
    Conflict,
    /// However
    All,
}

impl Kind {
    fn method(self) -> Option<&'static str> {
        Some(match self {
            Self::Seq => "sequential",
            Self::Switch => "switch",
            Self::Mtms => "serial",
            Self::Mac => "mac",
            Self::Uuid => "uuid",
            Self::Bmc => "bmc",
            Self::Manual => "manual",
            Self::Undef => "undef",
            Self::Conflict => "conflict",
            Self::All => return None,
        })
    }
}

/// The machines that a command is about.
#[derive(Debug, Args)]
pub(crate) struct Chosen {
    /// Those that became nodes in this way
    #[arg(short = 't', long = "type", value_enum, value_name = "TYPE", conflicts_with = "uuid")]
    pub(crate) kind: Option<Kind>,
    /// The one with this UUID
    #[arg(short = 'u', long, value_name = "UUID")]
    pub(crate) uuid: Option<String>,
}

impl Chosen {
    /// Their rows; a UUID that nobody has is an error.
    pub(crate) fn rows(&self, tables: &Tables) -> Result<Vec<Row>, Failure> {
        let method = self.kind.unwrap_or(Kind::All).method();
        let chosen: Vec<(&str, &str)> = method.map(|method| ("method", method)).into_iter().collect();
        let Some(uuid) = &self.uuid else { return Ok(tables.rows(table("discoverydata"), Select::Where(&chosen))?) };
        let rows = tables.rows(table("discoverydata"), Select::Keys(&[&uuid.to_lowercase()]))?;
        if rows.is_empty() {
            return Err(
                Failure::refused(format!("no machine with UUID {uuid} was discovered")).hint("see nodediscoverls")
            );
        }
        Ok(rows)
    }
}
