//! Which certificates BMCs are known by: those that an authority of the site vouches for, else the one that a BMC showed
//! when it was first spoken to. That one is pinned: its fingerprint is a file of its own, which whoever gives the BMC
//! another certificate removes. Nothing is said to a BMC, and no password shown, before it has been recognised.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use sha2::{Digest, Sha256};

use crate::secret::random_bytes;
use crate::{Error, RedfishSettings, Result, hex, https};

/// How all BMCs of a site are known.
#[derive(Debug)]
pub(super) struct Trust {
    /// None for those who are not to be known again.
    pins: Option<PathBuf>,
    pub(super) authority: Option<PathBuf>,
    tls: OnceLock<Arc<ClientConfig>>,
}

impl Trust {
    pub(super) fn new(settings: &RedfishSettings) -> Self {
        Self { pins: Some(settings.pins.clone()), authority: settings.authority.clone(), tls: OnceLock::new() }
    }

    /// Takes whoever answers, and remembers nobody.
    pub(super) fn blind() -> Self {
        Self { pins: None, authority: None, tls: OnceLock::new() }
    }

    /// Whether who answers at a place can be told from others.
    pub(super) fn knows(&self, place: &str) -> Result<bool> {
        Ok(self.authority.is_some() || self.pinned(place)?.is_some())
    }

    /// What is needed to open a connection.
    pub(super) fn tls(&self) -> Result<Arc<ClientConfig>> {
        if let Some(tls) = self.tls.get() {
            return Ok(tls.clone());
        }
        let tls = match &self.authority {
            Some(file) => {
                let bytes = fs::read(file).map_err(|source| at("read", file, source))?;
                https::trusting(&bytes).map_err(|why| at("use", file, io::Error::new(ErrorKind::InvalidData, why)))?
            }
            None => https::trusting_by(Arc::new(Possession(https::provider())))
                .map_err(|why| Error::Refused { what: "cannot speak TLS".into(), why })?,
        };
        Ok(self.tls.get_or_init(|| tls.into()).clone())
    }

    fn file(&self, place: &str) -> Option<PathBuf> {
        self.pins.as_ref().map(|pins| pins.join(place.to_lowercase()))
    }

    /// What is pinned for a place; nothing where authorities vouch.
    pub(super) fn pinned(&self, place: &str) -> Result<Option<String>> {
        match self.file(place) {
            Some(file) if self.authority.is_none() => read(&file),
            _ => Ok(None),
        }
    }

    /// Has the BMC at a place be known by this fingerprint from now on, or not be known.
    pub(super) fn repin(&self, place: &str, fingerprint: Option<&str>) -> Result<()> {
        let Some(file) = self.file(place) else { return Ok(()) };
        let done = match fingerprint {
            Some(fingerprint) => beside(&file, fingerprint).and_then(|new| fs::rename(new, &file)),
            None => fs::remove_file(&file).or_else(|error| match error.kind() {
                ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            }),
        };
        done.map_err(|source| at("write", &file, source))
    }

    /// Recognises the BMC at `place`, `HOST:PORT`, by the certificate that it has just shown to be its own; one that was
    /// never met before is remembered.
    pub(super) fn admit(&self, what: &str, place: &str, certificate: &CertificateDer<'_>) -> Result<()> {
        let Some(file) = self.file(place).filter(|_| self.authority.is_none()) else { return Ok(()) };
        let shown = fingerprint(certificate);
        let pinned = match read(&file)? {
            Some(pinned) => pinned,
            None => pin(&file, &shown)?,
        };
        if pinned == shown {
            return Ok(());
        }
        if pinned.is_empty() {
            let file = file.display();
            let why = format!(
                "{file} should say which certificate it has, and is empty; if this is the BMC, let it be pinned anew: rm {file}"
            );
            return Err(Error::Refused { what: what.to_owned(), why });
        }
        Err(Error::Changed { what: what.to_owned(), shown, pinned, file: file.display().to_string() })
    }
}

/// By what a BMC is known: `HOST:PORT`.
pub(super) fn place(host: &str, address: SocketAddr) -> String {
    format!("{host}:{}", address.port())
}

/// As `openssl x509 -fingerprint -sha256` has it, in small letters and without colons.
fn fingerprint(certificate: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(certificate)))
}

/// What is pinned; nothing in an empty file, with which nobody is trusted.
fn read(file: &Path) -> Result<Option<String>> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text.trim().to_lowercase())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(at("read", file, source)),
    }
}

