//! What can go wrong with a backend, by what the caller could do about it.

use std::time::Duration;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Display says what we were doing, names the host or node, and leaves the cause to `source`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Every backend of the node was tried; what each said.
    #[error("{tried}")]
    InVain { tried: String, unreachable: bool, did_nothing: bool },
    /// The node's driver does not do this.
    #[error("{what} is not supported when using {column}={driver}")]
    Unsupported { what: String, column: &'static str, driver: String },
    /// The column that chooses the driver is unset.
    #[error("attribute '{column}' is not set; it takes one of: {accepted}")]
    NoDriver { column: &'static str, accepted: String },
    /// The column names a driver that does not exist.
    #[error("attribute '{column}' is '{value}', which is not a backend; it takes one of: {accepted}")]
    UnknownDriver { column: &'static str, value: String, accepted: String },
    /// The column names a file that would be a driver if it were executable.
    #[error("attribute '{column}' is '{value}', and {path} is not executable")]
    UnfitDriver { column: &'static str, value: String, path: String },
    /// The definition lacks something or says something that cannot be.
    #[error("attribute '{attribute}': {why}")]
    Definition { attribute: String, why: String },
    /// Nobody says who we are to a BMC; table passwd could, in the row of one of `keys`.
    #[error("attribute '{attribute}' (table ipmi) is not set, and table passwd has no row for key {keys}")]
    NoAccount { attribute: &'static str, keys: String },
    #[error(transparent)]
    Tables(#[from] tables::Error),
    #[error("cannot reach {what}")]
    Unreachable { what: String, source: Box<dyn std::error::Error + Send + Sync> },
    /// Wrong key, wrong host key, no permission.
    #[error("{what}: {why}")]
    Denied { what: String, why: String },
    /// A BMC shows another certificate than it did before; `file` has the fingerprint of that one.
    #[error("{what}: its certificate has changed: it shows {shown}, and {pinned} is pinned")]
    Changed { what: String, shown: String, pinned: String, file: String },
    /// The other side understood and said no.
    #[error("{what}: {why}")]
    Refused { what: String, why: String },
    #[error("{what}: no answer after {} s", after.as_secs_f32())]
    TimedOut { what: String, after: Duration },
    /// An answer that makes no sense.
    #[error("{what}: {why}")]
    Garbled { what: String, why: String },
    #[error("no such guest on {host}")]
    Absent { host: String },
    /// A guest's network is not there yet.
    #[error("{host}: cannot create: there is no network '{network}' (attribute vmnics) on this host; it has {has}")]
    NoNetwork { host: String, network: String, has: String },
    /// It exists and does not run; `state` is the backend's own word.
    #[error("not running ({state})")]
    NotRunning { state: String },
    /// A console that is for one only is somebody else's.
    #[error("{what}: another client has the console")]
    Occupied { what: String },
    /// A guest of that name exists and is not what the definition says.
    #[error("exists on {host} and differs from its definition: {}", differences.join("; "))]
    Differs { host: String, differences: Vec<String> },
    /// A host and a registry do not come together, for a reason that an admin can mend.
    #[error("{host}: cannot {doing}: {fault}")]
    Registry { host: String, doing: String, registry: String, fault: RegistryFault },
    /// A host's disk takes no more.
    #[error("{host}: cannot {doing}: no space is left on the disk of its images")]
    Full { host: String, doing: String },
    #[error("cannot {doing} {path}")]
    File { doing: &'static str, path: String, source: std::io::Error },
}

/// What is wrong between a host and a registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryFault {
    #[error("the host does not trust its registry, because {missing} is not there or is of another authority")]
    Untrusted { missing: String },
    #[error("the certificate of its registry has expired")]
    Expired,
    #[error("its registry does not let in {user}")]
    Shut { user: String },
    #[error("neither the host nor the registry has it")]
    Unknown,
    #[error("its registry lets in nobody without an account, and there is none for it in the tables")]
    NoAccount,
}

impl Error {
    /// Nothing can come of asking other nodes of the same host.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::TimedOut { .. } | Self::InVain { unreachable: true, .. })
    }

    /// Whether surely nothing was done to the node.
    pub fn did_nothing(&self) -> bool {
        let was_not_heard =
            matches!(self, Self::Unreachable { .. } | Self::Denied { .. } | Self::InVain { did_nothing: true, .. });
        was_not_heard || matches!(self, Self::Unsupported { .. } | Self::Changed { .. }) || self.is_definition()
    }

    /// Whether what the tables say of the node is the reason, so that nobody was asked.
    pub(crate) fn is_definition(&self) -> bool {
        matches!(self, Self::Definition { .. } | Self::NoAccount { .. } | Self::Tables(_))
    }

    /// The same error once more, for the next node of a host that failed for all of them.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Unreachable { what, source } => {
                Self::Unreachable { what: what.clone(), source: chain(source.as_ref()).into() }
            }
            Self::Denied { what, why } => Self::Denied { what: what.clone(), why: why.clone() },
            Self::Refused { what, why } => Self::Refused { what: what.clone(), why: why.clone() },
            Self::Garbled { what, why } => Self::Garbled { what: what.clone(), why: why.clone() },
            Self::Definition { attribute, why } => Self::Definition { attribute: attribute.clone(), why: why.clone() },
            Self::TimedOut { what, after } => Self::TimedOut { what: what.clone(), after: *after },
            Self::Registry { host, doing, registry, fault } => Self::Registry {
                host: host.clone(),
                doing: doing.clone(),
                registry: registry.clone(),
                fault: fault.clone(),
            },
            Self::Full { host, doing } => Self::Full { host: host.clone(), doing: doing.clone() },
            Self::File { doing, path, source } => {
                let source = std::io::Error::new(source.kind(), source.to_string());
                Self::File { doing, path: path.clone(), source }
            }
            other => Self::Refused { what: "the host".into(), why: chain(other) },
        }
    }
}

/// An error and its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut last = text.clone();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        // A cause that only repeats what was said, or says it again behind a code, adds nothing.
        if !text.ends_with(&said) && !said.ends_with(&last) {
            text = format!("{text}: {said}");
        }
        last = said;
        cause = error.source();
    }
    text
}
