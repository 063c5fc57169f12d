//! What the machine of a trial says of itself, by the callbacks that nodes have. Who answers them is a script behind busybox's httpd, on
//! a pipe of QEMU's: nothing listens on this machine, and nobody but the machine can call.

use std::fs;
use std::io;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use plugins::Secret;
use tempfile::TempDir;

const SCRIPT: &str = include_str!("callbacks.sh");

/// Nodes have scripts of theirs, an image has none.
const POSTSCRIPT: &str = "exit 0\n";

/// A directory that httpd serves at `server`, gone when this is dropped.
pub(super) struct Callbacks {
    place: TempDir,
    token: Secret,
}

impl Callbacks {
    /// `root` is the file that the machine fetches.
    pub(super) fn new(root: &Path) -> io::Result<Self> {
        let callbacks = Self { place: tempfile::tempdir()?, token: Secret::random().map_err(io::Error::other)? };
        let (place, served) = (callbacks.place.path(), callbacks.directory());
        fs::create_dir_all(served.join("cgi-bin"))?;
        symlink(root, served.join("root.sqfs"))?;
        fs::write(place.join("token"), callbacks.token.reveal())?;
        fs::write(place.join("mypostscript"), POSTSCRIPT)?;
        let mut options = fs::OpenOptions::new();
        let mut script = options.write(true).create_new(true).mode(0o700).open(served.join("cgi-bin/node"))?;
        io::Write::write_all(&mut script, SCRIPT.as_bytes())?;
        Ok(callbacks)
    }

    pub(super) fn directory(&self) -> PathBuf {
        self.place.path().join("served")
    }

    /// What the kernel is told beside its root. That others see it in our list of processes is no harm: they cannot call.
    pub(super) fn words(&self, server: &str) -> String {
        let token = self.token.reveal();
        format!(
            "xcrane.node=imgtest xcrane.token={token} xcrane.callback={server}/cgi-bin/node/imgtest/status/booted?token={token}"
        )
    }

    /// The statuses so far.
    pub(super) fn told(&self) -> Vec<String> {
        let told = fs::read_to_string(self.place.path().join("told")).unwrap_or_default();
        told.lines().map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    fn ask(callbacks: &Callbacks, path: &str) -> String {
        let mut httpd = Command::new("busybox");
        httpd.args(["httpd", "-i", "-h"]).arg(callbacks.directory()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = httpd.spawn().unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: 10.0.2.100\r\nConnection: close\r\n\r\n");
        running.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
        String::from_utf8_lossy(&running.wait_with_output().unwrap().stdout).into_owned()
    }

    #[test]
    fn only_the_machine_itself_says_what_it_is() {
        let images = tempfile::tempdir().unwrap();
        let root = images.path().join("root.sqfs");
        fs::write(&root, "squashed").unwrap();
        let callbacks = Callbacks::new(&root).unwrap();
        assert!(ask(&callbacks, "/root.sqfs").ends_with("\r\n\r\nsquashed"));
        let words = callbacks.words("http://10.0.2.100");
        let url = words.rsplit("xcrane.callback=http://10.0.2.100").next().unwrap();
        let beside = |status: &str| url.replace("/status/booted", status);
        let check = |path: &str, expected: &str| {
            let answer = ask(&callbacks, path);
            assert_eq!(answer.split(' ').nth(1), Some(expected), "{path}: {answer}");
        };
        check(&beside("/status/booted").replace("?token=", "?token=x"), "403");
        check(&beside("/postscripts").replace("?token=", "?token=x"), "403");
        check(url.split('?').next().unwrap(), "403");
        check(&beside("/status/anything"), "404");
        check(&beside("/file/ssh_host_ed25519_key"), "404");
        check("/token", "404");
        assert!(callbacks.told().is_empty());
        let scripts = ask(&callbacks, &beside("/postscripts"));
        assert!(scripts.contains("mypostscript") && scripts.contains(POSTSCRIPT), "{scripts}");
        check(&beside("/status/postbooting"), "204");
        check(url, "204");
        assert_eq!(callbacks.told(), ["postbooting", "booted"]);
    }
}
