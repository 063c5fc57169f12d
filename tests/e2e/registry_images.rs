//! Registries whose server runs from an image, on hosts whose distribution has no package of it.

use ::lab::Lab;

use crate::mkregistry::{push, served};
use crate::{defined_hosts, lab};

/// Makes the distribution's own server an image on h2, of which `word` is a variable, and saves it here as FILE.
fn server_image(lab: &Lab, word: &str, file: &str) {
    lab.host("h2").shell(&format!(
        "server=/usr/bin/docker-registry; cd / && tar -ch usr/bin/docker-registry $(ldd $server | grep -o '/lib[^ ]*' | cut -c2-) |
         docker import --change 'ENTRYPOINT [\"/usr/bin/docker-registry\"]' --change 'ENV WORD={word}' - registry:2"
    ));
    lab.run(&format!("imgsave registry:2 {file} --from h2")).success();
}

#[test]
fn where_there_is_no_package_the_server_runs_from_an_image_in_a_file() {
    let lab = defined_hosts(lab().systemd_hosts(2), 2);
    let host = lab.host("h1");
    server_image(&lab, "old", "registry.tar");
    host.shell("dpkg --purge docker-registry && ! command -v docker-registry");
    let before = host.shell("find /etc /var/lib/xcrane /run/xcrane 2>/dev/null | sort");

    let plan = lab.run("mkregistry h1 --image registry.tar --auth ada --plan");
    assert!(plan.code == 2 && plan.stdout.contains("h1: make it so that the node has image registry:2\n"), "{plan}");
    assert_eq!(host.docker("images -q registry").success(), "");
    let made =
        lab.run_with_stdin("mkregistry h1 --image registry.tar --auth ada --password-stdin", "sesame\n").success();
    assert!(made.starts_with("h1: loaded registry:2, ") && !made.contains("install "), "{made}");
    for again in ["mkregistry h1", "mkregistry h1 --image registry.tar"] {
        assert_eq!(lab.run(again).success(), "h1: unchanged", "{again}");
    }
    assert!(lab.run("lsregistry").success().ends_with("lets in ada, runs from image registry:2"));
    push(&lab, "h2", &["1"]);
    assert!(served(&lab).contains("1 repositories"));
    assert_eq!(host.shell("curl -sk -o /dev/null -w '%{http_code}' https://10.77.0.1:5000/v2/"), "401");
    assert!(lab.run("mkregistry h1 --gc").success().contains("freed"));

    // Whatever ends, the client that speaks for the container, the container or the engine: it comes back.
    for fault in [
        "kill -9 $(systemctl show -p MainPID --value xcrane-registry@h1)",
        "docker kill xcrane-registry-h1",
        "systemctl restart docker",
    ] {
        host.shell(fault);
        assert!(served(&lab).contains("1 repositories"), "{fault}");
        assert_eq!(lab.run("mkregistry h1").success(), "h1: unchanged", "{fault}");
    }

    server_image(&lab, "new", "newer.tar");
    let newer = lab.run("mkregistry h1 --image newer.tar").success();
    assert!(newer.contains("h1: make it so that registry h1 runs image registry:2 as it is now"), "{newer}");
    let runs = host.docker(
        "inspect -f '{{.Config.Env}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}}' xcrane-registry-h1",
    );
    assert!(runs.success().starts_with("[WORD=new") && served(&lab).contains("1 repositories"));

    let plan = lab.run("rmregistry h1 --purge --plan");
    assert!(plan.stdout.contains("h1: note: image registry:2 stays; remove it with: rmimage registry:2 h1"), "{plan}");
    lab.run("rmregistry h1 --purge").success();
    assert_eq!(host.docker("ps -aq").success(), "");
    assert_eq!(host.shell("find /etc /var/lib/xcrane /run/xcrane 2>/dev/null | sort"), before);
}
