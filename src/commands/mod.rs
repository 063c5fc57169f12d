//! Every command, one file each; this is the list.

use std::pin::Pin;

use clap::Args;

use crate::cli;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::ui::Format;

/// A command: a clap struct that can run. The first line of its doc comment is its help.
pub(crate) trait Run: Args {
    /// Whether it does something to nodes, for which auditlog is to know of it.
    fn is_audited(&self) -> bool {
        false
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure>;
}

/// A line of the list below.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    /// True when it is started through a link of its name too; what belongs to the program itself is not.
    pub(crate) linked: bool,
    build: fn(clap::Command) -> clap::Command,
    pub(crate) run: for<'a> fn(&clap::ArgMatches, &'a Context) -> Running<'a>,
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<Outcome, Failure>> + 'a>>;

impl Command {
    /// The parser of this command alone.
    pub(crate) fn parser(&self) -> clap::Command {
        cli::with_common((self.build)(clap::Command::new(self.name)))
    }
}

fn start<'a, C: Run + 'a>(matches: &clap::ArgMatches, cx: &'a Context) -> Running<'a> {
    match C::from_arg_matches(matches) {
        Ok(command) => {
            if command.is_audited() {
                cx.audit(matches);
            }
            Box::pin(command.run(cx))
        }
        Err(error) => Box::pin(async move { Err(Failure::usage(error.to_string())) }),
    }
}

macro_rules! commands {
    (linked { $($linked:ident :: $command:ident,)* } own { $($own:ident :: $own_command:ident,)* }) => {
        $(mod $linked;)*
        $(mod $own;)*

        /// Every command, in the order `xcrane --help` shows them.
        pub(crate) const ALL: &[Command] = &[
            $(command!($linked::$command, true),)*
            $(command!($own::$own_command, false),)*
        ];
    };
}

/// A module cannot carry the capitals of xCAT's two names that have some.
const fn spelled(module: &'static str) -> &'static str {
    match module.as_bytes() {
        b"dumpxcatdb" => "dumpxCATdb",
        b"restorexcatdb" => "restorexCATdb",
        _ => module,
    }
}

macro_rules! command {
    ($module:ident :: $command:ident, $linked:literal) => {
        Command {
            name: spelled(stringify!($module)),
            linked: $linked,
            build: <$module::$command as Args>::augment_args,
            run: |matches, cx| start::<$module::$command>(matches, cx),
        }
    };
}

commands! {
    linked {
    mkdef::Mkdef,
    chdef::Chdef,
    lsdef::Lsdef,
    rmdef::Rmdef,
    nodels::Nodels,
    nodeadd::Nodeadd,
    nodech::Nodech,
    nodegrpch::Nodegrpch,
    noderm::Noderm,
    nodepurge::Nodepurge,
    noderange::Noderange,
    makehosts::Makehosts,
    makenetworks::Makenetworks,
    tabdump::Tabdump,
    tabrestore::Tabrestore,
    tabedit::Tabedit,
    chtab::Chtab,
    gettab::Gettab,
    tabgrep::Tabgrep,
    tabprune::Tabprune,
    dumpxcatdb::Dumpxcatdb,
    restorexcatdb::Restorexcatdb,
    deflog::Deflog,
    defundo::Defundo,
    mkvm::Mkvm,
    chvm::Chvm,
    lsvm::Lsvm,
    updatevm::Updatevm,
    rmvm::Rmvm,
    mkhost::Mkhost,
    lshost::Lshost,
    rmhost::Rmhost,
    mknet::Mknet,
    lsnet::Lsnet,
    chknet::Chknet,
    rmnet::Rmnet,
    mkregistry::Mkregistry,
    lsregistry::Lsregistry,
    rmregistry::Rmregistry,
    imgpull::Imgpull,
    imgpush::Imgpush,
    imgcapture::Imgcapture,
    imgload::Imgload,
    imgsave::Imgsave,
    imgbuild::Imgbuild,
    lsimage::Lsimage,
    rmimage::Rmimage,
    copycds::Copycds,
    genimage::Genimage,
    packimage::Packimage,
    imgtest::Imgtest,
    imgimport::Imgimport,
    imgexport::Imgexport,
    mknb::Mknb,
    mkdocker::Mkdocker,
    lsdocker::Lsdocker,
    rmdocker::Rmdocker,
    rpower::Rpower,
    rsetboot::Rsetboot,
    nodeset::Nodeset,
    rinstall::Rinstall,
    rnetboot::Rnetboot,
    bootwhy::Bootwhy,
    nodediscoverstart::Nodediscoverstart,
    nodediscoverls::Nodediscoverls,
    nodediscoverstatus::Nodediscoverstatus,
    nodediscoverstop::Nodediscoverstop,
    nodediscoverdef::Nodediscoverdef,
    rinv::Rinv,
    rvitals::Rvitals,
    reventlog::Reventlog,
    rbeacon::Rbeacon,
    bmcdiscover::Bmcdiscover,
    rspconfig::Rspconfig,
    rcons::Rcons,
    nodestat::Nodestat,
    pping::Pping,
    xdsh::Xdsh,
    psh::Psh,
    xdshbak::Xdshbak,
    xcoll::Xcoll,
    xdcp::Xdcp,
    pscp::Pscp,
    updatenode::Updatenode,
    }
    own {
        link::Link,
        man::Man,
        completion::Completion,
        serve::Serve,
        module::Module,
        bundle::Bundle,
    }
}

/// The command of that name.
pub(crate) fn find(name: &str) -> Option<&'static Command> {
    ALL.iter().find(|command| command.name == name)
}

/// The command that a link of this name starts.
pub(crate) fn find_linked(name: &str) -> Option<&'static Command> {
    find(name).filter(|command| command.linked)
}

