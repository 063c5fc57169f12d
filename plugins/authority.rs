//! The site's own certificate authority: who trusts `ca.pem` trusts what is issued here.
//!
//! Its files stand in one directory of the management node. What it is called is always the same, so that its key alone
//! is enough to go on issuing; a certificate that was issued for a name is kept and given out again until it runs short.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// As long as a site lives: replacing it means a visit to every host.
const OWN_LIFETIME: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// A certificate authority, opened.
pub struct Authority {
    directory: PathBuf,
    key: KeyPair,
    certificate: String,
}

/// What a certificate is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    Server,
    Client,
    /// Both: members of a cluster are servers and clients of each other.
    Peer,
}

/// Whom a certificate is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Names and addresses; the first is also its common name.
    pub names: Vec<String>,
    pub purpose: Purpose,
}

/// A certificate and its key, both as PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Issued {
    pub certificate: String,
    pub key: String,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Issued(***)")
    }
}

/// What is remembered of a certificate that was issued.
#[derive(Serialize, Deserialize)]
struct Record {
    subject: Subject,
    /// Seconds since 1970.
    issued: u64,
    expires: u64,
}

impl Authority {
    /// Opens the authority of a directory; None if there is none.
    pub fn open(directory: &Path) -> Result<Option<Self>> {
        let (key_path, path) = (directory.join("ca-key.pem"), directory.join("ca.pem"));
        let Some(key) = read(&key_path)? else {
            return match path.exists() {
                true => Err(bad(&path, "it is there without ca-key.pem, so nothing can be issued in its name")),
                false => Ok(None),
            };
        };
        let key = KeyPair::from_pem(&key).map_err(|error| bad(&key_path, &error.to_string()))?;
        let certificate = match read(&path)? {
            Some(certificate) => certificate,
            None => {
                let made = own(&key).map_err(|error| bad(&path, &error.to_string()))?;
                replace(&path, &made, 0o644)?;
                made
            }
        };
        Ok(Some(Self { directory: directory.into(), key, certificate }))
    }

