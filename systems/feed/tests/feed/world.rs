//! Partitions in memory, and the messages between them: in order from each to each, exactly once, in any other order.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use decalog_feed::command::{Command, Reply};
use decalog_feed::event::{Changed, Event, Gone, Written};
use decalog_feed::state::{Feed, Listing};
use decalog_feed::value::{AccountId, Entry, PostId, Visibility};
use decalog_runtime::bucket::partition_of;
use decalog_runtime::tables::ModelBacking;
use decalog_runtime::{Message, Outbox, Stamp, StateMachine, Timestamp, Wire};

use crate::books::{check_together, subjects};
use crate::people::{People, START, Sight};

/// Partitions, what is on its way between them, and what they have told.
pub(crate) struct World {
    pub(crate) feeds: Vec<Feed>,
    on_the_way: BTreeMap<(usize, usize), VecDeque<Message>>,
    pub(crate) now: i64,
    /// Events since the last time they were taken.
    pub(crate) told: Vec<Event>,
    /// What was written, for what its fan-out should have been.
    written: BTreeMap<PostId, Entry>,
    /// What each partition should hear of a post less what it has heard: all 0 at rest.
    owed: BTreeMap<(&'static str, PostId, usize), i64>,
    /// How much fan-out there was.
    pub(crate) delivered: u64,
    /// Who asks, as the records say.
    pub(crate) asker: u64,
}

impl Sight for World {
    fn at(&self, bucket: u16) -> &Feed {
        &self.feeds[partition_of(bucket, self.feeds.len())]
    }
}

impl World {
    pub(crate) fn new(partitions: usize) -> World {
        let feed = |index| Feed::new(Arc::new(ModelBacking::new()), index, partitions);
        World {
            feeds: (0..partitions).map(feed).collect(),
            on_the_way: BTreeMap::new(),
            now: START,
            told: Vec::new(),
            written: BTreeMap::new(),
            owed: BTreeMap::new(),
            delivered: 0,
            asker: 1,
        }
    }

    /// With everybody there.
    pub(crate) fn peopled(partitions: usize) -> (World, People) {
        let (mut world, people) = (World::new(partitions), People::new());
        for place in 0..people.known().len() {
            let opening = people.opening(place);
            assert_eq!(world.ask(opening.account.bucket(), opening), Reply::Done);
        }
        (world, people)
    }

    fn index(&self, bucket: u16) -> usize {
        partition_of(bucket, self.feeds.len())
    }

    /// Asks the partition of a bucket, a millisecond later.
    pub(crate) fn ask(&mut self, bucket: u16, command: impl Into<Command>) -> Reply {
        self.now += 1_000_000;
        self.ask_now(bucket, command)
    }

    /// Asks the partition of a bucket.
    pub(crate) fn ask_now(&mut self, bucket: u16, command: impl Into<Command>) -> Reply {
        self.apply(self.index(bucket), bucket, command.into())
    }

    /// Asks in the partition of the one who asks, and lets everybody hear of it.
    pub(crate) fn ask_to_rest(&mut self, account: AccountId, command: impl Into<Command>) -> Reply {
        let reply = self.ask(account.bucket(), command);
        self.settle(&mut fastrand::Rng::with_seed(1));
        reply
    }

    fn apply(&mut self, index: usize, bucket: u16, command: Command) -> Reply {
        self.fire(index);
        let stamp =
            Stamp { time: Timestamp(self.now), rules: 1, bucket, principal: self.asker, ..Stamp::default() };
        let mut out = Outbox::new();
        let reply = self.feeds[index].apply(&stamp, command, &mut out);
        self.take_up(index, out);
        reply
    }

    /// What is due in a partition.
    fn fire(&mut self, index: usize) {
        while let Some(due) = self.feeds[index].deadline().filter(|due| due.0 <= self.now) {
            self.fire_one(index, due);
        }
    }

