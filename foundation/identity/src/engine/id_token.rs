//! ID tokens of outside providers: what a client checks before it believes one (OpenID Connect Core, 3.1.3.7). Bytes in,
//! claims or verdict out; our own tokens are `jws.rs`'.
//!
//! The algorithm is one of a list and must be that of the key, so neither `none` nor a MAC keyed with a public key nor a
//! key that comes with the token counts (RFC 8725, 3.1 and 3.2). The signature is checked before what is signed is read.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Number, Value};

use super::jwk::{Algorithm, Keys};
use crate::sabotage::{self, Sabotage};

/// The longest token that is looked at, in bytes.
pub const LONGEST: usize = 32 * 1024;
/// How far, in seconds, the provider's clock may be from ours.
pub const LEEWAY: i64 = 60;
/// How old, in seconds, a token may be: it was asked for just now.
pub const OLDEST: i64 = 600;

/// Why a token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not of the form.
    #[error("it is no ID token")]
    Form,
    /// An algorithm that is not on the list.
    #[error("it is signed by none of RS256, ES256 and EdDSA")]
    Algorithm,
    /// The provider publishes no key of this name and kind.
    #[error("it is signed with a key that the provider does not publish")]
    Key,
    /// The signature is not the key's.
    #[error("its signature is wrong")]
    Signature,
    /// Another issuer.
    #[error("another issuer made it")]
    Issuer,
    /// For another client.
    #[error("it is for another client")]
    Audience,
    /// It has ended.
    #[error("it has expired")]
    Expired,
    /// It begins later, was made later, or too long ago.
    #[error("it is not of this moment: compare the clocks")]
    Moment,
    /// Another nonce, or none.
    #[error("it answers another sign-in")]
    Nonce,
    /// A subject that is none.
    #[error("it does not say who is there")]
    Subject,
}

impl Fault {
    /// A name for it, for counting.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Form => "form",
            Fault::Algorithm => "algorithm",
            Fault::Key => "key",
            Fault::Signature => "signature",
            Fault::Issuer => "issuer",
            Fault::Audience => "audience",
            Fault::Expired => "expired",
            Fault::Moment => "moment",
            Fault::Nonce => "nonce",
            Fault::Subject => "subject",
        }
    }
}

/// What a token must be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Who made it, compared exactly.
    pub issuer: &'a str,
    /// Whom it is for.
    pub client_id: &'a str,
    /// What it must answer.
    pub nonce: &'a str,
    /// Seconds since 1970.
    pub now: i64,
}

/// Who is there, as the provider says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Who that is at the provider, for ever: 1 to 255 ASCII characters.
    pub subject: String,
    /// What they call themselves there. Says nothing about who they are.
    pub preferred_username: Option<String>,
    /// An e-mail address that the provider has checked. Says nothing about who they are.
    pub verified_email: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
struct Written {
    iss: String,
    sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: Number,
    iat: Number,
    nbf: Option<Number>,
    nonce: Option<String>,
}

/// What is said of a person, in an ID token or at the UserInfo endpoint (OpenID Connect Core, 5.1).
#[derive(Deserialize)]
struct Person {
    sub: String,
    #[serde(default)]
    preferred_username: Option<Value>,
    #[serde(default)]
    email: Option<Value>,
    #[serde(default)]
    email_verified: Option<Value>,
}

impl Person {
    fn claims(self) -> Claims {
        let text = |value: Option<Value>| value.and_then(|value| value.as_str().map(str::to_owned));
        // Some providers write the boolean as text.
        let is_verified =
            self.email_verified.is_some_and(|value| value == Value::Bool(true) || value == "true");
        Claims {
            subject: self.sub,
            preferred_username: text(self.preferred_username),
            verified_email: text(self.email).filter(|_| is_verified),
        }
    }
}

/// Reads an answer of the UserInfo endpoint; `None` when it is none, or about somebody else (5.3.2).
pub fn read_userinfo(bytes: &[u8], subject: &str) -> Option<Claims> {
    let person: Person = serde_json::from_slice(bytes).ok()?;
    (person.sub == subject).then(|| person.claims())
}

/// Whole seconds of a NumericDate, which may have a fraction (RFC 7519, 2).
fn whole(number: &Number) -> Result<i64, Fault> {
    let text = number.to_string();
    text.split('.').next().and_then(|whole| whole.parse().ok()).ok_or(Fault::Form)
}

/// Reads a token once everything about it is right.
pub fn verify(token: &str, keys: &Keys, expected: &Expected<'_>) -> Result<Claims, Fault> {
    if token.len() > LONGEST {
        return Err(Fault::Form);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Fault::Form)?;
    let (header, claims) = signed.split_once('.').ok_or(Fault::Form)?;
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| Fault::Form);
    let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| Fault::Form)?;
    let is_plain = header.typ.is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"));
    if !is_plain || header.crit.is_some() {
        return Err(Fault::Form);
    }
    let algorithm = Algorithm::named(&header.alg).ok_or(Fault::Algorithm)?;
    let keys = keys.of(header.kid.as_deref(), algorithm);
    if keys.is_empty() {
        return Err(Fault::Key);
    }
    let signature = decode(signature)?;
    let is_theirs = keys.iter().any(|key| key.made(signed.as_bytes(), &signature));
    if !is_theirs && !sabotage::lacks(Sabotage::ProviderSignature) {
        return Err(Fault::Signature);
    }
    let body = decode(claims)?;
    let written: Written = serde_json::from_slice(&body).map_err(|_| Fault::Form)?;
    check(&written, expected)?;
    let person: Person = serde_json::from_slice(&body).map_err(|_| Fault::Form)?;
    Ok(person.claims())
}

fn check(written: &Written, expected: &Expected<'_>) -> Result<(), Fault> {
    if written.iss != expected.issuer {
        return Err(Fault::Issuer);
    }
    let (is_named, is_alone) = match &written.aud {
        Audience::One(one) => (one == expected.client_id, true),
        Audience::Many(all) => (all.iter().any(|one| one == expected.client_id), all.len() == 1),
    };
    // Among several, the party that asked must be said; where it is said, it must be us.
    let is_ours = match &written.azp {
        Some(party) => party == expected.client_id,
        None => is_alone,
    };
    if !is_named || !is_ours {
        return Err(Fault::Audience);
    }
    if whole(&written.exp)? <= expected.now - LEEWAY {
        return Err(Fault::Expired);
    }
    let made = whole(&written.iat)?;
    let begins = written.nbf.as_ref().map_or(Ok(made), whole)?;
    if made.max(begins) > expected.now + LEEWAY || made < expected.now - OLDEST {
        return Err(Fault::Moment);
    }
    if written.nonce.as_deref() != Some(expected.nonce) && !sabotage::lacks(Sabotage::ProviderNonce) {
        return Err(Fault::Nonce);
    }
    let is_subject = (1..=255).contains(&written.sub.len()) && written.sub.is_ascii();
    if is_subject { Ok(()) } else { Err(Fault::Subject) }
}
