//! Registries that mirror others, and hosts that ask the nearest.

use std::time::Duration;

use ::lab::{Lab, Wait, wait_for};
use insta::assert_snapshot;
use plugins::authority::{Authority, Purpose, Subject};

use crate::{defined_hosts, lab};

const LIMIT: Duration = Duration::from_secs(60);
const ORIGIN: &str = "10.77.0.1:5000";
const MIRROR: &str = "10.77.0.2:5000";

/// h1 is a registry that lets in ada, with images of these tags that no other host has a layer of; h2 mirrors it for
/// everyone; h3 asks h2 first.
fn site(tags: &[&str]) -> Lab {
    let lab = defined_hosts(lab().systemd_hosts(3), 3);
    lab.run_with_stdin("mkregistry h1 --auth ada --password-stdin", "s@/sa me:1\n").success();
    lab.run("mkregistry h2 --upstream h1").success();
    lab.run(&format!("chdef h[1-3] dockertrust={ORIGIN}")).success();
    lab.run(&format!("chdef h3 dockerregistries={MIRROR}")).success();
    lab.run("mkhost h[1-3] -y").success();
    let host = lab.host("h1");
    host.shell(&format!("echo 's@/sa me:1' | docker login -u ada --password-stdin {ORIGIN} 2>/dev/null"));
    host.shell("mkdir /tmp/root && docker create --name root busybox:lab && docker export root | tar -x -C /tmp/root && docker rm root");
    for tag in tags {
        let image = format!("{ORIGIN}/busybox:{tag}");
        host.shell(&format!(
            "echo {tag} >/tmp/root/tag && tar -C /tmp/root -c . | docker import --change 'CMD [\"serve\"]' --change 'ENV PATH=/bin' - {image} && \
             docker push -q {image} && docker rmi {image}"
        ));
    }
    lab
}

/// Waits until it says so of registry h2.
fn checked(lab: &Lab, expected: &str) -> String {
    wait_for("the mirror", LIMIT, || match lab.run("lsregistry h2 --check").to_string() {
        said if said.contains(expected) => Wait::Ready(said),
        said => Wait::NotYet(said),
    })
}

