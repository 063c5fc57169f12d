//! Definitions and noderanges at two sizes, beside ClusterShell's `nodeset` where that does the same job.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::race::{Answers, Job, race};
use crate::report::{Report, Target};
use crate::{Result, XCRANE, word};

/// As many nodes share a rack.
const RACK: usize = 100;
/// Of the faster jobs, whose time is a few milliseconds.
const RUNS: usize = 7;
/// Of those that take longer.
const FEW_RUNS: usize = 3;
/// How much faster than the rival we want to be.
const WANTED: f64 = 20.0;
/// So that SQLite's own client does nothing but change rows.
const ROWS_ALONE: &str = "DROP TRIGGER nodelist_inserted; DROP TRIGGER nodelist_deleted; ";
/// What expanding or folding all names may take beyond starting and ending the program.
const BEYOND_START: Duration = Duration::from_millis(15);

/// Compares at every size.
pub(crate) fn run(report: &mut Report, work: &Path) -> Result<()> {
    for count in [10_000, 100_000] {
        let site = Site::define(&work.join(count.to_string()), count)?;
        report.section(&format!("{count} nodes in {} racks", count / RACK))?;
        site.compare_questions(report)?;
        site.compare_ranges(report)?;
        site.compare_changes(report)?;
    }
    Ok(())
}

/// The same nodes and groups in our database and in the rival's file.
struct Site {
    count: usize,
    dir: PathBuf,
    nodeset: String,
}

impl Site {
    /// Nodes that have groups only and get the rest of their attributes from these, some by expression.
    fn define(dir: &Path, count: usize) -> Result<Self> {
        let nodeset =
            std::env::var("NODESET").map_err(|_| "NODESET does not say where the rival is; use tests/bench/run")?;
        let site = Self { count, dir: dir.to_owned(), nodeset };
        fs::create_dir_all(site.dir.join("groups.d"))?;
        fs::write(site.dir.join("nodes"), site.stanzas()?)?;
        fs::write(site.dir.join("names"), site.names().join("\n") + "\n")?;
        fs::write(site.dir.join("groups.conf"), "[Main]\ndefault: bench\nautodir: $CFGDIR/groups.d\n")?;
        fs::write(site.dir.join("groups.d/bench.yaml"), site.rivals_groups()?)?;
        site.xcrane(["mkdef", "-z"]).stdin(site.dir.join("nodes")).weigh()?;
        Ok(site)
    }

    /// The target with a limit for our time, which is set for 10,000 nodes.
    fn within(&self, millis: u64, target: Target) -> Target {
        let limit = (self.count == 10_000).then(|| Duration::from_millis(millis));
        Target { time: limit, ..target }
    }

    fn names(&self) -> Vec<String> {
        let digits = self.count.to_string().len();
        (1..=self.count).map(|number| format!("n{number:0digits$}")).collect()
    }

    /// A range of all nodes, without a group.
    fn range(&self) -> String {
        let digits = self.count.to_string().len();
        format!("n[{:0digits$}-{}]", 1, self.count)
    }

    fn stanzas(&self) -> Result<String> {
        let mut text = String::from("# <xCAT data object stanza file>\n");
        text.push_str(
            "\ncompute:\n    objtype=group\n    mgt=ipmi\n    os=debian12\n    arch=x86_64\n    profile=compute\n",
        );
        text.push_str("    netboot=xnba\n    bmc=|n0*(\\d+)|10.1.($1/250).($1%250+1)|\n    bmcusername=admin\n");
        for (index, name) in self.names().iter().enumerate() {
            let rack = index / RACK + 1;
            write!(text, "\n{name}:\n    objtype=node\n    groups=compute,rack{rack:04},all\n")?;
        }
        Ok(text)
    }

    fn rivals_groups(&self) -> Result<String> {
        let names = self.names();
        let mut text = format!("bench:\n  all: '{0}'\n  compute: '{0}'\n", self.range());
        for (index, rack) in names.chunks(RACK).enumerate() {
            let digits = rack[0].trim_start_matches('n');
            let last = rack[rack.len() - 1].trim_start_matches('n');
            writeln!(text, "  rack{:04}: 'n[{digits}-{last}]'", index + 1)?;
        }
        Ok(text)
    }

    fn xcrane<const N: usize>(&self, arguments: [&str; N]) -> Job {
        let job = Job::new("xcrane", [XCRANE].into_iter().chain(arguments));
        job.env("XCRANE_HOME", word(&self.dir.join("home"))).env("XCRANE_CONFIG", "/nonexistent")
    }

    fn nodeset<const N: usize>(&self, arguments: [&str; N]) -> Job {
        let job = Job::new("nodeset", [self.nodeset.as_str()].into_iter().chain(arguments));
        Job { name: format!("nodeset {}", arguments.join(" ")), ..job }.env("CLUSTERSHELL_CFGDIR", word(&self.dir))
    }

    /// SQLite's own client with our database, or a copy of it.
    fn sqlite(&self, home: &str, name: &str, sql: &str) -> Job {
        Job::new(name, ["sqlite3", &word(&self.dir.join(home).join("xcrane.db")), sql])
    }

    fn line(
        &self,
        report: &mut Report,
        (what, target): (&str, Target),
        jobs: [Job; 2],
        answers: Answers,
        runs: usize,
    ) -> Result<()> {
        let figures = race(&jobs, runs, answers)?;
        report.line(what, &figures[0], figures.get(1), target)
    }
}

