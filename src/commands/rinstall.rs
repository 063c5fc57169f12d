//! `rinstall`: nodes boot what they shall, from the network, now.

use clap::Args;

use super::Run;
use crate::boot::{Provision, after_help};
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Boot nodes from the network to provision them
#[derive(Debug, Args)]
#[command(after_help = after_help("rinstall"))]
pub(crate) struct Rinstall {
    #[command(flatten)]
    provision: Provision,
}

impl Run for Rinstall {
    fn is_audited(&self) -> bool {
        true
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        self.provision.run(cx).await
    }
}
