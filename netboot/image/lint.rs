//! What a root that was made for containers lacks, or has too much, before a machine can boot it, and what would mend each.

use super::modules::{NETWORKS, ROOT};

/// A root as it is looked at. Paths begin with `/`; links in it are followed within it.
pub trait View {
    fn has(&self, path: &str) -> bool;
    /// None where there is no such file, or one that is no text.
    fn text(&self, path: &str) -> Option<String>;
    /// What is in a directory.
    fn names(&self, directory: &str) -> Vec<String>;
}

/// Something that is not as a machine needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// One word for it.
    pub what: &'static str,
    /// Without it a node does not come up, or nobody gets in.
    pub is_fatal: bool,
    pub text: String,
    pub fix: Fix,
}

/// What mends a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fix {
    /// Packages that bring it, as Debian calls them.
    Packages(&'static [&'static str]),
    /// The files that every diskless root gets (see [`super::site`]).
    Site,
    /// Files and directories that have to go.
    Remove(Vec<String>),
    /// Nothing that we do.
    Hand(&'static str),
}

impl Fix {
    /// For people.
    pub fn words(&self) -> String {
        match self {
            Self::Packages(names) => format!("install {}", names.join(" ")),
            Self::Site => "write the files that diskless roots get".to_owned(),
            Self::Remove(paths) => format!("remove {}", paths.join(" ")),
            Self::Hand(what) => (*what).to_owned(),
        }
    }
}

/// What containers are given by their engine, and what turns off the start of services.
const LEFTOVERS: &[&str] = &[
    "/.dockerenv",
    "/.dockerinit",
    "/run/.containerenv",
    "/usr/sbin/policy-rc.d",
    "/etc/apt/apt.conf.d/docker-clean",
    "/etc/apt/apt.conf.d/docker-no-languages",
    "/etc/dpkg/dpkg.cfg.d/docker-apt-speedup",
];
/// Empty or made by the engine where an image was a container once.
const PLACEHOLDERS: &[&str] = &["/etc/hostname", "/etc/resolv.conf"];

const UNITS: &[&str] = &["/lib/systemd", "/usr/lib/systemd"];

/// All that is not as it should be, what keeps a node from coming up first.
pub fn lint(view: &impl View) -> Vec<Finding> {
    let mut findings = Vec::new();
    kernel(view, &mut findings);
    system(view, &mut findings);
    network(view, &mut findings);
    logins(view, &mut findings);
    one_machines(view, &mut findings);
    leftovers(view, &mut findings);
    engine(view, &mut findings);
    findings.sort_by_key(|finding| !finding.is_fatal);
    findings
}

fn find(findings: &mut Vec<Finding>, what: &'static str, is_fatal: bool, text: impl Into<String>, fix: Fix) {
    findings.push(Finding { what, is_fatal, text: text.into(), fix });
}

fn is_installed(view: &impl View, unit: &str) -> bool {
    UNITS.iter().any(|dir| view.has(&format!("{dir}/{unit}")))
}

fn kernel(view: &impl View, findings: &mut Vec<Finding>) {
    let releases = view.names("/lib/modules");
    let is_whole = |release: &&String| {
        let kernels = [format!("/boot/vmlinuz-{release}"), format!("/lib/modules/{release}/vmlinuz")];
        view.has(&format!("/lib/modules/{release}/modules.dep")) && kernels.iter().any(|kernel| view.has(kernel))
    };
    let Some(release) = releases.iter().find(is_whole) else {
        return find(
            findings,
            "kernel",
            true,
            "it has no kernel with its modules",
            Fix::Packages(&["linux-image-amd64"]),
        );
    };
    let lists = ["modules.dep", "modules.builtin"].map(|list| format!("/lib/modules/{release}/{list}"));
    let known: String = lists.iter().filter_map(|list| view.text(list)).collect();
    let has = |module: &&&str| {
        let file = known.split_whitespace().filter_map(|path| path.trim_end_matches(':').rsplit('/').next());
        let mut names = file.filter_map(|file| file.split(".ko").next()).map(|name| name.replace('-', "_"));
        names.any(|name| name == **module)
    };
    let another = Fix::Hand("take another kernel: one for real machines");
    let lacking: Vec<&str> = ROOT.iter().filter(|module| !has(module)).copied().collect();
    if !lacking.is_empty() {
        let text = format!("kernel {release} has no module {}", lacking.join(", "));
        find(findings, "modules", true, text, another.clone());
    }
    if !NETWORKS.iter().any(|driver| has(&driver)) {
        let text = format!("kernel {release} has no driver for any usual card of a network");
        find(findings, "nic", true, text, another);
    }
}

