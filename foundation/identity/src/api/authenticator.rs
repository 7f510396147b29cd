//! The gateway's question, answered from memory: whose credential is this, and does it still count?
//!
//! A token's signature is checked once and remembered by the whole token; that it has not ended and its session still
//! lives is looked up every time, so a revocation counts at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use decalog_gateway::access::{Authenticator, Credential, Denied, Principal};
use decalog_runtime::clock::Clock;

use crate::engine::jws::{self, Expected, Fault, Use};
use crate::engine::secret;
use crate::projection::principals::Principals;
use crate::sabotage::{self, Sabotage};
use crate::value::SECOND;

/// Tokens remembered in each of two generations.
const REMEMBERED: usize = 32_768;

/// What is remembered of a token whose signature was right.
#[derive(Clone, Debug)]
struct Checked {
    kid: Arc<str>,
    session: u64,
    expires: i64,
}

#[derive(Default)]
struct Memory {
    young: HashMap<Box<str>, Checked>,
    old: HashMap<Box<str>, Checked>,
}

impl Memory {
    fn get(&self, token: &str) -> Option<Checked> {
        self.young.get(token).or_else(|| self.old.get(token)).cloned()
    }

    /// Adds a token; when a generation is full, the one before is forgotten.
    fn put(&mut self, token: &str, checked: Checked) {
        if self.young.len() >= REMEMBERED {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(token.into(), checked);
    }
}

/// Checks credentials.
pub(crate) struct Doorkeeper {
    pub(crate) principals: Arc<Principals>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) issuer: String,
    pub(crate) audience: String,
    memory: Mutex<Memory>,
}

impl Doorkeeper {
    pub(crate) fn new(
        principals: Arc<Principals>,
        clock: Arc<dyn Clock>,
        issuer: String,
        audience: String,
    ) -> Self {
        Self { principals, clock, issuer, audience, memory: Mutex::default() }
    }

    fn check(&self, token: &str, now: i64) -> Result<Checked, Denied> {
        let expected = Expected {
            purpose: Use::Access,
            issuer: &self.issuer,
            audience: Some(&self.audience),
            now: now.div_euclid(SECOND),
        };
        let picture = self.principals.look();
        let mut name: Arc<str> = "".into();
        let claims = jws::verify(token, expected, |kid| {
            name = kid.into();
            picture.trusts(kid).map(|key| key.public.as_slice())
        });
        let claims = claims.map_err(|fault| match fault {
            Fault::Expired => Denied::Expired,
            _ => Denied::Unknown,
        })?;
        let session = claims.sid.parse().map_err(|_| Denied::Unknown)?;
        Ok(Checked { kid: name, session, expires: claims.exp.saturating_mul(SECOND) })
    }

    /// A token that says nothing itself (a signed one has dots in it) and counts as long as its session.
    fn kept(&self, token: &str) -> Result<Arc<Principal>, Denied> {
        let picture = self.principals.look();
        let live = picture.bearer(&secret::hash(token.as_bytes())).ok_or(Denied::Unknown)?;
        if live.expires <= self.clock.utc().0 {
            return Err(Denied::Expired);
        }
        Ok(live.principal.clone())
    }

    fn bearer(&self, token: &str) -> Result<Arc<Principal>, Denied> {
        if !token.contains('.') {
            return self.kept(token);
        }
        let now = self.clock.utc().0;
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner).get(token);
        let checked = match memory {
            Some(checked) => checked,
            None => {
                let checked = self.check(token, now)?;
                let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
                memory.put(token, checked.clone());
                checked
            }
        };
        let picture = self.principals.look();
        let lacks_expiry = sabotage::lacks(Sabotage::Expiry);
        if picture.trusts(&checked.kid).is_none() {
            return Err(Denied::Unknown);
        }
        if checked.expires <= now && !lacks_expiry {
            return Err(Denied::Expired);
        }
        let live = picture.session(checked.session).ok_or(Denied::Revoked)?;
        if live.expires <= now && !lacks_expiry {
            return Err(Denied::Expired);
        }
        Ok(live.principal.clone())
    }

    /// When a token ends that was checked before, in nanoseconds.
    pub(crate) fn expires(&self, token: &str) -> Option<i64> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.get(token).map(|checked| checked.expires)
    }

    fn api_key(&self, key: &str) -> Result<Arc<Principal>, Denied> {
        let picture = self.principals.look();
        let live = picture.key(&secret::hash(key.as_bytes())).ok_or(Denied::Unknown)?;
        if live.expires <= self.clock.utc().0 && !sabotage::lacks(Sabotage::Expiry) {
            return Err(Denied::Expired);
        }
        Ok(live.principal.clone())
    }
}

impl Authenticator for Doorkeeper {
    fn authenticate(&self, credential: Credential<'_>) -> Result<Arc<Principal>, Denied> {
        match credential {
            Credential::Bearer(token) => self.bearer(token),
            Credential::ApiKey(key) => self.api_key(key),
            // No account has a certificate yet.
            Credential::Certificate(_) => Err(Denied::Unknown),
        }
    }
}
