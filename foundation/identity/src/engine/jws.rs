//! Tokens: JSON web signatures in compact form (RFC 7515), always EdDSA with Ed25519 (RFC 8037), claims after RFC 9068.
//!
//! A token says which key signed it, never how: the algorithm is compared with the only one there is, so `none`, a MAC
//! keyed with the public key, or a key of the token's own are all refused (RFC 8725). What is signed is checked before what
//! it says, and a session that has ended is the caller's to refuse.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use crate::sabotage::{self, Sabotage};

/// The algorithm's name.
pub const ALGORITHM: &str = "EdDSA";
/// The longest token that is looked at, in bytes.
pub const LONGEST: usize = 8 * 1024;
/// How far, in seconds, clocks may be apart.
pub const LEEWAY: i64 = 5;

/// What a token is for: it stands in the header, so that none is taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// An access token (`at+jwt`, RFC 9068).
    Access,
    /// An OpenID Connect ID token (`JWT`).
    Id,
}

impl Use {
    fn name(self) -> &'static str {
        match self {
            Use::Access => "at+jwt",
            Use::Id => "JWT",
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    alg: &'a str,
    typ: &'a str,
    kid: &'a str,
}

/// What a token says. Times are seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who made it.
    pub iss: String,
    /// The account.
    pub sub: String,
    /// Whom it is for.
    pub aud: String,
    /// It ends.
    pub exp: i64,
    /// It begins.
    pub nbf: i64,
    /// It was made.
    pub iat: i64,
    /// The session.
    pub sid: String,
    /// The client it was made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// What it may do, names with spaces between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// A name of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// OpenID Connect: what the client sent along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// OpenID Connect: when the person logged on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// OpenID Connect: the login name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_username: Option<String>,
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not of the form, or of another algorithm or use.
    #[error("not a token of this server")]
    Form,
    /// No key of this name is trusted.
    #[error("no key of this name is trusted")]
    Key,
    /// The signature is not the key's.
    #[error("the signature is wrong")]
    Signature,
    /// Another issuer or audience.
    #[error("the token is for somebody else")]
    Audience,
    /// It begins later.
    #[error("the token is not valid yet")]
    Early,
    /// It has ended.
    #[error("the token has expired")]
    Expired,
}

/// Signs claims.
pub fn sign(key: &Ed25519KeyPair, kid: &str, purpose: Use, claims: &Claims) -> String {
    let header = Header { alg: ALGORITHM, typ: purpose.name(), kid };
    let mut token = String::with_capacity(512);
    encode(&header, &mut token);
    token.push('.');
    encode(claims, &mut token);
    let signature = key.sign(token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut token);
    token
}

fn encode<T: Serialize>(value: &T, to: &mut String) {
    let json = serde_json::to_vec(value).expect("names and numbers are always JSON");
    URL_SAFE_NO_PAD.encode_string(json, to);
}

/// What a token must be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Its use.
    pub purpose: Use,
    /// Who made it.
    pub issuer: &'a str,
    /// Whom it is for; `None` where the caller looks at it itself.
    pub audience: Option<&'a str>,
    /// Seconds since 1970.
    pub now: i64,
}

/// Reads a token's claims once its signature, issuer, audience and times are right. `key` gives the public key of a name.
pub fn verify<'k>(
    token: &str,
    expected: Expected<'_>,
    key: impl FnOnce(&str) -> Option<&'k [u8]>,
) -> Result<Claims, Fault> {
    if token.len() > LONGEST {
        return Err(Fault::Form);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Fault::Form)?;
    let (header, claims) = signed.split_once('.').ok_or(Fault::Form)?;
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| Fault::Form);
    let header = decode(header)?;
    let header: Header<'_> = serde_json::from_slice(&header).map_err(|_| Fault::Form)?;
    if header.alg != ALGORITHM || header.typ != expected.purpose.name() {
        return Err(Fault::Form);
    }
    let public = key(header.kid).ok_or(Fault::Key)?;
    let right = UnparsedPublicKey::new(&ED25519, public).verify(signed.as_bytes(), &decode(signature)?);
    if right.is_err() && !sabotage::lacks(Sabotage::Signature) {
        return Err(Fault::Signature);
    }
    let claims: Claims = serde_json::from_slice(&decode(claims)?).map_err(|_| Fault::Form)?;
    if claims.iss != expected.issuer || expected.audience.is_some_and(|audience| audience != claims.aud) {
        return Err(Fault::Audience);
    }
    check_times(&claims, expected.now)?;
    Ok(claims)
}

/// Whether claims count at this moment.
pub fn check_times(claims: &Claims, now: i64) -> Result<(), Fault> {
    if claims.nbf > now + LEEWAY {
        return Err(Fault::Early);
    }
    if claims.exp <= now && !sabotage::lacks(Sabotage::Expiry) {
        return Err(Fault::Expired);
    }
    Ok(())
}
