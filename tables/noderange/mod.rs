//! Noderanges: `n[001-500],-n013,rack2@compute` to node names and back.
//!
//! A range is parsed into a tree ([`parse()`]), the tree is evaluated against a [`World`] ([`evaluate()`]) to a set of
//! [`Names`], and [`fold()`] writes names as a short range again. Exclusion does not depend on its place: it comes last in
//! its own parentheses.

mod error;
mod evaluate;
#[cfg(test)]
mod examples;
mod fold;
mod index;
#[cfg(test)]
mod laws;
mod names;
mod parse;
mod point;
mod series;
mod spans;
mod tree;

pub use error::{Cause, Error, FileLine, Kind, Result};
pub use evaluate::evaluate;
pub use fold::fold;
pub use index::{Index, World};
pub(crate) use names::Builder;
pub use names::Names;
pub use parse::parse;
pub use tree::Range;

/// The most names that the brackets and runs of one range may write out: a slip of the finger must not eat the memory.
pub const LIMIT: u64 = 1_000_000;

/// How a range is read where its text leaves a choice.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// Stands before a bare number: `7` is `node7`.
    pub prefix: &'a str,
    /// Stands after a bare number.
    pub suffix: &'a str,
    pub unknown: Unknown,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { prefix: "node", suffix: "", unknown: Unknown::Refuse }
    }
}

/// What becomes of a name that is neither node nor group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// The whole range is refused, naming all of them.
    Refuse,
    /// The rest is expanded and they are listed in [`Expansion::unknown`].
    Report,
    /// They are new names, for commands that create nodes. What cannot be a name is still refused.
    Accept,
}

/// What a range stands for. Empty `names` is an answer (an empty group); a range without any atom is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expansion {
    pub names: Names,
    /// Only with [`Unknown::Report`], in the order met.
    pub unknown: Vec<String>,
}

/// Parses and evaluates a range.
pub fn expand<W: World + ?Sized>(range: &str, world: &W, options: &Options<'_>) -> Result<Expansion> {
    evaluate(&parse(range)?, world, options)
}
