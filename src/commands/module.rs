//! `xcrane module`: what is set up on a cluster in parts, and how these stand to each other.

mod draw;
mod info;
mod plans;
mod tell;
mod work;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Run, Shape};
use crate::context::Context;
use crate::diskless::import::Whence;
use crate::failure::Failure;
use crate::fanout::pressed;
use crate::modules::check::Manner;
use crate::modules::manifest::Method;
use crate::modules::optional::Wanted;
use crate::modules::selector::{Expression, Selector};
use crate::modules::site::Site;
use crate::outcome::Outcome;

/// What `plan` and `audit` end with when something is to be done.
const CHANGES: Outcome = Outcome::Code(2);

/// Set up services in parts that depend on each other: plan, apply, audit
#[derive(Debug, Args)]
#[command(
    after_help = "A module is a directory with module.toml in $XCRANE_HOME/modules, or in one of site.modulepath.
Its config is $XCRANE_HOME/configs/NAME.toml. plan ends with 0 when there is nothing to do, with 2 when
there is, and with 1 when it is not for all nodes, as some could not be asked. apply carries out the
plan that was made last of a module, and shows it before; with --plan only the one that is meant. It
refuses one of which the config, the module's directory, its state or that of a module which it
requires have changed since. audit asks with the config that was applied, and ends with 2 where
machines differ. A module may also have backup, restore, update, scale and test, once it was applied;
info tells which.

What programs say of how far they have come is shown on a terminal, with --json as replies, and
elsewhere with xcrane module -V VERB. On how many nodes a module works at once is what -f says, else
site.modulefanout, else 32; a module may say fewer for what it changes.

Examples:
  xcrane module search 'kind eq database' 'version ge 3'
  xcrane module init etcd && vi $XCRANE_HOME/configs/etcd.toml
  xcrane module plan etcd && echo nothing to do
  xcrane module apply etcd --plan 691df23ea871413f
  xcrane module apply etcd -f 8
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
        #[command(flatten)]
        shape: Shape,
    },
    /// Print the order in which modules would be applied, each with what it requires; ends with 1 where some cannot be
    Graph {
        /// The modules; default is all
        names: Vec<String>,
        #[command(flatten)]
        shape: Shape,
    },
    /// Write a config to begin with, or bring one up to date; what was edited is kept, and the difference shown
    Init {
        /// The module
        name: String,
        /// Write over what was edited, too
        #[arg(short, long)]
        force: bool,
        #[command(flatten)]
        shape: Shape,
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
        width: Width,
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
        #[command(flatten)]
        width: Width,
        #[command(flatten)]
        shape: Shape,
    },
    /// Tell where machines are otherwise than the module left them
    Audit {
        /// The module
        name: String,
        /// Take harmless differences into the state
        #[arg(long)]
        adopt: bool,
        #[command(flatten)]
        width: Width,
        #[command(flatten)]
        shape: Shape,
    },
    /// Ask a module all that changes nothing, and tell whether it keeps to the contract
    Check {
        /// The module, or a directory that is one
        name: String,
        /// Also apply it, twice, to these nodes, which are to spare, and ask all else that it offers
        #[arg(long, value_name = "NODERANGE")]
        apply: Option<String>,
        /// A config to go by; default is the site's, else what init proposes
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
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
        width: Width,
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
        width: Width,
        #[command(flatten)]
        shape: Shape,
    },
    /// Bring an applied module to the version that its directory has
    Update {
        /// The module
        name: String,
        /// Also to one that is older
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        width: Width,
        #[command(flatten)]
        shape: Shape,
    },
    /// Bring an applied module to the nodes that its config means now
    Scale {
        /// The module
        name: String,
        #[command(flatten)]
        width: Width,
        #[command(flatten)]
        shape: Shape,
    },
    /// Have an applied module try whether it works
    Test {
        /// The module
        name: String,
        #[command(flatten)]
        width: Width,
        #[command(flatten)]
        shape: Shape,
    },
    /// Print what is known of modules that were applied, as JSON; or take back what was printed, JSON or YAML
    State {
        /// The module; default is all
        name: Option<String>,
        /// Print YAML
        #[arg(long, conflicts_with = "import")]
        yaml: bool,
        /// Read one module's document, or what this prints of all, from this file, - for standard input; all is taken or nothing
        #[arg(long, value_name = "FILE")]
        import: Option<PathBuf>,
    },
    /// Forget a module that nobody requires; machines stay as they are
    Remove {
        /// The module
        name: String,
        /// Also one that is half applied
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        shape: Shape,
    },
}

