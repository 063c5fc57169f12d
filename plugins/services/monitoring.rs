//! Prometheus on one machine, its exporter on all: from Debian's packages, with what is watched in a file that Prometheus
//! reads again by itself whenever it changes.

use std::net::IpAddr;

use serde_json::json;

use super::place;
use crate::setup::{File, Follow, Thing, Unit};

const SERVER: &str = "prometheus.service";
const EXPORTER: &str = "prometheus-node-exporter.service";
const SETTINGS: &str = "/etc/prometheus/xcrane.yml";
const TARGETS: &str = "/etc/prometheus/xcrane-targets.json";
const WRITTEN: &str = "# Written by module monitoring of xcrane.\n";

/// What a machine is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where its exporter listens.
    pub exporter_port: u16,
    /// Where it is the one that watches the others.
    pub server: Option<Server>,
}

/// The machine that watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub port: u16,
    /// Seconds between two looks at a machine.
    pub interval: u32,
    /// Days for which what was seen is kept.
    pub retention: u32,
    pub watched: Vec<Watched>,
}

/// Something that says numbers of itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watched {
    pub node: String,
    /// What kind of thing: `node`, or the module whose service it is.
    pub job: String,
    /// Address and port.
    pub place: String,
}

impl Watched {
    /// The exporter of a machine.
    pub fn machine(node: &str, address: IpAddr, port: u16) -> Self {
        Self { node: node.to_owned(), job: "node".into(), place: place(address, port) }
    }
}

/// What must be true of the machine.
pub fn wanted(config: &Config) -> Vec<Thing> {
    let program = format!("/usr/bin/prometheus-node-exporter --web.listen-address=:{}", config.exporter_port);
    let mut things = service(EXPORTER, &program, &[]);
    let exporter = things.pop();
    let mut packages = vec!["prometheus-node-exporter".to_owned()];
    if let Some(server) = &config.server {
        packages.insert(0, "prometheus".to_owned());
        things.push(Thing::File(File::public(SETTINGS, settings(server))));
        things.push(Thing::File(File::public(TARGETS, targets(&server.watched))));
        let program = format!(
            "/usr/bin/prometheus --config.file={SETTINGS} --storage.tsdb.retention.time={}d --web.listen-address=:{}",
            server.retention, server.port
        );
        things.extend(service(SERVER, &program, &[SETTINGS]));
    }
    // The packages start their services, which are to find what they are told.
    let units = things.iter().position(|thing| matches!(thing, Thing::Unit(_))).unwrap_or(things.len());
    things.insert(units, Thing::Packages(packages));
    things.extend(exporter);
    things
}

/// A service of a package with another command line; the package's file of arguments stays the admin's.
fn service(unit: &str, program: &str, follows: &[&str]) -> Vec<Thing> {
    let drop_in = format!("/etc/systemd/system/{unit}.d/xcrane.conf");
    let text = format!("{WRITTEN}[Service]\nExecStart=\nExecStart={program}\n");
    let follows = follows.iter().map(|path| (*path).to_owned()).chain([drop_in.clone()]).collect();
    let unit = Unit { name: unit.into(), enabled: true, active: true, follows, follow_by: Follow::Restart };
    vec![Thing::File(File::public(drop_in, text)), Thing::Unit(unit)]
}

fn settings(server: &Server) -> String {
    format!(
        "{WRITTEN}global:\n  scrape_interval: {0}s\n  scrape_timeout: {1}s\nscrape_configs:\n  - job_name: node\n    \
         file_sd_configs:\n      - files: [{TARGETS}]\n",
        server.interval,
        server.interval.min(10)
    )
}

/// One line for each, so that a plan shows who comes and who goes.
fn targets(watched: &[Watched]) -> String {
    let mut watched = watched.to_vec();
    watched.sort();
    let line =
        |it: &Watched| json!({ "targets": [it.place], "labels": { "job": it.job, "node": it.node } }).to_string();
    format!("[\n{}\n]\n", watched.iter().map(line).collect::<Vec<_>>().join(",\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::{Family, Observed, Step, plan};

    #[test]
    fn files_come_before_the_packages_that_read_them() {
        let watched = vec![
            Watched::machine("h2", [10, 0, 0, 2].into(), 9100),
            Watched { node: "h1".into(), job: "etcd".into(), place: "10.0.0.1:2381".into() },
        ];
        let server = Server { port: 9090, interval: 15, retention: 30, watched };
        let things = wanted(&Config { exporter_port: 9100, server: Some(server) });
        let steps = plan(&things, &Observed { family: Some(Family::Apt), ..Observed::default() });
        let shown = |step: &Step| format!("{}\n{}", step.title(), step.diff().unwrap_or_default());
        insta::assert_snapshot!(steps.iter().map(shown).collect::<String>(), @r#"
        create /etc/systemd/system/prometheus-node-exporter.service.d/xcrane.conf
        --- /etc/systemd/system/prometheus-node-exporter.service.d/xcrane.conf
        +++ /etc/systemd/system/prometheus-node-exporter.service.d/xcrane.conf
        @@ -0,0 +1,4 @@
        +# Written by module monitoring of xcrane.
        +[Service]
        +ExecStart=
        +ExecStart=/usr/bin/prometheus-node-exporter --web.listen-address=:9100
        create /etc/prometheus/xcrane.yml
        --- /etc/prometheus/xcrane.yml
        +++ /etc/prometheus/xcrane.yml
        @@ -0,0 +1,8 @@
        +# Written by module monitoring of xcrane.
        +global:
        +  scrape_interval: 15s
        +  scrape_timeout: 10s
        +scrape_configs:
        +  - job_name: node
        +    file_sd_configs:
        +      - files: [/etc/prometheus/xcrane-targets.json]
        create /etc/prometheus/xcrane-targets.json
        --- /etc/prometheus/xcrane-targets.json
        +++ /etc/prometheus/xcrane-targets.json
        @@ -0,0 +1,4 @@
        +[
        +{"targets":["10.0.0.1:2381"],"labels":{"job":"etcd","node":"h1"}},
        +{"targets":["10.0.0.2:9100"],"labels":{"job":"node","node":"h2"}}
        +]
        create /etc/systemd/system/prometheus.service.d/xcrane.conf
        --- /etc/systemd/system/prometheus.service.d/xcrane.conf
        +++ /etc/systemd/system/prometheus.service.d/xcrane.conf
        @@ -0,0 +1,4 @@
        +# Written by module monitoring of xcrane.
        +[Service]
        +ExecStart=
        +ExecStart=/usr/bin/prometheus --config.file=/etc/prometheus/xcrane.yml --storage.tsdb.retention.time=30d --web.listen-address=:9090
        install prometheus, prometheus-node-exporter
        enable prometheus.service
        reload the units of systemd
        start prometheus.service
        enable prometheus-node-exporter.service
        reload the units of systemd
        start prometheus-node-exporter.service
        "#);
    }
}
