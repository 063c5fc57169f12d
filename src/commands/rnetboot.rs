//! `rnetboot`: nodes boot what they shall, from the network, now.

use clap::Args;

use super::Run;
use crate::boot::Provision;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Boot nodes from the network, as rinstall does
#[derive(Debug, Args)]
#[command(after_help = "The same as nodeset NODERANGE STATE, rsetboot NODERANGE net and rpower NODERANGE boot, all of it checked before the
first node is touched, the scripts that they would get too. --wait is for what says that it is up: osimage, runcmd, runimage.

Examples:
  rnetboot rack1                     the images of their definitions
  rnetboot n1 osimage=debian12 -u    this image, by UEFI
  rnetboot rack1 --wait 900          tell how far they come, and who got stuck where")]
pub(crate) struct Rnetboot {
    #[command(flatten)]
    provision: Provision,
}

impl Run for Rnetboot {
    fn is_audited(&self) -> bool {
        true
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        self.provision.run(cx).await
    }
}