    /// The same, made if it is not there; of several that make it at once, one wins for all.
    pub fn open_or_create(directory: &Path) -> Result<Self> {
        if let Some(authority) = Self::open(directory)? {
            return Ok(authority);
        }
        fs::create_dir_all(directory).map_err(|source| failed("create", directory, source))?;
        let path = directory.join("ca-key.pem");
        let key = KeyPair::generate().map_err(|error| bad(&path, &error.to_string()))?;
        let own = directory.join(format!(".ca-key.{}", std::process::id()));
        write(&own, &key.serialize_pem(), 0o600)?;
        let won = fs::hard_link(&own, &path);
        fs::remove_file(&own).map_err(|source| failed("remove", &own, source))?;
        match won {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed("write", &path, error)),
            _ => Self::open(directory)?.ok_or_else(|| bad(&path, "it has gone again")),
        }
    }

    /// The authority's own certificate, which others are to trust.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Issues a certificate; nothing of it is kept here.
    pub fn issue(&self, subject: &Subject, lifetime: Duration) -> Result<Issued> {
        let failed = |error: rcgen::Error| Error::Refused {
            what: format!("cannot issue a certificate for {}", subject.names.join(", ")),
            why: error.to_string(),
        };
        let key = KeyPair::generate().map_err(failed)?;
        let params = params(subject, lifetime).map_err(failed)?;
        let issuer = Issuer::new(own_params().map_err(failed)?, &self.key);
        let certificate = params.signed_by(&key, &issuer).map_err(failed)?;
        Ok(Issued { certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// The certificate that was issued under this name before, as long as it is for the same subject and has a third of
    /// its lifetime left.
    pub fn find(&self, name: &str, subject: &Subject) -> Result<Option<Issued>> {
        let Some(record) = read(&self.place(name, ".json"))? else { return Ok(None) };
        let Ok(record) = serde_json::from_str::<Record>(&record) else { return Ok(None) };
        let third = record.expires.saturating_sub(record.issued) / 3;
        if record.subject != *subject || unix(SystemTime::now()) + third >= record.expires {
            return Ok(None);
        }
        let parts = (read(&self.place(name, ".pem"))?, read(&self.place(name, "-key.pem"))?);
        let (Some(certificate), Some(key)) = parts else { return Ok(None) };
        Ok(Some(Issued { certificate, key }))
    }

    /// The same, issued and kept if there is none.
    pub fn keep(&self, name: &str, subject: &Subject, lifetime: Duration) -> Result<Issued> {
        if let Some(issued) = self.find(name, subject)? {
            return Ok(issued);
        }
        let issued = self.issue(subject, lifetime)?;
        let directory = self.directory.join("issued");
        fs::create_dir_all(&directory).map_err(|source| failed("create", &directory, source))?;
        let now = SystemTime::now();
        let record = Record { subject: subject.clone(), issued: unix(now), expires: unix(now + lifetime) };
        let record = serde_json::to_string(&record).expect("plain data");
        // The record comes last: without it the other two count for nothing.
        let stale = self.place(name, ".json");
        fs::remove_file(&stale).or_else(absent_is_fine).map_err(|source| failed("remove", &stale, source))?;
        replace(&self.place(name, "-key.pem"), &issued.key, 0o600)?;
        replace(&self.place(name, ".pem"), &issued.certificate, 0o644)?;
        replace(&stale, &record, 0o644)?;
        Ok(issued)
    }

    /// Forgets what was issued under this name.
    pub fn forget(&self, name: &str) -> Result<()> {
        for ending in [".json", ".pem", "-key.pem"] {
            let path = self.place(name, ending);
            fs::remove_file(&path).or_else(absent_is_fine).map_err(|source| failed("remove", &path, source))?;
        }
        Ok(())
    }

    /// Puts what is needed to be a client of hosts into the directory, as `cert.pem` and `key.pem`. What the site has put
    /// there itself stays.
    pub fn provide_client(&self, lifetime: Duration) -> Result<()> {
        let (certificate, key) = (self.directory.join("cert.pem"), self.directory.join("key.pem"));
        let ours = self.place("client", ".json").exists();
        if !ours && certificate.exists() && key.exists() {
            return Ok(());
        }
        let subject = Subject { names: vec!["xcrane".into()], purpose: Purpose::Client };
        let issued = self.keep("client", &subject, lifetime)?;
        for (path, text, mode) in [(&key, &issued.key, 0o600), (&certificate, &issued.certificate, 0o644)] {
            if read(path)?.as_ref() != Some(text) {
                replace(path, text, mode)?;
            }
        }
        Ok(())
    }

    fn place(&self, name: &str, ending: &str) -> PathBuf {
        self.directory.join("issued").join(format!("{}{ending}", name.replace('/', "_")))
    }
}

/// The authority's certificate. A clock that is behind ours must not find it to be of tomorrow.
fn own(key: &KeyPair) -> Result<String, rcgen::Error> {
    Ok(own_params()?.self_signed(key)?.pem())
}

fn own_params() -> Result<CertificateParams, rcgen::Error> {
    let mut params = dated(OWN_LIFETIME)?;
    params.distinguished_name.push(DnType::CommonName, "xcrane authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn params(subject: &Subject, lifetime: Duration) -> Result<CertificateParams, rcgen::Error> {
    let mut params = dated(lifetime)?;
    params.subject_alt_names = CertificateParams::new(subject.names.clone())?.subject_alt_names;
    params.distinguished_name.push(DnType::CommonName, subject.names.first().cloned().unwrap_or_default());
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = match subject.purpose {
        Purpose::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
        Purpose::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
        Purpose::Peer => vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
    };
    Ok(params)
}

fn dated(lifetime: Duration) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.not_before = (SystemTime::now() - DAY).into();
    params.not_after = (SystemTime::now() + lifetime).into();
    Ok(params)
}

/// The names under which a server is known, an address in its plain form.
pub fn names<'a>(known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in known {
        let name = name.parse::<IpAddr>().map_or_else(|_| name.to_owned(), |address| address.to_string());
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn unix(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn read(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path, error)),
    }
}

