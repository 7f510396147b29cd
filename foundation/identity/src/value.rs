//! The small values of which commands, events and state are made.

use std::collections::BTreeSet;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

/// What somebody may do, by name: `exchange:read`. A name holds those that it begins before a colon: `read` holds
/// `read:statuses`. A few names ([`CONTENT`]) are about an answer's content and no rights.
pub type Scopes = BTreeSet<String>;

/// The roles of an account, in order. Most have one, and there are many accounts: a set of texts would take ten times as much.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Roles(Box<[Box<str>]>);

impl Roles {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|role| &**role)
    }

    /// Whether this is one of them.
    pub fn contains(&self, role: &str) -> bool {
        self.iter().any(|one| one == role)
    }
}

impl From<BTreeSet<String>> for Roles {
    fn from(roles: BTreeSet<String>) -> Roles {
        Roles(roles.into_iter().map(String::into_boxed_str).collect())
    }
}

/// Nanoseconds in a second.
pub const SECOND: i64 = 1_000_000_000;

/// The SHA-256 of a secret: all that is kept of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, std::hash::Hash)]
pub struct Hash(pub [u8; 32]);

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({:02x}{:02x}{:02x}…)", self.0[0], self.0[1], self.0[2])
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        write_bytes(&self.0, to)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Bytes::deserialize(from).and_then(|bytes| {
            let length = bytes.0.len();
            bytes.0.try_into().map(Hash).map_err(|_| de::Error::invalid_length(length, &"32 bytes"))
        })
    }
}

/// Some bytes, written as such.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({} bytes)", self.0.len())
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        write_bytes(&self.0, to)
    }
}

/// Bytes in the log; letters where people read (the audit trail as JSON).
fn write_bytes<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    if to.is_human_readable() {
        to.serialize_str(&URL_SAFE_NO_PAD.encode(bytes))
    } else {
        to.serialize_bytes(bytes)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Bin;
        impl Visitor<'_> for Bin {
            type Value = Bytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        from.deserialize_bytes(Bin)
    }
}

/// A way to come to a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
pub enum GrantType {
    /// `authorization_code`
    AuthorizationCode,
    /// `refresh_token`
    RefreshToken,
    /// `client_credentials`
    ClientCredentials,
    /// `urn:ietf:params:oauth:grant-type:device_code`
    DeviceCode,
    /// `password`: for protocols that still need it.
    Password,
}

/// What a passkey was used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PasskeyUse {
    /// A logon with nothing else: the authenticator checked who was there.
    BothFactors,
    /// A logon after the password.
    SecondFactor,
    /// To confirm a change.
    Confirmation,
}

/// What a client is allowed beyond OAuth 2.1, for protocols that still need it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Profile {
    /// An authorization code without PKCE.
    pub without_pkce: bool,
    /// The redirect `urn:ietf:wg:oauth:2.0:oob`: the code is shown on a page.
    pub out_of_band: bool,
    /// Access tokens that live until they are revoked.
    pub until_revoked: bool,
}

/// A program that asks for tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// What a person is shown.
    pub name: String,
    /// The SHA-256 of its secret; none for a public client.
    pub secret: Option<Hash>,
    /// Where codes may be sent, compared exactly.
    pub redirect_uris: BTreeSet<String>,
    /// The most it can be granted.
    pub scopes: Scopes,
    /// The ways it may use.
    pub grants: BTreeSet<GrantType>,
    /// What it is allowed beyond OAuth 2.1.
    pub profile: Profile,
    /// The account it acts as with `client_credentials`.
    pub account: Option<u64>,
}

/// How a session came to be: shown to its owner, and kept in the audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Device {
    /// What the device says it is (User-Agent), at most 200 bytes.
    pub agent: String,
    /// Where it came from.
    pub address: String,
}

/// A login name: 1 to 64 of lower-case letters, digits and `. _ @ + -`.
pub fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| {
            byte.is_ascii_lowercase()
                || byte.is_ascii_digit()
                || matches!(byte, b'.' | b'_' | b'@' | b'+' | b'-')
        })
}

/// A scope: 1 to 64 printable ASCII characters but `"`, `\` and space (RFC 6749, 3.3).
pub fn is_scope(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

/// The scopes of OpenID Connect: they are about an answer's content, and whoever signs in may give them.
pub const CONTENT: [&str; 3] = ["openid", "profile", "offline_access"];

/// Whether having this scope lets somebody do something.
pub fn is_right(scope: &str) -> bool {
    !CONTENT.contains(&scope)
}

/// Whether a scope is among these, or part of one of them.
pub fn holds(scopes: &Scopes, scope: &str) -> bool {
    scopes.contains(scope) || scope.match_indices(':').any(|(end, _)| scopes.contains(&scope[..end]))
}

/// Whether none of these is more than those allow.
pub fn within(scopes: &Scopes, most: &Scopes) -> bool {
    scopes.iter().all(|scope| holds(most, scope))
}

/// What of these scopes somebody with these rights may give: those that the rights hold, of the others the parts that they
/// hold, and all that are no rights.
pub fn narrowed(scopes: &Scopes, rights: &Scopes) -> Scopes {
    let mut given = Scopes::new();
    for scope in scopes {
        if !is_right(scope) || holds(rights, scope) {
            given.insert(scope.clone());
        } else {
            let is_part = |right: &&String| {
                right.strip_prefix(scope.as_str()).is_some_and(|rest| rest.starts_with(':'))
            };
            given.extend(rights.iter().filter(is_part).cloned());
        }
    }
    given
}

/// The scopes of a list that spaces divide.
pub fn read_scopes(list: &str) -> Scopes {
    list.split_ascii_whitespace().map(str::to_owned).collect()
}

/// An e-mail address in lower case, as far as it can be told from other texts: at most 254 printable characters, one `@`
/// with something before it and a dotted name after it.
pub fn is_email(text: &str) -> bool {
    let clean = text.len() <= 254
        && text.bytes().all(|byte| {
            byte.is_ascii_graphic() && !byte.is_ascii_uppercase() && !b"<>\"\\(),;:".contains(&byte)
        });
    let is_host = |host: &str| host.contains('.') && host.split('.').all(|label| !label.is_empty());
    clean
        && text
            .split_once('@')
            .is_some_and(|(local, host)| !local.is_empty() && !host.contains('@') && is_host(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_is_never_more_than_asked_nor_than_held() {
        for (asked, rights, given) in [
            ("read:statuses", "read write", "read:statuses"),
            ("read write", "read:statuses read:lists", "read:lists read:statuses"),
            ("read", "read read:lists", "read"),
            ("admin:read", "read admin:write", ""),
            ("identity:admin", "read profile", ""),
            ("rea", "read:statuses read", ""),
            ("openid profile x", "read", "openid profile"),
            ("", "read", ""),
        ] {
            assert_eq!(
                narrowed(&read_scopes(asked), &read_scopes(rights)),
                read_scopes(given),
                "{asked} of {rights}"
            );
        }
        assert!(within(&read_scopes("read:a write"), &read_scopes("read write:b write")));
        assert!(!within(&read_scopes("read"), &read_scopes("read:a")));
    }

    #[test]
    fn addresses_are_told_from_other_texts() {
        for good in ["a@b.example", "a.b+c@d-e.example"] {
            assert!(is_email(good), "{good}");
        }
        for wrong in [
            "",
            "a",
            "@b.example",
            "a@",
            "a@b",
            "a@b@c.example",
            "A@b.example",
            "a @b.example",
            "a@b..example",
            "<a@b.example>",
        ] {
            assert!(!is_email(wrong), "{wrong}");
        }
    }
}
