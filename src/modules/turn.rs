//! Who sets up nodes: modules and the commands that do the same by hand keep each other out.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use crate::failure::Failure;
use crate::turn::{self, Turns};

const MODULES: Turns = Turns { file: "modules.lock", doing: "work of these modules" };
const NODES: Turns = Turns { file: "modules-nodes.lock", doing: "set-up of these nodes" };

/// Nobody else works with these modules, or sets up these nodes, while the files are open.
#[derive(Debug)]
pub(crate) struct Turn(#[expect(dead_code, reason = "locks end when they are dropped")] [File; 2]);

impl Turn {
    pub(crate) fn take(home: &Path, modules: &[String], nodes: &[String]) -> Result<Self, Failure> {
        Ok(Self([turn::take(home, &MODULES, modules)?, turn::take(home, &NODES, nodes)?]))
    }

    /// Of commands that set up nodes without a module.
    pub(crate) fn of_nodes<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Self, Failure> {
        let names: BTreeSet<String> = names.into_iter().map(str::to_owned).collect();
        Self::take(&crate::config::home()?, &[], &names.into_iter().collect::<Vec<_>>())
    }
}
