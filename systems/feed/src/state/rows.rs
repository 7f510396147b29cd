//! Rows: what the tables hold, by families of keys.
//!
//! A key is its family's letter and then fixed-width big-endian numbers, so that rows of one owner lie together in the
//! order of their ids. Values are MessagePack with named fields, or a bare number where that is all there is.

use decalog_runtime::bucket::{Id, IdMaker};
use decalog_runtime::tables::{Order, Tables, end_of};
use decalog_runtime::{Digest, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The letters of the families. None is ever used for something else.
pub(super) mod family {
    /// account → [`Account`](crate::state::Account).
    pub(crate) const ACCOUNT: u8 = b'a';
    /// account, bucket → followers there.
    pub(crate) const AUDIENCE: u8 = b'b';
    /// account, conversation → [`Conversation`](crate::state::Conversation).
    pub(crate) const CONVERSATION: u8 = b'c';
    /// moment, what, owner, item → nothing.
    pub(crate) const DUE: u8 = b'd';
    /// post, number → [`Revision`](crate::state::Revision).
    pub(crate) const REVISION: u8 = b'e';
    /// account, tag → [`FeaturedTag`](crate::state::FeaturedTag).
    pub(crate) const FEATURED_TAG: u8 = b'f';
    /// tag → [`TagRow`](crate::state::TagRow).
    pub(crate) const TAG: u8 = b'h';
    /// The maker of ids.
    pub(crate) const IDS: u8 = b'i';
    /// listing, owner, subject → place.
    pub(crate) const PLACE: u8 = b'k';
    /// account, list → [`List`](crate::state::List).
    pub(crate) const LIST: u8 = b'l';
    /// account, media → [`MediaRow`](crate::state::MediaRow).
    pub(crate) const MEDIA: u8 = b'm';
    /// name → account.
    pub(crate) const NAME: u8 = b'n';
    /// account, tag → when it was followed, as an id.
    pub(crate) const FOLLOWED_TAG: u8 = b'o';
    /// post → [`Post`](crate::state::Post).
    pub(crate) const POST: u8 = b'p';
    /// account, tag, post → nothing.
    pub(crate) const OWN_TAG: u8 = b'q';
    /// account, other account → [`Relation`](crate::state::Relation).
    pub(crate) const RELATION: u8 = b'r';
    /// account, scheduled post → [`Scheduled`](crate::state::Scheduled).
    pub(crate) const SCHEDULED: u8 = b's';
    /// tag, post → [`Entry`](crate::value::Entry).
    pub(crate) const TAGGED: u8 = b't';
    /// account, post → [`Entry`](crate::value::Entry).
    pub(crate) const WRITTEN: u8 = b'u';
    /// post, voter → the places of what they chose.
    pub(crate) const VOTE: u8 = b'v';
    /// post → [`Entry`](crate::value::Entry).
    pub(crate) const PUBLIC: u8 = b'w';
    /// listing, owner, place → subject.
    pub(crate) const LISTING: u8 = b'x';
    /// author, follower → nothing: who is told of each post.
    pub(crate) const BELL: u8 = b'y';
    /// account, filter → [`Filter`](crate::state::Filter).
    pub(crate) const FILTER: u8 = b'F';
    /// what, of what → how many; what, account → the day on which it was active last.
    pub(crate) const COUNT: u8 = b'A';
    /// account, conversation, post → author: what was said.
    pub(crate) const SAID: u8 = b'C';
    /// account, experiment → [`Exposure`](crate::state::Exposure).
    pub(crate) const EXPOSURE: u8 = b'E';
    /// account → [`Markers`](crate::state::Markers).
    pub(crate) const MARKERS: u8 = b'M';
    /// account, notification → [`Notification`](crate::state::Notification).
    pub(crate) const NOTIFICATION: u8 = b'N';
    /// account, domain → when it was blocked, as an id.
    pub(crate) const BLOCKED_DOMAIN: u8 = b'B';
    /// What is the server's: 1, announcement → [`Announcement`](crate::state::Announcement); 2, shortcode →
    /// [`Emoji`](crate::state::Emoji); 3, announcement, account, reaction → nothing.
    pub(crate) const NOTICE: u8 = b'D';
    /// report → [`Report`](crate::state::Report).
    pub(crate) const REPORT: u8 = b'O';
    /// account → [`Policy`](crate::state::Policy).
    pub(crate) const POLICY: u8 = b'P';
    /// account, other account → [`Held`](crate::state::Held).
    pub(crate) const HELD: u8 = b'Q';
    /// account → [`Standing`](crate::value::Standing), in every partition.
    pub(crate) const STANDING: u8 = b'S';
    /// account, session → [`PushSubscription`](crate::state::PushSubscription).
    pub(crate) const PUSH: u8 = b'U';
    /// account, media → nothing: attachments that are being made of a kept upload.
    pub(crate) const UNFINISHED: u8 = b'V';
    /// account → [`Ranking`](crate::state::Ranking); alone → [`Shipped`](crate::state::Shipped).
    pub(crate) const RANKING: u8 = b'R';
    /// account, post → [`Impression`](crate::value::Impression).
    pub(crate) const IMPRESSION: u8 = b'X';
}

/// A key: a family and numbers.
pub(super) fn key<const N: usize>(family: u8, numbers: [u64; N]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + 8 * N);
    key.push(family);
    numbers.iter().for_each(|number| key.extend_from_slice(&number.to_be_bytes()));
    key
}

