//! Manifests and blobs as they are, out of a registry and into one: an image that goes elsewhere keeps its digests.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::time::Duration;

use futures_util::TryStreamExt;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::{Method, StatusCode, Uri};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncRead;
use tokio_util::io::ReaderStream;

use super::Client;
use super::content::{Layer, Written};
use crate::{Digest, Error, Result, hex};

/// No piece of a blob takes longer.
const IDLE: Duration = Duration::from_secs(60);
/// Bytes read at once of what a broken-off run has left.
const PIECE: usize = 256 * 1024;

/// A manifest, or an index of some, of which not a byte may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    pub digest: Digest,
    pub media_type: String,
    pub bytes: Vec<u8>,
    /// What an index lists.
    pub parts: Vec<Digest>,
    /// What a manifest lists: configuration and layers.
    pub blobs: Vec<Layer>,
}

impl Client {
    /// What a tag or digest means, as it is.
    pub async fn original(&self, repository: &str, suffix: &str) -> Result<Option<Original>> {
        let Some((digest, answer)) = self.raw(repository, suffix).await? else { return Ok(None) };
        let written: Written = self.parse(&answer)?;
        let told = answer.headers.get("content-type").and_then(|value| value.to_str().ok());
        let media_type = written.media_type.as_deref().or(told).unwrap_or_default().to_owned();
        let parse = |text: &str| text.parse::<Digest>().map_err(|why| self.garbled(why));
        let parts = written.manifests.iter().map(|part| parse(&part.digest)).collect::<Result<_>>()?;
        let blobs = written.config.iter().chain(&written.layers);
        let blobs =
            blobs.map(|blob| Ok(Layer { digest: parse(&blob.digest)?, size: blob.size })).collect::<Result<_>>()?;
        Ok(Some(Original { digest, media_type, bytes: answer.body.to_vec(), parts, blobs }))
    }

    /// Writes a blob into a file, behind what is there of it already; `watch` is told of each piece.
    pub async fn fetch(
        &self,
        repository: &str,
        blob: &Layer,
        file: &mut File,
        mut watch: impl FnMut(u64),
    ) -> Result<()> {
        let failed = |source| Error::File { doing: "write", path: format!("blob {}", blob.digest), source };
        let late = || Error::TimedOut { what: self.place().to_owned(), after: IDLE };
        let (mut hasher, mut count) = left(file, blob.size).map_err(failed)?;
        watch(count);
        if count < blob.size || blob.size == 0 {
            let range = format!("bytes={count}-");
            let headers: &[(&str, &str)] = if count > 0 { &[("range", &range)] } else { &[] };
            let path = format!("/v2/{repository}/blobs/{}", blob.digest);
            let nothing = Full::new(Bytes::new()).map_err(|never| match never {}).boxed_unsync();
            let begun = tokio::time::timeout(IDLE, self.begin(Method::GET, &path, headers, nothing)).await;
            let answer = begun.map_err(|_| late())??;
            match answer.status() {
                StatusCode::PARTIAL_CONTENT if count > 0 => {}
                StatusCode::OK => {
                    (hasher, count) = (Sha256::new(), 0);
                    empty(file).map_err(failed)?;
                }
                status => return Err(self.refused(status, &format!("read {}", blob.digest))),
            }
            let mut body = answer.into_body();
            while let Some(frame) = tokio::time::timeout(IDLE, body.frame()).await.map_err(|_| late())? {
                let frame = frame
                    .map_err(|error| Error::Unreachable { what: self.place().to_owned(), source: error.into() })?;
                let Ok(piece) = frame.into_data() else { continue };
                count += piece.len() as u64;
                if count > blob.size {
                    break;
                }
                hasher.update(&piece);
                file.write_all(&piece).map_err(failed)?;
                watch(piece.len() as u64);
            }
        }
        if count != blob.size || blob.digest.as_str() != format!("sha256:{}", hex(&hasher.finalize())) {
            empty(file).map_err(failed)?;
            return Err(self.garbled(format!("blob {} is not what its digest says", blob.digest)));
        }
        file.sync_all().map_err(failed)
    }

