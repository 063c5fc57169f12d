//! What is made for one node at the moment it asks: its postscripts and the answers to its installer; and the packages of its
//! image, which are for everybody.

use hyper::StatusCode;
use hyper::header::{self, HeaderMap};

use super::token::Purpose;
use super::{Answer, Ends, Server, address, chain, content, empty, file, full, status, text, unavailable};
use crate::events::{Kind, subject};
use crate::install::{self, Answers};
use crate::mac::Mac;
use crate::root::Root;
use crate::script::{Around, Method, State};

impl Server {
    /// The archive of what runs on a node once it has booted, at each boot: it may be one that nobody here has begun. So there is
    /// nothing in it that users of the node may not read.
    pub(super) fn postscripts(&self, mac: Mac, token: Option<&str>, ends: Ends) -> Answer {
        let Some(token) = token else { return self.denied(&ends, mac, StatusCode::UNAUTHORIZED) };
        let node = match self.proven(mac, token, Purpose::Booted, &ends) {
            Ok(node) => node,
            Err(unproven) => return self.denied(&ends, mac, unproven),
        };
        let event = |kind| ends.event(kind, subject::POSTSCRIPTS).of(mac).node(Some(node.name()));
        let ours = ends.ours.ip().to_string();
        match self.site.postscripts(&node, node.get("xcatmaster").unwrap_or(&ours)) {
            Ok(archive) => {
                self.events.tell(|| event(Kind::Sent).detail(format_args!("{} bytes", archive.len())));
                let mut answer = empty(StatusCode::OK);
                content::set(&mut answer, header::CONTENT_TYPE, "application/x-tar");
                content::set(&mut answer, header::CACHE_CONTROL, "no-store");
                *answer.body_mut() = full(archive);
                answer
            }
            Err(error) => {
                self.events.tell(|| event(Kind::Absent).detail(chain(&error)));
                unavailable(&error)
            }
        }
    }

    /// What a node's installer is to do.
    pub(super) fn answers(&self, mac: Mac, token: &str, name: &str, ends: Ends) -> Answer {
        // The end of an installation is far from its begin, and no secret is in what is asked for then.
        let purpose = if Answers::is_late(name) { Purpose::Status } else { Purpose::Files };
        let node = match self.proven(mac, token, purpose, &ends) {
            Ok(node) => node,
            Err(unproven) => return self.denied(&ends, mac, unproven),
        };
        let event = |kind| ends.event(kind, subject::INSTALLER).of(mac).node(Some(node.name()));
        if !is_installed(&node) {
            return status(StatusCode::NOT_FOUND);
        }
        let answers = match self.site.answers(&node) {
            Ok(answers) => answers,
            Err(error) => {
                self.events.tell(|| event(Kind::Absent).detail(format_args!("{name}: {}", chain(&error))));
                return status(StatusCode::INTERNAL_SERVER_ERROR);
            }
        };
        let (server, ours) = (address(ends.ours), ends.ours.ip().to_string());
        let around = Around { server: &server, address: &ours, mac, token: Some(token), genesis: false, digest: None };
        match answers.write(&self.templates, name, &around) {
            Ok(Some(written)) => {
                self.events.tell(|| event(Kind::Sent).detail(name));
                text(Ok(written))
            }
            Ok(None) => status(StatusCode::NOT_FOUND),
            Err(error) => {
                self.events.tell(|| event(Kind::Absent).detail(format_args!("{name}: {}", chain(&error))));
                text(Err(error))
            }
        }
    }

    /// A file of an installation medium or of another directory of packages.
    pub(super) fn media(&self, image: &str, name: &str, headers: &HeaderMap) -> Answer {
        match self.site.image(image) {
            Ok(row) => file(Root::new(install::package_directories(&self.home, row.as_ref())).open(name), headers),
            Err(error) => unavailable(&error),
        }
    }
}

/// Whether a node is told to install a system.
pub(super) fn is_installed(node: &tables::Node) -> bool {
    matches!(State::of(node), State::Image { method: Method::Install, .. })
}
