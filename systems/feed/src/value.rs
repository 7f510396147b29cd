//! The small values of which commands, events and rows are made.

use decalog_runtime::bucket::Id;
use serde::{Deserialize, Serialize};

/// Nanoseconds in a second.
pub const SECOND: i64 = 1_000_000_000;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
            #[serde(transparent)]
            pub struct $name(pub u64);

            impl $name {
                /// The bucket it belongs to: whoever holds this bucket holds what it names.
                pub fn bucket(self) -> u16 {
                    Id(self.0).bucket()
                }

                /// Reads the decimal text that the API shows. `None` for what can be no id.
                pub fn parse(text: &str) -> Option<Self> {
                    let digits = (1..=19).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
                    digits.then(|| text.parse::<u64>().ok()).flatten().filter(|id| id >> 63 == 0).map(Self)
                }
            }

            impl std::fmt::Display for $name {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    self.0.fmt(f)
                }
            }
        )*
    };
}

ids! {
    /// An account: the id that identity gave it, which carries the bucket of its name.
    AccountId
    /// A post, or the wrapper that a reblog is. It carries its author's bucket, and sorts by time.
    PostId
    /// Something that belongs to one account and is no post: a list, a filter, a notification, a row of a listing.
    ItemId
}

/// Who may see a post.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Everybody, in every listing.
    #[default]
    Public,
    /// Everybody, but in no public listing.
    Unlisted,
    /// Followers and who is mentioned.
    Private,
    /// Who is mentioned.
    Direct,
}

impl Visibility {
    /// The name that the API uses.
    pub fn name(self) -> &'static str {
        match self {
            Visibility::Public => "public",
            Visibility::Unlisted => "unlisted",
            Visibility::Private => "private",
            Visibility::Direct => "direct",
        }
    }

    /// Reads that name.
    pub fn parse(name: &str) -> Option<Visibility> {
        [Visibility::Public, Visibility::Unlisted, Visibility::Private, Visibility::Direct]
            .into_iter()
            .find(|visibility| visibility.name() == name)
    }

    /// Whether somebody who is not signed in may see it.
    pub fn is_open(self) -> bool {
        matches!(self, Visibility::Public | Visibility::Unlisted)
    }
}

/// A post and its author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PostRef {
    /// The post.
    pub post: PostId,
    /// Who wrote it.
    pub author: AccountId,
}

/// What listings need to know of a post: the row of every index of posts, and what is delivered to followers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The post.
    #[serde(rename = "p")]
    pub post: PostId,
    /// Who wrote it, or reblogged.
    #[serde(rename = "a")]
    pub author: AccountId,
    /// Who may see it.
    #[serde(rename = "v")]
    pub visibility: Visibility,
    /// Whom it answers.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<AccountId>,
    /// What it reblogs.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub reblog_of: Option<PostRef>,
    /// The language it is said to be in.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Its tags, normalised.
    #[serde(rename = "t", default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Whether there is something to look at or listen to.
    #[serde(rename = "m", default, skip_serializing_if = "std::ops::Not::not")]
    pub media: bool,
}

/// Somebody whom a post names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mention {
    /// Who.
    pub account: AccountId,
    /// Their name then.
    pub name: String,
}

/// The program that a post came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// Its name.
    pub name: String,
    /// Its page.
    pub website: Option<String>,
}

/// A name and a value on a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// At most 255 characters.
    pub name: String,
    /// At most 255 characters.
    pub value: String,
}

/// What an attachment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// A still picture.
    Image,
    /// A looping film without sound.
    Gifv,
    /// A film.
    Video,
    /// Sound.
    Audio,
}

/// A file of an attachment, in the blob store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// The SHA-256 of its bytes in hexadecimal: its name in the store.
    pub blob: String,
    /// What it is (`image/png`).
    pub mime: String,
    /// How its address ends (`png`).
    pub extension: String,
}

/// An attachment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// Its id.
    pub id: ItemId,
    /// What it is.
    pub kind: MediaKind,
    /// The file; none while it is being made.
    pub original: Option<File>,
    /// A smaller picture of it.
    pub small: Option<File>,
    /// Sizes, lengths and the focal point, as JSON text in the API's form.
    pub meta: String,
    /// What it shows, for who cannot see it.
    pub description: Option<String>,
    /// A blur of it (blurha.sh).
    pub blurhash: Option<String>,
}

/// What an attachment is being made of, in the blob store: what was begun before a stop is done after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// The file that was sent, by its blob.
    pub file: String,
    /// The small picture that was sent with it.
    #[serde(default)]
    pub thumbnail: Option<String>,
    /// The focal point, as it was sent.
    #[serde(default)]
    pub focus: Option<String>,
}

