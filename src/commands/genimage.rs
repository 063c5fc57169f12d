//! `genimage`: the root of a diskless image, from packages.

use clap::Args;
use serde_json::json;

use super::Run;
use crate::context::Context;
use crate::diskless::Image;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};
use crate::ui::Format;

/// Make the root of a diskless image from a list of packages
#[derive(Debug, Args)]
#[command(
    after_help = "Of the image's definition: pkglist and otherpkglist (files with a package a line, '-NAME' for none of it,
#INCLUDE:FILE#), pkgdir and otherpkgdir (URLs of mirrors, directories, lines 'deb …'; default is the distribution's
mirror), osvers, postinstall (scripts, run with the root's path), rootimgdir (default is roots/IMAGE in xcrane's home).
What nodes need beside packages is added: a network by DHCP, a key of its own for sshd, your public keys for root; where an
engine is in the list (docker.io) also apparmor, dbus and their like (unless it has '-NAME'), and memory for containers.
The root is in rootimgdir/rootimg, where it can be changed by hand before packimage; a second genimage replaces it.
A run that fails or is killed leaves the root as it was. Whoever reaches 'xcrane serve' can fetch an image: what is secret of a
node belongs in nodes/NODE of xcrane's home, which only that node is given while it boots.

The list is installed in its order, four packages at a time, and roots on the way are kept (stages in xcrane's home): what is
changed at the end of a list takes seconds, so put there what changes. With or without them the same list gives the same
root; they are made anew when the mirror has something new. Of rocky, alma, rhels and centos roots are made by dnf, if
this machine has it, from pkgdir: a directory with repodata/, or 'URL gpgkey=FILE|URL'.

Examples:
  mkdef -t osimage compute imagetype=linux provmethod=netboot osvers=debian12 osarch=x86_64 pkglist=/install/compute.pkglist
  genimage compute && packimage compute"
)]
pub(crate) struct Genimage {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: String,
    /// Check the definition, show what apt would be asked for, and make nothing
    #[arg(long, visible_alias = "dryrun")]
    plan: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Run for Genimage {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let format = if self.json { Format::Json } else { Format::Lines };
        cx.tell_progress(format);
        let image = Image::read(cx, &self.image)?;
        let recipe = image.recipe()?;
        let say = |answer| cx.ui.reply(format, Reply { node: Some(image.name.clone()), body: Body::Answer(answer) });
        if self.plan {
            say(Answer { lines: recipe.lines(), ..Answer::default() });
            return Ok(Outcome::Done);
        }
        recipe.need_program()?;
        let made = image.make(cx, &recipe).await?;
        let kernels = made.kernels.join(", ");
        let line = format!("made {} of {} packages, kernel {kernels}", made.root.display(), made.packages);
        let data = json!({ "root": made.root, "packages": made.packages, "kernels": made.kernels });
        say(Answer { data: Some(data), ..Answer::line(line) });
        Ok(Outcome::Done)
    }
}
