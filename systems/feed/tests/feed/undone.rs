//! What becomes of the rest when something is undone or changed: reblogs, conversations, attachments, requests.

use decalog_feed::command::*;
use decalog_feed::state::{Listing, Window};
use decalog_feed::value::*;
use decalog_runtime::Timestamp;
use decalog_runtime::bucket::IdMaker;

use crate::books::subjects;
use crate::partitions::lock;
use crate::people::{attachment, finished};
use crate::privacy::{draft, follow};
use crate::races::{Pair, delete, open_draft};

/// More than are told at once.
const MANY: usize = 230;

/// Accounts all over the partitions.
fn crowd(pair: &mut Pair) -> Vec<AccountId> {
    let mut maker = IdMaker::default();
    let mut open = |place: usize| {
        let bucket = u16::try_from(place * 4 % 1_000).unwrap();
        let account = AccountId(maker.next(Timestamp(pair.world.now), bucket).0);
        let name = format!("crowd{place}");
        assert_eq!(
            pair.world.ask(bucket, OpenAccount { account, name, moderators: Vec::new() }),
            Reply::Done
        );
        account
    };
    (0..MANY).map(&mut open).collect()
}

fn reblog(account: AccountId, of: PostRef) -> Reblog {
    Reblog { account, of, visibility: Visibility::Public, language: None }
}

/// Everything is heard, and what is due is done.
fn rest(pair: &mut Pair) {
    pair.settle();
    pair.later(1);
    pair.settle();
}

#[test]
pub(crate) fn reblogs_go_with_what_they_stand_for() {
    let mut pair = Pair::new();
    let (ada, bob) = (pair.ada, pair.bob);
    let crowd = crowd(&mut pair);
    pair.ask(ada, follow(ada, bob, false));
    let (post, other) = (pair.post(ada, open_draft()), pair.post(ada, open_draft()));
    for account in crowd.iter().copied().chain([bob]) {
        pair.ask(account, reblog(account, post));
    }
    pair.ask(bob, reblog(bob, other));
    rest(&mut pair);
    assert_eq!(pair.home(ada).post(post.post).unwrap().reblogs, MANY as u64 + 1);
    pair.ask(ada, delete(post));
    rest(&mut pair);
    for account in crowd {
        assert_eq!(pair.home(account).account(account).unwrap().statuses, 0);
        assert!(pair.home(account).written(account, Window::newest(9)).is_empty());
    }
    let left = pair.home(bob).written(bob, Window::newest(9));
    assert_eq!(left.iter().map(|entry| entry.reblog_of).collect::<Vec<_>>(), [Some(other)]);
    assert_eq!(subjects(pair.home(bob), Listing::Reblogs, bob.0), [other.post.0]);
    // One that comes only now goes, too.
    let late = pair.ask(bob, reblog(bob, post));
    assert!(matches!(late, Reply::Posted(_)), "bob has not heard of it");
    rest(&mut pair);
    assert_eq!(pair.home(bob).account(bob).unwrap().statuses, 1);
}

#[test]
pub(crate) fn a_reblog_that_a_block_crosses_counts_for_nothing() {
    for ada_blocks in [true, false] {
        let mut pair = Pair::new();
        let (ada, bob) = (pair.ada, pair.bob);
        let post = pair.post(ada, open_draft());
        let (account, target) = if ada_blocks { (ada, bob) } else { (bob, ada) };
        if ada_blocks {
            pair.ask(bob, reblog(bob, post));
        }
        pair.ask(account, SetBlock { account, target, on: true });
        if !ada_blocks {
            let refused = pair.ask(bob, reblog(bob, post));
            assert_eq!(refused, Reply::Refused(Refusal::NotAllowed), "bob knows of his own block");
        }
        rest(&mut pair);
        assert_eq!(pair.home(ada).post(post.post).unwrap().reblogs, 0);
        assert!(pair.kinds(ada).is_empty());
        assert!(pair.home(bob).written(bob, Window::newest(9)).is_empty(), "it would stand for nothing");
        assert_eq!(pair.home(bob).account(bob).unwrap().statuses, 0);
    }
}

#[test]
pub(crate) fn everybody_who_reblogs_hears_once_of_a_change() {
    let mut pair = Pair::new();
    let (ada, bob) = (pair.ada, pair.bob);
    let crowd = crowd(&mut pair);
    let post = pair.post(ada, open_draft());
    for account in crowd.iter().copied().chain([ada, bob]) {
        pair.ask(account, reblog(account, post));
    }
    pair.ask(bob, SetThreadMute { account: bob, conversation: post.post, on: true });
    rest(&mut pair);
    for words in ["other words", "and again"] {
        let draft = Draft { text: words.to_owned(), ..open_draft() };
        pair.ask(ada, EditPost { account: ada, post: post.post, draft });
        rest(&mut pair);
    }
    for account in &crowd {
        assert_eq!(pair.kinds(*account), [NotificationKind::Update], "of the last change");
    }
    assert!(pair.kinds(bob).is_empty(), "bob hears no more of the thread");
    assert!(!pair.kinds(ada).contains(&NotificationKind::Update), "one's own change is no news");
    let told = pair.home(crowd[0]).notifications(crowd[0], Window::newest(9));
    assert_eq!((told[0].1.from, told[0].1.post), (ada, Some(post)));
}

