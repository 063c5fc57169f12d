//! Engines over the network: ssh and TLS. The lab's hosts are reached from its management network alone, so these tests
//! run themselves again in there.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use lab::Lab;
use plugins::{Attach, Backends, Created, Invocation, Output, PowerAction, PowerState, Program, Progress, Size};
use tables::Node;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::world::settings;

fn rerun_inside(lab: &Lab, test: &str) {
    lab.run(&format!("--exact {test} --ignored --nocapture")).success();
}

fn this_program() -> Lab {
    Lab::new(std::env::current_exe().expect("tests are programs"))
}

fn home() -> PathBuf {
    std::env::var_os("HOME").expect("a home").into()
}

fn node(endpoint: &str, attributes: &[(&str, &str)]) -> Node {
    let host = Node::new("h1", [("dockerendpoint".to_owned(), endpoint.to_owned())].into(), None);
    let basic = [("mgt", "docker"), ("vmhost", "h1"), ("provmethod", "busybox:lab"), ("dockerstoptimeout", "0")];
    let all = basic.iter().chain(attributes).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Node::new("n1", all.collect::<BTreeMap<_, _>>(), Some(Arc::new(host)))
}

#[test]
fn over_ssh() {
    rerun_inside(&this_program().hosts(1), "network::everything_over_ssh");
}

#[tokio::test]
#[ignore = "over_ssh runs it"]
async fn everything_over_ssh() {
    everything(&node("ssh://root@10.77.0.1", &[("dockertty", "yes"), ("dockercommand", "/bin/sh")])).await;
}

#[test]
fn over_tls() {
    let lab = this_program().hosts(1);
    let host = lab.host("h1");
    host.shell(CERTIFICATES);
    fs::create_dir(lab.home().join("tls")).expect("made");
    for name in ["ca.pem", "cert.pem", "key.pem"] {
        fs::write(lab.home().join("tls").join(name), host.shell(&format!("cat /tls/{name}"))).expect("written");
    }
    rerun_inside(&lab, "network::everything_over_tls");
    // Another authority's engine is no engine of ours.
    host.shell(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=other -keyout /tls/x -out /tls/other.pem 2>&1",
    );
    fs::write(lab.home().join("tls/ca.pem"), host.shell("cat /tls/other.pem")).expect("written");
    rerun_inside(&lab, "network::a_foreign_engine");
}

/// An authority, a server's and a client's certificate, and the engine restarted to use them.
const CERTIFICATES: &str = r#"
set -e; mkdir /tls; cd /tls; exec 2>&1
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=lab -keyout ca-key.pem -out ca.pem
signed() {
    openssl req -newkey rsa:2048 -nodes -subj /CN=$1 -keyout $1-key.pem -out $1.csr
    echo "$2" >$1.ext
    openssl x509 -req -days 2 -in $1.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -extfile $1.ext -out $1.pem
}
signed server 'subjectAltName=IP:10.77.0.1'
signed client 'extendedKeyUsage=clientAuth'
cp client.pem cert.pem; cp client-key.pem key.pem
systemctl stop docker
echo "DOCKER_OPTS=\"$(. /etc/default/docker 2>/dev/null; echo $DOCKER_OPTS) -H unix:///var/run/docker.sock -H tcp://0.0.0.0:2376 --tlsverify --tlscacert /tls/ca.pem --tlscert /tls/server.pem --tlskey /tls/server-key.pem\"" >/etc/default/docker
systemctl start docker
"#;

#[tokio::test]
#[ignore = "over_tls runs it"]
async fn everything_over_tls() {
    everything(&node("tcp://10.77.0.1", &[("dockertty", "yes"), ("dockercommand", "/bin/sh")])).await;
}

#[tokio::test]
#[ignore = "over_tls runs it"]
async fn a_foreign_engine() {
    let node = node("tcp://10.77.0.1", &[]);
    let backends = Backends::new(&settings(&home()), &Progress::silent());
    let error = backends.power(&node).expect("docker powers").state(&node).await.expect_err("not trusted");
    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    assert!(cause.contains("certificate"), "{error}: {cause}");
}

/// Uses every capability once.
async fn everything(node: &Node) {
    let backends = Backends::new(&settings(&home()), &Progress::silent());
    let guests = backends.guests(node).expect("docker makes guests");
    assert_eq!(guests.create(node, false).await.expect("made"), Created::Created);
    let power = backends.power(node).expect("docker powers");
    power.apply(node, PowerAction::On).await.expect("runs");
    assert_eq!(power.state(node).await.expect("state").state, PowerState::On);

    let (sender, mut receiver) = mpsc::channel(64);
    let program = Program::Shell("wc -c; exit 4".into());
    let invocation = Invocation { program, stdin: vec![b'x'; 1_000_000], ..Invocation::default() };
    let code = backends.exec(node).expect("docker runs programs").run(node, &invocation, sender).await;
    assert_eq!(code.expect("ran"), 4);
    assert_eq!(receiver.recv().await, Some(Output::Stdout(b"1000000\n".to_vec())));

    let file = home().join("payload");
    fs::write(&file, vec![7; 2_000_000]).expect("written");
    let files = backends.files(node).expect("docker copies");
    files.put(node, None, &[file], "/tmp").await.expect("copied");
    let back = home().join("back");
    fs::create_dir(&back).expect("made");
    files.get(node, None, &["/tmp/payload".into()], &back).await.expect("copied back");
    assert_eq!(fs::metadata(back.join("payload")).expect("there").len(), 2_000_000);
    fs::remove_dir_all(back).expect("removed");

    let console = backends.console(node).expect("docker has consoles");
    let mut session = console
        .attach(node, Attach { size: Some(Size { rows: 40, columns: 100 }), ..Attach::default() })
        .await
        .expect("attached");
    session.input.as_mut().expect("takes input").write_all(b"echo $((6*7))\n").await.expect("written");
    let mut shown = Vec::new();
    while !String::from_utf8_lossy(&shown).contains("42\r\n") {
        let mut chunk = [0; 1024];
        let count = session.output.read(&mut chunk).await.expect("readable");
        assert!(count > 0, "the console ended");
        shown.extend_from_slice(&chunk[..count]);
    }
    drop(session);
    guests.remove(node, true, true).await.expect("removed");
}
