//! The server with curl, and with what no client should send.

use std::fs;
use std::time::Duration;

use tables::{Origin, Select, Tables, schema};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::*;

const LIMIT: Duration = Duration::from_secs(20);
const N1: &str = "52-54-00-77-00-01";
const N2: &str = "52-54-00-77-00-02";

/// Nodes n1, which calls from 127.0.0.1, and n2, which does not; an image; a server.
struct Served {
    home: tempfile::TempDir,
    tables: Arc<Tables>,
    url: String,
    heard: tokio::sync::mpsc::Receiver<Event>,
    arrivals: Arc<Arrivals>,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<io::Result<()>>,
}

fn table(name: &str) -> &'static schema::Table {
    schema::find(name).unwrap()
}

impl Served {
    async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let tables = Arc::new(Tables::open(home.path()).unwrap());
        let images = home.path().join("images");
        let origin = Origin { user: "root".into(), command: "test".into(), reason: None };
        tables
            .edit(&origin, |edit| {
                edit.set(table("nodelist"), &["n1"], &[("groups", "all")])?;
                edit.set(table("nodelist"), &["n2"], &[("groups", "all")])?;
                edit.set(table("mac"), &["all"], &[("mac", r"|n(\d+)|52:54:00:77:00:0($1)|")])?;
                edit.set(table("hosts"), &["all"], &[("ip", r"|n(\d+)|127.0.0.($1)|")])?;
                edit.set(table("chain"), &["all"], &[("currstate", "netboot debian12-x86_64-compute")])?;
                edit.set(table("bootparams"), &["all"], &[("kernel", "image/deb12/kernel")])?;
                edit.set(table("linuximage"), &["deb12"], &[("rootimgdir", &images.to_string_lossy())])
            })
            .unwrap();
        for (name, text) in [
            ("images/kernel", "0123456789"),
            ("genesis/kernel.x86_64", "g"),
            ("nodes/n1/key", "secret of n1"),
            ("nodes/n2/key", "secret of n2"),
        ] {
            fs::create_dir_all(home.path().join(name).parent().unwrap()).unwrap();
            fs::write(home.path().join(name), text).unwrap();
        }
        std::os::unix::fs::symlink(home.path().join("nodes"), images.join("out")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (url, stop) = (address(listener.local_addr().unwrap()), CancellationToken::new());
        let records = Arc::new(Tables::open(home.path()).unwrap());
        let server = Server::new(home.path(), Arc::new(LiveSite::open(tables.clone(), records).unwrap())).unwrap();
        let (events, heard) = Events::heard(1000);
        let arrivals = Arc::<Arrivals>::default();
        let server = server.telling(events).noting(arrivals.clone());
        let running = tokio::spawn(serve(listener, Arc::new(server), stop.clone()));
        Self { home, tables, url, heard, arrivals, stop, running }
    }

    /// What curl prints; `@` at the beginning of a word stands for the server, `~` for a space.
    async fn curl(&self, line: &str) -> String {
        let mut command = Command::new("curl");
        command.args(["-s", "--max-time", "15", "--path-as-is"]).kill_on_drop(true);
        command.args(line.split_whitespace().map(|word| match word.strip_prefix('@') {
            Some(path) => format!("{}{path}", self.url),
            None => word.replace('~', " "),
        }));
        let ended = timeout(LIMIT, command.output()).await.expect("curl does not end").unwrap();
        String::from_utf8(ended.stdout).unwrap()
    }

    async fn code(&self, line: &str) -> String {
        self.curl(&format!("-o /dev/null -w %{{http_code}} {line}")).await
    }

    /// The token in n1's next script.
    async fn boot(&self) -> String {
        let script = self.curl(&format!("@/node/{N1}")).await;
        let token = script.split("xcrane.token=").nth(1).unwrap_or_else(|| panic!("no token in {script}"));
        token.split_whitespace().next().unwrap().to_owned()
    }

