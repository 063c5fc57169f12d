//! A stand-in for an engine of long ago: just enough HTTP to say which API it speaks, and to refuse any newer one.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::error::{Result, at};

/// Answers on a host's engine socket until it is dropped.
#[derive(Debug)]
pub struct OldEngine {
    socket: PathBuf,
    ending: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

impl OldEngine {
    pub(crate) fn listen(socket: PathBuf, api: &'static str) -> Result<Self> {
        std::fs::remove_file(&socket).ok(); // of the engine that was there before, if that left it
        let listener = UnixListener::bind(&socket).map_err(at(&socket))?;
        let ending = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ending);
        let server = std::thread::spawn(move || serve(&listener, &told, api));
        Ok(Self { socket, ending, server: Some(server) })
    }
}

impl Drop for OldEngine {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        let woken = UnixStream::connect(&self.socket);
        if let (Ok(_), Some(server)) = (woken, self.server.take()) {
            server.join().ok(); // had it panicked, the test would have failed of that
        }
        std::fs::remove_file(&self.socket).ok();
    }
}

fn serve(listener: &UnixListener, ending: &AtomicBool, api: &'static str) {
    for stream in listener.incoming().flatten() {
        if ending.load(Ordering::Relaxed) {
            return;
        }
        // A client that goes away in mid-answer is its own affair.
        std::thread::spawn(move || answer_all(&stream, api).ok());
    }
}

/// Answers the requests of one connection, none of which is expected to have a body.
fn answer_all(mut stream: &UnixStream, api: &str) -> std::io::Result<()> {
    let mut request = Vec::new();
    for line in BufReader::new(stream).lines() {
        let line = line?;
        if !line.is_empty() {
            request.push(line);
            continue;
        }
        let path = request.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
        stream.write_all(answer(path, api).as_bytes())?;
        request.clear();
    }
    Ok(())
}

fn answer(path: &str, api: &str) -> String {
    let (asked, path) = version_of(path);
    let (status, kind, body) = match path {
        _ if asked.is_some_and(|asked| numbers(asked) > numbers(api)) => {
            let asked = asked.unwrap_or_default();
            let text = format!("client is newer than server (client API version: {asked}, server API version: {api})");
            ("400 Bad Request", "application/json", format!(r#"{{"message":"{text}"}}"#))
        }
        "/_ping" => ("200 OK", "text/plain", "OK".to_owned()),
        "/version" => {
            ("200 OK", "application/json", format!(r#"{{"Version":"1.6.2","ApiVersion":"{api}","Os":"linux"}}"#))
        }
        _ => ("404 Not Found", "application/json", r#"{"message":"page not found"}"#.to_owned()),
    };
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nApi-Version: {api}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// `/v1.41/info` asks for version 1.41 of `/info`.
fn version_of(path: &str) -> (Option<&str>, &str) {
    let versioned = path.strip_prefix("/v").filter(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    match versioned.and_then(|rest| rest.find('/').map(|end| rest.split_at(end))) {
        Some((version, rest)) => (Some(version), rest),
        None => (None, path),
    }
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').filter_map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_it_is_too_old_for() {
        let check = |path: &str, expected: &str| {
            let answer = answer(path, "1.18");
            assert!(answer.starts_with(&format!("HTTP/1.1 {expected} ")), "{path}: {answer}");
        };
        check("/_ping", "200");
        check("/version", "200");
        check("/v1.9/version", "200");
        check("/v1.41/version", "400");
        check("/v1.41/containers/json", "400");
        check("/volumes", "404");
    }

    #[test]
    fn answers_several_requests_on_a_connection() {
        let dir = tempfile::tempdir().unwrap();
        let engine = OldEngine::listen(dir.path().join("socket"), "1.18").unwrap();
        let mut stream = UnixStream::connect(&engine.socket).unwrap();
        for _ in 0..2 {
            stream.write_all(b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n").unwrap();
            let mut line = String::new();
            let mut reader = BufReader::new(&stream);
            while !line.ends_with("\r\n\r\n") {
                reader.read_line(&mut line).unwrap();
            }
            assert!(line.contains("Api-Version: 1.18\r\n"), "{line}");
        }
    }
}
