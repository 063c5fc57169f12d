//! Copying to and from servers, as a tar stream: one channel for any number of files, owners and times included.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tables::Node;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::connection::unreachable;
use super::{Connection, Exit, Process, Ssh};
use crate::host::{Host, line, whole, why};
use crate::{Error, Files, Result};

/// How many chunks of a tar stream may wait between the file system and the connection.
const CHUNKS: usize = 16;

#[async_trait]
impl Files for Ssh {
    async fn put(&self, node: &Node, user: Option<&str>, sources: &[PathBuf], destination: &str) -> Result<()> {
        let connection = self.connect(node, user).await?;
        let host = Host::Ssh(connection.clone());
        let is_directory = host.try_run(&["test", "-d", destination], &[]).await?.exit == Exit::Code(0);
        let refused = |why: &str| Error::Refused { what: place(&connection, destination), why: why.into() };
        let (directory, entries) = match (is_directory, sources) {
            (true, _) => (destination, sources.iter().map(|source| own_name(source)).collect::<Result<_>>()?),
            (false, [source]) => {
                let (directory, name) = split(destination).ok_or_else(|| refused("not a directory"))?;
                (directory, vec![(source.clone(), name.into())])
            }
            (false, _) => return Err(refused("not a directory, and there is more than one file to copy")),
        };
        let argv = ["sh", "-c", "cd -- \"$1\" && exec tar -xpf -", "sh", directory];
        let process = connection.exec(&line(&argv)).await?;
        send(process, entries, &connection, destination).await
    }

    async fn get(&self, node: &Node, user: Option<&str>, sources: &[String], directory: &Path) -> Result<()> {
        let connection = self.connect(node, user).await?;
        for source in sources {
            let Some((parent, name)) = split(source) else {
                return Err(Error::Refused { what: place(&connection, source), why: "has no name to copy to".into() });
            };
            // What was named is copied, not the link to it.
            let script =
                "cd -- \"$1\" && if [ -L \"$2\" ]; then exec tar -chf - -- \"$2\"; fi; exec tar -cf - -- \"$2\"";
            let process = connection.exec(&line(&["sh", "-c", script, "sh", parent, name])).await?;
            receive(process, directory.into(), &connection, source).await?;
        }
        Ok(())
    }
}

fn place(connection: &Connection, path: &str) -> String {
    format!("{}:{path}", connection.target().host)
}

/// A file or directory under the name it has.
fn own_name(source: &Path) -> Result<(PathBuf, PathBuf)> {
    // The path may end in `..` or be `.`: then only the file system knows the name.
    let name = match source.file_name() {
        Some(name) => PathBuf::from(name),
        None => {
            let real = source.canonicalize().map_err(|error| unreadable(source, error))?;
            real.file_name().map(PathBuf::from).unwrap_or_else(|| ".".into())
        }
    };
    Ok((source.into(), name))
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::File { doing: "read", path: path.display().to_string(), source }
}

/// The directory and the name in it; none for a path without a name of its own, such as `/` or `a/..`.
fn split(path: &str) -> Option<(&str, &str)> {
    let path = path.trim_end_matches('/');
    let (directory, name) = match path.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some(split) => split,
        None => (".", path),
    };
    (!matches!(name, "" | "." | "..")).then_some((directory, name))
}

/// Packs the entries and sends them to the `tar` on the other side.
async fn send(
    process: Process,
    entries: Vec<(PathBuf, PathBuf)>,
    connection: &Connection,
    destination: &str,
) -> Result<()> {
    let Process { mut stdin, mut stdout, stderr, exit } = process;
    let (chunks, mut packed) = mpsc::channel::<Vec<u8>>(CHUNKS);
    let packing = spawn_blocking(move || pack(entries, Pipe { chunks, buffer: Vec::new() }));
    let feed = async move {
        while let Some(chunk) = packed.recv().await {
            // tar has ended; why, it says on stderr.
            if stdin.write_all(&chunk).await.is_err() {
                break;
            }
        }
        Ok(())
    };
    let unread = async {
        // tar has nothing to say there, and must not wait for a reader if it does.
        tokio::io::copy(&mut stdout, &mut tokio::io::sink()).await.ok();
        Ok(())
    };
    let lost = |error| unreachable(connection.target(), error);
    let ((), said, ()) = tokio::try_join!(feed, whole(stderr), unread).map_err(lost)?;
    let exit = exit.wait().await.map_err(lost)?;
    let packed = joined(packing).await;
    match (exit, packed) {
        // A file that cannot be read ends the stream early, and tar complains too: the cause comes first.
        (_, Err(error @ Error::File { .. })) => Err(error),
        (Exit::Code(0), packed) => packed,
        (exit, _) => Err(Error::Refused { what: place(connection, destination), why: why(&exit, &said) }),
    }
}

