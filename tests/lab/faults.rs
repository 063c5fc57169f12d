//! What can happen to a host, done for real: links go down, services stop, disks fill.

use std::process::Command;

use crate::error::Result;
use crate::host::Host;
use crate::room::LIMIT;
use crate::run;
use crate::stranger::Wire;
use crate::wait::{Wait, try_wait_for};

/// Engines of containers that do not care about SIGTERM would take ten seconds to stop, so their processes are ended meanwhile.
const STOP_ENGINE: &str = "
engine=$(cat /run/docker.pid) && kill -0 $engine || exit 0
if [ -d /run/systemd/system ]; then systemctl stop docker.socket docker.service & else kill $engine; fi
while kill -0 $engine 2>/dev/null; do
    find /sys/fs/cgroup -path '*/docker/*' -name cgroup.procs -exec cat {} + | sort -u | xargs -r kill -9 2>/dev/null
    sleep 0.05
done
wait";

/// The engine's store moves to a small disk of its own, so that nobody else's is filled.
const SMALL_DISK: &str = "
mkdir -p /run/disk
mount -t tmpfs -o size=64m disk /run/disk
cp -a /var/lib/docker/. /run/disk/
mount --move /run/disk /var/lib/docker";

const FILL: &str = "dd if=/dev/zero of=/var/lib/docker/filler bs=64k 2>/dev/null; sync; df /var/lib/docker";

impl Host<'_> {
    /// Pulls its cable: what is on its way is lost, connections hang, its address does not answer.
    pub fn cut(&self) -> Result<()> {
        self.link(Wire::Management, "down")
    }

    /// Pulls the cable of `eth1`.
    pub fn cut_wire(&self) -> Result<()> {
        self.link(Wire::Second, "down")
    }

    /// Undoes [`Host::cut`], [`Host::cut_wire`], [`Host::slow`], [`Host::refuse`] and [`Host::hang_engine`], and waits until it is
    /// reached again.
    pub fn heal(&self) -> Result<()> {
        self.link(Wire::Second, "up")?;
        self.link(Wire::Management, "up")?;
        self.full_speed()?;
        self.signal_engine("CONT")?;
        self.shell("systemctl start ssh")?;
        self.await_network()
    }

    /// Lets nothing larger through a cable, whatever the host takes it for: what is, is lost in silence. 1500 undoes it.
    pub fn mtu(&self, wire: Wire, bytes: u16) -> Result<()> {
        let mut ip = self.room.manage("ip")?;
        run::must(ip.args(["link", "set", &self.port(wire), "mtu", &bytes.to_string()]), LIMIT).map(drop)
    }

    /// A link that was just set up carries nothing until the kernel has noticed.
    fn await_network(&self) -> Result<()> {
        try_wait_for(&format!("the network of {}", self.name), LIMIT, || {
            match self.shell("ping -q -c 1 -W 1 10.77.0.254") {
                Ok(_) => Wait::Ready(()),
                Err(error) => Wait::NotYet(error.to_string()),
            }
        })
    }

    fn link(&self, wire: Wire, state: &str) -> Result<()> {
        let mut ip = self.room.manage("ip")?;
        run::must(ip.args(["link", "set", &self.port(wire), state]), LIMIT).map(drop)
    }

    /// Takes its cables away; it gets new ones with its power.
    pub(crate) fn unplug(&self) -> Result<()> {
        for wire in [Wire::Management, Wire::Second] {
            let mut ip = self.room.manage("ip")?;
            // Fails if the kernel was faster.
            let _fails = run::run(ip.args(["link", "del", &self.port(wire)]), "", LIMIT)?;
        }
        Ok(())
    }

    /// The other end of a cable.
    fn port(&self, wire: Wire) -> String {
        format!("{}.{}", self.name, wire.number())
    }

    /// Stops its ssh server: new connections are refused, those that stand go on.
    pub fn refuse(&self) -> Result<()> {
        self.shell("systemctl stop ssh").map(drop)
    }

    /// Ends the ssh connections that stand; new ones are taken.
    pub fn drop_connections(&self) -> Result<()> {
        self.shell("pkill -9 -f '^sshd: root' || [ $? = 1 ]").map(drop)
    }

    /// Lets no more than `rate`, such as `64kbit`, through its cable in either direction.
    pub fn slow(&self, rate: &str) -> Result<()> {
        self.full_speed()?;
        for (mut tc, device) in self.both_ends()? {
            tc.args(["qdisc", "add", "dev", &device, "root", "tbf", "rate", rate, "burst", "3000", "latency", "10s"]);
            run::must(&mut tc, LIMIT)?;
        }
        Ok(())
    }

    fn full_speed(&self) -> Result<()> {
        for (mut tc, device) in self.both_ends()? {
            // Fails if it was at full speed already.
            let _fails = run::run(tc.args(["qdisc", "del", "dev", &device, "root"]), "", LIMIT)?;
        }
        Ok(())
    }

    fn both_ends(&self) -> Result<[(Command, String); 2]> {
        Ok([(self.room.manage("tc")?, self.port(Wire::Management)), (self.command("tc")?, "eth0".to_owned())])
    }

    /// Stops its engine and with it its containers.
    pub fn stop_engine(&self) -> Result<()> {
        self.shell(STOP_ENGINE).map(drop)
    }

    /// Starts its engine, or lets it go on.
    pub fn start_engine(&self) -> Result<()> {
        self.signal_engine("CONT")?;
        self.shell("systemctl start docker").map(drop)
    }

    /// Freezes its engine: it takes connections and never answers.
    pub fn hang_engine(&self) -> Result<()> {
        self.signal_engine("STOP")
    }

    fn signal_engine(&self, signal: &str) -> Result<()> {
        self.shell(&format!("[ ! -s /run/docker.pid ] || kill -{signal} $(cat /run/docker.pid)")).map(drop)
    }

    /// Fills the disk of its engine. The first time the engine is restarted, so its containers stop; they are still there.
    /// A power cut puts the engine back to the disk it had before.
    pub fn fill_disk(&self) -> Result<()> {
        let mounted = self.shell("df --output=target,source /var/lib/docker")?;
        if !mounted.contains("disk\n") {
            self.stop_engine()?;
            self.shell(SMALL_DISK)?;
            self.start_engine()?;
        }
        self.shell(FILL).map(drop)
    }

    /// Makes room on the disk again.
    pub fn free_disk(&self) -> Result<()> {
        self.shell("rm -f /var/lib/docker/filler").map(drop)
    }
}