/// Who may quote a post.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QuotePolicy {
    /// Everybody who may see it.
    #[default]
    Public,
    /// Who follows the author.
    Followers,
    /// The author.
    Nobody,
}

impl QuotePolicy {
    /// What is said of posts from before there were quotes.
    pub fn nobody() -> QuotePolicy {
        QuotePolicy::Nobody
    }

    /// The name that the API uses.
    pub fn name(self) -> &'static str {
        match self {
            QuotePolicy::Public => "public",
            QuotePolicy::Followers => "followers",
            QuotePolicy::Nobody => "nobody",
        }
    }

    /// Reads that name.
    pub fn parse(name: &str) -> Option<QuotePolicy> {
        [QuotePolicy::Public, QuotePolicy::Followers, QuotePolicy::Nobody]
            .into_iter()
            .find(|policy| policy.name() == name)
    }
}

/// What was decided of a quote. As all posts are here, the decision stands when the quote is shown first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QuoteState {
    /// It may.
    Accepted,
    /// It may not.
    Rejected,
    /// It might, and may no more.
    Revoked,
}

/// A question with answers to choose from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poll {
    /// The answers, each with its votes.
    pub options: Vec<PollOption>,
    /// More than one may be chosen.
    pub multiple: bool,
    /// Votes are shown only once it has ended.
    pub hide_totals: bool,
    /// When it ends, in nanoseconds since 1970.
    pub expires: i64,
    /// Who has voted.
    pub voters: u64,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollOption {
    /// Its words.
    pub title: String,
    /// How often it was chosen.
    pub votes: u64,
}

/// What a notification tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationKind {
    /// Somebody named you.
    Mention,
    /// Somebody whose bell you rang posted.
    Status,
    /// Somebody reblogged a post of yours.
    Reblog,
    /// Somebody follows you.
    Follow,
    /// Somebody asks to follow you.
    FollowRequest,
    /// Somebody likes a post of yours.
    Favourite,
    /// A poll that you made or voted in has ended.
    Poll,
    /// A post that you reblogged was edited.
    Update,
    /// A moderator: somebody signed up.
    #[serde(rename = "admin.sign_up")]
    AdminSignUp,
    /// A moderator: somebody reported.
    #[serde(rename = "admin.report")]
    AdminReport,
    /// Somebody quoted a post of yours.
    Quote,
    /// A post that you quoted was edited.
    QuotedUpdate,
}

impl NotificationKind {
    /// All of them.
    pub const ALL: [NotificationKind; 12] = [
        NotificationKind::Mention,
        NotificationKind::Status,
        NotificationKind::Reblog,
        NotificationKind::Follow,
        NotificationKind::FollowRequest,
        NotificationKind::Favourite,
        NotificationKind::Poll,
        NotificationKind::Update,
        NotificationKind::AdminSignUp,
        NotificationKind::AdminReport,
        NotificationKind::Quote,
        NotificationKind::QuotedUpdate,
    ];

    /// The name that the API uses.
    pub fn name(self) -> &'static str {
        match self {
            NotificationKind::Mention => "mention",
            NotificationKind::Status => "status",
            NotificationKind::Reblog => "reblog",
            NotificationKind::Follow => "follow",
            NotificationKind::FollowRequest => "follow_request",
            NotificationKind::Favourite => "favourite",
            NotificationKind::Poll => "poll",
            NotificationKind::Update => "update",
            NotificationKind::AdminSignUp => "admin.sign_up",
            NotificationKind::AdminReport => "admin.report",
            NotificationKind::Quote => "quote",
            NotificationKind::QuotedUpdate => "quoted_update",
        }
    }

    /// Reads that name.
    pub fn parse(name: &str) -> Option<NotificationKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// By whom a notification must be caused to be pushed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PushPolicy {
    /// By anybody.
    #[default]
    All,
    /// By whom the account follows.
    Followed,
    /// By who follows the account.
    Follower,
    /// By nobody.
    None,
}

impl PushPolicy {
    /// The name that the API uses.
    pub fn name(self) -> &'static str {
        match self {
            PushPolicy::All => "all",
            PushPolicy::Followed => "followed",
            PushPolicy::Follower => "follower",
            PushPolicy::None => "none",
        }
    }

    /// Reads that name.
    pub fn parse(name: &str) -> Option<PushPolicy> {
        [PushPolicy::All, PushPolicy::Followed, PushPolicy::Follower, PushPolicy::None]
            .into_iter()
            .find(|policy| policy.name() == name)
    }
}

