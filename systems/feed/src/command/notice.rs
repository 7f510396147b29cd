//! What the server shows to everybody: announcements and custom emoji. They belong to the bucket 0.

use crate::value::{AccountId, File, ItemId};

decalog_runtime::payloads! {
    /// Make an announcement, or change one.
    SetAnnouncement {
        /// Which; none makes one.
        announcement: Option<ItemId>,
        /// What it says.
        text: String,
        /// When what it is about begins.
        starts: Option<i64>,
        /// When that ends: then it is shown no more.
        ends: Option<i64>,
        /// Both are days, not moments.
        all_day: bool,
    }
    /// Take an announcement back.
    RemoveAnnouncement {
        /// Which.
        announcement: ItemId,
    }
    /// An announcement was read. Goes to the reader's partition.
    DismissAnnouncement {
        /// Whose.
        account: AccountId,
        /// Which.
        announcement: ItemId,
    }
    /// React to an announcement, or no more.
    React {
        /// Who.
        account: AccountId,
        /// To which.
        announcement: ItemId,
        /// An emoji of Unicode, or the shortcode of a custom one.
        name: String,
        /// From now on.
        on: bool,
    }
    /// Make a custom emoji, or another of the same name.
    SetEmoji {
        /// Its name between colons.
        shortcode: String,
        /// The picture, and a still one when it moves.
        files: Vec<File>,
        /// Where it stands in a picker.
        category: Option<String>,
        /// It stands in a picker.
        listed: bool,
    }
    /// Remove a custom emoji.
    RemoveEmoji {
        /// Its name between colons.
        shortcode: String,
    }
}
