//! What is released stays: the bytes of every kind of command, reply and event, and the course of a fixed history. The
//! files lie in `golden/`; a missing one is written, one that differs fails: a released kind only changes by a new
//! version.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;

use decalog_feed::command::*;
use decalog_feed::event::Event;
use decalog_feed::value::*;
use decalog_runtime::{StateMachine, Wire};
use fastrand::Rng;

use crate::people::START;
use crate::world::World;

fn check_file(name: &str, now: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/feed/golden").join(name);
    match std::fs::read_to_string(&path) {
        Ok(golden) => assert_eq!(golden, now, "{name} differs"),
        Err(_) => {
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
            std::fs::write(&path, now).expect("the golden folder can be written");
            panic!("{name} was not there and is now: look at it, then check it in");
        }
    }
}

fn line<T: Wire + PartialEq + Debug>(name: &str, value: &T) -> String {
    let (kind, version) = value.kind(1);
    let mut body = Vec::new();
    value.encode(1, &mut body);
    assert_eq!(&T::decode(kind, version, &body).expect("its own bytes"), value);
    assert!(T::decode(kind, version, &body[..body.len() / 2]).is_err(), "half a {name}");
    let hex: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{name} {kind}.{version} {hex}\n")
}

/// The first of each kind that came by.
#[derive(Default)]
struct Seen {
    commands: BTreeMap<u16, String>,
    replies: BTreeMap<String, String>,
    events: BTreeMap<u16, String>,
    course: String,
}

impl Seen {
    fn command(&mut self, command: &Command) {
        let kind = command.kind(1).0;
        self.commands.entry(kind).or_insert_with(|| line(command.name(), command));
    }

    fn reply(&mut self, reply: &Reply) {
        let name = match reply {
            Reply::Refused(why) => format!("Refused {why:?}"),
            Reply::Done => "Done".to_owned(),
            Reply::Posted(_) => "Posted".to_owned(),
            Reply::Made(_) => "Made".to_owned(),
        };
        self.replies.entry(name.clone()).or_insert_with(|| line(&name, reply));
    }

    fn events(&mut self, world: &mut World) {
        for event in std::mem::take(&mut world.told) {
            self.events.entry(event.kind(1).0).or_insert_with(|| line(event.name(), &event));
        }
    }
}

fn live() -> Seen {
    let ((mut world, mut people), mut seen) = (World::peopled(4), Seen::default());
    let mut random = Rng::with_seed(2026);
    for number in 1..=3_000 {
        world.now += random.i64(0..SECOND);
        people.now = world.now;
        let (command, bucket) = people.command(&mut random, &world);
        seen.command(&command);
        let reply = world.ask(bucket, command);
        seen.reply(&reply);
        for _ in 0..random.usize(0..4) {
            world.deliver(&mut random);
        }
        seen.events(&mut world);
        if number % 250 == 0 {
            let digests: Vec<String> = world.feeds.iter().map(|feed| feed.digest().to_string()).collect();
            seen.course.push_str(&format!("after {number} commands: {}\n", digests.join(" ")));
        }
    }
    messages().iter().for_each(|message| seen.command(message));
    seen
}

/// One of each message.
fn messages() -> Vec<Command> {
    use decalog_feed::command::message::*;
    let (from, target) = (AccountId(START.cast_unsigned()), AccountId(7 << 40));
    let post = PostRef { post: PostId(9 << 40), author: target };
    let (visibility, conversation, participants) = (Visibility::Direct, post.post, vec![from, target]);
    let entry = Entry {
        post: post.post,
        author: from,
        visibility: Visibility::Public,
        reply_to: Some(target),
        reblog_of: Some(post),
        language: Some("en".to_owned()),
        tags: vec!["rust".to_owned()],
        media: true,
    };
    vec![
        Asked { from, target }.into(),
        Unasked { from, target }.into(),
        Answered { from, target, accept: Decision::Waiting }.into(),
        BlockTold { from, target, on: true }.into(),
        Delivered { entry }.into(),
        Retracted { post, edited: true }.into(),
        Named { target, post, conversation, visibility, participants }.into(),
        ReplyTold { parent: post.post, reply: post, on: true }.into(),
        ReblogTold { post: post.post, by: post, on: false }.into(),
        FavouriteTold { account: from, post, on: true }.into(),
        Forgotten { account: from }.into(),
        Flagged {
            moderator: target,
            kind: NotificationKind::AdminReport,
            from,
            report: Some(ItemId(5 << 40)),
        }
        .into(),
        Reported { account: from, posts: vec![post.post] }.into(),
        StandingTold { account: from, standing: Standing { limited: true, ..Standing::default() } }.into(),
        QuoteTold { quoted: post.post, by: post, visibility, on: true }.into(),
        QuoteAnswered { quote: post.post, of: post, state: QuoteState::Revoked }.into(),
        QuotedEdited { quote: post.post, of: post }.into(),
        ReblogsEnded { of: post.post, reblogs: vec![post] }.into(),
        ReblogsEdited { of: post, conversation, rebloggers: vec![from] }.into(),
        Unnamed { target, post, conversation }.into(),
    ]
}

#[test]
fn a_fixed_history_has_the_bytes_and_the_course_it_was_released_with() {
    let Seen { commands, replies, events, course } = live();
    assert_eq!(commands.len(), Command::NAMES.len(), "{:?}", commands.keys());
    assert_eq!(events.len(), Event::NAMES.len(), "{:?}", events.keys());
    check_file("commands.txt", &commands.into_values().collect::<String>());
    check_file("replies.txt", &replies.into_values().collect::<String>());
    check_file("events.txt", &events.into_values().collect::<String>());
    check_file("course-rules-1.txt", &course);
}

#[test]
fn bodies_of_the_future_are_refused() {
    assert!(Command::decode(999, 1, &[]).is_err());
    assert!(Command::decode(10, 99, &[]).is_err());
    assert!(Event::decode(1, 99, &[]).is_err());
    let mut refusal = Vec::new();
    decalog_runtime::pack(&BTreeMap::from([("Refused", "Whatever")]), &mut refusal);
    assert!(Reply::decode(1, 1, &refusal).is_err());
}
