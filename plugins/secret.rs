//! A text that no error, log or debug output shows.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::{Error, Result};

/// A password or the like.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// 24 letters by chance, which nobody guesses.
    pub fn random() -> Result<Self> {
        Ok(Self(BASE64_URL_SAFE_NO_PAD.encode(random_bytes::<18>()?)))
    }

    /// The text itself, for whoever must have it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Bytes that nobody guesses.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut bytes).map_err(|_| Error::Refused {
        what: "cannot make a secret".into(),
        why: "this machine gives no random numbers".into(),
    })?;
    Ok(bytes)
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
