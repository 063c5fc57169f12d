//! The door of target `http`: all that comes by one connection to a server with three nodes, of which the client may be one that
//! boots or one that is installed, and a machine that nobody knows.

use std::convert::Infallible;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tables::{Node, Origin, Row, Select, Tables, schema};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};
use tokio::runtime::{Builder, Runtime};

use super::{Ends, Server, Site};
use crate::discovery::{Director, Report, Trouble, Verdict};
use crate::fuzzing::Filled;
use crate::install::{self, Answers};
use crate::mac::Mac;
use crate::postscripts::{self, Files, Occasion, Postscripts};

/// Stand in an input for the tokens that the first node and the one that is installed were given: nobody guesses one.
const TOKEN: &[u8] = b"%TOKEN%";
const INSTALL: &[u8] = b"%INSTALL%";
/// Of root's password.
const HASH: &str = "$6$0123456789abcdef$hash.of.root";
const STRANGER: Mac = Mac([0x52, 0x54, 0, 0x77, 0, 9]);
const ROWS: &[Filled] = &[
    ("nodelist", &["n1"], &[("groups", "all")]),
    ("nodelist", &["n2"], &[("groups", "all")]),
    ("nodelist", &["n3"], &[("groups", "all")]),
    ("mac", &["n1"], &[("mac", "52:54:00:77:00:01")]),
    ("mac", &["n2"], &[("mac", "52:54:00:77:00:02")]),
    ("mac", &["n3"], &[("mac", "52:54:00:77:00:03")]),
    ("hosts", &["n1"], &[("ip", "127.0.0.1")]),
    ("hosts", &["n2"], &[("ip", "127.0.0.2")]),
    ("hosts", &["n3"], &[("ip", "127.0.0.1")]),
    ("chain", &["n3"], &[("currstate", "install debian12-x86_64-compute")]),
    ("nodetype", &["n3"], &[("provmethod", "deb12")]),
    ("osimage", &["deb12"], &[("osvers", "debian12"), ("provmethod", "install")]),
    ("passwd", &["system", "root"], &[("password", HASH)]),
    ("postscripts", &["all"], &[("postscripts", "hello a")]),
    ("chain", &["all"], &[("currstate", "netboot debian12-x86_64-compute")]),
    ("bootparams", &["all"], &[("kernel", "image/deb12/kernel"), ("kcmdline", "quiet")]),
];
const FILES: &[(&str, &str)] = &[
    ("images/kernel", "0123456789"),
    ("images/sub/shadow", "secret of the image"),
    ("genesis/kernel.x86_64", "g"),
    ("nodes/n1/key", "own of n1"),
    ("nodes/n2/key", "secret of n2"),
    ("secret", "secret of the site"),
    ("install/postscripts/hello", "echo hello"),
    ("images/medium/dists/Release", "release"),
];

/// A server, and a client at the address of its first node.
pub struct Http {
    server: Arc<Server>,
    runtime: Runtime,
}

/// Tables that nobody changes.
struct Fixed {
    tables: Tables,
    nodes: Vec<(Mac, Node)>,
    image: Row,
}

impl Site for Fixed {
    fn node_of(&self, mac: Mac) -> tables::Result<Option<Node>> {
        Ok(self.nodes.iter().find(|(own, _)| *own == mac).map(|(_, node)| node.clone()))
    }

    fn image(&self, name: &str) -> tables::Result<Option<Row>> {
        Ok((name == "deb12").then(|| self.image.clone()))
    }

    fn keeps_statuses(&self) -> tables::Result<bool> {
        Ok(true)
    }

    fn record(&self, node: &str, status: &'static str) -> tables::Result<()> {
        assert!(node != "n2" || status != "booted", "{node} has not said that it is {status}");
        Ok(())
    }

    fn is_leased(&self, mac: Mac, _: IpAddr) -> tables::Result<bool> {
        Ok(mac == STRANGER)
    }

    fn installed(&self, node: &str) -> tables::Result<()> {
        assert_eq!(node, "n3", "{node} has not said that it is installed");
        Ok(())
    }

    fn postscripts(&self, node: &Node, master: &str) -> Result<Vec<u8>, postscripts::Error> {
        let postscripts = Postscripts::of(&self.tables, node, master, Occasion::Boot)?;
        Ok(Files::read(&postscripts::directory(&self.tables)?, [])?.archive(&postscripts))
    }

    fn answers(&self, node: &Node) -> Result<Answers, install::Error> {
        Answers::read(&self.tables, node, &[])
    }
}

/// Knows machines that call themselves by a node's name.
struct Decided;

impl Director for Decided {
    fn reported(&self, report: Report) -> Result<Verdict, Trouble> {
        assert_eq!(report.mac, Some(STRANGER), "nobody reports another machine");
        let texts = [&report.serial, &report.uuid, &report.vendor, &report.product, &report.arch, &report.cpu];
        assert!(texts.iter().all(|text| !text.contains(char::is_control)), "{report:?}");
        Ok(match report.serial.as_str() {
            "n1" => Verdict::Node("n1".to_owned()),
            _ => Verdict::Nobody("no node is defined that it could be".to_owned()),
        })
    }

