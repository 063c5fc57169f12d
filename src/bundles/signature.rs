//! Who has made a bundle: an Ed25519 key of the site's own, and the keys of others that it trusts.
//!
//! `$XCRANE_HOME/bundles/key.pk8` is made with the first bundle; `$XCRANE_HOME/bundles/trusted` has a key a line. While there is no such
//! file the first bundle's key is taken and shown, as ssh does with a host's.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::own_file;

/// Before what is signed: a signature of a bundle is one of nothing else.
const CONTEXT: &[u8] = b"xcrane bundle 1\n";
const PREFIX: &str = "ed25519:";

/// What stands before the list.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Signature {
    /// Whose it is, `ed25519:…`.
    pub(crate) key: String,
    signature: String,
}

/// The site's own key.
pub(crate) struct Signer(Ed25519KeyPair);

impl Signer {
    /// The key of this home, made if there is none.
    pub(crate) fn of(home: &Path) -> Result<Self, Failure> {
        let path = home.join("bundles/key.pk8");
        let failed = |why: String| Failure::refused(format!("cannot use the key {}: {why}", path.display()));
        if !path.exists() {
            make(&path).map_err(failed)?;
        }
        let document = fs::read(&path).map_err(|error| failed(error.to_string()))?;
        let pair = Ed25519KeyPair::from_pkcs8(&document).map_err(|error| failed(error.to_string()))?;
        Ok(Self(pair))
    }

    /// As others are told it.
    pub(crate) fn key(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(self.0.public_key()))
    }

    pub(crate) fn sign(&self, list: &[u8]) -> Signature {
        let signature = self.0.sign(&[CONTEXT, list].concat());
        Signature { key: self.key(), signature: STANDARD.encode(signature) }
    }
}

/// Appears whole: a killed run leaves none or all of it.
fn make(path: &Path) -> Result<(), String> {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|error| error.to_string())?;
    let write = || {
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
        let part = path.with_extension("part");
        let mut file = own_file::aside(&part, 0o600)?;
        file.write_all(document.as_ref())?;
        file.sync_all()?;
        // Never over one that another run has made meanwhile.
        match fs::hard_link(&part, path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        fs::remove_file(&part)
    };
    write().map_err(|error: std::io::Error| error.to_string())
}

impl Signature {
    /// Whether it is that of the list.
    pub(crate) fn fits(&self, list: &[u8]) -> bool {
        let (Some(key), Ok(signature)) = (decoded(&self.key), STANDARD.decode(&self.signature)) else { return false };
        UnparsedPublicKey::new(&ED25519, key).verify(&[CONTEXT, list].concat(), &signature).is_ok()
    }
}

fn decoded(key: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(key.strip_prefix(PREFIX)?).ok()?;
    (bytes.len() == 32).then_some(bytes)
}

/// How a key stands to this site.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    Known,
    /// Nobody was trusted yet.
    First,
}

/// Whose bundles this site takes.
pub(crate) struct Trusted {
    file: PathBuf,
    own: Option<String>,
}

impl Trusted {
    pub(crate) fn of(home: &Path) -> Result<Self, Failure> {
        let has_own = home.join("bundles/key.pk8").exists();
        let own = has_own.then(|| Signer::of(home)).transpose()?.map(|signer| signer.key());
        Ok(Self { file: home.join("bundles/trusted"), own })
    }

    /// Whether a bundle of this key may be taken; `given` is the key that the admin expects, or a file with it.
    pub(crate) fn judge(&self, key: &str, given: Option<&str>) -> Result<Trust, Failure> {
        if let Some(given) = given {
            return match expected(given)? == key {
                true => Ok(Trust::Known),
                false => Err(Failure::refused(format!("it is signed by {key}, which is not the key that was given"))),
            };
        }
        if self.own.as_deref() == Some(key) {
            return Ok(Trust::Known);
        }
        let Some(text) = self.read()? else { return Ok(Trust::First) };
        match text.lines().any(|line| line.split_whitespace().next() == Some(key)) {
            true => Ok(Trust::Known),
            false => Err(Failure::refused(format!("it is signed by {key}, which is none of {}", self.file.display()))
                .hint(format!("if the site that has made it says that this is its key, give it: --key {key}"))),
        }
    }

