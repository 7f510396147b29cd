//! Custom emoji in memory: looked for in every text that is shown.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::event::Event;
use crate::state::Emoji;

/// All of them.
#[derive(Debug, Default)]
pub struct Emojis(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    by_name: BTreeMap<String, Arc<Emoji>>,
    /// How often they have changed.
    version: u64,
}

impl Emojis {
    /// All of them, in the order of their names.
    pub fn all(&self) -> Vec<Arc<Emoji>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).by_name.values().cloned().collect()
    }

    /// How often they have changed since the start.
    pub fn version(&self) -> u64 {
        self.0.read().unwrap_or_else(PoisonError::into_inner).version
    }

    /// Those of these names that there are.
    pub fn named<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Vec<Arc<Emoji>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        names.into_iter().filter_map(|name| known.by_name.get(name).cloned()).collect()
    }

    /// Takes up one, or that there is none of this name any more.
    pub fn set(&self, shortcode: &str, emoji: Option<Emoji>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.version += 1;
        match emoji {
            Some(emoji) => drop(known.by_name.insert(shortcode.to_owned(), Arc::new(emoji))),
            None => drop(known.by_name.remove(shortcode)),
        }
    }

    /// Takes up what a partition tells.
    pub fn apply(&self, event: &Event) {
        if let Event::EmojiChanged(it) = event {
            self.set(&it.shortcode, it.emoji.clone());
        }
    }
}
