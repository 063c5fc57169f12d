//! `imgimport`: a container image becomes a diskless one; or what imgexport has written comes back.

use std::path::Path;

use clap::Args;
use netboot::image::lint::Finding;
use serde_json::{Value, json};

use super::Run;
use crate::context::Context;
use crate::diskless::Image;
use crate::diskless::bundle;
use crate::diskless::import::{Findings, Imported, Whence};
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};
use crate::size::size;
use crate::ui::Format;

/// Make a diskless image of a container image, or import what imgexport has written
#[derive(Debug, Args)]
#[command(
    after_help = "docker://IMAGE is an image of one of our registries, docker://FILE (with '/' or '.' in front) what 'docker save' writes or
an OCI layout. Its layers become the root of OSIMAGE, which packimage, imgtest and nodeset then work with. What a machine
needs and the root lacks is told first, each with what would mend it: kernel, modules, systemd, udev, a network that keeps
its address, sshd, keys, and what only containers have. While there is such, nothing is made without --fix or --as-is.

--fix installs what lacks with the programs of the image itself, as root: only for images that you would run as root.
Packages come from where genimage has them (pkgdir of OSIMAGE's definition, else the distribution's mirror), Debian and
Ubuntu only; packages of its pkglist are added too. With --kernel-of kernel and modules are another image's.

FILE is one of imgexport: checked to its end before anything is written; its files are put into imported/OSIMAGE of
xcrane's home. One that names directories of the site that made it (kerneldir, synclists and the like) is refused.

Exit code 2: there are findings, and nothing was made.

Examples:
  imgimport docker://10.0.0.1:5000/apps/solver:2.1 --lint
  imgimport docker://10.0.0.1:5000/apps/solver:2.1 solver --fix && packimage solver && imgtest solver
  imgimport docker:///srv/solver.tar solver --fix --kernel-of compute
  imgimport compute.tar compute2"
)]
pub(crate) struct Imgimport {
    /// docker://IMAGE, docker://FILE, or a file of imgexport
    #[arg(value_name = "SOURCE")]
    source: String,
    /// The diskless image; default is the source's own name
    #[arg(value_name = "OSIMAGE")]
    name: Option<String>,
    /// Tell what is to be mended, and make nothing
    #[arg(long, conflicts_with_all = ["fix", "as_is"])]
    lint: bool,
    /// Mend what is found
    #[arg(long, conflicts_with = "as_is")]
    fix: bool,
    /// Make it as it is, whatever is found
    #[arg(long)]
    as_is: bool,
    /// Take kernel and modules of this diskless image
    #[arg(long, value_name = "OSIMAGE")]
    kernel_of: Option<String>,
    /// Replace an image of that name with that of FILE
    #[arg(short, long)]
    force: bool,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Run for Imgimport {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let format = if self.json { Format::Json } else { Format::Lines };
        cx.tell_progress(format);
        match self.source.strip_prefix("docker://") {
            Some(source) => self.container(cx, format, Whence::parse(source)?).await,
            None => self.bundle(cx, format).await,
        }
    }
}

impl Imgimport {
    async fn bundle(&self, cx: &Context, format: Format) -> Result<Outcome, Failure> {
        if self.lint || self.fix || self.as_is || self.kernel_of.is_some() {
            return Err(Failure::usage("--lint, --fix, --as-is and --kernel-of are for docker://SOURCE"));
        }
        let bundled =
            bundle::import(cx, Path::new(&self.source), self.name.as_deref(), self.force, self.reason.clone()).await?;
        let what = if bundled.is_packed { "nodes can boot it" } else { "the definition alone; make it with genimage" };
        let line = format!("imported, {}: {what}", size(bundled.size));
        let data = json!({ "packed": bundled.is_packed, "files": bundled.files, "size": bundled.size });
        let body = Body::Answer(Answer { data: Some(data), ..Answer::line(line) });
        cx.ui.reply(format, Reply { node: Some(bundled.name), body });
        Ok(Outcome::Done)
    }

    async fn container(&self, cx: &Context, format: Format, whence: Whence) -> Result<Outcome, Failure> {
        if self.force {
            return Err(Failure::usage("-f is for files of imgexport; an image's root is always replaced"));
        }
        let findings = match (self.lint, self.fix, self.as_is) {
            (true, ..) => Findings::Tell,
            (_, true, _) => Findings::Mend,
            (_, _, true) => Findings::Leave,
            _ => Findings::Refuse,
        };
        let name = self.name.clone().unwrap_or_else(|| whence.name());
        let image = Image::read_or_new(cx, &name)?;
        let imported = image.import(cx, &whence, self.kernel_of.as_deref(), findings, self.reason.clone()).await?;
        let data = json!({
            "made": imported.is_made,
            "files": imported.unpacked.files,
            "size": imported.unpacked.bytes,
            "kernels": imported.kernels,
            "findings": imported.found.iter().map(|finding| told(finding, &imported)).collect::<Vec<_>>(),
        });
        let body = Body::Answer(Answer { data: Some(data), lines: self.lines(&imported), ..Answer::default() });
        cx.ui.reply(format, Reply { node: Some(name), body });
        let is_pending = !imported.left.is_empty() && !imported.is_made;
        if is_pending && !self.lint {
            cx.ui.hints(&["mend it with --fix, or make it as it is with --as-is".to_owned()]);
        }
        Ok(if is_pending { Outcome::Code(2) } else { Outcome::Done })
    }

    fn lines(&self, imported: &Imported) -> Vec<String> {
        let line = |finding: &Finding| {
            let mark = if imported.left.contains(finding) { "" } else { "mended: " };
            let weight = if finding.is_fatal { "it will not come up: " } else { "" };
            format!("{mark}{}: {weight}{}; {}", finding.what, finding.text, finding.fix.words())
        };
        let mut lines: Vec<String> = imported.found.iter().map(line).collect();
        let new = imported.left.iter().filter(|finding| !imported.found.contains(finding));
        lines.extend(new.map(line));
        if imported.is_made {
            let kernels = imported.kernels.join(", ");
            let kernels = if kernels.is_empty() { "none".to_owned() } else { kernels };
            let (files, bytes) = (imported.unpacked.files, size(imported.unpacked.bytes));
            lines.push(format!("made of {files} files, {bytes}, kernel {kernels}"));
        } else if lines.is_empty() {
            lines.push("nothing is to be mended".to_owned());
        }
        lines
    }
}

fn told(finding: &Finding, imported: &Imported) -> Value {
    json!({
        "what": finding.what,
        "fatal": finding.is_fatal,
        "text": finding.text,
        "fix": finding.fix.words(),
        "mended": !imported.left.contains(finding),
    })
}
