//! The lab itself: hosts come up, answer, fail as they are told, and leave nothing behind.
//!
//! What is run on the management network here is a shell instead of xcrane.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use lab::{Lab, Run, Wait, skipped, wait_for};

const LIMIT: Duration = Duration::from_secs(60);

fn ssh(lab: &Lab, address: &str, command: &str) -> Run {
    let options = "-i .ssh/id_ed25519 -o UserKnownHostsFile=.ssh/known_hosts -o BatchMode=yes -o ConnectTimeout=30";
    lab.run(&format!("-c 'ssh {options} root@{address} {command}'"))
}

#[test]
fn a_lab_without_hosts_is_a_bare_environment() {
    let lab = Lab::new("/bin/sh").env("COLOUR", "blue");
    let run = lab.run_with_stdin("-c 'cat; pwd; echo $XCRANE_HOME $TZ $COLOUR $CARGO >&2; exit 3'", "hello\n");
    let expected = "hello\n$HOME\n------- stderr -------\n$XCRANE_HOME UTC blue\n[exit status: 3]\n";
    assert_eq!(run.to_string(), expected);
    let home = lab.home();
    drop(lab);
    assert!(!home.exists());
}

#[test]
fn a_shell_script_finds_the_program_under_test() {
    let lab = Lab::new("/bin/cat");
    assert_eq!(lab.shell("echo one two | xcrane | cut -d' ' -f2").to_string(), "two\n");
}

#[test]
fn programs_can_be_watched_and_ended() {
    let lab = Lab::new("/bin/sh");
    let mut running =
        lab.spawn("-c 'trap \"echo caught; exit 130\" INT; echo on; read -r word; echo $word; read -r word'");
    running.expect("on", LIMIT);
    running.send("further\n");
    running.expect("further", LIMIT);
    running.interrupt();
    assert_eq!(running.wait(LIMIT).to_string(), "on\nfurther\ncaught\n[exit status: 130]\n");

    let running = lab.spawn("-c 'exec sleep 100'");
    running.kill();
    assert_eq!(running.wait(LIMIT).code, 137);
}

#[test]
fn a_terminal_has_a_size_and_a_ctrl_c() {
    let lab = Lab::new("/bin/sh");
    let script = r#"trap "stty size" WINCH; trap "echo caught; exit 7" INT; stty size; while :; do sleep 0.1; done"#;
    let mut pty = lab.spawn_pty(&format!("-c '{script}'"), 24, 80);
    pty.expect("24 80", LIMIT);
    assert!(pty.settings().contains("rows 24; columns 80"));
    pty.resize(30, 100);
    pty.expect("30 100", LIMIT);
    pty.send("\x03");
    pty.expect("caught", LIMIT);
    assert_eq!(pty.wait(LIMIT).code, 7);
}

#[test]
fn hosts_run_containers_and_are_reached_by_ssh() {
    if skipped("docker") {
        return;
    }
    let lab = Lab::new("/bin/sh").hosts(3).without_image("h3").registry();
    let started = lab.host("h1").docker("run -d --name c1 --network cluster --ip 10.100.0.1 busybox:lab");
    assert_eq!(started.to_string(), "$ID\n");
    wait_for("the service", LIMIT, || match lab.host("h1").docker("logs c1").success() {
        ready if ready == "ready" => Wait::Ready(()),
        other => Wait::NotYet(other),
    });
    let stopping = Instant::now();
    lab.host("h1").docker("stop c1").success();
    assert!(stopping.elapsed() < Duration::from_secs(9), "the service ends when asked");
    assert_eq!(lab.host("h2").docker("ps -aq").success(), "");
    assert_eq!(ssh(&lab, "10.77.0.2", "hostname").to_string(), "h2\n");

    assert_eq!(lab.host("h3").docker("images -q").success(), "");
    lab.host("h3").docker("pull -q 10.77.0.254:5000/busybox:lab").success();
    assert_eq!(lab.host("h3").docker("run --rm 10.77.0.254:5000/busybox:lab echo pulled").success(), "pulled");
    let loaded = lab.run(
        "-c 'ssh -i .ssh/id_ed25519 -o UserKnownHostsFile=.ssh/known_hosts root@10.77.0.3 docker load <busybox.tar'",
    );
    assert_eq!(loaded.success(), "Loaded image: busybox:lab");
    assert!(lab.host("h2").socket().exists());
}