    fn fire_one(&mut self, index: usize, due: Timestamp) {
        let mut out = Outbox::new();
        self.feeds[index].expire(&Stamp { time: due, rules: 1, ..Stamp::default() }, &mut out);
        self.take_up(index, out);
    }

    /// What is due anywhere, in the order of the moments, each heard everywhere before the next.
    pub(crate) fn tick(&mut self) {
        let (mut random, now) = (fastrand::Rng::with_seed(2), self.now);
        loop {
            let dues = self.feeds.iter().enumerate();
            let first = dues.filter_map(|(index, feed)| Some((feed.deadline()?, index))).min();
            let Some((due, index)) = first.filter(|(due, _)| due.0 <= now) else { break };
            self.now = due.0;
            self.fire_one(index, due);
            self.settle(&mut random);
        }
        self.now = now;
    }

    fn take_up(&mut self, source: usize, mut out: Outbox<Event>) {
        for message in out.messages() {
            let target = (message.target.0 & 0xffff) as usize;
            assert_ne!(source, target, "what stays in a partition is no message");
            self.on_the_way.entry((source, target)).or_default().push_back(message.clone());
        }
        for event in out.take_events() {
            self.account_for(source, &event);
            self.told.push(event);
        }
    }

    /// Books what an event lets others expect, or what was expected.
    fn account_for(&mut self, source: usize, event: &Event) {
        match event {
            Event::Written(Written { entry }) => {
                self.written.insert(entry.post, entry.clone());
                self.owe("arrived", source, entry.post);
            }
            Event::Changed(Changed { post, own: true }) => self.owe("changed", source, post.post),
            Event::Gone(Gone { post, own: true }) => self.owe("gone", source, post.post),
            Event::Arrived(it) => self.heard("arrived", source, it.entry.post),
            Event::Changed(it) => self.heard("changed", source, it.post.post),
            Event::Gone(it) => self.heard("gone", source, it.post.post),
            _ => {}
        }
    }

    fn owe(&mut self, what: &'static str, source: usize, post: PostId) {
        let entry = &self.written[&post];
        if entry.visibility == Visibility::Direct {
            return;
        }
        let followers = subjects(&self.feeds[source], Listing::Followers, entry.author.0).into_iter();
        let mut partitions: Vec<usize> = followers.map(|it| self.index(AccountId(it).bucket())).collect();
        partitions.sort_unstable();
        partitions.dedup();
        for partition in partitions {
            *self.owed.entry((what, post, partition)).or_default() += 1;
            self.delivered += 1;
        }
    }

    fn heard(&mut self, what: &'static str, partition: usize, post: PostId) {
        *self.owed.entry((what, post, partition)).or_default() -= 1;
    }

    /// Lets one message arrive, if there is one.
    pub(crate) fn deliver(&mut self, random: &mut fastrand::Rng) -> bool {
        self.on_the_way.retain(|_, queue| !queue.is_empty());
        if self.on_the_way.is_empty() {
            return false;
        }
        let ways: Vec<(usize, usize)> = self.on_the_way.keys().copied().collect();
        let way = ways[random.usize(0..ways.len())];
        let message = self.on_the_way.get_mut(&way).and_then(VecDeque::pop_front).expect("a message");
        let command = Command::decode(message.kind.0, message.kind.1, &message.body).expect("its own bytes");
        self.apply(way.1, message.bucket, command);
        true
    }

    /// Lets all arrive.
    pub(crate) fn settle(&mut self, random: &mut fastrand::Rng) {
        while self.deliver(random) {}
    }

    /// What must hold when nothing is on its way.
    pub(crate) fn check(&self) -> Result<(), String> {
        let owed: Vec<_> = self.owed.iter().filter(|(_, count)| **count != 0).collect();
        if !owed.is_empty() {
            return Err(format!("heard too little or too much: {owed:?}"));
        }
        check_together(&self.feeds)
    }
}