fn system(view: &impl View, findings: &mut Vec<Finding>) {
    if !is_installed(view, "systemd") || !view.has("/sbin/init") {
        find(findings, "init", true, "it has no systemd as its first process", Fix::Packages(&["systemd-sysv"]));
    }
    if !is_installed(view, "systemd-udevd") && !view.has("/usr/bin/udevadm") && !view.has("/bin/udevadm") {
        find(findings, "udev", true, "it has no udev, which loads drivers", Fix::Packages(&["udev"]));
    }
    if !["/sbin/modprobe", "/usr/sbin/modprobe", "/bin/kmod"].iter().any(|path| view.has(path)) {
        find(findings, "kmod", true, "it has no modprobe", Fix::Packages(&["kmod"]));
    }
    if !view.has("/sbin/agetty") && !view.has("/usr/sbin/agetty") {
        find(findings, "getty", false, "nobody can log in on the console: no agetty", Fix::Packages(&["util-linux"]));
    }
}

fn network(view: &impl View, findings: &mut Vec<Finding>) {
    let has_networkd = is_installed(view, "systemd-networkd");
    let others =
        ["/sbin/dhclient", "/usr/sbin/dhclient", "/usr/sbin/NetworkManager", "/sbin/udhcpc", "/usr/sbin/dhcpcd"];
    if !has_networkd && !others.iter().any(|client| view.has(client)) {
        find(findings, "dhcp", true, "nothing in it asks for an address", Fix::Packages(&["systemd"]));
    }
    let directory = "/etc/systemd/network";
    let files = view.names(directory);
    let mut texts = files.iter().filter_map(|file| view.text(&format!("{directory}/{file}")));
    let is_ours = |text: String| text.contains("ClientIdentifier=mac") && text.contains("KeepConfiguration=dhcp");
    if !texts.any(is_ours) {
        let text = "no network in /etc/systemd/network keeps the address that the node booted with";
        find(findings, "network", has_networkd, text, Fix::Site);
    }
}

fn logins(view: &impl View, findings: &mut Vec<Finding>) {
    if !["/usr/sbin/sshd", "/sbin/sshd"].iter().any(|path| view.has(path)) {
        find(findings, "sshd", false, "nobody gets in over the network: no sshd", Fix::Packages(&["openssh-server"]));
    }
    let line = |file: &str| {
        let text = view.text(file).unwrap_or_default();
        text.lines().find(|line| line.starts_with("root:")).map(str::to_owned)
    };
    match line("/etc/passwd") {
        None => find(findings, "root", true, "/etc/passwd has no root", Fix::Packages(&["base-passwd"])),
        Some(line) if line.ends_with("/nologin") || line.ends_with("/false") => {
            find(findings, "root", false, "root has no shell", Fix::Hand("give root a shell in /etc/passwd"));
        }
        Some(_) => {}
    }
    let password = line("/etc/shadow").and_then(|line| line.split(':').nth(1).map(str::to_owned)).unwrap_or_default();
    let is_open = !password.is_empty() && !password.starts_with(['*', '!', 'x']);
    if !is_open && !view.has("/root/.ssh/authorized_keys") {
        find(findings, "login", false, "root has neither a password nor a key", Fix::Site);
    }
}

