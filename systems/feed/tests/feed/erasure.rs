//! An account that was erased: nothing of it is left anywhere, and what is counted is counted without it.

use decalog_feed::command::*;
use decalog_feed::value::{AccountId, SECOND};
use fastrand::Rng;

use crate::people::{People, Sight};
use crate::rows::dump;
use crate::world::World;

/// Everything that people can do, for a while.
fn lived(seed: u64) -> (World, People) {
    let (mut world, mut people) = World::peopled(4);
    let mut random = Rng::with_seed(seed);
    for _ in 0..600 {
        world.now += 300_000_000;
        world.tick();
        people.now = world.now;
        let (command, bucket) = people.command(&mut random, &world);
        if !matches!(command, Command::EraseAccount(_)) {
            world.ask(bucket, command);
        }
        world.deliver(&mut random);
    }
    (world, people)
}

fn erase(world: &mut World, account: AccountId) {
    assert_eq!(world.ask(account.bucket(), EraseAccount { account }), Reply::Done);
    for _ in 0..400 {
        world.settle(&mut Rng::with_seed(3));
        world.now += SECOND / 10;
        world.tick();
    }
}

/// Families whose rows others wrote: what they say about somebody is theirs. What is due says no more than numbers.
const WRITTEN_BY_OTHERS: &[u8] = b"petuwsFd";

#[test]
pub(crate) fn nothing_is_left_of_an_erased_account() {
    let mut erased = 0;
    for seed in 0..20 {
        if erased == 4 {
            break;
        }
        let (mut world, people) = lived(seed);
        let account = people.known()[if seed % 2 == 0 { 1 } else { 2 }];
        let row = world.at(account.bucket()).account(account).expect("an account");
        let rows = |world: &World| -> String {
            world.feeds.iter().map(|feed| dump(feed).naming(account.0, WRITTEN_BY_OTHERS)).collect()
        };
        // Who lived for long, so that there is much to forget.
        if rows(&world).len() <= 20 || row.display_name.is_empty() {
            continue;
        }
        erased += 1;
        erase(&mut world, account);
        let left: usize = world.feeds.iter().map(|feed| dump(feed).with_words(&row.display_name)).sum();
        assert_eq!(left, 0, "seed {seed}: {} is left", row.display_name);
        // Each partition knows that it was erased.
        assert_eq!(rows(&world), "DDDD", "seed {seed}");
        assert!(world.feeds.iter().all(|feed| feed.is_erased(account)));
        world.check().unwrap_or_else(|what| panic!("seed {seed}: {what}"));
    }
    assert_eq!(erased, 4, "whose lives are long enough");
}

#[test]
fn an_erased_account_is_never_opened_again_and_its_name_is_free() {
    let (mut world, people) = World::peopled(4);
    let account = people.known()[0];
    let stranger = *people.accounts.last().expect("accounts");
    let taken = OpenAccount { account: stranger, name: "p0".to_owned(), moderators: Vec::new() };
    assert_eq!(world.ask(stranger.bucket(), taken.clone()), Reply::Refused(Refusal::NameTaken));
    erase(&mut world, account);
    erase(&mut world, account);
    assert_eq!(world.ask(account.bucket(), people.opening(0)), Reply::Refused(Refusal::NotFound));
    assert_eq!(world.ask(stranger.bucket(), taken), Reply::Done);
}
