//! A cluster of etcd from Debian's packages: every member a server with TLS, known to the others by the site's authority.
//!
//! A member keeps for good what it was told when it came in: who was there then is of no meaning later, and to change it
//! would restart every member at once when one comes or goes. One that joins is announced to the others before it starts.

pub mod keep;

use std::net::IpAddr;

use super::place;
use crate::authority::Issued;
use crate::setup::{Fact, File, Follow, Thing, Unit};

/// The unit of a member.
pub const SERVICE: &str = "etcd.service";
/// Where a member keeps what was put into the cluster.
pub const DATA: &str = "/var/lib/etcd/xcrane";
/// Where what is restored stands until it is exchanged; the one before stays beside it.
const RESTORED: &str = "/var/lib/etcd/xcrane.restored";
const BEFORE: &str = "/var/lib/etcd/xcrane.before";
/// There while members are being exchanged.
const MARK: &str = "/var/lib/etcd/xcrane.restoring";
const SETTINGS: &str = "/etc/etcd/xcrane.env";
const AUTHORITY: &str = "/etc/etcd/ca.pem";
/// Key and certificate in one.
const OWN: &str = "/etc/etcd/node.pem";
const DROP_IN: &str = "/etc/systemd/system/etcd.service.d/xcrane.conf";

/// `ctl ENDPOINTS …` asks the members as one of them.
const CTL: &str = r#"ctl() { ends=$1; shift; ETCDCTL_API=3 etcdctl --endpoints="$ends" --cacert=/etc/etcd/ca.pem \
--cert=/etc/etcd/node.pem --key=/etc/etcd/node.pem --command-timeout=5s --dial-timeout=3s "$@"; }
"#;
const IS_HEALTHY: &str = r#"ctl "$1" endpoint health"#;
/// The first start of a cluster waits for its majority.
const AWAIT_HEALTH: &str = r#"for turn in $(seq 120); do ctl "$1" endpoint health >/dev/null 2>&1 && exit; sleep 0.5; done
ctl "$1" endpoint health"#;
const IS_MEMBER: &str = r#"ctl "$1" member list | grep -qF -e ", $3,""#;
/// The others refuse while one that came before is still being brought in.
const ANNOUNCE: &str = r#"for turn in $(seq 30); do
    said=$(ctl "$1" member add "$2" --peer-urls="$3" 2>&1) && exit
    sleep 1
done
printf '%s\n' "$said" | tail -n 1 >&2; exit 1"#;
/// `id,address` of each member that is not among the wanted.
const STRANGERS: &str = r#"list=$(ctl "$1" member list) || exit
strangers() {
    printf '%s\n' "$list" | cut -d, -f1,4 | tr -d ' ' | while IFS=, read -r id peer; do
        printf '%s\n' "$2" | grep -qxF -e "$peer" || echo "$id"
    done
}
"#;
const NO_STRANGERS: &str = r#"[ -z "$(strangers "$1" "$2")" ]"#;
const REMOVE_STRANGERS: &str = r#"for id in $(strangers "$1" "$2"); do ctl "$1" member remove "$id" || exit; done"#;

/// A machine of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub node: String,
    pub address: IpAddr,
}

/// The ports of every member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    pub client: u16,
    pub peer: u16,
    /// Numbers and health for whoever watches, without TLS.
    pub metrics: u16,
}

/// What a machine is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub member: Member,
    pub ports: Ports,
    /// All that there are to be, this one included.
    pub members: Vec<Member>,
    pub entry: Entry,
    /// Its own certificate, good for both sides of a connection, and who vouches for it; none that is still to be made.
    pub certificate: Option<(Issued, String)>,
    /// Whether it is this one's work to take those out of the cluster who are in it and not among the members.
    pub sweeps: bool,
}

/// How a member comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// With these others, all new.
    Founds(Vec<Member>),
    /// To a cluster that is there, which these are of.
    Joins(Vec<Member>),
    /// It is in, and was told this.
    Is { cluster: String, joined: bool },
}

