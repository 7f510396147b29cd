//! Every row of a partition, as its snapshot shows them. The letters are those of `state::rows`.

use std::collections::BTreeMap;

use decalog_feed::state::Feed;
use decalog_runtime::StateMachine;
use serde::de::DeserializeOwned;

/// Rows by their keys.
#[derive(Debug)]
pub(crate) struct Dump(BTreeMap<Vec<u8>, Vec<u8>>);

/// All that a partition holds.
pub(crate) fn dump(feed: &Feed) -> Dump {
    let mut bytes = Vec::new();
    feed.snapshot(&mut bytes).expect("memory takes everything");
    let (mut from, mut rows) = (&bytes[..], BTreeMap::new());
    loop {
        let key = take(&mut from);
        // The first byte says that a row is the machine's.
        let Some(key) = key.get(1..) else { return Dump(rows) };
        rows.insert(key.to_vec(), take(&mut from).to_vec());
    }
}

fn take<'a>(from: &mut &'a [u8]) -> &'a [u8] {
    let (length, rest) = from.split_first_chunk().expect("a length");
    let (bytes, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
    *from = rest;
    bytes
}

/// The numbers of a key that has nothing else.
fn numbers(key: &[u8]) -> Vec<u64> {
    key.chunks_exact(8).map(|chunk| u64::from_be_bytes(chunk.try_into().expect("eight bytes"))).collect()
}

/// The owner, if there is one, the text and the number of a key with a text.
fn parts(key: &[u8], owned: bool) -> (u64, String, u64) {
    let (owner, rest) = key.split_at(if owned { 8 } else { 0 });
    let end = rest.iter().position(|byte| *byte == u8::MAX).expect("the end of a text");
    let text = String::from_utf8(rest[..end].to_vec()).expect("a text");
    let last = |bytes: &[u8]| numbers(bytes).last().copied().unwrap_or_default();
    (last(owner), text, last(&rest[end + 1..]))
}

impl Dump {
    fn family(&self, letter: u8) -> impl Iterator<Item = (&[u8], &[u8])> {
        let rows = self.0.range(vec![letter]..vec![letter + 1]);
        rows.map(|(key, value)| (&key[1..], &value[..]))
    }

    /// The numbers and the value of each row of a family.
    pub(crate) fn numbered<T: DeserializeOwned>(&self, letter: u8) -> Vec<(Vec<u64>, T)> {
        let read = |value| decalog_runtime::unpack(0, 0, value).expect("a row's value");
        self.family(letter).map(|(key, value)| (numbers(key), read(value))).collect()
    }

    /// The numbers of each row of a family whose rows have no value.
    pub(crate) fn marks(&self, letter: u8) -> Vec<Vec<u64>> {
        self.family(letter).map(|(key, _)| numbers(key)).collect()
    }

    /// How many rows a family has.
    pub(crate) fn count(&self, letter: u8) -> usize {
        self.family(letter).count()
    }

    /// Owner, text and number of each row of a family.
    pub(crate) fn texts(&self, letter: u8, owned: bool) -> Vec<(u64, String, u64)> {
        self.family(letter).map(|(key, _)| parts(key, owned)).collect()
    }

    /// The families of the rows that have this number in their keys or values, but for these.
    pub(crate) fn naming(&self, number: u64, without: &[u8]) -> String {
        let has = |bytes: &[u8]| bytes.windows(8).any(|window| window == number.to_be_bytes());
        let rows = self.0.iter().filter(|(key, _)| !without.contains(&key[0]));
        let named = rows.filter(|(key, value)| has(&key[1..]) || has(value));
        named.map(|(key, _)| char::from(key[0])).collect()
    }

    /// How many rows have these words in their keys or values.
    pub(crate) fn with_words(&self, words: &str) -> usize {
        let has = |bytes: &[u8]| bytes.windows(words.len()).any(|window| window == words.as_bytes());
        self.0.iter().filter(|(key, value)| has(key) || has(value)).count()
    }
}
