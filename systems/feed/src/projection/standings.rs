//! What moderators have done about accounts, in memory: asked with every request and every post that is shown.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use crate::event::Event;
use crate::value::{AccountId, Standing};

/// Everybody about whom moderators have done something.
#[derive(Debug, Default)]
pub struct Standings(RwLock<HashMap<AccountId, Standing>>);

impl Standings {
    /// What holds of an account.
    pub fn of(&self, account: AccountId) -> Standing {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.get(&account).copied().unwrap_or_default()
    }

    /// Everybody about whom moderators have done something.
    pub fn all(&self) -> HashMap<AccountId, Standing> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes up what holds of an account.
    pub fn set(&self, account: AccountId, standing: Standing) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if standing == Standing::default() {
            all.remove(&account);
        } else {
            all.insert(account, standing);
        }
    }

    /// Takes up what a partition tells.
    pub fn apply(&self, event: &Event) {
        match event {
            Event::StandingChanged(it) => self.set(it.account, it.standing),
            Event::AccountGone(it) => self.set(it.account, Standing::default()),
            _ => {}
        }
    }
}
