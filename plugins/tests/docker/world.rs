//! Hosts of the lab as nodes, and containers on them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lab::Lab;
use plugins::{Backends, Progress, Settings};
use serde_json::Value;
use tables::Node;

pub(crate) struct World {
    pub(crate) lab: Lab,
    pub(crate) backends: Backends,
}

pub(crate) fn settings(home: &Path) -> Settings {
    Settings {
        connect_limit: Duration::from_secs(5),
        request_limit: Duration::from_secs(60),
        transfer_limit: Duration::from_secs(300),
        ssh_user: "root".into(),
        ssh_keys: vec![home.join(".ssh/id_ed25519")],
        known_hosts: vec![home.join(".ssh/known_hosts")],
        accept_new_host_keys: false,
        tls_directory: home.join("tls"),
        logins: Vec::new(),
        mirrors: Vec::new(),
        bmc_account: None,
        redfish: Default::default(),
        networks: Vec::new(),
        executables: Vec::new(),
        executables_state: std::path::PathBuf::new(),
    }
}

impl World {
    /// One host, reached by its engine's socket.
    pub(crate) fn new() -> Self {
        Self::from(Lab::new("/bin/true").hosts(1))
    }

    pub(crate) fn from(lab: Lab) -> Self {
        let backends = Backends::new(&settings(&lab.home()), &Progress::silent());
        Self { lab, backends }
    }

    pub(crate) fn host(&self) -> Arc<Node> {
        let socket = self.lab.host("h1").socket();
        let endpoint = format!("unix://{}", socket.display());
        Arc::new(Node::new("h1", [("dockerendpoint".to_owned(), endpoint)].into(), None))
    }

    /// A container of `h1` with the lab's image, unless `attributes` say otherwise.
    pub(crate) fn node(&self, name: &str, attributes: &[(&str, &str)]) -> Node {
        let given = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let basic = [("mgt", "docker"), ("vmhost", "h1"), ("provmethod", "busybox:lab")];
        let basic = basic.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Node::new(name, basic.chain(given).collect::<BTreeMap<_, _>>(), Some(self.host()))
    }

    /// What the host's own docker says of a container.
    pub(crate) fn inspect(&self, name: &str) -> Value {
        let text = self.lab.host("h1").docker(&format!("inspect {name}")).stdout;
        let mut found: Value = serde_json::from_str(&text).expect("docker inspect answers JSON");
        found[0].take()
    }
}
