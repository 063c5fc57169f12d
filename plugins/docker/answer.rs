//! What an engine answers: an answer as a whole, which may have so many bytes, and the engine's own no.

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Bytes};
use serde::Deserialize;

use crate::Error;

/// All that one answer may say; a list of ten thousand containers is a fifth of it.
const MOST: usize = 64 << 20;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What the engine answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

/// The engine understood and said no.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) message: String,
}

impl Refusal {
    /// `doing` completes "HOST: cannot …".
    pub(super) fn into_error(self, host: &str, doing: &str) -> Error {
        Error::Refused { what: format!("{host}: cannot {doing}"), why: self.message }
    }
}

/// Reads an answer to its end.
pub(super) async fn whole<B>(body: B) -> Result<Bytes, Cause>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Cause>,
{
    Ok(Limited::new(body, MOST).collect().await?.to_bytes())
}

/// Why there is no answer that anything could be done with.
pub(super) fn lost(what: &str, source: Cause) -> Error {
    match source.is::<LengthLimitError>() {
        true => Error::Garbled { what: what.to_owned(), why: format!("its answer has more than {} MiB", MOST >> 20) },
        false => Error::Unreachable { what: what.to_owned(), source },
    }
}

/// 2xx and 304 are answers, all else a no.
pub(super) fn judge(answer: Answer) -> Result<Answer, Refusal> {
    if (200..300).contains(&answer.status) || answer.status == 304 {
        return Ok(answer);
    }
    Err(refusal(&answer))
}

pub(super) fn refusal(answer: &Answer) -> Refusal {
    Refusal { status: answer.status, message: unwrapped(&String::from_utf8_lossy(&answer.body)) }
}

/// The text within the engine's `{"message":"…"}`.
pub(super) fn unwrapped(text: &str) -> String {
    #[derive(Deserialize)]
    struct Message {
        message: String,
    }
    let parsed: Option<Message> = serde_json::from_str(text).ok();
    let text = parsed.map_or_else(|| text.to_owned(), |parsed| parsed.message);
    let trimmed = text.trim().trim_start_matches("Error response from daemon: ");
    if trimmed.is_empty() { "the engine gave no reason".into() } else { trimmed.to_owned() }
}

#[cfg(test)]
mod tests {
    use futures_util::stream::repeat_with;
    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;

    use super::*;

    #[test]
    fn messages_are_unwrapped() {
        let check = |text: &str, expected: &str| assert_eq!(unwrapped(text), expected);
        check(r#"{"message":"No such container: n1"}"#, "No such container: n1");
        check("plain\n", "plain");
        check("", "the engine gave no reason");
    }

    #[tokio::test]
    async fn an_answer_without_an_end_does_not_fill_the_memory() {
        assert_eq!(whole(Full::from("all")).await.unwrap(), "all");
        let piece = Bytes::from(vec![b'x'; 1 << 20]);
        let endless = repeat_with(|| Ok::<_, std::io::Error>(Frame::data(piece.clone())));
        let error = lost("h1", whole(StreamBody::new(endless)).await.unwrap_err());
        assert_eq!(error.to_string(), "h1: its answer has more than 64 MiB");
        assert!(!error.is_unreachable());
    }
}
