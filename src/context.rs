//! What a command is given: tables, backends, the terminal, and who is asking. Everything is made on first use.

use std::cell::{Cell, OnceCell};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use ipnetwork::IpNetwork;
use netboot::interfaces;
use plugins::{Backends, Event, Progress, Secret, Settings};
use tables::{Audited, Node, Origin, Select, Tables, schema};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::{Failure, add_hints};
use crate::outcome::Outcome;
use crate::progress::{Bars, Events};
use crate::reply::{Body, Reply};
use crate::ui::{Format, Ui};
use crate::{bmc, command_line, config, registry};

/// How long the backends may take to end what they began.
const FINISHING: Duration = Duration::from_secs(5);

/// The world of one command. Nothing is opened that the command does not ask for.
pub(crate) struct Context {
    pub(crate) ui: std::sync::Arc<Ui>,
    /// The words of the command line, for the journal.
    command_line: Vec<String>,
    /// `-V`: tell more.
    pub(crate) verbose: bool,
    tables: OnceCell<Tables>,
    backends: OnceCell<Backends>,
    progress_format: Cell<Format>,
    /// How many nodes are asked at once, where the command line says so.
    fanout: Cell<Option<NonZeroUsize>>,
    keyboard: Cell<Option<Signal>>,
}

impl Context {
    pub(crate) fn new(command_line: Vec<String>, verbose: bool) -> Self {
        Self {
            ui: Ui::new().into(),
            command_line,
            verbose,
            tables: OnceCell::new(),
            backends: OnceCell::new(),
            progress_format: Cell::default(),
            fanout: Cell::default(),
            keyboard: Cell::new(None),
        }
    }

    /// The same world with connections and tables opened anew, for a command that has waited for hours.
    pub(crate) fn renewed(&self) -> Self {
        Self {
            ui: self.ui.clone(),
            command_line: self.command_line.clone(),
            verbose: self.verbose,
            tables: OnceCell::new(),
            backends: OnceCell::new(),
            progress_format: self.progress_format.clone(),
            fanout: self.fanout.clone(),
            keyboard: Cell::new(self.keyboard.take()),
        }
    }

    /// The tables of this home.
    pub(crate) fn tables(&self) -> Result<&Tables, Failure> {
        if self.tables.get().is_none() {
            let tables = Tables::open(&config::home()?)?;
            self.tables.get_or_init(|| tables);
        }
        Ok(self.tables.get().expect("set above"))
    }

    /// Tells how far long work has come as `format` has it; to be said before the first work.
    pub(crate) fn tell_progress(&self, format: Format) {
        self.progress_format.set(format);
    }

    /// How that is told.
    pub(crate) fn progress_format(&self) -> Format {
        self.progress_format.get()
    }

    /// Asks no more nodes at once than the command line says, if it does.
    pub(crate) fn bound(&self, fanout: Option<NonZeroUsize>) {
        self.fanout.set(fanout);
    }

    /// What [`Self::bound`] was told.
    pub(crate) fn fanout(&self) -> Option<NonZeroUsize> {
        self.fanout.get()
    }

    /// Whom long work tells how far it has come.
    pub(crate) fn progress(&self) -> Progress {
        match self.progress_format.get() {
            Format::Json => {
                let events = Events::new(self.ui.clone());
                Progress::new(move |event: Event| events.tell(event))
            }
            Format::Lines | Format::Folded => {
                let bars = Bars::new(self.ui.clone());
                Progress::new(move |event: Event| bars.show(event))
            }
        }
    }

    /// The backends, with what table site says of limits and keys.
    pub(crate) fn backends(&self) -> Result<&Backends, Failure> {
        if self.backends.get().is_none() {
            let progress = self.progress();
            let backends = Backends::new(&self.settings()?, &progress);
            self.backends.get_or_init(|| backends);
        }
        Ok(self.backends.get().expect("set above"))
    }

    /// What hears Ctrl-C; whoever takes it gives it back, so that one that comes between two questions to the nodes is
    /// heard by the second.
    pub(crate) fn keyboard(&self) -> Option<Signal> {
        self.keyboard.take().or_else(|| signal(SignalKind::interrupt()).ok())
    }

    pub(crate) fn give_back(&self, keyboard: Option<Signal>) {
        self.keyboard.set(keyboard);
    }

    /// Lets the backends end what they began, as programs on nodes whose output nobody waits for any more.
    pub(crate) async fn finish(&self) {
        let Some(backends) = self.backends.get() else { return };
        let finished = tokio::select! {
            finished = backends.finish(FINISHING) => finished,
            _ = tokio::signal::ctrl_c() => false,
        };
        if !finished {
            self.ui.note("Some of what was begun on the nodes may still run there.");
        }
    }

    /// Writes the command to auditlog. That it cannot be written stops no one: a node may have to be switched off now.
    pub(crate) fn audit(&self, matches: &clap::ArgMatches) {
        let noderange = matches.try_get_one::<String>("noderange").ok().flatten();
        let noderange = noderange.map_or("", String::as_str);
        let (command, arguments) = command_line::parts(&self.command_line, noderange);
        let (user, client) = (login_name(), nix::unistd::gethostname().unwrap_or_default());
        let audited =
            Audited { user: &user, client: &client.to_string_lossy(), command, noderange, arguments: &arguments };
        if let Err(failure) = self.tables().and_then(|tables| Ok(tables.audit(&audited)?)) {
            self.ui.warning(&format!("not written to auditlog: {}", failure.message));
        }
    }

