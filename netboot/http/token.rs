//! Who a node is: a token for one boot of one node.
//!
//! A token is when it was given (milliseconds since 1970, 8 octets), and 16 octets of HMAC-SHA256 over that and the node's
//! name, as base64. The key is kept in a file, so that a daemon that starts anew knows the nodes that are booting. The next boot
//! ends the token of the one before. The last bit of the time says that the node was up when it asked: such a token is good
//! for no more than saying that it is up again.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// How long a node may say how far it has come; an installation takes hours.
const STATUS: Duration = Duration::from_secs(24 * 3600);
/// How long it may fetch what is its own.
const FILES: Duration = Duration::from_secs(3600);
const DIGEST: usize = 16;

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Saying how far it has come, until it has said that it is up: then others are on it who can read the token.
    Status,
    /// Asking for a step, and saying that it has done one, which may be that it is switched off.
    Step,
    /// Saying that it is up, also once more.
    Booted,
    /// What only this node may have, for a while and until it is up.
    Files,
}

/// Gives tokens and knows them again.
pub(super) struct Tokens {
    key: [u8; 32],
    boots: Mutex<HashMap<String, Boot>>,
}

/// The last boot of a node that is known of.
#[derive(Debug, Clone, Copy, Default)]
struct Boot {
    given: u64,
    /// The address to which the token was given, where that was done since we were started.
    at: Option<IpAddr>,
    is_up: bool,
    /// Nobody has written down that it has begun.
    unheard: bool,
}