#[test]
fn hosts_fail_as_they_are_told() {
    if skipped("docker") {
        return;
    }
    let lab = Lab::new("/bin/sh").hosts(2);
    let (h1, h2) = (lab.host("h1"), lab.host("h2"));
    h2.docker("run -d --name c2 busybox:lab sleep 1000").success();
    h2.power_off();
    let dead = ssh(&lab, "10.77.0.2", "true");
    assert!(dead.stderr.contains("No route to host") || dead.stderr.contains("timed out"), "{dead}");
    h2.power_on();
    assert_eq!(h2.docker("inspect -f {{.State.Status}} c2").success(), "exited");

    h1.cut();
    assert_eq!(ssh(&lab, "10.77.0.1", "true").code, 255);
    h1.heal();
    assert_eq!(ssh(&lab, "10.77.0.1", "true").to_string(), "");
    h1.refuse();
    assert!(ssh(&lab, "10.77.0.1", "true").stderr.contains("Connection refused"));
    h1.heal();

    let mut standing = lab.spawn(
        "-c 'ssh -i .ssh/id_ed25519 -o UserKnownHostsFile=.ssh/known_hosts root@10.77.0.1 \"echo on; sleep 1000\"'",
    );
    standing.expect("on", LIMIT);
    h1.drop_connections();
    assert_eq!(standing.wait(LIMIT).code, 255);

    let speed = |lab: &Lab| {
        let start = Instant::now();
        assert_eq!(ssh(lab, "10.77.0.1", "head -c 16k /dev/zero | wc -c").success(), "16384");
        start.elapsed()
    };
    h1.slow("64kbit");
    let slow = speed(&lab);
    h1.heal();
    assert!(slow > Duration::from_secs(2), "16 KiB at 64 kbit/s took {slow:?}");
    assert_eq!(ssh(&lab, "10.77.0.1", "true").code, 0);
}

#[test]
fn engines_fail_as_they_are_told() {
    if skipped("docker") {
        return;
    }
    let lab = Lab::new("/bin/sh").hosts(1);
    let host = lab.host("h1");
    host.docker("run -d --name c1 --restart=always busybox:lab sleep 1000").success();
    host.stop_engine();
    assert!(host.docker("ps").stderr.contains("Cannot connect to the Docker daemon"));
    host.start_engine();
    assert_eq!(host.docker("inspect -f {{.State.Status}} c1").success(), "running");

    host.hang_engine();
    assert_eq!(host.run("timeout 1 docker ps").code, 124);
    host.start_engine();
    assert_eq!(host.docker("ps -q").code, 0);

    host.fill_disk();
    let full = host.docker("run -d busybox:lab dd if=/dev/zero of=/big bs=1M count=1");
    assert!(full.stderr.contains("no space left on device"), "{full}");
    host.free_disk();
    assert_eq!(host.docker("run --rm busybox:lab echo room").success(), "room");

    let old = host.old_engine("1.18");
    assert!(host.docker("-H unix:///run/docker.sock version").stdout.contains("1.18"));
    drop(old);
    host.start_engine();
    assert_eq!(host.docker("inspect -f {{.State.Status}} c1").success(), "running");
}

fn groups_of(lab: &str) -> Vec<PathBuf> {
    let controllers =
        fs::read_dir("/sys/fs/cgroup").expect("control groups are mounted").flatten().map(|entry| entry.path());
    let groups = controllers.filter_map(|dir| fs::read_dir(dir).ok()).flatten().flatten().map(|entry| entry.path());
    groups.filter(|path| path.to_string_lossy().contains(&format!("xcrane-lab.{lab}."))).collect()
}

/// The `lab` program with its labs in a directory of their own.
fn lab(parent: &tempfile::TempDir, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    let output = command.arg("--dir").arg(parent.path()).args(arguments).output().expect("cargo has built it");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "lab {arguments:?}: {text}");
    text
}