/// How many nodes are worked on.
#[derive(Debug, Args)]
struct Width {
    /// Nodes at once
    #[arg(short, long, value_name = "N")]
    fanout: Option<NonZeroUsize>,
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

impl Verb {
    /// What it says of all that is told, and of how many nodes are asked at once.
    fn manner(&self) -> (Shape, Option<NonZeroUsize>) {
        match self {
            Self::List { shape }
            | Self::Search { shape, .. }
            | Self::Info { shape, .. }
            | Self::Graph { shape, .. }
            | Self::Init { shape, .. }
            | Self::Check { shape, .. }
            | Self::Remove { shape, .. } => (*shape, None),
            Self::Plan { width, shape, .. }
            | Self::Apply { width, shape, .. }
            | Self::Audit { width, shape, .. }
            | Self::Backup { width, shape, .. }
            | Self::Restore { width, shape, .. }
            | Self::Update { width, shape, .. }
            | Self::Scale { width, shape, .. }
            | Self::Test { width, shape, .. } => (*shape, width.fanout),
            Self::Add { .. } | Self::State { .. } => (Shape::default(), None),
        }
    }
}

async fn carry_out(verb: Verb, cx: &Context) -> Result<Outcome, Failure> {
    let (shape, fanout) = verb.manner();
    cx.tell_progress(shape.format());
    cx.bound(fanout);
    let verb = match verb {
        Verb::Apply { name, with_requirements: true, .. } => return plans::carry_out_all(cx, &name).await,
        Verb::Apply { name, plan, .. } => return plans::carry_out_kept(cx, &name, plan.as_deref()).await,
        Verb::Restore { name, file, .. } => {
            return work::further(cx, &name, work::restored(&name, file.as_deref())?, shape).await;
        }
        Verb::Update { name, force, .. } => {
            let wanted = Wanted { may_go_back: force, ..work::of(Method::Update) };
            return work::further(cx, &name, wanted, shape).await;
        }
        Verb::Backup { name, .. } => return work::further(cx, &name, work::of(Method::Backup), shape).await,
        Verb::Scale { name, .. } => return work::further(cx, &name, work::of(Method::Scale), shape).await,
        Verb::Test { name, .. } => return work::further(cx, &name, work::of(Method::Test), shape).await,
        verb => verb,
    };
    let mut site = Site::read(cx)?;
    match verb {
        Verb::List { .. } => tell::list(cx, &site, shape, None),
        Verb::Search { expressions, .. } => {
            let selector = Selector::new(expressions).map_err(Failure::usage)?;
            tell::list(cx, &site, shape, Some(&selector))
        }
        Verb::Info { name, .. } => info::info(cx, &site, &name, shape),
        Verb::Graph { names, .. } => draw::graph(cx, &site, names, shape),
        Verb::Init { name, force, .. } => work::begin(cx, &site, &name, force, shape).await,
        Verb::Plan { names, with_requirements, .. } => plans::plan(cx, &site, &names, with_requirements, shape).await,
        Verb::Audit { name, adopt, .. } => work::compare(cx, &mut site, &name, adopt, shape).await,
        Verb::Check { name, apply, config, .. } => {
            let manner = Manner { apply: apply.as_deref(), config: config.as_deref() };
            work::judge(cx, &site, &name, manner, shape).await
        }
        Verb::State { import: Some(file), name, .. } => work::import(cx, &mut site, name.as_deref(), &file),
        Verb::State { name, yaml, import: None } => tell::state(cx, &site, name.as_deref(), yaml),
        Verb::Remove { name, force, .. } => work::remove(cx, &mut site, &name, force, shape),
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
