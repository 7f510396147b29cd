//! Posts: written, changed and taken back by their author, in the author's partition.

use serde::{Deserialize, Serialize};

use super::due::Due;
use super::follow::Relation;
use super::quote::{Quote, policy_for};
use super::rows::{Rows, family, key};
use super::usage::Count;
use super::{Turn, refused};
use crate::command::message::{Named, ReplyTold, Unnamed};
use crate::command::{Draft, EditPost, Publish, Refusal, Reply};
use crate::event::{Changed, Written};
use crate::sabotage::{self, Sabotage};
use crate::value::{
    AccountId, Application, Entry, Media, Mention, Poll, PostId, PostRef, QuotePolicy, QuoteState, Visibility,
};

/// A post, or the wrapper that a reblog is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    /// Its id.
    pub id: PostId,
    /// Who wrote it.
    pub author: AccountId,
    /// When, in nanoseconds since 1970.
    pub created: i64,
    /// When it was changed last.
    pub edited: Option<i64>,
    /// What it reblogs: then it has nothing of its own.
    pub reblog_of: Option<PostRef>,
    /// As it was written.
    pub text: String,
    /// A warning before it.
    pub spoiler: String,
    /// Attachments are hidden at first.
    pub sensitive: bool,
    /// ISO 639-1.
    pub language: Option<String>,
    /// Who may see it.
    pub visibility: Visibility,
    /// What it answers.
    pub reply_to: Option<PostRef>,
    /// The post that the thread began with; its own id if that is this.
    pub conversation: PostId,
    /// Whom it names.
    pub mentions: Vec<Mention>,
    /// Its tags: normalised, and as they were written.
    pub tags: Vec<(String, String)>,
    /// Its attachments.
    pub media: Vec<Media>,
    /// Its question.
    pub poll: Option<Poll>,
    /// What it was written with.
    pub application: Option<Application>,
    /// Answers.
    pub replies: u64,
    /// Reblogs.
    pub reblogs: u64,
    /// Likes.
    pub favourites: u64,
    /// What it quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<Quote>,
    /// Who may quote it.
    #[serde(default = "QuotePolicy::nobody")]
    pub quote_policy: QuotePolicy,
    /// Quotes that may.
    #[serde(default)]
    pub quotes: u64,
}

/// What a post was before it was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// Since when it was so.
    pub at: i64,
    /// As it was written.
    pub text: String,
    /// A warning before it.
    pub spoiler: String,
    /// Attachments were hidden at first.
    pub sensitive: bool,
    /// Whom it named.
    pub mentions: Vec<Mention>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// Its attachments.
    pub media: Vec<Media>,
    /// Its question's answers.
    pub options: Vec<String>,
}

impl Post {
    /// What listings need to know of it.
    pub fn entry(&self) -> Entry {
        Entry {
            post: self.id,
            author: self.author,
            visibility: self.visibility,
            reply_to: self.reply_to.map(|parent| parent.author),
            reblog_of: self.reblog_of,
            language: self.language.clone(),
            tags: self.tags.iter().map(|(tag, _)| tag.clone()).collect(),
            media: !self.media.is_empty(),
        }
    }

    /// The post and its author.
    pub fn reference(&self) -> PostRef {
        PostRef { post: self.id, author: self.author }
    }

    /// What it is now, as it is kept when it is changed.
    pub fn revision(&self) -> Revision {
        Revision {
            at: self.edited.unwrap_or(self.created),
            text: self.text.clone(),
            spoiler: self.spoiler.clone(),
            sensitive: self.sensitive,
            mentions: self.mentions.clone(),
            tags: self.tags.clone(),
            media: self.media.clone(),
            options: self
                .poll
                .iter()
                .flat_map(|poll| &poll.options)
                .map(|option| option.title.clone())
                .collect(),
        }
    }

    fn names(&self, account: AccountId) -> bool {
        self.mentions.iter().any(|mention| mention.account == account)
    }
}

/// Revisions kept of a post: the oldest and the newest ones.
const REVISIONS: usize = 100;

pub(super) fn post_key(post: PostId) -> Vec<u8> {
    key(family::POST, [post.0])
}

impl Rows {
    pub(super) fn post(&self, post: PostId) -> Option<Post> {
        self.get(&post_key(post))
    }

    pub(super) fn change_post(&mut self, post: PostId, change: impl FnOnce(&mut Post)) {
        if let Some(mut row) = self.post(post) {
            change(&mut row);
            self.put(&post_key(post), &row);
        }
    }

    /// What an account wrote and reblogged.
    pub(super) fn written(&self, account: AccountId, window: super::Window) -> Vec<Entry> {
        let rows = self.page(&key(family::WRITTEN, [account.0]), window);
        rows.into_iter().map(|(_, entry)| entry).collect()
    }

    /// What a post was before it was changed, the oldest first.
    pub(super) fn revisions(&self, post: PostId) -> Vec<Revision> {
        self.all(&key(family::REVISION, [post.0])).into_iter().map(|(_, row)| row).collect()
    }

