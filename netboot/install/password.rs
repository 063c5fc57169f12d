//! Root's password for installers, which read it on the wire: as a hash and never as itself.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use sha_crypt::{Sha512Params, sha512_crypt_b64};

/// What locks an account in the form of crypt(3).
const LOCKS: &[&str] = &["", "*", "!", "!!", "x"];

/// As table passwd has it: a hash, or what is to be hashed.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Password {
    Known(String),
    /// For people who look.
    Hidden,
}

impl Password {
    /// None for what opens no account.
    pub(super) fn read(cell: &str) -> Option<Self> {
        (!LOCKS.contains(&cell)).then(|| Self::Known(cell.to_owned()))
    }

    /// In the form of crypt(3). A hash is passed on as it is; everything else is hashed with SHA-512 and a salt of this moment.
    pub(super) fn hash(&self) -> String {
        let Self::Known(text) = self else { return "***".to_owned() };
        if is_hash(text) {
            return text.clone();
        }
        let mut random = [0; 12];
        SystemRandom::new().fill(&mut random).expect("Linux has random numbers");
        let salt = STANDARD_NO_PAD.encode(random).replace('+', ".");
        let hash = sha512_crypt_b64(text.as_bytes(), salt.as_bytes(), &Sha512Params::default());
        format!("$6${salt}${}", hash.expect("the usual number of rounds is allowed"))
    }
}

/// `$6$salt$hash` and its like.
fn is_hash(text: &str) -> bool {
    text.starts_with('$') && text.len() > 20 && text.matches('$').count() > 2 && !text.contains(char::is_whitespace)
}

impl fmt::Debug for Password {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_plain_password_is_hashed_as_the_c_library_does_and_a_hash_is_kept() {
        for plain in ["cluster", "$1 and a half", "with blank", "grüße", "$6$x"] {
            let password = Password::read(plain).unwrap();
            let hash = password.hash();
            assert_ne!(hash, password.hash(), "the salt is another one each time");
            let salt = hash.split('$').nth(2).unwrap();
            assert_eq!(salt.len(), 16);
            let crypt = ["-e", "print crypt($ARGV[0], $ARGV[1])", plain, &format!("$6${salt}$")];
            let peer = Command::new("perl").args(crypt).output().unwrap();
            assert_eq!(String::from_utf8(peer.stdout).unwrap(), hash, "{plain}");
        }
        let hash = "$6$0123456789abcdef$hash.of.a.password";
        assert_eq!(Password::read(hash).unwrap().hash(), hash);
        assert_eq!(Password::read("!"), None);
        assert_eq!(format!("{:?}", Password::read("cluster")), "Some(***)");
    }
}
