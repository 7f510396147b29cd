//! Moments that are easily got wrong, one test each: messages that cross, posts that are gone meanwhile, ends that come
//! by themselves.

use decalog_feed::command::message::{ReblogTold, ReplyTold};
use decalog_feed::command::*;
use decalog_feed::state::{Feed, Listing, Relation, Window};
use decalog_feed::value::*;
use fastrand::Rng;

use crate::books::subjects;
use crate::partitions::lock;
use crate::people::{Sight, attachment, finished};
use crate::privacy::{draft, follow};
use crate::world::World;

/// Four partitions, and two accounts in two of them.
pub(crate) struct Pair {
    pub(crate) world: World,
    pub(crate) ada: AccountId,
    pub(crate) bob: AccountId,
    random: Rng,
}

impl Pair {
    pub(crate) fn new() -> Pair {
        let (world, people) = World::peopled(4);
        Pair { world, ada: people.accounts[0], bob: people.accounts[3], random: Rng::with_seed(3) }
    }

    pub(crate) fn home(&self, account: AccountId) -> &Feed {
        self.world.at(account.bucket())
    }

    /// Asks; whatever that lets others know is still on its way.
    pub(crate) fn ask(&mut self, account: AccountId, command: impl Into<Command>) -> Reply {
        self.world.ask(account.bucket(), command)
    }

    /// Lets everything arrive; what must hold at rest holds.
    pub(crate) fn settle(&mut self) {
        self.world.settle(&mut self.random);
        self.world.check().unwrap();
    }

    pub(crate) fn post(&mut self, account: AccountId, draft: Draft) -> PostRef {
        let reply = self.ask(account, Publish { account, draft, scheduled: None });
        let Reply::Posted(post) = reply else { panic!("{reply:?}") };
        PostRef { post, author: account }
    }

    pub(crate) fn made(&mut self, account: AccountId, command: impl Into<Command>) -> ItemId {
        let reply = self.ask(account, command);
        let Reply::Made(item) = reply else { panic!("{reply:?}") };
        item
    }

    /// How ada stands to bob.
    fn relation(&self) -> Relation {
        self.home(self.ada).relation(self.ada, self.bob)
    }

    pub(crate) fn kinds(&self, account: AccountId) -> Vec<NotificationKind> {
        let told = self.home(account).notifications(account, Window::newest(100)).into_iter();
        told.map(|(_, row)| row.kind).collect()
    }

    pub(crate) fn later(&mut self, seconds: i64) {
        self.world.now += seconds * SECOND;
        self.world.tick();
    }
}

pub(crate) fn open_draft() -> Draft {
    draft("words", Visibility::Public)
}

/// Takes a post back.
pub(crate) fn delete(post: PostRef) -> DeletePost {
    DeletePost { account: post.author, post: post.post, delete_media: false }
}

fn poll(titles: [&str; 2], expires: i64) -> Option<Poll> {
    let option = |title: &str| PollOption { title: title.to_owned(), votes: 0 };
    let options = titles.map(option).to_vec();
    Some(Poll { options, multiple: false, hide_totals: false, expires, voters: 0 })
}

#[test]
fn who_is_locked_meanwhile_is_asked() {
    let mut pair = Pair::new();
    let (ada, bob) = (pair.ada, pair.bob);
    pair.ask(ada, follow(ada, bob, false));
    assert!(pair.relation().following.is_some(), "as it was seen to be");
    pair.ask(bob, lock(bob, true));
    pair.settle();
    assert!(pair.relation().requested.is_some());
    assert_eq!(subjects(pair.home(bob), Listing::Requests, bob.0), [ada.0]);
    pair.ask(bob, AnswerRequest { account: bob, from: ada, accept: true });
    pair.settle();
    assert!(pair.relation().following.is_some());
    assert_eq!(pair.kinds(bob), [NotificationKind::Follow], "the request is answered");
}

#[test]
fn a_wish_that_a_block_crosses_ends() {
    let mut pair = Pair::new();
    let (ada, bob) = (pair.ada, pair.bob);
    pair.ask(ada, follow(ada, bob, false));
    for on in [true, false] {
        pair.ask(bob, SetBlock { account: bob, target: ada, on });
    }
    pair.settle();
    assert_eq!(
        pair.relation(),
        Relation::default(),
        "bob has unblocked before ada's wish came, and accepted it"
    );
    assert_eq!(pair.home(bob).account(bob).unwrap().followers, 0);
}

