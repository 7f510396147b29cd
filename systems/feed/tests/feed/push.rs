//! Web push: a receiver that reads what was encrypted for it, who is told of what, and what waits for push services.

use std::collections::BTreeSet;

use decalog_feed::command::*;
use decalog_feed::push::encryption::{AUTH, LONGEST, POINT, Receiver, encrypt, encrypt_by_draft};
use decalog_feed::push::lanes::{Bounds, Job, Lanes};
use decalog_feed::push::record::Record;
use decalog_feed::state::Window;
use decalog_feed::value::*;
use decalog_runtime::Address;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::hmac;
use ring::rand::SystemRandom;
use tokio::time::{Duration, Instant};

use crate::people::Sight;
use crate::privacy::{draft, follow};
use crate::world::World;

/// An app that waits for messages.
struct App {
    private: EphemeralPrivateKey,
    public: Vec<u8>,
    auth: [u8; AUTH],
}

impl App {
    fn new() -> App {
        let private = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).unwrap();
        let public = private.compute_public_key().unwrap().as_ref().to_vec();
        App { private, public, auth: [7; AUTH] }
    }

    fn receiver(&self) -> Receiver {
        Receiver::new(&self.public, &self.auth).unwrap()
    }

    fn agree(self, other: &[u8]) -> Vec<u8> {
        agree_ephemeral(self.private, &UnparsedPublicKey::new(&ECDH_P256, other), <[u8]>::to_vec).unwrap()
    }
}

/// HKDF of up to 32 bytes, from RFC 5869 alone.
fn derive(salt: &[u8], secret: &[u8], info: &[u8], length: usize) -> Vec<u8> {
    let mac = |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text);
    let key = mac(salt, secret);
    mac(key.as_ref(), &[info, &[1]].concat()).as_ref()[..length].to_vec()
}

fn open(key: &[u8], nonce: &[u8], sealed: &[u8]) -> Vec<u8> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, key).unwrap());
    let mut text = sealed.to_vec();
    let nonce = Nonce::try_assume_unique_for_key(nonce).unwrap();
    key.open_in_place(nonce, Aad::empty(), &mut text).expect("what was sealed for it").to_vec()
}

#[test]
fn a_receiver_reads_what_was_encrypted_for_it() {
    for length in [0, 1, 700, LONGEST] {
        let (app, text) = (App::new(), vec![b'x'; length]);
        let body = encrypt(&app.receiver(), &text).unwrap();
        assert!(body.len() <= 4_096);
        let (salt, rest) = body.split_at(16);
        assert_eq!(rest[..5], [0, 0, 16, 0, 65], "a record of 4096 bytes, a key of 65");
        let (other, record) = rest[5..].split_at(POINT);
        let (auth, own) = (app.auth, app.public.clone());
        let info = [&b"WebPush: info\0"[..], &own, other].concat();
        let input = derive(&auth, &app.agree(other), &info, 32);
        let key = derive(salt, &input, b"Content-Encoding: aes128gcm\0", 16);
        let nonce = derive(salt, &input, b"Content-Encoding: nonce\0", 12);
        let mut plain = open(&key, &nonce, record);
        assert_eq!(plain.pop(), Some(2), "the last record's delimiter");
        assert_eq!(plain, text);
    }
    assert!(encrypt(&App::new().receiver(), &[0; LONGEST + 1]).is_err());
}

#[test]
fn a_receiver_of_the_draft_reads_it_too() {
    let (app, text) = (App::new(), b"older apps");
    let draft = encrypt_by_draft(&app.receiver(), text).unwrap();
    let (auth, own) = (app.auth, app.public.clone());
    let context = [&b"P-256\0"[..], &[0, 65], &own, &[0, 65], &draft.public].concat();
    let input = derive(&auth, &app.agree(&draft.public), b"Content-Encoding: auth\0", 32);
    let key = derive(&draft.salt, &input, &[&b"Content-Encoding: aesgcm\0"[..], &context].concat(), 16);
    let nonce = derive(&draft.salt, &input, &[&b"Content-Encoding: nonce\0"[..], &context].concat(), 12);
    let plain = open(&key, &nonce, &draft.body);
    assert_eq!((&plain[..2], &plain[2..]), (&[0, 0][..], &text[..]));
}

