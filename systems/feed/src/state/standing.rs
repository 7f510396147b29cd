//! What moderators have done about accounts: decided in the account's partition, known in every one, since what a limited
//! or suspended account does must stop there, too.

use super::rows::{Rows, family, key};
use super::{Turn, refused};
use crate::command::message::StandingTold;
use crate::command::{Command, Moderate, Refusal, Reply};
use crate::event::StandingChanged;
use crate::sabotage::{self, Sabotage};
use crate::value::{AccountId, Standing};

fn standing_key(account: AccountId) -> Vec<u8> {
    key(family::STANDING, [account.0])
}

impl Rows {
    /// What moderators have done about an account of any partition.
    pub(super) fn standing(&self, account: AccountId) -> Standing {
        self.get(&standing_key(account)).unwrap_or_default()
    }

    /// Whether moderators have suspended an account of any partition.
    pub(super) fn is_suspended(&self, account: AccountId) -> bool {
        self.standing(account).suspended && !sabotage::lacks(Sabotage::Suspension)
    }

    /// Everybody about whom they have done something.
    pub(super) fn standings(&self) -> Vec<(AccountId, Standing)> {
        let rows = self.all(&[family::STANDING]).into_iter();
        rows.map(|(key, row)| (AccountId(super::rows::last_number(&key)), row)).collect()
    }
}

/// Who does something that others would see: a suspended account does no such thing. What it owns, and what it has taken
/// back, is still its own.
pub(super) fn actor(command: &Command) -> Option<AccountId> {
    match command {
        Command::Publish(it) => Some(it.account),
        Command::EditPost(it) => Some(it.account),
        Command::Reblog(it) => Some(it.account),
        Command::Favourite(it) => it.on.then_some(it.account),
        Command::Vote(it) => Some(it.account),
        Command::Follow(it) => Some(it.account),
        Command::AnswerRequest(it) => Some(it.account),
        Command::UpdateProfile(it) => Some(it.account),
        Command::FileReport(it) => Some(it.account),
        _ => None,
    }
}

impl Turn<'_> {
    /// What moderators do, and what they are told.
    pub(super) fn take_measure(&mut self, command: Command) -> Reply {
        match command {
            Command::Moderate(it) => self.moderate(it),
            Command::FileReport(it) => self.file_report(it),
            Command::ChangeReport(it) => self.change_report(it),
            Command::Flagged(it) => self.flagged(it),
            Command::Reported(it) => self.reported(it),
            other => unreachable!("{} is no measure", other.name()),
        }
    }

    pub(super) fn moderate(&mut self, it: Moderate) -> Reply {
        let Moderate { account, standing, by, resolve } = it;
        if !self.rows.has_account(account) {
            return refused(Refusal::NotFound);
        }
        if self.rows.standing(account) != standing {
            let told = StandingTold { account, standing };
            self.standing_told(told.clone());
            self.tell_all(&told);
            self.out.emit(StandingChanged { account, standing }.into());
        }
        if resolve {
            self.resolve_reports(account, by);
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
