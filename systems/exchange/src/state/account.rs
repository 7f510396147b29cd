//! Accounts: whom orders trade for. A name, once opened, keeps its number for ever.

use std::collections::BTreeMap;

use decalog_runtime::Digest;

use super::Unit;
use crate::command::{Refusal, Reply};
use crate::engine::Owner;
use crate::value::AccountName;

/// The most accounts of a unit.
const MAX_ACCOUNTS: usize = 65_536;

/// The unit's accounts, in the order in which they were opened.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    names: Vec<AccountName>,
    by_name: BTreeMap<AccountName, u32>,
    digest: Digest,
}

impl Accounts {
    pub(super) fn find(&self, name: AccountName) -> Option<u32> {
        self.by_name.get(&name).copied()
    }

    pub(super) fn name(&self, account: u32) -> AccountName {
        self.names[account as usize]
    }

    pub(super) fn names(&self) -> &[AccountName] {
        &self.names
    }

    /// Opens one more.
    pub(super) fn push(&mut self, name: AccountName) {
        let index = u32::try_from(self.names.len()).expect("at most 65536 accounts");
        self.by_name.insert(name, index);
        self.digest = self.digest.then(name.as_bytes());
        self.names.push(name);
    }

    pub(super) fn digest(&self) -> Digest {
        self.digest
    }
}

/// An account as the engine numbers owners, who begin at 1.
pub(super) fn owner(account: u32) -> Owner {
    Owner(account + 1)
}

impl Unit {
    /// Opens an account; opening it again changes nothing.
    pub(super) fn open_account(&mut self, name: AccountName) -> Reply {
        if name.is_empty() {
            return Reply::Refused(Refusal::EmptyName);
        }
        if self.accounts.find(name).is_none() {
            if self.accounts.names.len() == MAX_ACCOUNTS {
                return Reply::Refused(Refusal::UnitFull);
            }
            self.accounts.push(name);
        }
        Reply::Done
    }

    /// The unit's accounts, in the order in which they were opened.
    #[must_use]
    pub fn accounts(&self) -> &[AccountName] {
        self.accounts.names()
    }
}