impl Tokens {
    /// With the key in that file, which is made on first use.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let key = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(path)?,
            read => read?,
        };
        let key =
            key.try_into().map_err(|_| io::Error::other("it is not 32 bytes long; remove it to have a new one"))?;
        Ok(Self { key, boots: Mutex::default() })
    }

    /// A token for a boot that begins now; of a node that is up it may be no boot, but somebody on it who asks.
    pub(super) fn give(&self, node: &str, is_up: bool, at: IpAddr, now: SystemTime) -> String {
        let mut boots = self.boots.lock().unwrap_or_else(PoisonError::into_inner);
        let boot = boots.entry(node.to_owned()).or_default();
        let later = millis(now).max(boot.given + 1);
        *boot = Boot { given: later.next_multiple_of(2) + u64::from(is_up), at: Some(at), is_up, unheard: false };
        let given = boot.given.to_be_bytes();
        URL_SAFE_NO_PAD.encode([&given[..], &self.digest(node, given)].concat())
    }

    /// Whether the node of that name was given this token, and it is still good for that.
    pub(super) fn accepts(&self, node: &str, token: &str, purpose: Purpose, now: SystemTime) -> bool {
        let Some(given) = self.given(node, token) else { return false };
        let mut boots = self.boots.lock().unwrap_or_else(PoisonError::into_inner);
        let boot = boots.entry(node.to_owned()).or_default();
        if given > boot.given {
            *boot = Boot { given, at: None, is_up: given % 2 == 1, unheard: false }; // it was given before we were started anew
        }
        let (limit, ended) = match purpose {
            Purpose::Status | Purpose::Step => (STATUS, boot.is_up),
            Purpose::Booted => (STATUS, false),
            Purpose::Files => (FILES, boot.is_up),
        };
        let age = millis(now).saturating_sub(given);
        given == boot.given && !ended && u128::from(age) <= limit.as_millis()
    }

    /// Whether the node's last token was given to that address.
    pub(super) fn was_given_to(&self, node: &str, client: IpAddr) -> bool {
        let boots = self.boots.lock().unwrap_or_else(PoisonError::into_inner);
        boots.get(node).is_some_and(|boot| boot.at == Some(client))
    }

    /// The node has come up: others are on it now.
    pub(super) fn is_up(&self, node: &str) {
        if let Some(boot) = self.boots.lock().unwrap_or_else(PoisonError::into_inner).get_mut(node) {
            boot.is_up = true;
        }
    }

    /// That the node's last boot has begun could not be written down.
    pub(super) fn is_unheard(&self, node: &str) {
        if let Some(boot) = self.boots.lock().unwrap_or_else(PoisonError::into_inner).get_mut(node) {
            boot.unheard = true;
        }
    }

    /// Whether the token is of such a boot.
    pub(super) fn was_unheard(&self, node: &str, token: &str) -> bool {
        let boots = self.boots.lock().unwrap_or_else(PoisonError::into_inner);
        let boot = boots.get(node).filter(|boot| boot.unheard);
        boot.is_some_and(|boot| self.given(node, token) == Some(boot.given))
    }

    /// Forgets all boots.
    #[cfg(any(test, fuzzing))]
    pub(super) fn forget(&self) {
        self.boots.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn given(&self, node: &str, token: &str) -> Option<u64> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (given, digest) = bytes.split_first_chunk::<8>()?;
        let mac = self.mac(node, *given);
        (digest.len() == DIGEST && mac.verify_truncated_left(digest).is_ok()).then_some(u64::from_be_bytes(*given))
    }

    fn digest(&self, node: &str, given: [u8; 8]) -> [u8; DIGEST] {
        let whole = self.mac(node, given).finalize().into_bytes();
        std::array::from_fn(|place| whole[place])
    }

    fn mac(&self, node: &str, given: [u8; 8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("a key of HMAC may have any length");
        mac.update(b"xcrane boot\0");
        mac.update(&given);
        mac.update(node.as_bytes());
        mac
    }
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Makes a key. Of two that do so at once the first wins.
fn make(path: &Path) -> io::Result<Vec<u8>> {
    let mut key = vec![0; 32];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    let beside = path.with_extension(format!("{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(&key).and_then(|()| file.sync_all())?;
    let linked = fs::hard_link(&beside, path);
    fs::remove_file(&beside)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs::read(path),
        linked => linked.map(|()| key),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use proptest::prelude::*;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    struct Kept {
        place: tempfile::TempDir,
        tokens: Tokens,
    }

    fn kept() -> Kept {
        let place = tempfile::tempdir().unwrap();
        let tokens = Tokens::open(&place.path().join("key")).unwrap();
        Kept { place, tokens }
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
    }

    #[test]
    fn a_token_is_for_one_node_and_one_boot() {
        let Kept { tokens, place } = kept();
        let first = tokens.give("n1", false, HERE, at(0));
        assert!(tokens.accepts("n1", &first, Purpose::Files, at(60)));
        assert!(!tokens.accepts("n2", &first, Purpose::Status, at(60)));
        assert!(tokens.was_given_to("n1", HERE) && !tokens.was_given_to("n1", IpAddr::from([127, 0, 0, 9])));
        let second = tokens.give("n1", false, HERE, at(0));
        assert!(!tokens.accepts("n1", &first, Purpose::Status, at(60)), "it has booted since");
        assert!(tokens.accepts("n1", &second, Purpose::Status, at(60)));
        assert!(!tokens.accepts("n1", &second, Purpose::Files, at(3601)));
        assert!(tokens.accepts("n1", &second, Purpose::Status, at(3601)));
        assert!(!tokens.accepts("n1", &second, Purpose::Status, at(24 * 3600 + 1)));
        tokens.is_up("n1");
        assert!(!tokens.accepts("n1", &second, Purpose::Files, at(60)));
        assert!(!tokens.accepts("n1", &second, Purpose::Status, at(60)));
        assert!(tokens.accepts("n1", &second, Purpose::Booted, at(60)));
        assert_eq!(fs::metadata(place.path().join("key")).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_daemon_that_starts_anew_knows_its_tokens() {
        let Kept { tokens, place } = kept();
        let [first, second] = [0, 5].map(|seconds| tokens.give("n1", false, HERE, at(seconds)));
        let anew = Tokens::open(&place.path().join("key")).unwrap();
        assert!(anew.accepts("n1", &second, Purpose::Files, at(60)));
        assert!(!anew.accepts("n1", &first, Purpose::Status, at(60)));
        assert!(!kept().tokens.accepts("n1", &second, Purpose::Status, at(60)), "another key");
    }

    #[test]
    fn a_token_of_a_node_that_is_up_opens_nothing_whoever_reads_it() {
        let Kept { tokens, place } = kept();
        let token = tokens.give("n1", true, HERE, at(0));
        for tokens in [&tokens, &Tokens::open(&place.path().join("key")).unwrap()] {
            assert!(!tokens.accepts("n1", &token, Purpose::Files, at(60)));
            assert!(!tokens.accepts("n1", &token, Purpose::Status, at(60)));
            assert!(tokens.accepts("n1", &token, Purpose::Booted, at(60)));
        }
        let next = tokens.give("n1", false, HERE, at(0));
        assert!(tokens.accepts("n1", &next, Purpose::Files, at(60)));
        assert!(!tokens.accepts("n1", &token, Purpose::Booted, at(60)));
    }

    #[test]
    fn no_other_text_is_a_token() {
        let Kept { tokens, .. } = kept();
        let refuses = |text: &str| !tokens.accepts("n1", text, Purpose::Booted, at(1));
        let token = URL_SAFE_NO_PAD.decode(tokens.give("n1", false, HERE, at(0))).unwrap();
        for bit in 0..token.len() * 8 {
            let mut other = token.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(refuses(&URL_SAFE_NO_PAD.encode(other)), "bit {bit}");
        }
        proptest!(|(text in ".{0,40}")| prop_assert!(refuses(&text)));
    }
}