    pub(super) fn own_post(&self, account: AccountId, post: PostId) -> Option<Post> {
        self.post(post).filter(|post| post.author == account)
    }

    /// Whether this post's author lets somebody see it. A reblog is no more open than what it reblogs, which is for
    /// the partition of that to say.
    pub(super) fn may_see(&self, post: &Post, viewer: Option<AccountId>) -> bool {
        self.eye(post.author, viewer).sees(post)
    }

    /// With what a viewer looks at an author's posts.
    pub(super) fn eye(&self, author: AccountId, viewer: Option<AccountId>) -> Eye {
        let other = viewer.filter(|viewer| *viewer != author);
        let suspended = viewer != Some(author)
            && [Some(author), other].into_iter().flatten().any(|it| self.is_suspended(it));
        let relation = other.map(|viewer| self.relation(author, viewer)).unwrap_or_default();
        Eye { viewer, suspended, relation }
    }
}

/// What decides which posts of one author a viewer may see.
pub(super) struct Eye {
    viewer: Option<AccountId>,
    /// One of them is, and they are not the same.
    suspended: bool,
    /// How the author stands to the viewer.
    relation: Relation,
}

impl Eye {
    pub(super) fn sees(&self, post: &Post) -> bool {
        let Eye { viewer, suspended, relation } = self;
        if *viewer == Some(post.author) {
            return true;
        }
        if *suspended {
            return false;
        }
        let Some(viewer) = *viewer else { return post.visibility.is_open() };
        if relation.blocking && !sabotage::lacks(Sabotage::Block) {
            return false;
        }
        if post.visibility == Visibility::Private && sabotage::lacks(Sabotage::FollowersOnly) {
            return true;
        }
        match post.visibility {
            Visibility::Public | Visibility::Unlisted => true,
            Visibility::Private => relation.followed_by || post.names(viewer),
            Visibility::Direct => post.names(viewer),
        }
    }
}

