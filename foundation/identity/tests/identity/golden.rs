//! What is released stays: the bytes of every kind of command, reply and event. The files lie in `golden/`; a missing one
//! is written, one that differs fails: a released kind only changes by a new version.

use std::collections::BTreeMap;
use std::path::Path;

use decalog_identity::command::{Command, Reply};
use decalog_identity::event::{Event, What};
use decalog_identity::state::Directory;
use decalog_runtime::harness::Scenario;
use decalog_runtime::{Outbox, Stamp, StateMachine, Timestamp, Wire};

use crate::life::Lives;

fn check_file(name: &str, now: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/identity/golden").join(name);
    match std::fs::read_to_string(&path) {
        Ok(golden) => assert_eq!(golden, now, "{name} differs"),
        Err(_) => {
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
            std::fs::write(&path, now).expect("the golden folder can be written");
            panic!("{name} was not there and is now: look at it, then check it in");
        }
    }
}

fn line<T: Wire + PartialEq + std::fmt::Debug>(name: &str, value: &T) -> String {
    let (kind, version) = value.kind(1);
    let mut body = Vec::new();
    value.encode(1, &mut body);
    assert_eq!(&T::decode(kind, version, &body).expect("its own bytes"), value);
    assert!(T::decode(kind, version, &body[..body.len() / 2]).is_err(), "half a {name}");
    assert!(T::decode(kind, 99, &body).is_err() || name == "reply", "a version of the future");
    let hex: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{name} {kind}.{version} {hex}\n")
}

/// Kinds of commands and events before there were passkeys, and the highest numbers of commands, events and refusals then.
const BEFORE_PASSKEYS: (usize, usize) = (26, 20);
const HIGHEST_BEFORE_PASSKEYS: (u16, u16, u16) = (26, 20, 29);
/// The same before there were outside providers.
const BEFORE_PROVIDERS: (usize, usize) = (31, 25);
const HIGHEST_BEFORE_PROVIDERS: (u16, u16, u16) = (31, 25, 32);
/// The same before accounts could be erased.
const BEFORE_ERASURES: (usize, usize) = (35, 28);
const HIGHEST_BEFORE_ERASURES: (u16, u16, u16) = (49, 49, 79);

/// The same before apps registered themselves.
const BEFORE_APPS: (usize, usize) = (36, 29);
const HIGHEST_BEFORE_APPS: (u16, u16, u16) = (59, 59, 99);

/// What came by in a fixed life: the first of each kind, and the state's digest now and then.
struct Course {
    commands: BTreeMap<(u16, u16), String>,
    replies: BTreeMap<u16, String>,
    events: BTreeMap<(u16, u16), String>,
    digests: String,
    snapshot: Vec<u8>,
}

impl Course {
    /// Whether the snapshot at its end speaks of passkeys.
    fn keeps_passkeys(&self) -> bool {
        self.speaks_of(b"passkeys")
    }

    /// Checks its course, and the bytes of what has come to be since the highest numbers of commands, events and refusals
    /// were these.
    fn check_since(self, (command, event, refusal): (u16, u16, u16), name: &str) {
        let commands =
            self.commands.into_iter().filter(|((kind, _), _)| *kind > command).map(|(_, line)| line);
        let replies =
            self.replies.into_iter().filter(|(kind, _)| *kind > 1_000 + refusal).map(|(_, line)| line);
        let events = self.events.into_iter().filter(|((kind, _), _)| *kind > event).map(|(_, line)| line);
        check_file(&format!("{name}.txt"), &commands.chain(replies).chain(events).collect::<String>());
        check_file(&format!("{name}-course-rules-1.txt"), &self.digests);
    }

    fn speaks_of(&self, table: &[u8]) -> bool {
        self.snapshot.windows(table.len()).any(|window| window == table)
    }
}