/// What becomes of a notification of some kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Treatment {
    /// It is told.
    #[default]
    Accept,
    /// It is kept apart until its recipient decides about the one whom it is from.
    Filter,
    /// It is not even kept.
    Drop,
}

impl Treatment {
    /// The name that the API uses.
    pub fn name(self) -> &'static str {
        match self {
            Treatment::Accept => "accept",
            Treatment::Filter => "filter",
            Treatment::Drop => "drop",
        }
    }

    /// Reads that name.
    pub fn parse(name: &str) -> Option<Treatment> {
        [Treatment::Accept, Treatment::Filter, Treatment::Drop].into_iter().find(|it| it.name() == name)
    }
}

/// What moderators have done about an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Its attachments are hidden at first, whatever it says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sensitive: bool,
    /// Only who follows it hears of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub limited: bool,
    /// Nobody sees it or anything of it, and it does nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
}

/// Bytes as MessagePack has them: one each, where numbers in a list take up to two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        struct Reader;
        impl serde::de::Visitor<'_> for Reader {
            type Value = Bytes;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }

            fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
                Ok(Bytes(bytes))
            }
        }
        deserializer.deserialize_byte_buf(Reader)
    }
}

/// Impressions of one command.
pub const IMPRESSIONS: usize = 100;

/// A post that was shown in ranked order, and why it stood where it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Impression {
    /// The post itself, not the reblog that showed it.
    #[serde(rename = "p")]
    pub post: PostRef,
    /// When it was shown first, in nanoseconds since 1970; the state sets it.
    #[serde(rename = "t")]
    pub at: i64,
    /// How often; the state counts.
    #[serde(rename = "n")]
    pub times: u32,
    /// How long somebody stayed with it, in milliseconds; the state adds up.
    #[serde(rename = "d")]
    pub dwelt: u32,
    /// Where it came from, as the bits of [`crate::engine::rank::Origins`].
    #[serde(rename = "o")]
    pub origins: u8,
    /// Its place on the page.
    #[serde(rename = "i")]
    pub place: u16,
    /// What ordered it.
    #[serde(rename = "r")]
    pub ranker: Ranker,
    /// The number of the models, 0 for those that were chosen.
    #[serde(rename = "m")]
    pub model: u64,
    /// The features, as [`crate::engine::rank::Row`].
    #[serde(rename = "f")]
    pub features: Vec<i32>,
    /// How likely each action was, in millionths.
    #[serde(rename = "c")]
    pub chances: Vec<u32>,
    /// What each action was worth, in thousandths.
    #[serde(rename = "w")]
    pub weights: Vec<i32>,
    /// What was done to the score: which adjustment, and the factor in thousandths.
    #[serde(rename = "a")]
    pub adjustments: Vec<(u8, u32)>,
    /// The score after that, in thousandths.
    #[serde(rename = "s")]
    pub score: i64,
}

/// What orders a ranked timeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ranker {
    /// Models that were chosen.
    #[default]
    Default,
    /// Models that were trained.
    Trained,
    /// The newest first.
    Chronological,
}

impl Ranker {
    /// The name that the API and the configuration use.
    pub fn name(self) -> &'static str {
        match self {
            Ranker::Default => "default",
            Ranker::Trained => "trained",
            Ranker::Chronological => "chronological",
        }
    }

    /// Reads that name.
    pub fn parse(name: &str) -> Option<Ranker> {
        [Ranker::Default, Ranker::Trained, Ranker::Chronological].into_iter().find(|it| it.name() == name)
    }
}

/// What a report is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportCategory {
    /// Advertisements, or the same again and again.
    Spam,
    /// It is against the law.
    Legal,
    /// It breaks a rule of the server.
    Violation,
    /// Something else.
    #[default]
    Other,
}

impl ReportCategory {
    /// The name that the API uses.
    pub fn name(self) -> &'static str {
        match self {
            ReportCategory::Spam => "spam",
            ReportCategory::Legal => "legal",
            ReportCategory::Violation => "violation",
            ReportCategory::Other => "other",
        }
    }

    /// Reads that name.
    pub fn parse(name: &str) -> Option<ReportCategory> {
        [ReportCategory::Spam, ReportCategory::Legal, ReportCategory::Violation, ReportCategory::Other]
            .into_iter()
            .find(|category| category.name() == name)
    }
}

/// What the server lets everybody know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    /// An announcement was made or changed.
    Announced(ItemId),
    /// One was taken back.
    Withdrawn(ItemId),
    /// So many react so to one.
    Reacted(ItemId, String, u64),
}