    /// Who is asking.
    pub(crate) fn who(&self) -> String {
        login_name()
    }

    /// Who changes the tables and why, for the journal.
    pub(crate) fn origin(&self, reason: Option<String>) -> Origin {
        Origin { user: login_name(), command: command_line::written(&self.command_line), reason }
    }

    /// The nodes of a range, fully resolved; an unknown name or an empty range refuses the command.
    pub(crate) fn nodes(&self, range: &str) -> Result<Vec<Node>, Failure> {
        Ok(self.tables()?.nodes(range)?)
    }

    /// Checks every node before the first is touched: says of each bad one what is wrong, and refuses the command.
    pub(crate) fn check(
        &self,
        format: Format,
        nodes: &[Node],
        check: impl Fn(&Node) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut refused = Vec::new();
        let mut hints = Vec::new();
        for node in nodes {
            if let Err(failure) = check(node) {
                let body = Body::Error(failure.message);
                self.ui.reply(format, Reply { node: Some(node.name().to_owned()), body });
                add_hints(&mut hints, failure.hints);
                refused.push(node.name().to_owned());
            }
        }
        if refused.is_empty() {
            return Ok(());
        }
        self.ui.finish_folding();
        let names = tables::noderange::fold(&refused);
        if hints.is_empty() && refused.len() < nodes.len() {
            hints.push(format!("the others can be served: NODERANGE,-({names}) leaves out who cannot"));
        }
        Err(Failure { hints, ..Failure::refused(format!("nothing was done: {names} cannot be served as defined")) })
    }

    /// A password that somebody types, or that standard input has; never an empty one.
    pub(crate) async fn password(&self, question: &str) -> Result<Secret, Failure> {
        let password = self.ui.secret(question).await;
        let password = password.map_err(|error| Failure::refused(format!("cannot read the password: {error}")))?;
        match password {
            Some(password) if password.is_empty() => Err(Failure::refused("nothing was done: the password is empty")),
            Some(password) => Ok(Secret::new(password)),
            None => {
                let given_up = Failure::refused("nothing was done: no password was given");
                Err(Failure { outcome: Outcome::Interrupted, ..given_up })
            }
        }
    }

    /// What table site says of limits, keys and certificates.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        let tables = self.tables()?;
        let text = |key: &str| tables.site(key);
        let seconds = |key: &str, default: u64| -> Result<Duration, Failure> {
            let Some(value) = text(key)? else { return Ok(Duration::from_secs(default)) };
            match value.parse::<f64>() {
                Ok(seconds) if seconds > 0.0 && seconds < 1e6 => Ok(Duration::from_secs_f64(seconds)),
                _ => Err(Failure::refused(format!(
                    "site attribute '{key}' is '{value}', which is not a number of seconds"
                ))),
            }
        };
        let ssh = PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/root".into())).join(".ssh");
        let keys = match text("sshkeys")? {
            Some(list) => list.split(',').map(PathBuf::from).collect(),
            None => ["id_ed25519", "id_ecdsa", "id_rsa"].iter().map(|name| ssh.join(name)).collect(),
        };
        Ok(Settings {
            connect_limit: seconds("connecttimeout", 5)?,
            request_limit: seconds("requesttimeout", 60)?,
            transfer_limit: seconds("transfertimeout", 3600)?,
            ssh_user: text("sshuser")?.unwrap_or_else(|| "root".into()),
            ssh_keys: keys,
            known_hosts: vec![
                ssh.join("known_hosts"),
                "/etc/ssh/ssh_known_hosts".into(),
                config::home()?.join(netboot::hostkey::KNOWN),
            ],
            accept_new_host_keys: matches!(text("sshacceptnew")?.as_deref(), Some("yes" | "1" | "true")),
            tls_directory: match text("tlsdirectory")? {
                Some(directory) => directory.into(),
                None => config::home()?.join("ca"),
            },
            logins: registry::logins(tables)?,
            mirrors: registry::mirrors(tables)?,
            bmc_account: bmc::account(tables)?,
            redfish: bmc::redfish(tables)?,
            networks: networks(tables)?.into_iter().map(|(_, network)| network).collect(),
            executables: {
                let further = text("pluginpath")?.unwrap_or_default();
                let further = further.split(':').filter(|part| !part.is_empty()).map(PathBuf::from);
                [config::home()?.join("plugins.d")].into_iter().chain(further).collect()
            },
            executables_state: config::home()?.join("backends"),
        })
    }
}

/// The networks of table networks, with their names.
pub(crate) fn networks(tables: &Tables) -> Result<Vec<(String, IpNetwork)>, Failure> {
    let table = schema::find("networks").expect("table networks is in the schema");
    let rows = tables.rows(table, Select::All)?;
    let known = rows.iter().filter_map(|row| {
        let network = interfaces::parse(row.get("net")?, row.get("mask")?)?;
        Some((row.get("netname").unwrap_or("without a name").to_owned(), network))
    });
    Ok(known.collect())
}

/// The name the journal blames: who logged in, also behind sudo.
fn login_name() -> String {
    let behind_sudo = std::env::var("SUDO_USER").ok().filter(|name| !name.is_empty());
    let of_process = || nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map(|user| user.name);
    behind_sudo.or_else(of_process).unwrap_or_else(|| nix::unistd::geteuid().to_string())
}