#[test]
fn a_block_ends_a_request_that_waits() {
    let mut pair = Pair::new();
    let (ada, bob) = (pair.ada, pair.bob);
    pair.ask(bob, lock(bob, true));
    pair.ask(ada, follow(ada, bob, true));
    pair.settle();
    pair.ask(bob, SetBlock { account: bob, target: ada, on: true });
    pair.settle();
    let relation = pair.relation();
    assert!(relation.requested.is_none() && relation.blocked_by);
    assert!(subjects(pair.home(bob), Listing::Requests, bob.0).is_empty());
    assert_eq!(pair.ask(ada, follow(ada, bob, true)), Reply::Refused(Refusal::NotAllowed));
}

#[test]
fn who_follows_again_at_once_follows() {
    let mut pair = Pair::new();
    let (ada, bob) = (pair.ada, pair.bob);
    for _ in 0..3 {
        pair.ask(ada, follow(ada, bob, false));
        pair.ask(ada, Unfollow { account: ada, target: bob });
    }
    pair.ask(ada, follow(ada, bob, false));
    pair.settle();
    assert!(pair.relation().following.is_some());
    assert_eq!(pair.kinds(bob), [NotificationKind::Follow], "told once");
}

#[test]
fn a_no_that_crosses_the_next_wish_ends_it_on_both_sides() {
    let mut pair = Pair::new();
    let (ada, bob) = (pair.ada, pair.bob);
    pair.ask(ada, follow(ada, bob, false));
    pair.settle();
    pair.ask(bob, RemoveFollower { account: bob, from: ada });
    pair.ask(ada, Unfollow { account: ada, target: bob });
    pair.ask(ada, follow(ada, bob, false));
    pair.settle();
    assert_eq!(pair.relation(), Relation::default());
}

#[test]
fn who_is_neither_followed_nor_asked_is_in_no_list_and_on_no_profile() {
    let mut pair = Pair::new();
    let (ada, bob) = (pair.ada, pair.bob);
    pair.ask(bob, lock(bob, true));
    pair.ask(ada, follow(ada, bob, true));
    let (title, replies_policy) = ("Friends".to_owned(), "list".to_owned());
    let list = pair.made(ada, MakeList { account: ada, list: None, title, replies_policy, exclusive: false });
    assert_eq!(pair.ask(ada, SetListed { account: ada, list, members: vec![bob], on: true }), Reply::Done);
    pair.settle();
    pair.ask(bob, AnswerRequest { account: bob, from: ada, accept: true });
    pair.settle();
    assert_eq!(pair.home(ada).members(list), [bob], "still, now that ada follows");
    assert_eq!(pair.ask(ada, SetEndorsed { account: ada, target: bob, on: true }), Reply::Done);
    pair.ask(ada, Unfollow { account: ada, target: bob });
    assert!(pair.home(ada).members(list).is_empty());
    assert!(subjects(pair.home(ada), Listing::Endorsed, ada.0).is_empty());
    pair.ask(ada, follow(ada, bob, true));
    pair.ask(ada, SetListed { account: ada, list, members: vec![bob], on: true });
    pair.settle();
    pair.ask(bob, AnswerRequest { account: bob, from: ada, accept: false });
    pair.settle();
    assert!(pair.home(ada).members(list).is_empty(), "a request that was rejected");
}

#[test]
fn what_is_published_by_itself_lies_where_its_id_says() {
    let mut pair = Pair::new();
    let (ada, bob) = (pair.ada, pair.bob);
    assert_ne!(ada.bucket(), 0, "the bucket of what fires by itself");
    pair.ask(bob, follow(bob, ada, false));
    pair.settle();
    let parent = pair.post(ada, open_draft());
    let mentions = vec![Mention { account: bob, name: "bob".to_owned() }];
    let expires = 20 * SECOND;
    let draft =
        Draft { reply_to: Some(parent), mentions, poll: poll(["yes", "no"], expires), ..open_draft() };
    let at = pair.world.now + 10 * SECOND;
    pair.made(ada, Publish { account: ada, draft, scheduled: Some(at) });
    pair.later(11);
    pair.settle();
    let [newest, _] = &pair.home(ada).written(ada, Window::newest(9))[..] else { panic!("two posts") };
    assert_eq!(newest.post.bucket(), ada.bucket());
    let post = pair.home(ada).post(newest.post).unwrap();
    assert_eq!((post.created, post.poll.unwrap().expires), (at, at + expires));
    assert_eq!(pair.home(ada).post(parent.post).unwrap().replies, 1);
    assert_eq!(pair.kinds(bob), [NotificationKind::Mention]);
    pair.later(60);
    pair.settle();
    assert_eq!(pair.kinds(ada), [NotificationKind::Poll, NotificationKind::Follow]);
    let told = pair.home(bob).notifications(bob, Window::newest(9));
    assert!(told.iter().all(|(id, _)| ItemId(*id).bucket() == bob.bucket()));
}

