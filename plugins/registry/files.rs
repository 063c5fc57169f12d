//! The files of a registry on its node.

use sha2::{Digest, Sha256};

use super::server::{self, Work};
use super::{Account, Config, Upstream};
use crate::setup::{File, Thing};
use crate::{Error, Result};

/// Each of a client's requests is checked against it, so a pull by many hosts costs this many times: 15 ms.
const BCRYPT_COST: u32 = 8;

/// So many seconds nothing must have been written before what is in no image is removed; a client that pushes writes all
/// the time, but for the moment between layers and manifest.
const QUIET: u32 = 5;

/// The directory of its settings.
pub(super) fn directory(config: &Config) -> String {
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
    let settings =
        ["config.yml", "readonly.yml", "htpasswd", "cert.pem", "key.pem", "mirror.yml", "upstream.pem", "serve"];
    let settings = settings.iter().map(|name| format!("{}/{name}", directory(config)));
    let units = [service(config), collection(config)].map(|unit| unit_file(&unit));
    settings.chain(units).collect()
}

/// That one of them is not there.
pub(super) fn absent(path: String) -> Thing {
    match ["/htpasswd", "/key.pem", "/mirror.yml"].iter().any(|name| path.ends_with(name)) {
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
        File::public(format!("{directory}/config.yml"), settings(config, Role::Own)),
        File::public(format!("{directory}/readonly.yml"), settings(config, Role::ReadOnly)),
        File::public(certificate_path(config), certificate.to_owned()),
        secret(format!("{directory}/key.pem"), key.to_owned()),
        File::public(unit_file(&service(config)), service_unit(config)),
        File::public(unit_file(&collection(config)), collection_unit(config)),
    ];
    if !config.accounts.is_empty() {
        files.push(secret(format!("{directory}/htpasswd"), accounts(config)?));
    }
    if let Some(upstream) = &config.upstream {
        files.push(secret(format!("{directory}/mirror.yml"), settings(config, Role::Mirror(upstream))));
        let own = config.authority.as_deref();
        let vouch: Vec<&str> = own.into_iter().chain(upstream.authority.as_deref()).collect();
        files.extend(own.map(|_| File::public(format!("{directory}/upstream.pem"), vouch.concat())));
    }
    if config.upstream.is_some() || config.image.is_some() {
        files.push(File { mode: 0o755, ..File::public(format!("{directory}/serve"), serve(config)) });
    }
    Ok(files)
}

/// The server is in the group that may read it; its unit sees to that.
fn secret(path: String, text: impl Into<String>) -> File {
    File::secret(path, text, 0o640)
}

/// As it stands in YAML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// What the server is for as long as it runs.
enum Role<'a> {
    /// What it serves was pushed to it.
    Own,
    /// While it is being cleaned up nothing can be pushed, because what was pushed and is not in an image yet would go; and a
    /// mirror whose upstream is gone serves what it has.
    ReadOnly,
    Mirror(&'a Upstream),
}

fn settings(config: &Config, role: Role<'_>) -> String {
    let directory = directory(config);
    let (maintenance, proxy, level) = match role {
        Role::Own => ("", String::new(), "info"),
        Role::ReadOnly => ("  maintenance:\n    readonly:\n      enabled: true\n", String::new(), "info"),
        // The URL may hold a password, and the server logs it among what it only informs of.
        Role::Mirror(upstream) => ("", proxy(upstream), "warn"),
    };
    let auth = match config.accounts.is_empty() {
        true => String::new(),
        false => format!("auth:\n  htpasswd:\n    realm: xcrane\n    path: {directory}/htpasswd\n"),
    };
    format!(
        "# Written by mkregistry of xcrane.\n\
         version: 0.1\n\
         log:\n  level: {level}\n  accesslog:\n    disabled: true\n\
         storage:\n  filesystem:\n    rootdirectory: {data}\n  delete:\n    enabled: true\n{maintenance}\
         http:\n  addr: :{port}\n  draintimeout: 60s\n  tls:\n    certificate: {directory}/cert.pem\n    key: {directory}/key.pem\n\
         health:\n  storagedriver:\n    enabled: true\n    interval: 10s\n    threshold: 3\n\
         {auth}{proxy}",
        data = quoted(&config.data()),
        port = config.port,
    )
}

/// Where upstream asks for a token it is got with `username` and `password`.
fn proxy(upstream: &Upstream) -> String {
    let account = upstream.account.as_ref().map(|account| {
        let (user, password) = (quoted(&account.user), quoted(account.password.reveal()));
        format!("  username: {user}\n  password: {password}\n")
    });
    format!("proxy:\n  remoteurl: {}\n{}", quoted(&upstream.with_account()), account.unwrap_or_default())
}

