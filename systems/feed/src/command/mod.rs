//! Everything that can be asked of a partition, and what it answers.
//!
//! Who asks stands in the record's header ([`decalog_runtime::Origin::principal`]). A command of a person goes to the
//! partition of what decides it: their own, or the author's of the post that it is about. What has to be known elsewhere
//! follows as a [`message`] to that partition, exactly once.

mod account;
mod graph;
mod inbox;
pub mod message;
mod moderation;
mod notice;
mod post;
mod push;
mod ranking;

pub use account::{
    AddMedia, ChangeMedia, EraseAccount, FeatureTag, FinishMedia, FollowTag, OpenAccount, RemoveFilter,
    RemoveMedia, SetFilter, SetMarkers, UpdateProfile,
};
pub use graph::{
    AnswerRequest, BlockDomain, DismissSuggestion, Follow, MakeList, RemoveFollower, RemoveList, SetBlock,
    SetEndorsed, SetListed, SetMute, SetNote, Unfollow,
};
pub use inbox::{
    AnswerNotificationRequests, ClearNotifications, HideConversation, ReadConversation, SetPolicy,
};
pub use moderation::{ChangeReport, FileReport, Moderate};
pub use notice::{DismissAnnouncement, React, RemoveAnnouncement, RemoveEmoji, SetAnnouncement, SetEmoji};
pub use post::{
    CancelScheduled, DeletePost, Draft, EditPost, Favourite, Publish, Reblog, Reschedule, RevokeQuote,
    SetBookmark, SetPin, SetQuotePolicy, SetThreadMute, Unreblog, Vote,
};
pub use push::{ChangePush, RemovePush, SetPush};
pub use ranking::{LogDwell, LogExposure, LogImpressions, SetModel, SetRanking};

use serde::{Deserialize, Serialize};

use crate::value::{ItemId, PostId};
use message::{
    Answered, Asked, BlockTold, Delivered, FavouriteTold, Flagged, Forgotten, Named, QuoteAnswered,
    QuoteTold, QuotedEdited, ReblogTold, ReblogsEdited, ReblogsEnded, ReplyTold, Reported, Retracted,
    StandingTold, Unasked, Unnamed,
};

