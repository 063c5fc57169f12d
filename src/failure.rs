//! Errors into words, hints and exit codes; nowhere else.

use plugins::{RegistryFault, chain};

use crate::outcome::Outcome;
use crate::reply::Answer;

const ACCOUNTS: &str = "who we are to a registry stands in table passwd: key registry, authdomain HOST:PORT, username, \
                        password; set it with tabedit passwd";

/// Adds hints to others; one that fits a hundred nodes is said once.
pub(crate) fn add_hints(known: &mut Vec<String>, further: Vec<String>) {
    for hint in further {
        if !known.contains(&hint) {
            known.push(hint);
        }
    }
}

/// Why a whole command, or one node of it, failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) hints: Vec<String>,
    pub(crate) outcome: Outcome,
    /// The host does not answer: what is to be done there can be left to a later run.
    pub(crate) unreachable: bool,
    /// Surely nothing was done to the node.
    pub(crate) did_nothing: bool,
    /// What the node had said before it failed.
    pub(crate) said: Box<Answer>,
}

impl Failure {
    /// The request cannot be carried out.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hints: Vec::new(),
            outcome: Outcome::SomeFailed,
            unreachable: false,
            did_nothing: false,
            said: Box::default(),
        }
    }

    /// The command line makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { outcome: Outcome::Usage, ..Self::refused(message) }
    }

    pub(crate) fn after(self, said: Answer) -> Self {
        Self { said: Box::new(said), ..self }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl From<tables::Error> for Failure {
    fn from(error: tables::Error) -> Self {
        let failure = Self::refused(chain(&error));
        match error {
            tables::Error::Account { .. } => failure.hint(ACCOUNTS),
            tables::Error::Missing { attribute, .. } => failure.hint(unset(&attribute)),
            _ => failure,
        }
    }
}

impl From<plugins::Error> for Failure {
    fn from(error: plugins::Error) -> Self {
        let failure = Self {
            unreachable: error.is_unreachable(),
            did_nothing: error.did_nothing(),
            ..Self::refused(chain(&error))
        };
        match error {
            plugins::Error::Absent { .. } => failure.hint("make it with: mkvm NODERANGE"),
            plugins::Error::NoNetwork { network, .. } => {
                failure.hint(format!("make it on the hosts that carry it: mknet {network}"))
            }
            plugins::Error::Registry { host, registry, fault, .. } => failure.hint(mended(&host, &registry, &fault)),
            plugins::Error::Full { host, .. } => {
                failure.hint(format!("see what takes it with: lsimage {host}; and free it with: rmimage IMAGE {host}"))
            }
            plugins::Error::Changed { file, .. } => failure.hint(format!(
                "somebody may be listening in; if the BMC was given a new certificate, let that be pinned: rm {file}"
            )),
            plugins::Error::NotRunning { .. } => failure.hint("switch it on with: rpower NODERANGE on"),
            plugins::Error::Occupied { .. } => failure.hint("take it over with: rcons --force NODE"),
            plugins::Error::Differs { .. } => failure.hint("make it anew with: mkvm --force NODERANGE"),
            plugins::Error::NoAccount { .. } => failure.hint(
                "set it with: chdef NODERANGE bmcusername=… bmcpassword=…; or for all BMCs, with that key: tabedit passwd",
            ),
            plugins::Error::Tables(tables::Error::Missing { attribute, .. }) => failure.hint(unset(&attribute)),
            plugins::Error::NoDriver { column, .. } => failure.hint(unset(column)),
            plugins::Error::UnfitDriver { path, .. } => {
                failure.hint(format!("make it one that can be run: chmod +x {path}"))
            }
            _ => failure,
        }
    }
}

fn unset(attribute: &str) -> String {
    format!("set it with: chdef NODERANGE {attribute}=…")
}

/// The command that brings a host and a registry together.
fn mended(host: &str, registry: &str, fault: &RegistryFault) -> String {
    match fault {
        RegistryFault::Untrusted { .. } => {
            format!("let the host trust it: chdef -p {host} dockertrust={registry} && mkhost {host}")
        }
        RegistryFault::Expired => "renew it with: mkregistry NODE; lsregistry names the node".into(),
        RegistryFault::Shut { user } => {
            format!("set the password of {user} with: mkregistry NODE --auth {user} --password-stdin")
        }
        RegistryFault::Unknown => format!("see what it has with: lsimage {registry}"),
        RegistryFault::NoAccount => {
            format!("tell the account with: tabedit passwd; a row with key registry and authdomain {registry}")
        }
    }
}