    fn status(&self, node: &str) -> String {
        let rows = self.tables.rows(table("nodelist"), Select::Keys(&[node])).unwrap();
        rows[0].get("status").unwrap_or_default().to_owned()
    }

    fn record(&self, node: &str, status: &'static str) {
        self.tables.record_statuses(&[(node.to_owned(), status)].into()).unwrap();
    }

    /// The next that is told, as `kind subject node detail`.
    async fn told(&mut self) -> String {
        let event = timeout(LIMIT, self.heard.recv()).await.expect("nothing is told").unwrap();
        let node = event.node.as_deref().unwrap_or("-");
        format!("{} {} {node} {}", event.kind.word(), event.subject, event.said())
    }

    async fn end(self) {
        self.stop.cancel();
        timeout(LIMIT, self.running).await.expect("the server does not stop").unwrap().unwrap();
    }
}

#[tokio::test]
async fn files_whole_and_in_part() {
    let served = Served::new().await;
    let check = async |line: &str, expected: &str| assert_eq!(served.curl(line).await, expected, "{line}");
    check("@/image/deb12/kernel", "0123456789").await;
    check("-r 2-4 @/image/deb12/kernel", "234").await;
    check("-r -3 @/image/deb12/kernel", "789").await;
    check("-C 7 @/image/deb12/kernel", "789").await;
    check("-r 2-4 -H If-Range:~\"other\" @/image/deb12/kernel", "0123456789").await;
    check("@/image/deb12/kernel @/image/deb12/kernel", "01234567890123456789").await;
    check("-r 20- -w %{http_code} @/image/deb12/kernel", "Range Not Satisfiable\n416").await;
    let head = served.curl("-I @/image/deb12/kernel").await.to_lowercase();
    for line in ["http/1.1 200 ok", "content-length: 10", "accept-ranges: bytes", "etag: \"", "last-modified: "] {
        assert!(head.contains(line), "{line} is not in {head}");
    }
    let tag = head.split("etag: ").nth(1).unwrap().lines().next().unwrap().to_owned();
    assert_eq!(served.code(&format!("-H If-None-Match:~{tag} @/image/deb12/kernel")).await, "304");
    for (line, expected) in [
        ("@/image/deb12/absent", "404"),
        ("@/image/other/kernel", "404"),
        ("@/image/deb12/../boot.key", "404"),
        ("@/image/../boot.key", "404"),
        ("@/image/%2e%2e/boot.key", "404"),
        ("@/image/%2e%2e/xcrane.db", "404"),
        ("@/image/deb12/%2e%2e", "403"),
        ("@/image/deb12/..%2fboot.key", "404"),
        ("@/image/deb12/out", "403"),
        ("@/image/deb12/out/n1/key", "404"),
        ("@/genesis/../boot.key", "403"),
        ("@/genesis/x/../../boot.key", "404"),
        ("@/boot.key", "404"),
        ("@/bogus/x", "404"),
        ("-X POST @/image/deb12/kernel", "405"),
        ("-X DELETE @/node/52-54-00-77-00-01/status", "405"),
    ] {
        assert_eq!(served.code(line).await, expected, "{line}");
    }
    let big: Vec<u8> = (0..3_000_001_u32).map(|at| (at >> 7) as u8).collect();
    fs::write(served.home.path().join("images/big"), &big).unwrap();
    let got = served.home.path().join("got");
    served.curl(&format!("@/image/deb12/big -o {0}1 -o {0}2 @/image/deb12/big", got.display())).await;
    served.curl(&format!("-r 1000-2999999 @/image/deb12/big -o {}3", got.display())).await;
    for (number, expected) in [(1, &big[..]), (2, &big[..]), (3, &big[1000..3_000_000])] {
        assert!(fs::read(format!("{}{number}", got.display())).unwrap() == expected, "{number}");
    }
    served.end().await;
}

