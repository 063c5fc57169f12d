//! The object types as data: which tables each takes its attributes from, and where a name differs from its column's.

/// An object type as it is written down here.
#[derive(Debug)]
pub(super) struct Type {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    /// The table and column of the object's name; the table's comments are attribute `usercomment`.
    pub(super) table: &'static str,
    pub(super) key: &'static str,
    pub(super) sources: &'static [&'static [Source]],
    pub(super) aliases: &'static [(&'static str, &'static str)],
    pub(super) only_object: Option<&'static str>,
}

/// A table whose columns are attributes.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) table: &'static str,
    pub(super) only_when: Option<(&'static str, &'static str)>,
    /// Stands before the name of every column that is not renamed.
    prefix: &'static str,
    /// Column and attribute.
    pub(super) renamed: &'static [(&'static str, &'static str)],
    /// Columns that are no attributes.
    pub(super) without: &'static [&'static str],
}

impl Source {
    const fn when(self, attribute: &'static str, value: &'static str) -> Self {
        Self { only_when: Some((attribute, value)), ..self }
    }

    const fn prefix(self, prefix: &'static str) -> Self {
        Self { prefix, ..self }
    }

    const fn renamed(self, renamed: &'static [(&'static str, &'static str)]) -> Self {
        Self { renamed, ..self }
    }

    const fn without(self, without: &'static [&'static str]) -> Self {
        Self { without, ..self }
    }

    /// Whether a column is no attribute.
    pub(super) fn left_out(&self, column: &str) -> bool {
        self.without.contains(&column)
    }

    /// The name of the attribute that a column holds.
    pub(super) fn attribute(&self, column: &str) -> String {
        let renamed = self.renamed.iter().find(|(from, _)| *from == column);
        renamed.map_or_else(|| format!("{}{column}", self.prefix), |(_, attribute)| (*attribute).into())
    }
}

const fn from(table: &'static str) -> Source {
    Source { table, only_when: None, prefix: "", renamed: &[], without: &[] }
}

/// A type whose objects are the rows of one table.
const fn rows(name: &'static str, table: &'static str, key: &'static str, help: &'static str) -> Type {
    Type { name, help, table, key, sources: &[], aliases: &[], only_object: None }
}

pub(super) const TYPES: &[Type] = &[
    Type {
        sources: &[&[from("auditlog")]],
        ..rows("auditlog", "auditlog", "recid", "A command that was run, and by whom.")
    },
    Type {
        sources: &[&[from("boottarget")]],
        ..rows(
            "boottarget",
            "boottarget",
            "bprofile",
            "What nodes of a profile boot when it is none of the usual images.",
        )
    },
    Type {
        sources: &[&[from("circuit")]],
        ..rows("circuit", "circuit", "circuit", "A circuit that machines are fed from.")
    },
    Type { sources: &[&[from("eventlog")]], ..rows("eventlog", "eventlog", "recid", "An event that was reported.") },
    Type {
        sources: &[&[from("firmware")]],
        ..rows("firmware", "firmware", "node", "The firmware settings of a node or group.")
    },
    Type {
        sources: &[SHARED, &[from("nodegroup")]],
        aliases: OF_DOCKER_PLUGIN,
        ..rows("group", "nodegroup", "groupname", "A group of nodes, and what its members inherit.")
    },
    Type {
        sources: &[&[from("kit")]],
        ..rows("kit", "kit", "kitname", "Software that comes as a whole, with its components and repositories.")
    },
    Type {
        sources: &[&[from("kitcomponent")]],
        ..rows("kitcomponent", "kitcomponent", "kitcompname", "A component of a kit.")
    },
    Type {
        sources: &[&[from("kitrepo")]],
        ..rows("kitrepo", "kitrepo", "kitreponame", "A package repository of a kit.")
    },
    Type {
        sources: &[&[from("monitoring")]],
        ..rows("monitoring", "monitoring", "name", "A monitoring service of the site.")
    },
    Type {
        sources: &[&[from("networks"), from("fabric")]],
        ..rows("network", "networks", "netname", "A network of the site.")
    },
    Type {
        sources: &[SHARED, &[from("nodelist")]],
        aliases: OF_DOCKER_PLUGIN,
        ..rows("node", "nodelist", "node", "A server, a container or any other thing with a name to be managed.")
    },
    Type {
        sources: &[&[from("notification")]],
        ..rows("notification", "notification", "filename", "A command to call when tables change.")
    },
    Type {
        sources: &[&[from("osdistro")]],
        ..rows("osdistro", "osdistro", "osdistroname", "A distribution that images can be made from.")
    },
    Type {
        sources: &[&[from("osdistroupdate")]],
        ..rows("osdistroupdate", "osdistroupdate", "osupdatename", "An update of a distribution.")
    },
    Type {
        sources: &[&[
            from("osimage"),
            from("linuximage").when("imagetype", "linux"),
            from("disklessimage").when("imagetype", "linux"),
            from("containerimage").when("imagetype", "container"),
        ]],
        ..rows("osimage", "osimage", "imagename", "An operating system image to install or boot nodes with.")
    },
    Type { sources: &[&[from("pdu")]], ..rows("pdu", "pdu", "node", "A power distribution unit of a rack.") },
    Type { sources: &[&[from("policy")]], ..rows("policy", "policy", "priority", "A rule of who may do what.") },
    Type { sources: &[&[from("rack")]], ..rows("rack", "rack", "rackname", "A rack of the site.") },
    Type {
        sources: &[&[from("registry")]],
        ..rows("registry", "registry", "name", "A registry of container images; mkregistry makes it.")
    },
    Type {
        sources: &[&[from("routes")]],
        ..rows("route", "routes", "routename", "A static route for nodes to set up.")
    },
    Type {
        only_object: Some("clustersite"),
        ..rows("site", "site", "key", "The settings of the whole site, one object of any attributes.")
    },
    Type {
        sources: &[&[from("taskstate")]],
        ..rows("taskstate", "taskstate", "node", "Long work that runs for a node.")
    },
    Type { sources: &[&[from("zone")]], ..rows("zone", "zone", "zonename", "Nodes that log in to each other by ssh.") },
];

