//! Which backend serves a node: the list, and the choice by column.

use std::sync::Arc;
use std::time::Duration;

use tables::Node;
use tables::definitions::words;
use tokio_util::task::TaskTracker;

use crate::docker::{self, Docker};
use crate::executable;
use crate::ipmi::Ipmi;
use crate::networks::EngineNetworks;
use crate::networks::survey::{self, Attached, EngineSurvey, Survey};
use crate::redfish::Redfish;
use crate::ssh::{Connections, Ssh};
use crate::wol::Wol;
use crate::{
    Beacon, Boot, Console, Controller, Discovery, Error, EventLog, Exec, Files, Guests, Host, Hosts, Images, Inventory,
    Media, Power, Progress, Reach, Result, Sensors, Settings, Tasks, Ways,
};

/// A driver, and at a glance what it can do.
pub trait Backend: Send + Sync {
    /// The word in the `mgt` column.
    fn name(&self) -> &'static str;
    /// How many nodes may be asked at once beside those of the usual fan-out. Dead ones take a place each until their
    /// limit has passed, so that a driver which can have many open says so.
    fn beside_fanout(&self) -> usize {
        0
    }
    fn power(&self) -> Option<&dyn Power> {
        None
    }
    fn boot(&self) -> Option<&dyn Boot> {
        None
    }
    fn media(&self) -> Option<&dyn Media> {
        None
    }
    fn inventory(&self) -> Option<&dyn Inventory> {
        None
    }
    fn sensors(&self) -> Option<&dyn Sensors> {
        None
    }
    fn event_log(&self) -> Option<&dyn EventLog> {
        None
    }
    fn beacon(&self) -> Option<&dyn Beacon> {
        None
    }
    fn controller(&self) -> Option<&dyn Controller> {
        None
    }
    fn discovery(&self) -> Option<&dyn Discovery> {
        None
    }
    fn console(&self) -> Option<&dyn Console> {
        None
    }
    fn guests(&self) -> Option<&dyn Guests> {
        None
    }
    fn hosts(&self) -> Option<&dyn Hosts> {
        None
    }
    fn images(&self) -> Option<&dyn Images> {
        None
    }
    fn exec(&self) -> Option<&dyn Exec> {
        None
    }
    fn files(&self) -> Option<&dyn Files> {
        None
    }
    fn reach(&self) -> Option<&dyn Reach> {
        None
    }
    fn networks(&self) -> Option<&dyn EngineNetworks> {
        None
    }
    fn survey(&self) -> Option<&dyn EngineSurvey> {
        None
    }
    fn tasks(&self) -> Option<&dyn Tasks> {
        None
    }
}

/// Every driver, by the word that chooses it.
pub struct Backends {
    drivers: Vec<Box<dyn Backend>>,
    /// How many of them are of this program; executables of the site follow.
    own: usize,
    /// What goes on although its caller has left, such as ending a program on a node.
    endings: TaskTracker,
    settings: Settings,
    connections: Arc<Connections>,
}

impl Backends {
    /// Makes the drivers; none of them connects to anything yet.
    pub fn new(settings: &Settings, progress: &Progress) -> Self {
        let connections = Arc::new(Connections::new(settings));
        let endings = TaskTracker::new();
        let docker = Docker::new(connections.clone(), progress, &endings);
        let ssh = Ssh::new(connections.clone(), &endings);
        let ipmi = Ipmi::new(settings, &endings);
        let redfish = Redfish::new(settings, &endings);
        let wol = Wol::new(settings);
        let mut drivers: Vec<Box<dyn Backend>> =
            vec![Box::new(docker), Box::new(ipmi), Box::new(redfish), Box::new(ssh), Box::new(wol)];
        let (own, taken) = (drivers.len(), drivers.iter().map(|driver| driver.name()).collect::<Vec<_>>());
        drivers.extend(
            executable::all(settings, &taken, progress).into_iter().map(|one| Box::new(one) as Box<dyn Backend>),
        );
        Self { drivers, own, endings, settings: settings.clone(), connections }
    }

    /// Waits for what goes on although its caller has left; to be called before the program ends. False if `limit` was
    /// too short for it.
    pub async fn finish(&self, limit: Duration) -> bool {
        self.endings.close();
        tokio::time::timeout(limit, self.endings.wait()).await.is_ok()
    }