#[tokio::test]
async fn a_node_gets_its_script_and_only_its_own_secrets() {
    let served = Served::new().await;
    let script = served.curl(&format!("@/node/{N1}")).await;
    assert!(script.contains(&format!("kernel {}/image/deb12/kernel ", served.url)), "{script}");
    assert_eq!((served.status("n1"), served.status("n2")), ("netbooting".into(), String::new()));
    // n2 is not at this address: whoever asks here gets its script, but nothing that proves to be n2.
    let script = served.curl(&format!("@/node/{N2}")).await;
    assert!(script.contains("xcrane.node=n2") && !script.contains("token"), "{script}");
    assert_eq!(served.status("n2"), "");
    let unknown = served.curl("@/node/52-54-00-99-00-01").await;
    assert!(unknown.contains("destiny=discover") && !unknown.contains("token"), "{unknown}");
    assert!(served.curl("@/boot.ipxe").await.contains(&format!("{}/node/", served.url)));
    let token = served.boot().await;
    let own = |mac: &str, token: &str| format!("-H Authorization:~Bearer~{token} @/node/{mac}/file/key");
    assert_eq!(served.curl(&own(N1, &token)).await, "secret of n1");
    for (line, expected) in [
        (own(N2, &token), "403"),
        (own(N1, "AAAA"), "403"),
        (own(N1, &format!("{token}A")), "403"),
        (format!("@/node/{N1}/file/key"), "401"),
        (format!("-H Authorization:~Bearer~{token} @/node/{N1}/file/../n2/key"), "403"),
    ] {
        assert_eq!(served.code(&line).await, expected, "{line}");
    }
    let host_key = |token: &str| format!("-H Authorization:~Bearer~{token} @/node/{N1}/file/{}", hostkey::FILE);
    let made = served.curl(&host_key(&token)).await;
    assert!(made.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n"), "{made}");
    let known = fs::read_to_string(served.home.path().join(hostkey::KNOWN)).unwrap();
    assert!(known.starts_with("n1,127.0.0.1 ssh-ed25519 "), "{known}");
    let next = served.boot().await;
    assert_eq!(served.code(&own(N1, &token)).await, "403", "the token of the boot before");
    assert_eq!(served.code(&host_key(&token)).await, "403");
    assert_eq!(served.curl(&host_key(&next)).await, made, "another boot, the same key");
    assert_eq!(
        served.code(&format!("-X POST -d booted -H Authorization:~Bearer~{next} @/node/{N1}/status")).await,
        "204"
    );
    assert_eq!(served.code(&own(N1, &next)).await, "403", "it is up: its users could read the token");
    let stolen = served.boot().await;
    assert_eq!(served.status("n1"), "booted", "nobody has booted it");
    assert_eq!(served.code(&own(N1, &stolen)).await, "403", "it is up: its users can ask for a token");
    served.record("n1", "powering-on");
    assert_eq!(served.code(&own(N1, &stolen)).await, "403", "it was up when it asked");
    // Where we would not hear of its firmware, that it was switched on must do.
    let expected = served.boot().await;
    assert_eq!(served.status("n1"), "netbooting");
    assert_eq!(served.curl(&own(N1, &expected)).await, "secret of n1");
    // Where we would, it runs still until its firmware is heard: its BMC has perhaps not even been asked.
    served.arrivals.feed();
    served.record("n1", "powering-on");
    let stolen = served.boot().await;
    assert_eq!(served.status("n1"), "powering-on", "nobody has booted it");
    assert_eq!(served.code(&own(N1, &stolen)).await, "403", "its users can ask for a token until it has no power");
    served.arrivals.saw(N1.parse().unwrap());
    // Nor does anybody say for it that it is up, whatever token he has.
    for token in [&next, &expected, &stolen] {
        let say = |word: &str| format!("@/node/{N1}/status/{word}?token={token}");
        assert_eq!(served.code(&say("booted")).await, "403");
        assert_eq!(served.code(&say("failed")).await, "403");
        assert_eq!(served.status("n1"), "powering-on");
    }
    let expected = served.boot().await;
    assert_eq!(served.status("n1"), "netbooting");
    assert_eq!(served.curl(&own(N1, &expected)).await, "secret of n1");
    assert_eq!(served.code(&format!("@/node/{N1}/status/booted?token={expected}")).await, "204");
    assert_eq!(served.status("n1"), "booted");
    served.record("n1", "booted");
    assert_eq!(served.code(&own(N1, &expected)).await, "403", "what the table says outlives the daemon");
    served.end().await;
}

#[tokio::test]
async fn a_node_that_boots_by_itself_gets_what_is_its_own() {
    let served = Served::new().await;
    let mac: Mac = N1.parse().unwrap();
    let own = |token: &str| format!("-H Authorization:~Bearer~{token} @/node/{N1}/file/key");
    for before in ["booted", "failed", "sshd", "unknown", "noping"] {
        served.record("n1", before);
        let asked = served.boot().await;
        assert_eq!(served.code(&own(&asked)).await, "403", "somebody on it has asked");
        served.arrivals.saw(mac);
        assert!(!served.curl(&format!("@/node/{N2}")).await.contains("token"));
        let token = served.boot().await;
        assert_eq!(served.status("n1"), "netbooting", "it was {before}");
        assert_eq!(served.curl(&own(&token)).await, "secret of n1");
        assert_eq!(served.code(&own(&asked)).await, "403");
        // Firmware has asked twice, and the system is up now: what is left of that opens nothing.
        served.arrivals.saw(mac);
        assert_eq!(served.code(&format!("@/node/{N1}/status/booted?token={token}")).await, "204");
        assert_eq!(served.code(&own(&served.boot().await)).await, "403", "it is up again");
    }
    // What boots from its disk says nothing when it is up.
    let origin = Origin { user: "root".into(), command: "test".into(), reason: None };
    served.tables.edit(&origin, |edit| edit.set(table("chain"), &["n1"], &[("currstate", "boot")])).unwrap();
    served.arrivals.saw(mac);
    assert!(served.curl(&format!("@/node/{N1}")).await.contains("boots from its disk"));
    assert_eq!(served.status("n1"), "booted");
    served.end().await;
}

#[tokio::test]
async fn a_node_says_how_far_it_has_come_and_nobody_else_does() {
    let served = Served::new().await;
    let token = served.boot().await;
    let say = |mac: &str, token: &str, word: &str| {
        format!("-X POST -d {word} -H Authorization:~Bearer~{token} @/node/{mac}/status")
    };
    for (line, expected) in [
        (say(N1, &token, "bogus"), "400"),
        (say(N1, &token, &"x".repeat(2000)), "400"),
        (say(N2, &token, "booted"), "403"),
        (say(N1, "AAAA", "booted"), "403"),
        (format!("-X POST -d booted @/node/{N1}/status"), "401"),
        (say("52-54-00-99-00-01", &token, "booted"), "403"),
    ] {
        assert_eq!(served.code(&line).await, expected, "{line}");
    }
    assert_eq!(
        (served.status("n1"), served.status("n2")),
        ("netbooting".into(), String::new()),
        "a rogue has changed it"
    );
    assert_eq!(served.code(&say(N1, &token, "status=postbooting")).await, "204");
    assert_eq!(served.status("n1"), "postbooting");
    assert_eq!(served.code(&say(N1, &token, "booted")).await, "204");
    assert_eq!(served.status("n1"), "booted");
    assert_eq!(served.code(&say(N1, &token, "failed")).await, "403", "it is up");
    let token = served.boot().await;
    assert_eq!(served.code(&say(N1, &token, "failed")).await, "403", "it was up when it asked");
    assert_eq!(served.code(&format!("@/node/{N2}/status/booted?token={token}")).await, "403");
    assert_eq!(served.code(&format!("@/node/{N1}/status/booted?token={token}")).await, "204");
    assert_eq!(served.code(&format!("@/node/{N1}/status/booted?token={token}")).await, "204", "said again");
    assert_eq!(served.status("n1"), "booted");
    served.end().await;
}

#[tokio::test]
async fn what_is_fetched_and_refused_is_told() {
    let mut served = Served::new().await;
    served.curl("@/image/deb12/kernel").await;
    assert_eq!(served.told().await, "begun kernel - deb12/kernel: 10 bytes");
    assert_eq!(served.told().await, "sent kernel - deb12/kernel: 10 bytes");
    served.curl("-I @/image/deb12/kernel").await;
    served.curl("@/image/deb12/initrd").await;
    assert_eq!(served.told().await, "absent initrd - deb12/initrd: Not Found");
    served.curl(&format!("@/node/{N2}")).await;
    assert_eq!(served.told().await, "script netboot - of 52:54:00:77:00:02, which is not there: without a token");
    let token = served.boot().await;
    assert_eq!(served.told().await, "script netboot n1 debian12-x86_64-compute");
    served.code(&format!("@/node/{N2}/status/booted?token={token}")).await;
    assert_eq!(served.told().await, "denied token - as 52:54:00:77:00:02: 403 Forbidden", "it is nothing of n2");
    served.code(&format!("@/node/{N1}/status/booted?token={token}")).await;
    assert_eq!(served.told().await, "status booted n1 ");

    fs::write(served.home.path().join("images/root.sqfs"), vec![0; 50_000_000]).unwrap();
    let mut stream = TcpStream::connect(served.url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(b"GET /image/deb12/root.sqfs HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    stream.read_exact(&mut [0; 1000]).await.unwrap();
    drop(stream);
    assert_eq!(served.told().await, "begun root - deb12/root.sqfs: 50000000 bytes");
    let broken = served.told().await;
    assert!(
        broken.starts_with("broken root - deb12/root.sqfs: after ") && broken.ends_with(" of 50000000 bytes"),
        "{broken}"
    );
    served.end().await;
}

#[tokio::test]
async fn strange_requests_harm_nobody() {
    let served = Served::new().await;
    let host = served.url.trim_start_matches("http://").to_owned();
    let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(200_000));
    for bytes in [
        &b"\0\xff\x16\x03\x01"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /node/x HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        long.as_bytes(),
    ] {
        let mut stream = TcpStream::connect(&host).await.unwrap();
        stream.write_all(bytes).await.ok(); // it may be shut before all is said
        let mut answer = Vec::new();
        timeout(LIMIT, stream.read_to_end(&mut answer)).await.expect("it is not ended").ok();
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    }
    // Those that say nothing do not keep others away.
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(TcpStream::connect(&host).await.unwrap());
    }
    assert_eq!(served.curl("@/image/deb12/kernel").await, "0123456789");
    drop(silent);
    served.end().await;
}

#[tokio::test]
async fn the_home_is_served_to_nobody_whatever_the_tables_say() {
    let served = Served::new().await;
    let home = served.home.path().to_owned();
    let link = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(&home, link.path().join("home")).unwrap();
    let above = home.parent().unwrap();
    let below = format!("{}/xcrane.db", home.file_name().unwrap().to_string_lossy());
    let whole = format!("{}/xcrane.db", home.display());
    assert_eq!(served.curl("@/image/deb12/kernel").await, "0123456789");
    for (place, name) in [
        (home.as_path(), "xcrane.db"),
        (above, &*below),
        (Path::new("/"), whole.trim_start_matches('/')),
        (&link.path().join("home"), "xcrane.db"),
        (&home.join("images/.."), "xcrane.db"),
        (&home.join("nodes"), "n2/key"),
    ] {
        assert!(place.join(name).is_file(), "{name} is not in {}", place.display());
        let origin = Origin { user: "root".into(), command: "test".into(), reason: None };
        for column in ["kerneldir", "rootimgdir", "pkgdir"] {
            let change = served.tables.edit(&origin, |edit| {
                edit.delete(table("linuximage"), Select::Where(&[("imagename", "deb12")]))?;
                edit.set(table("linuximage"), &["deb12"], &[(column, &place.to_string_lossy())])
            });
            change.unwrap();
            for route in ["image", "media"] {
                let line = format!("@/{route}/deb12/{name}");
                assert_eq!(served.code(&line).await, "404", "{line}, with {column}={}", place.display());
            }
        }
    }
    served.end().await;
}

#[tokio::test]
async fn a_node_is_installed_and_boots_from_its_disk() {
    let mut served = Served::new().await;
    let home = served.home.path().to_owned();
    let origin = Origin { user: "root".into(), command: "test".into(), reason: None };
    fs::create_dir_all(home.join("install/postscripts")).unwrap();
    fs::write(home.join("install/postscripts/hello"), "echo hello\n").unwrap();
    let place = tempfile::tempdir().unwrap();
    let (install, medium) = (home.join("install"), place.path().join("medium"));
    fs::create_dir_all(medium.join("dists")).unwrap();
    fs::write(medium.join("dists/Release"), "release").unwrap();
    fs::write(place.path().join("beside"), "b").unwrap();
    served
        .tables
        .edit(&origin, |edit| {
            edit.set(table("site"), &["installdir"], &[("value", &install.to_string_lossy())])?;
            edit.set(table("chain"), &["all"], &[("currstate", "install debian12-x86_64-compute")])?;
            edit.set(table("nodetype"), &["all"], &[("provmethod", "deb12")])?;
            edit.set(table("osimage"), &["deb12"], &[("osvers", "debian12"), ("provmethod", "install")])?;
            edit.set(table("linuximage"), &["deb12"], &[("pkgdir", &medium.to_string_lossy())])?;
            edit.set(table("postscripts"), &["all"], &[("postscripts", "hello a")])?;
            edit.set(table("passwd"), &["system", "root"], &[("password", "$6$0123456789abcdef$hash.of.root")])
        })
        .unwrap();
    let token = served.boot().await;
    assert_eq!(served.status("n1"), "installing");
    let preseed = served.curl(&format!("@/node/{N1}/install/{token}/preseed.cfg")).await;
    assert!(
        preseed.contains("d-i passwd/root-password-crypted password $6$0123456789abcdef$hash.of.root\n"),
        "{preseed}"
    );
    let medium = format!("d-i mirror/http/hostname string {}", served.url.trim_start_matches("http://"));
    assert!(preseed.contains(&medium), "{preseed}");
    assert_eq!(served.curl("@/media/deb12/dists/Release").await, "release");
    for (line, expected) in [
        (format!("@/node/{N1}/install/AAAA/preseed.cfg"), "403"),
        (format!("@/node/{N2}/install/{token}/preseed.cfg"), "403"),
        (format!("@/node/{N1}/install/{token}/kickstart.cfg"), "404"),
        (format!("@/node/{N1}/postscripts"), "401"),
        (format!("@/node/{N2}/postscripts?token={token}"), "403"),
        ("@/media/deb12/../beside".to_owned(), "403"),
    ] {
        assert_eq!(served.code(&line).await, expected, "{line}");
    }
    while served.heard.try_recv().is_ok() {}
    let got = home.join("got.tar");
    served.curl(&format!("-o {} @/node/{N1}/postscripts?token={token}", got.display())).await;
    let listed = Command::new("tar").arg("tf").arg(&got).output().await.unwrap();
    assert_eq!(String::from_utf8_lossy(&listed.stdout), "mypostscript\nhello\n");
    let end = served.curl(&format!("@/node/{N1}/install/{token}/finish.sh")).await;
    assert!(end.contains(&format!("token={token}")) && !end.contains("$6$"), "{end}");
    assert_eq!(served.told().await, format!("sent postscripts n1 {} bytes", fs::read(&got).unwrap().len()));
    assert_eq!(served.told().await, "sent installer n1 finish.sh");
    let host_key = format!("-H Authorization:~Bearer~{token} @/node/{N1}/file/{}", hostkey::FILE);
    assert!(end.contains(&format!("file/{}", hostkey::FILE)), "{end}");
    assert!(served.curl(&host_key).await.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n"));

    let say = |word: &str| format!("@/node/{N1}/status/{word}?token={token}");
    assert_eq!(served.code(&say("installed")).await, "204");
    assert_eq!(served.code(&format!("@/node/{N1}/install/{token}/preseed.cfg")).await, "404", "it is installed");
    let script = served.curl(&format!("@/node/{N1}")).await;
    assert!(script.contains("boots from its disk") && !script.contains("token"), "{script}");
    assert_eq!(served.status("n1"), "installed", "it has not come up yet");
    assert_eq!(served.code(&say("postbooting")).await, "204", "the token of the installation");
    assert_eq!(served.code(&say("booted")).await, "204");
    assert_eq!(served.status("n1"), "booted");
    assert_eq!(served.code(&host_key).await, "403", "others are on it now who may know the token");
    served.end().await;
}

#[tokio::test]
async fn a_stolen_token_is_good_only_where_its_node_is() {
    let mut served = Served::new().await;
    let token = served.boot().await;
    while served.heard.try_recv().is_ok() {}
    let from =
        |client: &str, path: &str| format!("--interface {client} -H Authorization:~Bearer~{token} @/node/{N1}/{path}");
    for path in [
        "file/key",
        "postscripts",
        "install/TOKEN/preseed.cfg",
        "status/booted?token=TOKEN",
        "step?token=TOKEN",
        "done?token=TOKEN&id=x",
    ] {
        let line = from("127.0.0.9", path).replace("TOKEN", &token);
        assert_eq!(served.code(&line).await, "403", "{line}");
        let told =
            "denied token - as 52:54:00:77:00:01: 403 Forbidden, with its token, from an address that is not its own";
        assert_eq!(served.told().await, told, "{line}");
    }
    assert_eq!(served.code(&format!("-X POST -d booted {}", from("127.0.0.9", "status"))).await, "403");
    assert_eq!(served.status("n1"), "netbooting");
    let numbers = served.told().await;
    assert!(numbers.starts_with("denied token "), "it is counted: {numbers}");
    // It is given another address while it boots: both are its own, and that of a lease.
    let origin = Origin { user: "root".into(), command: "test".into(), reason: None };
    let moved = |edit: &mut tables::Edit<'_>| edit.set(table("hosts"), &["n1"], &[("ip", "127.0.0.50")]);
    served.tables.edit(&origin, moved).unwrap();
    for client in ["127.0.0.1", "127.0.0.50"] {
        assert_eq!(served.curl(&from(client, "file/key")).await, "secret of n1", "{client}");
    }
    assert_eq!(served.code(&from("127.0.0.60", "file/key")).await, "403");
    let lease = tables::Lease {
        ip: "127.0.0.60".parse().unwrap(),
        mac: "52:54:00:77:00:01".into(),
        until: u64::MAX / 2,
        client: String::new(),
    };
    served.tables.keep_leases(&[lease]).unwrap();
    assert_eq!(served.curl(&from("127.0.0.60", "file/key")).await, "secret of n1");
    served.end().await;
}

#[tokio::test]
async fn a_machine_that_switches_itself_off_says_so() {
    let served = Served::new().await;
    let token = served.boot().await;
    served.record("n1", "powering-off");
    let done = format!("@/node/{N1}/done?token={token}&id=x");
    assert_eq!(served.code(&done).await, "403", "it is switched off by somebody else");
    let origin = Origin { user: "root".into(), command: "test".into(), reason: None };
    served.tables.edit(&origin, |edit| edit.set(table("chain"), &["n1"], &[("currstate", "shutdown")])).unwrap();
    assert_eq!(served.code(&done).await, "200");
    assert_eq!(served.code(&format!("-H Authorization:~Bearer~{token} @/node/{N1}/file/key")).await, "403");
    served.end().await;
}