#[test]
fn what_comes_after_a_post_is_gone_leaves_nothing() {
    let mut pair = Pair::new();
    let (ada, bob) = (pair.ada, pair.bob);
    let post = pair.post(ada, open_draft());
    pair.ask(ada, SetPin { account: ada, post: post.post, on: true });
    pair.ask(bob, Reblog { account: bob, of: post, visibility: Visibility::Public, language: None });
    pair.post(bob, Draft { reply_to: Some(post), ..open_draft() });
    pair.world.ask(post.post.bucket(), Favourite { account: bob, post: post.post, on: true });
    pair.ask(ada, delete(post));
    pair.settle();
    pair.later(1);
    pair.settle();
    let of = [Listing::FavouritedBy, Listing::RebloggedBy, Listing::Replies];
    assert!(of.iter().all(|listing| subjects(pair.home(ada), *listing, post.post.0).is_empty()));
    assert!(subjects(pair.home(ada), Listing::Pins, ada.0).is_empty());
    assert_eq!(pair.home(ada).account(ada).unwrap().statuses, 0);
    let again = pair.world.ask(post.post.bucket(), Favourite { account: bob, post: post.post, on: true });
    assert_eq!(again, Reply::Refused(Refusal::NotFound));
    // The reblog is gone with it; to take it back does nothing more.
    assert_eq!(pair.ask(bob, Unreblog { account: bob, of: post }), Reply::Done);
    pair.settle();
    assert_eq!(pair.home(bob).account(bob).unwrap().statuses, 1, "the answer");
}

#[test]
fn an_answer_to_what_is_gone_is_a_post_of_its_own() {
    let mut pair = Pair::new();
    let (ada, bob) = (pair.ada, pair.bob);
    let post = pair.post(ada, open_draft());
    pair.ask(ada, delete(post));
    pair.settle();
    let answer = Draft { reply_to: Some(post), conversation: Some(post.post), ..open_draft() };
    let answer = pair.post(bob, answer);
    pair.settle();
    assert!(pair.home(bob).show(answer.post, None).is_some());
    pair.ask(bob, delete(answer));
    pair.settle();
}

#[test]
fn of_a_reblog_nothing_is_counted() {
    let mut pair = Pair::new();
    let (ada, bob) = (pair.ada, pair.bob);
    let of = pair.post(ada, open_draft());
    let reply = pair.ask(ada, Reblog { account: ada, of, visibility: Visibility::Public, language: None });
    let Reply::Posted(reblog) = reply else { panic!("{reply:?}") };
    let by = PostRef { post: PostId(bob.0), author: bob };
    pair.ask(ada, ReblogTold { post: reblog, by, on: true });
    pair.ask(ada, ReplyTold { parent: reblog, reply: by, on: true });
    pair.settle();
    let row = pair.home(ada).post(reblog).unwrap();
    assert_eq!((row.reblogs, row.replies), (0, 0));
}

#[test]
fn a_poll_keeps_its_votes_unless_its_answers_change() {
    let mut pair = Pair::new();
    let (ada, bob) = (pair.ada, pair.bob);
    let now = pair.world.now;
    let asks = |titles, expires| Draft { poll: poll(titles, now + expires * SECOND), ..open_draft() };
    let post = pair.post(ada, asks(["yes", "no"], 10)).post;
    let vote = |pair: &mut Pair| pair.world.ask(post.bucket(), Vote { account: bob, post, choices: vec![1] });
    let edit = |pair: &mut Pair, draft| pair.ask(ada, EditPost { account: ada, post, draft });
    assert_eq!(vote(&mut pair), Reply::Done);
    edit(&mut pair, asks(["yes", "no"], 30));
    let kept = pair.home(ada).post(post).unwrap().poll.unwrap();
    assert_eq!((kept.voters, kept.options[1].votes, kept.expires), (1, 1, now + 30 * SECOND));
    pair.later(11);
    assert!(pair.kinds(ada).is_empty(), "it ends later now");
    assert_eq!(vote(&mut pair), Reply::Refused(Refusal::VotedBefore));
    edit(&mut pair, asks(["yes", "never"], 30));
    assert_eq!(vote(&mut pair), Reply::Done, "another question");
    pair.settle();
    pair.later(60);
    assert_eq!(
        (pair.kinds(ada), pair.kinds(bob)),
        (vec![NotificationKind::Poll], vec![NotificationKind::Poll])
    );
    edit(&mut pair, asks(["yes", "never"], 30));
    pair.later(1);
    assert_eq!(pair.kinds(ada).len(), 1, "told once");
    edit(&mut pair, open_draft());
    assert_eq!(vote(&mut pair), Reply::Refused(Refusal::NotFound));
    pair.settle();
}