    /// The machine of a node that is a host, logged in to: where its engine is said to be, else by its own address.
    pub async fn host(&self, node: &Node) -> Result<Host> {
        match docker::login_of(node, &self.settings)? {
            Some(target) => Ok(Host::Ssh(self.connections.get(&target).await?)),
            None => Ok(Host::Local),
        }
    }

    /// What powers a node: all backends of its column that can, in its order.
    pub fn power(&self, node: &Node) -> Result<Ways<'_>> {
        let (column, ways) = self.choose_all(node, &crate::power::COLUMNS, "power control", |driver| driver.power())?;
        Ok(Ways { column, ways })
    }

    pub fn boot(&self, node: &Node) -> Result<&dyn Boot> {
        self.choose(node, &crate::power::COLUMNS, "a boot device", |driver| driver.boot())
    }

    pub fn media(&self, node: &Node) -> Result<&dyn Media> {
        self.choose(node, &crate::power::COLUMNS, "virtual media", |driver| driver.media())
    }

    pub fn inventory(&self, node: &Node) -> Result<&dyn Inventory> {
        self.choose(node, &crate::power::COLUMNS, "an inventory", |driver| driver.inventory())
    }

    pub fn sensors(&self, node: &Node) -> Result<&dyn Sensors> {
        self.choose(node, &crate::power::COLUMNS, "reading sensors", |driver| driver.sensors())
    }

    pub fn event_log(&self, node: &Node) -> Result<&dyn EventLog> {
        self.choose(node, &crate::power::COLUMNS, "an event log", |driver| driver.event_log())
    }

    pub fn beacon(&self, node: &Node) -> Result<&dyn Beacon> {
        self.choose(node, &crate::power::COLUMNS, "a beacon", |driver| driver.beacon())
    }

    pub fn controller(&self, node: &Node) -> Result<&dyn Controller> {
        self.choose(node, &crate::power::COLUMNS, "settings of a BMC", |driver| driver.controller())
    }

    /// Everyone who looks for controllers.
    pub fn discoveries(&self) -> impl Iterator<Item = &dyn Discovery> {
        self.drivers.iter().filter_map(|driver| driver.discovery())
    }

    /// How many of these nodes may be powered at once beside those that `fanout` allows.
    pub fn beyond_fanout(&self, nodes: &[Node]) -> usize {
        let chosen = nodes.iter().filter_map(|node| crate::power::COLUMNS.iter().find_map(|column| node.get(column)));
        let frugal = |name: &str| self.find(name).is_some_and(|driver| driver.beside_fanout() > 0);
        let first: Vec<&str> =
            chosen.filter(|names| words(names).all(frugal)).filter_map(|names| words(names).next()).collect();
        let of = |driver: &dyn Backend| first.iter().filter(|name| **name == driver.name()).count();
        self.drivers.iter().map(AsRef::as_ref).map(|driver| of(driver).min(driver.beside_fanout())).sum()
    }

    pub fn console(&self, node: &Node) -> Result<&dyn Console> {
        self.choose(node, &crate::console::COLUMNS, "console", |driver| driver.console())
    }

    pub fn guests(&self, node: &Node) -> Result<&dyn Guests> {
        self.choose(node, &crate::guests::COLUMNS, "making guests", |driver| driver.guests())
    }

    /// The driver that lists what `host` carries: column `hosttype`, else the only one that makes guests.
    pub fn guests_on(&self, host: &Node) -> Result<&dyn Guests> {
        self.on_host(host, "carrying guests", |driver| driver.guests())
    }

    /// The driver that makes networks for the guests of `host`, chosen in the same way.
    pub fn networks_on(&self, host: &Node) -> Result<&dyn EngineNetworks> {
        self.on_host(host, "networks for guests", |driver| driver.networks())
    }

    /// The driver that brings images to `host`, chosen in the same way.
    pub fn images_on(&self, host: &Node) -> Result<&dyn Images> {
        self.on_host(host, "images of guests", |driver| driver.images())
    }

    /// What a host and its engine say of their networks.
    pub async fn survey(&self, host: &Node) -> Result<Survey> {
        let engine = self.surveyor(host)?;
        let own = async { survey::look(&self.host(host).await?, host.name()).await };
        let (own, engine) = tokio::join!(own, engine.facts(host));
        Ok(Survey { engine: engine?, ..own? })
    }

    /// The containers of a host that run in a network.
    pub async fn attached(&self, host: &Node, network: &str) -> Result<Vec<Attached>> {
        self.surveyor(host)?.attached(host, network).await
    }

    fn surveyor(&self, host: &Node) -> Result<&dyn EngineSurvey> {
        self.on_host(host, "telling of networks", |driver| driver.survey())
    }

    /// The driver that tells about `host` itself, chosen in the same way.
    pub fn hosts(&self, host: &Node) -> Result<&dyn Hosts> {
        self.on_host(host, "carrying guests", |driver| driver.hosts())
    }

    /// The driver that runs tasks on `host`, chosen in the same way.
    pub fn tasks_on(&self, host: &Node) -> Result<&dyn Tasks> {
        self.on_host(host, "running tasks", |driver| driver.tasks())
    }

    fn on_host<'a, C: ?Sized>(
        &'a self,
        host: &Node,
        what: &str,
        capability: impl Fn(&'a dyn Backend) -> Option<&'a C>,
    ) -> Result<&'a C> {
        if host.get("hosttype").is_none() {
            // An executable of the site carries what is said to be its, and never becomes the default of others.
            let mut able = self.drivers[..self.own].iter().filter_map(|driver| capability(driver.as_ref()));
            if let (Some(only), None) = (able.next(), able.next()) {
                return Ok(only);
            }
        }
        self.choose(host, &["hosttype"], what, capability)
    }

    pub fn exec(&self, node: &Node) -> Result<&dyn Exec> {
        self.entered(node, "running programs", |driver| driver.exec())
    }

    pub fn files(&self, node: &Node) -> Result<&dyn Files> {
        self.entered(node, "copying files", |driver| driver.files())
    }

    pub fn reach(&self, node: &Node) -> Result<&dyn Reach> {
        self.entered(node, "asking for an answer", |driver| driver.reach())
    }

    /// A node whose `mgt` is a backend of guests is entered through it, every other one over ssh, whatever powers it.
    fn entered<'a, C: ?Sized>(
        &'a self,
        node: &Node,
        what: &str,
        capability: impl Fn(&'a dyn Backend) -> Option<&'a C>,
    ) -> Result<&'a C> {
        let enters = |driver: &'a dyn Backend| driver.guests().is_some() && capability(driver).is_some();
        let name = node.get("mgt").filter(|name| self.find(name).is_some_and(enters));
        let name = name.unwrap_or(crate::ssh::NAME);
        self.find(name).and_then(&capability).ok_or_else(|| Error::Unsupported {
            what: what.into(),
            column: "mgt",
            driver: name.into(),
        })
    }

    fn find(&self, name: &str) -> Option<&dyn Backend> {
        self.drivers.iter().map(AsRef::as_ref).find(|driver| driver.name() == name)
    }

    /// The first driver of [`Self::choose_all`].
    fn choose<'a, C: ?Sized>(
        &'a self,
        node: &Node,
        columns: &[&'static str],
        what: &str,
        capability: impl Fn(&'a dyn Backend) -> Option<&'a C>,
    ) -> Result<&'a C> {
        let (_, chosen) = self.choose_all(node, columns, what, capability)?;
        Ok(chosen.into_iter().next().expect("there is at least one").1)
    }

    /// The first set column, whatever the others say, and the drivers that it names by comma, those that can do it. There
    /// is at least one.
    fn choose_all<'a, C: ?Sized>(
        &'a self,
        node: &Node,
        columns: &[&'static str],
        what: &str,
        capability: impl Fn(&'a dyn Backend) -> Option<&'a C>,
    ) -> Result<(&'static str, Vec<(&'static str, &'a C)>)> {
        let accepted = || {
            let able = self.drivers.iter().map(AsRef::as_ref).filter(|&driver| capability(driver).is_some());
            able.map(Backend::name).collect::<Vec<_>>().join(", ")
        };
        let Some((column, value)) = columns.iter().find_map(|&column| Some((column, node.get(column)?))) else {
            let column = columns[columns.len() - 1];
            return Err(Error::NoDriver { column, accepted: accepted() });
        };
        let mut chosen = Vec::new();
        for name in words(value) {
            let Some(driver) = self.find(name) else {
                let value = name.into();
                return Err(match executable::unfit(&self.settings, name) {
                    Some(path) => Error::UnfitDriver { column, value, path: path.display().to_string() },
                    None => Error::UnknownDriver { column, value, accepted: accepted() },
                });
            };
            chosen.extend(capability(driver).map(|capability| (driver.name(), capability)));
        }
        if chosen.is_empty() {
            return Err(Error::Unsupported { what: what.into(), column, driver: value.into() });
        }
        Ok((column, chosen))
    }
}
