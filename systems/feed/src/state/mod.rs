//! The state machine: [`Feed`]. This file dispatches; what a command does stands in its noun's file.
//!
//! A partition holds accounts by their buckets, and with an account everything that is its own: profile, posts, whom it
//! follows and who follows it, what it is told. Nothing here looks at another partition: what it has to know comes as a
//! message ([`crate::command::message`]).

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod account;
mod announcement;
mod block;
mod conversation;
mod deletion;
mod delivery;
mod directory;
mod domain_block;
mod due;
mod emoji;
mod erasure;
mod filter;
mod follow;
mod interaction;
mod list;
mod listing;
mod marker;
mod media;
mod notification;
mod notification_policy;
mod poll;
mod post;
mod push;
mod quote;
mod ranking;
mod read;
mod reblog;
mod report;
mod rows;
mod scheduled;
mod standing;
mod tag;
mod usage;

use std::cell::RefCell;
use std::io;
use std::sync::Arc;

use decalog_runtime::bucket::{BUCKETS, partition_of};
use decalog_runtime::tables::{Backing, Tables};
use decalog_runtime::{Digest, Outbox, Stamp, StateMachine, Timestamp, partition_id};

pub use account::{Account, Defaults};
pub use announcement::Announcement;
pub use block::Muting;
pub use conversation::Conversation;
pub use directory::DirectoryOrder;
pub use emoji::Emoji;
pub use filter::Filter;
pub use follow::{Following, Relation};
pub use list::List;
pub use listing::Listing;
pub use marker::{Marker, Markers};
pub use media::MediaRow;
pub use notification::Notification;
pub use notification_policy::{Held, Policy};
pub use post::{Post, Revision};
pub use push::PushSubscription;
pub use quote::{Found, Quote, QuoteShown};
pub use ranking::{Exposure, MODEL_BUCKET, Outcome, Ranking, Shipped};
pub use read::{Shown, Viewer};
pub use report::Report;
pub use rows::Window;
pub use scheduled::Scheduled;
pub use tag::{FeaturedTag, TagRow};
pub use usage::Usage;

use crate::command::{Command, Refusal, Reply};
use crate::event::Event;
use crate::value::AccountId;
use rows::Rows;

/// The feed's number among the systems: the high half of its partitions' ids.
pub const SYSTEM: u16 = 3;

/// One partition.
#[derive(Debug)]
pub struct Feed {
    rows: Rows,
    place: Place,
    /// When something happens by itself next, as far as it is known.
    next_due: RefCell<Option<Option<Timestamp>>>,
}

/// Which partition this is.
#[derive(Clone, Copy, Debug)]
struct Place {
    index: usize,
    partitions: usize,
}

/// One record being applied: the rows, and where the consequences go.
struct Turn<'a> {
    rows: &'a mut Rows,
    at: &'a Stamp,
    out: &'a mut Outbox<Event>,
    place: Place,
    /// Something that happens by itself was added or taken away.
    due_changed: bool,
}

impl Feed {
    /// A partition over what this backing holds: the `index`-th of `partitions`.
    pub fn new(backing: Arc<dyn Backing>, index: usize, partitions: usize) -> Feed {
        let rows = Rows { tables: Tables::new(backing) };
        Feed { rows, place: Place { index, partitions }, next_due: RefCell::default() }
    }

    fn turn<R>(&mut self, at: &Stamp, out: &mut Outbox<Event>, act: impl FnOnce(&mut Turn<'_>) -> R) -> R {
        let mut turn = Turn { rows: &mut self.rows, at, out, place: self.place, due_changed: false };
        let result = act(&mut turn);
        if turn.due_changed {
            *self.next_due.get_mut() = None;
        }
        result
    }
}

impl Turn<'_> {
    /// Whatever was asked, unless moderators have suspended who asks.
    fn ask(&mut self, command: Command) -> Reply {
        match standing::actor(&command) {
            Some(account) if self.rows.is_suspended(account) => refused(Refusal::Suspended),
            _ => self.take(command),
        }
    }

