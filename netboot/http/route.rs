//! What a path means: pure.

use crate::mac::Mac;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// The script that leads a machine to its own.
    Start,
    /// The script of the node with that address.
    Script(Mac),
    /// Where a node says how far it has come.
    Status(Mac),
    /// The same for what can do no more than ask for an address, which then has the word in it.
    Callback(Mac, String),
    /// What the node is to do now.
    Step(Mac),
    /// A node has done its step.
    Done(Mac),
    /// A machine tells what it is.
    Discover(Mac),
    /// A file for one node only.
    Own(Mac, String),
    /// What runs on a node once it has booted.
    Postscripts(Mac),
    /// What a node's installer asks for: its token and a name.
    Install(Mac, String, String),
    /// A file of the packages of an image.
    Media(String, String),
    /// A file of an image.
    Image(String, String),
    /// A file that is everybody's: the directory it is shared by, and its name there.
    Shared(String, String),
}

impl Route {
    /// None for a path that means nothing.
    pub(super) fn of(path: &str) -> Option<Self> {
        let words: Vec<String> = path.split('/').filter(|word| !word.is_empty()).map(decoded).collect::<Option<_>>()?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Some(match *words.as_slice() {
            ["boot.ipxe"] => Self::Start,
            ["node", mac] => Self::Script(mac.parse().ok()?),
            ["node", mac, "status"] => Self::Status(mac.parse().ok()?),
            ["node", mac, "status", word] => Self::Callback(mac.parse().ok()?, word.to_owned()),
            ["node", mac, "step"] => Self::Step(mac.parse().ok()?),
            ["node", mac, "done"] => Self::Done(mac.parse().ok()?),
            ["discover", mac] => Self::Discover(mac.parse().ok()?),
            ["node", mac, "file", ref name @ ..] if !name.is_empty() => Self::Own(mac.parse().ok()?, name.join("/")),
            // Below a directory of an image there may be its root, with all that is secret in it.
            // No image has a name that leads out of the directory of them all.
            ["image", image, name] if !name.contains(['/', '\\']) && !image.starts_with('.') => {
                Self::Image(image.to_owned(), name.to_owned())
            }
            ["node", mac, "postscripts"] => Self::Postscripts(mac.parse().ok()?),
            ["node", mac, "install", token, name] => {
                Self::Install(mac.parse().ok()?, token.to_owned(), name.to_owned())
            }
            ["media", image, ref name @ ..] if !name.is_empty() => Self::Media(image.to_owned(), name.join("/")),
            ["node" | "image" | "media" | "discover", ..] => return None,
            // What firmware asks for that boots by HTTP.
            [loader] => Self::Shared("loader".to_owned(), loader.to_owned()),
            [share, ref name @ ..] => Self::Shared(share.to_owned(), name.join("/")),
            [] => return None,
        })
    }
}

/// With `%20` and its like resolved, once.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(digit(rest.next()?)? << 4 | digit(rest.next()?)?);
    }
    String::from_utf8(bytes).ok()
}

/// A word as part of a path, with all that has a meaning there written as `%2F`.
pub fn encoded(word: &str) -> String {
    let letter = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    word.bytes().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_and_what_they_mean() {
        let mac: Mac = "52:54:00:77:00:00".parse().unwrap();
        let check = |path: &str, expected: Option<Route>| assert_eq!(Route::of(path), expected, "{path}");
        check("/boot.ipxe", Some(Route::Start));
        check("/node/52-54-00-77-00-00", Some(Route::Script(mac)));
        check("//node//52:54:00:77:00:00", Some(Route::Script(mac)));
        check("/node/52%3A54:00:77:00:00/status", Some(Route::Status(mac)));
        check("/node/52-54-00-77-00-00/file/ssh/key", Some(Route::Own(mac, "ssh/key".into())));
        check("/image/deb12/kernel", Some(Route::Image("deb12".into(), "kernel".into())));
        check("/image/a%2Fb/kernel", Some(Route::Image("a/b".into(), "kernel".into())));
        check("/node/52-54-00-77-00-00/status/booted", Some(Route::Callback(mac, "booted".into())));
        check("/node/52-54-00-77-00-00/postscripts", Some(Route::Postscripts(mac)));
        let preseed = Route::Install(mac, "TOKEN".into(), "preseed.cfg".into());
        check("/node/52-54-00-77-00-00/install/TOKEN/preseed.cfg", Some(preseed));
        check("/media/deb12/dists/x", Some(Route::Media("deb12".into(), "dists/x".into())));
        check("/media/deb12", None);
        check("/node/52-54-00-77-00-00/step", Some(Route::Step(mac)));
        check("/node/52-54-00-77-00-00/done", Some(Route::Done(mac)));
        check("/discover/52-54-00-77-00-00", Some(Route::Discover(mac)));
        check("/snponly.efi", Some(Route::Shared("loader".into(), "snponly.efi".into())));
        check("/loader/snponly.efi", Some(Route::Shared("loader".into(), "snponly.efi".into())));
        check("/tftpboot/a/b", Some(Route::Shared("tftpboot".into(), "a/b".into())));
        for path in ["/image/deb12/rootimg/etc/shadow", "/image/deb12/rootimg%2Fetc", "/image/deb12/rootimg%5cetc"] {
            check(path, None);
        }
        for path in ["/image/../boot.key", "/image/%2e%2e/boot.key", "/image/./kernel", "/image/.made/kernel"] {
            check(path, None);
        }
        for path in [
            "",
            "/",
            "/node",
            "/image",
            "/discover",
            "/discover/x",
            "/node/n1",
            "/node/52-54-00-77-00-00/x",
            "/image/deb12",
            "/%",
            "/%f",
            "/%ff/x",
        ] {
            check(path, None);
        }
    }

    proptest! {
        #[test]
        fn no_path_panics(path in ".{0,60}") {
            Route::of(&path);
        }

        #[test]
        fn words_come_back(word in "[^/\0.][^/\0]{0,19}") {
            let path = format!("/image/{}/f", encoded(&word));
            prop_assert_eq!(Route::of(&path), Some(Route::Image(word, "f".into())));
        }
    }
}
