//! Blocks, which count both ways, and mutes, which only who mutes knows of.

use serde::{Deserialize, Serialize};

use super::due::Due;
use super::listing::Listing;
use super::{Turn, refused};
use crate::command::message::{Answered, BlockTold, Decision};
use crate::command::{Refusal, Reply, SetBlock, SetMute};
use crate::value::AccountId;

/// How somebody mutes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Muting {
    /// Their notifications, too.
    pub notifications: bool,
    /// When it ends by itself.
    pub until: Option<i64>,
}

impl Turn<'_> {
    pub(super) fn set_block(&mut self, it: SetBlock) -> Reply {
        let SetBlock { account, target, on } = it;
        if account == target {
            return refused(Refusal::Oneself);
        }
        if on {
            // Neither follows the other any more. What the other side has to know of that, the message below says.
            self.answered(Answered { from: account, target, accept: Decision::Rejected });
            self.set_follower(account, target, false);
            self.rows.unlist(Listing::NotificationPermits, account.0, target.0);
        }
        let mut relation = self.rows.relation(account, target);
        if relation.blocking != on {
            relation.blocking = on;
            self.rows.set_relation(account, target, &relation);
            self.set_listed_in(Listing::Blocks, account.0, target.0, on);
            self.tell(target.bucket(), BlockTold { from: account, target, on });
            self.home_changed(account);
        }
        Reply::Done
    }

    pub(super) fn block_told(&mut self, it: BlockTold) -> Reply {
        let BlockTold { from, target, on } = it;
        if on {
            self.answered(Answered { from: target, target: from, accept: Decision::Rejected });
            self.set_follower(target, from, false);
        }
        let mut relation = self.rows.relation(target, from);
        relation.blocked_by = on;
        self.rows.set_relation(target, from, &relation);
        self.home_changed(target);
        Reply::Done
    }

    pub(super) fn set_mute(&mut self, it: SetMute) -> Reply {
        let SetMute { account, target, on, notifications, until } = it;
        if account == target {
            return refused(Refusal::Oneself);
        }
        let mut relation = self.rows.relation(account, target);
        if let Some(until) = relation.muting.as_ref().and_then(|muting| muting.until) {
            self.clear_due(until, Due::MuteEnd, account.0, target.0);
        }
        relation.muting = on.then_some(Muting { notifications, until });
        if let (true, Some(until)) = (on, until) {
            self.set_due(until, Due::MuteEnd, account.0, target.0);
        }
        self.rows.set_relation(account, target, &relation);
        self.set_listed_in(Listing::Mutes, account.0, target.0, on);
        self.home_changed(account);
        Reply::Done
    }

    pub(super) fn end_mute(&mut self, account: AccountId, target: AccountId) {
        let mut relation = self.rows.relation(account, target);
        relation.muting = None;
        self.rows.set_relation(account, target, &relation);
        self.set_listed_in(Listing::Mutes, account.0, target.0, false);
        self.home_changed(account);
    }
}