impl Turn<'_> {
    pub(super) fn publish(&mut self, it: Publish) -> Reply {
        let Publish { account, draft, scheduled } = it;
        if !self.rows.has_account(account) {
            return refused(Refusal::NotFound);
        }
        if let Some(at) = scheduled {
            return self.schedule(account, draft, at);
        }
        match self.write(account, draft) {
            Ok(post) => Reply::Posted(post),
            Err(why) => refused(why),
        }
    }

    /// Makes a post of a draft, and lets whoever it concerns know.
    pub(super) fn write(&mut self, account: AccountId, draft: Draft) -> Result<PostId, Refusal> {
        if self.rows.is_suspended(account) {
            return Err(Refusal::Suspended);
        }
        let id = PostId(self.next_id_of(account));
        let media = self.attach(account, id, &draft.media)?;
        let post = Post {
            id,
            author: account,
            created: self.now(),
            edited: None,
            reblog_of: None,
            text: draft.text,
            spoiler: draft.spoiler,
            sensitive: draft.sensitive,
            language: draft.language,
            visibility: draft.visibility,
            reply_to: draft.reply_to,
            conversation: draft.conversation.unwrap_or(id),
            mentions: draft.mentions,
            tags: draft.tags,
            media,
            poll: draft.poll,
            application: draft.application,
            replies: 0,
            reblogs: 0,
            favourites: 0,
            // What the other side will say, seen at the edge: should it say otherwise, that comes as an answer.
            quote: draft.quote.map(|of| Quote { of, state: QuoteState::Accepted }),
            quote_policy: policy_for(draft.visibility, draft.quote_policy),
            quotes: 0,
        };
        if let Some(poll) = &post.poll {
            self.set_due(poll.expires, Due::PollEnd, id.0, 0);
        }
        self.rows.put(&post_key(id), &post);
        self.index(&post);
        self.count_status(&post, true);
        self.out.emit(Written { entry: post.entry() }.into());
        if let Some(parent) = post.reply_to {
            let reply = post.reference();
            self.tell(parent.post.bucket(), ReplyTold { parent: parent.post, reply, on: true });
        }
        self.tell_quote(&post, true);
        self.name(&post, &[]);
        self.deliver(post.entry());
        Ok(id)
    }

    /// A post more or less in the author's count.
    pub(super) fn count_status(&mut self, post: &Post, on: bool) {
        if post.visibility == Visibility::Direct {
            return;
        }
        let Some(mut row) = self.rows.account(post.author) else { return };
        row.statuses = super::follow::step(row.statuses, on);
        if on {
            (row.last_status, row.last_post) = (Some(self.now()), Some(post.id));
        }
        self.rows.put_account(&row);
        self.count(Count::Posts, on);
        if on && !sabotage::lacks(Sabotage::Directory) {
            self.list_in_directory(&row);
        }
    }

    /// Puts a post into the listings that it belongs to.
    pub(super) fn index(&mut self, post: &Post) {
        let entry = post.entry();
        self.rows.put(&key(family::WRITTEN, [post.author.0, post.id.0]), &entry);
        if post.visibility == Visibility::Public && post.reblog_of.is_none() {
            self.rows.put(&key(family::PUBLIC, [post.id.0]), &entry);
            self.index_tags(post, &entry);
        }
    }

    /// Takes it out of them.
    pub(super) fn unindex(&mut self, post: &Post) {
        self.rows.remove(&key(family::WRITTEN, [post.author.0, post.id.0]));
        self.rows.remove(&key(family::PUBLIC, [post.id.0]));
        self.unindex_tags(post);
    }

    /// Tells whom a post names, unless they knew before.
    fn name(&mut self, post: &Post, before: &[Mention]) {
        let direct = post.visibility == Visibility::Direct;
        let mut participants: Vec<AccountId> = Vec::new();
        if direct {
            participants.extend(post.mentions.iter().map(|mention| mention.account));
            participants.push(post.author);
            participants.sort_unstable();
            participants.dedup();
            self.converse(post.author, post.conversation, post.reference(), &participants, false);
        }
        for (place, mention) in post.mentions.iter().enumerate() {
            let mut known = before.iter().chain(&post.mentions[..place]);
            if mention.account == post.author || known.any(|known| known.account == mention.account) {
                continue;
            }
            let named = Named {
                target: mention.account,
                post: post.reference(),
                conversation: post.conversation,
                visibility: post.visibility,
                participants: participants.clone(),
            };
            self.tell(mention.account.bucket(), named);
        }
    }

    /// Tells whom a post named that it does no more.
    pub(super) fn unname(&mut self, post: &Post, before: &[Mention]) {
        let (reference, conversation) = (post.reference(), post.conversation);
        for (place, Mention { account, .. }) in before.iter().enumerate() {
            let mut still = post.mentions.iter().chain(&before[..place]);
            if *account == post.author || still.any(|still| still.account == *account) {
                continue;
            }
            let unnamed = Unnamed { target: *account, post: reference, conversation };
            self.tell(account.bucket(), unnamed);
        }
    }

    pub(super) fn edit_post(&mut self, it: EditPost) -> Reply {
        let EditPost { account, post: id, draft } = it;
        let Some(mut post) = self.rows.own_post(account, id).filter(|post| post.reblog_of.is_none()) else {
            return refused(Refusal::NotFound);
        };
        let media = match self.attach(account, id, &draft.media) {
            Ok(media) => media,
            Err(why) => return refused(why),
        };
        self.keep_revision(&post);
        self.unindex(&post);
        let before = std::mem::take(&mut post.mentions);
        self.change_poll(&mut post, draft.poll);
        post.edited = Some(self.now());
        (post.text, post.spoiler, post.sensitive) = (draft.text, draft.spoiler, draft.sensitive);
        (post.language, post.mentions, post.tags, post.media) =
            (draft.language, draft.mentions, draft.tags, media);
        post.quote_policy = policy_for(post.visibility, draft.quote_policy);
        self.rows.put(&post_key(id), &post);
        self.index(&post);
        self.name(&post, &before);
        self.unname(&post, &before);
        self.out.emit(Changed { post: post.reference(), own: true }.into());
        self.retract(&post, true);
        if post.quotes > 0 {
            self.tell_quoters(id, 0);
        }
        self.tell_edited(id, 0);
        Reply::Posted(id)
    }

    /// Another question, or the same one with another end.
    fn change_poll(&mut self, post: &mut Post, new: Option<Poll>) {
        let old = post.poll.take();
        let end = |poll: &Option<Poll>| poll.as_ref().map(|poll| poll.expires);
        let (ended, ends) = (end(&old), end(&new));
        let same = old.as_ref().map(titles) == new.as_ref().map(titles);
        post.poll = match (old, new) {
            (Some(old), Some(new)) if same => {
                Some(Poll { expires: new.expires, hide_totals: new.hide_totals, ..old })
            }
            (_, new) => new,
        };
        if !same {
            // Other answers: whoever voted may vote again.
            self.forget_votes(post.id);
        }
        if same && ended == ends {
            return;
        }
        if let Some(at) = ended {
            self.clear_due(at, Due::PollEnd, post.id.0, 0);
        }
        if let Some(at) = ends {
            self.set_due(at, Due::PollEnd, post.id.0, 0);
        }
    }

    fn keep_revision(&mut self, post: &Post) {
        let prefix = key(family::REVISION, [post.id.0]);
        let kept = self.rows.tables.scan(&prefix);
        if kept.len() >= REVISIONS
            && let Some((second, _)) = kept.get(1)
        {
            self.rows.remove(second);
        }
        let number = kept.last().map_or(0, |(key, _)| super::rows::last_number(key) + 1);
        self.rows.put(&key(family::REVISION, [post.id.0, number]), &post.revision());
    }
}

fn titles(poll: &Poll) -> (Vec<&str>, bool) {
    (poll.options.iter().map(|option| option.title.as_str()).collect(), poll.multiple)
}
