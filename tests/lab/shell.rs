//! A lab to try things in: hosts, an xcrane that knows them, and a shell between them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use lab::{Error, Owner, Result, Room, Root, claim};

/// OpenSSH looks for keys in the home of the password file whatever $HOME says.
const SSH: &str = "#!/bin/sh
exec /usr/bin/ssh -i \"$HOME/.ssh/id_ed25519\" -o UserKnownHostsFile=\"$HOME/.ssh/known_hosts\" -l root \"$@\"
";

/// What `lab shell` is asked for.
#[derive(clap::Args)]
pub(crate) struct Shell {
    #[command(flatten)]
    hosts: crate::Hosts,
    /// The xcrane to try [default: the one beside this program]
    #[arg(long)]
    xcrane: Option<PathBuf>,
    /// A program to run instead of a shell
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

impl Shell {
    /// Brings up hosts in `dir`, gives a shell, and takes them down at its end. The exit code is that of the program if one was asked for.
    pub(crate) fn run(self, dir: &Path) -> Result<ExitCode> {
        let root = Root::ready()?;
        claim(dir)?;
        let mut room = Room::keep(dir, root, Owner::Caller)?;
        self.hosts.start(&room)?;
        let ended = self.work_in(&room);
        room.stop()?;
        ended
    }

    fn work_in(&self, room: &Room) -> Result<ExitCode> {
        let bin = room.directory().join("bin");
        let own = std::env::current_exe().map_err(|source| Error::Start { what: "lab".into(), source })?;
        fs::create_dir(&bin).and_then(|()| write_programs(&bin, &own)).map_err(|source| file(&bin, source))?;
        let xcrane = self.xcrane.clone().unwrap_or_else(|| own.with_file_name("xcrane"));
        let known = match fs::canonicalize(&xcrane) {
            Ok(xcrane) => define(room, &bin, &xcrane)?,
            Err(_) if self.xcrane.is_none() => false,
            Err(source) => return Err(file(&xcrane, source)),
        };
        let mut command = match self.command.split_first() {
            Some((program, arguments)) => in_lab(room, &bin, program, arguments)?,
            None => {
                greet(room, known);
                in_lab(room, &bin, "bash", &["--norc".into(), "--noprofile".into(), "-i".into()])?
            }
        };
        let status = command.status().map_err(|source| Error::Start { what: format!("{command:?}"), source })?;
        // A person's shell ends with the code of whatever was typed last, which says nothing of the lab.
        let code = if self.command.is_empty() { Some(0) } else { status.code() };
        Ok(ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
    }
}

fn file(path: &Path, source: std::io::Error) -> Error {
    Error::File { path: path.to_owned(), source }
}

/// `ssh` with the lab's key, and `lab` that means this lab.
fn write_programs(bin: &Path, own: &Path) -> std::io::Result<()> {
    let (dir, prefix) = (bin.parent().unwrap_or(bin), bin.parent().and_then(Path::file_name).unwrap_or_default());
    let parent = dir.parent().unwrap_or(dir).display();
    let lab = format!("#!/bin/sh\nexec {} --dir {parent} --prefix {} \"$@\"\n", own.display(), prefix.display());
    for (name, text) in [("ssh", SSH), ("lab", &lab)] {
        fs::write(bin.join(name), text)?;
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// A program on the management network with the environment of somebody at work in this lab.
fn in_lab(room: &Room, bin: &Path, program: &str, arguments: &[String]) -> Result<Command> {
    let mut command = room.manage_bound(program)?;
    let outer = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([bin.to_owned()].into_iter().chain(std::env::split_paths(&outer)));
    command.args(arguments).env("PATH", path.unwrap_or(outer)).env("PS1", "lab$ ").env_remove("XCRANE_CONFIG");
    command.env("HOME", room.home()).env("XCRANE_HOME", room.state()).current_dir(room.home());
    Ok(command)
}

/// Makes links for the commands and tells xcrane of the hosts; whether it could be told.
fn define(room: &Room, bin: &Path, xcrane: &Path) -> Result<bool> {
    let link = bin.join("xcrane");
    std::os::unix::fs::symlink(xcrane, &link).map_err(|source| file(&link, source))?;
    let run = |line: &[String]| -> Result<bool> {
        let status = in_lab(room, bin, "xcrane", line)?.stdout(Stdio::null()).status();
        status.map(|status| status.success()).map_err(|source| Error::Start { what: "xcrane".into(), source })
    };
    let mut known = run(&["link".into(), bin.display().to_string()])?;
    for host in room.hosts() {
        known = known && run(&host.definition())?;
    }
    Ok(known)
}

fn greet(room: &Room, known: bool) {
    let hosts = room.hosts();
    let names: Vec<&str> = hosts.iter().map(|host| host.name()).collect();
    let last = names.last().unwrap_or(&"h1");
    println!("{} up; engines have the image busybox:lab and the network cluster, 10.100.0.0/16.", names.join(", "));
    if known {
        println!(
            "Try:   lsdef hosts\n\
             \x20      mkdef c1-c4 groups=all mgt=docker vmhost=h1 image=busybox:lab vmnics=cluster\n\
             \x20      mkvm c1-c4 && rpower c1-c4 on && rpower c1-c4 stat"
        );
    }
    println!(
        "Also:  ssh 10.77.0.1 docker ps    a command on a host\n\
         \x20      lab off {last}                cut its power; also on, reboot, cut, heal, refuse, slow, mtu, stop-engine, fill-disk …\n\
         \x20      lab stranger 10.77.0.9/24 a foreign machine; also registry, packages\n\
         \x20      exit                      all of it is gone"
    );
}
