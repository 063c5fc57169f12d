//! The initial RAM disk of diskless nodes: busybox, the modules that lead to the network, and a script (see its head). With one script
//! more it is all of the maintenance system.

use std::collections::{BTreeMap, BTreeSet};

use crate::image::cpio::Archive;
use crate::image::modules::Module;

const INIT: &str = include_str!("init.sh");
const DHCP: &str = include_str!("dhcp.sh");
const BOOTED: &str = include_str!("booted.sh");
const MAINTAIN: &str = include_str!("maintain.sh");

/// A module with the content of its file, unpacked.
#[derive(Debug)]
pub struct Loaded {
    pub module: Module,
    pub content: Vec<u8>,
}

/// The archive for the kernel, not packed. `busybox` has to run without libraries.
pub fn initramfs(busybox: &[u8], modules: &[Loaded]) -> Vec<u8> {
    archive(busybox, modules).finish()
}

/// The same for the maintenance system, with further programs and their libraries by their paths.
pub fn maintenance(busybox: &[u8], modules: &[Loaded], files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let mut archive = archive(busybox, modules);
    archive.file("maintain", 0o644, MAINTAIN.as_bytes());
    // Some programs want to know who they are.
    archive.directory("etc");
    archive.file("etc/passwd", 0o644, b"root:x:0:0:root:/:/bin/sh\n");
    let above = |path: &str| path.match_indices('/').map(|(at, _)| path[..at].to_owned()).collect::<Vec<_>>();
    let directories: BTreeSet<String> = files.keys().flat_map(|path| above(path)).collect();
    for directory in directories.iter().filter(|directory| *directory != "bin") {
        archive.directory(directory);
    }
    for (path, content) in files {
        archive.file(path, 0o755, content);
    }
    archive.finish()
}

fn archive(busybox: &[u8], modules: &[Loaded]) -> Archive {
    let mut archive = Archive::default();
    for directory in ["bin", "dev", "modules"] {
        archive.directory(directory);
    }
    // The kernel opens it before the script can mount anything.
    archive.device("dev/console", (5, 1));
    archive.device("dev/null", (1, 3));
    archive.file("bin/busybox", 0o755, busybox);
    archive.link("bin/sh", "busybox");
    archive.file("init", 0o755, INIT.as_bytes());
    archive.file("dhcp", 0o755, DHCP.as_bytes());
    archive.file("booted", 0o644, BOOTED.as_bytes());
    let order: String =
        modules.iter().map(|loaded| format!("{} {}\n", loaded.module.file_name(), loaded.module.options)).collect();
    archive.file("modules/order", 0o644, order.as_bytes());
    for loaded in modules {
        archive.file(&format!("modules/{}", loaded.module.file_name()), 0o644, &loaded.content);
    }
    archive
}

/// Whether a program runs without libraries of the system: it is an ELF file that names no loader (PT_INTERP).
pub fn is_static(program: &[u8]) -> bool {
    let number = |at: usize, bytes: usize| -> Option<usize> {
        let field = program.get(at..at.checked_add(bytes)?)?;
        field.iter().rev().try_fold(0_usize, |sum, byte| sum.checked_mul(256)?.checked_add(usize::from(*byte)))
    };
    // 64 bits, little endian: what nodes are.
    let header = || Some((number(32, 8)?, number(54, 2)?, number(56, 2)?));
    let Some((table, size, count)) = header().filter(|_| program.starts_with(b"\x7fELF\x02\x01")) else { return false };
    const INTERPRETER: usize = 3;
    let kind = |index: usize| number(table.checked_add(index.checked_mul(size)?)?, 4);
    (0..count).all(|index| kind(index).is_some_and(|kind| kind != INTERPRETER))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_scripts_are_scripts() {
        for script in [INIT, DHCP, BOOTED, MAINTAIN] {
            let shell = Command::new("sh").args(["-n", "-c", script]).output().unwrap();
            assert!(shell.status.success(), "{}", String::from_utf8_lossy(&shell.stderr));
        }
    }

    #[test]
    fn the_switch_and_its_port_are_read_of_what_tcpdump_prints() {
        let functions = MAINTAIN.split("# BYTE...: as text").nth(1).unwrap().split("# Switches send").next().unwrap();
        let told = |hex: &str| {
            let dump: String =
                hex.as_bytes().chunks(32).enumerate().fold("x LLDP, length 46\n".into(), |dump, (line, bytes)| {
                    format!("{dump}\t0x{:04x}:  {}\n", line * 16, String::from_utf8_lossy(bytes))
                });
            let script = format!("#{functions}\nprintf '{dump}' | lldp");
            let run = Command::new("/bin/busybox").args(["sh", "-c", &script]).output().unwrap();
            assert!(run.stderr.is_empty(), "{}", String::from_utf8_lossy(&run.stderr));
            String::from_utf8(run.stdout).unwrap()
        };
        let head = "0180c200000e02000000cafe88cc";
        let (chassis, port, name) = ("02070402000000cafe", "04050573777037", "0a056c65616631");
        assert_eq!(told(&format!("{head}{chassis}{port}060200780000")), "02:00:00:00:ca:fe\tswp7\n");
        assert_eq!(told(&format!("{head}{chassis}{port}06020078{name}0000{}", "00".repeat(20))), "leaf1\tswp7\n");
        // Of a name only what a report may have; what is cut off, empty or no frame says nothing.
        assert_eq!(
            told(&format!("{head}{chassis}{port}0a061b5b6d20c384")),
            "02:00:00:00:ca:fe\tswp7\n".replace("02:00:00:00:ca:fe", "m")
        );
        for rest in ["", "02", "0207", "020004000a00", "04050573", "ffffffff"] {
            assert_eq!(told(&format!("{head}{rest}")), "", "{rest}");
        }
    }

    #[test]
    fn same_input_same_bytes() {
        let module = |name: &str| Loaded {
            module: Module { path: format!("/r/{name}.ko"), options: String::new() },
            content: name.into(),
        };
        let make = || initramfs(b"busybox", &[module("loop"), module("overlay")]);
        assert_eq!(make(), make());
        let text = String::from_utf8_lossy(&make()).into_owned();
        assert!(text.contains("modules/order\0") && text.contains("loop.ko \noverlay.ko \n"), "{text}");
    }

    #[test]
    fn programs_with_libraries_are_told_from_others() {
        assert!(!is_static(&std::fs::read("/proc/self/exe").unwrap()));
        assert!(!is_static(b"#!/bin/sh\n") && !is_static(b"\x7fELF\x02\x01") && !is_static(b""));
    }
}
