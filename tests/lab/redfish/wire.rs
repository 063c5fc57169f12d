//! The socket of all BMCs: a connection to any local address is a conversation, in a thread of its own, with the BMC there.

use std::io::{BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::http::Asked;
use super::service::Saying;
use super::{Bmcs, RedfishFault, lock};
use crate::error::Result;
use crate::simulation::{Simulation, refused};

/// How often the thread looks whether it shall end.
const TICK: Duration = Duration::from_millis(5);
/// No conversation is longer: a client that is gone does not always say so.
const LONGEST: Duration = Duration::from_secs(60);

/// Starts the thread that takes connections.
pub(super) fn start(keeper: u32, all: Arc<Mutex<Bmcs>>) -> Result<Simulation> {
    Simulation::start(keeper, bind, move |socket, ended| serve(&socket, &all, ended))
}

fn bind() -> Result<TcpListener> {
    let socket = TcpListener::bind("0.0.0.0:443").map_err(|error| refused("port 443", &error))?;
    socket.set_nonblocking(true).map_err(|error| refused("a socket that does not wait", &error))?;
    Ok(socket)
}

fn serve(socket: &TcpListener, all: &Arc<Mutex<Bmcs>>, ended: &AtomicBool) {
    let mut held = Vec::new();
    while !ended.load(Ordering::Relaxed) {
        let Ok((stream, _)) = socket.accept() else {
            std::thread::sleep(TICK);
            continue;
        };
        let Ok(SocketAddr::V4(address)) = stream.local_addr() else { continue };
        let bmc = *address.ip();
        if lock(all).each.entry(bmc).or_default().fault == Some(RedfishFault::Mute) {
            held.push(stream);
            continue;
        }
        if lock(all).each.entry(bmc).or_default().fault == Some(RedfishFault::Absent) {
            continue;
        }
        let all = all.clone();
        // Whoever goes away in the middle is not missed.
        std::thread::spawn(move || converse(stream, bmc, &all).ok());
    }
}

type Broken = Box<dyn std::error::Error>;

fn converse(stream: TcpStream, bmc: Ipv4Addr, all: &Mutex<Bmcs>) -> std::result::Result<(), Broken> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LONGEST))?;
    stream.set_write_timeout(Some(LONGEST))?;
    let acceptor = lock(all).identity.acceptor()?;
    let mut stream = BufReader::new(acceptor.accept(stream).map_err(|error| error.to_string())?);
    while let Some(asked) = Asked::read(&mut stream)? {
        let saying = lock(all).hear(bmc, &asked);
        match saying {
            Saying::Told(told, late) => {
                std::thread::sleep(late);
                told.write(stream.get_mut())?;
                if told.headers.iter().any(|(name, _)| *name == "Connection") {
                    return Ok(());
                }
            }
            Saying::Broken => return Ok(()),
            Saying::Nothing => std::thread::sleep(LONGEST),
            Saying::Endless => {
                stream.get_mut().write_all(b"HTTP/1.1 200 X\r\nContent-Length: 99999999999\r\n\r\n{\"a\":\"")?;
                loop {
                    stream.get_mut().write_all(&[b'a'; 65_536])?;
                }
            }
        }
    }
    Ok(())
}