#[test]
fn a_muted_thread_is_silent() {
    let mut pair = Pair::new();
    let (ada, bob) = (pair.ada, pair.bob);
    let post = pair.post(ada, open_draft());
    pair.ask(ada, SetThreadMute { account: ada, conversation: post.post, on: true });
    pair.world.ask(post.post.bucket(), Favourite { account: bob, post: post.post, on: true });
    pair.ask(bob, Reblog { account: bob, of: post, visibility: Visibility::Public, language: None });
    let mentions = vec![Mention { account: ada, name: "ada".to_owned() }];
    let answer = Draft { reply_to: Some(post), conversation: Some(post.post), mentions, ..open_draft() };
    pair.post(bob, answer.clone());
    pair.settle();
    assert!(pair.kinds(ada).is_empty());
    pair.ask(ada, SetThreadMute { account: ada, conversation: post.post, on: false });
    pair.post(bob, answer);
    pair.settle();
    assert_eq!(pair.kinds(ada), [NotificationKind::Mention]);
}

#[test]
fn who_is_named_twice_is_told_once() {
    let mut pair = Pair::new();
    let (ada, bob) = (pair.ada, pair.bob);
    let mention = Mention { account: bob, name: "bob".to_owned() };
    let post =
        pair.post(ada, Draft { mentions: vec![mention.clone(), mention.clone()], ..open_draft() }).post;
    let draft = Draft { mentions: vec![mention], ..draft("other words", Visibility::Public) };
    pair.ask(ada, EditPost { account: ada, post, draft });
    pair.settle();
    assert_eq!(pair.kinds(bob), [NotificationKind::Mention]);
}

#[test]
fn an_attachment_belongs_to_one_post() {
    let mut pair = Pair::new();
    let ada = pair.ada;
    let media = pair.made(ada, attachment(ada, Some("a cat".to_owned())));
    let with = Draft { media: vec![media], ..open_draft() };
    let early = Publish { account: ada, draft: with.clone(), scheduled: None };
    assert_eq!(pair.ask(ada, early), Reply::Refused(Refusal::NotReady), "its files are being made");
    // What it shows was said while they were.
    let description = Some("a black cat".to_owned());
    pair.made(
        ada,
        ChangeMedia {
            account: ada,
            media,
            description: description.clone(),
            meta: None,
            small: None,
            upload: None,
        },
    );
    pair.made(ada, finished(ada, media));
    assert_eq!(pair.home(ada).media(ada, media).expect("an attachment").media.description, description);
    let post = pair.post(ada, with.clone()).post;
    let publish = |scheduled| Publish { account: ada, draft: with.clone(), scheduled };
    let later = pair.world.now + SECOND;
    for scheduled in [None, Some(later)] {
        assert_eq!(pair.ask(ada, publish(scheduled)), Reply::Refused(Refusal::NotFound));
    }
    // It stays the post's when that is changed, and goes with it when that is asked for.
    pair.ask(ada, EditPost { account: ada, post, draft: open_draft() });
    assert_eq!(pair.ask(ada, publish(None)), Reply::Refused(Refusal::NotFound));
    pair.ask(ada, EditPost { account: ada, post, draft: with.clone() });
    pair.ask(ada, EditPost { account: ada, post, draft: open_draft() });
    pair.ask(ada, DeletePost { account: ada, post, delete_media: true });
    assert_eq!(pair.home(ada).media(ada, media), None);
    pair.settle();
}

#[test]
fn a_changed_post_is_not_what_was_said_last() {
    let mut pair = Pair::new();
    let (ada, bob) = (pair.ada, pair.bob);
    let said = |conversation| {
        let mentions = vec![Mention { account: bob, name: "bob".to_owned() }];
        Draft { mentions, conversation, ..draft("between us", Visibility::Direct) }
    };
    let private_mentions = Some(Treatment::Accept);
    pair.ask(bob, SetPolicy { account: bob, private_mentions, ..SetPolicy::default() });
    let first = pair.post(ada, said(None));
    let second = pair.post(ada, said(Some(first.post)));
    pair.ask(ada, EditPost { account: ada, post: first.post, draft: said(Some(first.post)) });
    pair.settle();
    for account in [ada, bob] {
        let [(id, row)] = &pair.home(account).conversations(account)[..] else { panic!("one conversation") };
        assert_eq!((*id, row.last, row.unread), (first.post, second, account == bob));
        assert_eq!(row.participants, [ada, bob]);
    }
}
