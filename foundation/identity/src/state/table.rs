//! Rows by key, whose fingerprint is kept up to date row by row.

use std::collections::BTreeMap;

use decalog_runtime::{Digest, pack};
use serde::Serialize;

/// A table of the state.
#[derive(Clone, Debug)]
pub(crate) struct Table<K, V> {
    rows: BTreeMap<K, V>,
    digest: Digest,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Table { rows: BTreeMap::new(), digest: Digest::default() }
    }
}

fn print<K: Serialize, V: Serialize>(key: &K, value: &V) -> Digest {
    let mut bytes = Vec::new();
    pack(&(key, value), &mut bytes);
    Digest::of(&bytes)
}

impl<K: Ord + Serialize, V: Serialize> Table<K, V> {
    pub(crate) fn of(rows: BTreeMap<K, V>) -> Self {
        let digest =
            rows.iter().fold(Digest::default(), |digest, (key, value)| digest.with(print(key, value)));
        Table { rows, digest }
    }

    pub(crate) fn rows(&self) -> &BTreeMap<K, V> {
        &self.rows
    }

    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.rows.get(key)
    }

    /// Adds a row, or replaces it.
    pub(crate) fn put(&mut self, key: K, value: V) {
        self.remove(&key);
        self.digest = self.digest.with(print(&key, &value));
        self.rows.insert(key, value);
    }

    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
    {
        let (key, value) = self.rows.remove_entry(key)?;
        self.digest = self.digest.without(print(&key, &value));
        Some(value)
    }

    /// Changes a row in place; `None` when there is none.
    pub(crate) fn change<Q: Ord + ?Sized, R>(
        &mut self,
        key: &Q,
        change: impl FnOnce(&mut V) -> R,
    ) -> Option<R>
    where
        K: std::borrow::Borrow<Q>,
    {
        let (key, mut value) = self.rows.remove_entry(key)?;
        self.digest = self.digest.without(print(&key, &value));
        let result = change(&mut value);
        self.digest = self.digest.with(print(&key, &value));
        self.rows.insert(key, value);
        Some(result)
    }
}
