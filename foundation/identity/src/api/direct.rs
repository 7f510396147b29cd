//! Logons over protocols that have no tokens: a name with its password, or with an API key in the password's place.
//!
//! A password begins a session like any other: its owner sees it in the list and can end it, which cuts the connection
//! off. It asks for no second factor, as such protocols have no place for a code; so an account that has one uses an API key.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use decalog_gateway::access::{Admission, Denied, Logons, Principal, Shown};
use tokio::runtime::Handle;

use super::logon::{self, NoLogon, Wish};
use super::service::Identity;
use crate::command::EndSession;
use crate::engine::secret;
use crate::projection::principals::{Live, Picture};
use crate::value::{Device, Hash, SECOND};

/// How long such a session may last: programs stay connected, and are asked again once a week.
const LIFETIME: i64 = 7 * 86_400 * SECOND;
/// The longest agent that a session keeps.
const AGENT_BYTES: usize = 200;

/// Lets such programs in, by the accounts of a directory.
pub(crate) struct Direct {
    identity: Arc<Identity>,
    /// Where the directory's work is done, while the connection's own thread waits.
    runtime: Handle,
}

impl Direct {
    /// Must be called inside the Tokio runtime.
    pub(crate) fn new(identity: Arc<Identity>) -> Self {
        Self { identity, runtime: Handle::current() }
    }
}

/// What was shown, and so what keeps the door open.
#[derive(Clone, Copy)]
enum Held {
    Session(u64),
    Key(Hash),
}

impl Held {
    fn find(self, picture: &Picture) -> Option<&Live> {
        match self {
            Held::Session(id) => picture.session(id),
            Held::Key(hash) => picture.key(&hash),
        }
    }
}

impl Logons for Direct {
    fn log_on(&self, shown: Shown<'_>) -> Result<Box<dyn Admission>, Denied> {
        let name = shown.name.trim().to_ascii_lowercase();
        let hash = secret::hash(shown.password.as_bytes());
        let key = self.identity.principals.look().key(&hash).cloned();
        if let Some(live) = key {
            // Whose key it is must be said right: a key that leaked alone opens nothing here.
            if *live.principal.name != *name {
                return Err(Denied::Unknown);
            }
            if live.expires <= self.identity.now() {
                return Err(Denied::Expired);
            }
            return Ok(self.admit(Held::Key(hash), &live));
        }
        let mut agent = shown.agent.to_owned();
        agent.truncate(agent.floor_char_boundary(AGENT_BYTES));
        let person = logon::Shown {
            name,
            password: shown.password.to_owned(),
            code: None,
            device: Device { agent, address: shown.address.to_string() },
        };
        let wish = Wish { lifetime: LIFETIME, ..Wish::default() };
        let (_, session) = self.runtime.block_on(self.identity.log_on(person, wish)).map_err(denied)?;
        let live = self.identity.principals.look().session(session).cloned().ok_or(Denied::Revoked)?;
        Ok(self.admit(Held::Session(session), &live))
    }
}

impl Direct {
    fn admit(&self, held: Held, live: &Live) -> Box<dyn Admission> {
        Box::new(Admitted {
            identity: Arc::clone(&self.identity),
            runtime: self.runtime.clone(),
            held,
            // Never a number of changes: the first question looks.
            seen: AtomicU64::new(u64::MAX),
            expires: live.expires,
            principal: Arc::clone(&live.principal),
        })
    }
}

fn denied(why: NoLogon) -> Denied {
    match why {
        NoLogon::Wrong | NoLogon::Ended | NoLogon::SecondFactorNeeded { .. } | NoLogon::Later(_) => {
            Denied::Unknown
        }
        NoLogon::Busy | NoLogon::Trouble(_) => Denied::Unavailable,
    }
}

/// Somebody who was let in.
struct Admitted {
    identity: Arc<Identity>,
    runtime: Handle,
    held: Held,
    /// The picture's changes up to which it is known to count.
    seen: AtomicU64,
    expires: i64,
    principal: Arc<Principal>,
}

impl Admission for Admitted {
    fn principal(&self) -> Arc<Principal> {
        let now = self.held.find(&self.identity.principals.look()).map(|live| live.principal.clone());
        now.unwrap_or_else(|| Arc::clone(&self.principal))
    }

    fn is_live(&self) -> bool {
        if self.expires <= self.identity.now() {
            return false;
        }
        let changes = self.identity.principals.changes();
        if self.seen.load(Ordering::Relaxed) == changes {
            return true;
        }
        let lives = self.held.find(&self.identity.principals.look()).is_some();
        if lives {
            self.seen.store(changes, Ordering::Relaxed);
        }
        lives
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let Held::Session(session) = self.held else { return };
        let (identity, account) = (Arc::clone(&self.identity), self.principal.account);
        let name = Arc::clone(&self.principal.name);
        self.runtime.spawn(async move {
            let end = EndSession { account: Some(account), session };
            // One that was revoked, or whose server stops, has ended or ends by its time.
            if let Err(error) = identity.ask(account, &name, end).await {
                tracing::debug!(session, %error, "a session that was left has not been ended");
            }
        });
    }
}
