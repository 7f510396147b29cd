//! Push subscriptions: one for each session of an account, in its partition.

use std::collections::BTreeSet;

use decalog_runtime::tables::{Order, end_of};
use serde::{Deserialize, Serialize};

use super::notification::Notification;
use super::rows::{Rows, Window, family, key, last_number};
use super::{Feed, Turn, refused};
use crate::command::{ChangePush, Refusal, RemovePush, Reply, SetPush};
use crate::event::PushChanged;
use crate::sabotage::{self, Sabotage};
use crate::value::{AccountId, ItemId, NotificationKind, PushPolicy};

/// Subscriptions of one account; the oldest make room.
const SUBSCRIPTIONS: usize = 50;

/// Where a session's app is told what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushSubscription {
    /// Its id.
    pub id: ItemId,
    /// Where to.
    pub endpoint: String,
    /// The receiver's public key: an uncompressed point of P-256.
    pub public: Vec<u8>,
    /// The secret that the receiver shares.
    pub auth: Vec<u8>,
    /// Encrypted by RFC 8291; else by the draft that older apps know.
    pub standard: bool,
    /// What is told.
    pub alerts: BTreeSet<NotificationKind>,
    /// By whom it must be caused.
    pub policy: PushPolicy,
    /// The session's token, sealed at the edge.
    pub token: Vec<u8>,
}

fn prefix(account: AccountId) -> Vec<u8> {
    key(family::PUSH, [account.0])
}

fn push_key(account: AccountId, session: u64) -> Vec<u8> {
    key(family::PUSH, [account.0, session])
}

impl Rows {
    fn push(&self, account: AccountId, session: u64) -> Option<PushSubscription> {
        self.get(&push_key(account, session))
    }

    fn pushes(&self, account: AccountId) -> Vec<(u64, PushSubscription)> {
        let rows = self.all::<PushSubscription>(&prefix(account));
        rows.into_iter().map(|(key, row)| (last_number(&key), row)).collect()
    }

    /// Whether what somebody causes is told under this policy.
    fn pushes_by(&self, policy: PushPolicy, account: AccountId, from: AccountId) -> bool {
        match policy {
            _ if sabotage::lacks(Sabotage::PushPolicy) => true,
            PushPolicy::All => true,
            PushPolicy::Followed => self.relation(account, from).following.is_some(),
            PushPolicy::Follower => self.relation(account, from).followed_by,
            PushPolicy::None => false,
        }
    }
}

impl Feed {
    /// A session's subscription.
    pub fn push(&self, account: AccountId, session: u64) -> Option<PushSubscription> {
        self.rows.push(account, session)
    }

    /// A notification, as long as it is there.
    pub fn notification(&self, account: AccountId, id: ItemId) -> Option<Notification> {
        let window = Window::only(id.0);
        self.rows.notifications(account, window).pop().map(|(_, told)| told)
    }

    /// The sessions that are told of a notification, and how.
    pub fn pushed(&self, account: AccountId, id: ItemId) -> Vec<(u64, PushSubscription)> {
        let Some(told) = self.notification(account, id) else { return Vec::new() };
        let wanted = |(_, row): &(u64, PushSubscription)| {
            row.alerts.contains(&told.kind) && self.rows.pushes_by(row.policy, account, told.from)
        };
        self.rows.pushes(account).into_iter().filter(wanted).collect()
    }

    /// Accounts and sessions that have a subscription, in order, after one of them.
    pub fn subscribed(&self, after: Option<(AccountId, u64)>, most: usize) -> Vec<(AccountId, u64)> {
        let from = match after {
            None => vec![family::PUSH],
            Some((account, session)) => [&push_key(account, session)[..], &[0]].concat(),
        };
        let rows = self.rows.tables.range(&from, &end_of(&[family::PUSH]), Order::Rising, most);
        let read = |key: &[u8]| {
            let account = key.get(1..9)?.try_into().ok()?;
            Some((AccountId(u64::from_be_bytes(account)), last_number(key)))
        };
        rows.iter().filter_map(|(key, _)| read(key)).collect()
    }
}

impl Turn<'_> {
    pub(super) fn set_push(&mut self, it: SetPush) -> Reply {
        let SetPush { account, session, endpoint, public, auth, standard, alerts, policy, token } = it;
        if !self.rows.has_account(account) {
            return refused(Refusal::NotFound);
        }
        let mut others = self.rows.pushes(account);
        others.retain(|(known, _)| *known != session);
        others.sort_by_key(|(_, row)| row.id);
        for (oldest, _) in others.iter().take((others.len() + 1).saturating_sub(SUBSCRIPTIONS)) {
            self.rows.remove(&push_key(account, *oldest));
        }
        let id = ItemId(self.next_id_of(account));
        let row = PushSubscription { id, endpoint, public, auth, standard, alerts, policy, token };
        self.rows.put(&push_key(account, session), &row);
        self.out.emit(PushChanged { account, on: true }.into());
        Reply::Made(id)
    }

    pub(super) fn change_push(&mut self, it: ChangePush) -> Reply {
        let ChangePush { account, session, alerts, policy } = it;
        let Some(row) = self.rows.push(account, session) else { return refused(Refusal::NotFound) };
        let id = row.id;
        self.rows.put(&push_key(account, session), &PushSubscription { alerts, policy, ..row });
        Reply::Made(id)
    }

    pub(super) fn remove_push(&mut self, it: RemovePush) -> Reply {
        let RemovePush { account, session, only } = it;
        let row = self.rows.push(account, session);
        if row.is_some_and(|row| only.is_none_or(|only| only == row.id)) {
            self.rows.remove(&push_key(account, session));
            let on = !self.rows.pushes(account).is_empty();
            self.out.emit(PushChanged { account, on }.into());
        }
        Reply::Done
    }
}
