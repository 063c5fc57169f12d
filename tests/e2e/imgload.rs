//! `imgload`: archives of several kinds onto real engines, which are sent no layer that they have.

use std::time::Duration;

use ::lab::Lab;
use insta::assert_snapshot;

use crate::imgpush::grow;
use crate::mkregistry::LIMIT;
use crate::{defined_hosts, lab};

/// Two hosts; in the home directory base.tar (12 MB) and app.tar, which is 1 MB upon that. Only h1 has them.
fn archives() -> Lab {
    let lab = defined_hosts(lab().hosts(2), 2);
    grow(&lab, "h1", "busybox:lab", "base", 12);
    grow(&lab, "h1", "base:1", "app", 1);
    lab.host("h1").shell("cd /root && docker save -o base.tar base:1 && docker save -o app.tar app:1");
    lab.shell("xdcp h1 -P /root/base.tar /root/app.tar . && mv base.tar._h1 base.tar && mv app.tar._h1 app.tar")
        .success();
    lab
}

fn sum(lab: &Lab, host: &str, image: &str) -> String {
    lab.host(host).shell(&format!("docker run --rm {image} md5sum /base.data /app.data"))
}

/// Writes an OCI layout of an archive, with packed layers, as a directory, a tar and a packed tar.
const LAYOUT: &str = r#"
import gzip, hashlib, json, os, tarfile
source = tarfile.open('app.tar')
read = lambda name: source.extractfile(name).read()
saved = json.loads(read('manifest.json'))[0]
os.makedirs('layout/blobs/sha256')
def blob(content):
    digest = hashlib.sha256(content).hexdigest()
    open('layout/blobs/sha256/' + digest, 'wb').write(content)
    return {'digest': 'sha256:' + digest, 'size': len(content)}
kind = 'application/vnd.oci.image.'
config = dict(blob(read(saved['Config'])), mediaType=kind + 'config.v1+json')
layers = [dict(blob(gzip.compress(read(name), 1)), mediaType=kind + 'layer.v1.tar+gzip') for name in saved['Layers']]
manifest = blob(json.dumps({'schemaVersion': 2, 'config': config, 'layers': layers}).encode())
manifest.update(mediaType=kind + 'manifest.v1+json', annotations={'org.opencontainers.image.ref.name': 'app:oci'})
open('layout/index.json', 'w').write(json.dumps({'schemaVersion': 2, 'manifests': [manifest]}))
open('layout/oci-layout', 'w').write('{"imageLayoutVersion": "1.0.0"}')
for name, mode in [('layout.tar', 'w'), ('layout.tar.gz', 'w:gz')]:
    with tarfile.open(name, mode) as archive:
        archive.add('layout', '.')
"#;

#[test]
fn hosts_are_sent_what_they_lack() {
    let lab = archives();
    let first = lab.run("imgload h2 base.tar").success();
    assert!(
        first.starts_with("h2: loaded base:1, 12.0M sent, 1.") || first.starts_with("h2: loaded base:1, 12."),
        "{first}"
    );
    let run = lab.run("imgload h1,h2 app.tar -m why").sorted();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run}");
    assert!(run.stdout.contains("h1: unchanged app:1\n"), "{run}");
    assert!(run.stdout.contains("h2: loaded app:1, 1.0M sent, 14."), "{run}");
    let there = sum(&lab, "h1", "app:1");
    assert_eq!(sum(&lab, "h2", "app:1"), there);
    let id = |host: &str| lab.host(host).shell("docker image inspect -f '{{.Id}}' app:1");
    assert_eq!(id("h2"), id("h1"));
    assert_eq!(lab.run("imgload h2 app.tar").success(), "h2: unchanged app:1");
    assert!(lab.run("lsdef -t osimage app:1").success().contains("source=load app.tar"));

    // The same with the lower image gone: its layers are there as app's own.
    let host = lab.host("h2");
    host.docker("rmi base:1").success();
    let names_only = lab.run("imgload h2 base.tar").success();
    assert!(names_only.starts_with("h2: loaded base:1, ") && names_only.contains("K sent, 14."), "{names_only}");
    host.docker("rmi app:1 base:1").success();
    let whole = lab.run("imgload h2 app.tar --json").success();
    let answer: serde_json::Value = serde_json::from_str(whole.lines().last().unwrap()).unwrap();
    assert!(answer["answer"]["sent"].as_u64().unwrap() > 13 << 20, "{whole}");
    assert!(whole.contains("\"progress\""), "{whole}");
    assert_eq!(sum(&lab, "h2", "app:1"), there);

    // An OCI layout as a directory, a tar, and a packed tar, for an engine that takes none of them.
    lab.host("h1").shell(&format!("cd /root && python3 -c \"$(cat <<'END'\n{LAYOUT}\nEND\n)\""));
    lab.shell("xdcp h1 -P /root/layout /root/layout.tar /root/layout.tar.gz .").success();
    for archive in ["layout._h1", "layout.tar._h1", "layout.tar.gz._h1"] {
        host.shell("docker rmi app:oci app:1 2>/dev/null; true");
        let run = lab.run(&format!("imgload h2 {archive}"));
        assert!(run.stdout.starts_with("h2: loaded app:oci, 13."), "{archive}: {run}");
        assert_eq!(sum(&lab, "h2", "app:oci"), there, "{archive}");
    }
    assert!(lab.run("imgload h2 layout.tar._h1 --name app:named").success().starts_with("h2: loaded app:named, "));
    assert_eq!(sum(&lab, "h2", "app:named"), there);
}

