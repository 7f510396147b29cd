//! API keys: long random secrets of which the hash is kept, for programs that act as an account.

use serde::{Deserialize, Serialize};

use super::{Directory, End, Moment, Outcome};
use crate::command::{CreateApiKey, Refusal, Reply, RevokeApiKey};
use crate::event::{ApiKeyCreated, ApiKeyEnded};
use crate::value::{Hash, Scopes};

/// API keys of one account.
const MOST_KEYS: usize = 100;

/// An API key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// The account it acts as.
    pub account: u64,
    /// The hash it is found by.
    pub hash: Hash,
    /// What its owner calls it.
    pub label: String,
    /// What it may do, within what the account may.
    pub scopes: Scopes,
    /// When it was made.
    pub created: i64,
    /// When it ends.
    pub expires: Option<i64>,
}

impl Directory {
    /// Every API key, by id.
    pub fn api_keys(&self) -> impl Iterator<Item = (u64, &ApiKey)> {
        self.api_keys.rows().iter().map(|(id, key)| (*id, key))
    }

    /// An account's API keys, oldest first.
    pub fn api_keys_of(&self, account: u64) -> impl Iterator<Item = (u64, &ApiKey)> {
        let ids = self.found.keys_of.range((account, 0)..=(account, u64::MAX));
        ids.filter_map(|(_, id)| self.api_keys.get(id).map(|key| (*id, key)))
    }

    pub(super) fn create_api_key(&mut self, moment: &mut Moment<'_>, it: CreateApiKey) -> Outcome {
        if it.label.len() > 100 {
            return Err(Refusal::Invalid);
        }
        if let Some(expires) = it.expires {
            moment.ahead(expires)?;
        }
        self.open(it.account)?;
        if self.held(it.account, &it.scopes) != it.scopes {
            return Err(Refusal::ScopeExceeded);
        }
        if self.found.keys.contains_key(&it.hash) {
            return Err(Refusal::SecretTaken);
        }
        if self.api_keys_of(it.account).count() >= MOST_KEYS {
            return Err(Refusal::TooMany);
        }
        let id = self.ids.next(moment.at.time, moment.at.bucket).0;
        self.found.keys.insert(it.hash, id);
        self.found.keys_of.insert((it.account, id));
        if let Some(expires) = it.expires {
            self.found.ends.insert((expires, End::ApiKey(id)));
        }
        let created = ApiKeyCreated {
            key: id,
            hash: it.hash,
            label: it.label.clone(),
            scopes: it.scopes.clone(),
            expires: it.expires,
        };
        let key = ApiKey {
            account: it.account,
            hash: it.hash,
            label: it.label,
            scopes: it.scopes,
            created: moment.now(),
            expires: it.expires,
        };
        self.api_keys.put(id, key);
        moment.tell(it.account, created);
        Ok(Reply::Made(id))
    }

    pub(super) fn close_api_key(&mut self, moment: &mut Moment<'_>, id: u64, expired: bool) {
        let Some(key) = self.api_keys.remove(&id) else { return };
        self.found.keys.remove(&key.hash);
        self.found.keys_of.remove(&(key.account, id));
        if let Some(expires) = key.expires {
            self.found.ends.remove(&(expires, End::ApiKey(id)));
        }
        moment.tell(key.account, ApiKeyEnded { key: id, expired });
    }

    pub(super) fn revoke_api_key(&mut self, moment: &mut Moment<'_>, it: RevokeApiKey) -> Outcome {
        let key = self.api_keys.get(&it.key).ok_or(Refusal::UnknownKey)?;
        if it.account.is_some_and(|account| account != key.account) {
            return Err(Refusal::UnknownKey);
        }
        self.close_api_key(moment, it.key, false);
        Ok(Reply::Done)
    }
}
