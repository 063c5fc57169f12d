//! Where labs live on a machine: their directories, which are left over from dead ones, and how those are swept away.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::error::{Error, Result, at};
use crate::run;

/// What runs inside the namespaces; see its head.
pub(crate) const SCRIPT: &str = include_str!("host.sh");

/// The directory that holds the directories of all labs of this machine, unless a user wants another.
pub fn default_directory() -> PathBuf {
    std::env::temp_dir().join("xcrane-lab")
}

/// Makes the directory of a new lab, owned by this process. What a dead lab of the same name left is swept away first.
pub fn claim(dir: &Path) -> Result<()> {
    let parent = dir.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent).map_err(at(parent))?;
    if dir.exists() {
        if alive(dir) {
            return Err(Error::Refused(format!("the lab {} is up already", dir.display())));
        }
        sweep(dir)?;
    }
    fs::create_dir(dir).map_err(at(dir))?;
    let own = std::process::id();
    let owner = dir.join("owner");
    fs::write(&owner, format!("{own} {}", start_time(own).unwrap_or_default())).map_err(at(&owner))
}

/// Sweeps away every dead lab below `parent`; their names.
pub fn clean(parent: &Path) -> Result<Vec<String>> {
    let Ok(entries) = fs::read_dir(parent) else { return Ok(Vec::new()) };
    let mut swept = Vec::new();
    for dir in entries.flatten().map(|entry| entry.path()).filter(|dir| !alive(dir)) {
        sweep(&dir)?;
        swept.extend(dir.file_name().map(|name| name.to_string_lossy().into_owned()));
    }
    Ok(swept)
}

/// The labs below `parent` that are alive.
pub fn labs(parent: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut labs: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|dir| keeper(dir).is_some()).collect();
    labs.sort();
    labs
}

/// A lab lives as long as its owner or its keeper, and for the moment in which its directory has no owner yet.
fn alive(dir: &Path) -> bool {
    keeper(dir).is_some() || owner_lives(dir)
}

fn owner_lives(dir: &Path) -> bool {
    let Ok(owner) = fs::read_to_string(dir.join("owner")) else {
        let age = fs::metadata(dir).and_then(|dir| dir.modified()).ok().and_then(|made| made.elapsed().ok());
        return age.is_some_and(|age| age < Duration::from_secs(10));
    };
    let Some((pid, start)) = owner.split_once(' ') else { return false };
    pid.parse().is_ok_and(|pid| start_time(pid).as_deref() == Some(start))
}

/// The process that a lab's namespaces belong to, if it lives.
pub(crate) fn keeper(dir: &Path) -> Option<u32> {
    let pid = read_pid(&dir.join("keeper"))?;
    let cmdline = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
    cmdline.contains(&format!("{}/host.sh\0keep", dir.display())).then_some(pid)
}

pub(crate) fn read_pid(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// When a process started (proc(5), field 22 of stat), which tells it from a later one of the same number.
fn start_time(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(19).map(str::to_owned)
}

/// Removes what a dead lab left: control groups and its directory.
fn sweep(dir: &Path) -> Result<()> {
    let mut command = Command::new("bash");
    command.args(["-c", SCRIPT, "host.sh", "sweep"]).env("LAB", dir).env("TAG", tag(dir));
    run::must(&mut command, Duration::from_secs(60))?;
    Ok(())
}

/// The name of a lab's control groups.
pub(crate) fn tag(dir: &Path) -> String {
    format!("xcrane-lab.{}", dir.file_name().unwrap_or_default().to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_belongs_to_its_owner_while_that_lives() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("mine");
        claim(&dir).unwrap();
        assert!(claim(&dir).unwrap_err().to_string().ends_with("is up already"));
        assert_eq!(clean(parent.path()).unwrap(), [""; 0]);

        fs::write(dir.join("owner"), format!("{} 1", std::process::id())).unwrap();
        assert_eq!(clean(parent.path()).unwrap(), ["mine"], "a later process of the same number is another owner");
        assert!(!dir.exists());
    }
}
