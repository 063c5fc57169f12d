//! Two programs that do the same job, run in turn. What disturbs the machine disturbs both.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;

/// A program that does the job.
#[derive(Debug, Clone, Default)]
pub(crate) struct Job {
    /// What the table calls it.
    pub(crate) name: String,
    pub(crate) argv: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) stdin: Option<PathBuf>,
    /// A shell script that sets the scene before each run; its time does not count.
    pub(crate) before: Option<String>,
}

impl Job {
    /// A job of these words.
    pub(crate) fn new(name: &str, argv: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { name: name.to_owned(), argv: argv.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// The same with a variable in its environment.
    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// The same with a script before each run.
    pub(crate) fn before(mut self, script: impl Into<String>) -> Self {
        self.before = Some(script.into());
        self
    }

    /// The same with a file as standard input.
    pub(crate) fn stdin(mut self, path: impl Into<PathBuf>) -> Self {
        self.stdin = Some(path.into());
        self
    }

    fn command(&self, before_it: &[&str]) -> Result<Command> {
        let mut words = before_it.iter().copied().chain(self.argv.iter().map(String::as_str));
        let mut command = Command::new(words.next().ok_or("a job without a program")?);
        command.args(words).envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(match &self.stdin {
            Some(path) => File::open(path)?.into(),
            None => Stdio::null(),
        });
        Ok(command)
    }

    fn set_the_scene(&self) -> Result<()> {
        let Some(script) = &self.before else { return Ok(()) };
        let status = Command::new("sh").args(["-ec", script]).stdout(Stdio::null()).status()?;
        if status.success() { Ok(()) } else { Err(format!("{status}: {script}").into()) }
    }

    /// One run for its time alone.
    pub(crate) fn time(&self) -> Result<Duration> {
        self.set_the_scene()?;
        let mut command = self.command(&[])?;
        command.stdout(Stdio::null());
        let started = Instant::now();
        let status = command.status()?;
        let time = started.elapsed();
        if status.success() { Ok(time) } else { Err(format!("{status}: {:?}", self.argv).into()) }
    }

    /// One run under time(1), which knows the memory of the program and of those that it starts.
    pub(crate) fn weigh(&self) -> Result<Weighed> {
        self.set_the_scene()?;
        let report = std::env::temp_dir().join("peak");
        let path = report.to_string_lossy();
        let mut command = self.command(&["/usr/bin/time", "--format=%M", "--output", &path])?;
        let started = Instant::now();
        let output = command.stderr(Stdio::inherit()).output()?;
        let time = started.elapsed();
        if !output.status.success() {
            return Err(format!("{}: {:?}", output.status, self.argv).into());
        }
        let peak: u64 = fs::read_to_string(&report)?.trim().parse()?;
        Ok(Weighed { time, peak_kib: peak, output: String::from_utf8_lossy(&output.stdout).into_owned() })
    }
}

/// What one run showed.
pub(crate) struct Weighed {
    pub(crate) time: Duration,
    /// Of the largest process.
    pub(crate) peak_kib: u64,
    pub(crate) output: String,
}

/// Time and memory of one side.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    pub(crate) name: String,
    /// The median of the runs.
    pub(crate) time: Duration,
    /// Of the largest process, where that was one of its own.
    pub(crate) peak_kib: Option<u64>,
}

/// Whether what two sides print must be the same words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answers {
    Same,
    OfTheirOwn,
}

/// Runs all jobs in turn, so many times each after a first time that only shows memory and answer.
pub(crate) fn race(jobs: &[Job], runs: usize, answers: Answers) -> Result<Vec<Figures>> {
    let weighed: Vec<Weighed> = jobs.iter().map(Job::weigh).collect::<Result<_>>()?;
    if answers == Answers::Same {
        for (job, one) in jobs.iter().zip(&weighed).skip(1) {
            if words(&one.output) != words(&weighed[0].output) {
                return Err(format!("{:?} and {:?} do not answer the same", jobs[0].argv, job.argv).into());
            }
        }
    }
    let mut times = vec![Vec::with_capacity(runs); jobs.len()];
    for _ in 0..runs {
        for (job, times) in jobs.iter().zip(&mut times) {
            times.push(job.time()?);
        }
    }
    let figures = jobs.iter().zip(weighed).zip(times).map(|((job, weighed), mut times)| {
        times.sort_unstable();
        let time = times.get(times.len() / 2).copied().unwrap_or(weighed.time);
        Figures { name: job.name.clone(), time, peak_kib: Some(weighed.peak_kib) }
    });
    Ok(figures.collect())
}

/// The words of an answer in order, however they are separated.
fn words(text: &str) -> Vec<&str> {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    words.sort_unstable();
    words
}
