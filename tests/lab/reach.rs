//! Who reaches whom, asked of the kernel from within the networks of containers: a packet of a given size that nobody may
//! break up, and the answer to it. Thousands of pairs take a second or two, which no program a pair could do.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, recvfrom, sendto, setsockopt, socket,
    sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::error::{Error, Result, at};
use crate::host::Host;

/// What the headers of IP and ICMP take.
const HEADERS: u16 = 28;
/// A lost packet is sent again; broadcasts that ask for neighbours come in storms when everybody begins at once.
const TRIES: u32 = 5;
const WAIT: Duration = Duration::from_secs(1);

/// A container as a place to send from.
#[derive(Debug, Clone)]
pub struct Station {
    /// Its name.
    pub name: String,
    network: PathBuf,
}

impl Host<'_> {
    /// The containers that run on it.
    pub fn stations(&self) -> Result<Vec<Station>> {
        let line = "docker ps -q | xargs -r docker inspect -f '{{.Name}} {{.State.Pid}}'";
        let below = format!("/proc/{}/root/proc", self.pid()?);
        let station = |line: &str| {
            let (name, pid) = line.strip_prefix('/')?.split_once(' ')?;
            Some(Station { name: name.to_owned(), network: PathBuf::from(format!("{below}/{pid}/ns/net")) })
        };
        Ok(self.shell(line)?.lines().filter_map(station).collect())
    }
}

/// Those of `targets` that do not answer each station's packet of `size` bytes with one of the same size, a line for each
/// station that misses some.
pub fn unreached(stations: &[Station], targets: &[Ipv4Addr], size: u16) -> Result<Vec<String>> {
    // A thread of its own for each, which never comes back from the network that it has entered.
    let asked: Result<Vec<String>> = std::thread::scope(|scope| {
        let ask = |station| scope.spawn(move || ask(station, targets, size));
        let asking: Vec<_> = stations.iter().map(ask).collect();
        asking.into_iter().map(|asking| asking.join().expect("nothing panics there")).collect()
    });
    Ok(asked?.into_iter().filter(|line| !line.is_empty()).collect())
}

fn ask(station: &Station, targets: &[Ipv4Addr], size: u16) -> Result<String> {
    let network = File::open(&station.network).map_err(at(&station.network))?;
    let failed = |what: &str, errno: Errno| Error::Refused(format!("{}: {what}: {errno}", station.name));
    setns(&network, CloneFlags::CLONE_NEWNET).map_err(|errno| failed("its network", errno))?;
    let open = |protocol| socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol);
    // The first takes packets with their headers as they are, and never breaks one up.
    let out = open(SockProtocol::Raw).map_err(|errno| failed("a socket", errno))?;
    let back = open(SockProtocol::Icmp).map_err(|errno| failed("a socket", errno))?;
    let moment = TimeVal::milliseconds(50);
    setsockopt(&back, sockopt::ReceiveTimeout, &moment).map_err(|errno| failed("a socket", errno))?;
    let mut missed: BTreeSet<Ipv4Addr> = targets.iter().copied().collect();
    let mut refused = BTreeSet::new();
    for _ in 0..TRIES {
        let sent = missed.iter().map(|target| send(&out, *target, size));
        let errnos: Vec<Errno> = sent.filter_map(std::result::Result::err).collect();
        refused.extend(errnos.iter().map(Errno::to_string));
        if errnos.len() == missed.len() {
            break;
        }
        collect(&back, &mut missed, size);
        if missed.is_empty() {
            return Ok(String::new());
        }
    }
    let missed: Vec<String> = missed.iter().map(Ipv4Addr::to_string).collect();
    let refused: Vec<String> = refused.iter().map(|why| format!(" ({why})")).collect();
    Ok(format!("{}: no answer from {}{}", station.name, missed.join(" "), refused.concat()))
}

fn send(socket: &OwnedFd, target: Ipv4Addr, size: u16) -> nix::Result<()> {
    let to = SockaddrIn::from(std::net::SocketAddrV4::new(target, 0));
    sendto(socket.as_raw_fd(), &packet(target, size), &to, MsgFlags::empty()).map(drop)
}

/// An echo request. The kernel fills in what is nought of the first header.
fn packet(target: Ipv4Addr, size: u16) -> Vec<u8> {
    const DONT_BREAK: u8 = 0x40;
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, DONT_BREAK, 0, 64, 1, 0, 0, 0, 0, 0, 0];
    packet.extend(target.octets());
    // Type 8, and a sum that is right because all else is nought.
    packet.extend([8, 0, 0xf7, 0xff, 0, 0, 0, 0]);
    packet.resize(usize::from(size.max(HEADERS)), 0);
    packet
}

/// Takes answers until all are there or the time is up.
fn collect(socket: &OwnedFd, missed: &mut BTreeSet<Ipv4Addr>, size: u16) {
    let until = Instant::now() + WAIT;
    let mut buffer = vec![0; usize::from(u16::MAX)];
    while !missed.is_empty() && Instant::now() < until {
        let Ok((bytes, Some(from))) = recvfrom::<SockaddrIn>(socket.as_raw_fd(), &mut buffer) else { continue };
        // Type 0 is an answer; what others ask comes here too.
        if bytes == usize::from(size) && buffer[20] == 0 {
            missed.remove(&from.ip());
        }
    }
}