fn replace(path: &Path, text: &str, mode: u32) -> Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{}", std::process::id()));
    let new = PathBuf::from(new);
    write(&new, text, mode)?;
    fs::rename(&new, path).map_err(|source| failed("write", path, source))
}

/// A key is nobody else's from its first byte on.
fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|source| failed("write", path, source))
}

fn absent_is_fine(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn failed(doing: &'static str, path: &Path, source: io::Error) -> Error {
    Error::File { doing, path: path.display().to_string(), source }
}

fn bad(path: &Path, why: &str) -> Error {
    failed("use", path, io::Error::new(io::ErrorKind::InvalidData, why.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

    use super::*;

    fn subject(names: &[&str]) -> Subject {
        Subject { names: names.iter().map(|name| (*name).to_owned()).collect(), purpose: Purpose::Server }
    }

    /// Whether rustls lets a server of that name show this certificate.
    fn is_good(authority: &str, certificate: &str, name: &str) -> bool {
        let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(der(authority)).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build().unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        verifier.verify_server_cert(&der(certificate), &[], &name, &[], UnixTime::now()).is_ok()
    }

    #[test]
    fn what_it_issues_is_good_for_its_names_also_after_it_was_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let made = Authority::open_or_create(dir.path()).unwrap();
        let opened = Authority::open(dir.path()).unwrap().unwrap();
        assert_eq!(made.certificate(), opened.certificate());
        let issued = opened.issue(&subject(&["h1", "10.0.0.1"]), DAY).unwrap();
        let good = |name: &str| is_good(made.certificate(), &issued.certificate, name);
        assert!(good("h1") && good("10.0.0.1"));
        assert!(!good("h2") && !good("10.0.0.2"));
        let other = Authority::open_or_create(&dir.path().join("other")).unwrap();
        assert!(!is_good(other.certificate(), &issued.certificate, "h1"));
    }

    #[test]
    fn kept_until_it_runs_short_or_is_for_another() {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_create(dir.path()).unwrap();
        let first = authority.keep("h1", &subject(&["h1"]), DAY).unwrap();
        assert_eq!(authority.keep("h1", &subject(&["h1"]), DAY).unwrap(), first);
        let renamed = authority.keep("h1", &subject(&["h1", "10.0.0.1"]), DAY).unwrap();
        assert_ne!(renamed, first);
        authority.forget("h1").unwrap();
        assert_eq!(authority.find("h1", &subject(&["h1", "10.0.0.1"])).unwrap(), None);
        authority.keep("h2", &subject(&["h2"]), Duration::ZERO).unwrap();
        assert_eq!(authority.find("h2", &subject(&["h2"])).unwrap(), None, "it has expired");
        let mode = |name: &str| fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("ca-key.pem"), mode("issued/h2-key.pem"), mode("ca.pem")), (0o600, 0o600, 0o644));
    }

    #[test]
    fn a_client_gets_its_files_and_keeps_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_create(dir.path()).unwrap();
        authority.provide_client(DAY).unwrap();
        let text = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        let first = text("cert.pem");
        authority.provide_client(DAY).unwrap();
        assert_eq!(text("cert.pem"), first);
        authority.forget("client").unwrap();
        fs::write(dir.path().join("cert.pem"), "the site's").unwrap();
        authority.provide_client(DAY).unwrap();
        assert_eq!(text("cert.pem"), "the site's");
    }

    #[test]
    fn a_foreign_authority_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("ca.pem"), "x").unwrap();
        let error = Authority::open_or_create(dir.path()).err().unwrap();
        assert!(crate::chain(&error).contains("without ca-key.pem"), "{error}");
        assert!(!dir.path().join("ca-key.pem").exists());
    }
}