fn live(mut lives: Lives) -> Course {
    let mut random = fastrand::Rng::with_seed(2026);
    let mut directory = Directory::default();
    let mut now = lives.start().0;
    let (mut commands, mut replies, mut events) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut course = String::new();
    for number in 1..=6_000 {
        let step = lives.step(&mut random, &directory);
        now += step.wait_nanos;
        let stamp =
            Stamp { time: Timestamp(now), principal: 1, bucket: step.origin.bucket, ..Stamp::default() };
        let mut out = Outbox::new();
        while let Some(due) = directory.deadline().filter(|due| due.0 <= now) {
            directory.expire(&Stamp { time: due, bucket: 0, principal: 0, ..stamp }, &mut out);
        }
        commands.entry(step.command.kind(1)).or_insert_with(|| line(step.command.name(), &step.command));
        let reply = directory.apply(&stamp, step.command, &mut out);
        let kind = match &reply {
            Reply::Done => 0,
            Reply::Made(_) => 1,
            Reply::Granted(_) => 2,
            Reply::Refused(refusal) => 1_000 + refusal.code(),
        };
        replies.entry(kind).or_insert_with(|| line("reply", &reply));
        for event in out.take_events() {
            events.entry(event.kind(1)).or_insert_with(|| line(event.what.name(), &event));
        }
        if number % 500 == 0 {
            course.push_str(&format!("after {number} commands: {}\n", directory.digest()));
        }
    }
    let mut snapshot = Vec::new();
    directory.snapshot(&mut snapshot).expect("memory takes everything");
    Course { commands, replies, events, digests: course, snapshot }
}

#[test]
fn a_fixed_life_has_the_bytes_and_the_course_it_was_released_with() {
    let course = live(Lives::default());
    assert!(!course.keeps_passkeys(), "its snapshots are as they were, too");
    let Course { commands, replies, events, digests, .. } = course;
    assert_eq!((commands.len(), events.len()), (BEFORE_PASSKEYS.0, BEFORE_PASSKEYS.1), "{:?}", events.keys());
    check_file("commands.txt", &commands.into_values().collect::<String>());
    check_file("replies.txt", &replies.into_values().collect::<String>());
    check_file("events.txt", &events.into_values().collect::<String>());
    check_file("course-rules-1.txt", &digests);
}

/// The same for what passkeys brought.
#[test]
fn a_life_with_passkeys_has_the_bytes_and_the_course_it_was_released_with() {
    let course = live(Lives::with_passkeys());
    assert!(course.keeps_passkeys() && !course.speaks_of(b"links"));
    let Course { commands, events, .. } = &course;
    assert_eq!(
        (commands.len(), events.len()),
        (BEFORE_PROVIDERS.0, BEFORE_PROVIDERS.1),
        "{:?}",
        events.keys()
    );
    course.check_since(HIGHEST_BEFORE_PASSKEYS, "passkeys");
}

/// And for what outside providers brought.
#[test]
fn a_life_with_providers_has_the_bytes_and_the_course_it_was_released_with() {
    let course = live(Lives::with_providers());
    assert!(course.keeps_passkeys() && course.speaks_of(b"links"));
    let Course { commands, events, .. } = &course;
    assert_eq!((commands.len(), events.len()), (BEFORE_ERASURES.0, BEFORE_ERASURES.1), "{:?}", events.keys());
    course.check_since(HIGHEST_BEFORE_PROVIDERS, "providers");
}

/// And for erasures.
#[test]
fn a_life_with_erasures_has_the_bytes_and_the_course_it_was_released_with() {
    let course = live(Lives::with_erasures());
    let Course { commands, events, .. } = &course;
    assert_eq!((commands.len(), events.len()), (BEFORE_APPS.0, BEFORE_APPS.1), "{:?}", events.keys());
    assert!(!course.speaks_of(b"apps") && !course.speaks_of(b"email"));
    course.check_since(HIGHEST_BEFORE_ERASURES, "erasures");
}

/// And for apps.
#[test]
fn a_life_with_apps_has_the_bytes_and_the_course_it_was_released_with() {
    let course = live(Lives::with_apps());
    assert!(course.speaks_of(b"apps") && course.speaks_of(b"email"));
    let Course { commands, events, .. } = &course;
    let new = |kinds: Vec<u16>, before: u16| kinds.into_iter().filter(|kind| *kind > before).count();
    let commands = new(commands.keys().map(|(kind, _)| *kind).collect(), HIGHEST_BEFORE_APPS.0);
    let events = new(events.keys().map(|(kind, _)| *kind).collect(), HIGHEST_BEFORE_APPS.1);
    assert_eq!(commands, Command::NAMES.len() - BEFORE_APPS.0);
    assert_eq!(events, What::NAMES.len() - BEFORE_APPS.1);
    course.check_since(HIGHEST_BEFORE_APPS, "apps");
}

#[test]
fn bodies_of_the_future_are_refused() {
    assert!(Command::decode(999, 1, &[]).is_err());
    assert!(Event::decode(1, 1, &[0; 15]).is_err());
    let mut refusal = Vec::new();
    decalog_runtime::pack(&BTreeMap::from([("Refused", 999)]), &mut refusal);
    assert!(Reply::decode(1, 1, &refusal).is_err());
}