#[test]
fn a_mirror_serves_what_it_keeps_while_its_upstream_is_gone() {
    let lab = site(&["1", "2"]);
    let (origin, mirror, host) = (lab.host("h1"), lab.host("h2"), lab.host("h3"));
    assert_snapshot!(lab.run("lsregistry"), @"
    h1: on h1 at 10.77.0.1:5000, in /var/lib/xcrane/registry/h1, lets in ada
    h2: on h2 at 10.77.0.2:5000, in /var/lib/xcrane/registry/h2, lets in everyone, mirrors https://10.77.0.1:5000
    ");
    assert_eq!(lab.run("mkregistry h2").success(), "h2: unchanged");
    let get = |tag: &str| host.docker(&format!("pull -q {MIRROR}/busybox:{tag}")).code;
    assert_eq!(get("1"), 0);
    host.docker(&format!("rmi {MIRROR}/busybox:1")).success();

    // The password is where the server needs it, and nowhere else.
    assert_eq!(mirror.shell("stat -c '%a %U:%G' /etc/xcrane/registry/h2/mirror.yml"), "640 root:docker-registry\n");
    for place in
        ["ps -eo args", "journalctl --no-pager", "systemctl show xcrane-registry@h2", "cat /etc/systemd/system/xcrane*"]
    {
        let said = mirror.shell(place);
        assert!(!["s@/sa me:1", "s%40"].iter().any(|secret| said.contains(secret)), "{place}: {said}");
    }
    let plan = lab.run("rmregistry h2 --plan");
    assert!(plan.code == 2 && !plan.stdout.contains("s%40"), "{plan}");

    origin.shell("systemctl stop xcrane-registry@h1");
    assert_eq!((get("1"), get("2")), (0, 1), "only what it keeps");
    let said = checked(&lab, "https://10.77.0.1:5000 does not answer h2; what is kept of it is served");
    assert!(said.contains("h2: serves at 10.77.0.2:5000, 1 repositories"), "{said}");
    host.docker(&format!("rmi {MIRROR}/busybox:1")).success();
    mirror.shell("systemctl restart xcrane-registry@h2");
    checked(&lab, "serves at");
    assert_eq!((get("1"), get("2")), (0, 1), "also after its own start");

    origin.shell("systemctl start xcrane-registry@h1");
    wait_for("the mirror to fetch again", LIMIT, || match get("2") {
        0 => Wait::Ready(()),
        code => Wait::NotYet(code.to_string()),
    });
    assert!(!lab.run("lsregistry h2 --check").success().contains("Warning"));
    assert!(!mirror.shell("journalctl --no-pager").contains("s%40"), "a start without upstream tells the password");
    assert!(lab.run("mkregistry h2 --gc").success().contains("freed"));
    assert_eq!(get("1"), 0, "what it keeps is in images");

    lab.run("rmregistry h2 --purge").success();
    assert_eq!(mirror.shell("find /etc/xcrane/registry* /var/lib/xcrane 2>/dev/null || :"), "");
}

/// A registry on h1 of which nobody here has heard: the distribution's server with a certificate of another authority, and
/// without accounts. Returns the file of that authority.
fn foreign(lab: &Lab) -> String {
    let directory = lab.home().join("elsewhere");
    let authority = Authority::open_or_create(&directory).expect("a directory of a lab can be written");
    let subject = Subject { names: vec!["10.77.0.1".into()], purpose: Purpose::Server };
    let issued = authority.issue(&subject, Duration::from_secs(24 * 3600)).expect("it can issue anything");
    let host = lab.host("h1");
    let settings = "version: 0.1\nstorage: {filesystem: {rootdirectory: /srv/foreign}}\n\
                    http: {addr: ':5000', tls: {certificate: /srv/cert.pem, key: /srv/key.pem}}\n";
    let certs = format!("/etc/docker/certs.d/{ORIGIN}");
    for (path, text) in [
        ("/srv/cert.pem", issued.certificate.as_str()),
        ("/srv/key.pem", &issued.key),
        ("/srv/foreign.yml", settings),
        (&format!("{certs}/ca.crt"), authority.certificate()),
    ] {
        host.shell(&format!("mkdir -p {certs} && cat >{path} <<'END'\n{text}END\n"));
    }
    host.shell("systemd-run --quiet --unit=foreign docker-registry serve /srv/foreign.yml");
    wait_for("the foreign registry", LIMIT, || {
        let push = format!("docker tag busybox:lab {ORIGIN}/apps/tool:1 && docker push -q {ORIGIN}/apps/tool:1");
        match host.run(&format!("sh -c '{push}'")) {
            run if run.code == 0 => Wait::Ready(()),
            run => Wait::NotYet(run.to_string()),
        }
    });
    directory.join("ca.pem").display().to_string()
}

#[test]
fn a_registry_that_is_not_ours_is_mirrored_too() {
    let lab = defined_hosts(lab().systemd_hosts(2), 2);
    let authority = foreign(&lab);
    let host = lab.host("h2");
    host.docker("rmi busybox:lab").success();
    let trust = format!("chdef h2 dockertrust={ORIGIN}={authority} dockerregistries={MIRROR}");
    lab.run(&trust).success();
    let made = lab.run(&format!("mkregistry h2 --upstream https://{ORIGIN}"));
    assert_eq!(made.code, 0, "{made}");
    lab.run("mkhost h2 -y").success();
    let pulled = lab.run(&format!("imgpull h2 {ORIGIN}/apps/tool:1"));
    assert!(pulled.code == 0 && pulled.stdout.contains(&format!("from {MIRROR}")), "{pulled}");
    checked(&lab, "h2: serves at 10.77.0.2:5000, 1 repositories");
    let pinned = host.shell(&format!("docker images --digests --format '{{{{.Digest}}}}' {ORIGIN}/apps/tool"));

    // With the foreign one gone the mirror serves what it keeps, and only that.
    lab.host("h1").shell("systemctl stop foreign");
    host.shell("docker rmi -f $(docker images -q | sort -u)");
    let kept = lab.run(&format!("imgpull h2 {ORIGIN}/apps/tool:1"));
    assert!(kept.code == 0 && kept.stderr.contains(&format!("Warning: taken as {MIRROR} has it: ")), "{kept}");
    assert!(kept.stdout.contains(pinned.trim()), "{pinned} {kept}");
    assert_eq!(lab.run(&format!("imgpull h2 {ORIGIN}/apps/tool:2")).code, 1);
}

#[test]
fn what_cannot_be_mirrored_is_refused_or_said() {
    let lab = defined_hosts(lab().systemd_hosts(2), 2);
    lab.run("mkregistry h1").success();
    assert_snapshot!(crate::session(&lab, "
        mkregistry h1 --upstream h1
        mkregistry h2 --upstream https://ada:sesame@10.77.0.1:5000
        mkregistry h2 --upstream nope
        mkregistry h2 --upstream https://10.77.0.77:5000 --plan | tail -n 2
    "), @"
    $ mkregistry h1 --upstream h1
    ------- stderr -------
    Error: attribute 'upstream': a registry cannot be its own mirror
    [exit status: 1]
    $ mkregistry h2 --upstream https://ada:sesame@10.77.0.1:5000
    ------- stderr -------
    Error: attribute 'upstream': it takes no account ('@') in an address, because everybody can read it; it belongs into table passwd: key=registry,authdomain=HOST:PORT,username=USER
    [exit status: 1]
    $ mkregistry h2 --upstream nope
    ------- stderr -------
    Error: attribute 'upstream': 'nope' is not of the form https://HOST[:PORT]
    [exit status: 1]
    $ mkregistry h2 --upstream https://10.77.0.77:5000 --plan | tail -n 2
    h2: make it so that registry h2 listens on port 5000
    h2: note: https://10.77.0.77:5000 does not answer this node; until it does nothing but what is kept can be had
    ");
    lab.run("chtab key=registry,authdomain=10.77.0.77:80,username=eve passwd.password=sesame").success();
    assert_snapshot!(lab.run("mkregistry h2 --upstream http://10.77.0.77:80"), @"
    ------- stderr -------
    Error: attribute 'upstream': the password for 10.77.0.77:80 would be sent in clear; it takes https
    [exit status: 1]
    ");
}

#[test]
fn hosts_ask_the_nearest_and_then_the_next() {
    let lab = site(&["1", "2", "3", "4", "5"]);
    lab.run(&format!("chdef h2 dockerregistries={MIRROR}")).success();
    lab.run("mkhost h2 -y").success();
    for (node, host, tag) in [("c1", "h3", 1), ("c2", "h2", 4), ("c3", "h3", 2), ("c4", "h3", 3)] {
        lab.run(&format!("mkdef {node} groups=web mgt=docker vmhost={host} image={ORIGIN}/busybox:{tag}")).success();
    }
    let names = |host: &str| {
        let said = lab.host(host).shell("docker images --digests --format '{{.Repository}}:{{.Tag}} {{.Digest}}'");
        said.lines().filter(|line| line.contains("10.77")).map(str::to_owned).collect::<Vec<_>>()
    };

    assert_snapshot!(lab.run("mkvm c1"), @"");
    let had = lab.run("lsregistry h2 --check").success();
    assert!(had.contains(" 1 repositories"), "the mirror was not asked: {had}");
    let named = names("h3");
    assert!(named.len() == 1 && named[0].starts_with(&format!("{ORIGIN}/busybox:")), "{named:?}");

    let pulled = lab.run(&format!("imgpull h3 {ORIGIN}/busybox:4"));
    assert!(
        pulled.stdout.contains("h3: pulled sha256:") && pulled.stdout.contains(&format!("from {MIRROR}")),
        "{pulled}"
    );
    let again = lab.run(&format!("imgpull h3 {ORIGIN}/busybox:4")).success();
    assert!(again.starts_with("h3: unchanged sha256:") && !again.contains("from"), "{again}");

    // An update, and its way back, by way of the mirror of a registry with accounts.
    assert_eq!(lab.run("rpower c1 on").success(), "c1: on");
    let tag = || lab.host("h3").docker("exec c1 cat /tag").success();
    let updated = lab.run(&format!("updatevm c1 {ORIGIN}/busybox:5 --check 'grep 5 /tag' --wait 20"));
    assert_eq!((updated.code, tag().trim()), (0, "5"), "{updated}");
    let pins = lab.run("gettab node=c1 nodeimage.digest").success();
    let kept = "/var/lib/xcrane/registry/h2/docker/registry/v2/repositories/busybox/_manifests/revisions";
    let digest = pins.trim().replace(':', "/");
    assert_eq!(lab.host("h2").run(&format!("test -e {kept}/{digest}")).code, 0, "the mirror does not keep {pins}");
    let back = lab.run(&format!("updatevm c1 {ORIGIN}/busybox:1 --check false --wait 1"));
    assert_eq!((back.code, tag().trim()), (1, "5"), "{back}");

    // Without the registry in the name: what the mirror has, by the name that was wanted, as often as one likes.
    lab.host("h1").shell("systemctl stop xcrane-registry@h1");
    let made = lab.run("mkvm c2");
    assert!(made.code == 0 && made.stderr.contains(&format!("Warning: taken as {MIRROR} has it: ")), "{made}");
    assert!(names("h2").iter().any(|name| name.starts_with(&format!("{ORIGIN}/busybox:4 "))), "{:?}", names("h2"));
    assert_eq!(lab.run("rpower c2 on").success(), "c2: on");
    assert_eq!(lab.run("mkvm c2").code, 0, "it differs from what it was made as");
    let lacking = lab.run("mkvm c3");
    assert!(lacking.code == 1 && lacking.stderr.contains("its registry cannot be reached"), "{lacking}");
    lab.host("h1").shell("systemctl start xcrane-registry@h1");

    // Without the mirror, be it refusing or gone.
    lab.host("h2").shell("systemctl stop xcrane-registry@h2");
    let passed = format!("h3: Warning: registry {MIRROR} is passed over: ");
    for (node, gone) in [("c3", false), ("c4", true)] {
        if gone {
            lab.host("h2").power_off();
        }
        let made = lab.run(&format!("mkvm {node}"));
        assert!(made.code == 0 && made.stderr.contains(&passed), "{made}");
    }
    assert_eq!(names("h3").len(), 5, "{:?}", names("h3"));
}
