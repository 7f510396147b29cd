//! Who asks, and what they may do: the words that systems, the gate and the account store share.
//!
//! Nothing here knows how a credential is checked; that is the [`Authenticator`]'s work.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// A right that a route asks for, named `system:what` (`exchange:read`, `identity:admin`). Names are paths, whose parts a
/// colon divides: who holds `read` holds `read:statuses`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(pub &'static str);

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What a route asks of whoever calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing. The principal of an account still reaches the handler; a credential that is refused counts as none, and so
    /// does an app that acts for no account.
    Public,
    /// Any account's principal.
    Signed,
    /// An account's principal that holds this scope.
    Scope(Scope),
    /// An account's principal that holds one of these two.
    Either(Scope, Scope),
    /// Any valid principal, also that of an app which acts for no account.
    Known,
    /// A principal that holds this scope, also that of an app which acts for no account.
    App(Scope),
}

impl Access {
    /// Whether whoever calls must be an account: an app that acts for none is refused.
    pub fn needs_account(self) -> bool {
        matches!(self, Access::Signed | Access::Scope(_) | Access::Either(..))
    }

    /// The scope that it asks for, the first of two.
    pub fn scope(self) -> Option<Scope> {
        match self {
            Access::Scope(scope) | Access::App(scope) | Access::Either(scope, _) => Some(scope),
            Access::Public | Access::Signed | Access::Known => None,
        }
    }

    /// The scope that is lacking, if one is.
    pub fn lacking(self, held: &Scopes) -> Option<Scope> {
        let other = matches!(self, Access::Either(_, other) if held.holds(other));
        self.scope().filter(|scope| !other && !held.holds(*scope))
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Access::Public => f.write_str("public"),
            Access::Signed => f.write_str("signed in"),
            Access::Scope(scope) => scope.fmt(f),
            Access::Either(one, other) => write!(f, "{one} or {other}"),
            Access::Known => f.write_str("signed in (apps too)"),
            Access::App(scope) => write!(f, "{scope} (apps too)"),
        }
    }
}

/// The scopes that a credential carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Arc<[Box<str>]>);

impl Scopes {
    /// No scope at all.
    pub fn none() -> Self {
        Self::default()
    }

    /// The scopes of a list, each once, in order.
    pub fn new<S: Into<Box<str>>>(names: impl IntoIterator<Item = S>) -> Self {
        let mut names: Vec<Box<str>> = names.into_iter().map(Into::into).collect();
        names.sort_unstable();
        names.dedup();
        Self(names.into())
    }

    /// The scopes of a space-separated list (RFC 6749 section 3.3). `None` when a name holds a character that the
    /// RFC does not allow, or when one is empty.
    pub fn parse(list: &str) -> Option<Self> {
        let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if list.is_empty() {
            return Some(Self::none());
        }
        let names = list.split(' ');
        names.clone().all(|name| !name.is_empty() && name.bytes().all(allowed)).then(|| Self::new(names))
    }

    /// Is this scope among them, or one that it is part of: a beginning of it that ends before a colon?
    pub fn holds(&self, scope: Scope) -> bool {
        let is_one = |name: &str| self.0.binary_search_by(|one| (**one).cmp(name)).is_ok();
        is_one(scope.0) || scope.0.match_indices(':').any(|(end, _)| is_one(&scope.0[..end]))
    }

    /// The names, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }
}

/// The space-separated list.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, name) in self.iter().enumerate() {
            if place > 0 {
                f.write_str(" ")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

/// Who asks: an account, through which client and session, with which scopes; or an app that acts for no account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The account's id; 0 is none: an app asks for itself ([`Principal::has_account`]).
    pub account: u64,
    /// Its name, for people and log lines.
    pub name: Arc<str>,
    /// What this credential may do; never more than the account may.
    pub scopes: Scopes,
    /// The OAuth client that acts for the account, if one does.
    pub client: Option<Arc<str>>,
    /// The session or API key that the credential belongs to, so that revoking it can be told from others.
    pub session: u64,
}

