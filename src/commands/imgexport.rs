//! `imgexport`: a diskless image as one file.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::Run;
use crate::context::Context;
use crate::diskless::bundle::export;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};
use crate::size::size;
use crate::ui::Format;

/// Export a diskless image into one file that imgimport takes elsewhere
#[derive(Debug, Args)]
#[command(
    after_help = "The file has the image's definition, the files that this names (pkglist, otherpkglist, exlist, postinstall, template,
partitionfile) and, if the image was packed, kernel, initial RAM disk and root, each with its digest. It has neither the
root's directory nor where that is, nor other directories of this site (pkgdir and otherpkgdir but for mirrors, kerneldir,
driverupdatesrc, synclists, cfmdir). It appears whole or not at all.

Examples:
  packimage compute && imgexport compute              writes compute.tar
  imgexport compute /srv/compute-2025-06.tar"
)]
pub(crate) struct Imgexport {
    /// The image
    #[arg(value_name = "OSIMAGE")]
    image: String,
    /// The file; default is OSIMAGE.tar
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Run for Imgexport {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let format = if self.json { Format::Json } else { Format::Lines };
        let file = self.file.unwrap_or_else(|| format!("{}.tar", self.image).into());
        let bundled = export(cx, &self.image, &file)?;
        let what =
            if bundled.is_packed { "definition and packed files" } else { "definition alone, for it was never packed" };
        let line = format!("exported to {}, {}: {what}", file.display(), size(bundled.size));
        let data = json!({ "file": file, "size": bundled.size, "packed": bundled.is_packed, "files": bundled.files });
        let body = Body::Answer(Answer { data: Some(data), ..Answer::line(line) });
        cx.ui.reply(format, Reply { node: Some(bundled.name), body });
        Ok(Outcome::Done)
    }
}
