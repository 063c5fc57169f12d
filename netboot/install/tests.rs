//! Answers as nodes get them, read by who knows their form.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use insta::assert_snapshot;
use tables::Origin;

use super::*;

const HASH: &str = "$6$0123456789abcdef$hash.of.a.password";
const KEY: &str = "ssh-ed25519 AAAA ada@site";

/// Images d (Debian), u (Ubuntu), r (Rocky) of the same directories, and n1 that has one of them.
struct World {
    home: tempfile::TempDir,
    tables: Tables,
}

fn world() -> World {
    let home = tempfile::tempdir().unwrap();
    let tables = Tables::open(&home.path().join("state")).unwrap();
    let list = home.path().join("list");
    fs::write(&list, "vim, htop\n-nano\n").unwrap();
    let origin = Origin { user: "root".into(), command: "test".into(), reason: None };
    tables
        .edit(&origin, |edit| {
            edit.set(table("nodelist"), &["n1"], &[("groups", "all")])?;
            edit.set(table("passwd"), &["system", "root"], &[("password", HASH)])?;
            edit.set(table("site"), &["domain"], &[("value", "lab.example")])?;
            for (name, osvers) in [("d", "debian12"), ("u", "ubuntu24.04"), ("r", "rocky9.4")] {
                edit.set(table("osimage"), &[name], &[("osvers", osvers), ("provmethod", "install")])?;
                edit.set(table("linuximage"), &[name], &[("pkglist", &list.to_string_lossy())])?;
            }
            Ok(())
        })
        .unwrap();
    World { home, tables }
}

impl World {
    fn set(&self, name: &'static str, key: &[&str], cells: &[(&str, &str)]) {
        let origin = Origin { user: "root".into(), command: "test".into(), reason: None };
        self.tables.edit(&origin, |edit| edit.set(table(name), key, cells)).unwrap();
    }

    fn answers(&self, image: &str, keys: &[String]) -> Result<Answers, Error> {
        self.set("nodetype", &["n1"], &[("provmethod", image)]);
        let node = self.tables.nodes("n1").unwrap().pop().unwrap();
        Answers::read(&self.tables, &node, keys)
    }

    fn written(&self, image: &str, name: &str) -> String {
        let around = Around {
            server: "http://10.0.0.1:8080",
            address: "10.0.0.1",
            mac: "52:54:00:77:00:01".parse().unwrap(),
            token: Some("TOKEN"),
            genesis: false,
            digest: None,
        };
        let templates = Templates::new(&self.home.path().join("boot")).unwrap();
        self.answers(image, &[KEY.to_owned()]).unwrap().write(&templates, name, &around).unwrap().unwrap()
    }

    fn why(&self, image: &str) -> String {
        self.answers(image, &[]).map_or_else(|error| error.to_string(), |_| "no error".to_owned())
    }
}

/// Runs a program that must like what it is given.
fn must(program: &mut Command, input: &str) -> String {
    let program = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = program.spawn().unwrap_or_else(|error| panic!("{program:?}: {error}"));
    running.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let ended = running.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success() && said.is_empty(), "{program:?}: {said}\n{input}");
    String::from_utf8(ended.stdout).unwrap()
}

