//! What is made for one node at the moment it asks: its postscripts and the answers to its installer; and the packages of its
//! image, which are for everybody.

use hyper::StatusCode;
use hyper::header::{self, HeaderMap};
use tracing::{info, warn};

use super::token::Purpose;
use super::{Answer, Ends, Server, address, chain, content, empty, file, full, status, text, unavailable};
use crate::install::{self, Answers};
use crate::mac::Mac;
use crate::root::Root;
use crate::script::{Around, Method, State};

impl Server {
    /// The archive of what runs on a node once it has booted, at each boot: it may be one that nobody here has begun. So there is
    /// nothing in it that users of the node may not read.
    pub(super) fn postscripts(&self, mac: Mac, token: Option<&str>, ends: Ends) -> Answer {
        let Some(token) = token else { return status(StatusCode::UNAUTHORIZED) };
        let node = match self.proven(mac, token, Purpose::Booted) {
            Ok(node) => node,
            Err(code) => return status(code),
        };
        let ours = ends.ours.ip().to_string();
        match self.site.postscripts(&node, node.get("xcatmaster").unwrap_or(&ours)) {
            Ok(archive) => {
                info!(node = node.name(), octets = archive.len(), "http: postscripts");
                let mut answer = empty(StatusCode::OK);
                content::set(&mut answer, header::CONTENT_TYPE, "application/x-tar");
                content::set(&mut answer, header::CACHE_CONTROL, "no-store");
                *answer.body_mut() = full(archive);
                answer
            }
            Err(error) => unavailable(&error),
        }
    }

    /// What a node's installer is to do.
    pub(super) fn answers(&self, mac: Mac, token: &str, name: &str, ends: Ends) -> Answer {
        // The end of an installation is far from its begin, and no secret is in what is asked for then.
        let purpose = if Answers::is_late(name) { Purpose::Status } else { Purpose::Files };
        let node = match self.proven(mac, token, purpose) {
            Ok(node) => node,
            Err(code) => return status(code),
        };
        if !is_installed(&node) {
            return status(StatusCode::NOT_FOUND);
        }
        let answers = match self.site.answers(&node) {
            Ok(answers) => answers,
            Err(error) => {
                warn!(node = node.name(), error = %chain(&error), "http: no answers for the installer");
                return status(StatusCode::INTERNAL_SERVER_ERROR);
            }
        };
        let (server, ours) = (address(ends.ours), ends.ours.ip().to_string());
        let around = Around { server: &server, address: &ours, mac, token: Some(token), genesis: false, digest: None };
        match answers.write(&self.templates, name, &around) {
            Ok(Some(written)) => {
                info!(node = node.name(), file = name, "http: for the installer");
                text(Ok(written))
            }
            Ok(None) => status(StatusCode::NOT_FOUND),
            Err(error) => {
                warn!(node = node.name(), error = %chain(&error), "http: no answers for the installer");
                text(Err(error))
            }
        }
    }

    /// A file of an installation medium or of another directory of packages.
    pub(super) fn media(&self, image: &str, name: &str, headers: &HeaderMap) -> Answer {
        match self.site.image(image) {
            Ok(row) => file(Root::new(install::package_directories(row.as_ref())).open(name), headers),
            Err(error) => unavailable(&error),
        }
    }
}

/// Whether a node is told to install a system.
pub(super) fn is_installed(node: &tables::Node) -> bool {
    matches!(State::of(node), State::Image { method: Method::Install, .. })
}
