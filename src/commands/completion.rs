//! `xcrane completion`: the script that makes a shell ask us for completions.

use clap::{Args, ValueEnum};

use super::Run;
use crate::completion;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Print the completion script of a shell, for all commands
#[derive(Debug, Args)]
#[command(after_help = "Node, group and attribute names come from the database at the moment of the key press.

Examples:
  source <(xcrane completion bash)
  xcrane completion fish > ~/.config/fish/conf.d/xcrane.fish")]
pub(crate) struct Completion {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Run for Completion {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let shell = match self.shell {
            Shell::Bash => "bash",
            Shell::Zsh => "zsh",
            Shell::Fish => "fish",
        };
        cx.ui.write(&completion::script(shell)?);
        Ok(Outcome::Done)
    }
}
