//! What is told of those who ask: which file was fetched and how that ended, who was refused.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Body as _, Bytes, Frame, SizeHint};

use super::{Answer, Body, Ends};
use crate::events::{Event, Events, Kind, subject};

/// A file that somebody asks for.
pub(super) struct Fetch {
    pub(super) events: Events,
    pub(super) ends: Ends,
    pub(super) subject: &'static str,
    pub(super) name: String,
}

/// What a file is for, by its name; all that images have are named so, and installers' kernels `linux`.
pub(super) fn part(name: &str) -> &'static str {
    let begins = |words: &[&str]| words.iter().any(|word| name.starts_with(word));
    if begins(&["kernel", "vmlinuz", "linux"]) {
        subject::KERNEL
    } else if begins(&["initrd", "initramfs"]) {
        subject::INITRD
    } else if begins(&["root"]) {
        subject::ROOT
    } else {
        subject::FILE
    }
}

impl Fetch {
    /// Tells that the answer begins, and when its body has ended how that was.
    pub(super) fn watch(self, answer: Answer) -> Answer {
        match answer.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => {
                let length = answer.body().size_hint().exact().or_else(|| promised(&answer)).unwrap_or_default();
                self.tell(Kind::Begun, &format!("{length} bytes"));
                answer.map(|body| Watched { body, sent: 0, length, fetch: self }.boxed_unsync())
            }
            StatusCode::NOT_MODIFIED => answer,
            code => {
                self.tell(Kind::Absent, code.canonical_reason().unwrap_or_default());
                answer
            }
        }
    }

    fn tell(&self, kind: Kind, what: &str) {
        let Self { events, ends, subject, name } = self;
        events.tell(|| {
            Event::new(&ends.interface, kind, subject).from(ends.client.ip()).detail(format_args!("{name}: {what}"))
        });
    }
}

fn promised(answer: &Answer) -> Option<u64> {
    answer.headers().get(hyper::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The body of an answer, counted as it goes out.
struct Watched {
    body: Body,
    sent: u64,
    length: u64,
    fetch: Fetch,
}

impl hyper::body::Body for Watched {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.sent += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.sent == self.length {
            self.fetch.tell(Kind::Sent, &format!("{} bytes", self.sent));
        } else {
            self.fetch.tell(Kind::Broken, &format!("after {} of {} bytes", self.sent, self.length));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_name() {
        for (name, expected) in [
            ("kernel", subject::KERNEL),
            ("vmlinuz-6.1", subject::KERNEL),
            ("linux", subject::KERNEL),
            ("initrd.gz", subject::INITRD),
            ("root.sqfs", subject::ROOT),
            ("SHA256SUMS", subject::FILE),
        ] {
            assert_eq!(part(name), expected, "{name}");
        }
    }
}
