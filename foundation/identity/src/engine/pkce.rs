//! Proof key for code exchange (RFC 7636) with S256, the only method that OAuth 2.1 keeps.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::secret;
use crate::value::Hash;

/// The challenge that belongs to a verifier; `None` when it is no verifier (section 4.1: 43 to 128 unreserved characters).
pub fn challenge_of(verifier: &str) -> Option<Hash> {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    ((43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved))
        .then(|| secret::hash(verifier.as_bytes()))
}

/// Reads a `code_challenge`.
pub fn read_challenge(text: &str) -> Option<Hash> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7636() {
        let challenge = read_challenge("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(challenge.is_some());
        assert_eq!(challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), challenge);
    }

    #[test]
    fn what_is_no_verifier_has_no_challenge() {
        for wrong in ["", &"a".repeat(42), &"a".repeat(129), &format!("{} ", "a".repeat(43))] {
            assert_eq!(challenge_of(wrong), None);
        }
        for wrong in
            ["", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-c", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM"]
        {
            assert_eq!(read_challenge(wrong), None);
        }
    }
}