    /// The keys, a line each; none where nobody was trusted yet.
    fn read(&self) -> Result<Option<String>, Failure> {
        match fs::read_to_string(&self.file) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::refused(format!("cannot read {}: {error}", self.file.display()))),
        }
    }

    /// Trusts a key from now on.
    pub(crate) fn keep(&self, key: &str, whose: &str) -> Result<(), Failure> {
        let text = self.read()?.unwrap_or_default();
        if self.own.as_deref() == Some(key) || text.lines().any(|line| line.split_whitespace().next() == Some(key)) {
            return Ok(());
        }
        let whose: String = whose.chars().filter(|letter| !letter.is_control()).take(80).collect();
        super::replace(&self.file, format!("{text}{key} {whose}\n").as_bytes())
    }
}

/// A key, or what a file has of one.
fn expected(given: &str) -> Result<String, Failure> {
    if given.starts_with(PREFIX) {
        return match decoded(given) {
            Some(_) => Ok(given.to_owned()),
            None => Err(Failure::usage(format!("'{given}' is no key, as ed25519:… of 32 bytes in base64 is one"))),
        };
    }
    let text = fs::read_to_string(given).map_err(|error| Failure::refused(format!("cannot read {given}: {error}")))?;
    let word = text.split_whitespace().next().unwrap_or_default();
    match decoded(word) {
        Some(_) => Ok(word.to_owned()),
        None => Err(Failure::refused(format!("{given} does not begin with a key, as ed25519:… is one"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_one_list_by_one_key() {
        let home = tempfile::tempdir().expect("a directory");
        let signer = Signer::of(home.path()).map_err(|failure| failure.message).expect("it is made");
        let again = Signer::of(home.path()).map_err(|failure| failure.message).expect("it is there");
        assert_eq!(signer.key(), again.key());
        let signature = signer.sign(b"list");
        assert!(signature.fits(b"list") && !signature.fits(b"lisu") && !signature.fits(b""));
        let other = tempfile::tempdir().expect("a directory");
        let stranger = Signer::of(other.path()).map_err(|failure| failure.message).expect("it is made");
        let forged = Signature { key: stranger.key(), signature: signature.signature };
        assert!(!forged.fits(b"list"));
        for key in ["", "ed25519:", "ed25519:AAAA", "rsa:AAAA"] {
            assert!(!Signature { key: key.into(), signature: forged.signature.clone() }.fits(b"list"), "{key}");
        }
    }

    #[test]
    fn the_first_key_is_taken_and_another_is_not() {
        let home = tempfile::tempdir().expect("a directory");
        let trusted = Trusted::of(home.path()).map_err(|failure| failure.message).expect("nothing is needed");
        let key = |byte: u8| format!("{PREFIX}{}", STANDARD.encode([byte; 32]));
        let judged =
            |number: u8, given: Option<&str>| trusted.judge(&key(number), given).map_err(|failure| failure.message);
        assert_eq!(judged(1, None), Ok(Trust::First));
        trusted.keep(&key(1), "head1\n").map_err(|failure| failure.message).expect("it is written");
        assert_eq!(judged(1, None), Ok(Trust::Known));
        assert!(judged(2, None).is_err_and(|why| why.contains("which is none of ")));
        assert!(judged(2, Some(&key(1))).is_err_and(|why| why.contains("not the key that was given")));
        assert_eq!(judged(2, Some(&key(2))), Ok(Trust::Known));
        let file = home.path().join("bundles/trusted");
        assert_eq!(judged(1, file.to_str()), Ok(Trust::Known));
        assert!(judged(1, Some("ed25519:x")).is_err() && judged(1, Some("/nowhere")).is_err());
    }

    #[test]
    fn keys_that_cannot_be_read_are_not_forgotten() {
        let home = tempfile::tempdir().expect("a directory");
        let trusted = Trusted::of(home.path()).map_err(|failure| failure.message).expect("nothing is needed");
        let file = home.path().join("bundles/trusted");
        fs::create_dir(home.path().join("bundles")).expect("a directory");
        let old = b"ed25519:AAAA M\xfcnchen\n";
        fs::write(&file, old).expect("a file");
        let kept = trusted.keep("ed25519:BBBB", "head2").map_err(|failure| failure.message);
        assert_eq!(kept, Err(format!("cannot read {}: stream did not contain valid UTF-8", file.display())));
        assert_eq!(fs::read(&file).expect("it is there"), old);
    }
}