/// What is one machine's and would be every node's.
fn one_machines(view: &impl View, findings: &mut Vec<Finding>) {
    match view.text("/etc/machine-id") {
        Some(id) if id.trim().is_empty() => {}
        Some(_) => find(findings, "machine-id", false, "all nodes would have one machine-id", Fix::Site),
        None => find(findings, "machine-id", false, "there is no /etc/machine-id to be filled in", Fix::Site),
    }
    let keys: Vec<String> = view
        .names("/etc/ssh")
        .into_iter()
        .filter(|name| name.starts_with("ssh_host_") && name.contains("_key"))
        .map(|name| format!("/etc/ssh/{name}"))
        .collect();
    if !keys.is_empty() {
        find(findings, "hostkeys", false, "all nodes would have the same keys of sshd", Fix::Remove(keys));
    }
    if view.has("/usr/bin/ssh-keygen") && !view.has("/etc/systemd/system/xcrane-hostkey.service") {
        find(findings, "hostkeys", false, "nothing makes a node a key for sshd", Fix::Site);
    }
    let fstab = view.text("/etc/fstab").unwrap_or_default();
    let mounts = |line: &&str| {
        let mut words = line.split_whitespace();
        let (device, point) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        !device.starts_with('#') && (point == "/" || device.contains("UUID=") || device.starts_with("/dev/"))
    };
    if let Some(line) = fstab.lines().find(mounts) {
        let text = format!("/etc/fstab waits for a disk: {}", line.split_whitespace().collect::<Vec<_>>().join(" "));
        find(findings, "fstab", true, text, Fix::Site);
    } else if !view.has("/etc/fstab") {
        find(findings, "fstab", false, "there is no /etc/fstab", Fix::Site);
    }
}

fn leftovers(view: &impl View, findings: &mut Vec<Finding>) {
    let there = |paths: &[&str]| paths.iter().filter(|path| view.has(path)).map(|path| (*path).to_owned()).collect();
    let left: Vec<String> = there(LEFTOVERS);
    if !left.is_empty() {
        find(findings, "leftovers", false, "it has files that are for containers", Fix::Remove(left));
    }
    let placeholders: Vec<String> = there(PLACEHOLDERS);
    if !placeholders.is_empty() {
        find(findings, "placeholders", false, "it has files that an engine writes", Fix::Remove(placeholders));
    }
    if view.text("/etc/hosts").is_none_or(|text| !text.contains("127.0.0.1")) {
        find(findings, "hosts", false, "/etc/hosts has no localhost", Fix::Packages(&["netbase"]));
    }
}

