//! Custom emoji in memory: looked for in every text that is shown.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::event::Event;
use crate::state::Emoji;

/// All of them, by name.
#[derive(Debug, Default)]
pub struct Emojis(RwLock<BTreeMap<String, Arc<Emoji>>>);

impl Emojis {
    /// All of them, in the order of their names.
    pub fn all(&self) -> Vec<Arc<Emoji>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Those of these names that there are.
    pub fn named<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Vec<Arc<Emoji>> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        names.into_iter().filter_map(|name| all.get(name).cloned()).collect()
    }

    /// Takes up one, or that there is none of this name any more.
    pub fn set(&self, shortcode: &str, emoji: Option<Emoji>) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match emoji {
            Some(emoji) => drop(all.insert(shortcode.to_owned(), Arc::new(emoji))),
            None => drop(all.remove(shortcode)),
        }
    }

    /// Takes up what a partition tells.
    pub fn apply(&self, event: &Event) {
        if let Event::EmojiChanged(it) = event {
            self.set(&it.shortcode, it.emoji.clone());
        }
    }
}