/// Starts the server. `exec`, for systemd must see the server itself, or who speaks for its container.
fn serve(config: &Config) -> String {
    let awaited = config.upstream.as_ref().map(|upstream| or_what_is_kept(config, upstream)).unwrap_or_default();
    let server = server::command(config, Work::Serve);
    format!("#!/bin/bash\n# Written by mkregistry of xcrane.\n{awaited}exec {server} serve \"$1\"\n")
}

/// A mirror's server does not start while its upstream is gone, so then it serves what it has, and starts anew when upstream
/// is back.
fn or_what_is_kept(config: &Config, upstream: &Upstream) -> String {
    let (directory, (host, port)) = (directory(config), upstream.socket().unwrap_or_default());
    format!(
        "answers() {{ timeout 5 bash -c '</dev/tcp/{host}/{port}' 2>/dev/null; }}\n\
         if [ \"$1\" = {directory}/mirror.yml ] && ! answers; then\n    \
         echo 'upstream {host}:{port} does not answer: serving what is kept of it' >&2\n    \
         (until answers; do sleep 5; done; kill $$) &\n    \
         set -- {directory}/readonly.yml\n\
         fi\n"
    )
}

/// A server that cannot start is started again without end: its storage may come later than the node. The slice that
/// systemd makes for units with an @ would outlive them.
fn service_unit(config: &Config) -> String {
    let (directory, data, user) = (directory(config), config.data(), server::user(config));
    let mut secrets = vec![format!("{directory}/key.pem")];
    secrets.extend((!config.accounts.is_empty()).then(|| format!("{directory}/htpasswd")));
    secrets.extend(config.upstream.iter().map(|_| format!("{directory}/mirror.yml")));
    let settings = if config.upstream.is_some() { "mirror.yml" } else { "config.yml" };
    let start = match (&config.image, &config.upstream) {
        (None, None) => format!("{} serve", server::command(config, Work::Serve)),
        _ => format!("{directory}/serve"),
    };
    let trust = match (&config.image, &config.upstream) {
        (None, Some(_)) => format!("Environment=SSL_CERT_FILE={directory}/upstream.pem\n"),
        _ => String::new(),
    };
    let engine = if config.image.is_some() { " docker.service" } else { "" };
    format!(
        "# Written by mkregistry of xcrane.\n\
         [Unit]\nDescription=Image registry {name}\nWants=network-online.target\nAfter=network-online.target{engine}\nStartLimitIntervalSec=0\n\n\
         [Service]\nSlice=system.slice\n{identity}\
         Environment=CONFIG={directory}/{settings}\nEnvironmentFile=-/run/xcrane/registry/{name}\n{trust}\
         ExecStartPre=+/bin/sh -c 'chgrp {user} {secrets} && install -d -m 0750 {data} && \
         if [ $$(stat -c %%U {data}) != {user} ]; then chown -R {user}:{user} {data}; fi'\n{before}\
         ExecStart={start} ${{CONFIG}}\n{after}\
         Restart=always\nRestartSec=2\nTimeoutStopSec=90\nNoNewPrivileges=yes\n\n\
         [Install]\nWantedBy=multi-user.target\n",
        name = config.name,
        identity = server::identity(config),
        secrets = secrets.join(" "),
        before = server::swept(config, "ExecStartPre", Work::Serve),
        after = server::swept(config, "ExecStopPost", Work::Serve),
    )
}

