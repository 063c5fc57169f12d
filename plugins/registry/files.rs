//! The files of a registry on its node.

use sha2::{Digest, Sha256};

use super::{Account, Config, SERVER, USER};
use crate::setup::{File, Thing};
use crate::{Error, Result};

/// Each of a client's requests is checked against it, so a pull by many hosts costs this many times: 15 ms.
const BCRYPT_COST: u32 = 8;

/// The directory of its settings.
fn directory(config: &Config) -> String {
    format!("/etc/xcrane/registry/{}", config.name)
}

pub(super) fn service(config: &Config) -> String {
    format!("xcrane-registry@{}.service", config.name)
}

pub(super) fn collection(config: &Config) -> String {
    format!("xcrane-registry-gc@{}.service", config.name)
}

fn unit_file(unit: &str) -> String {
    format!("/etc/systemd/system/{unit}")
}

pub(super) fn certificate_path(config: &Config) -> String {
    format!("{}/cert.pem", directory(config))
}

/// Every path that may be ours for this registry.
pub(super) fn paths(config: &Config) -> Vec<String> {
    let settings = ["config.yml", "readonly.yml", "htpasswd", "cert.pem", "key.pem"];
    let settings = settings.iter().map(|name| format!("{}/{name}", directory(config)));
    let units = [service(config), collection(config)].map(|unit| unit_file(&unit));
    settings.chain(units).collect()
}

/// That one of them is not there.
pub(super) fn absent(path: String) -> Thing {
    match path.ends_with("/htpasswd") || path.ends_with("/key.pem") {
        true => Thing::NoSecret(path),
        false => Thing::NoFile(path),
    }
}

/// All files, as they shall be. What is still to be issued has no text yet.
pub(super) fn all(config: &Config) -> Result<Vec<File>> {
    let directory = directory(config);
    let (certificate, key) = match &config.certificate {
        Some(issued) => (issued.certificate.as_str(), issued.key.as_str()),
        None => ("", ""),
    };
    let mut files = vec![
        File::public(format!("{directory}/config.yml"), settings(config, false)),
        File::public(format!("{directory}/readonly.yml"), settings(config, true)),
        File::public(certificate_path(config), certificate.to_owned()),
        secret(format!("{directory}/key.pem"), key.to_owned()),
        File::public(unit_file(&service(config)), service_unit(config)),
        File::public(unit_file(&collection(config)), collection_unit(config)),
    ];
    if !config.accounts.is_empty() {
        files.push(secret(format!("{directory}/htpasswd"), accounts(config)?));
    }
    Ok(files)
}

/// The server is in the group that may read it; its unit sees to that.
fn secret(path: String, text: impl Into<String>) -> File {
    File::secret(path, text, 0o640)
}

/// While it is being cleaned up nothing can be pushed, because what was pushed and is not in an image yet would go.
fn settings(config: &Config, read_only: bool) -> String {
    let directory = directory(config);
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let maintenance = if read_only { "  maintenance:\n    readonly:\n      enabled: true\n" } else { "" };
    let auth = match config.accounts.is_empty() {
        true => String::new(),
        false => format!("auth:\n  htpasswd:\n    realm: xcrane\n    path: {directory}/htpasswd\n"),
    };
    let upstream = config.upstream.as_deref();
    let proxy = upstream.map(|url| format!("proxy:\n  remoteurl: {}\n", quoted(url))).unwrap_or_default();
    format!(
        "# Written by mkregistry of xcrane.\n\
         version: 0.1\n\
         log:\n  level: info\n  accesslog:\n    disabled: true\n\
         storage:\n  filesystem:\n    rootdirectory: {data}\n  delete:\n    enabled: true\n{maintenance}\
         http:\n  addr: :{port}\n  draintimeout: 60s\n  tls:\n    certificate: {directory}/cert.pem\n    key: {directory}/key.pem\n\
         health:\n  storagedriver:\n    enabled: true\n    interval: 10s\n    threshold: 3\n\
         {auth}{proxy}",
        data = quoted(&config.data()),
        port = config.port,
    )
}

/// A server that cannot start is started again without end: its storage may come later than the node. The slice that
/// systemd makes for units with an @ would outlive them.
fn service_unit(config: &Config) -> String {
    let (directory, data) = (directory(config), config.data());
    let secrets = match config.accounts.is_empty() {
        true => format!("{directory}/key.pem"),
        false => format!("{directory}/key.pem {directory}/htpasswd"),
    };
    format!(
        "# Written by mkregistry of xcrane.\n\
         [Unit]\nDescription=Image registry {name}\nWants=network-online.target\nAfter=network-online.target\nStartLimitIntervalSec=0\n\n\
         [Service]\nSlice=system.slice\nUser={USER}\nGroup={USER}\n\
         Environment=CONFIG={directory}/config.yml\nEnvironmentFile=-/run/xcrane/registry/{name}\n\
         ExecStartPre=+/bin/sh -c 'chgrp {USER} {secrets} && install -d -m 0750 {data} && \
         if [ $$(stat -c %%U {data}) != {USER} ]; then chown -R {USER}:{USER} {data}; fi'\n\
         ExecStart={SERVER} serve ${{CONFIG}}\n\
         Restart=always\nRestartSec=2\nTimeoutStopSec=90\nNoNewPrivileges=yes\n\n\
         [Install]\nWantedBy=multi-user.target\n",
        name = config.name,
    )
}