    /// Whether a repository has a blob.
    pub async fn holds(&self, repository: &str, blob: &Digest) -> Result<bool> {
        let answer = self.ask(Method::HEAD, &format!("/v2/{repository}/blobs/{blob}"), &[]).await?;
        match answer.status {
            StatusCode::OK => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            status => Err(self.refused(status, &format!("look at {blob} of {repository}"))),
        }
    }

    /// Gives a repository a blob that another one of the registry has; false if that has it no more.
    pub async fn mount(&self, repository: &str, blob: &Digest, from: &str) -> Result<bool> {
        let path = format!("/v2/{repository}/blobs/uploads/?mount={blob}&from={from}");
        let answer = self.ask(Method::POST, &path, &[]).await?;
        match answer.status {
            StatusCode::CREATED => Ok(true),
            // It would now like to be sent it; what it has begun for that it forgets by itself.
            StatusCode::ACCEPTED => Ok(false),
            status => Err(self.refused(status, &format!("take {blob} into {repository}"))),
        }
    }

    /// Sends a blob, within `limit`; the registry compares it with its digest.
    pub async fn bring(
        &self,
        repository: &str,
        blob: &Layer,
        content: impl AsyncRead + Send + 'static,
        limit: Duration,
    ) -> Result<()> {
        let doing = format!("take {} into {repository}", blob.digest);
        let answer = self.ask(Method::POST, &format!("/v2/{repository}/blobs/uploads/"), &[]).await?;
        if answer.status != StatusCode::ACCEPTED {
            return Err(self.refused(answer.status, &doing));
        }
        let place = answer.headers.get("location").and_then(|value| value.to_str().ok()?.parse::<Uri>().ok());
        let place = place.as_ref().and_then(Uri::path_and_query).filter(|place| place.path().starts_with("/v2/"));
        let place = place.ok_or_else(|| self.garbled("it does not say where a blob is to be sent"))?;
        let sign = if place.query().is_some() { '&' } else { '?' };
        let path = format!("{place}{sign}digest={}", blob.digest);
        let length = blob.size.to_string();
        let headers = [("content-type", "application/octet-stream"), ("content-length", length.as_str())];
        let frames = ReaderStream::with_capacity(content, PIECE).map_ok(Frame::data);
        let sent = self.begin(Method::PUT, &path, &headers, BodyExt::boxed_unsync(StreamBody::new(frames)));
        let sent = tokio::time::timeout(limit, sent).await;
        let answer = sent.map_err(|_| Error::TimedOut { what: self.place().to_owned(), after: limit })??;
        match answer.status() {
            StatusCode::CREATED => Ok(()),
            status => Err(self.refused(status, &doing)),
        }
    }

    /// Gives a repository a manifest whose blobs it has, under a tag or its digest.
    pub async fn name(&self, repository: &str, suffix: &str, media_type: &str, manifest: Vec<u8>) -> Result<()> {
        let path = format!("/v2/{repository}/manifests/{suffix}");
        let answer = self.tell(Method::PUT, &path, &[("content-type", media_type)], manifest.into()).await?;
        match answer.status {
            StatusCode::CREATED => Ok(()),
            status => Err(self.refused(status, &format!("take {repository}:{suffix}"))),
        }
    }
}

/// What a broken-off run has written, hashed; more than there can be is none.
fn left(file: &mut File, size: u64) -> io::Result<(Sha256, u64)> {
    let (mut hasher, mut count) = (Sha256::new(), 0);
    if file.metadata()?.len() > size {
        empty(file)?;
        return Ok((hasher, 0));
    }
    file.seek(SeekFrom::Start(0))?;
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok((hasher, count)),
            some => {
                hasher.update(&piece[..some]);
                count += some as u64;
            }
        }
    }
}

fn empty(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_counts_unless_it_is_too_much() {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(b"half").expect("it is written");
        let (hasher, count) = left(&mut file, 8).expect("it is read");
        assert_eq!((hex(&hasher.finalize()), count), (hex(&Sha256::digest(b"half")), 4));
        assert_eq!(left(&mut file, 3).expect("it is read").1, 0);
        assert_eq!(file.metadata().expect("it is there").len(), 0);
    }
}
