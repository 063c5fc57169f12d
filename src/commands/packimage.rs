//! `packimage`: what diskless nodes fetch, from a root.

use std::str::FromStr;

use clap::Args;
use netboot::image::published::FILES;
use serde_json::json;

use super::Run;
use crate::context::Context;
use crate::diskless::Image;
use crate::diskless::pack::Method;
use crate::diskless::root::need;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};
use crate::size::size;
use crate::ui::Format;

/// Pack a diskless image: kernel, initial RAM disk and root as nodes fetch them
#[derive(Debug, Args)]
#[command(
    after_help = "The files are in images/IMAGE of xcrane's home, their digests there in sha256sums and in the image's definition. They
change places with the old ones at once; nodes that are booting meanwhile see by the digest and start anew. The same
root gives the same digests. Of the image's definition: exlist (a file with patterns of what to leave out, '+' in
front of what to keep), kernelver (if the root has several kernels), netdrivers (instead of the usual ones).

Examples:
  packimage compute
  packimage compute -c zstd:19          smaller by a tenth, and slower by twenty
  lsdef -t osimage compute -i rootdigest,rootsize,packed"
)]
pub(crate) struct Packimage {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: String,
    /// How to compress the root: zstd, gzip, xz or lz4, and a level
    #[arg(short, long, value_name = "METHOD[:LEVEL]", default_value = "zstd:9")]
    compress: Method,
    /// How to pack it: squashfs, and nothing else
    #[arg(short, long, value_name = "METHOD")]
    method: Option<Squashfs>,
    /// Why, for the journal
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// The one method that there is of those that xCAT's packimage has.
#[derive(Debug, Clone, Copy)]
struct Squashfs;

impl FromStr for Squashfs {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "squashfs" => Ok(Self),
            _ => Err("images are packed as squashfs only; why it is done is said by --reason"),
        }
    }
}

impl Run for Packimage {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let format = if self.json { Format::Json } else { Format::Lines };
        cx.tell_progress(format);
        let image = Image::read(cx, &self.image)?;
        for (program, package) in [("tar", "tar"), ("mksquashfs", "squashfs-tools"), ("modprobe", "kmod")] {
            need(program, package)?;
        }
        let made = image.pack(cx, &self.compress, self.reason).await?;
        let [kernel, initrd, root] = made.sizes.map(size);
        let same = if made.is_same { ", the same as before" } else { "" };
        let line = format!(
            "packed kernel {} {kernel}, initrd {initrd}, root {root} sha256:{}{same}",
            made.release, made.digests[2]
        );
        let files = FILES.iter().zip(&made.digests).zip(made.sizes);
        let files: Vec<_> =
            files.map(|((file, digest), size)| json!({ "file": file, "sha256": digest, "size": size })).collect();
        let data = json!({ "release": made.release, "files": files, "same": made.is_same });
        let body = Body::Answer(Answer { data: Some(data), ..Answer::line(line) });
        cx.ui.reply(format, Reply { node: Some(image.name), body });
        Ok(Outcome::Done)
    }
}