#[test]
fn bad_archives_and_bad_luck() {
    let lab = archives();
    lab.shell("head -c 3000000 app.tar >cut.tar; head -c 3000 /dev/urandom >noise; printf '' >empty; mkdir none")
        .success();
    lab.run("mkdef c1 groups=web mgt=docker vmhost=h2 image=x").success();
    assert_snapshot!(crate::session(&lab, "
        imgload h2 cut.tar
        imgload h2 noise
        imgload h2 empty
        imgload h2 none
        imgload h2 nowhere.tar
        imgload c1 app.tar
        imgload h2 app.tar --name 'BAD NAME'
    "), @"
    $ imgload h2 cut.tar
    ------- stderr -------
    Error: cannot use cut.tar: it ends before its time; it was not copied whole
    [exit status: 1]
    $ imgload h2 noise
    ------- stderr -------
    Error: cannot use noise: it is neither an archive of images nor a directory with an OCI layout, or it is damaged
    [exit status: 1]
    $ imgload h2 empty
    ------- stderr -------
    Error: cannot use empty: it has neither manifest.json (docker save) nor index.json (OCI layout)
    [exit status: 1]
    $ imgload h2 none
    ------- stderr -------
    Error: cannot use none: it has neither manifest.json (docker save) nor index.json (OCI layout)
    [exit status: 1]
    $ imgload h2 nowhere.tar
    ------- stderr -------
    Error: cannot read nowhere.tar: No such file or directory (os error 2)
    [exit status: 1]
    $ imgload c1 app.tar
    ------- stderr -------
    c1: Error: it is a container; images are on its host, h2
    Error: nothing was done: c1 cannot be served as defined
    [exit status: 1]
    $ imgload h2 app.tar --name 'BAD NAME'
    ------- stderr -------
    Error: 'BAD NAME' is not the name of an image: parts of a name are small letters and digits, with '.', '_', '__' or '-' between them
    [exit status: 1]
    ");
    let host = lab.host("h2");
    assert_eq!(host.shell("docker images -q | sort -u | wc -l").trim(), "1", "something was loaded");

    host.slow("20mbit");
    for pause in [500, 2500] {
        let run = lab.spawn("imgload h2 app.tar");
        std::thread::sleep(Duration::from_millis(pause));
        run.kill();
        drop(run);
    }
    let run = lab.spawn("imgload h2 app.tar");
    std::thread::sleep(Duration::from_millis(2000));
    run.interrupt();
    assert_eq!(run.wait(LIMIT).code, 130);
    assert_eq!(host.run("docker image inspect app:1").code, 1, "half an archive was loaded");
    host.heal();
    host.fill_disk();
    let run = lab.run("imgload h2 app.tar");
    assert!(run.code == 1 && run.stderr.contains("no space is left on the disk of its images"), "{run}");
    host.free_disk();
    assert!(lab.run("imgload h2 app.tar").success().starts_with("h2: loaded app:1, "));
    assert_eq!(sum(&lab, "h2", "app:1"), sum(&lab, "h1", "app:1"));
}
