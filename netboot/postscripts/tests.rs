//! What a node is told, and the program run by a real shell.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use tables::Origin;

use super::*;

fn site(home: &Path) -> Tables {
    let tables = Tables::open(home).unwrap();
    let origin = Origin { user: "root".into(), command: "test".into(), reason: None };
    tables
        .edit(&origin, |edit| {
            edit.set(table("nodelist"), &["n1"], &[("groups", "all,service")])?;
            edit.set(table("nodetype"), &["n1"], &[("provmethod", "i"), ("os", "debian12"), ("arch", "x86_64")])?;
            edit.set(table("mac"), &["n1"], &[("mac", "52:54:00:77:00:01!n1|52:54:00:77:00:02!*NOIP*")])?;
            let adapter = "eth1!mac=02:00:00:00:00:01 linkstate=UP";
            edit.set(table("nics"), &["n1"], &[("nicips", "eth1!10.1.0.7"), ("nicsadapter", adapter)])?;
            edit.set(table("chain"), &["n1"], &[("currstate", "netboot debian12-x86_64-c")])?;
            edit.set(
                table("postscripts"),
                &["xcatdefaults"],
                &[("postscripts", "first,syncfiles"), ("postbootscripts", "otherpkgs")],
            )?;
            edit.set(table("postscripts"), &["n1"], &[("postscripts", "own 'a  b' $x,first")])?;
            edit.set(
                table("osimage"),
                &["i"],
                &[("postscripts", "image"), ("postbootscripts", "late"), ("environvar", "PROFILE=it's,COLOUR=red")],
            )?;
            edit.set(table("site"), &["domain"], &[("value", "lab.example")])?;
            edit.set(table("site"), &["path"], &[("value", "/nowhere")])?;
            edit.set(table("site"), &["no-name;"], &[("value", "x")])
        })
        .unwrap();
    tables
}

fn names(scripts: &[Script]) -> String {
    scripts.iter().map(|script| script.name.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn scripts_are_those_for_all_of_the_image_and_of_the_node() {
    let home = tempfile::tempdir().unwrap();
    let tables = site(home.path());
    let node = tables.nodes("n1").unwrap().pop().unwrap();
    let all = Postscripts::of(&tables, &node, "10.0.0.1", Occasion::Boot).unwrap();
    assert_eq!((names(&all.post), names(&all.postboot)), ("first image own".into(), "late".into()));
    assert_eq!(all.post[2].arguments, ["'a", "b'", "$x"]);
    let variable = |name: &str| all.variables.get(name).map_or("-", String::as_str);
    for (name, value) in [
        ("NODE", "n1"),
        ("MASTER", "10.0.0.1"),
        ("OSVER", "debian12"),
        ("ARCH", "x86_64"),
        ("PROFILE", "it's"),
        ("COLOUR", "red"),
        ("DOMAIN", "lab.example"),
        ("NTYPE", "service"),
        ("UPDATENODE", "0"),
        ("NODESETSTATE", "netboot"),
        ("MACADDRESS", "52:54:00:77:00:01"),
        ("NICIPS", "eth1!10.1.0.7"),
        ("NICSADAPTER", "eth1!mac=02:00:00:00:00:01 linkstate=UP"),
        ("PATH", "-"),
        ("NO-NAME;", "-"),
    ] {
        assert_eq!(variable(name), value, "{name}");
    }
    for wrong in ["../x", "/etc/passwd", "a/../b", "-x", ""] {
        assert!(Script::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_node_runs_what_it_was_sent_and_no_secret_is_among_it() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("postscripts");
    let put = |name: &str, text: &str, mode: u32| {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    put("first", "#!/bin/sh\n. ./lib/words; echo \"$WORD $NODE $#:$1\"; exit 3\n", 0o755);
    put("own", "echo \"$PROFILE, $1\"\n", 0o600);
    put("lib/words", "WORD=hello\n", 0o644);
    put("hostkeys/key", "secret\n", 0o600);
    symlink("/etc/shadow", directory.join("out")).unwrap();
    let mut postscripts = Postscripts { post: vec![Script::parse("first a b").unwrap()], ..Postscripts::default() };
    postscripts.postboot = vec![Script::parse("own $(id)").unwrap()];
    postscripts.variables =
        [("NODE", "n1"), ("PROFILE", "it's")].map(|(name, value)| (name.into(), value.into())).into();
    let absent = Files::require(&directory, &[Script::parse("none").unwrap()]).unwrap_err();
    assert_eq!(absent.to_string(), format!("script 'none' is not in {}", directory.display()));
    let files = Files::read(&directory, postscripts.scripts()).unwrap();
    let archive = files.archive(&postscripts);
    assert!(!String::from_utf8_lossy(&archive).contains("secret"));

    let there = home.path().join("there");
    fs::create_dir(&there).unwrap();
    fs::write(home.path().join("all.tar"), archive).unwrap();
    let run = |line: &str| {
        let ran = Command::new("sh").args(["-ec", line]).current_dir(&there).output().unwrap();
        (ran.status.code(), String::from_utf8(ran.stdout).unwrap())
    };
    assert_eq!(
        run("tar xf ../all.tar; find . -type f | sort | tr '\\n' ' '").1,
        "./first ./lib/words ./mypostscript ./own "
    );
    let post = "postscript start..: first\nhello n1 2:a\npostscript end....: first exited with code 3\n";
    let postboot = "postscript start..: own\nit's, $(id)\npostscript end....: own exited with code 0\n";
    let end = "Running of postscripts has completed.\n";
    assert_eq!(run("sh ./mypostscript"), (Some(1), format!("{post}{postboot}{end}")));
    assert_eq!(run("sh ./mypostscript postboot"), (Some(0), format!("{postboot}{end}")));
    assert_eq!(run("./mypostscript post"), (Some(1), format!("{post}{end}")));
    assert_eq!(run("rm own; ./mypostscript postboot").0, Some(1));
}
