//! `lsregistry` of registries that do not serve.

use insta::assert_snapshot;

use crate::{defined_hosts, lab};

#[test]
fn one_that_does_not_serve_is_told_with_what_mends_it() {
    let lab = defined_hosts(lab().systemd_hosts(1), 1);
    lab.run("mkregistry h1").success();
    lab.run("mkregistry h1 --name second --port 5001 --storage /srv").success();
    assert_snapshot!(lab.run("lsregistry"), @"
    h1: on h1 at 10.77.0.1:5000, in /var/lib/xcrane/registry/h1, lets in everyone
    second: on h1 at 10.77.0.1:5001, in /srv/second, lets in everyone
    ");
    assert_eq!(lab.run("lsregistry --check").success().lines().count(), 2);
    lab.host("h1").shell("systemctl stop xcrane-registry@second");
    let run = lab.run("lsregistry --check");
    assert_eq!(run.code, 1, "{run}");
    assert!(run.stdout.starts_with("h1: h1: serves at 10.77.0.1:5000, 0 repositories, "), "{run}");
    assert_snapshot!(run.stderr, @"
    h1: Error: cannot reach registry second at 10.77.0.1:5001: Connection refused (os error 111)
    Hint: mend it with: mkregistry h1 --name second
    ");
    lab.run("mkregistry h1 --name second").success();
    let json = lab.run("lsregistry second --check --json").success();
    assert!(json.contains(r#""place":"10.77.0.1:5001","storage":"/srv/second","users":[]"#), "{json}");
    assert!(json.contains(r#""service":"active""#) && json.contains(r#""repositories":[]"#), "{json}");
}
