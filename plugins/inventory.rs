//! Inventory: what a machine says it is.

use async_trait::async_trait;
use tables::Node;

use crate::Result;

/// Tells what machines are.
#[async_trait]
pub trait Inventory: Send + Sync {
    /// What is known of these parts, in their order. What a machine does not say is left out.
    async fn inventory(&self, node: &Node, parts: &[Part]) -> Result<Vec<Fact>>;
}

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Model,
    Serial,
    Asset,
    /// The firmware of the management controller.
    Firmware,
    Guid,
    /// The management controller itself.
    Controller,
}

/// One thing that a machine says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub label: &'static str,
    pub value: String,
}