fn subscription(account: AccountId, session: u64, policy: PushPolicy) -> SetPush {
    let alerts = BTreeSet::from([NotificationKind::Mention, NotificationKind::Follow]);
    let (endpoint, public, auth) = ("https://push.example/".to_owned(), vec![4; POINT], vec![7; AUTH]);
    SetPush { account, session, endpoint, public, auth, standard: true, alerts, policy, token: vec![9] }
}

/// One who is followed, one who follows, and a stranger mention somebody with a session of each policy.
#[test]
pub(crate) fn who_is_told_is_what_the_subscription_says() {
    let (mut world, people) = World::peopled(4);
    let [me, followed, follower, stranger] = *people.known().first_chunk().unwrap();
    world.ask_to_rest(me, follow(me, followed, false));
    world.ask_to_rest(follower, follow(follower, me, false));
    let policies = [PushPolicy::All, PushPolicy::Followed, PushPolicy::Follower, PushPolicy::None];
    for (session, policy) in (1..).zip(policies) {
        world.ask_to_rest(me, subscription(me, session, policy));
    }
    let mut told = Vec::new();
    for account in [followed, follower, stranger] {
        let mentions = vec![Mention { account: me, name: "me".to_owned() }];
        let draft = Draft { mentions, ..draft("hello", Visibility::Public) };
        let Reply::Posted(post) = world.ask_to_rest(account, Publish { account, draft, scheduled: None })
        else {
            panic!("no post")
        };
        let feed = world.at(me.bucket());
        let id = ItemId(feed.notifications(me, Window::newest(1))[0].0);
        told.push(feed.pushed(me, id).into_iter().map(|(session, _)| session).collect::<Vec<_>>());
        // Not what the alerts leave out.
        world.ask_to_rest(account, Favourite { account, post, on: true });
    }
    assert_eq!(told, [vec![1, 2], vec![1, 3], vec![1]]);
    let feed = world.at(me.bucket());
    let last = ItemId(feed.notifications(me, Window::newest(1))[0].0);
    world.ask_to_rest(me, ClearNotifications { account: me, only: None });
    assert!(world.at(me.bucket()).pushed(me, last).is_empty(), "what was taken back is not pushed");
}

#[test]
fn a_session_has_one_subscription_and_an_account_not_too_many() {
    let (mut world, people) = World::peopled(4);
    let me = people.known()[0];
    let ask = |world: &mut World, session| world.ask_to_rest(me, subscription(me, session, PushPolicy::All));
    let Reply::Made(first) = ask(&mut world, 1) else { panic!("none is made") };
    let Reply::Made(second) = ask(&mut world, 1) else { panic!("none is made") };
    world.ask_to_rest(me, RemovePush { account: me, session: 1, only: Some(first) });
    let id = |world: &World, session| world.at(me.bucket()).push(me, session).map(|row| row.id);
    assert_eq!(id(&world, 1), Some(second), "only the one that was meant is taken away");
    for session in 2..=51 {
        ask(&mut world, session);
    }
    assert_eq!((id(&world, 1), id(&world, 2).is_some()), (None, true), "the oldest makes room");
    let all = |world: &World| world.at(me.bucket()).subscribed(None, 100);
    let sessions = all(&world);
    assert_eq!(sessions.len(), 50);
    let rest = world.at(me.bucket()).subscribed(Some(sessions[20]), 100);
    assert_eq!(rest, sessions[21..]);
    for (_, session) in sessions {
        world.ask_to_rest(me, RemovePush { account: me, session, only: None });
    }
    assert!(all(&world).is_empty());
}

