//! A host as a test sees it: what fails panics.

use std::path::PathBuf;

use crate::error::ok;
use crate::host::Host;
use crate::old_engine::OldEngine;
use crate::reach::Station;
use crate::run::Run;
use crate::stranger::Wire;

/// A host of a test's lab, by [`Lab::host`](crate::Lab::host).
#[derive(Debug)]
pub struct TestHost<'a>(pub(crate) Host<'a>);

impl TestHost<'_> {
    /// Runs a command line inside it: words and quotes, no shell.
    pub fn run(&self, line: &str) -> Run {
        ok(self.0.run(line))
    }

    /// Runs a shell script inside it that must succeed; its output.
    pub fn shell(&self, script: &str) -> String {
        ok(self.0.shell(script))
    }

    /// Asks its engine by Docker's own client, such as `inspect c1`.
    pub fn docker(&self, line: &str) -> Run {
        ok(self.0.docker(line))
    }

    /// The containers that run on it, to send packets from.
    pub fn stations(&self) -> Vec<Station> {
        ok(self.0.stations())
    }

    /// The socket of its engine as a path on this machine, for what wants a local engine.
    pub fn socket(&self) -> PathBuf {
        ok(self.0.socket())
    }

    /// Its address on the management network.
    pub fn address(&self) -> String {
        self.0.address()
    }

    /// Cuts its power: all its processes and addresses are gone at once, what was on disk stays.
    pub fn power_off(&self) {
        ok(self.0.power_off());
    }

    /// Gives it power and waits until it is reached by ssh and its engine answers.
    pub fn power_on(&self) {
        ok(self.0.power_on());
    }

    /// Leaves its addresses to its own files (systemd-networkd's, ifupdown's) from its next start on; else they come with its power.
    pub fn addresses_itself(&self) {
        ok(self.0.addresses_itself());
    }

    /// Restarts it by `systemctl reboot`, and waits until it is up again.
    pub fn reboot(&self) {
        ok(self.0.reboot());
    }

    /// Pulls its cable: what is on its way is lost, connections hang, its address does not answer.
    pub fn cut(&self) {
        ok(self.0.cut());
    }

    /// Pulls the cable of `eth1`.
    pub fn cut_wire(&self) {
        ok(self.0.cut_wire());
    }

    /// Lets nothing larger through the cable of a wire, whatever the host takes it for: what is, is lost in silence. 1500 undoes it.
    pub fn mtu(&self, wire: Wire, bytes: u16) {
        ok(self.0.mtu(wire, bytes));
    }

    /// Undoes `cut`, `cut_wire`, `slow`, `refuse` and `hang_engine`.
    pub fn heal(&self) {
        ok(self.0.heal());
    }

    /// Stops its ssh server: new connections are refused, those that stand go on.
    pub fn refuse(&self) {
        ok(self.0.refuse());
    }

    /// Ends the ssh connections that stand; new ones are taken.
    pub fn drop_connections(&self) {
        ok(self.0.drop_connections());
    }

    /// Lets no more than `rate`, such as `64kbit`, through its cable in either direction.
    pub fn slow(&self, rate: &str) {
        ok(self.0.slow(rate));
    }

    /// Stops its engine and with it its containers.
    pub fn stop_engine(&self) {
        ok(self.0.stop_engine());
    }

    /// Starts its engine, or lets it go on.
    pub fn start_engine(&self) {
        ok(self.0.start_engine());
    }

    /// Freezes its engine: it takes connections and never answers.
    pub fn hang_engine(&self) {
        ok(self.0.hang_engine());
    }

    /// Stops its engine and answers in its place, as one that speaks no newer API than `api`, such as `1.18`.
    #[must_use = "it answers until it is dropped"]
    pub fn old_engine(&self, api: &'static str) -> OldEngine {
        self.stop_engine();
        ok(OldEngine::listen(self.socket(), api))
    }

    /// Fills the disk of its engine; the first time its containers stop, for the engine moves to a small disk.
    pub fn fill_disk(&self) {
        ok(self.0.fill_disk());
    }

    /// Makes room on the disk again.
    pub fn free_disk(&self) {
        ok(self.0.free_disk());
    }
}
