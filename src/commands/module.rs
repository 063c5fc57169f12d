//! `xcrane module`: what is set up on a cluster in parts, and how these stand to each other.

mod plans;
mod tell;
mod work;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Run, Shape};
use crate::context::Context;
use crate::diskless::import::Whence;
use crate::failure::Failure;
use crate::fanout::pressed;
use crate::modules::manifest::Method;
use crate::modules::selector::{Expression, Selector};
use crate::modules::site::Site;
use crate::outcome::Outcome;

/// What `plan` and `audit` end with when something is to be done.
const CHANGES: Outcome = Outcome::Code(2);

/// Set up services in parts that depend on each other: plan, apply, audit
#[derive(Debug, Args)]
#[command(
    after_help = "A module is a directory with module.toml in $XCRANE_HOME/modules, or in one of site.modulepath. Its config is
$XCRANE_HOME/configs/NAME.toml. plan ends with 0 when there is nothing to do, with 2 when there is, and with 1 when it is not for all
nodes, as some could not be asked. apply carries out the plan that was made last of a module, and shows it before; with --plan only
the one that is meant. It refuses one of which the config, the module's directory, its state or that of a module which it requires
have changed since. audit asks with the config that was applied, and ends with 2 where machines differ. A module may also have backup, restore, update, scale and test, once it was applied; info tells which.

Examples:
  xcrane module search 'kind eq database' 'version ge 3'
  xcrane module init etcd && vi $XCRANE_HOME/configs/etcd.toml
  xcrane module plan etcd && echo nothing to do
  xcrane module apply etcd --plan 691df23ea871413f
  xcrane module apply network --with-requirements
  xcrane module check ./mine --apply n1 --json
  xcrane module state etcd --yaml > etcd.yml"
)]
pub(crate) struct Module {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the modules there are, and what was applied of them
    List {
        #[command(flatten)]
        shape: Shape,
    },
    /// List the modules whose labels fulfil all expressions: KEY OPERATOR [VALUE,…]
    Search {
        /// Such as 'version ge 1.2'
        #[arg(value_name = "EXPRESSION", required = true)]
        expressions: Vec<Expression>,
        #[command(flatten)]
        shape: Shape,
    },
    /// Tell all that a module says of itself
    Info {
        /// The module
        name: String,
    },
    /// Print the order in which modules would be applied, each with what it requires
    Graph {
        /// The modules; default is all
        names: Vec<String>,
    },
    /// Write a config to begin with; one that was edited is kept, and the difference shown
    Init {
        /// The module
        name: String,
        /// Write over one that differs
        #[arg(short, long)]
        force: bool,
    },
    /// Show what apply would do, and keep that
    Plan {
        /// The modules
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
        /// Also plan what they require and is not installed
        #[arg(long)]
        with_requirements: bool,
        #[command(flatten)]
        shape: Shape,
    },
    /// Carry out the plan that was made last of a module; a run that was cut off goes on where it was
    Apply {
        /// The module
        name: String,
        /// The plan that is meant; refused if it was made again since
        #[arg(long, value_name = "ID")]
        plan: Option<String>,
        /// Plan it with what it requires and is not installed, show that, and carry it out
        #[arg(long, conflicts_with = "plan")]
        with_requirements: bool,
    },
    /// Tell where machines are otherwise than the module left them
    Audit {
        /// The module
        name: String,
        /// Take harmless differences into the state
        #[arg(long)]
        adopt: bool,
        #[command(flatten)]
        shape: Shape,
    },
    /// Ask a module all that changes nothing, and tell whether it keeps to the contract
    Check {
        /// The module, or a directory that is one
        name: String,
        /// Also apply it, twice, to these nodes, which are to spare
        #[arg(long, value_name = "NODERANGE")]
        apply: Option<String>,
        #[command(flatten)]
        shape: Shape,
    },
    /// Take in a module that comes as a container image, with its directory at /module
    Add {
        /// docker://IMAGE of one of our registries, or docker://FILE, with '/' or '.' in front, as 'docker save' writes it
        source: String,
    },
    /// Have an applied module say what it needs to be restored, and keep that
    Backup {
        /// The module
        name: String,
        #[command(flatten)]
        shape: Shape,
    },
    /// Give an applied module back what it has said for its backup
    Restore {
        /// The module
        name: String,
        /// A file that backup has named; default is the newest
        file: Option<PathBuf>,
        #[command(flatten)]
        shape: Shape,
    },
    /// Bring an applied module to the version that its directory has
    Update {
        /// The module
        name: String,
        #[command(flatten)]
        shape: Shape,
    },
    /// Bring an applied module to the nodes that its config means now
    Scale {
        /// The module
        name: String,
        #[command(flatten)]
        shape: Shape,
    },
    /// Have an applied module try whether it works
    Test {
        /// The module
        name: String,
        #[command(flatten)]
        shape: Shape,
    },
    /// Print what is known of modules that were applied, as JSON; or take such a document back, JSON or YAML
    State {
        /// The module; default is all
        name: Option<String>,
        /// Print YAML
        #[arg(long, conflicts_with = "import")]
        yaml: bool,
        /// Read a document from this file, - for standard input, in place of what is known
        #[arg(long, value_name = "FILE")]
        import: Option<PathBuf>,
    },
    /// Forget a module that nobody requires; machines stay as they are
    Remove {
        /// The module
        name: String,
        /// Also one that is half applied
        #[arg(short, long)]
        force: bool,
    },
}