fn job(number: u64, service: &str) -> Job {
    let (account, notification) = (AccountId(1), ItemId(number));
    Job { account, notification, session: 1, service: service.to_owned(), attempts: 0 }
}

fn at(millis: u64) -> Instant {
    thread_local!(static START: Instant = Instant::now());
    START.with(|start| *start) + Duration::from_millis(millis)
}

#[test]
pub(crate) fn a_slow_push_service_takes_no_place_of_another() {
    let mut lanes = Lanes::new(Bounds { at_one: 2, at_all: 5, waiting_for_one: 100, waiting: 1_000 });
    for number in 0..50 {
        lanes.put(job(number, "https://slow"), at(0));
    }
    let mut held = Vec::new();
    while let Some((ticket, _)) = lanes.take(at(0)) {
        held.push(ticket);
    }
    assert_eq!(held.len(), 2, "the slow one holds its own places");
    assert_eq!(lanes.next_due(), None, "nobody waits for a moment at which nothing could be done");
    for number in 50..60 {
        lanes.put(job(number, "https://quick"), at(1));
        assert_eq!(lanes.take(at(0)), None, "not before it is due");
        assert_eq!(lanes.next_due(), Some(at(1)));
        let (ticket, sent) = lanes.take(at(1)).expect("a place");
        assert_eq!(sent, job(number, "https://quick"));
        lanes.end(&ticket, None);
    }
    // Each service has its turn.
    for service in ["https://a", "https://b", "https://c"] {
        for number in 0..3 {
            lanes.put(job(number, service), at(2));
        }
    }
    let turns: Vec<String> = std::iter::from_fn(|| lanes.take(at(2))).map(|(_, job)| job.service).collect();
    assert_eq!(turns.iter().collect::<BTreeSet<_>>().len(), 3, "{turns:?}");
}

#[test]
fn what_waits_is_bounded_and_the_oldest_of_the_longest_lane_makes_room() {
    let mut lanes = Lanes::new(Bounds { at_one: 1, at_all: 1, waiting_for_one: 3, waiting: 5 });
    for number in 0..3 {
        assert_eq!(lanes.put(job(number, "a"), at(number)), None);
    }
    assert_eq!(lanes.put(job(3, "a"), at(3)), Some(job(0, "a")));
    assert_eq!(lanes.put(job(4, "b"), at(4)), None);
    assert_eq!(lanes.put(job(5, "c"), at(5)), None);
    assert_eq!(lanes.put(job(6, "d"), at(6)), Some(job(1, "a")));
    assert_eq!(lanes.jobs().len(), 5);
}

/// What is sent, what waits and what is tried again are all written down until they are over.
#[test]
pub(crate) fn what_is_not_pushed_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pushes.json");
    assert_eq!(Record::read(&path).unwrap(), None);
    let mut lanes = Lanes::new(Bounds { at_one: 2, ..Bounds::default() });
    (0..4).for_each(|number| drop(lanes.put(job(number, "a"), at(0))));
    let (over, _) = lanes.take(at(0)).unwrap();
    let (fails, failed) = lanes.take(at(0)).unwrap();
    lanes.end(&over, None);
    lanes.end(&fails, Some((Job { attempts: 1, ..failed }, at(9))));
    let (_on_its_way, _) = lanes.take(at(0)).unwrap();
    let cursors = [Address { offset: 7, index: 2 }, Address::of_record(9)];
    Record::of(&cursors, &lanes).write(&path).unwrap();
    let Record { cursors: read, mut jobs } = Record::read(&path).unwrap().expect("a record");
    jobs.sort_by_key(|job| job.notification);
    assert_eq!(read, cursors);
    let expected = [Job { attempts: 1, ..job(1, "a") }, job(2, "a"), job(3, "a")];
    assert_eq!(jobs, expected);
}
