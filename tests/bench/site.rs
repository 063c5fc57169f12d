//! Hosts of the lab for one part of the benchmark, and programs on their management network.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use lab::{Host, Kind, Owner, Room, Root};

use crate::race::Job;
use crate::{Result, XCRANE, word};

/// OpenSSH looks for keys in the home of the password file whatever $HOME says.
const SSH: &str = "#!/bin/sh
exec /usr/bin/ssh -i \"$HOME/.ssh/id_ed25519\" -o UserKnownHostsFile=\"$HOME/.ssh/known_hosts\" \"$@\"
";

pub(crate) struct Site {
    pub(crate) room: Room,
    /// Programs that come before the machine's own: an ssh that knows the room's key, and what rivals need.
    pub(crate) bin: PathBuf,
    /// XCRANE_HOME.
    pub(crate) home: PathBuf,
}

impl Site {
    /// Brings up so many hosts of each kind, which are gone when it is dropped. They are not defined yet.
    pub(crate) fn bring_up(work: &Path, name: &str, hosts: &[(u8, Kind)]) -> Result<Self> {
        let dir = lab::default_directory().join(format!("bench-{name}"));
        lab::claim(&dir)?;
        let room = Room::keep(&dir, Root::ready()?, Owner::Caller)?;
        for (count, kind) in hosts {
            room.start(*count, *kind)?;
        }
        let bin = work.join(format!("{name}-bin"));
        fs::create_dir(&bin)?;
        fs::write(bin.join("ssh"), SSH)?;
        fs::set_permissions(bin.join("ssh"), fs::Permissions::from_mode(0o755))?;
        Ok(Self { room, bin, home: work.join(name) })
    }

    pub(crate) fn define_hosts(&self) -> Result<()> {
        self.room.hosts().iter().try_for_each(|host| self.run(&host.definition().join(" ")))
    }

    /// A program as somebody at work on the management network would start it.
    pub(crate) fn job(&self, name: &str, argv: &[&str]) -> Result<Job> {
        let entering = self.room.manage("env")?;
        let entering = [entering.get_program()].into_iter().chain(entering.get_args());
        let entering: Vec<String> = entering.map(|word| word.to_string_lossy().into_owned()).collect();
        let path = format!("{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", word(&self.bin));
        let job = Job::new(name, entering.into_iter().chain(argv.iter().map(|word| (*word).to_owned())));
        let job = job.env("PATH", path).env("HOME", word(&self.room.home()));
        Ok(job.env("XCRANE", XCRANE).env("XCRANE_CONFIG", "/nonexistent").env("XCRANE_HOME", word(&self.home)))
    }

    pub(crate) fn shell(&self, name: &str, script: &str) -> Result<Job> {
        self.job(name, &["sh", "-ec", script])
    }

    /// One of our commands; spaces part its words.
    pub(crate) fn xcrane(&self, line: &str) -> Result<Job> {
        self.job("xcrane", &[XCRANE].into_iter().chain(line.split(' ')).collect::<Vec<_>>())
    }

    /// Runs one of our commands, which has to succeed.
    pub(crate) fn run(&self, line: &str) -> Result<()> {
        self.xcrane(line)?.time().map(drop)
    }

    pub(crate) fn host(&self, number: u8) -> Result<Host<'_>> {
        Ok(self.room.host(&format!("h{number}"))?)
    }
}
