//! The timelines of one partition's accounts, and who is to have a post of whom.
//!
//! Deliveries are what this is made for. A post's readers are a row of small numbers, in the order in which their
//! timelines lie; each says by itself, but for answers and chosen languages, whether its reader wants the post. So a
//! delivery touches the timeline and nothing else.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::broadcast;

use super::ring::Ring;
use super::wishes::{Reader, wanted};
use super::{Found, Heard, Limits, Signal, Wishes};
use crate::state::Window;
use crate::value::{AccountId, Entry, PostId, PostRef};

/// Signals that one who listens may be behind.
const SIGNALS: usize = 64;
/// What a timeline takes of memory besides its posts, and more for each whom it follows.
const BESIDES: usize = 256;
const FOLLOWED: usize = 16;

/// Who sees an author's posts at home: where the timeline lies, and how they follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Follower(u32);

impl Follower {
    const REBLOGS: u32 = 1 << 31;
    const CHOOSY: u32 = 1 << 30;

    fn new(slot: u32, reblogs: bool, choosy: bool) -> Follower {
        assert!(slot < Self::CHOOSY, "a thousand million timelines");
        Follower(slot | if reblogs { Self::REBLOGS } else { 0 } | if choosy { Self::CHOOSY } else { 0 })
    }

    fn slot(self) -> u32 {
        self.0 & !(Self::REBLOGS | Self::CHOOSY)
    }

    fn reblogs(self) -> bool {
        self.0 & Self::REBLOGS != 0
    }

    /// Not all languages are wanted.
    fn choosy(self) -> bool {
        self.0 & Self::CHOOSY != 0
    }
}

/// Whose timeline it is, and what is asked only for some posts.
#[derive(Debug)]
struct Home {
    account: AccountId,
    /// Rising.
    following: Box<[AccountId]>,
    /// Rising.
    tags: Box<[String]>,
    languages: HashMap<AccountId, Vec<String>>,
    generation: u64,
}

impl Reader for Home {
    fn account(&self) -> AccountId {
        self.account
    }

    fn follows(&self, other: AccountId) -> bool {
        self.following.binary_search(&other).is_ok()
    }

    fn follows_tag(&self, tag: &str) -> bool {
        self.tags.binary_search_by(|own| own.as_str().cmp(tag)).is_ok()
    }
}

impl Home {
    fn bytes(&self) -> usize {
        BESIDES + FOLLOWED * (self.following.len() + self.tags.len() + 4 * self.languages.len())
    }

    fn wants(&self, entry: &Entry, how: Option<Follower>) -> bool {
        let languages = |how: Follower| match self.languages.get(&entry.author) {
            Some(languages) if how.choosy() => languages.as_slice(),
            _ => &[],
        };
        wanted(entry, how.map(|how| (how.reblogs(), languages(how))), self)
    }
}

/// What is done for all readers of an author, a stretch of them at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// A post comes to them.
    Put(Entry),
    /// It has changed.
    Tell(PostRef),
    /// It is gone.
    Take(PostRef),
}

impl Work {
    pub(super) fn post(&self) -> PostRef {
        match self {
            Work::Put(entry) => PostRef { post: entry.post, author: entry.author },
            Work::Tell(post) | Work::Take(post) => *post,
        }
    }
}

/// The timelines that are kept. One lies at a slot: its home, and its posts.
#[derive(Debug, Default)]
pub(super) struct Kept {
    slots: HashMap<AccountId, u32>,
    homes: Vec<Option<Home>>,
    rings: Vec<Ring>,
    free: Vec<u32>,
    /// Rising by slots.
    by_author: HashMap<AccountId, Vec<Follower>>,
    /// Rising.
    by_tag: HashMap<String, Vec<u32>>,
    live: HashMap<AccountId, broadcast::Sender<Heard>>,
    generation: u64,
    /// Where who makes room looks next.
    hand: usize,
    /// What the timelines take of memory.
    bytes: usize,
    limits: Limits,
}

impl Kept {
    /// None yet.
    pub(super) fn within(limits: Limits) -> Kept {
        Kept { limits, ..Kept::default() }
    }

    #[cfg(test)]
    pub(super) fn keeps(&self, account: AccountId) -> bool {
        self.slots.contains_key(&account)
    }

    #[cfg(test)]
    pub(super) fn limit(&mut self, room: usize) {
        self.limits.bytes = room;
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let rings = self.rings.iter().map(Ring::bytes).sum::<usize>();
        let bytes = rings + self.homes.iter().flatten().map(Home::bytes).sum::<usize>();
        assert_eq!(self.bytes, bytes, "what is counted is what is there");
        bytes
    }

