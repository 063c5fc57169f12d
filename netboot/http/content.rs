//! Files as answers: whole, in part, or only what is known of them.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::task::spawn_blocking;

use super::range::Part;
use super::{Answer, Body, empty, status};
use crate::root::Opened;

/// Read at once: fewer changes of thread than smaller ones, less memory for a thousand clients than larger ones.
const PIECE: u64 = 256 << 10;

/// The answer to a request for a file. hyper leaves the body away where only the header was asked for.
pub(super) fn answer(opened: Opened, asked: &HeaderMap) -> Answer {
    let tag = tag(&opened);
    if asked.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return with_tag(empty(StatusCode::NOT_MODIFIED), &tag, &opened);
    }
    // A part of another file than the client has begun with is of no use to it.
    let same = asked.get(header::IF_RANGE).is_none_or(|known| known.as_bytes() == tag.as_bytes());
    let wanted = asked.get(header::RANGE).filter(|_| same).and_then(|range| range.to_str().ok());
    let (code, range) = match wanted.map_or(Part::Whole, |wanted| Part::of(wanted, opened.length)) {
        Part::Whole => (StatusCode::OK, 0..opened.length),
        Part::Some(range) => (StatusCode::PARTIAL_CONTENT, range),
        Part::None => {
            let mut answer = status(StatusCode::RANGE_NOT_SATISFIABLE);
            set(&mut answer, header::CONTENT_RANGE, &format!("bytes */{}", opened.length));
            return answer;
        }
    };
    let mut answer = with_tag(empty(code), &tag, &opened);
    set(&mut answer, header::CONTENT_LENGTH, &(range.end - range.start).to_string());
    if code == StatusCode::PARTIAL_CONTENT {
        let (first, last) = (range.start, range.end - 1);
        set(&mut answer, header::CONTENT_RANGE, &format!("bytes {first}-{last}/{}", opened.length));
    }
    *answer.body_mut() = body(opened.file, range);
    answer
}

fn with_tag(mut answer: Answer, tag: &str, opened: &Opened) -> Answer {
    set(&mut answer, header::ETAG, tag);
    set(&mut answer, header::ACCEPT_RANGES, "bytes");
    set(&mut answer, header::CONTENT_TYPE, "application/octet-stream");
    if let Some(modified) = opened.modified {
        set(&mut answer, header::LAST_MODIFIED, &httpdate::fmt_http_date(modified));
    }
    answer
}

/// Another text whenever the file is another one.
fn tag(opened: &Opened) -> String {
    let modified = opened.modified.unwrap_or(SystemTime::UNIX_EPOCH).duration_since(UNIX_EPOCH);
    format!("\"{:x}-{:x}\"", modified.unwrap_or_default().as_nanos(), opened.length)
}

fn body(file: File, range: std::ops::Range<u64>) -> Body {
    let pieces = stream::try_unfold((Arc::new(file), range), |(file, range)| async move {
        if range.is_empty() {
            return Ok(None);
        }
        let (reading, start) = (file.clone(), range.start);
        let length = usize::try_from((range.end - start).min(PIECE)).unwrap_or(usize::MAX);
        let piece = spawn_blocking(move || read(&reading, start, length)).await??;
        let next = start + piece.len() as u64;
        Ok::<_, io::Error>(Some((Frame::data(Bytes::from(piece)), (file, next..range.end))))
    });
    StreamBody::new(pieces).boxed_unsync()
}

fn read(file: &File, start: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut piece = vec![0; length];
    // A file that has become shorter breaks the connection off: the length was promised.
    file.read_exact_at(&mut piece, start)?;
    Ok(piece)
}

pub(super) fn set(answer: &mut Response<Body>, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}