impl Site {
    fn compare_questions(&self, report: &mut Report) -> Result<()> {
        let names = self.names();
        let one = names[self.count / 2].as_str();
        let jobs = [self.xcrane(["lsdef", one]), self.nodeset(["-l", one])];
        let target = self.within(10, Target::ratio(WANTED));
        self.line(report, (&format!("lsdef {one}"), target), jobs, Answers::OfTheirOwn, RUNS)?;

        // The rival neither inherits nor computes; it shows what reading and writing alone cost.
        let raw = "SELECT * FROM nodelist LEFT JOIN nodehm USING (node) LEFT JOIN nodetype USING (node) \
                   LEFT JOIN ipmi USING (node) LEFT JOIN noderes USING (node)";
        let jobs = [self.xcrane(["lsdef", "all"]), self.sqlite("home", "sqlite3, the stored rows alone", raw)];
        let target = self.within(150, Target::default());
        self.line(report, ("lsdef all", target), jobs, Answers::OfTheirOwn, FEW_RUNS)?;

        let jobs = [self.xcrane(["nodels"]), self.nodeset(["-a", "-e", "-S", "\\n"])];
        self.line(report, ("nodels", Target::ratio(WANTED)), jobs, Answers::Same, RUNS)?;
        let jobs = [self.xcrane(["nodels", "rack0042"]), self.nodeset(["-e", "-S", "\\n", "@rack0042"])];
        self.line(report, ("nodels rack0042", Target::ratio(WANTED)), jobs, Answers::Same, RUNS)
    }

    fn compare_ranges(&self, report: &mut Report) -> Result<()> {
        let one = ["noderange", "-n", "n1"];
        let figures = race(&[self.xcrane(one), self.nodeset(["-e", "n1"])], RUNS, Answers::Same)?;
        report.line("noderange -n n1 (start and end)", &figures[0], figures.get(1), Target::ratio(WANTED))?;
        let start = figures[0].time;

        let range = self.range();
        let target = Target { time: Some(start + BEYOND_START), ..Target::ratio(WANTED) };
        let mut line =
            |what: &str, target, ours, rivals| self.line(report, (what, target), [ours, rivals], Answers::Same, RUNS);
        let (ours, rivals) = (self.xcrane(["noderange", "-n", &range]), self.nodeset(["-e", "-S", "\\n", &range]));
        line(&format!("noderange -n {range}"), target, ours, rivals)?;
        let (ours, rivals) = (self.xcrane(["noderange", "-n", "-c", &range]), self.nodeset(["-c", &range]));
        line(&format!("noderange -n -c {range}"), target, ours, rivals)?;
        let names = self.dir.join("names");
        let (ours, rivals) = (self.xcrane(["noderange", "-n", "-f", "-"]), self.nodeset(["-f"]));
        line("noderange -n -f - <NAMES", target, ours.stdin(&names), rivals.stdin(&names))?;

        let (ours, rivals) = (
            self.xcrane(["noderange", "-f", "compute", "-x", "rack0003,rack0005"]),
            self.nodeset(["-f", "@compute", "-x", "@rack0003,@rack0005"]),
        );
        line("noderange -f compute -x rack0003,rack0005", Target::ratio(WANTED), ours, rivals)?;
        let (ours, rivals) = (
            self.xcrane(["noderange", "-c", "rack0003", "-i", "compute"]),
            self.nodeset(["-c", "@rack0003", "-i", "@compute"]),
        );
        line("noderange -c rack0003 -i compute", Target::ratio(WANTED), ours, rivals)
    }

    /// No rival keeps a journal, so there is no ratio to reach; SQLite's own client shows what the rows alone cost.
    fn compare_changes(&self, report: &mut Report) -> Result<()> {
        let range = self.range();
        let [fresh, home] = ["fresh", "home"].map(|name| word(&self.dir.join(name)));
        let empty = format!("rm -rf {fresh}; XCRANE_HOME={fresh} {XCRANE} tabdump site");
        let full = format!("rm -rf {fresh}; cp -r {home} {fresh}");
        let runs = if self.count > 10_000 { 1 } else { FEW_RUNS };
        let target = self.within(1000, Target::default());

        let ours = self.xcrane(["mkdef", &range, "groups=compute,all", "mgt=ipmi", "bmcusername=admin"]);
        let rivals =
            self.sqlite("fresh", "sqlite3, the same rows, no journal", &format!("{ROWS_ALONE}{}", self.inserts()));
        let jobs = [ours.env("XCRANE_HOME", &*fresh).before(&*empty), rivals.before(&*empty)];
        self.line(report, (&format!("mkdef {range} ..."), target), jobs, Answers::OfTheirOwn, runs)?;

        let ours = self.xcrane(["rmdef", &range]);
        let rivals =
            self.sqlite("fresh", "sqlite3, the same rows, no journal", &format!("{ROWS_ALONE}DELETE FROM nodelist"));
        let jobs = [ours.env("XCRANE_HOME", &*fresh).before(&*full), rivals.before(&*full)];
        self.line(report, (&format!("rmdef {range}"), target), jobs, Answers::OfTheirOwn, runs)
    }

    /// The rows that our `mkdef` makes.
    fn inserts(&self) -> String {
        let digits = self.count.to_string().len();
        let count = self.count;
        let names = format!(
            "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {count}) \
             INSERT INTO name SELECT printf('n%0{digits}d', n) FROM number;"
        );
        format!(
            "CREATE TEMP TABLE name(node TEXT); {names} BEGIN; \
             INSERT INTO nodelist(node, groups) SELECT node, 'compute,all' FROM name; \
             INSERT INTO nodehm(node, mgt) SELECT node, 'ipmi' FROM name; \
             INSERT INTO ipmi(node, username) SELECT node, 'admin' FROM name; COMMIT"
        )
    }
}
