//! Copying to and from containers by the engine's tar streams; a container need not run for it.

use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bollard::query_parameters::{
    ContainerArchiveInfoOptionsBuilder, DownloadFromContainerOptionsBuilder, UploadToContainerOptionsBuilder,
};
use futures_util::{StreamExt, TryStreamExt};
use tables::Node;
use tokio_util::io::{ReaderStream, StreamReader, SyncIoBridge};

use super::engine::{Engine, Refusal};
use super::{Docker, handle};
use crate::{Error, Files, Result};

/// Bytes on their way between the thread that packs or unpacks and the connection.
const PIPE: usize = 256 * 1024;
/// Bits of the engine's file modes, which are those of Go's `fs.FileMode`.
const DIRECTORY: u32 = 1 << 31;
const SYMLINK: u32 = 1 << 27;

#[async_trait]
impl Files for Docker {
    async fn put(&self, node: &Node, _user: Option<&str>, sources: &[PathBuf], destination: &str) -> Result<()> {
        let engine = self.engine(node).await?;
        let container = Place::of(&engine, node).await?;
        let target = container.target(destination, sources.len() > 1).await?;
        let names = sources.iter().map(|source| target.name_for(source)).collect::<Result<Vec<_>>>()?;
        let entries: Vec<(PathBuf, PathBuf)> = sources.iter().cloned().zip(names).collect();
        container.upload(&target.directory, entries).await
    }

    async fn get(&self, node: &Node, _user: Option<&str>, sources: &[String], directory: &Path) -> Result<()> {
        let engine = self.engine(node).await?;
        let container = Place::of(&engine, node).await?;
        for source in sources {
            container.download(source, directory).await?;
        }
        Ok(())
    }
}

/// Where an upload goes: into a directory of the container, under a new name if one was given.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    directory: String,
    name: Option<String>,
}

impl Target {
    fn name_for(&self, source: &Path) -> Result<PathBuf> {
        if let Some(name) = &self.name {
            return Ok(name.into());
        }
        // `.` and `..` have no name of their own, what they stand for has.
        let whole = std::fs::canonicalize(source).map_err(|error| unreadable(source, error))?;
        let name = source.file_name().or_else(|| whole.file_name());
        name.map(PathBuf::from).ok_or_else(|| unreadable(source, io::ErrorKind::IsADirectory.into()))
    }
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::File { doing: "read", path: path.display().to_string(), source }
}

/// A container to copy to or from.
struct Place<'a> {
    engine: &'a Engine,
    name: &'a str,
    /// What requests call it.
    handle: String,
}

impl<'a> Place<'a> {
    async fn of(engine: &'a Engine, node: &'a Node) -> Result<Self> {
        Ok(Self { engine, name: node.name(), handle: handle::container(engine, node.name()).await? })
    }

    fn refused(&self, no: Refusal, doing: &str) -> Error {
        let message = no.message.replace(&self.handle, self.name);
        super::guests::absent_or(Refusal { message, ..no }, &self.engine.host, doing)
    }

    /// Where `destination` leads, by the rules of `cp`.
    async fn target(&self, destination: &str, several: bool) -> Result<Target> {
        if self.is_directory(destination).await? {
            return Ok(Target { directory: destination.to_owned(), name: None });
        }
        let refuse = |why: &str| Error::Refused {
            what: format!("{}: cannot copy to {destination}", self.engine.host),
            why: why.into(),
        };
        if several || destination.ends_with('/') {
            return Err(refuse("there is no such directory"));
        }
        let (directory, name) =
            destination.rsplit_once('/').ok_or_else(|| refuse("the path does not start with '/'"))?;
        let directory = if directory.is_empty() { "/" } else { directory };
        if !self.is_directory(directory).await? {
            return Err(refuse(&format!("there is no directory {directory}")));
        }
        Ok(Target { directory: directory.to_owned(), name: Some(name.to_owned()) })
    }

