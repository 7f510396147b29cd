//! The keys that an outside provider publishes (JWK Set, RFC 7517), as far as its ID tokens may be signed with them: RSA
//! (RFC 7518, 6.3), P-256 (6.2) and Ed25519 (RFC 8037). Others in the set are for others and skipped.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::Value;

/// Keys of one set that are looked at.
const MOST_KEYS: usize = 100;

/// How an ID token may be signed. What is not listed (`none`, a MAC, anything new) is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256, 2048 to 8192 bits.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// The algorithm of this name (RFC 7518, 3.1; RFC 8037; `Ed25519` is RFC 9864's name for the same).
    pub fn named(name: &str) -> Option<Algorithm> {
        match name {
            "RS256" => Some(Algorithm::Rs256),
            "ES256" => Some(Algorithm::Es256),
            "EdDSA" | "Ed25519" => Some(Algorithm::EdDsa),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Public {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// A point, uncompressed (SEC 1, 2.3.3).
    P256([u8; 65]),
    Ed25519([u8; 32]),
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    kid: Option<String>,
    algorithm: Algorithm,
    public: Public,
}

/// A set of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys(Vec<Key>);

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Written {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Keys {
    /// Reads a set; `None` when it is none. A key that cannot be used is left out.
    pub fn read(bytes: &[u8]) -> Option<Keys> {
        let document: Document = serde_json::from_slice(bytes).ok()?;
        let keys = document.keys.into_iter().take(MOST_KEYS);
        Some(Keys(keys.filter_map(|key| Key::of(serde_json::from_value(key).ok()?)).collect()))
    }

    /// The keys that a token with this header may be signed with: of its name and its algorithm's kind. A token without a
    /// name means the only key of that kind.
    pub fn of(&self, kid: Option<&str>, algorithm: Algorithm) -> Vec<&Key> {
        let fits = |key: &&Key| key.algorithm == algorithm && (kid.is_none() || key.kid.as_deref() == kid);
        let found: Vec<&Key> = self.0.iter().filter(fits).collect();
        if kid.is_none() && found.len() > 1 { Vec::new() } else { found }
    }
}

fn decode(text: Option<String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?).ok()
}

impl Key {
    fn of(written: Written) -> Option<Key> {
        if written.purpose.is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let (algorithm, public) = match (&*written.kty, written.crv.as_deref()) {
            ("RSA", None) => {
                let (n, e) = (decode(written.n)?, decode(written.e)?);
                let usable = (256..=1_024).contains(&n.len()) && (1..=8).contains(&e.len());
                usable.then_some((Algorithm::Rs256, Public::Rsa { n, e }))?
            }
            ("EC", Some("P-256")) => {
                let mut point = [4; 65];
                for (coordinate, place) in [(written.x, 1..33), (written.y, 33..65)] {
                    let coordinate: [u8; 32] = decode(coordinate)?.try_into().ok()?;
                    point[place].copy_from_slice(&coordinate);
                }
                (Algorithm::Es256, Public::P256(point))
            }
            ("OKP", Some("Ed25519")) => {
                (Algorithm::EdDsa, Public::Ed25519(decode(written.x)?.try_into().ok()?))
            }
            _ => return None,
        };
        // A key that says what it is for is used for nothing else.
        let is_for = written.alg.as_deref().is_none_or(|name| Algorithm::named(name) == Some(algorithm));
        is_for.then_some(Key { kid: written.kid, algorithm, public })
    }

    /// Whether this key made the signature, in the form that JWS has (RFC 7518, 3.3 and 3.4; RFC 8037, 3.1).
    pub fn made(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match &self.public {
            Public::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            Public::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Public::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
        };
        verified.is_ok()
    }
}
