//! The registry whose images a mirror fetches and keeps.

use tables::urls;

use super::config::{Account, wrong};
use crate::Result;
use crate::bytes::in_url;

/// The registry behind a mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// `https://HOST[:PORT]`, without account.
    pub url: String,
    /// As whom the mirror logs in there.
    pub account: Option<Account>,
    /// Who vouches for it, beside the site's own authority and those that the node trusts anyway.
    pub authority: Option<String>,
}

impl Upstream {
    /// Its `HOST[:PORT]`, as it stands in names of images; None where the URL is none.
    pub fn place(&self) -> Option<&str> {
        let place = self.url.strip_prefix("https://").or_else(|| self.url.strip_prefix("http://"))?;
        let place = place.strip_suffix('/').unwrap_or(place);
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b".:-[]".contains(&byte);
        (!place.is_empty() && !place.starts_with('-') && place.bytes().all(legal)).then_some(place)
    }

    /// Refuses what is no URL, what would make a loop, and a password that anybody on the way could read.
    pub(super) fn check(&self, own: &str) -> Result<()> {
        let Some(place) = self.place() else {
            let why = match urls::has_account(&self.url) {
                true => "it takes no account ('@') in an address, because everybody can read it; it belongs into table passwd: \
                         key=registry,authdomain=HOST:PORT,username=USER"
                    .into(),
                false => format!("'{}' is not of the form https://HOST[:PORT]", self.url),
            };
            return Err(wrong("upstream", &why));
        };
        if place == own {
            return Err(wrong("upstream", "a registry cannot be its own mirror"));
        }
        if self.account.is_some() && self.url.starts_with("http://") {
            return Err(wrong("upstream", &format!("the password for {place} would be sent in clear; it takes https")));
        }
        Ok(())
    }

    /// Host and port that it listens on.
    pub(super) fn socket(&self) -> Option<(&str, &str)> {
        let (place, usual) = (self.place()?, if self.url.starts_with("https") { "443" } else { "80" });
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => (place, usual),
        };
        Some((host.trim_matches(['[', ']']), port))
    }

    /// The URL with the account in it. The server has no other way into a registry that asks for name and password, as ours
    /// do: its settings `username` and `password` are for token servers alone (distribution issue 3153).
    pub(super) fn with_account(&self) -> String {
        match (&self.account, self.url.split_once("://")) {
            (Some(account), Some((scheme, rest))) => {
                let (user, password) = (in_url(&account.user), in_url(account.password.reveal()));
                format!("{scheme}://{user}:{password}@{}", rest.trim_end_matches('/'))
            }
            _ => self.url.trim_end_matches('/').to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    fn upstream(url: &str, account: Option<(&str, &str)>) -> Upstream {
        let account = account.map(|(user, password)| Account { user: user.into(), password: Secret::new(password) });
        Upstream { url: url.into(), account, authority: None }
    }

    #[test]
    fn places() {
        let check = |url: &str, place: Option<&str>, socket: Option<(&str, &str)>| {
            let upstream = upstream(url, None);
            assert_eq!((upstream.place(), upstream.socket()), (place, socket), "{url}");
        };
        check("https://10.0.0.1:5000", Some("10.0.0.1:5000"), Some(("10.0.0.1", "5000")));
        check("https://registry-1.docker.io/", Some("registry-1.docker.io"), Some(("registry-1.docker.io", "443")));
        check("http://hub", Some("hub"), Some(("hub", "80")));
        check("https://[fd00::1]:5000", Some("[fd00::1]:5000"), Some(("fd00::1", "5000")));
        check("https://[fd00::1]", Some("[fd00::1]"), Some(("fd00::1", "443")));
        check("hub", None, None);
        check("https://", None, None);
        check("https://$(reboot)", None, None);
        check("https://hub/x y", None, None);
    }

    #[test]
    fn what_cannot_be_is_refused_without_a_password_in_the_words() {
        let check = |upstream: Upstream, expected: &str| {
            let said = upstream.check("me:5000").err().map(|error| error.to_string()).unwrap_or_default();
            assert!(said.contains(expected) && said.is_empty() == expected.is_empty(), "{said}");
            assert!(!said.contains("sesame"), "{said}");
        };
        check(upstream("https://hub", Some(("ada", "sesame"))), "");
        check(upstream("https://ada:sesame@hub", None), "belongs into table passwd");
        check(upstream("http://hub", Some(("ada", "sesame"))), "in clear");
        check(upstream("http://hub", None), "");
        check(upstream("https://me:5000", None), "its own mirror");
    }

    #[test]
    fn a_password_cannot_leave_its_place_in_the_url() {
        let url = upstream("https://hub:5000", Some(("ada", "a/b@c:d %é"))).with_account();
        assert_eq!(url, "https://ada:a%2Fb%40c%3Ad%20%25%C3%A9@hub:5000");
        assert_eq!(upstream("https://hub/", None).with_account(), "https://hub");
    }
}