    /// Follows one symbolic link, whose target the engine resolves to the end.
    async fn is_directory(&self, path: &str) -> Result<bool> {
        let mut path = path.to_owned();
        for _ in 0..2 {
            let options = ContainerArchiveInfoOptionsBuilder::default().path(&path).build();
            let asked = self.engine.docker.get_container_archive_info(&self.handle, Some(options));
            match self.engine.call(self.engine.request_limit, asked).await? {
                Ok(found) if found.file_mode & SYMLINK != 0 && !found.link_target.is_empty() => {
                    path = found.link_target;
                }
                Ok(found) => return Ok(found.file_mode & DIRECTORY != 0),
                // A request for the head alone has no text that would tell a missing path from a missing container.
                Err(no) if no.status == 404 => {
                    super::guests::inspect(self.engine, self.name).await?;
                    return Ok(false);
                }
                Err(no) => return Err(self.refused(no, "look at the destination")),
            }
        }
        Ok(false)
    }

    /// Packs the entries (source, name) in a thread while the engine unpacks them.
    async fn upload(&self, directory: &str, entries: Vec<(PathBuf, PathBuf)>) -> Result<()> {
        let (near, far) = tokio::io::duplex(PIPE);
        let packing = tokio::task::spawn_blocking(move || pack(SyncIoBridge::new(near), &entries));
        let options =
            UploadToContainerOptionsBuilder::default().path(directory).no_overwrite_dir_non_dir("true").build();
        let body = bollard::body_try_stream(ReaderStream::with_capacity(far, PIPE));
        let docker = self.engine.docker.clone().with_timeout(self.engine.transfer_limit);
        let sent = docker.upload_to_container(&self.handle, Some(options), body);
        let sent = self.engine.call(self.engine.transfer_limit, sent).await;
        // What could not be read here explains why the engine saw the stream break off, so it goes first.
        match packing.await {
            Ok(Err(error)) if !matches!(error, Error::File { ref source, .. } if source.kind() == io::ErrorKind::BrokenPipe) => {
                Err(error)
            }
            Ok(_) => sent?.map_err(|no| self.refused(no, &format!("copy to {directory}"))),
            Err(error) => Err(Error::Garbled { what: "packing".into(), why: error.to_string() }),
        }
    }

    /// Unpacks what the engine packs, as it comes; nothing can leave `directory`.
    async fn download(&self, source: &str, directory: &Path) -> Result<()> {
        let doing = format!("copy {source}");
        let options = DownloadFromContainerOptionsBuilder::default().path(source).build();
        let docker = self.engine.docker.clone().with_timeout(self.engine.transfer_limit);
        let mut pieces = Box::pin(docker.download_from_container(&self.handle, Some(options)));
        // The first piece tells whether the engine refuses, before a thread is started for nothing.
        let first = self.engine.call(self.engine.request_limit, pieces.try_next()).await?;
        let first = first.map_err(|no| self.refused(no, &doing))?;
        let rest = futures_util::stream::iter(first.map(Ok)).chain(pieces.map_err(io::Error::other));
        let reader = SyncIoBridge::new(StreamReader::new(rest));
        let (into, shown) = (directory.to_owned(), directory.display().to_string());
        let unpacking = tokio::task::spawn_blocking(move || unpack(reader, &into));
        let unpacked = tokio::time::timeout(self.engine.transfer_limit, unpacking).await;
        let unpacked = unpacked.map_err(|_| Error::TimedOut {
            what: format!("{}: {doing}", self.engine.host),
            after: self.engine.transfer_limit,
        })?;
        let unpacked = unpacked.map_err(|error| Error::Garbled { what: "unpacking".into(), why: error.to_string() })?;
        unpacked.map_err(|source| Error::File { doing: "write to", path: shown, source })
    }
}

fn pack(writer: SyncIoBridge<tokio::io::DuplexStream>, entries: &[(PathBuf, PathBuf)]) -> Result<()> {
    let mut archive = tar::Builder::new(writer);
    archive.follow_symlinks(false);
    for (source, name) in entries {
        // A source that is itself a link is followed, as cp does for its arguments.
        let kind = std::fs::metadata(source).map_err(|error| unreadable(source, error))?;
        let packed = if kind.is_dir() {
            archive.append_dir_all(name, source)
        } else {
            let whole = std::fs::canonicalize(source).map_err(|error| unreadable(source, error))?;
            archive.append_path_with_name(whole, name)
        };
        packed.map_err(|error| unreadable(source, error))?;
    }
    archive.finish().map_err(|source| Error::File { doing: "send", path: "the archive".into(), source })
}

fn unpack(reader: impl io::Read, directory: &Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(reader);
    archive.set_preserve_permissions(true);
    archive.set_preserve_mtime(true);
    archive.set_overwrite(true);
    archive.unpack(directory)
}
