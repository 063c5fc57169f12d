//! A private sshd on a loopback port, with its own keys, for one test.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::Settings;
use crate::ssh::Target;

pub(super) struct Sshd {
    pub(super) directory: TempDir,
    pub(super) port: u16,
    /// None once stopped: its number may be another process's by then.
    server: Option<Child>,
}

impl Sshd {
    /// Starts a server that lets the key `id` in, with further lines of configuration.
    pub(super) fn start(extra: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        keygen(&at("hostkey"), "ed25519", "");
        keygen(&at("id"), "ed25519", "");
        fs::copy(at("id.pub"), at("authorized")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nListenAddress ::1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\n\
             UsePAM no\nStrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n{extra}\n",
            at("hostkey").display(),
            at("authorized").display(),
        );
        fs::write(at("sshd_config"), config).unwrap();
        let server = Some(serve(directory.path()));
        let sshd = Self { directory, port, server };
        sshd.trust("127.0.0.1");
        sshd.await_banner();
        sshd
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn target(&self) -> Target {
        Target { user: "root".into(), host: "127.0.0.1".into(), port: self.port }
    }

    /// Settings with which login succeeds.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            connect_limit: Duration::from_secs(30),
            request_limit: Duration::from_secs(60),
            transfer_limit: Duration::from_secs(600),
            ssh_user: "root".into(),
            ssh_keys: vec![self.path("id")],
            known_hosts: vec![self.path("known_hosts")],
            accept_new_host_keys: false,
            tls_directory: self.path("tls"),
            bmc_account: None,
            redfish: Default::default(),
            networks: Vec::new(),
            executables: Vec::new(),
            executables_state: std::path::PathBuf::new(),
            logins: Vec::new(),
            mirrors: Vec::new(),
        }
    }

    /// Writes the host key under `host` to the known hosts.
    pub(super) fn trust(&self, host: &str) {
        let key = fs::read_to_string(self.path("hostkey.pub")).unwrap();
        let file = fs::OpenOptions::new().create(true).append(true).open(self.path("known_hosts"));
        write!(file.unwrap(), "[{host}]:{} {key}", self.port).unwrap();
    }

    /// Puts another host key in place and starts the server anew.
    pub(super) fn change_host_key(&mut self, kind: &str) {
        self.stop();
        fs::remove_file(self.path("hostkey")).unwrap();
        keygen(&self.path("hostkey"), kind, "");
        self.server = Some(serve(self.directory.path()));
        self.await_banner();
    }

    pub(super) fn stop(&mut self) {
        for pid in self.children() {
            kill(pid, Signal::SIGKILL).ok(); // it may have ended by itself
        }
        if let Some(mut server) = self.server.take() {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    /// Sends a signal to the server's processes of open connections.
    pub(super) fn signal_sessions(&self, signal: Signal) {
        let sessions = self.children();
        assert!(!sessions.is_empty(), "no session to signal");
        sessions.into_iter().for_each(|pid| kill(pid, signal).unwrap());
    }

    /// How many connections are open.
    pub(super) fn sessions(&self) -> usize {
        self.children().len()
    }

    fn children(&self) -> Vec<Pid> {
        let Some(server) = &self.server else { return Vec::new() };
        let file = format!("/proc/{0}/task/{0}/children", server.id());
        let list = fs::read_to_string(file).unwrap_or_default();
        list.split_whitespace().map(|pid| Pid::from_raw(pid.parse().unwrap())).collect()
    }

    /// A connection that the server has taken. It hangs up on some where it is told to take few.
    pub(super) fn greeted(&self) -> TcpStream {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            let mut banner = [0; 4];
            if stream.read_exact(&mut banner).is_ok() && banner == *b"SSH-" {
                return stream;
            }
            assert!(Instant::now() < end, "sshd greets nobody");
        }
    }

    /// Waits until it serves and, as whoever looked has gone, serves nobody.
    fn await_banner(&self) {
        let end = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < end, "sshd does not listen");
            sleep(Duration::from_millis(10));
        }
        drop(self.greeted());
        while self.sessions() > 0 {
            assert!(Instant::now() < end, "sshd does not see that it was left");
            sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
    }
}

pub(super) fn keygen(file: &Path, kind: &str, passphrase: &str) {
    let status = Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", passphrase, "-f"]).arg(file).status();
    assert!(status.expect("ssh-keygen is needed (package openssh-client)").success());
}

fn serve(directory: &Path) -> Child {
    fs::DirBuilder::new().recursive(true).mode(0o755).create("/run/sshd").unwrap();
    let log = fs::File::create(directory.join("log")).unwrap();
    Command::new("/usr/sbin/sshd")
        .args(["-D", "-e", "-f"])
        .arg(directory.join("sshd_config"))
        .stdin(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("sshd is needed (package openssh-server)")
}