    /// Whatever was asked, or told by another partition.
    fn take(&mut self, command: Command) -> Reply {
        match command {
            Command::OpenAccount(it) => self.open_account(it),
            Command::UpdateProfile(it) => self.update_profile(it),
            Command::Publish(it) => self.publish(it),
            Command::EditPost(it) => self.edit_post(it),
            Command::DeletePost(it) => self.delete_post(it),
            Command::Reblog(it) => self.reblog(it),
            Command::Unreblog(it) => self.unreblog(it),
            Command::Favourite(it) => self.favourite(it),
            Command::SetBookmark(it) => self.set_bookmark(it),
            Command::SetPin(it) => self.set_pin(it),
            Command::SetThreadMute(it) => self.set_thread_mute(it),
            Command::Vote(it) => self.vote(it),
            Command::Reschedule(it) => self.reschedule(it),
            Command::CancelScheduled(it) => self.cancel_scheduled(it),
            Command::Follow(it) => self.follow(it),
            Command::Unfollow(it) => self.unfollow(it),
            Command::AnswerRequest(it) => self.answer_request(it),
            Command::RemoveFollower(it) => self.remove_follower(it),
            Command::SetBlock(it) => self.set_block(it),
            Command::SetMute(it) => self.set_mute(it),
            Command::SetNote(it) => self.set_note(it),
            Command::SetEndorsed(it) => self.set_endorsed(it),
            Command::MakeList(it) => self.make_list(it),
            Command::RemoveList(it) => self.remove_list(it),
            Command::SetListed(it) => self.set_listed(it),
            Command::FollowTag(it) => self.follow_tag(it),
            Command::FeatureTag(it) => self.feature_tag(it),
            Command::SetFilter(it) => self.set_filter(it),
            Command::RemoveFilter(it) => self.remove_filter(it),
            Command::SetMarkers(it) => self.set_markers(it),
            Command::ClearNotifications(it) => self.clear_notifications(it),
            Command::ReadConversation(it) => self.read_conversation(it),
            Command::HideConversation(it) => self.hide_conversation(it),
            Command::AddMedia(it) => self.add_media(it),
            Command::ChangeMedia(it) => self.change_media(it),
            Command::RemoveMedia(it) => self.remove_media(it),
            Command::FinishMedia(it) => self.finish_media(it),
            Command::LogImpressions(it) => self.log_impressions(it),
            Command::LogDwell(it) => self.log_dwell(it),
            Command::SetModel(it) => self.set_model(it),
            Command::SetRanking(it) => self.set_ranking(it),
            Command::LogExposure(it) => self.log_exposure(it),
            Command::SetPolicy(it) => self.set_policy(it),
            Command::AnswerNotificationRequests(it) => self.answer_notification_requests(it),
            it @ (Command::Moderate(_) | Command::Flagged(_)) => self.take_measure(it),
            it @ Command::Reported(_) => self.take_measure(it),
            it @ (Command::FileReport(_) | Command::ChangeReport(_)) => self.take_measure(it),
            it @ (Command::EraseAccount(_) | Command::Forgotten(_)) => self.take_erasure(it),
            it @ (Command::SetAnnouncement(_) | Command::RemoveAnnouncement(_)) => self.take_notice(it),
            it @ (Command::SetEmoji(_) | Command::RemoveEmoji(_)) => self.take_notice(it),
            it @ Command::React(_) => self.take_notice(it),
            Command::DismissAnnouncement(it) => self.dismiss_announcement(it),
            Command::BlockDomain(it) => self.block_domain(it),
            Command::DismissSuggestion(it) => self.dismiss_suggestion(it),
            Command::SetPush(it) => self.set_push(it),
            Command::ChangePush(it) => self.change_push(it),
            Command::RemovePush(it) => self.remove_push(it),
            Command::SetQuotePolicy(it) => self.set_quote_policy(it),
            Command::RevokeQuote(it) => self.revoke_quote(it),
            Command::Asked(it) => self.asked(it),
            Command::Unasked(it) => self.unasked(it),
            Command::Answered(it) => self.answered(it),
            Command::BlockTold(it) => self.block_told(it),
            Command::Delivered(it) => self.delivered(it),
            Command::Retracted(it) => self.retracted(it),
            Command::Named(it) => self.named(it),
            Command::ReplyTold(it) => self.reply_told(it),
            Command::ReblogTold(it) => self.reblog_told(it),
            Command::FavouriteTold(it) => self.favourite_told(it),
            Command::StandingTold(it) => self.standing_told(it),
            Command::QuoteTold(it) => self.quote_told(it),
            Command::QuoteAnswered(it) => self.quote_answered(it),
            Command::QuotedEdited(it) => self.quoted_edited(it),
            Command::ReblogsEnded(it) => self.reblogs_ended(it),
            Command::ReblogsEdited(it) => self.reblogs_edited(it),
            Command::Unnamed(it) => self.unnamed(it),
        }
    }