impl Run for Module {
    fn is_audited(&self) -> bool {
        let changes = |verb: &Verb| match verb {
            Verb::Apply { .. } | Verb::Restore { .. } | Verb::Update { .. } | Verb::Scale { .. } => true,
            Verb::Check { apply, .. } => apply.is_some(),
            _ => false,
        };
        changes(&self.verb)
    }

    /// Ctrl-C ends what was begun: what each node has answered is written down, and the same command goes on.
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        if let Verb::Add { source } = &self.verb {
            // It ends itself.
            return work::take_in(cx, &whence(source)?).await;
        }
        let mut keyboard = cx.keyboard();
        let done = tokio::select! {
            done = carry_out(self.verb, cx) => Some(done),
            () = pressed(&mut keyboard) => None,
        };
        cx.give_back(keyboard);
        done.unwrap_or_else(|| Err(Failure { outcome: Outcome::Interrupted, ..Failure::refused("interrupted") }))
    }
}

async fn carry_out(verb: Verb, cx: &Context) -> Result<Outcome, Failure> {
    let verb = match verb {
        Verb::Apply { name, with_requirements: true, .. } => return plans::carry_out_all(cx, &name).await,
        Verb::Apply { name, plan, .. } => return plans::carry_out_kept(cx, &name, plan.as_deref()).await,
        Verb::Backup { name, shape } => return work::further(cx, &name, Method::Backup, None, shape).await,
        Verb::Restore { name, file, shape } => return work::further(cx, &name, Method::Restore, file, shape).await,
        Verb::Update { name, shape } => return work::further(cx, &name, Method::Update, None, shape).await,
        Verb::Scale { name, shape } => return work::further(cx, &name, Method::Scale, None, shape).await,
        Verb::Test { name, shape } => return work::further(cx, &name, Method::Test, None, shape).await,
        verb => verb,
    };
    let mut site = Site::read(cx)?;
    match verb {
        Verb::List { shape } => tell::list(cx, &site, shape, |_| true),
        Verb::Search { expressions, shape } => {
            let selector = Selector::new(expressions).map_err(Failure::usage)?;
            tell::list(cx, &site, shape, |module| selector.matches(&module.manifest.labels))
        }
        Verb::Info { name } => tell::info(cx, &site, &name),
        Verb::Graph { names } => tell::graph(cx, &site, names),
        Verb::Init { name, force } => work::begin(cx, &site, &name, force).await,
        Verb::Plan { names, with_requirements, shape } => {
            plans::plan(cx, &site, &names, with_requirements, shape).await
        }
        Verb::Audit { name, adopt, shape } => work::compare(cx, &mut site, &name, adopt, shape).await,
        Verb::Check { name, apply, shape } => work::judge(cx, &site, &name, apply.as_deref(), shape).await,
        Verb::State { import: Some(file), name, .. } => work::import(cx, &site, name.as_deref(), &file),
        Verb::State { name, yaml, import: None } => tell::state(cx, &site, name.as_deref(), yaml),
        Verb::Remove { name, force } => work::remove(cx, &mut site, &name, force),
        Verb::Add { .. }
        | Verb::Apply { .. }
        | Verb::Backup { .. }
        | Verb::Restore { .. }
        | Verb::Update { .. }
        | Verb::Scale { .. }
        | Verb::Test { .. } => unreachable!("is carried out above"),
    }
}

fn whence(source: &str) -> Result<Whence, Failure> {
    let image = source.strip_prefix("docker://").ok_or_else(|| {
        Failure::usage(format!("'{source}' is no docker://IMAGE and no docker://FILE"))
            .hint("a directory needs no adding: put it into $XCRANE_HOME/modules")
    })?;
    Whence::parse(image)
}
