//! What can be read of a partition: for the API, whose every question is one closure on the apply thread.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::listing::Listing;
use super::rows::{Window, family};
use super::{
    Account, Announcement, Conversation, Emoji, FeaturedTag, Feed, Filter, Held, List, Markers, MediaRow,
    Notification, Policy, Post, Relation, Report, Revision, Scheduled, TagRow,
};
use crate::value::{AccountId, Entry, ItemId, PostId, Standing};

/// A post as somebody sees it, as far as its author's partition knows.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The post.
    pub post: Post,
    /// Who wrote it.
    pub author: Arc<Account>,
    /// The viewer likes it.
    pub favourited: bool,
    /// The author shows it first.
    pub pinned: bool,
    /// What the viewer chose in its poll.
    pub votes: Option<Vec<u32>>,
}

/// What a viewer's own partition knows of a post.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Viewer {
    /// The viewer's reblog of it.
    pub reblog: Option<PostId>,
    /// The viewer keeps it.
    pub bookmarked: bool,
    /// The viewer hears no more of its thread.
    pub muted: bool,
}

impl Feed {
    /// An account of this partition.
    pub fn account(&self, account: AccountId) -> Option<Account> {
        self.rows.account(account)
    }

    /// The account of a name.
    pub fn account_named(&self, name: &str) -> Option<Account> {
        self.rows.account_named(name).and_then(|id| self.rows.account(id))
    }

    /// The first accounts whose names begin so.
    pub fn accounts_from(&self, name: &str, most: usize) -> Vec<Account> {
        self.rows.accounts_from(name, most).into_iter().filter_map(|id| self.rows.account(id)).collect()
    }

    /// Accounts by their ids.
    pub fn accounts_within(&self, window: Window) -> Vec<Account> {
        self.rows.accounts_within(window)
    }

    /// The domains that an account blocks, each with its place.
    pub fn blocked_domains(&self, account: AccountId, window: Window) -> Vec<(u64, String)> {
        self.rows.blocked_domains(account, window)
    }

    /// An announcement.
    pub fn announcement(&self, id: ItemId) -> Option<Announcement> {
        self.rows.announcement(id)
    }

    /// All announcements.
    pub fn announcements(&self) -> Vec<Announcement> {
        self.rows.announcements()
    }

    /// Whether somebody reacts so to an announcement.
    pub fn reacts(&self, id: ItemId, account: AccountId, name: &str) -> bool {
        self.rows.reacts(id, account, name)
    }

    /// All custom emoji.
    pub fn all_emoji(&self) -> Vec<Emoji> {
        self.rows.all_emoji()
    }

    /// A report of this partition.
    pub fn report(&self, report: ItemId) -> Option<Report> {
        self.rows.report(report)
    }

    /// Reports of this partition.
    pub fn reports(&self, window: Window) -> Vec<Report> {
        self.rows.reports(window)
    }

    /// How an account of this partition stands to another.
    pub fn relation(&self, account: AccountId, other: AccountId) -> Relation {
        self.rows.relation(account, other)
    }

    /// A post of this partition, whoever may see it.
    pub fn post(&self, post: PostId) -> Option<Post> {
        self.rows.post(post)
    }

    /// A post as somebody sees it, if its author lets them.
    pub fn show(&self, post: PostId, viewer: Option<AccountId>) -> Option<Shown> {
        self.show_all([post], viewer).pop()
    }

    /// Those of these posts that a viewer sees. What posts of one author have in common is read once.
    pub fn show_all(&self, posts: impl IntoIterator<Item = PostId>, viewer: Option<AccountId>) -> Vec<Shown> {
        let mut authors = BTreeMap::new();
        let one = |id: PostId| {
            let post = self.rows.post(id)?;
            let read =
                || Some((Arc::new(self.rows.account(post.author)?), self.rows.eye(post.author, viewer)));
            let (author, eye) = authors.entry(post.author).or_insert_with(read).as_ref()?;
            let author = Some(Arc::clone(author)).filter(|_| eye.sees(&post))?;
            let listed = |listing, owner, subject| self.rows.place(listing, owner, subject).is_some();
            let by = viewer.filter(|_| post.favourites > 0);
            Some(Shown {
                author,
                favourited: by.is_some_and(|by| listed(Listing::FavouritedBy, id.0, by.0)),
                pinned: viewer == Some(post.author) && listed(Listing::Pins, post.author.0, id.0),
                votes: viewer.filter(|_| post.poll.is_some()).and_then(|viewer| self.rows.votes(id, viewer)),
                post,
            })
        };
        posts.into_iter().filter_map(one).collect()
    }

    /// What an account of this partition has done with posts anywhere, which are given with their conversations.
    pub fn viewers(
        &self,
        viewer: AccountId,
        posts: impl IntoIterator<Item = (PostId, PostId)>,
    ) -> BTreeMap<PostId, Viewer> {
        let any = |listing| !self.rows.listing(listing, viewer.0, Window::newest(1)).is_empty();
        let [reblogs, bookmarks, threads] =
            [Listing::Reblogs, Listing::Bookmarks, Listing::MutedThreads].map(|it| any(it).then_some(it));
        let place = |listing: Option<Listing>, subject| self.rows.place(listing?, viewer.0, subject);
        let one = |(post, conversation): (PostId, PostId)| {
            let viewer = Viewer {
                reblog: place(reblogs, post.0).map(PostId),
                bookmarked: place(bookmarks, post.0).is_some(),
                muted: place(threads, conversation.0).is_some(),
            };
            (post, viewer)
        };
        posts.into_iter().map(one).collect()
    }

