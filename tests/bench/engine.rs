//! What the engines themselves can do: the two requests a container costs, sent straight to their sockets, with no
//! program and no ssh between.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::Result;

/// Requests in flight at one engine, as many as xcrane has.
const IN_FLIGHT: usize = 32;

/// Makes, then starts the containers; the names of each engine come with its socket. The time of all.
pub(crate) fn make_and_start(engines: &[(&Path, &[String])], body: &str) -> Result<Duration> {
    let started = Instant::now();
    everywhere(engines, &|name| format!("/containers/create?name={name}"), body)?;
    everywhere(engines, &|name| format!("/containers/{name}/start"), "")?;
    Ok(started.elapsed())
}

fn everywhere(engines: &[(&Path, &[String])], path: &(dyn Fn(&str) -> String + Sync), body: &str) -> Result<()> {
    let failed = Mutex::new(None);
    std::thread::scope(|scope| {
        for (socket, names) in engines {
            let waiting = std::sync::Arc::new(Mutex::new(names.iter()));
            for _ in 0..IN_FLIGHT {
                let (waiting, failed) = (waiting.clone(), &failed);
                scope.spawn(move || {
                    let next = || waiting.lock().ok().and_then(|mut names| names.next());
                    while let Some(name) = next() {
                        if let Err(error) = post(socket, &path(name), body) {
                            failed.lock().expect("nobody panics holding it").replace(error.to_string());
                            return;
                        }
                    }
                });
            }
        }
    });
    match failed.into_inner().expect("nobody panics holding it") {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

/// One request on a connection of its own, which costs 0.1 ms. HTTP/1.0, so that the answer ends with the connection.
fn post(socket: &Path, path: &str, body: &str) -> Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    let length = body.len();
    let head = "Content-Type: application/json\r\nContent-Length:";
    stream.write_all(format!("POST {path} HTTP/1.0\r\n{head} {length}\r\n\r\n{body}").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split_whitespace().nth(1).unwrap_or_default();
    if status.starts_with('2') { Ok(()) } else { Err(format!("{path}: {answer}").into()) }
}