    /// Nobody listens to anything.
    #[cfg(test)]
    pub(super) fn is_silent(&self) -> bool {
        self.live.is_empty()
    }

    fn ring_mut(&mut self, account: AccountId) -> Option<&mut Ring> {
        self.slots.get(&account).map(|slot| &mut self.rings[*slot as usize])
    }

    pub(super) fn read(&mut self, account: AccountId, window: Window) -> Found {
        let Some(ring) = self.ring_mut(account).filter(|ring| ring.complete) else { return Found::Cold };
        (ring.read, ring.unread) = (true, 0);
        ring.window(window)
    }

    pub(super) fn begin(&mut self, wishes: Wishes) -> u64 {
        let account = wishes.account;
        self.forget(account);
        self.make_room();
        let slot = self.free.pop().unwrap_or_else(|| {
            self.homes.push(None);
            self.rings.push(Ring::default());
            u32::try_from(self.homes.len() - 1).expect("a thousand million timelines")
        });
        let mut home = Home {
            account,
            following: wishes.following.keys().copied().collect(),
            tags: wishes.tags.into_iter().collect(),
            languages: HashMap::new(),
            generation: self.generation + 1,
        };
        home.following.sort_unstable();
        for (author, how) in wishes.following {
            // Whom they see in a list only they do not see at home.
            if !wishes.listed.contains(&author) {
                let follower = Follower::new(slot, how.reblogs, !how.languages.is_empty());
                insert(self.by_author.entry(author).or_default(), follower, |one| one.slot());
            }
            if !how.languages.is_empty() {
                home.languages.insert(author, how.languages);
            }
        }
        for tag in &home.tags {
            insert(self.by_tag.entry(tag.clone()).or_default(), slot, |one| *one);
        }
        self.generation = home.generation;
        self.slots.insert(account, slot);
        self.bytes += home.bytes();
        self.homes[slot as usize] = Some(home);
        self.rings[slot as usize] = Ring::new(self.live.contains_key(&account));
        self.generation
    }

    /// Forgets timelines, those first that nobody has read for long and nobody listens to, until all have room.
    pub(super) fn make_room(&mut self) {
        while self.bytes > self.limits.bytes && !self.slots.is_empty() {
            self.forget_one();
        }
    }

    pub(super) fn forget_one(&mut self) {
        let all = self.rings.len();
        for _ in 0..2 * all {
            let at = self.hand % all;
            self.hand = at + 1;
            let ring = &mut self.rings[at];
            if std::mem::take(&mut ring.read) || ring.live {
                continue;
            }
            if let Some(home) = &self.homes[at] {
                let account = home.account;
                return self.forget(account);
            }
        }
        let any = self.slots.keys().next().copied();
        any.into_iter().for_each(|account| self.forget(account));
    }

    pub(super) fn fill(&mut self, account: AccountId, generation: u64, posts: &[PostId], older: bool) {
        let Some(slot) = self.slots.get(&account).map(|slot| *slot as usize) else { return };
        if self.homes[slot].as_ref().is_some_and(|home| home.generation == generation) {
            self.change(slot, |ring| ring.fill(posts, older));
        }
    }

    /// Changes a timeline's posts, and counts what they take of memory.
    fn change<R>(&mut self, slot: usize, change: impl FnOnce(&mut Ring) -> R) -> R {
        let ring = &mut self.rings[slot];
        let before = ring.bytes();
        let result = change(ring);
        self.bytes = self.bytes + ring.bytes() - before;
        result
    }

    pub(super) fn listen(&mut self, account: AccountId) -> broadcast::Receiver<Heard> {
        if let Some(ring) = self.ring_mut(account) {
            ring.live = true;
        }
        self.live.entry(account).or_insert_with(|| broadcast::channel(SIGNALS).0).subscribe()
    }

    /// Tells who listens for an account.
    pub(super) fn signal(&mut self, account: AccountId, signal: Signal) {
        if let Some(sender) = self.live.get(&account)
            && sender.send(Heard { signal, told: Arc::default() }).is_err()
        {
            // Nobody does any more.
            self.live.remove(&account);
            if let Some(ring) = self.ring_mut(account) {
                ring.live = false;
            }
        }
    }