impl Principal {
    /// Whether this is an account. Otherwise an app asks for itself, and is nobody: [`Access`] says where it may.
    pub fn has_account(&self) -> bool {
        self.account != 0
    }
}

/// What a request shows to say who asks.
#[derive(Clone, Copy, Debug)]
pub enum Credential<'a> {
    /// `Authorization: Bearer …` (RFC 6750).
    Bearer(&'a str),
    /// `X-API-Key: …`.
    ApiKey(&'a str),
    /// The certificate that the client proved to hold in the TLS handshake, DER encoded.
    Certificate(&'a [u8]),
}

/// Why a credential is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Malformed, forged, or of nobody.
    Unknown,
    /// It was good once.
    Expired,
    /// It was taken back.
    Revoked,
    /// It cannot be told now: the account store is not there.
    Unavailable,
}

/// Tells who is behind a credential.
pub trait Authenticator: Send + Sync + 'static {
    /// The principal of this credential. Called on the server's own threads: never blocks long.
    fn authenticate(&self, credential: Credential<'_>) -> Result<Arc<Principal>, Denied>;
}

/// What somebody shows over a protocol that has no tokens (FIX 553 and 554, say).
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The account's name.
    pub name: &'a str,
    /// Its password, or an API key of it in the password's place.
    pub password: &'a str,
    /// What the client says it is, for the list of its owner's sessions.
    pub agent: &'a str,
    /// Where it comes from.
    pub address: IpAddr,
}

/// Lets people and programs in over protocols that have no tokens.
pub trait Logons: Send + Sync + 'static {
    /// Who this is. Takes the time of a password check and of a record: call it on a thread of the connection's own.
    fn log_on(&self, shown: Shown<'_>) -> Result<Box<dyn Admission>, Denied>;
}

/// Somebody who was let in; dropping it logs them off.
pub trait Admission: Send + Sync + 'static {
    /// Who that is, and what they may do now.
    fn principal(&self) -> Arc<Principal>;

    /// Whether it still counts: it was not revoked and has not expired. Quick enough to ask before every message.
    fn is_live(&self) -> bool;
}

/// Nobody is let in.
impl Logons for () {
    fn log_on(&self, _shown: Shown<'_>) -> Result<Box<dyn Admission>, Denied> {
        Err(Denied::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_a_set_of_whole_names() {
        let scopes = Scopes::parse("feed:write exchange:read feed:write").unwrap();
        assert_eq!(scopes.to_string(), "exchange:read feed:write");
        assert!(scopes.holds(Scope("exchange:read")) && scopes.holds(Scope("feed:write")));
        for other in ["exchange:rea", "exchange:readers", "exchange", "", ":", "EXCHANGE:READ"] {
            assert!(!scopes.holds(Scope(other)), "{other}");
        }
    }

    #[test]
    fn who_holds_a_scope_holds_its_parts_and_nothing_beside_them() {
        let scopes = Scopes::parse("admin:read read:accounts write").unwrap();
        for part in ["write", "write:statuses", "write:a:b", "admin:read:accounts", "read:accounts"] {
            assert!(scopes.holds(Scope(part)), "{part}");
        }
        for other in
            ["read", "read:statuses", "admin", "admin:write", "writer:x", "writ", "admin:reader", ":write"]
        {
            assert!(!scopes.holds(Scope(other)), "{other}");
        }
        assert!(!Scopes::none().holds(Scope("a:b")));
    }

    #[test]
    fn a_list_of_scopes_has_the_rfcs_characters_only() {
        assert_eq!(Scopes::parse(""), Some(Scopes::none()));
        for list in [" ", "a  b", " a", "a ", "a\tb", "a\"b", "a\\b", "é"] {
            assert_eq!(Scopes::parse(list), None, "{list:?}");
        }
    }
}