/// How answers of many nodes are shown.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Shape {
    /// Fold equal answers into one line: n[001-499]: on
    #[arg(short = 'b', long, conflicts_with = "json")]
    fold: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Shape {
    pub(crate) fn format(&self) -> Format {
        match (self.json, self.fold) {
            (true, _) => Format::Json,
            (false, true) => Format::Folded,
            (false, false) => Format::Lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    fn end_to_end() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e")
    }

    #[test]
    fn every_command_has_an_end_to_end_test() {
        let list = fs::read_to_string(end_to_end().join("main.rs")).unwrap();
        for command in ALL {
            let name = command.name.to_lowercase();
            assert!(end_to_end().join(format!("{name}.rs")).exists(), "tests/e2e/{name}.rs is missing");
            assert!(list.contains(&format!("\nmod {name};\n")), "tests/e2e/main.rs does not name {name}");
        }
    }

    #[test]
    fn every_file_of_end_to_end_tests_is_run() {
        let list = fs::read_to_string(end_to_end().join("main.rs")).unwrap();
        for entry in fs::read_dir(end_to_end()).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let module = name.trim_end_matches(".rs");
            let run = module == "main" || list.contains(&format!("\nmod {module};\n"));
            assert!(run || !name.ends_with(".rs"), "tests/e2e/main.rs does not name {module}");
        }
    }

    #[test]
    fn parsers_hold_together() {
        cli::tree().debug_assert();
        ALL.iter().for_each(|command| command.parser().debug_assert());
    }

    #[test]
    fn names_are_used_once() {
        let mut seen = HashSet::new();
        assert!(ALL.iter().all(|command| seen.insert(command.name)), "a command is listed twice");
    }

    #[test]
    fn everything_has_help() {
        for command in ALL {
            let parser = command.parser();
            assert!(parser.get_about().is_some(), "{} has no help", command.name);
            for arg in parser.get_arguments() {
                assert!(arg.get_help().is_some(), "{} of {} has no help", arg.get_id(), command.name);
            }
        }
    }

    #[test]
    fn help_speaks_as_one() {
        for command in ALL {
            let parser = command.parser();
            let about = parser.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(!about.ends_with('.') && about.starts_with(char::is_uppercase), "{}: {about}", command.name);
            for arg in parser.get_arguments() {
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(!help.ends_with('.'), "{} {}: {help}", command.name, arg.get_id());
            }
        }
    }
}
