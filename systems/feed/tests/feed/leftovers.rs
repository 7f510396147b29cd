//! What becomes of files that no post has: attachments end, and whatever a row names is said to be used.

use std::collections::BTreeSet;

use decalog_feed::command::*;
use decalog_feed::state::Feed;
use decalog_feed::value::*;

use crate::people::{Sight, attachment};
use crate::privacy::draft;
use crate::rows::dump;
use crate::world::World;

const HOUR: i64 = 3_600 * SECOND;

fn file(name: u64) -> File {
    File { blob: format!("{name:064x}"), mime: "image/png".to_owned(), extension: "png".to_owned() }
}

fn take_up(world: &mut World, account: AccountId) -> ItemId {
    let Reply::Made(media) = world.ask_to_rest(account, attachment(account, None)) else {
        panic!("none is made")
    };
    media
}

fn finish(world: &mut World, account: AccountId, media: ItemId, name: u64) {
    let (kind, original, small) = (MediaKind::Image, file(name), Some(file(name + 1)));
    let (meta, blurhash) = ("{}".to_owned(), None);
    world.ask_to_rest(account, FinishMedia { account, media, kind, original, small, meta, blurhash });
}

fn made(world: &mut World, account: AccountId, name: u64) -> ItemId {
    let media = take_up(world, account);
    finish(world, account, media, name);
    media
}

fn publish(world: &mut World, account: AccountId, media: Vec<ItemId>, scheduled: Option<i64>) -> Reply {
    let draft = Draft { media, ..draft("look", Visibility::Public) };
    world.ask_to_rest(account, Publish { account, draft, scheduled })
}

fn keep_upload(world: &mut World, account: AccountId, media: ItemId, name: u64) {
    let upload = Some(Upload { file: file(name).blob, thumbnail: Some(file(name + 1).blob), focus: None });
    let (description, meta, small) = (None, None, None);
    world.ask_to_rest(account, ChangeMedia { account, media, description, meta, small, upload });
}

#[test]
pub(crate) fn an_attachment_that_is_not_posted_within_a_day_goes() {
    let (mut world, people) = World::peopled(4);
    let account = people.known()[1];
    let [posted, planned, left] = [10, 20, 30].map(|name| made(&mut world, account, name));
    let unfinished = take_up(&mut world, account);
    publish(&mut world, account, vec![posted], None);
    let at = world.now + 40 * HOUR;
    publish(&mut world, account, vec![planned], Some(at));
    let there = |world: &World| {
        let all = [posted, planned, left, unfinished].into_iter();
        all.map(|media| world.at(account.bucket()).media(account, media).is_some()).collect::<Vec<_>>()
    };
    world.now += 23 * HOUR;
    world.tick();
    assert_eq!(there(&world), [true, true, true, true]);
    world.now += 2 * HOUR;
    world.tick();
    assert_eq!(there(&world), [true, true, false, false], "a post for later keeps its own");
    world.now += 48 * HOUR;
    world.tick();
    assert_eq!(there(&world), [true, true, false, false], "it is posted");
    assert!(matches!(publish(&mut world, account, vec![left], None), Reply::Refused(Refusal::NotFound)));
    world.check().unwrap();
}

#[test]
fn an_upload_that_takes_long_is_found_again_until_it_is_done() {
    let (mut world, people) = World::peopled(4);
    let account = people.known()[1];
    let [one, other, third] = [(); 3].map(|()| take_up(&mut world, account));
    for (media, name) in [(one, 100), (other, 200), (third, 300)] {
        keep_upload(&mut world, account, media, name);
    }
    let waiting = |world: &World, after| world.at(account.bucket()).unfinished(after, 10);
    assert_eq!(waiting(&world, None), [(account, one), (account, other), (account, third)]);
    assert_eq!(waiting(&world, Some((account, one))), [(account, other), (account, third)]);
    finish(&mut world, account, one, 10);
    world.ask_to_rest(account, RemoveMedia { account, media: other });
    assert_eq!(waiting(&world, None), [(account, third)]);
    // What comes late changes nothing.
    keep_upload(&mut world, account, one, 100);
    let row = world.at(account.bucket()).media(account, one).expect("an attachment");
    assert_eq!((row.upload, waiting(&world, None)), (None, vec![(account, third)]));
    world.now += 25 * HOUR;
    world.tick();
    assert!(waiting(&world, None).is_empty());
}

/// All that the partition says it uses, read in small steps.
fn used(feed: &Feed) -> BTreeSet<String> {
    let (mut all, mut after) = (BTreeSet::new(), None);
    loop {
        let (some, last): (Vec<String>, Option<Vec<u8>>) = feed.blobs(after.as_deref(), 2);
        all.extend(some);
        after = last;
        if after.is_none() {
            return all;
        }
    }
}

#[test]
pub(crate) fn every_file_that_a_row_names_is_said_to_be_used() {
    let (mut world, people) = World::peopled(4);
    for (place, account) in (1..).zip(people.known().to_vec()) {
        let name = |number: u64| place * 1_000 + number * 10;
        let (avatar, header) = (Some(vec![file(name(1)), file(name(2))]), Some(vec![file(name(3))]));
        world.ask_to_rest(account, pictures(account, avatar, header));
        let media = [4, 5, 6, 7].map(|number| made(&mut world, account, name(number)));
        let Reply::Posted(post) = publish(&mut world, account, vec![media[0]], None) else {
            panic!("no post")
        };
        let later = world.now + HOUR;
        publish(&mut world, account, vec![media[1]], Some(later));
        let draft = Draft { media: vec![media[2]], ..draft("another", Visibility::Public) };
        world.ask_to_rest(account, EditPost { account, post, draft });
        let long = take_up(&mut world, account);
        keep_upload(&mut world, account, long, name(8));
        let Reply::Posted(gone) = publish(&mut world, account, vec![media[3]], None) else {
            panic!("no post")
        };
        world.ask_to_rest(account, DeletePost { account, post: gone, delete_media: true });
        world.tick();
        let used = used(world.at(account.bucket()));
        let says = |number: u64| used.contains(&file(name(number)).blob);
        assert_eq!([1, 2, 3, 4, 5, 6, 8].map(says), [true; 7], "{place}");
        assert!(!says(7), "what a deleted post had is not used");
    }
    for feed in &world.feeds {
        let (rows, used) = (dump(feed), used(feed));
        for name in (0..9_999).map(|name| file(name).blob) {
            assert_eq!(rows.with_words(&name) > 0, used.contains(&name), "{name}");
        }
    }
}

fn pictures(account: AccountId, avatar: Option<Vec<File>>, header: Option<Vec<File>>) -> UpdateProfile {
    UpdateProfile { account, avatar, header, ..UpdateProfile::default() }
}
