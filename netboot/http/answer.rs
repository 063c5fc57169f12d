//! Answers, and how what went wrong is told.

use std::fmt::Write;
use std::io;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap};
use hyper::{Response, StatusCode};
use tracing::warn;

use super::content;
use crate::root::{Opened, Refused};
use crate::script;

pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;
pub(super) type Answer = Response<Body>;

pub(super) fn file(opened: Result<Opened, Refused>, headers: &HeaderMap) -> Answer {
    match opened {
        Ok(opened) => content::answer(opened, headers),
        Err(Refused::Absent) => status(StatusCode::NOT_FOUND),
        Err(Refused::Denied) => status(StatusCode::FORBIDDEN),
        Err(Refused::Failed(error)) => unavailable(&error),
    }
}

pub(super) fn text(written: Result<String, script::Error>) -> Answer {
    let (code, text) = match written {
        Ok(text) => (StatusCode::OK, text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{}\n", chain(&error))),
    };
    let mut answer = empty(code);
    content::set(&mut answer, header::CONTENT_TYPE, "text/plain; charset=utf-8");
    // It is another one for each boot.
    content::set(&mut answer, header::CACHE_CONTROL, "no-store");
    *answer.body_mut() = full(text);
    answer
}

pub(super) fn status(code: StatusCode) -> Answer {
    let mut answer = empty(code);
    *answer.body_mut() = full(format!("{}\n", code.canonical_reason().unwrap_or_default()));
    answer
}

pub(super) fn not_allowed(methods: &'static str) -> Answer {
    let mut answer = status(StatusCode::METHOD_NOT_ALLOWED);
    content::set(&mut answer, header::ALLOW, methods);
    answer
}

/// To one that asks more than it could wait for.
pub(super) fn too_many() -> Answer {
    let mut answer = status(StatusCode::TOO_MANY_REQUESTS);
    content::set(&mut answer, header::RETRY_AFTER, "5");
    content::set(&mut answer, header::CONNECTION, "close");
    answer
}

/// Trouble of ours, which may be over soon.
pub(super) fn unavailable(error: &dyn std::error::Error) -> Answer {
    warn!(error = %chain(error), "http: cannot answer");
    status(StatusCode::SERVICE_UNAVAILABLE)
}

pub(super) fn empty(code: StatusCode) -> Answer {
    let mut answer = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *answer.status_mut() = code;
    answer
}

pub(super) fn full(content: impl Into<Bytes>) -> Body {
    Full::new(content.into()).map_err(|never| match never {}).boxed_unsync()
}

pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        write!(text, ": {cause}").expect("a String takes all");
        source = cause.source();
    }
    text
}