/// A key with a text, which ends with a byte that no UTF-8 has, between the numbers.
pub(super) fn text_key(family: u8, owner: Option<u64>, text: &str, item: Option<u64>) -> Vec<u8> {
    let mut key = vec![family];
    key.extend(owner.iter().flat_map(|owner| owner.to_be_bytes()));
    key.extend_from_slice(text.as_bytes());
    key.push(u8::MAX);
    key.extend(item.iter().flat_map(|item| item.to_be_bytes()));
    key
}

/// The number that a key ends with.
pub(super) fn last_number(key: &[u8]) -> u64 {
    key.last_chunk().copied().map_or(0, u64::from_be_bytes)
}

/// The part of a listing that is asked for: places between two others, from either end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Only below this (`max_id`).
    pub below: Option<u64>,
    /// Only above this (`since_id`, `min_id`).
    pub above: Option<u64>,
    /// The lowest first (`min_id`), else the highest.
    pub rising: bool,
    /// At most so many.
    pub most: usize,
}

impl Window {
    /// The newest ones.
    pub fn newest(most: usize) -> Window {
        Window { most, ..Window::default() }
    }

    /// This place alone.
    pub fn only(place: u64) -> Window {
        Window { below: place.checked_add(1), above: place.checked_sub(1), ..Window::newest(1) }
    }

    /// Whether a place lies within.
    pub fn holds(self, place: u64) -> bool {
        self.below.is_none_or(|below| place < below) && self.above.is_none_or(|above| place > above)
    }

    /// The part that comes after a place.
    #[must_use]
    pub fn after(self, place: u64) -> Window {
        if self.rising {
            Window { above: Some(place), ..self }
        } else {
            Window { below: Some(place), ..self }
        }
    }

    fn order(self) -> Order {
        if self.rising { Order::Rising } else { Order::Falling }
    }

    /// The best of several parts, in this window's order, by their places; each place once.
    pub fn merge<T>(self, parts: impl IntoIterator<Item = T>, place: impl Fn(&T) -> u64) -> Vec<T> {
        let mut all: Vec<T> = parts.into_iter().collect();
        all.sort_by_key(|item| place(item));
        all.dedup_by_key(|item| place(item));
        if !self.rising {
            all.reverse();
        }
        all.truncate(self.most);
        all
    }
}

/// The rows of a partition.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(super) tables: Tables,
}

impl Rows {
    pub(super) fn get<T: DeserializeOwned>(&self, key: &[u8]) -> Option<T> {
        self.tables.get(key).map(|value| read(&value))
    }

    pub(super) fn put<T: Serialize>(&mut self, key: &[u8], value: &T) {
        let mut bytes = Vec::new();
        decalog_runtime::pack(value, &mut bytes);
        self.tables.put(key, &bytes);
    }

    pub(super) fn has(&self, key: &[u8]) -> bool {
        self.tables.get(key).is_some()
    }

    pub(super) fn mark(&mut self, key: &[u8]) {
        self.tables.put(key, &[]);
    }

    pub(super) fn remove(&mut self, key: &[u8]) {
        self.tables.remove(key);
    }

    /// The rows whose keys are this and a number within the window.
    pub(super) fn page<T: DeserializeOwned>(&self, prefix: &[u8], window: Window) -> Vec<(u64, T)> {
        let rows = self.raw_page(prefix, window);
        rows.into_iter().map(|(key, value)| (last_number(&key), read(&value))).collect()
    }

    pub(super) fn raw_page(&self, prefix: &[u8], window: Window) -> Vec<(Vec<u8>, Vec<u8>)> {
        let end = |number: u64| [prefix, &number.to_be_bytes()].concat();
        let from = window.above.map_or_else(|| prefix.to_vec(), |above| end(above.saturating_add(1)));
        let to = window.below.map_or_else(|| end_of(prefix), end);
        self.tables.range(&from, &to, window.order(), window.most)
    }

    /// Every row that begins so, with what follows.
    pub(super) fn all<T: DeserializeOwned>(&self, prefix: &[u8]) -> Vec<(Vec<u8>, T)> {
        let rows = self.tables.scan(prefix);
        rows.into_iter().map(|(key, value)| (key[prefix.len()..].to_vec(), read(&value))).collect()
    }

    /// The next id, which never repeats.
    pub(super) fn next_id(&mut self, time: Timestamp, bucket: u16) -> u64 {
        let mut maker: IdMaker = self.get(&[family::IDS]).unwrap_or_default();
        let Id(id) = maker.next(time, bucket);
        self.put(&[family::IDS], &maker);
        id
    }

    pub(super) fn digest(&self) -> Digest {
        self.tables.digest()
    }
}

/// Reads a value that [`Rows::put`] wrote.
pub(super) fn read<T: DeserializeOwned>(value: &[u8]) -> T {
    // A row that cannot be read is a bug, and stops the partition.
    decalog_runtime::unpack(0, 0, value).expect("a row that this program wrote")
}
