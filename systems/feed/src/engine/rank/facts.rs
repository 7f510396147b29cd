//! What is known of a post and of how its viewer stands to it, and the row of numbers that predictions are made of.

use super::{Landmark, Origin, Origins, View};
use crate::state::{Post, Relation, Shown, Viewer};
use crate::value::{AccountId, PostId, PostRef, SECOND, Standing, Visibility};

const HOUR: f32 = 3_600.0;

/// What is known of a post.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// What is shown: the post, or somebody's reblog of it.
    pub shown: PostRef,
    /// The post itself.
    pub original: PostRef,
    /// Where it comes from.
    pub origins: Origins,
    /// How many whom the viewer follows follow the author.
    pub friends: u32,
    /// When it was written, in nanoseconds since 1970.
    pub created: i64,
    /// Everybody may see it, in every listing.
    pub public: bool,
    /// Attachments are hidden at first.
    pub sensitive: bool,
    /// Likes, reblogs, answers.
    pub counts: [u64; 3],
    /// Characters.
    pub length: usize,
    /// It has something to look at or listen to.
    pub media: bool,
    /// It asks something.
    pub poll: bool,
    /// It answers something.
    pub reply: bool,
    /// Its tags.
    pub tags: Vec<String>,
    /// How many follow the author.
    pub followers: u64,
    /// When the author came.
    pub came: i64,
    /// The author may be recommended.
    pub discoverable: bool,
    /// Moderators have limited the author: only who follows them hears of them.
    pub limited: bool,
    /// A program writes it.
    pub bot: bool,
    /// The viewer follows the author.
    pub following: bool,
    /// The author follows the viewer.
    pub followed_by: bool,
    /// The viewer mutes who wrote or reblogged it, or its thread.
    pub muted: bool,
    /// One of the viewer and who wrote or reblogged it blocks the other, or moderators have suspended one of these.
    pub blocked: bool,
    /// The viewer likes, keeps or reblogs it already.
    pub acted: bool,
    /// How often it was shown to the viewer.
    pub seen: u32,
}

impl Facts {
    /// Whether it is no reblog.
    pub fn is_original(&self) -> bool {
        self.shown.post == self.original.post
    }
}

/// What the viewer's own partition knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Of who wrote it.
    pub author: Relation,
    /// Of who reblogged it.
    pub reblogger: Relation,
    /// What the viewer did with it.
    pub viewer: Viewer,
    /// How often it was shown to them.
    pub seen: u32,
    /// What moderators have done about who wrote it.
    pub standing: Standing,
    /// What they have done about who reblogged it.
    pub reblogger_standing: Standing,
}

/// Brings together what the author's partition shows, the reblog that shows it, if one does, and what the viewer's knows.
pub fn facts(shown: &Shown, by: Option<&Post>, known: &Known) -> Facts {
    let (post, author) = (&shown.post, &shown.author);
    let either = |of: fn(&Relation) -> bool| of(&known.author) || of(&known.reblogger);
    Facts {
        shown: by.map_or_else(|| post.reference(), Post::reference),
        original: post.reference(),
        origins: Origins::default(),
        friends: 0,
        created: by.map_or(post.created, |by| by.created),
        public: post.visibility == Visibility::Public,
        sensitive: post.sensitive || !post.spoiler.is_empty() || known.standing.sensitive,
        counts: [post.favourites, post.reblogs, post.replies],
        length: post.text.len(),
        media: !post.media.is_empty(),
        poll: post.poll.is_some(),
        reply: post.reply_to.is_some(),
        tags: post.tags.iter().map(|(tag, _)| tag.clone()).collect(),
        followers: author.followers,
        came: author.created,
        discoverable: author.discoverable == Some(true),
        limited: known.standing.limited,
        bot: author.bot,
        following: known.author.following.is_some() || by.is_some() && known.reblogger.following.is_some(),
        followed_by: known.author.followed_by,
        muted: either(|it| it.muting.is_some()) || known.viewer.muted,
        blocked: either(|it| it.blocking || it.blocked_by)
            || known.standing.suspended
            || known.reblogger_standing.suspended,
        acted: shown.favourited || known.viewer.bookmarked || known.viewer.reblog.is_some(),
        seen: known.seen,
    }
}

/// The features, in the order of a row. Models name them: another meaning needs another name.
pub const FEATURES: [&str; 20] = [
    "age_hours",
    "favourites_log",
    "reblogs_log",
    "replies_log",
    "length_log",
    "media",
    "poll",
    "reply",
    "reblog",
    "sensitive",
    "bot",
    "followers_log",
    "author_days_log",
    "following",
    "followed_by",
    "friends_log",
    "followed_tag",
    "popular",
    "similarity",
    "affinity_log",
];

/// A row's numbers, in thousandths: so they stand in commands, which hold no fractions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row(pub Vec<i32>);

impl Row {
    /// As models take them.
    pub fn values(&self) -> [f32; FEATURES.len()] {
        std::array::from_fn(|place| self.0.get(place).map_or(f32::NAN, |value| *value as f32 / 1_000.0))
    }
}

/// ln(1 + count)
#[expect(clippy::cast_possible_truncation, reason = "a logarithm is small")]
fn log(count: u64) -> f32 {
    decalog_learn::exact::ln(1.0 + count as f64) as f32
}

fn truth(it: bool) -> f32 {
    f32::from(u8::from(it))
}

/// The row of a post.
#[expect(clippy::cast_possible_truncation, reason = "kept within ±2,000,000 before")]
pub fn features(facts: &Facts, view: &View<'_>) -> Row {
    let seconds = |nanos: i64| (nanos.max(0) / SECOND) as f32;
    let days = u64::try_from((view.now - facts.came).max(0) / (86_400 * SECOND)).unwrap_or(0);
    let affinity = |author: AccountId| view.taste.authors.get(&author).copied().unwrap_or(0);
    let landmark = Landmark { post: facts.original, tags: facts.tags.clone() };
    let similarity = view.landscape.map_or(0.0, |all| all.vector(&landmark).dot(&view.taste.place));
    let [favourites, reblogs, replies] = facts.counts;
    let row: [f32; FEATURES.len()] = [
        seconds(view.now - facts.created) / HOUR,
        log(favourites),
        log(reblogs),
        log(replies),
        log(facts.length as u64),
        truth(facts.media),
        truth(facts.poll),
        truth(facts.reply),
        truth(!facts.is_original()),
        truth(facts.sensitive),
        truth(facts.bot),
        log(facts.followers),
        log(days),
        truth(facts.following),
        truth(facts.followed_by),
        log(facts.friends.into()),
        truth(facts.tags.iter().any(|tag| view.tags.contains(tag))),
        truth(facts.origins.has(Origin::Popular)),
        similarity,
        log(affinity(facts.original.author).into()),
    ];
    Row(row.iter().map(|value| (value * 1_000.0).clamp(-2e9, 2e9).round() as i32).collect())
}

impl Default for Facts {
    /// Nothing is known.
    fn default() -> Facts {
        let nowhere = PostRef { post: PostId(0), author: AccountId(0) };
        Facts {
            shown: nowhere,
            original: nowhere,
            origins: Origins::default(),
            friends: 0,
            created: 0,
            public: true,
            sensitive: false,
            counts: [0; 3],
            length: 0,
            media: false,
            poll: false,
            reply: false,
            tags: Vec::new(),
            followers: 0,
            came: 0,
            discoverable: false,
            limited: false,
            bot: false,
            following: false,
            followed_by: false,
            muted: false,
            blocked: false,
            acted: false,
            seen: 0,
        }
    }
}