decalog_runtime::kinds! {
    /// What can be asked. The numbers are released and never used again.
    #[derive(Clone, Debug, PartialEq, Eq)]
    Command {
        /// Make the account known, with what identity says of it.
        1 "open-account" OpenAccount,
        /// Change a profile or its preferences.
        2 "update-profile" UpdateProfile,
        /// Post, now or later.
        10 "publish" Publish,
        /// Change a post.
        11 "edit-post" EditPost,
        /// Take a post back.
        12 "delete-post" DeletePost,
        /// Show somebody's post to one's own followers.
        13 "reblog" Reblog,
        /// Take a reblog back.
        14 "unreblog" Unreblog,
        /// Like a post, or no more.
        15 "favourite" Favourite,
        /// Keep a post, or no more.
        16 "set-bookmark" SetBookmark,
        /// Show a post first on the profile, or no more.
        17 "set-pin" SetPin,
        /// Hear no more of a thread, or again.
        18 "set-thread-mute" SetThreadMute,
        /// Vote in a poll.
        19 "vote" Vote,
        /// Give a scheduled post another time.
        20 "reschedule" Reschedule,
        /// Do not publish a scheduled post.
        21 "cancel-scheduled" CancelScheduled,
        /// Follow somebody.
        30 "follow" Follow,
        /// Follow somebody no more.
        31 "unfollow" Unfollow,
        /// Accept or reject who asks to follow.
        32 "answer-request" AnswerRequest,
        /// End that somebody follows.
        33 "remove-follower" RemoveFollower,
        /// Block somebody, or no more.
        34 "set-block" SetBlock,
        /// Mute somebody, or no more.
        35 "set-mute" SetMute,
        /// Write down something about somebody.
        36 "set-note" SetNote,
        /// Show somebody on the profile, or no more.
        37 "set-endorsed" SetEndorsed,
        /// Make a list, or change one.
        40 "make-list" MakeList,
        /// Remove a list.
        41 "remove-list" RemoveList,
        /// Put accounts into a list, or take them out.
        42 "set-listed" SetListed,
        /// Follow a tag, or no more.
        43 "follow-tag" FollowTag,
        /// Show a tag on the profile, or no more.
        44 "feature-tag" FeatureTag,
        /// Make a filter, or change one.
        45 "set-filter" SetFilter,
        /// Remove a filter.
        46 "remove-filter" RemoveFilter,
        /// Remember how far something was read.
        47 "set-markers" SetMarkers,
        /// Forget notifications.
        50 "clear-notifications" ClearNotifications,
        /// A conversation was read.
        51 "read-conversation" ReadConversation,
        /// Show a conversation no more until something new is said.
        52 "hide-conversation" HideConversation,
        /// Take up an attachment.
        60 "add-media" AddMedia,
        /// Describe an attachment.
        61 "change-media" ChangeMedia,
        /// Take an attachment away.
        62 "remove-media" RemoveMedia,
        /// The files of an attachment are made.
        63 "finish-media" FinishMedia,
        /// Posts were shown in ranked order.
        75 "log-impressions" LogImpressions,
        /// Somebody stayed with posts that were shown.
        76 "log-dwell" LogDwell,
        /// Order by these models.
        77 "set-model" SetModel,
        /// How an account wants things ordered.
        78 "set-ranking" SetRanking,
        /// Somebody takes part in an experiment.
        79 "log-exposure" LogExposure,
        /// Say which notifications are kept apart or dropped.
        80 "set-policy" SetPolicy,
        /// Decide about accounts whose notifications were kept apart.
        81 "answer-notification-requests" AnswerNotificationRequests,
        /// Take measures about an account.
        82 "moderate" Moderate,
        /// Report an account to the moderators.
        83 "file-report" FileReport,
        /// See to a report.
        84 "change-report" ChangeReport,
        /// Make an announcement, or change one.
        85 "set-announcement" SetAnnouncement,
        /// Take an announcement back.
        86 "remove-announcement" RemoveAnnouncement,
        /// An announcement was read.
        87 "dismiss-announcement" DismissAnnouncement,
        /// React to an announcement, or no more.
        88 "react" React,
        /// Make a custom emoji.
        89 "set-emoji" SetEmoji,
        /// Remove a custom emoji.
        90 "remove-emoji" RemoveEmoji,
        /// Block a domain, or no more.
        91 "block-domain" BlockDomain,
        /// Suggest somebody no more.
        92 "dismiss-suggestion" DismissSuggestion,
        /// Forget an account that identity has erased.
        93 "erase-account" EraseAccount,
        /// Push notifications to an address.
        95 "set-push" SetPush,
        /// Push other notifications.
        96 "change-push" ChangePush,
        /// Push no more.
        97 "remove-push" RemovePush,
        /// Say who may quote a post.
        98 "set-quote-policy" SetQuotePolicy,
        /// Take back that a post may quote another.
        99 "revoke-quote" RevokeQuote,

        /// From a follower's partition: they wish to follow.
        100 "asked" Asked,
        /// From a follower's partition: they wish no more.
        101 "unasked" Unasked,
        /// From the followed one's partition: yes or no, also later.
        102 "answered" Answered,
        /// From the blocker's partition.
        103 "block-told" BlockTold,
        /// From an author's partition: a slice of a post's fan-out.
        104 "delivered" Delivered,
        /// From an author's partition: what was delivered is gone or has changed.
        105 "retracted" Retracted,
        /// From an author's partition: a post names somebody here.
        106 "named" Named,
        /// From an answer's author's partition.
        107 "reply-told" ReplyTold,
        /// From a reblogger's partition.
        108 "reblog-told" ReblogTold,
        /// From an author's partition: somebody here likes a post.
        109 "favourite-told" FavouriteTold,
        /// From an author's partition: what reblogs stood for is gone.
        110 "reblogs-ended" ReblogsEnded,
        /// From an author's partition: what somebody here reblogs has changed.
        111 "reblogs-edited" ReblogsEdited,
        /// From an author's partition: a post names somebody here no more.
        112 "unnamed" Unnamed,
        /// From an account's partition: what moderators have done about it.
        120 "standing-told" StandingTold,
        /// Somebody reported or signed up, for a moderator here.
        121 "flagged" Flagged,
        /// Somebody of this partition has reported posts.
        123 "reported" Reported,
        /// From an account's partition: it was erased.
        122 "forgotten" Forgotten,
        /// From a quoting post's partition.
        130 "quote-told" QuoteTold,
        /// From a quoted post's partition: no, or no more.
        131 "quote-answered" QuoteAnswered,
        /// From a quoted post's partition: it was edited.
        132 "quoted-edited" QuotedEdited,
    }
}

