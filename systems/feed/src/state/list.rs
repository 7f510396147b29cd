//! Lists of accounts that somebody follows.

use serde::{Deserialize, Serialize};

use super::listing::Listing;
use super::rows::{Rows, Window, family, key, last_number};
use super::{Turn, refused};
use crate::command::{MakeList, Refusal, RemoveList, Reply, SetListed};
use crate::value::{AccountId, ItemId};

/// Lists of one account, and accounts of one list.
const LISTS: usize = 50;
const MEMBERS: usize = 5_000;

/// A list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    /// Its id.
    pub id: ItemId,
    /// Its name.
    pub title: String,
    /// `list`, `followed` or `none`: which answers are shown.
    pub replies_policy: String,
    /// What is shown there is not shown at home.
    pub exclusive: bool,
}

fn list_key(account: AccountId, list: ItemId) -> Vec<u8> {
    key(family::LIST, [account.0, list.0])
}

impl Rows {
    pub(super) fn list(&self, account: AccountId, list: ItemId) -> Option<List> {
        self.get(&list_key(account, list))
    }

    pub(super) fn lists(&self, account: AccountId) -> Vec<List> {
        self.all(&key(family::LIST, [account.0])).into_iter().map(|(_, list)| list).collect()
    }

    pub(super) fn members(&self, list: ItemId) -> Vec<AccountId> {
        let rows = self.listing(Listing::Members, list.0, Window::newest(MEMBERS));
        rows.into_iter().map(|(_, member)| AccountId(member)).collect()
    }
}

impl Turn<'_> {
    pub(super) fn make_list(&mut self, it: MakeList) -> Reply {
        let MakeList { account, list, title, replies_policy, exclusive } = it;
        let id = match list {
            Some(id) if self.rows.list(account, id).is_none() => return refused(Refusal::NotFound),
            Some(id) => id,
            None if self.rows.lists(account).len() >= LISTS => return refused(Refusal::TooMany),
            None => ItemId(self.next_id_of(account)),
        };
        self.rows.put(&list_key(account, id), &List { id, title, replies_policy, exclusive });
        self.home_changed(account);
        Reply::Made(id)
    }

    pub(super) fn remove_list(&mut self, it: RemoveList) -> Reply {
        if self.rows.list(it.account, it.list).is_none() {
            return refused(Refusal::NotFound);
        }
        for member in self.rows.members(it.list) {
            self.rows.unlist(Listing::Members, it.list.0, member.0);
        }
        self.rows.remove(&list_key(it.account, it.list));
        self.home_changed(it.account);
        Reply::Done
    }

    pub(super) fn set_listed(&mut self, it: SetListed) -> Reply {
        let SetListed { account, list, members, on } = it;
        if self.rows.list(account, list).is_none() {
            return refused(Refusal::NotFound);
        }
        let follows = |member: &AccountId| {
            *member == account || {
                let relation = self.rows.relation(account, *member);
                relation.following.is_some() || relation.requested.is_some()
            }
        };
        let there = |member: &AccountId| self.rows.place(Listing::Members, list.0, member.0).is_some();
        if on && !members.iter().all(follows) {
            return refused(Refusal::NotFound);
        }
        if on && members.iter().any(there) {
            return refused(Refusal::Duplicate);
        }
        if on && self.rows.members(list).len() + members.len() > MEMBERS {
            return refused(Refusal::TooMany);
        }
        for member in members {
            self.set_listed_in(Listing::Members, list.0, member.0, on);
        }
        self.home_changed(account);
        Reply::Done
    }

    /// Whoever is followed no more is in no list.
    pub(super) fn leave_lists(&mut self, account: AccountId, member: AccountId) {
        let lists = self.rows.tables.scan(&key(family::LIST, [account.0]));
        for (key, _) in lists {
            self.rows.unlist(Listing::Members, last_number(&key), member.0);
        }
    }
}
