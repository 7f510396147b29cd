//! How far timelines were read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Turn;
use super::rows::{Rows, family, key};
use crate::command::{Reply, SetMarkers};
use crate::value::AccountId;

/// How far one was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The last one read.
    pub last_read: u64,
    /// How often it was set.
    pub version: u64,
    /// When it was set.
    pub updated: i64,
}

/// An account's, by timeline: `home`, `notifications`.
pub type Markers = BTreeMap<String, Marker>;

impl Rows {
    pub(super) fn markers(&self, account: AccountId) -> Markers {
        self.get(&key(family::MARKERS, [account.0])).unwrap_or_default()
    }
}

impl Turn<'_> {
    pub(super) fn set_markers(&mut self, it: SetMarkers) -> Reply {
        let mut markers = self.rows.markers(it.account);
        for (timeline, last_read) in it.markers {
            let version = markers.get(&timeline).map_or(0, |marker| marker.version) + 1;
            markers.insert(timeline, Marker { last_read, version, updated: self.now() });
        }
        self.rows.put(&key(family::MARKERS, [it.account.0]), &markers);
        Reply::Done
    }
}