    fn done(&self, node: &str, _: &str) -> Result<(), Trouble> {
        assert_ne!(node, "n2", "{node} has done nothing");
        Ok(())
    }
}

impl Fixed {
    fn new(home: &Path) -> tables::Result<Self> {
        let tables = Tables::open(home)?;
        let origin = Origin { user: "root".into(), command: "fuzz".into(), reason: None };
        tables.edit(&origin, |edit| {
            for (table, key, cells) in ROWS {
                edit.set(schema::find(table).expect("the schema has it"), key, cells)?;
            }
            let place = |name: &str| home.join(name).to_string_lossy().into_owned();
            let site = schema::find("site").expect("the schema has it");
            edit.set(site, &["installdir"], &[("value", &place("install"))])?;
            let table = schema::find("linuximage").expect("the schema has it");
            edit.set(table, &["deb12"], &[("rootimgdir", &place("images")), ("pkgdir", &place("images/medium"))])
        })?;
        let nodes = tables.resolve(&["n1", "n2", "n3"].map(str::to_owned))?;
        let table = schema::find("linuximage").expect("the schema has it");
        let image = tables.rows(table, Select::Keys(&["deb12"]))?.pop().expect("it was written above");
        let macs = (1..).map(|last| Mac([0x52, 0x54, 0, 0x77, 0, last]));
        Ok(Self { nodes: macs.zip(nodes).collect(), image, tables })
    }
}

impl Http {
    /// With its files in that directory.
    pub fn new(home: &Path) -> Self {
        for (name, text) in FILES {
            let path = home.join(name);
            fs::create_dir_all(path.parent().expect("it is in a directory")).expect("the directory is ours");
            fs::write(path, text).expect("the directory is ours");
        }
        symlink("../nodes", home.join("images/out")).expect("the directory is ours");
        let site = Fixed::new(home).expect("the rows are right");
        let server = Server::new(home, Arc::new(site)).expect("its templates are its own").directed(Arc::new(Decided));
        let runtime = Builder::new_current_thread().enable_all().build().expect("a thread has a runtime");
        Self { server: Arc::new(server), runtime }
    }

    /// Says what the client was answered.
    pub fn run(&mut self, input: &[u8]) -> Vec<u8> {
        self.server.forget();
        let [token, install] = ["n1", "n3"]
            .map(|node| self.server.tokens.give(node, false, Ipv4Addr::LOCALHOST.into(), SystemTime::now()));
        let input = replaced(&replaced(input, TOKEN, token.as_bytes()), INSTALL, install.as_bytes());
        let answer = self.runtime.block_on(converse(self.server.clone(), &input));
        for secret in ["secret of n2", "secret of the image", "secret of the site"] {
            assert!(!has(&answer, secret.as_bytes()), "a {secret} was given away");
        }
        let proves = has(&input, token.as_bytes());
        assert!(proves || !has(&answer, b"own of n1"), "a file of n1 was given to somebody without its token");
        let installs = has(&input, install.as_bytes());
        assert!(installs || !has(&answer, HASH.as_bytes()), "the hash was given to somebody without the token");
        answer
    }
}

fn replaced(input: &[u8], word: &[u8], token: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(input.len());
    let mut rest = input;
    while let Some(place) = rest.windows(word.len()).position(|part| part == word) {
        whole.extend_from_slice(&rest[..place]);
        whole.extend_from_slice(token);
        rest = &rest[place + word.len()..];
    }
    whole.extend_from_slice(rest);
    whole
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// The client says all that it has to say and reads until the server is done with it.
async fn converse(server: Arc<Server>, input: &[u8]) -> Vec<u8> {
    let (client, wire) = duplex(64 << 10);
    let at = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let ends = Ends { client: at(40_000), ours: at(80), interface: "lo".into() };
    let answer = service_fn(move |request| {
        let (server, ends) = (server.clone(), ends.clone());
        async move { Ok::<_, Infallible>(server.answer(request, ends).await) }
    });
    let serving = async {
        let mut builder = http1::Builder::new();
        builder.half_close(true).max_buf_size(64 << 10);
        // That a client is no client is an error too.
        builder.serve_connection(TokioIo::new(wire), answer).await.ok();
    };
    let (mut reading, mut writing) = split(client);
    let saying = async {
        writing.write_all(input).await.ok(); // the server may have had enough
        writing.shutdown().await.ok();
    };
    let mut heard = Vec::new();
    let hearing = reading.read_to_end(&mut heard);
    let ((), (), read) = tokio::join!(serving, saying, hearing);
    read.expect("a pipe in memory does not fail");
    heard
}
