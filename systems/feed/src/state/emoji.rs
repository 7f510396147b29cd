//! Custom emoji: pictures with a name, for everybody.

use serde::{Deserialize, Serialize};

use super::rows::{Rows, family, key, text_key};
use super::{Turn, refused};
use crate::command::{Refusal, RemoveEmoji, Reply, SetEmoji};
use crate::event::EmojiChanged;
use crate::value::File;

/// Custom emoji that there may be.
const EMOJI: usize = 5_000;

/// A picture with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emoji {
    /// Its name between colons.
    pub shortcode: String,
    /// The picture, and a still one when it moves.
    pub files: Vec<File>,
    /// Where it stands in a picker.
    pub category: Option<String>,
    /// It stands in a picker.
    pub listed: bool,
}

fn emoji_key(shortcode: &str) -> Vec<u8> {
    text_key(family::NOTICE, Some(2), shortcode, None)
}

impl Rows {
    pub(super) fn emoji(&self, shortcode: &str) -> Option<Emoji> {
        self.get(&emoji_key(shortcode))
    }

    pub(super) fn all_emoji(&self) -> Vec<Emoji> {
        self.all(&key(family::NOTICE, [2])).into_iter().map(|(_, row)| row).collect()
    }
}

impl Turn<'_> {
    pub(super) fn set_emoji(&mut self, it: SetEmoji) -> Reply {
        let SetEmoji { shortcode, files, category, listed } = it;
        if self.rows.emoji(&shortcode).is_none() && self.rows.all_emoji().len() >= EMOJI {
            return refused(Refusal::TooMany);
        }
        let emoji = Emoji { shortcode, files, category, listed };
        self.rows.put(&emoji_key(&emoji.shortcode), &emoji);
        self.out.emit(EmojiChanged { shortcode: emoji.shortcode.clone(), emoji: Some(emoji) }.into());
        Reply::Done
    }

    pub(super) fn remove_emoji(&mut self, it: RemoveEmoji) -> Reply {
        if self.rows.emoji(&it.shortcode).is_none() {
            return refused(Refusal::NotFound);
        }
        self.rows.remove(&emoji_key(&it.shortcode));
        self.out.emit(EmojiChanged { shortcode: it.shortcode, emoji: None }.into());
        Reply::Done
    }
}