    /// Tells whoever holds this bucket: at once when that is this partition, else by a message.
    fn tell(&mut self, bucket: u16, message: impl Into<Command>) {
        self.tell_partition(partition_of(bucket, self.place.partitions), bucket, message);
    }

    fn tell_partition(&mut self, partition: usize, bucket: u16, message: impl Into<Command>) {
        if partition == self.place.index {
            self.take(message.into());
        } else {
            let index = u16::try_from(partition).expect("at most 1024 partitions");
            self.out.send(partition_id(SYSTEM, index), bucket, &message.into(), self.at.rules);
        }
    }

    /// Tells every other partition.
    fn tell_all(&mut self, message: &(impl Into<Command> + Clone)) {
        let Place { index, partitions } = self.place;
        for partition in (0..partitions).filter(|partition| *partition != index) {
            let bucket = (0..BUCKETS).find(|bucket| partition_of(*bucket, partitions) == partition);
            self.tell_partition(partition, bucket.expect("every partition owns a bucket"), message.clone());
        }
    }

    fn next_id(&mut self) -> u64 {
        self.rows.next_id(self.at.time, self.at.bucket)
    }

    /// The next id in an account's bucket.
    fn next_id_of(&mut self, account: AccountId) -> u64 {
        self.rows.next_id(self.at.time, account.bucket())
    }

    /// Nanoseconds since 1970.
    fn now(&self) -> i64 {
        self.at.time.0
    }
}

/// A reply that says no.
fn refused(why: Refusal) -> Reply {
    Reply::Refused(why)
}

impl StateMachine for Feed {
    type Command = Command;
    type Reply = Reply;
    type Event = Event;

    fn apply(&mut self, at: &Stamp, command: Command, out: &mut Outbox<Event>) -> Reply {
        self.turn(at, out, |turn| {
            let reply = turn.ask(command);
            turn.be_active(AccountId(at.principal));
            reply
        })
    }

    fn deadline(&self) -> Option<Timestamp> {
        *self.next_due.borrow_mut().get_or_insert_with(|| self.rows.next_due())
    }

    fn expire(&mut self, at: &Stamp, out: &mut Outbox<Event>) {
        self.turn(at, out, |turn| turn.fire_due());
        *self.next_due.get_mut() = None;
    }

    fn snapshot(&self, out: &mut dyn io::Write) -> io::Result<()> {
        self.rows.tables.snapshot(out)
    }

    fn restore(&mut self, from: &mut dyn io::Read) -> io::Result<()> {
        *self.next_due.get_mut() = None;
        self.rows.tables.restore(from)
    }

    fn digest(&self) -> Digest {
        self.rows.digest()
    }

    fn tables(&mut self) -> Option<&mut Tables> {
        Some(&mut self.rows.tables)
    }
}
