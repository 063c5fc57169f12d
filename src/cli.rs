//! From argv to one command: by the name of the link it was started through, or by its first word.
//!
//! Only the parser of the chosen command is built; the whole tree exists for help, man pages and completion.

use std::error::Error;
use std::ffi::OsString;
use std::num::{IntErrorKind, ParseIntError};
use std::path::Path;
use std::process::ExitCode;

use clap::error::{ContextKind, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches};

use crate::commands::{self, Command};
use crate::completion;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Runs the program; the only place that knows the process's exit code.
pub(crate) fn run(argv: Vec<OsString>) -> ExitCode {
    start_log();
    if let Some(code) = completion::answer(&argv) {
        return code;
    }
    match parse(&argv).map_err(in_words) {
        Ok((command, matches)) => execute(command, &matches, &argv).into(),
        Err(error) => {
            error.print().ok(); // a closed terminal has nobody to tell
            if error.use_stderr() { Outcome::Usage.into() } else { Outcome::Done.into() }
        }
    }
}

fn parse(argv: &[OsString]) -> Result<(&'static Command, ArgMatches), clap::Error> {
    let called = argv.first().map(|name| word(Path::new(name).file_name().unwrap_or(name))).unwrap_or_default();
    if let Some(command) = commands::find_linked(&called) {
        return Ok((command, command.parser().try_get_matches_from(argv)?));
    }
    let chosen = argv.get(1).and_then(|name| commands::find(&word(name)));
    if let Some(command) = chosen {
        let parser = command.parser().bin_name(format!("xcrane {}", command.name));
        return Ok((command, parser.try_get_matches_from(&argv[1..])?));
    }
    // Not a command: the whole tree knows help, version and what was meant.
    let matches = tree().try_get_matches_from(argv)?;
    let (name, matches) =
        matches.subcommand().ok_or_else(|| tree().error(ErrorKind::MissingSubcommand, "a command is needed"))?;
    let command = commands::find(name).ok_or_else(|| tree().error(ErrorKind::InvalidSubcommand, name))?;
    Ok((command, matches.clone()))
}

/// Says what a number has to be, which the words of Rust's own parser do not.
fn in_words(error: clap::Error) -> clap::Error {
    let number = error.source().and_then(|source| source.downcast_ref::<ParseIntError>());
    let takes = match number.map(ParseIntError::kind) {
        Some(IntErrorKind::Zero) => "it takes a number from 1 on",
        Some(IntErrorKind::PosOverflow) => "the number is too large",
        Some(IntErrorKind::NegOverflow) => "the number is too small",
        Some(_) => "it takes a number",
        None => return error,
    };
    match (error.get(ContextKind::InvalidValue), error.get(ContextKind::InvalidArg)) {
        (Some(value), Some(argument)) => clap::Error::raw(
            ErrorKind::ValueValidation,
            format!("invalid value '{value}' for '{argument}': {takes}\n\nFor more information, try '--help'.\n"),
        ),
        _ => error,
    }
}

/// Where all of them look.
const FILES: &str =
    "What is defined is in one directory: $XCRANE_HOME, else home of /etc/xcrane/xcrane.toml (or of the file
$XCRANE_CONFIG), else /var/lib/xcrane. xcrane link DIR makes a link of each command's own name.";

/// Every command under the one name `xcrane`.
pub(crate) fn tree() -> clap::Command {
    clap::Command::new("xcrane")
        .about("Define, create, power and enter servers and containers by the same noderange")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help(FILES)
        .subcommands(commands::ALL.iter().map(Command::parser))
}

/// Adds what every command has: `-v/--version` and `-V/--verbose` as xCAT spells them, where the letters are free.
pub(crate) fn with_common(command: clap::Command) -> clap::Command {
    let taken = |letter: char| command.get_arguments().any(|arg| arg.get_short() == Some(letter));
    let mut version = Arg::new("version").long("version").help("Print the version").action(ArgAction::Version);
    if !taken('v') {
        version = version.short('v');
    }
    let mut verbose = Arg::new("verbose").long("verbose").help("Tell more on stderr").action(ArgAction::SetTrue);
    if !taken('V') {
        verbose = verbose.short('V');
    }
    reflowed(command.disable_version_flag(true).version(env!("CARGO_PKG_VERSION")).args([version, verbose]))
}