impl Ports {
    /// Where clients of a member connect.
    pub fn endpoint(self, member: &Member) -> String {
        format!("https://{}", place(member.address, self.client))
    }

    /// Where a member says numbers of itself.
    pub fn numbers(self, member: &Member) -> String {
        place(member.address, self.metrics)
    }

    fn peer_url(self, member: &Member) -> String {
        format!("https://{}", place(member.address, self.peer))
    }

    /// Members as etcd names a cluster.
    fn cluster(self, members: &[Member]) -> String {
        members.iter().map(|member| format!("{}={}", member.node, self.peer_url(member))).collect::<Vec<_>>().join(",")
    }

    fn endpoints<'m>(self, members: impl IntoIterator<Item = &'m Member>) -> String {
        members.into_iter().map(|member| self.endpoint(member)).collect::<Vec<_>>().join(",")
    }
}

impl Config {
    /// What it is told of the others when it comes in, as etcd writes it, and whether they are there already.
    pub fn cluster(&self) -> (String, bool) {
        let list = |members: &[Member]| self.ports.cluster(members);
        match &self.entry {
            Entry::Founds(members) => (list(members), false),
            Entry::Joins(others) => (list(&[others.as_slice(), std::slice::from_ref(&self.member)].concat()), true),
            Entry::Is { cluster, joined } => (cluster.clone(), *joined),
        }
    }
}

/// What must be true of a member.
pub fn wanted(config: &Config) -> Vec<Thing> {
    let (own, authority) = match &config.certificate {
        Some((issued, authority)) => (format!("{}{}", issued.key, issued.certificate), authority.clone()),
        None => (String::new(), String::new()),
    };
    let mut things = vec![
        Thing::File(File::secret(AUTHORITY, authority, 0o644)),
        Thing::File(File::secret(OWN, own, 0o600)),
        Thing::Packages(vec!["etcd-client".into()]),
    ];
    if let Entry::Joins(others) = &config.entry {
        things.push(announced(config, others));
    }
    // The package starts its service, which is to be that of the cluster from its first moment on.
    things.extend([
        Thing::File(File::public(SETTINGS, settings(config))),
        Thing::File(File::public(DROP_IN, drop_in())),
        Thing::Packages(vec!["etcd-server".into()]),
        Thing::Unit(unit(true)),
        asked(
            &format!("member {} is healthy", config.member.node),
            (IS_HEALTHY, AWAIT_HEALTH),
            &[&config.ports.endpoint(&config.member)],
        ),
    ]);
    if config.sweeps {
        let peers: Vec<String> = config.members.iter().map(|member| config.ports.peer_url(member)).collect();
        let script = |script: &str| format!("{STRANGERS}{script}");
        things.push(asked(
            "nobody else is a member",
            (&script(NO_STRANGERS), &script(REMOVE_STRANGERS)),
            &[&config.ports.endpoint(&config.member), &peers.join("\n")],
        ));
    }
    things
}