#[test]
fn two_labs_at_once_and_one_killed() {
    if skipped("docker") {
        return;
    }
    let parent = tempfile::tempdir().unwrap();
    let (one, two) = (format!("one{}", std::process::id()), format!("two{}", std::process::id()));
    for name in [&one, &two] {
        lab(&parent, &["--prefix", name, "up", "1"]);
    }
    lab(&parent, &["--prefix", &one, "sh", "h1", "touch", "/root/one"]);
    assert_eq!(lab(&parent, &["--prefix", &two, "sh", "h1", "ls", "/root"]), "");
    lab(&parent, &["--prefix", &one, "off", "h1"]);
    let status = lab(&parent, &["status"]);
    assert!(
        status.contains("h1 10.77.0.1: off\n") && status.contains("h1 10.77.0.1: on, 0 containers run\n"),
        "{status}"
    );
    assert!(!groups_of(&two).is_empty());

    let dir = parent.path().join(&two);
    kill_all_of(&dir);
    assert!(dir.exists(), "nobody is left to sweep");
    assert_eq!(lab(&parent, &["clean"]), format!("{two}: swept away\n"));
    assert!(!dir.exists() && groups_of(&two).is_empty());

    lab(&parent, &["--prefix", &one, "on", "h1"]);
    assert_eq!(lab(&parent, &["--prefix", &one, "sh", "h1", "ls", "/root"]), "one\n");
    lab(&parent, &["--prefix", &one, "down"]);
    assert!(groups_of(&one).is_empty());
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
}

#[test]
fn a_lab_ends_with_its_owner() {
    if skipped("docker") {
        return;
    }
    for kind in [&["1"][..], &["1", "--systemd", "--bare=1"]] {
        let parent = tempfile::tempdir().unwrap();
        let name = format!("owned{}", std::process::id());
        let mut owner = Command::new(env!("CARGO_BIN_EXE_lab"));
        owner.arg("--dir").arg(parent.path()).args(["--prefix", &name, "shell"]).args(kind);
        owner.args(["sh", "-c", "echo up; exec sleep 1000"]);
        let mut owner = owner.stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut up = [0; 3];
        owner.stdout.take().unwrap().read_exact(&mut up).unwrap();
        let host = fs::read_to_string(parent.path().join(&name).join("h1/pid")).unwrap();
        assert!(fs::exists(format!("/proc/{}", host.trim())).unwrap());
        owner.kill().unwrap();
        owner.wait().unwrap();
        wait_for("the end of the lab", LIMIT, || match fs::read_dir(parent.path()).unwrap().count() {
            0 => Wait::Ready(()),
            _ => Wait::NotYet(format!("{:?}", groups_of(&name))),
        });
        assert!(!fs::exists(format!("/proc/{}", host.trim())).unwrap());
        assert!(groups_of(&name).is_empty());
    }
}

/// SIGKILL for the keeper and for who watches it, in that order of age, so that nothing can be tidied up.
fn kill_all_of(dir: &std::path::Path) {
    let script = format!("{}/host.sh", dir.display());
    let of_lab =
        |pid: &u32| fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains(&script));
    let numbers = || {
        fs::read_dir("/proc")
            .expect("proc is mounted")
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
    };
    let mut pids: Vec<u32> = numbers().filter(of_lab).collect();
    pids.sort_unstable();
    assert!(!pids.is_empty());
    let text = pids.iter().map(u32::to_string);
    // Those inside end with the keeper, perhaps before their turn.
    Command::new("kill").arg("-9").args(text).stderr(std::process::Stdio::null()).status().expect("kill is there");
    wait_for("the end of all", LIMIT, || match numbers().filter(of_lab).count() {
        0 => Wait::Ready(()),
        left => Wait::NotYet(format!("{left} processes")),
    });
}

/// This machine may have control groups of version 1, so the lab sees another mount in their place.
#[test]
fn hosts_run_over_control_groups_of_version_2() {
    if skipped("docker") {
        return;
    }
    for kind in ["--bare=0", "--systemd"] {
        let parent = tempfile::tempdir().unwrap();
        let script = "mount --make-rprivate / && umount -R -l /sys/fs/cgroup && mount -t cgroup2 cgroup /sys/fs/cgroup
            exec \"$0\" --dir \"$1\" --prefix \"groups$$\" shell 1 \"$2\" lab sh h1 docker run --rm busybox:lab echo ran";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_lab")]).arg(parent.path()).arg(kind);
        let output = command.output().unwrap();
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(stdout, "ran\n", "{kind}: {stderr}");
    }
}