fn engine(view: &impl View, findings: &mut Vec<Finding>) {
    if !["/usr/bin/dockerd", "/usr/sbin/dockerd"].iter().any(|path| view.has(path)) {
        return;
    }
    if !["/sbin/apparmor_parser", "/usr/sbin/apparmor_parser"].iter().any(|path| view.has(path)) {
        let text = "without apparmor its engine starts no container";
        find(findings, "apparmor", false, text, Fix::Packages(&["apparmor"]));
    }
    if !view.text("/etc/fstab").is_some_and(|text| text.contains(" /var/lib/docker ")) {
        let text = "the engine's layers cannot stand on a root in memory: /var/lib/docker has to be a mount";
        find(findings, "docker", false, text, Fix::Site);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    struct Files(BTreeMap<&'static str, &'static str>);

    impl View for Files {
        fn has(&self, path: &str) -> bool {
            let below = format!("{path}/");
            self.0.keys().any(|known| *known == path || known.starts_with(&below))
        }

        fn text(&self, path: &str) -> Option<String> {
            self.0.get(path).map(|text| (*text).to_owned())
        }

        fn names(&self, directory: &str) -> Vec<String> {
            let below = format!("{directory}/");
            let names = self.0.keys().filter_map(|path| path.strip_prefix(&below)?.split('/').next());
            names.map(str::to_owned).collect()
        }
    }

    /// A root that boots.
    fn whole() -> Files {
        Files(BTreeMap::from([
            ("/boot/vmlinuz-6.1", ""),
            (
                "/lib/modules/6.1/modules.dep",
                "kernel/fs/squashfs/squashfs.ko:\nkernel/fs/overlayfs/overlay.ko.xz:\nkernel/net/virtio_net.ko:\n",
            ),
            ("/lib/modules/6.1/modules.builtin", "kernel/drivers/block/loop.ko\n"),
            ("/lib/systemd/systemd", ""),
            ("/lib/systemd/systemd-networkd", ""),
            ("/lib/systemd/systemd-udevd", ""),
            ("/sbin/init", ""),
            ("/sbin/modprobe", ""),
            ("/sbin/agetty", ""),
            ("/usr/sbin/sshd", ""),
            ("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\n"),
            ("/etc/shadow", "root:*:1::::::\n"),
            ("/root/.ssh/authorized_keys", "ssh-ed25519 A ada"),
            ("/etc/machine-id", ""),
            ("/etc/fstab", "# in memory\n"),
            ("/etc/hosts", "127.0.0.1 localhost\n"),
            ("/etc/systemd/network/80.network", "[Network]\nKeepConfiguration=dhcp\n[DHCPv4]\nClientIdentifier=mac\n"),
        ]))
    }

    fn words(files: &Files) -> String {
        lint(files)
            .iter()
            .map(|finding| format!("{}{}", finding.what, if finding.is_fatal { "!" } else { "" }))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn a_root_that_boots_has_no_findings() {
        assert_eq!(words(&whole()), "");
    }

    #[test]
    fn a_bare_container_lacks_all() {
        let bare = Files(BTreeMap::from([("/etc/passwd", "root:x:0:0::/root:/bin/sh\n"), ("/.dockerenv", "")]));
        assert_eq!(
            words(&bare),
            "kernel! init! udev! kmod! dhcp! getty network sshd login machine-id fstab leftovers hosts"
        );
    }

    #[test]
    fn each_thing_is_found() {
        let check = |path: &'static str, text: Option<&'static str>, expected: &str| {
            let mut files = whole();
            match text {
                Some(text) => drop(files.0.insert(path, text)),
                None => drop(files.0.remove(path)),
            }
            assert_eq!(words(&files), expected, "{path}");
        };
        check("/boot/vmlinuz-6.1", None, "kernel!");
        check("/lib/modules/6.1/modules.dep", Some("kernel/fs/squashfs.ko:\n"), "modules! nic!");
        check("/lib/modules/6.1/modules.builtin", None, "modules!");
        check("/lib/systemd/systemd", None, "init!");
        check("/sbin/init", None, "init!");
        check("/etc/systemd/network/80.network", Some("[Network]\nDHCP=yes\n"), "network!");
        check("/lib/systemd/systemd-networkd", None, "dhcp!");
        check("/etc/machine-id", Some("abc\n"), "machine-id");
        check("/etc/ssh/ssh_host_rsa_key", Some(""), "hostkeys");
        check("/usr/bin/ssh-keygen", Some(""), "hostkeys");
        check("/etc/fstab", Some("UUID=1 / ext4 defaults 0 1\n"), "fstab!");
        check("/etc/hostname", Some("abc"), "placeholders");
        check("/usr/sbin/policy-rc.d", Some(""), "leftovers");
        check("/etc/passwd", Some("ada:x:1:1::/:/bin/sh\n"), "root!");
        check("/etc/passwd", Some("root:x:0:0::/root:/usr/sbin/nologin\n"), "root");
        check("/root/.ssh/authorized_keys", None, "login");
        check("/usr/sbin/dockerd", Some(""), "apparmor docker");
    }
}
