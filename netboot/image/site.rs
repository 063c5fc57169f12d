//! What a diskless root has beside its packages: a network that takes over what the initial RAM disk began, a key of its own for sshd,
//! logins for the site's admins, memory for containers.

/// What is to be in the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    File { path: &'static str, mode: u32, text: String },
    Link { path: &'static str, target: &'static str },
}

/// Nobody's name yet: a node has the address of its card and its name from the network.
///
/// The address stays while networkd takes over: the root is in memory, but what asks for it is not patient.
const NETWORK: &str = "\
[Match]
Name=eth* en*

[Network]
DHCP=yes
KeepConfiguration=dhcp

[DHCPv4]
ClientIdentifier=mac
";

/// One key of the quick kind, made where it is to be used: one in the image would be every node's.
const HOST_KEY: &str = "\
[Unit]
Description=The key of this node's ssh server
Before=ssh.service ssh.socket sshd.service
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N \"\" -f /etc/ssh/ssh_host_ed25519_key

[Install]
WantedBy=multi-user.target
";

/// The engine's layers cannot stand on a root that is itself a layer.
const ENGINE: &str = "tmpfs /var/lib/docker tmpfs mode=0711,size=50% 0 0\n";

/// What to put into a root; `has` tells whether a path is there, `keys` are public keys that open root's account.
pub fn entries(has: impl Fn(&str) -> bool, keys: &[String]) -> Vec<Entry> {
    let file = |path, mode, text: &str| Entry::File { path, mode, text: text.to_owned() };
    let fstab = if has("/usr/bin/dockerd") || has("/usr/sbin/dockerd") { ENGINE } else { "" };
    let mut entries = vec![
        file("/etc/machine-id", 0o444, ""),
        file("/etc/fstab", 0o644, &format!("# The root is in memory.\n{fstab}")),
        file("/etc/systemd/network/80-xcrane.network", 0o644, NETWORK),
    ];
    if has("/lib/systemd/system/systemd-networkd.service") {
        let target = "/lib/systemd/system/systemd-networkd.service";
        entries
            .push(Entry::Link { path: "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service", target });
    }
    if has("/usr/bin/ssh-keygen") {
        let unit = "/etc/systemd/system/xcrane-hostkey.service";
        entries.push(file(unit, 0o644, HOST_KEY));
        entries.push(Entry::Link {
            path: "/etc/systemd/system/multi-user.target.wants/xcrane-hostkey.service",
            target: unit,
        });
    }
    if !keys.is_empty() {
        entries.push(file("/root/.ssh/authorized_keys", 0o600, &keys.concat()));
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(has: &[&str], keys: &[String]) -> Vec<&'static str> {
        let entries = entries(|path| has.contains(&path), keys);
        entries
            .iter()
            .map(|entry| match entry {
                Entry::File { path, .. } | Entry::Link { path, .. } => *path,
            })
            .collect()
    }

    #[test]
    fn what_is_there_gets_what_it_needs() {
        let bare = ["/etc/machine-id", "/etc/fstab", "/etc/systemd/network/80-xcrane.network"];
        assert_eq!(paths(&[], &[]), bare);
        let whole = paths(
            &["/usr/bin/ssh-keygen", "/lib/systemd/system/systemd-networkd.service"],
            &["ssh-ed25519 AAAA ada\n".to_owned()],
        );
        assert_eq!(whole.len(), 7);
        assert!(
            whole.iter().filter(|path| path.contains(".wants/")).count() == 2
                && whole.contains(&"/root/.ssh/authorized_keys")
        );
        let engine = entries(|path| path == "/usr/sbin/dockerd", &[]);
        assert!(
            engine.iter().any(|entry| matches!(entry, Entry::File { text, .. } if text.contains("/var/lib/docker")))
        );
    }
}
