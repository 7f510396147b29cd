//! Filters: words and posts that somebody does not want to see. What matches is for readers to say.

use serde::{Deserialize, Serialize};

use super::due::Due;
use super::rows::{Rows, family, key};
use super::{Turn, refused};
use crate::command::{Refusal, RemoveFilter, Reply, SetFilter};
use crate::event::FiltersChanged;
use crate::value::{AccountId, ItemId, PostId};

/// Filters of one account, and words or posts of one filter.
const FILTERS: usize = 200;
const ENTRIES: usize = 500;

/// A filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Its id.
    pub id: ItemId,
    /// What people see of it.
    pub title: String,
    /// Where it counts: `home`, `notifications`, `public`, `thread`, `account`.
    pub context: Vec<String>,
    /// `warn`, `hide` or `blur`.
    pub action: String,
    /// When it ends by itself.
    pub expires: Option<i64>,
    /// Its words; whether they must be whole ones.
    pub keywords: Vec<(ItemId, String, bool)>,
    /// Its posts.
    pub posts: Vec<(ItemId, PostId)>,
}

fn filter_key(account: AccountId, filter: ItemId) -> Vec<u8> {
    key(family::FILTER, [account.0, filter.0])
}

impl Rows {
    pub(super) fn filter(&self, account: AccountId, filter: ItemId) -> Option<Filter> {
        self.get(&filter_key(account, filter))
    }

    pub(super) fn filters(&self, account: AccountId) -> Vec<Filter> {
        self.all(&key(family::FILTER, [account.0])).into_iter().map(|(_, filter)| filter).collect()
    }
}

impl Turn<'_> {
    pub(super) fn set_filter(&mut self, it: SetFilter) -> Reply {
        let account = it.account;
        let before = it.filter.map(|id| self.rows.filter(account, id));
        if it.keywords.len() > ENTRIES || it.posts.len() > ENTRIES {
            return refused(Refusal::TooMany);
        }
        let id = match before {
            Some(None) => return refused(Refusal::NotFound),
            Some(Some(before)) => {
                self.clear_end(account, &before);
                before.id
            }
            None if self.rows.filters(account).len() >= FILTERS => return refused(Refusal::TooMany),
            None => ItemId(self.next_id_of(account)),
        };
        let mut named = |known: Option<ItemId>| known.unwrap_or_else(|| ItemId(self.next_id_of(account)));
        let filter = Filter {
            id,
            title: it.title,
            context: it.context,
            action: it.action,
            expires: it.expires,
            keywords: it
                .keywords
                .into_iter()
                .map(|(known, word, whole)| (named(known), word, whole))
                .collect(),
            posts: it.posts.into_iter().map(|(known, post)| (named(known), post)).collect(),
        };
        if let Some(at) = filter.expires {
            self.set_due(at, Due::FilterEnd, account.0, id.0);
        }
        self.rows.put(&filter_key(account, id), &filter);
        self.out.emit(FiltersChanged { account }.into());
        Reply::Made(id)
    }

    fn clear_end(&mut self, account: AccountId, filter: &Filter) {
        if let Some(at) = filter.expires {
            self.clear_due(at, Due::FilterEnd, account.0, filter.id.0);
        }
    }

    pub(super) fn remove_filter(&mut self, it: RemoveFilter) -> Reply {
        let Some(filter) = self.rows.filter(it.account, it.filter) else { return refused(Refusal::NotFound) };
        self.clear_end(it.account, &filter);
        self.rows.remove(&filter_key(it.account, it.filter));
        self.out.emit(FiltersChanged { account: it.account }.into());
        Reply::Done
    }

    /// A filter's time is over: it stays, and counts no more.
    pub(super) fn end_filter(&mut self, account: AccountId, _filter: ItemId) {
        self.out.emit(FiltersChanged { account }.into());
    }
}
