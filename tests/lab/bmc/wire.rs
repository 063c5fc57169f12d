//! The socket of all BMCs: it hears packets to any local address, and answers from the address that was asked.

use std::collections::{BTreeMap, HashMap};
use std::io::{IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::libc::in_pktinfo;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg, setsockopt, sockopt,
};

use super::{Bmc, lock, move_on, of};
use crate::error::Result;
use crate::simulation::{Simulation, refused};

/// How often the thread looks whether it shall end, at least.
const TICK: Duration = Duration::from_millis(20);
const BUFFER: usize = 8 << 20;

/// Starts the thread that serves them.
pub(super) fn start(keeper: u32, all: Arc<Mutex<HashMap<Ipv4Addr, Bmc>>>) -> Result<Simulation> {
    Simulation::start(keeper, bind, |socket, ended| Server { socket, all, late: BTreeMap::new() }.run(ended))
}

fn bind() -> Result<UdpSocket> {
    let socket = UdpSocket::bind("0.0.0.0:623").map_err(|error| refused("port 623", &error))?;
    socket.set_read_timeout(Some(TICK)).map_err(|error| refused("a time limit", &error))?;
    setsockopt(&socket, sockopt::Ipv4PacketInfo, &true).map_err(|errno| refused("IP_PKTINFO", &errno))?;
    setsockopt(&socket, sockopt::RcvBufForce, &BUFFER).map_err(|errno| refused("a large buffer", &errno))?;
    Ok(socket)
}

/// An answer on its way: from a BMC to whoever asked.
type Letter = (Ipv4Addr, SocketAddrV4, Vec<u8>);

struct Server {
    socket: UdpSocket,
    all: Arc<Mutex<HashMap<Ipv4Addr, Bmc>>>,
    /// What is to be sent later; the number tells letters of the same moment apart.
    late: BTreeMap<(Instant, u64), Letter>,
}

impl Server {
    fn run(mut self, ended: &AtomicBool) {
        let mut number = 0;
        while !ended.load(Ordering::Relaxed) {
            while let Some(letter) = self.late.first_entry().filter(|entry| entry.key().0 <= Instant::now()) {
                let letter = letter.remove();
                self.send(&letter);
            }
            let Some((bmc, asker, packet)) = self.receive() else { continue };
            let (answers, late) = {
                let mut all = lock(&self.all);
                let heard = of(&mut all, bmc).hear(&packet);
                move_on(&mut all, bmc);
                heard
            };
            for answer in answers {
                if late.is_zero() {
                    self.send(&(bmc, asker, answer));
                } else {
                    number += 1;
                    self.late.insert((Instant::now() + late, number), (bmc, asker, answer));
                }
            }
        }
    }

    fn receive(&self) -> Option<Letter> {
        let mut bytes = [0; 2048];
        let mut space = nix::cmsg_space!(in_pktinfo);
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let received =
            recvmsg::<SockaddrIn>(self.socket.as_raw_fd(), &mut slices, Some(&mut space), MsgFlags::empty()).ok()?;
        let asker = SocketAddrV4::from(received.address?);
        let to = received.cmsgs().ok()?.find_map(|message| match message {
            ControlMessageOwned::Ipv4PacketInfo(info) => Some(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr))),
            _ => None,
        })?;
        let length = received.bytes;
        Some((to, asker, bytes[..length].to_vec()))
    }

    fn send(&self, (from, to, bytes): &Letter) {
        let source = nix::libc::in_addr { s_addr: u32::from(*from).to_be() };
        let info = in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: source, ipi_addr: nix::libc::in_addr { s_addr: 0 } };
        let (slices, to) = ([IoSlice::new(bytes)], SockaddrIn::from(*to));
        // Whoever does not wait for it any more is not missed.
        sendmsg(
            self.socket.as_raw_fd(),
            &slices,
            &[ControlMessage::Ipv4PacketInfo(&info)],
            MsgFlags::empty(),
            Some(&to),
        )
        .ok();
    }
}