/// What must be true of a machine that has left the cluster.
pub fn unwanted() -> Vec<Thing> {
    let (are_gone, remove) = (r#"for it; do [ ! -e "$it" ] || exit 1; done"#, r#"rm -rf "$@""#);
    let gone = Fact::shell("it keeps nothing of the cluster", are_gone, remove, &[DATA, RESTORED, BEFORE, MARK]);
    vec![
        Thing::Unit(unit(false)),
        Thing::NoFile(SETTINGS.into()),
        Thing::NoFile(DROP_IN.into()),
        Thing::NoSecret(OWN.into()),
        Thing::NoSecret(AUTHORITY.into()),
        Thing::Fact(gone),
    ]
}

fn announced(config: &Config, others: &[Member]) -> Thing {
    let peer = config.ports.peer_url(&config.member);
    asked(
        &format!("the cluster knows member {}", config.member.node),
        (IS_MEMBER, ANNOUNCE),
        &[&config.ports.endpoints(others), &config.member.node, &peer],
    )
}

fn asked(what: &str, (check, make): (&str, &str), arguments: &[&str]) -> Thing {
    Thing::Fact(Fact::shell(what, &format!("{CTL}{check}"), &format!("{CTL}{make}"), arguments))
}

fn unit(is_member: bool) -> Unit {
    Unit {
        name: SERVICE.into(),
        enabled: is_member,
        active: is_member,
        follows: vec![SETTINGS.into(), DROP_IN.into(), OWN.into(), AUTHORITY.into()],
        follow_by: Follow::Restart,
    }
}

fn settings(config: &Config) -> String {
    let (cluster, joined) = config.cluster();
    let Config { member, ports, .. } = config;
    format!(
        "# Written by module etcd of xcrane.\n\
         ETCD_NAME={name}\nETCD_DATA_DIR={DATA}\n\
         ETCD_LISTEN_CLIENT_URLS={client}\nETCD_ADVERTISE_CLIENT_URLS={client}\n\
         ETCD_LISTEN_PEER_URLS={peer}\nETCD_INITIAL_ADVERTISE_PEER_URLS={peer}\n\
         ETCD_LISTEN_METRICS_URLS=http://{metrics}\n\
         ETCD_INITIAL_CLUSTER={cluster}\nETCD_INITIAL_CLUSTER_STATE={state}\nETCD_INITIAL_CLUSTER_TOKEN=xcrane\n\
         ETCD_CLIENT_CERT_AUTH=true\nETCD_CERT_FILE={OPENED}\nETCD_KEY_FILE={OPENED}\nETCD_TRUSTED_CA_FILE={AUTHORITY}\n\
         ETCD_PEER_CLIENT_CERT_AUTH=true\nETCD_PEER_CERT_FILE={OPENED}\nETCD_PEER_KEY_FILE={OPENED}\n\
         ETCD_PEER_TRUSTED_CA_FILE={AUTHORITY}\n",
        name = member.node,
        client = ports.endpoint(member),
        peer = ports.peer_url(member),
        metrics = ports.numbers(member),
        state = if joined { "existing" } else { "new" },
    )
}

/// What the service reads of [`OWN`], which only root can.
const OPENED: &str = "/run/etcd/node.pem";

fn drop_in() -> String {
    format!(
        "# Written by module etcd of xcrane.\n[Unit]\nStartLimitIntervalSec=0\n\n\
         [Service]\nEnvironmentFile=\nEnvironmentFile={SETTINGS}\nRuntimeDirectory=etcd\nRuntimeDirectoryMode=0700\n\
         ExecStartPre=+/usr/bin/install -o etcd -g etcd -m 0400 {OWN} {OPENED}\nRestart=always\nRestartSec=2\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::{Family, Observed, Step, plan};

    const PORTS: Ports = Ports { client: 2379, peer: 2380, metrics: 2381 };

    fn member(number: u8) -> Member {
        Member { node: format!("h{number}"), address: [10, 0, 0, number].into() }
    }

    fn config(entry: Entry) -> Config {
        let members = (1..4).map(member).collect();
        Config { member: member(1), ports: PORTS, members, entry, certificate: None, sweeps: true }
    }

    fn steps(things: &[Thing]) -> Vec<Step> {
        plan(things, &Observed { family: Some(Family::Apt), ..Observed::default() })
    }

    fn shown(things: &[Thing]) -> String {
        let steps = steps(things);
        steps.iter().map(|step| format!("{}\n{}", step.title(), step.diff().unwrap_or_default())).collect()
    }

    #[test]
    fn a_founder_starts_with_all_others() {
        insta::assert_snapshot!(shown(&wanted(&config(Entry::Founds((1..4).map(member).collect())))), @"
        create /etc/etcd/ca.pem
        /etc/etcd/ca.pem: its text is secret
        create /etc/etcd/node.pem
        /etc/etcd/node.pem: its text is secret
        install etcd-client
        create /etc/etcd/xcrane.env
        --- /etc/etcd/xcrane.env
        +++ /etc/etcd/xcrane.env
        @@ -0,0 +1,19 @@
        +# Written by module etcd of xcrane.
        +ETCD_NAME=h1
        +ETCD_DATA_DIR=/var/lib/etcd/xcrane
        +ETCD_LISTEN_CLIENT_URLS=https://10.0.0.1:2379
        +ETCD_ADVERTISE_CLIENT_URLS=https://10.0.0.1:2379
        +ETCD_LISTEN_PEER_URLS=https://10.0.0.1:2380
        +ETCD_INITIAL_ADVERTISE_PEER_URLS=https://10.0.0.1:2380
        +ETCD_LISTEN_METRICS_URLS=http://10.0.0.1:2381
        +ETCD_INITIAL_CLUSTER=h1=https://10.0.0.1:2380,h2=https://10.0.0.2:2380,h3=https://10.0.0.3:2380
        +ETCD_INITIAL_CLUSTER_STATE=new
        +ETCD_INITIAL_CLUSTER_TOKEN=xcrane
        +ETCD_CLIENT_CERT_AUTH=true
        +ETCD_CERT_FILE=/run/etcd/node.pem
        +ETCD_KEY_FILE=/run/etcd/node.pem
        +ETCD_TRUSTED_CA_FILE=/etc/etcd/ca.pem
        +ETCD_PEER_CLIENT_CERT_AUTH=true
        +ETCD_PEER_CERT_FILE=/run/etcd/node.pem
        +ETCD_PEER_KEY_FILE=/run/etcd/node.pem
        +ETCD_PEER_TRUSTED_CA_FILE=/etc/etcd/ca.pem
        create /etc/systemd/system/etcd.service.d/xcrane.conf
        --- /etc/systemd/system/etcd.service.d/xcrane.conf
        +++ /etc/systemd/system/etcd.service.d/xcrane.conf
        @@ -0,0 +1,12 @@
        +# Written by module etcd of xcrane.
        +[Unit]
        +StartLimitIntervalSec=0
        +
        +[Service]
        +EnvironmentFile=
        +EnvironmentFile=/etc/etcd/xcrane.env
        +RuntimeDirectory=etcd
        +RuntimeDirectoryMode=0700
        +ExecStartPre=+/usr/bin/install -o etcd -g etcd -m 0400 /etc/etcd/node.pem /run/etcd/node.pem
        +Restart=always
        +RestartSec=2
        install etcd-server
        enable etcd.service
        reload the units of systemd
        start etcd.service
        make it so that member h1 is healthy
        make it so that nobody else is a member
        ");
    }

    #[test]
    fn what_a_member_was_told_stays() {
        let founder = config(Entry::Founds((1..4).map(member).collect()));
        let (cluster, joined) = founder.cluster();
        assert!(!joined);
        let later = Config { members: (1..6).map(member).collect(), ..config(Entry::Is { cluster, joined }) };
        assert_eq!(settings(&founder), settings(&later));
        let joins = Config { member: member(4), ..config(Entry::Joins((1..4).map(member).collect())) };
        assert!(
            settings(&joins).contains("h3=https://10.0.0.3:2380,h4=https://10.0.0.4:2380\n"),
            "{}",
            settings(&joins)
        );
        assert!(settings(&joins).contains("CLUSTER_STATE=existing"));
        let titles: Vec<String> = steps(&wanted(&joins)).iter().map(Step::title).collect();
        let place = |title: &str| titles.iter().position(|it| it.contains(title));
        assert!(place("install etcd-client") < place("the cluster knows member h4"), "{titles:?}");
        assert!(place("the cluster knows member h4") < place("install etcd-server"), "{titles:?}");
    }
}