/// Pins a fingerprint, and tells the one that is pinned then: somebody else may have been first.
fn pin(file: &Path, shown: &str) -> Result<String> {
    let write = || -> io::Result<bool> {
        let beside = beside(file, shown)?;
        let linked = match fs::hard_link(&beside, file) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            other => other.map(|()| true),
        };
        fs::remove_file(&beside).and(linked)
    };
    match write().map_err(|source| at("write", file, source))? {
        true => Ok(shown.to_owned()),
        false => Ok(read(file)?.unwrap_or_else(|| shown.to_owned())),
    }
}

/// A file beside, which has the fingerprint and not yet the name.
fn beside(file: &Path, fingerprint: &str) -> io::Result<PathBuf> {
    let directory = file.parent().unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let chance = random_bytes::<8>().map_err(io::Error::other)?;
    let beside = directory.join(format!(".{:016x}", u64::from_le_bytes(chance)));
    let mut new = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    // On the disk before it has its name: who was pinned before a power cut is pinned after it.
    let written = new.write_all(format!("{fingerprint}\n").as_bytes()).and_then(|()| new.sync_all());
    if written.is_err() {
        fs::remove_file(&beside)?;
    }
    written.map(|()| beside)
}

fn at(doing: &'static str, file: &Path, source: io::Error) -> Error {
    Error::File { doing, path: file.display().to_string(), source }
}

/// Whoever speaks has the key of the certificate that it shows; whether that is the right one is asked afterwards.
#[derive(Debug)]
struct Possession(CryptoProvider);

impl ServerCertVerifier for Possession {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_certificate_is_pinned_and_another_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let trust = Trust::new(&RedfishSettings { pins: home.path().join("bmcs"), ..RedfishSettings::default() });
        let (first, second) = (CertificateDer::from(vec![1]), CertificateDer::from(vec![2]));
        let admit = |certificate| trust.admit("BMC b1", "B1:443", certificate).map_err(|error| error.to_string());
        assert_eq!(admit(&first), Ok(()));
        assert_eq!(admit(&first), Ok(()));
        let refused = admit(&second).unwrap_err();
        assert!(refused.starts_with("BMC b1: its certificate has changed: it shows sha256:dbc1b4c9"), "{refused}");
        let pin = home.path().join("bmcs/b1:443");
        assert!(fs::read_to_string(&pin).unwrap().starts_with("sha256:4bf5122f"));
        assert_eq!(fs::read_dir(home.path().join("bmcs")).unwrap().count(), 1, "something was left beside it");
        fs::remove_file(&pin).unwrap();
        assert_eq!(admit(&second), Ok(()));
        fs::write(&pin, "").unwrap();
        let refused = admit(&second).unwrap_err();
        assert!(refused.contains("is empty; if this is the BMC, let it be pinned anew: rm "), "{refused}");
        fs::remove_file(&pin).unwrap();
        assert_eq!(admit(&first), Ok(()));
    }

    #[test]
    fn who_comes_second_sees_what_the_first_has_pinned() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("b1:443");
        assert_eq!(pin(&file, "sha256:01").unwrap(), "sha256:01");
        assert_eq!(pin(&file, "sha256:02").unwrap(), "sha256:01");
    }

    #[test]
    fn a_certificate_is_known_elsewhere_when_its_bmc_moves() {
        let home = tempfile::tempdir().unwrap();
        let settings = RedfishSettings { pins: home.path().join("bmcs"), ..RedfishSettings::default() };
        let trust = Trust::new(&settings);
        trust.repin("10.0.0.2:443", Some("sha256:02")).unwrap();
        trust.repin("10.0.0.2:443", Some("sha256:01")).unwrap();
        assert_eq!(trust.pinned("10.0.0.2:443").unwrap().as_deref(), Some("sha256:01"));
        for _ in 0..2 {
            trust.repin("10.0.0.2:443", None).unwrap();
            assert_eq!(trust.pinned("10.0.0.2:443").unwrap(), None);
        }
        assert_eq!(fs::read_dir(home.path().join("bmcs")).unwrap().count(), 0, "something was left beside it");
        assert!(!trust.knows("10.0.0.2:443").unwrap());
        // Strangers come and go.
        Trust::blind().admit("BMC b1", "10.0.0.2:443", &CertificateDer::from(vec![1])).unwrap();
        assert!(!Trust::blind().knows("10.0.0.2:443").unwrap());
        assert_eq!(fs::read_dir(home.path().join("bmcs")).unwrap().count(), 0);
        // Where authorities vouch nobody is pinned.
        trust.repin("10.0.0.2:443", Some("sha256:01")).unwrap();
        let vouched = Trust::new(&RedfishSettings { authority: Some("/ca.pem".into()), ..settings });
        assert_eq!(vouched.pinned("10.0.0.2:443").unwrap(), None);
        assert!(vouched.knows("10.0.0.3:443").unwrap());
    }
}