    /// Does a part of some work: for so many readers at most, from this slot on. Says where to go on, if it is not done.
    pub(super) fn work(&mut self, work: &Work, from: u32, most: usize) -> Option<u32> {
        let author = work.post().author;
        let followers = self.by_author.remove(&author)?;
        let first = followers.partition_point(|follower| follower.slot() < from);
        let stretch = &followers[first..followers.len().min(first + most)];
        match work {
            Work::Put(entry) => self.put(entry, stretch),
            Work::Tell(post) => stretch.iter().for_each(|follower| self.tell(follower.slot(), *post)),
            Work::Take(post) => stretch.iter().for_each(|follower| self.take(follower.slot(), *post)),
        }
        let unread: Vec<u32> =
            stretch.iter().map(|one| one.slot()).filter(|slot| self.is_unread(*slot)).collect();
        let next = followers.get(first + most).map(|follower| follower.slot());
        self.by_author.insert(author, followers);
        for slot in unread {
            let account = self.homes[slot as usize].as_ref().map(|home| home.account);
            account.into_iter().for_each(|account| self.forget(account));
        }
        self.make_room();
        next
    }

    /// Whether making it anew costs no more than what is pushed to it.
    fn is_unread(&self, slot: u32) -> bool {
        let ring = &self.rings[slot as usize];
        ring.unread >= self.limits.unread && !ring.live
    }

    fn put(&mut self, entry: &Entry, followers: &[Follower]) {
        let plain = entry.reply_to.is_none_or(|other| other == entry.author);
        let reblog = entry.reblog_of.is_some();
        for follower in followers {
            let slot = follower.slot() as usize;
            let simple = plain && !follower.choosy();
            let wants = if simple {
                follower.reblogs() || !reblog
            } else {
                self.homes[slot].as_ref().is_some_and(|home| home.wants(entry, Some(*follower)))
            };
            if wants && self.change(slot, |ring| ring.put(entry.post.0)) && self.rings[slot].live {
                self.signal_slot(slot, Signal::Came(entry.post));
            }
        }
    }

    fn tell(&mut self, slot: u32, post: PostRef) {
        let ring = &self.rings[slot as usize];
        if ring.live && ring.has(post.post.0) {
            self.signal_slot(slot as usize, Signal::Changed(post.post));
        }
    }

    fn take(&mut self, slot: u32, post: PostRef) {
        let ring = &mut self.rings[slot as usize];
        if ring.remove(post.post.0) && ring.live {
            self.signal_slot(slot as usize, Signal::Gone(post.post));
        }
    }

    fn signal_slot(&mut self, slot: usize, signal: Signal) {
        if let Some(account) = self.homes[slot].as_ref().map(|home| home.account) {
            self.signal(account, signal);
        }
    }

    /// The author's own timeline.
    pub(super) fn own(&mut self, work: &Work) {
        let post = work.post();
        let Some(slot) = self.slots.get(&post.author).copied() else { return };
        match work {
            Work::Put(_) => self.arrive(slot, post.post),
            Work::Tell(_) => self.tell(slot, post),
            Work::Take(_) => self.take(slot, post),
        }
    }

    /// Those that follow a tag of a post.
    pub(super) fn tagged(&mut self, entry: &Entry) {
        let readers = entry.tags.iter().filter_map(|tag| self.by_tag.get(tag)).flatten();
        for slot in readers.copied().collect::<Vec<_>>() {
            let how = self.by_author.get(&entry.author).and_then(|followers| {
                followers.binary_search_by_key(&slot, |one| one.slot()).ok().map(|at| followers[at])
            });
            if self.homes[slot as usize].as_ref().is_some_and(|home| home.wants(entry, how)) {
                self.arrive(slot, entry.post);
            }
        }
    }

    fn arrive(&mut self, slot: u32, post: PostId) {
        let slot = slot as usize;
        if self.change(slot, |ring| ring.put(post.0)) && self.rings[slot].live {
            self.signal_slot(slot, Signal::Came(post));
        }
    }

    pub(super) fn forget(&mut self, account: AccountId) {
        let Some(slot) = self.slots.remove(&account) else { return };
        self.change(slot as usize, |ring| *ring = Ring::default());
        self.free.push(slot);
        let Some(home) = self.homes[slot as usize].take() else { return };
        self.bytes -= home.bytes();
        for author in &home.following {
            remove(&mut self.by_author, author, slot, |follower| follower.slot());
        }
        for tag in &home.tags {
            remove(&mut self.by_tag, tag, slot, |one| *one);
        }
    }
}

/// Puts into a rising row.
fn insert<T>(row: &mut Vec<T>, item: T, key: impl Fn(&T) -> u32) {
    let place = row.partition_point(|one| key(one) < key(&item));
    row.insert(place, item);
}

/// Takes out of a rising row, and the row away when it was the last.
fn remove<K: std::hash::Hash + Eq, T>(
    rows: &mut HashMap<K, Vec<T>>,
    of: &K,
    slot: u32,
    key: impl Fn(&T) -> u32,
) {
    let Some(row) = rows.get_mut(of) else { return };
    if let Ok(place) = row.binary_search_by_key(&slot, key) {
        row.remove(place);
    }
    if row.is_empty() {
        rows.remove(of);
    }
}