/// However it ends, things can be pushed again then: also when it is killed, and after a boot there is no /run.
fn collection_unit(config: &Config) -> String {
    let (directory, name, service) = (directory(config), &config.name, service(config));
    format!(
        "# Written by mkregistry of xcrane.\n\
         [Unit]\nDescription=Removal of what is in no image of registry {name}\n\n\
         [Service]\nType=oneshot\nSlice=system.slice\nUser={USER}\nGroup={USER}\n\
         ExecStartPre=+/bin/sh -c 'mkdir -p /run/xcrane/registry && \
         echo CONFIG={directory}/readonly.yml >/run/xcrane/registry/{name} && systemctl restart {service}'\n\
         ExecStart={SERVER} garbage-collect {directory}/config.yml\n\
         ExecStopPost=+/bin/sh -c 'rm -f /run/xcrane/registry/{name}; rmdir -p /run/xcrane/registry 2>/dev/null; \
         systemctl restart {service}'\n"
    )
}

fn accounts(config: &Config) -> Result<String> {
    config.accounts.iter().map(|account| hashed(config, account)).collect()
}

/// The salt is the same at each run, or the file would change each time; and it is another one for each site, registry and
/// user, which is what salt is for.
fn hashed(config: &Config, account: &Account) -> Result<String> {
    let site = config.authority.as_deref().unwrap_or_default();
    let digest = Sha256::digest(format!("{site}\n{}\n{}", config.name, account.user));
    let mut salt = [0; 16];
    salt.copy_from_slice(&digest[..16]);
    let hash = bcrypt::hash_with_salt(account.password.reveal(), BCRYPT_COST, salt);
    let hash = hash.map_err(|error| Error::Refused {
        what: format!("cannot hash the password of {}", account.user),
        why: error.to_string(),
    })?;
    Ok(format!("{}:{}\n", account.user, hash.format_for_version(bcrypt::Version::TwoY)))
}

#[cfg(test)]
mod tests {
    use super::super::config::example;
    use super::*;

    #[test]
    fn settings_say_what_is_defined() {
        let text = settings(&Config { upstream: Some("https://hub:443".into()), ..example() }, false);
        let expected = "# Written by mkregistry of xcrane.
version: 0.1
log:
  level: info
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: \"/var/lib/xcrane/registry/reg\"
  delete:
    enabled: true
http:
  addr: :5000
  draintimeout: 60s
  tls:
    certificate: /etc/xcrane/registry/reg/cert.pem
    key: /etc/xcrane/registry/reg/key.pem
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
auth:
  htpasswd:
    realm: xcrane
    path: /etc/xcrane/registry/reg/htpasswd
proxy:
  remoteurl: \"https://hub:443\"
";
        assert_eq!(text, expected);
        let open = settings(&Config { accounts: vec![], ..example() }, true);
        assert!(open.contains("readonly:\n      enabled: true") && !open.contains("htpasswd"), "{open}");
    }

    #[test]
    fn a_password_is_hashed_in_the_same_way_each_time() {
        let (first, second) = (accounts(&example()).unwrap(), accounts(&example()).unwrap());
        assert_eq!(first, second);
        let (user, hash) = first.trim_end().split_once(':').unwrap();
        assert!(user == "ada" && hash.starts_with("$2y$08$"), "{first}");
        assert!(bcrypt::verify("sesame", hash).unwrap() && !bcrypt::verify("other", hash).unwrap());
        let elsewhere = Config { name: "other".into(), ..example() };
        assert_ne!(accounts(&elsewhere).unwrap(), first);
    }

    #[test]
    fn every_file_can_be_taken_away_again() {
        let mut made: Vec<String> = all(&example()).unwrap().into_iter().map(|file| file.path).collect();
        let mut known = paths(&example());
        made.sort();
        known.sort();
        assert_eq!(made, known);
    }

    #[test]
    fn secrets_are_secret() {
        for file in all(&example()).unwrap() {
            let hidden = file.path.ends_with("key.pem") || file.path.ends_with("htpasswd");
            assert_eq!(
                (file.text.shown().is_none(), file.mode),
                (hidden, if hidden { 0o640 } else { 0o644 }),
                "{}",
                file.path
            );
            assert_eq!(matches!(absent(file.path.clone()), Thing::NoSecret(_)), hidden, "{}", file.path);
        }
    }
}
