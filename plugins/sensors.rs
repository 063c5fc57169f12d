//! Sensors: what a machine measures of itself, and how far that is from what is good for it.

use async_trait::async_trait;
use tables::Node;

use crate::Result;

/// Reads the sensors of machines.
#[async_trait]
pub trait Sensors: Send + Sync {
    /// What was asked for, in the machine's own order. What a machine does not have is left out.
    async fn vitals(&self, node: &Node, wanted: &WantedVitals) -> Result<Vec<Measured>>;
}

/// What is to be read.
#[derive(Debug, Clone)]
pub struct WantedVitals {
    pub vitals: Vec<Vital>,
    /// With the limits, which cost one question more for each sensor.
    pub limits: bool,
}

/// What something says of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vital {
    /// Whether it is on.
    Power,
    /// The state of its chassis: faults, lid, what happens when the mains return.
    Chassis,
    /// Its identify light.
    Light,
    Temperature,
    Voltage,
    Current,
    Fan,
    Wattage,
    /// Any other sensor.
    Other,
}

/// A sensor and what it says.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    pub name: String,
    pub value: Value,
    /// The worst limit that it has gone beyond, as the machine itself sees it.
    pub beyond: Option<Limit>,
    /// Those that are set, lowest severity first.
    pub limits: Vec<(Limit, f64)>,
}

impl Measured {
    /// Something that is said in words.
    pub fn words(name: impl Into<String>, words: impl Into<String>) -> Self {
        Self { name: name.into(), value: Value::Words(words.into()), beyond: None, limits: Vec::new() }
    }
}

/// What a sensor says.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Number {
        value: f64,
        /// The digits after the point that mean something.
        digits: usize,
        unit: String,
    },
    Words(String),
    /// It is switched off, or its machine is.
    Unknown,
}

/// Limits of a sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    LowerNonCritical,
    LowerCritical,
    LowerNonRecoverable,
    UpperNonCritical,
    UpperCritical,
    UpperNonRecoverable,
}

impl Limit {
    /// In the order of the bits and bytes of IPMI.
    pub const ALL: [Self; 6] = [
        Self::LowerNonCritical,
        Self::LowerCritical,
        Self::LowerNonRecoverable,
        Self::UpperNonCritical,
        Self::UpperCritical,
        Self::UpperNonRecoverable,
    ];

    /// In words, such as `upper critical`.
    pub fn words(self) -> &'static str {
        match self {
            Self::LowerNonCritical => "lower non-critical",
            Self::LowerCritical => "lower critical",
            Self::LowerNonRecoverable => "lower non-recoverable",
            Self::UpperNonCritical => "upper non-critical",
            Self::UpperCritical => "upper critical",
            Self::UpperNonRecoverable => "upper non-recoverable",
        }
    }

    /// Whether what is above it is bad.
    pub fn is_upper(self) -> bool {
        matches!(self, Self::UpperNonCritical | Self::UpperCritical | Self::UpperNonRecoverable)
    }
}
