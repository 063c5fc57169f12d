//! Until when a certificate is good, read from its bytes (RFC 5280 §4.1).

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Tag of a certificate's version, which may be left out.
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The moment from which a PEM certificate is worth nothing, such as `2031-11-20T08:00:00Z`.
pub(super) fn expiry(pem: &str) -> Option<String> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    let certificate = Element::first(&der)?;
    let mut next = Element::first(Element::first(certificate.content)?.content)?;
    if next.tag == VERSION {
        next = next.following()?;
    }
    // Serial number, algorithm and issuer stand before the validity, which is two times.
    let validity = next.following()?.following()?.following()?;
    let end = Element::first(validity.content)?.following()?;
    let text = std::str::from_utf8(end.content).ok()?;
    match end.tag {
        // Two digits of a year are of 1950 to 2049.
        UTC_TIME => written(if text < "50" { "20" } else { "19" }, text),
        GENERALIZED_TIME => written(text.get(..2)?, text.get(2..)?),
        _ => None,
    }
}

/// `YYMMDDHHMMSSZ` of a century.
fn written(century: &str, text: &str) -> Option<String> {
    let digits =
        text.strip_suffix('Z').filter(|text| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()))?;
    let part = |at: usize| &digits[at..at + 2];
    Some(format!("{century}{}-{}-{}T{}:{}:{}Z", part(0), part(2), part(4), part(6), part(8), part(10)))
}

/// One value of DER: a tag, a length, and as many bytes.
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Element<'a> {
    fn first(der: &'a [u8]) -> Option<Self> {
        let (&tag, der) = der.split_first()?;
        let (&first, der) = der.split_first()?;
        let (length, der) = match first {
            0..=0x7f => (usize::from(first), der),
            0x81..=0x84 => {
                let (bytes, der) = der.split_at_checked(usize::from(first & 0x7f))?;
                (bytes.iter().fold(0, |length, &byte| (length << 8) | usize::from(byte)), der)
            }
            _ => return None,
        };
        let (content, rest) = der.split_at_checked(length)?;
        Some(Self { tag, content, rest })
    }

    fn following(&self) -> Option<Self> {
        Self::first(self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let check = |century: &str, text: &str, expected: Option<&str>| {
            assert_eq!(written(century, text).as_deref(), expected, "{text}");
        };
        check("20", "311120080910Z", Some("2031-11-20T08:09:10Z"));
        check("20", "311120080910", None);
        check("20", "3111200809Z", None);
        check("20", "31112008091éZ", None);
    }

    #[test]
    fn of_certificates_as_they_are_issued() {
        let issued = |until: i32| {
            let mut params = rcgen::CertificateParams::new(vec!["h1".into()]).unwrap();
            params.not_after = rcgen::date_time_ymd(until, 2, 3);
            params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
        };
        assert_eq!(expiry(&issued(2031)).as_deref(), Some("2031-02-03T00:00:00Z"));
        assert_eq!(expiry(&issued(2099)).as_deref(), Some("2099-02-03T00:00:00Z"), "with four digits");
        assert_eq!(expiry("no certificate"), None);
    }
}