/// Unpacks what the `tar` on the other side sends.
async fn receive(process: Process, directory: PathBuf, connection: &Connection, source: &str) -> Result<()> {
    let Process { stdin, mut stdout, stderr, exit } = process;
    drop(stdin);
    let (chunks, packed) = mpsc::channel::<Vec<u8>>(CHUNKS);
    let unpacking = spawn_blocking(move || unpack(packed, &directory));
    let feed = async move {
        loop {
            let mut chunk = Vec::with_capacity(32 * 1024);
            match stdout.read_buf(&mut chunk).await {
                Ok(0) => return Ok(()),
                // The unpacker has failed and says why itself; the rest is of no use.
                Ok(_) if chunks.send(chunk).await.is_err() => return Ok(()),
                Ok(_) => (),
                Err(error) => return Err(error),
            }
        }
    };
    let lost = |error| unreachable(connection.target(), error);
    let ((), said) = tokio::try_join!(feed, whole(stderr)).map_err(lost)?;
    joined(unpacking).await?;
    match exit.wait().await.map_err(lost)? {
        Exit::Code(0) => Ok(()),
        exit => Err(Error::Refused { what: place(connection, source), why: why(&exit, &said) }),
    }
}

async fn joined(task: JoinHandle<Result<()>>) -> Result<()> {
    task.await.unwrap_or_else(|error| Err(Error::Garbled { what: "tar stream".into(), why: error.to_string() }))
}

fn pack(entries: Vec<(PathBuf, PathBuf)>, pipe: Pipe) -> Result<()> {
    let mut archive = tar::Builder::new(pipe);
    archive.follow_symlinks(false);
    for (source, name) in entries {
        let failed = |error| unreadable(&source, error);
        // What was named is copied, not the link to it; links inside a directory stay links.
        let real = source.canonicalize().map_err(failed)?;
        match real.is_dir() {
            true => archive.append_dir_all(&name, &real).map_err(failed)?,
            false => archive.append_path_with_name(&real, &name).map_err(failed)?,
        }
    }
    let ended = archive.into_inner().and_then(|mut pipe| pipe.flush());
    ended.map_err(|error| Error::Garbled { what: "tar stream".into(), why: error.to_string() })
}

fn unpack(chunks: mpsc::Receiver<Vec<u8>>, directory: &Path) -> Result<()> {
    let failed = |source| Error::File { doing: "write to", path: directory.display().to_string(), source };
    let mut archive = tar::Archive::new(Chunks { chunks, current: Vec::new(), at: 0 });
    archive.set_preserve_permissions(true);
    archive.set_preserve_ownerships(nix::unistd::geteuid().is_root());
    archive.set_preserve_mtime(true);
    archive.unpack(directory).map_err(failed)
}

/// Where the packer writes.
struct Pipe {
    chunks: mpsc::Sender<Vec<u8>>,
    buffer: Vec<u8>,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= 32 * 1024 {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let chunk = std::mem::take(&mut self.buffer);
        self.chunks.blocking_send(chunk).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// Where the unpacker reads.
struct Chunks {
    chunks: mpsc::Receiver<Vec<u8>>,
    current: Vec<u8>,
    at: usize,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.current.len() {
            self.current = self.chunks.blocking_recv().unwrap_or_default();
            self.at = 0;
        }
        let count = buffer.len().min(self.current.len() - self.at);
        buffer[..count].copy_from_slice(&self.current[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_have_a_directory_and_a_name() {
        let check = |path: &str, expected: Option<(&str, &str)>| assert_eq!(split(path), expected, "{path}");
        check("/etc/hosts", Some(("/etc", "hosts")));
        check("/hosts", Some(("/", "hosts")));
        check("hosts", Some((".", "hosts")));
        check("a/b/", Some(("a", "b")));
        check("a//b", Some(("a/", "b")));
        check("/", None);
        check(".", None);
        check("a/..", None);
        check("", None);
    }
}
