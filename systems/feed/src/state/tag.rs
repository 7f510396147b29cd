//! Tags: which posts have them, who follows them, and which ones a profile shows.

use serde::{Deserialize, Serialize};

use super::post::Post;
use super::rows::{Rows, Window, family, key, text_key};
use super::{Turn, refused};
use crate::command::{FeatureTag, FollowTag, Refusal, Reply};
use crate::value::{AccountId, Entry, ItemId};

/// Tags on one profile.
const FEATURED: usize = 10;

/// A tag that was used in this partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagRow {
    /// As it was written first.
    pub name: String,
    /// Public posts that have it.
    pub uses: u64,
}

/// A tag on a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeaturedTag {
    /// Its id.
    pub id: ItemId,
    /// As it was written.
    pub name: String,
    /// Normalised.
    pub tag: String,
}

fn tag_key(tag: &str) -> Vec<u8> {
    text_key(family::TAG, None, tag, None)
}

impl Rows {
    /// Public posts with a tag.
    pub(super) fn tagged(&self, tag: &str, window: Window) -> Vec<(u64, Entry)> {
        self.page(&text_key(family::TAGGED, None, tag, None), window)
    }

    /// An account's posts with a tag.
    pub(super) fn own_tagged(&self, account: AccountId, tag: &str, window: Window) -> Vec<u64> {
        let rows = self.raw_page(&text_key(family::OWN_TAG, Some(account.0), tag, None), window);
        rows.iter().map(|(key, _)| super::rows::last_number(key)).collect()
    }

    pub(super) fn tag(&self, tag: &str) -> Option<TagRow> {
        self.get(&tag_key(tag))
    }

    /// Tags that begin so.
    pub(super) fn tags_from(&self, start: &str, most: usize) -> Vec<(String, TagRow)> {
        let from = [&[family::TAG], start.as_bytes()].concat();
        let to = decalog_runtime::tables::end_of(&from);
        let rows = self.tables.range(&from, &to, decalog_runtime::tables::Order::Rising, most);
        let one = |(key, value): (Vec<u8>, Vec<u8>)| {
            let tag = key.get(1..key.len() - 1).map(|tag| String::from_utf8_lossy(tag).into_owned())?;
            Some((tag, decalog_runtime::unpack(0, 0, &value).ok()?))
        };
        rows.into_iter().filter_map(one).collect()
    }

    /// The tags that an account follows, each with its place.
    pub(super) fn followed_tags(&self, account: AccountId) -> Vec<(u64, String)> {
        let rows: Vec<(Vec<u8>, u64)> = self.all(&key(family::FOLLOWED_TAG, [account.0]));
        let name =
            |key: &[u8]| String::from_utf8_lossy(key.split_last().map_or(key, |(_, tag)| tag)).into_owned();
        rows.into_iter().map(|(key, place)| (place, name(&key))).collect()
    }

    pub(super) fn follows_tag(&self, account: AccountId, tag: &str) -> bool {
        self.has(&text_key(family::FOLLOWED_TAG, Some(account.0), tag, None))
    }

    pub(super) fn features_tag(&self, account: AccountId, tag: &str) -> bool {
        self.has(&text_key(family::FEATURED_TAG, Some(account.0), tag, None))
    }

    pub(super) fn featured_tags(&self, account: AccountId) -> Vec<FeaturedTag> {
        self.all(&key(family::FEATURED_TAG, [account.0])).into_iter().map(|(_, row)| row).collect()
    }
}

impl Turn<'_> {
    pub(super) fn index_tags(&mut self, post: &Post, entry: &Entry) {
        for (tag, name) in &post.tags {
            let tagged = text_key(family::TAGGED, None, tag, Some(post.id.0));
            if self.rows.has(&tagged) {
                continue;
            }
            self.rows.put(&tagged, entry);
            self.rows.mark(&text_key(family::OWN_TAG, Some(post.author.0), tag, Some(post.id.0)));
            let mut row = self.rows.tag(tag).unwrap_or(TagRow { name: name.clone(), uses: 0 });
            row.uses += 1;
            self.rows.put(&tag_key(tag), &row);
        }
    }

    pub(super) fn unindex_tags(&mut self, post: &Post) {
        for (tag, _) in &post.tags {
            let tagged = text_key(family::TAGGED, None, tag, Some(post.id.0));
            if !self.rows.has(&tagged) {
                continue;
            }
            self.rows.remove(&tagged);
            self.rows.remove(&text_key(family::OWN_TAG, Some(post.author.0), tag, Some(post.id.0)));
            match self.rows.tag(tag) {
                Some(row) if row.uses > 1 => {
                    self.rows.put(&tag_key(tag), &TagRow { uses: row.uses - 1, ..row });
                }
                _ => self.rows.remove(&tag_key(tag)),
            }
        }
    }

    pub(super) fn follow_tag(&mut self, it: FollowTag) -> Reply {
        let key = text_key(family::FOLLOWED_TAG, Some(it.account.0), &it.tag, None);
        match (it.on, self.rows.has(&key)) {
            (true, false) => {
                let place = self.next_id_of(it.account);
                self.rows.put(&key, &place);
            }
            (false, true) => self.rows.remove(&key),
            _ => return Reply::Done,
        }
        self.home_changed(it.account);
        Reply::Done
    }

    pub(super) fn feature_tag(&mut self, it: FeatureTag) -> Reply {
        let FeatureTag { account, name, tag, on } = it;
        let key = text_key(family::FEATURED_TAG, Some(account.0), &tag, None);
        if !on {
            if !self.rows.has(&key) {
                return refused(Refusal::NotFound);
            }
            self.rows.remove(&key);
            return Reply::Done;
        }
        if let Some(row) = self.rows.get::<FeaturedTag>(&key) {
            return Reply::Made(row.id);
        }
        if self.rows.featured_tags(account).len() >= FEATURED {
            return refused(Refusal::TooMany);
        }
        let id = ItemId(self.next_id_of(account));
        self.rows.put(&key, &FeaturedTag { id, name, tag });
        Reply::Made(id)
    }
}