/// A push leaves layers that are in no image yet until its last request, so it waits until none is under way. However it
/// ends, things can be pushed again then: also when it is killed, and after a boot there is no /run.
fn collection_unit(config: &Config) -> String {
    let (directory, data, name, service) = (directory(config), config.data(), &config.name, service(config));
    let (identity, server) = (server::identity(config), server::command(config, Work::Collect));
    let swept = ["ExecStartPre", "ExecStopPost"].map(|when| server::swept(config, when, Work::Collect));
    let [before, after] = swept;
    format!(
        "# Written by mkregistry of xcrane.\n\
         [Unit]\nDescription=Removal of what is in no image of registry {name}\n\n\
         [Service]\nType=oneshot\nSlice=system.slice\n{identity}\
         ExecStartPre=/bin/sh -c 'for turn in $$(seq 900); do \
         find {data}/docker/registry/v2 -type f \\( -path \"*/_uploads/*\" -o -path \"*/blobs/*\" \\) -newermt \"{QUIET} seconds ago\" 2>/dev/null | \
         grep -q . || exit 0; sleep 1; done; echo images are pushed all the time >&2; exit 1'\n\
         ExecStartPre=+/bin/sh -c 'mkdir -p /run/xcrane/registry && \
         echo CONFIG={directory}/readonly.yml >/run/xcrane/registry/{name} && systemctl restart {service}'\n{before}\
         ExecStart={server} garbage-collect {directory}/config.yml\n{after}\
         ExecStopPost=+/bin/sh -c 'if [ -e /run/xcrane/registry/{name} ]; then rm -f /run/xcrane/registry/{name}; \
         rmdir -p /run/xcrane/registry 2>/dev/null; systemctl restart {service}; fi'\n"
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

    /// A mirror of a registry that lets in bob.
    fn mirror() -> Config {
        let account = Account { user: "bob".into(), password: crate::Secret::new("hidden") };
        let upstream = Upstream {
            url: "https://10.0.0.2:5000".into(),
            account: Some(account),
            authority: Some("foreign\n".into()),
        };
        Config { upstream: Some(upstream), authority: Some("authority".into()), ..example() }
    }

    #[test]
    fn settings_say_what_is_defined() {
        let account = Account { user: "bob".into(), password: crate::Secret::new("a b") };
        let upstream =
            Upstream { url: "https://hub:443".into(), account: Some(account), authority: Some("foreign\n".into()) };
        let text = settings(&example(), Role::Mirror(&upstream));
        let expected = "# Written by mkregistry of xcrane.
version: 0.1
log:
  level: warn
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
  remoteurl: \"https://bob:a%20b@hub:443\"
  username: \"bob\"
  password: \"a b\"
";
        assert_eq!(text, expected);
        let open = settings(&Config { accounts: vec![], ..example() }, Role::ReadOnly);
        assert!(open.contains("readonly:\n      enabled: true") && !open.contains("htpasswd"), "{open}");
        assert!(settings(&example(), Role::Own).contains("level: info"));
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
        let mut made: Vec<String> = all(&mirror()).unwrap().into_iter().map(|file| file.path).collect();
        let mut known = paths(&mirror());
        made.sort();
        known.sort();
        assert_eq!(made, known);
    }

    #[test]
    fn a_container_has_what_it_serves_and_nothing_else() {
        let image = Some("registry:2".parse().unwrap());
        let text = |config: &Config, name: &str| {
            let file = all(config).unwrap().into_iter().find(|file| file.path.ends_with(name)).unwrap();
            file.text.shown().unwrap().to_owned()
        };
        let config = Config { image, ..mirror() };
        let directory = "/etc/xcrane/registry/reg";
        let started = format!(
            "exec /usr/bin/env docker run --rm --name xcrane-registry-reg --network host --userns host --read-only --cap-drop ALL \
             --log-driver none --security-opt no-new-privileges --security-opt label=disable --volume {directory}:{directory}:ro \
             --volume /var/lib/xcrane/registry/reg:/var/lib/xcrane/registry/reg --env SSL_CERT_FILE={directory}/upstream.pem \
             registry:2 serve \"$1\"\n"
        );
        assert!(text(&config, "/serve").ends_with(&started), "{}", text(&config, "/serve"));
        let unit = text(&config, "xcrane-registry@reg.service");
        for line in
            ["After=network-online.target docker.service\n", "docker rm -f xcrane-registry-reg >", "chgrp root "]
        {
            assert!(unit.contains(line), "{line}: {unit}");
        }
        assert!(!unit.contains("User=") && !unit.contains("SSL_CERT_FILE"), "{unit}");
        let packaged = text(&example(), "xcrane-registry@reg.service");
        assert!(packaged.contains("User=docker-registry\n") && !packaged.contains("docker rm"), "{packaged}");
    }

    #[test]
    fn secrets_are_secret() {
        for file in all(&mirror()).unwrap() {
            let hidden = ["key.pem", "htpasswd", "mirror.yml"].iter().any(|name| file.path.ends_with(name));
            let mode = if file.path.ends_with("/serve") { 0o755 } else { 0o644 };
            let shown = file.text.shown();
            assert_eq!((shown.is_none(), file.mode), (hidden, if hidden { 0o640 } else { mode }), "{}", file.path);
            assert!(!shown.is_some_and(|text| text.contains("hidden")), "{}", file.path);
            assert_eq!(matches!(absent(file.path.clone()), Thing::NoSecret(_)), hidden, "{}", file.path);
        }
    }
}