/// What is answered. The numbers are released and never used again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// It is so now; also when it was so before.
    Done,
    /// A post was made.
    Posted(PostId),
    /// Something else was made: a list, a filter, an attachment, a scheduled post.
    Made(ItemId),
    /// It cannot be.
    Refused(Refusal),
}

impl decalog_runtime::Wire for Reply {
    fn kind(&self, _rules: u32) -> (u16, u16) {
        (1, 1)
    }

    fn encode(&self, _rules: u32, out: &mut Vec<u8>) {
        decalog_runtime::pack(self, out);
    }

    fn decode(kind: u16, version: u16, body: &[u8]) -> Result<Self, decalog_runtime::DecodeError> {
        decalog_runtime::unpack(kind, version, body)
    }
}

/// Why something is not done. New ones come at the end; none is ever taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Refusal {
    /// There is nothing of this id, or not for who asks.
    #[error("Record not found")]
    NotFound,
    /// It belongs to somebody else.
    #[error("This action is not allowed")]
    NotAllowed,
    /// It is there already.
    #[error("Duplicate record")]
    Duplicate,
    /// There are as many as there may be.
    #[error("Validation failed: Limit reached")]
    TooMany,
    /// The poll has ended.
    #[error("Validation failed: The poll has already ended")]
    PollEnded,
    /// One vote each.
    #[error("Validation failed: You have already voted on this poll")]
    VotedBefore,
    /// The poll has no such answer.
    #[error("Validation failed: The chosen vote option does not exist")]
    NoSuchOption,
    /// The author's own poll.
    #[error("Validation failed: You cannot vote in your own polls")]
    OwnPoll,
    /// One's own account.
    #[error("This action is not allowed")]
    Oneself,
    /// The account's name belongs to somebody else.
    #[error("Username has already been taken")]
    NameTaken,
    /// Only public and unlisted posts can be pinned or reblogged by others; a direct one never.
    #[error("Validation failed: This kind of post cannot be used so")]
    WrongVisibility,
    /// The files of an attachment are still being made.
    #[error(
        "Validation failed: Cannot attach files that have not finished processing. Try again in a moment!"
    )]
    NotReady,
    /// Only who is followed can be shown on the profile.
    #[error("Validation failed: You must be already following the person you want to endorse")]
    NotFollowed,
    /// What should order posts cannot.
    #[error("Validation failed: These are no models for ranking")]
    BadModel,
    /// There is one as new or newer.
    #[error("Validation failed: The models are not newer than those in use")]
    OldModel,
    /// Moderators have suspended who asks.
    #[error("Your login is currently disabled")]
    Suspended,
    /// What somebody reacts with is no emoji.
    #[error("Validation failed: Name is not a recognized emoji")]
    NoEmoji,
    /// There are as many different reactions as there may be.
    #[error("Validation failed: Limit of different reactions reached")]
    TooManyReactions,
}
