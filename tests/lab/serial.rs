//! The serial port of a machine, on the other side of its BMC: what is typed there is echoed, and each line is answered.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};

use crate::error::{Error, Result, at};
use crate::wait::{Wait, wait_for};

/// How often the thread looks whether there is something to do, at least.
const TICK: Duration = Duration::from_millis(10);

/// A machine's serial port; it is gone when this is dropped.
#[derive(Debug)]
pub struct Serial {
    port: Arc<Mutex<Port>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Port {
    /// The BMC's end of the cable.
    bmc: Option<TcpStream>,
    heard: Vec<u8>,
    /// What was typed of the present line.
    line: Vec<u8>,
}

/// Where the BMC of machine `number` finds its serial port.
pub(crate) fn address(number: u8) -> (Ipv4Addr, u16) {
    (Ipv4Addr::LOCALHOST, 9100 + u16::from(number))
}

impl Serial {
    /// Plugs it in, in the network namespace of a process.
    pub(crate) fn start(keeper: u32, number: u8) -> Result<Self> {
        let path = PathBuf::from(format!("/proc/{keeper}/ns/net"));
        let namespace = File::open(&path).map_err(at(&path))?;
        // A namespace is a thread's own; the socket stays in the one that it was made in.
        let listener = std::thread::spawn(move || listen(&namespace, number));
        let listener = listener.join().map_err(|_| Error::Refused("the thread of a serial port failed".into()))??;
        let (port, ended) = (Arc::new(Mutex::new(Port::default())), Arc::new(AtomicBool::new(false)));
        let (served, stop) = (Arc::clone(&port), Arc::clone(&ended));
        let thread = std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                serve(&listener, &served);
                std::thread::sleep(TICK);
            }
        });
        Ok(Self { port, ended, thread: Some(thread) })
    }

    fn port(&self) -> MutexGuard<'_, Port> {
        self.port.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says something, as a machine that boots.
    #[track_caller]
    pub fn say(&self, text: &str) {
        wait_for("a BMC at the serial port", Duration::from_secs(30), || match &self.port().bmc {
            Some(_) => Wait::Ready(()),
            None => Wait::NotYet("none".into()),
        });
        self.port().write(text.as_bytes());
    }

    /// All that was typed, as bytes of Latin 1; a break is `ÿó`.
    pub fn heard(&self) -> String {
        self.port().heard.iter().map(|byte| char::from(*byte)).collect()
    }
}

impl Drop for Serial {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn listen(namespace: &File, number: u8) -> Result<TcpListener> {
    let refused = |what: &str, error: &dyn std::fmt::Display| Error::Refused(format!("{what}: {error}"));
    setns(namespace, CloneFlags::CLONE_NEWNET).map_err(|errno| refused("the network of the lab", &errno))?;
    let listener = TcpListener::bind(address(number)).map_err(|error| refused("a serial port", &error))?;
    listener.set_nonblocking(true).map_err(|error| refused("a serial port", &error))?;
    Ok(listener)
}

fn serve(listener: &TcpListener, port: &Mutex<Port>) {
    let mut port = port.lock().unwrap_or_else(PoisonError::into_inner);
    // A BMC that was started anew has a new cable.
    if let Ok((stream, _)) = listener.accept()
        && stream.set_nonblocking(true).is_ok()
    {
        port.bmc = Some(stream);
    }
    let mut bytes = [0; 1024];
    match port.bmc.as_mut().map(|bmc| bmc.read(&mut bytes)) {
        Some(Ok(0)) => port.bmc = None,
        Some(Ok(count)) => port.hear(&bytes[..count]),
        Some(Err(_)) | None => (),
    }
}

impl Port {
    fn hear(&mut self, bytes: &[u8]) {
        self.heard.extend_from_slice(bytes);
        for byte in bytes {
            match byte {
                b'\r' | b'\n' => {
                    let line = std::mem::take(&mut self.line);
                    self.write(&[b"\r\nheard ", &line[..], b"\r\n"].concat());
                }
                _ => {
                    self.line.push(*byte);
                    self.write(&[*byte]);
                }
            }
        }
    }

    fn write(&mut self, mut bytes: &[u8]) {
        let Some(bmc) = &mut self.bmc else { return };
        // The BMC takes no more than it can pass on.
        while !bytes.is_empty() {
            match bmc.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => std::thread::sleep(TICK),
                Err(_) => return,
            }
        }
    }
}
