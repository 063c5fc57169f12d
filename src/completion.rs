//! Completion at the prompt: the shell asks this program, which knows its options from clap and the names from the tables.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::{CompleteEnv, Shells};
use tables::Tables;

use crate::failure::Failure;
use crate::{cli, commands, config};

/// What a shell sets to its own name when it asks.
const VARIABLE: &str = "COMPLETE";

/// More names than anyone reads at a prompt.
const MOST: usize = 500;

/// Answers the shell's question, if this is one.
pub(crate) fn answer(argv: &[OsString]) -> Option<ExitCode> {
    std::env::var_os(VARIABLE)?;
    let asked = argv.iter().skip_while(|arg| *arg != "--").nth(1).cloned().unwrap_or_default();
    let parser = move || with_names(parser_of(&asked));
    let here = std::env::current_dir().ok();
    match CompleteEnv::with_factory(parser).var(VARIABLE).try_complete(argv.iter().cloned(), here.as_deref()) {
        Ok(true) => Some(ExitCode::SUCCESS),
        Ok(false) => None,
        Err(error) => {
            error.print().ok(); // the prompt shows nothing in any case
            Some(ExitCode::FAILURE)
        }
    }
}

/// The script that registers this program as the one to ask, for every command.
pub(crate) fn script(shell: &str) -> Result<Vec<u8>, Failure> {
    let shells = Shells::builtins();
    let shell = shells.completer(shell).ok_or_else(|| Failure::usage(format!("no completion for {shell}")))?;
    let linked = commands::ALL.iter().filter(|command| command.linked).map(|command| command.name);
    let mut text = Vec::new();
    for name in std::iter::once("xcrane").chain(linked) {
        shell
            .write_registration(VARIABLE, name, name, "xcrane", &mut text)
            .map_err(|error| Failure::refused(format!("cannot write the completion of {name}: {error}")))?;
    }
    Ok(text)
}

fn parser_of(asked: &OsStr) -> clap::Command {
    let name = Path::new(asked).file_name().unwrap_or(asked).to_string_lossy();
    commands::find_linked(&name).map_or_else(cli::tree, commands::Command::parser)
}

/// Teaches the arguments that take names of the site to look them up.
fn with_names(command: clap::Command) -> clap::Command {
    command
        .mut_args(|arg| match arg.get_id().as_str() {
            "noderange" => arg.add(ArgValueCompleter::new(ranges)),
            "changes" => arg.add(ArgValueCompleter::new(attributes)),
            _ => arg,
        })
        .mut_subcommands(with_names)
}

/// Nodes and groups that continue the last name of a range: `n1,-gr` completes `gr`.
fn ranges(typed: &OsStr) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    let start = typed.rfind([',', '@', '(', '-']).map_or(0, |position| position + 1);
    let (kept, begun) = typed.split_at(start);
    let names = open().and_then(|tables| tables.names_starting(begun, MOST).ok()).unwrap_or_default();
    names.into_iter().map(|name| CompletionCandidate::new(format!("{kept}{name}"))).collect()
}

fn attributes(typed: &OsStr) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    let attributes = tables::objects::find("node").into_iter().flat_map(|node| node.attributes());
    let fitting = attributes.map(|attribute| &attribute.name).filter(|name| name.starts_with(&*typed));
    fitting.map(|name| CompletionCandidate::new(format!("{name}="))).collect()
}

/// A question at the prompt makes no database.
fn open() -> Option<Tables> {
    let home = config::home().ok()?;
    home.join("xcrane.db").exists().then(|| Tables::open(&home).ok())?
}
