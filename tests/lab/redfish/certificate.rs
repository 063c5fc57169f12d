//! A certificate that a BMC has made for itself.

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::extension::SubjectAlternativeName;
use openssl::x509::{X509, X509Builder, X509NameBuilder};

use crate::error::{Error, Result};

/// A certificate and its key, both in PEM.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Identity {
    pub(crate) fn new() -> Result<Self> {
        make().map_err(refused)
    }

    /// What speaks TLS as this one.
    pub(crate) fn acceptor(&self) -> Result<SslAcceptor> {
        let make = || -> std::result::Result<SslAcceptor, ErrorStack> {
            let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls())?;
            acceptor.set_certificate(&*X509::from_pem(self.certificate.as_bytes())?)?;
            acceptor.set_private_key(&*PKey::private_key_from_pem(self.key.as_bytes())?)?;
            Ok(acceptor.build())
        };
        make().map_err(refused)
    }
}

fn refused(error: ErrorStack) -> Error {
    Error::Refused(format!("no certificate for BMCs: {error}"))
}

fn make() -> std::result::Result<Identity, ErrorStack> {
    let key = PKey::from_ec_key(EcKey::generate(&*EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?)?)?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Identity { certificate: text(sign(&key)?.to_pem()?), key: text(key.private_key_to_pem_pkcs8()?) })
}

fn sign(key: &PKey<Private>) -> std::result::Result<X509, ErrorStack> {
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_text("CN", "bmc")?;
    let name = name.build();
    let mut serial = BigNum::new()?;
    serial.rand(120, MsbOption::MAYBE_ZERO, false)?;
    let mut builder: X509Builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(&*serial.to_asn1_integer()?)?;
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(&name)?;
    builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
    builder.set_not_after(&*Asn1Time::days_from_now(30)?)?;
    builder.set_pubkey(key)?;
    let mut names = SubjectAlternativeName::new();
    for number in 1..=9 {
        names.ip(&format!("10.78.0.{number}"));
    }
    let names = names.build(&builder.x509v3_context(None, None))?;
    builder.append_extension(names)?;
    builder.sign(key, MessageDigest::sha256())?;
    Ok(builder.build())
}
