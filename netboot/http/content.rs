//! Files as answers: whole, in part, or only what is known of them.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::task::spawn_blocking;

use super::range::Part;
use super::{Answer, Body, empty, full, piece, status};
use crate::recent::Small;
use crate::root::Opened;

/// What is told of a file beside its content.
#[derive(Clone, Copy)]
struct Known {
    length: u64,
    modified: Option<SystemTime>,
}

/// The answer to a request for a file. hyper leaves the body away where only the header was asked for.
pub(super) fn answer(opened: Opened, asked: &HeaderMap) -> Answer {
    let Opened { file, length, modified } = opened;
    answer_with(Known { length, modified }, asked, |range| body(file, range))
}

/// The same for one that was read already.
pub(super) fn answer_small(small: &Small, asked: &HeaderMap) -> Answer {
    let known = Known { length: small.bytes.len() as u64, modified: small.modified };
    let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
    answer_with(known, asked, |range| full(small.bytes.slice(at(range.start)..at(range.end))))
}

fn answer_with(known: Known, asked: &HeaderMap, body: impl FnOnce(Range<u64>) -> Body) -> Answer {
    let tag = tag(known);
    if asked.get(header::IF_NONE_MATCH).is_some_and(|theirs| theirs.as_bytes() == tag.as_bytes()) {
        return with_tag(empty(StatusCode::NOT_MODIFIED), &tag, known);
    }
    // A part of another file than the client has begun with is of no use to it.
    let same = asked.get(header::IF_RANGE).is_none_or(|theirs| theirs.as_bytes() == tag.as_bytes());
    let wanted = asked.get(header::RANGE).filter(|_| same).and_then(|range| range.to_str().ok());
    let (code, range) = match wanted.map_or(Part::Whole, |wanted| Part::of(wanted, known.length)) {
        Part::Whole => (StatusCode::OK, 0..known.length),
        Part::Some(range) => (StatusCode::PARTIAL_CONTENT, range),
        Part::None => {
            let mut answer = status(StatusCode::RANGE_NOT_SATISFIABLE);
            set(&mut answer, header::CONTENT_RANGE, &format!("bytes */{}", known.length));
            return answer;
        }
    };
    let mut answer = with_tag(empty(code), &tag, known);
    set(&mut answer, header::CONTENT_LENGTH, &(range.end - range.start).to_string());
    if code == StatusCode::PARTIAL_CONTENT {
        let (first, last) = (range.start, range.end - 1);
        set(&mut answer, header::CONTENT_RANGE, &format!("bytes {first}-{last}/{}", known.length));
    }
    *answer.body_mut() = body(range);
    answer
}

fn with_tag(mut answer: Answer, tag: &str, known: Known) -> Answer {
    set(&mut answer, header::ETAG, tag);
    set(&mut answer, header::ACCEPT_RANGES, "bytes");
    set(&mut answer, header::CONTENT_TYPE, "application/octet-stream");
    if let Some(modified) = known.modified {
        set(&mut answer, header::LAST_MODIFIED, &httpdate::fmt_http_date(modified));
    }
    answer
}

/// Another text whenever the file is another one.
fn tag(known: Known) -> String {
    let modified = known.modified.unwrap_or(SystemTime::UNIX_EPOCH).duration_since(UNIX_EPOCH);
    format!("\"{:x}-{:x}\"", modified.unwrap_or_default().as_nanos(), known.length)
}

fn body(file: File, range: Range<u64>) -> Body {
    let pieces = stream::try_unfold((Arc::new(file), range), |(file, range)| async move {
        if range.is_empty() {
            return Ok(None);
        }
        let (reading, start) = (file.clone(), range.start);
        let length = usize::try_from(range.end - start).unwrap_or(usize::MAX);
        let piece = spawn_blocking(move || piece::read(&reading, start, length)).await??;
        let next = start + piece.len() as u64;
        Ok::<_, io::Error>(Some((Frame::data(piece), (file, next..range.end))))
    });
    StreamBody::new(pieces).boxed_unsync()
}

pub(super) fn set(answer: &mut Response<Body>, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}
