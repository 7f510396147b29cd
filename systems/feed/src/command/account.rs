//! What belongs to an account alone.

use std::collections::BTreeMap;

use crate::value::{AccountId, Field, File, ItemId, MediaKind, PostId, QuotePolicy, Upload, Visibility};

decalog_runtime::payloads! {
    /// Make the account known, with what identity says of it.
    OpenAccount {
        /// Its id there.
        account: AccountId,
        /// Its name there.
        name: String,
        /// Who is told that somebody has signed up.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        moderators: Vec<AccountId>,
    }
    /// Forget an account that identity has erased, with everything that is of it anywhere.
    EraseAccount {
        /// Its id there.
        account: AccountId,
    }
    /// Change a profile or its preferences; what is `None` stays.
    #[derive(Default)]
    UpdateProfile {
        /// Whose.
        account: AccountId,
        /// At most 30 characters.
        display_name: Option<String>,
        /// At most 500 characters.
        note: Option<String>,
        /// All fields from now on.
        fields: Option<Vec<Field>>,
        /// The picture beside the name; with a still one of it when it moves.
        avatar: Option<Vec<File>>,
        /// The picture on top of the profile.
        header: Option<Vec<File>>,
        /// Followers are asked for.
        locked: Option<bool>,
        /// A program writes here.
        bot: Option<bool>,
        /// May be recommended.
        discoverable: Option<bool>,
        /// Posts may be found by strangers.
        indexable: Option<bool>,
        /// Whom it follows, and who follows it, is not shown.
        hide_collections: Option<bool>,
        /// How posts are seen unless said otherwise.
        privacy: Option<Visibility>,
        /// Whether attachments are hidden unless said otherwise.
        sensitive: Option<bool>,
        /// The language of posts unless said otherwise; an empty one is none.
        language: Option<String>,
        /// Who may quote posts unless said otherwise.
        #[serde(default)]
        quote_policy: Option<QuotePolicy>,
    }
    /// Follow a tag, or no more.
    FollowTag {
        /// Whose.
        account: AccountId,
        /// Normalised.
        tag: String,
        /// From now on.
        on: bool,
    }
    /// Show a tag on the profile, or no more.
    FeatureTag {
        /// Whose.
        account: AccountId,
        /// As it was written.
        name: String,
        /// Normalised.
        tag: String,
        /// From now on.
        on: bool,
    }
    /// Make a filter, or change one.
    SetFilter {
        /// Whose.
        account: AccountId,
        /// Which; none makes one.
        filter: Option<ItemId>,
        /// What people see of it.
        title: String,
        /// Where it counts.
        context: Vec<String>,
        /// `warn`, `hide` or `blur`.
        action: String,
        /// When it ends by itself.
        expires: Option<i64>,
        /// Its words: with an id those that are kept or changed, without those that are new.
        keywords: Vec<(Option<ItemId>, String, bool)>,
        /// Its posts: with an id those that are kept, without those that are new.
        posts: Vec<(Option<ItemId>, PostId)>,
    }
    /// Remove a filter.
    RemoveFilter {
        /// Whose.
        account: AccountId,
        /// Which.
        filter: ItemId,
    }
    /// Remember how far something was read.
    SetMarkers {
        /// Whose.
        account: AccountId,
        /// The last one read, by timeline, and the version that was seen.
        markers: BTreeMap<String, u64>,
    }
    /// Take up an attachment, whose files are being made.
    AddMedia {
        /// Whose.
        account: AccountId,
        /// What it seems to be.
        kind: MediaKind,
        /// As [`crate::value::Media::description`].
        description: Option<String>,
    }
    /// Take an attachment away, unless it is of a post.
    RemoveMedia {
        /// Whose.
        account: AccountId,
        /// Which.
        media: ItemId,
    }
    /// Describe an attachment; what is `None` stays.
    ChangeMedia {
        /// Whose.
        account: AccountId,
        /// Which. It must not be of a post yet.
        media: ItemId,
        /// As [`crate::value::Media::description`]; an empty one is none.
        description: Option<String>,
        /// As [`crate::value::Media::meta`].
        meta: Option<String>,
        /// Another small picture of it.
        small: Option<File>,
        /// What it is being made of, when that takes long.
        #[serde(default)]
        upload: Option<Upload>,
    }
    /// The files of an attachment are made. What it was said to show meanwhile stays.
    FinishMedia {
        /// Whose.
        account: AccountId,
        /// Which.
        media: ItemId,
        /// What it is.
        kind: MediaKind,
        /// The file.
        original: File,
        /// A smaller picture of it.
        small: Option<File>,
        /// As [`crate::value::Media::meta`].
        meta: String,
        /// As [`crate::value::Media::blurhash`].
        blurhash: Option<String>,
    }
}