#[test]
pub(crate) fn a_conversation_falls_back_to_what_was_said_before() {
    let mut pair = Pair::new();
    let (ada, bob) = (pair.ada, pair.bob);
    // Who is followed is no stranger, whose direct posts would be kept apart.
    pair.ask(bob, follow(bob, ada, false));
    let to = |account: AccountId| vec![Mention { account, name: "name".to_owned() }];
    let first = pair.post(ada, Draft { mentions: to(bob), ..draft("one", Visibility::Direct) });
    let further = |account: AccountId| Draft {
        mentions: to(account),
        reply_to: Some(first),
        conversation: Some(first.post),
        ..draft("more", Visibility::Direct)
    };
    pair.settle();
    let second = pair.post(bob, further(ada));
    let third = pair.post(ada, further(bob));
    pair.settle();
    let last = |pair: &Pair, account: AccountId| {
        let rows = pair.home(account).conversations(account);
        rows.into_iter().map(|(_, row)| row.last).collect::<Vec<_>>()
    };
    assert_eq!((last(&pair, ada), last(&pair, bob)), (vec![third], vec![third]));
    // What is gone in the middle changes nothing; then the first is the last.
    pair.ask(bob, delete(second));
    pair.settle();
    assert_eq!((last(&pair, ada), last(&pair, bob)), (vec![third], vec![third]));
    assert_eq!(pair.kinds(ada), [NotificationKind::Follow], "nor is ada told any more that she is named");
    pair.ask(ada, delete(third));
    pair.settle();
    assert_eq!((last(&pair, ada), last(&pair, bob)), (vec![first], vec![first]));
    // What bob has put away does not come back.
    pair.ask(bob, HideConversation { account: bob, conversation: first.post });
    let fourth = pair.post(ada, further(bob));
    pair.settle();
    assert_eq!(last(&pair, bob), [fourth]);
    pair.ask(ada, delete(fourth));
    pair.settle();
    assert_eq!((last(&pair, ada), last(&pair, bob)), (vec![first], vec![]));
    // Whom a post names no more is not in it.
    let fifth = pair.post(ada, further(bob));
    pair.settle();
    assert_eq!(last(&pair, bob), [fifth]);
    let draft = Draft { mentions: Vec::new(), ..further(bob) };
    pair.ask(ada, EditPost { account: ada, post: fifth.post, draft });
    pair.settle();
    assert_eq!((last(&pair, ada), last(&pair, bob)), (vec![fifth], vec![]));
}

#[test]
pub(crate) fn attachments_outlive_their_post_by_a_day() {
    let mut pair = Pair::new();
    let ada = pair.ada;
    let picture = |pair: &mut Pair| {
        let media = pair.made(ada, attachment(ada, Some("a picture".to_owned())));
        pair.made(ada, finished(ada, media));
        media
    };
    let pictures: Vec<ItemId> = (0..4).map(|_| picture(&mut pair)).collect();
    let with = |media: &[ItemId]| Draft { media: media.to_vec(), ..open_draft() };
    let post = pair.post(ada, with(&pictures[..3]));
    let other = pair.post(ada, with(&pictures[3..]));
    pair.ask(ada, delete(post));
    pair.ask(ada, DeletePost { delete_media: true, ..delete(other) });
    let there = |pair: &Pair, media: ItemId| pair.home(ada).media(ada, media);
    assert!(there(&pair, pictures[3]).is_none(), "as it was asked");
    assert_eq!(there(&pair, pictures[0]).unwrap().media.description.as_deref(), Some("a picture"));
    // One is posted again, one is to be posted later, one is forgotten.
    let again = pair.post(ada, with(&pictures[..1]));
    let scheduled = Some(pair.world.now + 3 * 86_400 * SECOND);
    pair.made(ada, Publish { account: ada, draft: with(&pictures[1..2]), scheduled });
    pair.later(86_400 - 60);
    assert!(there(&pair, pictures[2]).is_some());
    pair.later(120);
    assert_eq!(there(&pair, pictures[2]), None);
    assert_eq!(there(&pair, pictures[0]).unwrap().post, Some(again.post));
    pair.later(3 * 86_400);
    let newest = pair.home(ada).written(ada, Window::newest(1)).pop().unwrap();
    assert_eq!(there(&pair, pictures[1]).unwrap().post, Some(newest.post));
    pair.settle();
}

#[test]
pub(crate) fn everybody_who_waits_follows_once_nobody_need_be_asked() {
    let mut pair = Pair::new();
    let ada = pair.ada;
    let crowd = crowd(&mut pair);
    pair.ask(ada, lock(ada, true));
    for account in &crowd {
        pair.ask(*account, follow(*account, ada, true));
    }
    rest(&mut pair);
    assert_eq!(subjects(pair.home(ada), Listing::Requests, ada.0).len(), MANY);
    pair.ask(ada, lock(ada, false));
    rest(&mut pair);
    assert!(crowd.iter().all(|it| pair.home(*it).relation(*it, ada).following.is_some()));
    assert_eq!(pair.home(ada).account(ada).unwrap().followers, MANY as u64);
    assert_eq!(pair.kinds(ada)[..9], [NotificationKind::Follow; 9]);
}
