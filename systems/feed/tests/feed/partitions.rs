//! Four partitions that hear from each other late, and one that need not: both come to the same.

use std::collections::BTreeMap;

use decalog_feed::command::{Command, Reply};
use decalog_feed::event::{Event, Notified};
use decalog_feed::state::{Feed, Listing, Window};
use decalog_feed::value::{AccountId, ItemId, SECOND};
use decalog_runtime::Wire;
use fastrand::Rng;

use crate::books::{ALL, subjects};
use crate::people::Sight;
use crate::world::World;

/// Rounds of random commands and arrivals; whatever is on its way at the end of one arrives.
#[test]
pub(crate) fn at_rest_all_partitions_agree() {
    let mut slices = 0;
    for seed in 0..16 {
        let (mut world, mut people) = World::peopled(4);
        let mut random = Rng::with_seed(seed);
        for round in 0..40 {
            for _ in 0..random.usize(1..30) {
                if random.u32(0..100) < 45 {
                    world.deliver(&mut random);
                    continue;
                }
                world.now += random.i64(0..SECOND);
                people.now = world.now;
                let (command, bucket) = people.command(&mut random, &world);
                world.ask(bucket, command);
            }
            world.settle(&mut random);
            world.check().unwrap_or_else(|what| panic!("seed {seed}, round {round}: {what}"));
        }
        slices += world.delivered;
    }
    assert!(slices > 500, "{slices} slices");
}

/// Two accounts that do all that they can to each other, with everything on its way for long.
#[test]
pub(crate) fn two_who_cannot_make_up_their_minds_agree_at_rest() {
    use decalog_feed::command::*;
    let (mut world, people) = World::peopled(4);
    let (one, other) = (people.accounts[0], people.accounts[3]);
    let mut random = Rng::with_seed(7);
    for round in 0..1_500 {
        for _ in 0..random.usize(1..14) {
            let (account, target) = if random.bool() { (one, other) } else { (other, one) };
            let (on, locked) = (random.bool(), random.bool());
            let command: Command = match random.u32(0..12) {
                0..3 => Follow { account, target, reblogs: on, notify: on, languages: vec![], locked }.into(),
                3 | 4 => Unfollow { account, target }.into(),
                5 => AnswerRequest { account, from: target, accept: on }.into(),
                6 => RemoveFollower { account, from: target }.into(),
                7 => SetBlock { account, target, on: on && locked }.into(),
                8 => lock(account, locked),
                _ => {
                    world.deliver(&mut random);
                    continue;
                }
            };
            world.ask(account.bucket(), command);
        }
        world.settle(&mut random);
        world.check().unwrap_or_else(|what| panic!("round {round}: {what}"));
    }
}

/// Followers are asked for, or not.
pub(crate) fn lock(account: AccountId, locked: bool) -> decalog_feed::command::Command {
    use decalog_feed::command::UpdateProfile;
    UpdateProfile { account, locked: Some(locked), ..UpdateProfile::default() }.into()
}

/// What a record told, without what differs by the number of partitions: slices, and ids that count on within a
/// millisecond.
fn told(world: &mut World) -> Vec<Vec<u8>> {
    let one = |event: Event| match event {
        Event::Arrived(_) => None,
        Event::Changed(it) if !it.own => None,
        Event::Gone(it) if !it.own => None,
        Event::Notified(it) => Some(Event::from(Notified { notification: ItemId(0), ..it })),
        other => Some(other),
    };
    let bytes = |event: Event| {
        let mut bytes = event.kind(1).0.to_be_bytes().to_vec();
        event.encode(1, &mut bytes);
        bytes
    };
    let mut all: Vec<_> = std::mem::take(&mut world.told).into_iter().filter_map(one).map(bytes).collect();
    all.sort();
    all
}

const OF_ACCOUNTS: [Listing; 11] = [
    Listing::Following,
    Listing::Followers,
    Listing::Requests,
    Listing::Blocks,
    Listing::Mutes,
    Listing::Endorsed,
    Listing::Favourites,
    Listing::Bookmarks,
    Listing::Reblogs,
    Listing::Pins,
    Listing::MutedThreads,
];
const OF_POSTS: [Listing; 3] = [Listing::FavouritedBy, Listing::RebloggedBy, Listing::Replies];

/// All that an account's partition knows of it, without ids that count on within a millisecond.
fn picture(feed: &Feed, account: AccountId, all: &[AccountId]) -> String {
    let listed: Vec<_> = OF_ACCOUNTS.iter().map(|listing| subjects(feed, *listing, account.0)).collect();
    let relations: Vec<_> = all.iter().map(|other| feed.relation(account, *other)).collect();
    let posts = feed.written(account, Window::newest(ALL)).into_iter().map(|entry| {
        let of: Vec<_> = OF_POSTS.iter().map(|listing| subjects(feed, *listing, entry.post.0)).collect();
        format!("{:?} {:?} {of:?}\n", feed.post(entry.post), feed.revisions(entry.post))
    });
    let posts: String = posts.collect();
    let told: Vec<_> =
        feed.notifications(account, Window::newest(ALL)).into_iter().map(|(_, row)| row).collect();
    let lists = feed.lists(account).into_iter().map(|list| (feed.members(list.id), list));
    let lists: Vec<_> = lists
        .map(|(mut members, list)| {
            members.sort_unstable();
            (members, list)
        })
        .collect();
    let conversations: BTreeMap<_, _> = feed.conversations(account).into_iter().collect();
    format!(
        "{:?}\n{listed:?}\n{relations:?}\n{posts}{told:?}\n{lists:?}\n{conversations:?}\n{:?}\n{:?}\n{:?}",
        feed.account(account),
        feed.all_scheduled(account),
        feed.markers(account),
        feed.followed_tags(account),
    )
}

#[test]
fn one_partition_and_four_come_to_the_same() {
    for seed in 100..106 {
        let ((mut one, mut people), (mut four, _)) = (World::peopled(1), World::peopled(4));
        let mut random = Rng::with_seed(seed);
        for number in 0..400 {
            let wait = random.i64(0..SECOND);
            for world in [&mut one, &mut four] {
                world.now += (1 + wait / 1_000_000) * 1_000_000;
                world.tick();
            }
            people.now = one.now;
            let (mut command, bucket) = people.command(&mut random, &one);
            if matches!(command, Command::EraseAccount(_)) {
                // What is forgotten first depends on the partitions; what is left does not.
                continue;
            }
            if let Command::ClearNotifications(it) = &mut command {
                it.only = None;
            }
            let asked = format!("seed {seed}, command {number}: {command:?}");
            let mut ask = |world: &mut World| -> Reply {
                let mut command = command.clone();
                if let Command::AnswerNotificationRequests(it) = &mut command {
                    let all = world.at(bucket).notification_requests(it.account, Window::newest(ALL));
                    it.requests = all.into_iter().map(|(id, ..)| id).collect();
                }
                let reply = world.ask_now(bucket, command);
                world.settle(&mut random);
                reply
            };
            assert_eq!(ask(&mut one), ask(&mut four), "{asked}");
            assert_eq!(told(&mut one), told(&mut four), "{asked}");
        }
        for account in people.accounts.clone() {
            let picture = |world: &World| picture(world.at(account.bucket()), account, &people.accounts);
            for (one, four) in picture(&one).lines().zip(picture(&four).lines()) {
                assert_eq!(one, four, "seed {seed}");
            }
        }
        four.check().unwrap_or_else(|what| panic!("seed {seed}: {what}"));
    }
}
