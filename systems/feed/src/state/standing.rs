//! What moderators have done about accounts: decided in the account's partition, known in every one, since what a limited
//! or suspended account does must stop there, too.

use super::rows::{Rows, family, key};
use super::{Turn, refused};
use crate::command::message::StandingTold;
use crate::command::{Moderate, Refusal, Reply};
use crate::event::StandingChanged;
use crate::value::{AccountId, Standing};

fn standing_key(account: AccountId) -> Vec<u8> {
    key(family::STANDING, [account.0])
}

impl Rows {
    /// What moderators have done about an account of any partition.
    pub(super) fn standing(&self, account: AccountId) -> Standing {
        self.get(&standing_key(account)).unwrap_or_default()
    }

    /// Everybody about whom they have done something.
    pub(super) fn standings(&self) -> Vec<(AccountId, Standing)> {
        let rows = self.all(&[family::STANDING]).into_iter();
        rows.map(|(key, row)| (AccountId(super::rows::last_number(&key)), row)).collect()
    }
}

impl Turn<'_> {
    pub(super) fn moderate(&mut self, it: Moderate) -> Reply {
        let Moderate { account, standing } = it;
        if !self.rows.has_account(account) {
            return refused(Refusal::NotFound);
        }
        if self.rows.standing(account) != standing {
            let told = StandingTold { account, standing };
            self.standing_told(told.clone());
            self.tell_all(&told);
            self.out.emit(StandingChanged { account, standing }.into());
        }
        Reply::Done
    }

    pub(super) fn standing_told(&mut self, it: StandingTold) -> Reply {
        if it.standing == Standing::default() {
            self.rows.remove(&standing_key(it.account));
        } else {
            self.rows.put(&standing_key(it.account), &it.standing);
        }
        if let Some(account) = self.rows.account(it.account) {
            self.list_in_directory(&account);
        }
        Reply::Done
    }
}
