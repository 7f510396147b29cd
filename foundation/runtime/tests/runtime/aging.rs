//! What the state has forgotten is in no file after the erasure window, in a partition in which nothing happens too.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use decalog_log::{EmbeddedLog, Options};
use decalog_runtime::store::FolderStore;
use decalog_runtime::{Address, Config, Origin, Setup, System, retention};

use crate::ledger::{Command, Ledger};
use crate::sealed::{WORD, account, search};
use crate::stand::{Stand, points, until};

const WINDOW: Duration = Duration::from_millis(600);

/// A data directory with a window.
struct Place {
    folder: tempfile::TempDir,
    stand: Stand,
}

impl Place {
    fn new() -> Place {
        let mut stand = Stand::new();
        stand.config = Config { erase_within: Some(WINDOW), ..stand.config };
        Place { folder: tempfile::tempdir().unwrap(), stand }
    }

    fn start(&self) -> System<Ledger> {
        let options = Options { finish_after: Some(retention::pace(WINDOW)), ..Options::small() };
        let log = Arc::new(EmbeddedLog::open(&self.folder.path().join("journal"), options).unwrap());
        let setup = Setup {
            store: Arc::new(FolderStore::new(self.folder.path().join("snapshots"))),
            journal: Some(self.folder.path().join("events")),
            ..self.stand.setup_on(log)
        };
        System::start(setup, 7, 1).unwrap()
    }

    fn found(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        search(self.folder.path(), &mut found);
        found
    }

    fn is_in(&self, part: &str) -> bool {
        self.found().iter().any(|path| path.starts_with(self.folder.path().join(part)))
    }
}

fn ask(system: &System<Ledger>, command: Command) {
    system.partition(0).submit_blocking(Origin::default(), &command).unwrap();
}

#[test]
pub(crate) fn what_the_state_forgot_leaves_every_file() {
    let place = Place::new();
    let system = place.start();
    ask(&system, Command::Deposit { account: account(), points: 5 });
    ask(&system, Command::Deposit { account: 1, points: 7 });
    system.partition(0).snapshot_blocking().unwrap();
    until("the word to be in every part", || {
        ["journal", "snapshots", "events"].iter().all(|part| place.is_in(part))
    });
    // Nothing is asked any more.
    ask(&system, Command::Close { account: account() });
    until("the word to be in no file", || place.found().is_empty());
    system.shutdown();
    let system = place.start();
    assert_eq!(points(system.partition(0), 1), Some(7));
    assert_eq!(points(system.partition(0), account()), None);
}

#[test]
fn what_was_forgotten_before_a_restart_goes_too_and_what_a_killed_process_left() {
    let place = Place::new();
    let system = place.start();
    ask(&system, Command::Deposit { account: account(), points: 5 });
    ask(&system, Command::Close { account: account() });
    system.shutdown();
    let shelf = place.folder.path().join("snapshots/p00070000");
    fs::create_dir_all(&shelf).unwrap();
    fs::write(shelf.join("snapshot-00000000000000000009.unfinished"), WORD).unwrap();
    let _system = place.start();
    until("the word to be in no file", || place.found().is_empty());
}

#[test]
fn a_follower_is_past_records_without_events() {
    let place = Place::new();
    let system = place.start();
    let partition = system.partition(0);
    let mut follower = partition.follow("a reader", Address::of_record(0)).unwrap();
    ask(&system, Command::Deposit { account: account(), points: 5 });
    ask(&system, Command::Close { account: account() });
    // Refused: it has no event.
    ask(&system, Command::Close { account: account() });
    until("all events", || {
        while follower.try_next().unwrap().is_some() {}
        follower.cursor() == Address::of_record(3)
    });
    assert!(!place.found().is_empty());
    let seen = follower.cursor();
    follower.release(seen);
    // Refused again: the reader's place goes on by itself.
    ask(&system, Command::Close { account: account() });
    until("the end", || follower.try_next().unwrap().is_none() && follower.cursor() == Address::of_record(4));
    until("the word to be in no file", || place.found().is_empty());
}

#[test]
fn a_follower_that_begins_after_the_last_event_needs_nothing_before_it() {
    let place = Place::new();
    let system = place.start();
    let partition = system.partition(0);
    ask(&system, Command::Deposit { account: account(), points: 5 });
    partition.snapshot_blocking().unwrap();
    ask(&system, Command::Close { account: account() });
    let mut reader = partition.follow("an earlier reader", Address::of_record(0)).unwrap();
    let mut last = None;
    until("all events", || {
        while let Some(published) = reader.try_next().unwrap() {
            last = Some(published.address);
        }
        reader.cursor() == Address::of_record(2)
    });
    drop(reader);
    let mut follower = partition.follow("a reader", last.unwrap().after()).unwrap();
    until("the end", || follower.try_next().unwrap().is_none() && follower.cursor() == Address::of_record(2));
    until("the word to be in no file", || place.found().is_empty());
}
