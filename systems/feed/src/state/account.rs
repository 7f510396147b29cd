//! Accounts: profiles, counts and preferences.

use serde::{Deserialize, Serialize};

use super::rows::{Rows, Window, family, key, text_key};
use super::usage::Count;
use super::{Turn, refused};
use crate::command::message::Flagged;
use crate::command::{OpenAccount, Refusal, Reply, UpdateProfile};
use crate::value::{AccountId, Field, File, NotificationKind, PostId, QuotePolicy, Visibility};

/// Somebody who posts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Their id, here and in identity.
    pub id: AccountId,
    /// Their name, in lower case.
    pub name: String,
    /// When they came, in nanoseconds since 1970.
    pub created: i64,
    /// What they are called.
    pub display_name: String,
    /// What they say about themselves.
    pub note: String,
    /// Names and values.
    pub fields: Vec<Field>,
    /// The picture beside the name: the file, and a still one when that moves.
    pub avatar: Vec<File>,
    /// The picture on top of the profile.
    pub header: Vec<File>,
    /// Followers are asked for.
    pub locked: bool,
    /// A program writes here.
    pub bot: bool,
    /// May be recommended; `None` was never asked.
    pub discoverable: Option<bool>,
    /// Posts may be found by strangers.
    pub indexable: bool,
    /// Whom it follows, and who follows it, is not shown.
    pub hide_collections: bool,
    /// How posts are unless said otherwise.
    pub defaults: Defaults,
    /// How many follow it.
    pub followers: u64,
    /// How many it follows.
    pub following: u64,
    /// How many posts, reblogs included, direct ones not.
    pub statuses: u64,
    /// When it posted last.
    pub last_status: Option<i64>,
    /// What it posted last.
    #[serde(default)]
    pub last_post: Option<PostId>,
}

/// How posts are unless said otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Defaults {
    /// Who may see them.
    pub visibility: Visibility,
    /// Attachments are hidden at first.
    pub sensitive: bool,
    /// The language.
    pub language: Option<String>,
    /// Who may quote them.
    #[serde(default)]
    pub quote_policy: QuotePolicy,
}

fn account_key(account: AccountId) -> Vec<u8> {
    key(family::ACCOUNT, [account.0])
}

impl Rows {
    pub(super) fn account(&self, account: AccountId) -> Option<Account> {
        self.get(&account_key(account))
    }

    pub(super) fn has_account(&self, account: AccountId) -> bool {
        self.has(&account_key(account))
    }

    pub(super) fn put_account(&mut self, row: &Account) {
        self.put(&account_key(row.id), row);
    }

    pub(super) fn change_account(&mut self, account: AccountId, change: impl FnOnce(&mut Account)) {
        if let Some(mut row) = self.account(account) {
            change(&mut row);
            self.put(&account_key(account), &row);
        }
    }

    /// Removes an account's row and its name.
    pub(super) fn remove_account(&mut self, row: &Account) {
        self.remove(&text_key(family::NAME, None, &row.name, None));
        self.remove(&account_key(row.id));
    }

    pub(super) fn account_named(&self, name: &str) -> Option<AccountId> {
        self.get(&text_key(family::NAME, None, name, None)).map(AccountId)
    }

    /// Accounts by their ids.
    pub(super) fn accounts_within(&self, window: Window) -> Vec<Account> {
        self.page(&[family::ACCOUNT], window).into_iter().map(|(_, row)| row).collect()
    }

    /// The first accounts whose names begin so.
    pub(super) fn accounts_from(&self, name: &str, most: usize) -> Vec<AccountId> {
        let from = [&[family::NAME], name.as_bytes()].concat();
        let rows = self.tables.range(
            &from,
            &decalog_runtime::tables::end_of(&from),
            decalog_runtime::tables::Order::Rising,
            most,
        );
        let ids = rows.iter().filter_map(|(_, value)| decalog_runtime::unpack(0, 0, value).ok());
        ids.map(AccountId).collect()
    }
}

impl Turn<'_> {
    pub(super) fn open_account(&mut self, it: OpenAccount) -> Reply {
        if self.rows.has_account(it.account) {
            return Reply::Done;
        }
        if self.rows.is_erased(it.account) {
            return refused(Refusal::NotFound);
        }
        let name = text_key(family::NAME, None, &it.name, None);
        if self.rows.has(&name) {
            return refused(Refusal::NameTaken);
        }
        let (from, kind) = (it.account, NotificationKind::AdminSignUp);
        for moderator in it.moderators {
            self.tell(moderator.bucket(), Flagged { moderator, kind, from, report: None });
        }
        let account = Account { id: it.account, name: it.name, created: self.now(), ..Account::default() };
        self.rows.put(&name, &it.account.0);
        self.rows.put(&account_key(it.account), &account);
        self.count(Count::Users, true);
        Reply::Done
    }

    pub(super) fn update_profile(&mut self, it: UpdateProfile) -> Reply {
        let Some(mut account) = self.rows.account(it.account) else { return refused(Refusal::NotFound) };
        let was_locked = account.locked;
        fn set<T>(place: &mut T, new: Option<T>) {
            if let Some(new) = new {
                *place = new;
            }
        }
        set(&mut account.display_name, it.display_name);
        set(&mut account.note, it.note);
        set(&mut account.fields, it.fields);
        set(&mut account.avatar, it.avatar);
        set(&mut account.header, it.header);
        set(&mut account.locked, it.locked);
        set(&mut account.bot, it.bot);
        set(&mut account.discoverable, it.discoverable.map(Some));
        set(&mut account.indexable, it.indexable);
        set(&mut account.hide_collections, it.hide_collections);
        set(&mut account.defaults.visibility, it.privacy);
        set(&mut account.defaults.sensitive, it.sensitive);
        set(
            &mut account.defaults.language,
            it.language.map(|code| Some(code).filter(|code| !code.is_empty())),
        );
        set(&mut account.defaults.quote_policy, it.quote_policy);
        self.rows.put(&account_key(it.account), &account);
        self.list_in_directory(&account);
        if was_locked && !account.locked {
            self.accept_waiting(it.account);
        }
        Reply::Done
    }
}