#[test]
fn debian_gets_a_preseed_that_debconf_reads() {
    let world = world();
    let preseed = world.written("d", "preseed.cfg");
    assert_snapshot!(preseed, @r#"
    #_preseed_V1
    # The answers of n1 to Debian's installer.
    d-i debian-installer/locale string en_US.UTF-8
    d-i keyboard-configuration/xkb-keymap select us
    d-i netcfg/choose_interface select auto
    d-i netcfg/get_hostname string n1
    d-i netcfg/get_domain string lab.example
    d-i hw-detect/load_firmware boolean false
    d-i mirror/country string manual
    d-i mirror/protocol string http
    d-i mirror/http/hostname string deb.debian.org
    d-i mirror/http/directory string /debian
    d-i mirror/http/proxy string
    d-i mirror/suite string bookworm
    d-i passwd/root-login boolean true
    d-i passwd/make-user boolean false
    d-i passwd/root-password-crypted password $6$0123456789abcdef$hash.of.a.password
    d-i clock-setup/utc boolean true
    d-i clock-setup/ntp boolean false
    d-i time/zone string UTC
    d-i partman/early_command string debconf-set partman-auto/disk "$(list-devices disk | head -n 1)"
    d-i partman-auto/method string regular
    d-i partman-auto/choose_recipe select atomic
    d-i partman-lvm/device_remove_lvm boolean true
    d-i partman-md/device_remove_md boolean true
    d-i partman-efi/non_efi_system boolean true
    d-i partman-partitioning/confirm_write_new_label boolean true
    d-i partman/choose_partition select finish
    d-i partman/confirm boolean true
    d-i partman/confirm_nooverwrite boolean true
    d-i apt-setup/cdrom/set-first boolean false
    popularity-contest popularity-contest/participate boolean false
    # Packages are said by name, and no tasks.
    d-i pkgsel/run_tasksel boolean false
    d-i pkgsel/include string vim htop openssh-server curl
    d-i pkgsel/upgrade select none
    d-i grub-installer/only_debian boolean true
    d-i grub-installer/bootdev string default
    d-i preseed/late_command string in-target sh -c 'curl -fsS --retry 5 http://10.0.0.1:8080/node/52-54-00-77-00-01/install/TOKEN/finish.sh | sh'
    d-i finish-install/reboot_in_progress note
    "#);
    must(Command::new("debconf-set-selections").arg("-c"), &preseed);
    let recipe = world.home.path().join("recipe");
    fs::write(&recipe, "d-i partman-auto/method string lvm\n").unwrap();
    world.set("linuximage", &["d"], &[("partitionfile", &recipe.to_string_lossy()), ("pkgdir", "/media/debian")]);
    world.set("passwd", &["system", "root"], &[("password", "")]);
    let preseed = world.written("d", "preseed.cfg");
    must(Command::new("debconf-set-selections").arg("-c"), &preseed);
    for line in [
        "d-i partman-auto/method string lvm",
        "d-i mirror/http/hostname string 10.0.0.1:8080",
        "d-i mirror/http/directory string /media/d",
        "d-i passwd/root-password-crypted password *",
    ] {
        assert!(preseed.lines().any(|known| known == line), "{line}\n{preseed}");
    }
    assert!(!preseed.contains("partman-auto/disk"), "{preseed}");
}

/// apt on the new system has to be told so before a kernel is looked for there.
#[test]
fn a_medium_that_nobody_has_signed_is_installed_from() {
    let world = world();
    assert!(!world.written("d", "preseed.cfg").contains("early_command string mkdir"));
    world.set("linuximage", &["d"], &[("pkgdir", "/media/debian")]);
    let preseed = world.written("d", "preseed.cfg");
    let early = preseed.lines().find_map(|line| line.strip_prefix("d-i preseed/early_command string ")).unwrap();
    let script = early.replace("/usr/lib/post-base-installer.d", &world.home.path().join("parts").to_string_lossy());
    must(Command::new("sh").arg("-s"), &script);
    let hook = fs::read_to_string(world.home.path().join("parts/01xcrane")).unwrap();
    let root = world.home.path().join("root");
    fs::create_dir_all(root.join("etc/apt/apt.conf.d")).unwrap();
    let hook = hook.replace("/target", &root.to_string_lossy()).replace("chroot", "echo");
    must(Command::new("sh").arg("-s"), &hook);
    let options = root.join("etc/apt/apt.conf.d/00AllowUnauthenticated");
    let known = must(Command::new("apt-config").env("APT_CONFIG", options).arg("dump"), "");
    assert!(known.contains("Acquire::AllowInsecureRepositories \"true\";"), "{known}");
}

#[test]
fn ubuntu_gets_an_autoinstall_that_yaml_reads() {
    let world = world();
    let read = "import sys, yaml, json; print(json.dumps(yaml.safe_load(sys.stdin), indent=1))";
    let json = |name: &str| must(Command::new("python3").args(["-c", read]), &world.written("u", name));
    assert_snapshot!(json("user-data"), @r#"
    {
     "autoinstall": {
      "version": 1,
      "locale": "en_US.UTF-8",
      "keyboard": {
       "layout": "us"
      },
      "timezone": "UTC",
      "ssh": {
       "install-server": true,
       "allow-pw": false
      },
      "user-data": {
       "hostname": "n1",
       "disable_root": false,
       "users": [
        {
         "name": "root",
         "lock_passwd": false,
         "hashed_passwd": "$6$0123456789abcdef$hash.of.a.password",
         "ssh_authorized_keys": [
          "ssh-ed25519 AAAA ada@site"
         ]
        }
       ]
      },
      "storage": {
       "layout": {
        "name": "direct"
       }
      },
      "packages": [
       "vim",
       "htop",
       "openssh-server",
       "curl"
      ],
      "late-commands": [
       "curtin in-target --target=/target -- sh -c 'curl -fsS --retry 5 http://10.0.0.1:8080/node/52-54-00-77-00-01/install/TOKEN/finish.sh | sh'"
      ],
      "shutdown": "reboot"
     }
    }
    "#);
    assert_snapshot!(json("meta-data"), @r#"
    {
     "instance-id": "xcrane-n1",
     "local-hostname": "n1"
    }
    "#);
    assert_eq!(json("vendor-data").trim(), "{}");
    let storage = world.home.path().join("storage");
    fs::write(&storage, "layout:\n  name: lvm\n").unwrap();
    world.set("linuximage", &["u"], &[("partitionfile", &storage.to_string_lossy())]);
    assert!(json("user-data").contains("\"name\": \"lvm\""));
}

#[test]
fn the_red_hat_family_gets_a_kickstart() {
    let world = world();
    world.set("linuximage", &["r"], &[("pkgdir", "http://mirror/rocky/9/")]);
    assert_snapshot!(world.written("r", "kickstart.cfg"), @"
    # The answers of n1 to the installer of the Red Hat family.
    text
    url --url=http://mirror/rocky/9
    lang en_US.UTF-8
    keyboard us
    timezone UTC --utc
    network --bootproto=dhcp --device=52:54:00:77:00:01 --hostname=n1.lab.example --activate
    rootpw --iscrypted $6$0123456789abcdef$hash.of.a.password
    firewall --enabled --service=ssh
    firstboot --disable
    skipx
    zerombr
    clearpart --all --initlabel
    autopart --type=plain
    bootloader
    reboot

    %packages
    @core
    tar
    vim
    htop
    openssh-server
    curl
    -nano
    %end

    %post --log=/root/xcrane-post.log
    curl -fsS --retry 5 http://10.0.0.1:8080/node/52-54-00-77-00-01/install/TOKEN/finish.sh | sh
    %end
    ");
}

#[test]
fn the_end_of_an_installation_is_a_script() {
    let world = world();
    let script = world.written("r", FINISH);
    must(Command::new("sh").args(["-n", "-s"]), &script);
    assert!(script.contains(KEY) && !script.contains(HASH), "{script}");
    let answers = world.answers("d", &[]).unwrap().without_password();
    assert!(format!("{answers:?}").contains("***") && !format!("{answers:?}").contains(HASH));
    world.set("passwd", &["system", "root"], &[("password", "cluster")]);
    for (image, name) in [("d", "preseed.cfg"), ("u", "user-data"), ("r", "kickstart.cfg")] {
        let written = world.written(image, name);
        assert!(written.contains("$6$") && !written.contains("password cluster"), "{written}");
    }
}

/// What an installed node has in its sources.list, which apt must read.
fn sources(world: &World, image: &str) -> String {
    let script = world.written(image, FINISH);
    must(Command::new("sh").args(["-n", "-s"]), &script);
    let Some((_, rest)) = script.split_once("cat >/etc/apt/sources.list <<'END'\n") else { return String::new() };
    let list = rest.split_once("END\n").unwrap().0.to_owned();
    let file = world.home.path().join("sources.list");
    fs::write(&file, &list).unwrap();
    // It fetches nothing, and refuses a list that it cannot read.
    let options = [format!("Dir::Etc::SourceList={}", file.display()), "Dir::Etc::SourceParts=/dev/null".to_owned()];
    let [own, parts] = &options;
    let asked = must(Command::new("apt-get").args(["update", "--print-uris", "-o", own, "-o", parts]), "");
    assert!(asked.contains("/InRelease'"), "{asked}");
    list
}

#[test]
fn an_installed_node_has_a_mirror_and_not_the_unsigned_medium() {
    let world = world();
    assert_eq!(sources(&world, "d"), "", "its installer has written where it was installed from");
    let set = |image: &str, pkgdir: &str| world.set("linuximage", &[image], &[("pkgdir", pkgdir)]);
    set("d", "/media/debian");
    assert_eq!(
        sources(&world, "d"),
        "deb http://deb.debian.org/debian bookworm main\n\
         deb http://deb.debian.org/debian bookworm-updates main\n\
         deb http://security.debian.org/debian-security bookworm-security main\n"
    );
    set("d", "/media/debian,/media/more,http://mirror.site/debian/");
    assert_eq!(sources(&world, "d"), "deb http://mirror.site/debian bookworm main\n");
    set("d", "http://mirror.site/debian");
    assert_eq!(sources(&world, "d"), "");
    set("u", "/media/ubuntu");
    assert!(sources(&world, "u").starts_with("deb http://archive.ubuntu.com/ubuntu noble main universe\n"));
    set("r", "/media/rocky");
    assert_eq!(sources(&world, "r"), "", "its own repositories stand in files of a package");
}

#[test]
fn what_cannot_be_installed_says_why() {
    let world = world();
    world.set("osimage", &["x"], &[("osvers", "aix7")]);
    assert_eq!(world.why("x"), "image x: osvers is 'aix7', which has no installer here");
    assert_eq!(world.why("none"), "it has no image to be installed");
    let old = world.home.path().join("old.tmpl");
    fs::write(&old, "#INCLUDE:x#\n").unwrap();
    world.set("linuximage", &["d"], &[("template", &old.to_string_lossy())]);
    assert!(world.why("d").contains("in xCAT's own form"), "{}", world.why("d"));
    world.set("linuximage", &["d"], &[("template", ""), ("partitionfile", "s:/x")]);
    assert!(world.why("d").contains("no script"), "{}", world.why("d"));
    world.set("linuximage", &["d"], &[("partitionfile", "")]);
    world.set("passwd", &["system", "root"], &[("password", "")]);
    assert_eq!(world.why("d"), Error::NoLogin.to_string());
}