    /// Places and subjects of a listing.
    pub fn listing(&self, listing: Listing, owner: u64, window: Window) -> Vec<(u64, u64)> {
        self.rows.listing(listing, owner, window)
    }

    /// Where a subject stands in a listing.
    pub fn place(&self, listing: Listing, owner: u64, subject: u64) -> Option<u64> {
        self.rows.place(listing, owner, subject)
    }

    /// Whether an account was erased.
    pub fn is_erased(&self, account: AccountId) -> bool {
        self.rows.is_erased(account)
    }

    /// What an account wrote and reblogged.
    pub fn written(&self, account: AccountId, window: Window) -> Vec<Entry> {
        self.rows.written(account, window)
    }

    /// What is public.
    pub fn public(&self, window: Window) -> Vec<Entry> {
        self.rows.page(&[family::PUBLIC], window).into_iter().map(|(_, entry)| entry).collect()
    }

    /// What is public and has a tag.
    pub fn tagged(&self, tag: &str, window: Window) -> Vec<Entry> {
        self.rows.tagged(tag, window).into_iter().map(|(_, entry)| entry).collect()
    }

    /// An account's public posts with a tag.
    pub fn own_tagged(&self, account: AccountId, tag: &str, window: Window) -> Vec<PostId> {
        self.rows.own_tagged(account, tag, window).into_iter().map(PostId).collect()
    }

    /// A tag that was used here.
    pub fn tag(&self, tag: &str) -> Option<TagRow> {
        self.rows.tag(tag)
    }

    /// The first tags that begin so.
    pub fn tags_from(&self, start: &str, most: usize) -> Vec<(String, TagRow)> {
        self.rows.tags_from(start, most)
    }

    /// The tags that an account follows, each with its place.
    pub fn followed_tags(&self, account: AccountId) -> Vec<(u64, String)> {
        self.rows.followed_tags(account)
    }

    /// Whether an account follows a tag.
    pub fn follows_tag(&self, account: AccountId, tag: &str) -> bool {
        self.rows.follows_tag(account, tag)
    }

    /// Whether an account shows a tag on its profile.
    pub fn features_tag(&self, account: AccountId, tag: &str) -> bool {
        self.rows.features_tag(account, tag)
    }

    /// The tags on a profile.
    pub fn featured_tags(&self, account: AccountId) -> Vec<FeaturedTag> {
        self.rows.featured_tags(account)
    }

    /// What a post was before it was changed, the oldest first.
    pub fn revisions(&self, post: PostId) -> Vec<Revision> {
        self.rows.revisions(post)
    }

    /// An account's lists.
    pub fn lists(&self, account: AccountId) -> Vec<List> {
        self.rows.lists(account)
    }

    /// One of them.
    pub fn list(&self, account: AccountId, list: ItemId) -> Option<List> {
        self.rows.list(account, list)
    }

    /// Who is in a list.
    pub fn members(&self, list: ItemId) -> Vec<AccountId> {
        self.rows.members(list)
    }

    /// An account's filters.
    pub fn filters(&self, account: AccountId) -> Vec<Filter> {
        self.rows.filters(account)
    }

    /// How far an account's timelines were read.
    pub fn markers(&self, account: AccountId) -> Markers {
        self.rows.markers(account)
    }

    /// What an account was told.
    pub fn notifications(&self, account: AccountId, window: Window) -> Vec<(u64, Notification)> {
        self.rows.notifications(account, window)
    }

    /// Which notifications an account keeps apart.
    pub fn policy(&self, account: AccountId) -> Policy {
        self.rows.policy(account)
    }

    /// Accounts to decide about: their requests, who they are, and what was kept apart of them.
    pub fn notification_requests(
        &self,
        account: AccountId,
        window: Window,
    ) -> Vec<(ItemId, AccountId, Held)> {
        let found = self.rows.listing(Listing::NotificationRequests, account.0, window).into_iter();
        let one = |(id, from)| Some((ItemId(id), AccountId(from), self.rows.held(account, AccountId(from))?));
        found.filter_map(one).collect()
    }

    /// What moderators have done about an account of any partition.
    pub fn standing(&self, account: AccountId) -> Standing {
        self.rows.standing(account)
    }

    /// Everybody about whom they have done something.
    pub fn standings(&self) -> Vec<(AccountId, Standing)> {
        self.rows.standings()
    }

    /// An account's conversations, each with the post it began with.
    pub fn conversations(&self, account: AccountId) -> Vec<(PostId, Conversation)> {
        self.rows.conversations(account)
    }

    /// An attachment of an account.
    pub fn media(&self, account: AccountId, media: ItemId) -> Option<MediaRow> {
        self.rows.media(account, media)
    }

    /// An account's posts for later.
    pub fn all_scheduled(&self, account: AccountId) -> Vec<Scheduled> {
        self.rows.all_scheduled(account)
    }

    /// One of them.
    pub fn scheduled(&self, account: AccountId, id: ItemId) -> Option<Scheduled> {
        self.rows.scheduled(account, id)
    }
}
