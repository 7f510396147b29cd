//! Whether it is time for another certificate.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// Is another one due: because this one is not of an authority, is for other names, or two thirds of its time are over?
pub(crate) fn is_due(pem: &[u8], names: &[String], now: SystemTime) -> bool {
    let Some(leaf) = leaf(pem) else { return true };
    let content = leaf.tbs_certificate();
    let is_our_own = content.issuer() == content.subject();
    is_our_own || named(&leaf) != names.iter().map(|name| name.to_ascii_lowercase()).collect() || {
        let validity = content.validity();
        let (from, until) = (validity.not_before.to_unix_duration(), validity.not_after.to_unix_duration());
        let now = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        now >= from + until.saturating_sub(from) * 2 / 3
    }
}

/// The first certificate of a chain; a key may stand before it.
fn leaf(pem: &[u8]) -> Option<Certificate> {
    let first = CertificateDer::pem_slice_iter(pem).next()?.ok()?;
    Certificate::from_der(&first).ok()
}

fn named(leaf: &Certificate) -> BTreeSet<String> {
    let found = leaf.tbs_certificate().get_extension::<SubjectAltName>();
    let Ok(Some((_, names))) = found else { return BTreeSet::new() };
    let dns = names.0.iter().filter_map(|name| match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_ascii_lowercase()),
        _ => None,
    });
    dns.collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

    use super::*;

    const DAY: u64 = 86_400;

    /// A certificate of an authority for `a.example`, from 2030-01-01 for ninety days.
    fn issued() -> String {
        let authority = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "an authority");
        let issuer = Issuer::new(params, authority);
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2030, 1, 1), date_time_ymd(2030, 4, 1));
        key.serialize_pem() + &params.signed_by(&key, &issuer).unwrap().pem()
    }

    #[test]
    fn another_is_due_after_two_thirds_for_other_names_and_in_place_of_our_own() {
        let begin = UNIX_EPOCH + Duration::from_secs(1_893_456_000);
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (wanted, pem) = (names(&["A.example"]), issued());
        let after = |days| begin + Duration::from_secs(days * DAY);
        assert!(!is_due(pem.as_bytes(), &wanted, after(59)));
        assert!(is_due(pem.as_bytes(), &wanted, after(60)));
        assert!(is_due(pem.as_bytes(), &names(&["a.example", "b.example"]), begin));
        let own = crate::order::placeholder(&wanted).unwrap();
        assert!(is_due(own.as_bytes(), &wanted, SystemTime::now()));
        assert!(is_due(b"nonsense", &wanted, begin));
    }
}
