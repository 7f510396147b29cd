//! The directory and what is counted, kept while it happens and read across the partitions.

use decalog_feed::command::*;
use decalog_feed::state::{DirectoryOrder, Usage};
use decalog_feed::value::*;

use crate::people::People;
use crate::privacy::draft;
use crate::races::delete;
use crate::world::World;

const DAY: i64 = 86_400 * SECOND;

fn findable(account: AccountId, discoverable: bool) -> UpdateProfile {
    UpdateProfile { account, discoverable: Some(discoverable), ..UpdateProfile::default() }
}

fn post(world: &mut World, account: AccountId, visibility: Visibility) -> PostRef {
    let publish = Publish { account, draft: draft("words", visibility), scheduled: None };
    let Reply::Posted(post) = world.ask_to_rest(account, publish) else { panic!("it is posted") };
    PostRef { post, author: account }
}

/// The places in the directory, across all partitions.
fn directory(world: &World, people: &People, order: DirectoryOrder) -> Vec<usize> {
    let mut all: Vec<(u64, AccountId)> =
        world.feeds.iter().flat_map(|feed| feed.directory(order, 100)).collect();
    all.sort_unstable();
    let place = |account| people.accounts.iter().position(|it| *it == account).expect("somebody known");
    all.into_iter().rev().map(|(_, account)| place(account)).collect()
}

#[test]
pub(crate) fn the_directory_is_in_order() {
    let (mut world, people) = World::peopled(4);
    let account = |place: usize| people.accounts[place];
    for place in [0, 2, 3, 5] {
        world.ask_to_rest(account(place), findable(account(place), true));
    }
    assert_eq!(directory(&world, &people, DirectoryOrder::New), [5, 3, 2, 0]);
    assert_eq!(directory(&world, &people, DirectoryOrder::Active), [5, 3, 2, 0], "nobody has posted");
    let first = post(&mut world, account(2), Visibility::Public);
    post(&mut world, account(0), Visibility::Private);
    post(&mut world, account(1), Visibility::Public);
    post(&mut world, account(5), Visibility::Direct);
    assert_eq!(
        directory(&world, &people, DirectoryOrder::Active),
        [0, 2, 5, 3],
        "what is direct is not seen"
    );
    let of = Reblog { account: account(3), of: first, visibility: Visibility::Public, language: None };
    world.ask_to_rest(account(3), of);
    assert_eq!(directory(&world, &people, DirectoryOrder::Active), [3, 0, 2, 5]);
    world.ask_to_rest(account(0), findable(account(0), false));
    world.ask_to_rest(account(1), findable(account(1), true));
    assert_eq!(
        directory(&world, &people, DirectoryOrder::Active),
        [3, 1, 2, 5],
        "what was posted before counts"
    );
    assert_eq!(directory(&world, &people, DirectoryOrder::New), [5, 3, 2, 1]);
    let limited = Standing { limited: true, ..Standing::default() };
    world.ask_to_rest(account(1), measure(account(1), limited));
    assert_eq!(directory(&world, &people, DirectoryOrder::Active), [3, 2, 5]);
    world.ask_to_rest(account(1), measure(account(1), Standing::default()));
    assert_eq!(directory(&world, &people, DirectoryOrder::Active), [3, 1, 2, 5]);
    world.check().unwrap();
}

#[test]
pub(crate) fn who_is_active_is_counted_once() {
    let (mut world, people) = World::peopled(4);
    let usage = |world: &World| {
        world.feeds.iter().map(|feed| feed.usage(world.now)).fold(Usage::default(), |all, part| Usage {
            users: all.users + part.users,
            posts: all.posts + part.posts,
            active_month: all.active_month + part.active_month,
            active_half_year: all.active_half_year + part.active_half_year,
        })
    };
    let known = people.known().len() as u64;
    assert_eq!(usage(&world), Usage { users: known, ..Usage::default() });
    let (ada, bob) = (people.accounts[0], people.accounts[3]);
    for _ in 0..3 {
        for account in [ada, bob] {
            world.asker = account.0;
            world.ask(account.bucket(), findable(account, true));
        }
        world.now += DAY;
    }
    let kept = post(&mut world, bob, Visibility::Public);
    let gone = post(&mut world, bob, Visibility::Unlisted);
    post(&mut world, bob, Visibility::Direct);
    world.ask_to_rest(bob, delete(gone));
    assert_eq!(usage(&world), Usage { users: known, posts: 1, active_month: 2, active_half_year: 2 });
    world.now += 29 * DAY;
    assert_eq!(usage(&world).active_month, 1, "ada was active the day before bob");
    // Who likes a post is active, wherever the post is.
    world.asker = ada.0;
    world.ask(kept.post.bucket(), Favourite { account: ada, post: kept.post, on: true });
    world.settle(&mut fastrand::Rng::with_seed(1));
    assert_eq!(usage(&world).active_month, 2);
    world.now += 100 * DAY;
    let Usage { active_month, active_half_year, .. } = usage(&world);
    assert_eq!((active_month, active_half_year), (0, 2));
    world.check().unwrap();
}

fn measure(account: AccountId, standing: Standing) -> Moderate {
    Moderate { account, standing, by: AccountId(0), resolve: false }
}