/// What nodes have and groups hand down. Table nodelist is not among it: a row there makes a node.
const SHARED: &[Source] = &[
    from("bootparams").without(&["dhcpstatements", "adddhcpstatements"]),
    from("chain"),
    from("docker").prefix("docker"),
    from("dockerhost").prefix("docker"),
    from("feed"),
    from("hosts"),
    from("hwinv"),
    from("hypervisor").prefix("host").renamed(&[("mgr", "hostmanager")]).without(&[
        "netmap",
        "defaultnet",
        "datacenter",
        "preferdirect",
    ]),
    BMC.when("mgt", "ipmi"),
    BMC.when("mgt", "redfish"),
    from("openbmc").renamed(BMC_NAMES).when("mgt", "openbmc"),
    from("iscsi")
        .prefix("iscsi")
        .renamed(&[("passwd", "iscsipassword")])
        .without(&["lun", "iname", "file", "kernel", "kcmdline", "initrd"]),
    from("mac"),
    from("mp").renamed(&[("id", "slotid"), ("nodetype", "hwtype")]),
    from("nics"),
    from("nodehm"),
    from("nodeimage").prefix("pinned"),
    from("nodepos").renamed(&[("u", "unit")]),
    from("noderes").renamed(&[("proxydhcp", "supportproxydhcp")]).without(&[
        "discoverynics",
        "cmdinterface",
        "current_osimage",
        "next_osimage",
    ]),
    from("nodetype"),
    from("nodeupdate").prefix("update"),
    from("pdu").without(&["nodetype"]).when("nodetype", "pdu"),
    from("pduoutlet"),
    from("postscripts"),
    from("prescripts").prefix("prescripts-"),
    from("servicenode")
        .prefix("setup")
        .renamed(&[
            ("dhcpserver", "setupdhcp"),
            ("tftpserver", "setuptftp"),
            ("nfsserver", "setupnfs"),
            ("ldapserver", "setupldap"),
            ("ntpserver", "setupntp"),
            ("ftpserver", "setupftp"),
            ("dhcpinterfaces", "dhcpinterfaces"),
        ])
        .without(&["monserver", "nimserver"]),
    from("ssh").prefix("ssh"),
    from("storage").renamed(&[("controller", "storagcontroller"), ("type", "storagetype")]).without(&[
        "size",
        "state",
        "storagepool",
        "hypervisor",
        "fcprange",
        "volumetag",
    ]),
    from("switch").prefix("switch").renamed(&[("switch", "switch")]),
    from("switches")
        .renamed(&[
            ("username", "snmpusername"),
            ("password", "snmppassword"),
            ("privacy", "snmpprivacy"),
            ("auth", "snmpauth"),
            ("sshusername", "username"),
            ("sshpassword", "password"),
        ])
        .when("nodetype", "switch"),
    from("vm")
        .prefix("vm")
        .renamed(&[
            ("mgr", "vmmanager"),
            ("migrationdest", "migrationdest"),
            ("nicmodel", "vmnicnicmodel"),
            ("othersettings", "vmothersetting"),
        ])
        .without(&["clockoffset", "powerstate", "datacenter", "guestostype", "vidmodel", "vidproto", "vidpassword"]),
    from("vpd").without(&["asset", "uuid"]),
];

/// Redfish BMCs stand in table ipmi too: the same controllers speak both.
const BMC: Source = from("ipmi").renamed(BMC_NAMES).without(&["bmcid"]);

const BMC_NAMES: &[(&str, &str)] =
    &[("taggedvlan", "bmcvlantag"), ("username", "bmcusername"), ("password", "bmcpassword")];

/// What xCAT's former docker plugin called them, and its `image=` and `command=`.
const OF_DOCKER_PLUGIN: &[(&str, &str)] = &[
    ("command", "dockercommand"),
    ("dockercpus", "vmcpus"),
    ("dockerflag", "vmothersetting"),
    ("dockerhost", "vmhost"),
    ("dockermemory", "vmmemory"),
    ("dockernics", "vmnics"),
    ("image", "provmethod"),
];