/// Joins the lines of each paragraph of what stands behind the options: they are broken once, where the terminal ends. What is
/// indented stays as it is.
fn reflowed(command: clap::Command) -> clap::Command {
    let command = match command.get_after_help().map(ToString::to_string) {
        Some(text) => command.after_help(joined(&text)),
        None => command,
    };
    command.mut_subcommands(reflowed)
}

fn joined(text: &str) -> String {
    let is_text = |line: &str| !line.is_empty() && !line.starts_with(' ');
    let mut whole = String::with_capacity(text.len());
    let mut before = "";
    for line in text.lines() {
        if !whole.is_empty() {
            whole.push(if is_text(before) && is_text(line) { ' ' } else { '\n' });
        }
        whole.push_str(line);
        before = line;
    }
    whole
}

fn execute(command: &Command, matches: &ArgMatches, argv: &[OsString]) -> Outcome {
    let words = argv.iter().map(|arg| word(arg)).collect();
    let cx = Context::new(words, matches.get_flag("verbose"));
    let outcome = match runtime() {
        Ok(runtime) => runtime.block_on(async {
            let outcome = (command.run)(matches, &cx).await;
            cx.finish().await;
            outcome
        }),
        Err(failure) => Err(failure),
    };
    cx.ui.flush();
    if let Some(why) = cx.ui.loss() {
        cx.ui.error(&format!("cannot write the answer: {why}"));
        return Outcome::SomeFailed;
    }
    outcome.unwrap_or_else(|failure| {
        cx.ui.failure(&failure);
        failure.outcome
    })
}

/// One thread is enough: the work is waiting, and what computes (ssh) has threads of its own.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::refused(format!("cannot start: {error}")))
}

/// Logs go to stderr when `XCRANE_LOG` asks for them (`XCRANE_LOG=debug`).
fn start_log() {
    if let Ok(filter) = std::env::var("XCRANE_LOG") {
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    }
}

fn word(text: &std::ffi::OsStr) -> String {
    text.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The help of a command and of those below it.
    fn helps(command: clap::Command, width: usize) -> Vec<String> {
        let mut command = command.term_width(width);
        let below: Vec<clap::Command> = command.get_subcommands().cloned().collect();
        let own = command.render_long_help().to_string();
        below.into_iter().flat_map(|below| helps(below, width)).chain([own]).collect()
    }

    /// A line that was broken in its source, and again where the terminal ends, leaves a few words alone in the middle.
    #[test]
    fn no_paragraph_of_a_help_is_broken_in_its_middle() {
        let mut looked_at = 0;
        for (command, width) in commands::ALL.iter().flat_map(|command| [(command, 80), (command, 100)]) {
            for help in helps(command.parser(), width) {
                let lines: Vec<&str> = help.lines().collect();
                for pair in lines.windows(2) {
                    let goes_on = pair[1].starts_with(|first: char| first.is_lowercase());
                    let is_short = pair[0].chars().count() < width / 2 && pair[0].starts_with(char::is_alphanumeric);
                    assert!(!goes_on || !is_short, "{} at {width}: {pair:#?}", command.name);
                }
                looked_at += 1;
            }
        }
        assert!(looked_at >= 2 * commands::ALL.len());
    }

    #[test]
    fn numbers_that_are_none_are_told_in_words() {
        let check = |line: &str, expected: &str| {
            let argv: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let error = in_words(parse(&argv).err().expect("the line is wrong"));
            assert_eq!(error.kind(), ErrorKind::ValueValidation);
            assert_eq!(error.to_string(), format!("error: {expected}\n\nFor more information, try '--help'.\n"));
        };
        check("bootwhy n1 --last 0", "invalid value '0' for '--last <N>': it takes a number from 1 on");
        check("rinstall n1 --wait x", "invalid value 'x' for '--wait <SECONDS>': it takes a number");
        check(
            "defundo 99999999999999999999",
            "invalid value '99999999999999999999' for '[ID]...': the number is too large",
        );
    }
}
