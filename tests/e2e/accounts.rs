//! Accounts that somebody types into addresses: they are refused, and stand nowhere afterwards.

use insta::assert_snapshot;

use crate::{lab, session};

#[test]
fn addresses_take_no_accounts() {
    let lab = lab();
    lab.run("mkdef h1 groups=hosts ip=10.77.0.1").success();
    assert_snapshot!(session(&lab, "
        chdef h1 dockermirrors=http://ada:sesame@mirror:5000
        mkregistry h1 --upstream https://ada:sesame@hub
    "), @"
    $ chdef h1 dockermirrors=http://ada:sesame@mirror:5000
    ------- stderr -------
    Error: column 'mirrors' of table dockerhost takes no account ('@') in an address, because everybody can read it
    Hint: who we are to a registry stands in table passwd: key registry, authdomain HOST:PORT, username, password; set it with tabedit passwd
    [exit status: 1]
    $ mkregistry h1 --upstream https://ada:sesame@hub
    ------- stderr -------
    Error: attribute 'upstream': it takes no account ('@') in an address, because everybody can read it; it belongs into table passwd: key=registry,authdomain=HOST:PORT,username=USER
    [exit status: 1]
    ");
    for line in [
        "chdef h1 dockermirrors=ada:sesame@mirror",
        "chtab node=h1 dockerhost.mirrors=http://ada:sesame@mirror",
        "nodech h1 dockerhost.mirrors=http://ada:sesame@mirror",
        "mkdef h2 groups=hosts dockermirrors=http://mirror,http://ada:se/same@mirror",
        "chtab name=r registry.upstream=https://ada:sesame@hub",
        "mkregistry h1 --upstream ada:sesame@hub",
    ] {
        let run = lab.run(line);
        assert!(run.code == 1 && !run.to_string().contains("same@"), "{line}: {run}");
    }
    for line in ["lsdef h1", "tabdump dockerhost", "tabdump registry", "tabdump auditlog", "deflog"] {
        let shown = lab.run(line).to_string();
        assert!(!shown.contains("same@") && !shown.contains("ada"), "{line}: {shown}");
    }
    assert!(lab.run("tabdump auditlog").stdout.contains("--upstream 'https://***@hub'"));
}
