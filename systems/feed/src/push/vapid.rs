//! Voluntary application server identification (RFC 8292): each request to a push service carries a token, signed by the
//! server's own key, that says who asks and for how long that counts.

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING as ES256, EcdsaKeyPair, KeyPair as _};
use serde_json::json;

/// How long a token counts, in seconds; at most a day (RFC 8292 section 2).
const COUNTS: i64 = 12 * 3_600;

/// The server's key.
pub struct Vapid {
    key: EcdsaKeyPair,
    /// Whom a push service may write to: a `mailto:` or `https:` address.
    contact: String,
}

impl std::fmt::Debug for Vapid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vapid").field("public", &self.public()).finish_non_exhaustive()
    }
}

/// A new key, as it is kept (PKCS#8).
pub fn generate() -> std::io::Result<Vec<u8>> {
    let document =
        EcdsaKeyPair::generate_pkcs8(&ES256, &SystemRandom::new()).map_err(std::io::Error::other)?;
    Ok(document.as_ref().to_vec())
}

impl Vapid {
    /// The server that has this key.
    pub fn new(pkcs8: &[u8], contact: String) -> std::io::Result<Vapid> {
        let key = EcdsaKeyPair::from_pkcs8(&ES256, pkcs8, &SystemRandom::new());
        Ok(Vapid { key: key.map_err(std::io::Error::other)?, contact })
    }

    /// The public key as the API shows it: an uncompressed point in base64 for URLs, with padding.
    pub fn public(&self) -> String {
        URL_SAFE.encode(self.key.public_key())
    }

    /// The public key as headers show it: without padding.
    pub fn key(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.key.public_key())
    }

    /// The token for a push service, which is named by scheme, host and port. The time is seconds since 1970.
    pub fn token(&self, audience: &str, now: i64) -> std::io::Result<String> {
        let claims = json!({ "aud": audience, "exp": now + COUNTS, "sub": self.contact });
        let encode = |part: serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let mut token = format!("{}.{}", encode(json!({ "typ": "JWT", "alg": "ES256" })), encode(claims));
        let signature =
            self.key.sign(&SystemRandom::new(), token.as_bytes()).map_err(std::io::Error::other)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;

    #[test]
    fn a_token_says_for_whom_and_how_long_and_is_signed_by_the_key_that_is_shown() {
        let vapid = Vapid::new(&generate().unwrap(), "mailto:a@example.org".to_owned()).unwrap();
        let token = vapid.token("https://push.example", 1_000).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let public = URL_SAFE.decode(vapid.public()).unwrap();
        assert_eq!((public.len(), public[0]), (65, 4));
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &public)
            .verify(signed.as_bytes(), &signature)
            .unwrap();
        let claims = URL_SAFE_NO_PAD.decode(signed.split_once('.').unwrap().1).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        let expected = json!({ "aud": "https://push.example", "exp": 44_200, "sub": "mailto:a@example.org" });
        assert_eq!(claims, expected);
    }
}
