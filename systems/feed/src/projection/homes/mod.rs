//! Home timelines: for each account that reads its own, the ids of the newest posts, kept up to date by what arrives.
//!
//! Nobody's timeline is kept until it is read: it is made from the authors' own listings then, and from then on each
//! slice of a post's fan-out is put into those timelines that want it, until nobody has read it for so many posts that
//! making it anew costs less, or others need its room. Whatever changes what a timeline shall hold (a
//! follow, a block, a list) throws it away. What is kept is a number each; whether the reader may see the post is asked
//! when it is shown.

mod kept;
mod ring;
mod wishes;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use decalog_runtime::bucket::partition_of;
use decalog_runtime::{Subscription, SubscriptionError};
use tokio::sync::{OnceCell, broadcast};

use super::emojis::Emojis;
use super::standings::Standings;
use crate::event::{AccountGone, Event, HomeChanged};
use crate::state::Window;
use crate::value::{AccountId, Entry, ItemId, Notice, PostId, PostRef, Visibility};
use kept::{Kept, Work};
pub use ring::KEPT;
pub use wishes::Wishes;

/// How many timelines are kept.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// What all of them take of memory. Who has not read for long is forgotten first.
    pub bytes: usize,
    /// Posts that are pushed to a timeline that nobody reads, and to whose stream nobody listens. Then it is made when it is
    /// read again.
    pub unread: u32,
}

impl Default for Limits {
    /// So many posts cost about as much as making a timeline anew: `bench/README.md` says how that is measured.
    fn default() -> Limits {
        Limits { bytes: 1 << 30, unread: 4_096 }
    }
}

/// Readers of a post to whom it comes before others have their turn.
const STRETCH: usize = 512;
/// News that one who listens may be behind.
const NEWS: usize = 1_024;
/// Notices that one who listens may be behind.
const NOTICES: usize = 64;
/// Events after which those before are given free, also while there are always more.
const RELEASE: u64 = 1_024;

/// What somebody who listens is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A post came.
    Came(PostId),
    /// A post was changed.
    Changed(PostId),
    /// A post is gone.
    Gone(PostId),
    /// Something happened that they are notified of.
    Notified(ItemId),
    /// A conversation goes on.
    Conversed(PostId),
    /// Their filters changed.
    Filters,
    /// Notifications that were kept apart are among the others now.
    Merged,
    /// Their timeline was thrown away: what it shall hold has changed.
    Forgotten,
}

/// A signal, as all who listen for an account hear it.
#[derive(Clone, Debug)]
pub struct Heard {
    /// What happened.
    pub signal: Signal,
    /// What is told of it, if anything: made by whoever of them comes first.
    pub told: Arc<OnceCell<Option<String>>>,
}

/// What is told of every post, for public and other listings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A post was written.
    Written(Arc<Entry>),
    /// A post was changed.
    Changed(PostRef),
    /// A post is gone.
    Gone(PostRef),
}

/// All timelines that are kept, and who listens: those of each partition's accounts apart, as each partition tells of
/// what reaches its own.
#[derive(Debug)]
pub struct Homes {
    parts: Vec<Mutex<Kept>>,
    news: broadcast::Sender<News>,
    notices: broadcast::Sender<Notice>,
}

/// What is known of a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// These ids, in the window's order.
    Posts(Vec<PostId>),
    /// It is kept, but does not go back so far.
    Older,
    /// It is not kept.
    Cold,
}

impl Homes {
    /// None yet, of so many partitions.
    pub fn new(partitions: usize, limits: Limits) -> Homes {
        let limits = Limits { bytes: limits.bytes / partitions, ..limits };
        let parts = (0..partitions).map(|_| Mutex::new(Kept::within(limits))).collect();
        Homes { parts, news: broadcast::channel(NEWS).0, notices: broadcast::channel(NOTICES).0 }
    }

    fn part(&self, place: usize) -> MutexGuard<'_, Kept> {
        self.parts[place].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self, account: AccountId) -> MutexGuard<'_, Kept> {
        self.part(partition_of(account.bucket(), self.parts.len()))
    }

    /// The part of a timeline that is asked for.
    pub fn read(&self, account: AccountId, window: Window) -> Found {
        self.kept(account).read(account, window)
    }

    /// Begins to keep a timeline: from now on what arrives is put into it. What came before is for [`Homes::fill`].
    pub fn begin(&self, wishes: Wishes) -> u64 {
        self.kept(wishes.account).begin(wishes)
    }

    /// Puts into a timeline what was before it was begun, unless it was thrown away meanwhile. Older ones than these may be
    /// there, or they are all.
    pub fn fill(&self, account: AccountId, generation: u64, posts: &[PostId], older: bool) {
        self.kept(account).fill(account, generation, posts, older);
    }

    /// Listens to what concerns an account.
    pub fn listen(&self, account: AccountId) -> broadcast::Receiver<Heard> {
        self.kept(account).listen(account)
    }

    /// Listens to what is told of every post.
    pub fn news(&self) -> broadcast::Receiver<News> {
        self.news.subscribe()
    }

    /// Listens to what the server lets everybody know.
    pub fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    /// Takes up what the partition at this place tells.
    pub fn apply(&self, place: usize, event: Event) {
        let mut next = self.take_up(place, event).map(|work| (work, 0));
        while let Some((work, from)) = next {
            next = self.part(place).work(&work, from, STRETCH).map(|from| (work, from));
        }
    }

    /// Does what is done at once, and says what is to be done for all readers of an author.
    fn take_up(&self, place: usize, event: Event) -> Option<Work> {
        let (own, work) = match event {
            Event::Arrived(it) => (false, Work::Put(it.entry)),
            Event::Written(it) => (true, Work::Put(it.entry)),
            Event::Changed(it) => (it.own, Work::Tell(it.post)),
            Event::Gone(it) => (it.own, Work::Take(it.post)),
            Event::Noticed(it) => {
                // Nobody may listen.
                let _ = self.notices.send(it.notice);
                return None;
            }
            event => {
                self.part(place).take_up(&event);
                return None;
            }
        };
        if !own {
            return Some(work);
        }
        self.tell(&work);
        self.kept(work.post().author).own(&work);
        if let Work::Put(entry) = &work
            && entry.visibility == Visibility::Public
            && !entry.tags.is_empty()
        {
            (0..self.parts.len()).for_each(|place| self.part(place).tagged(entry));
        }
        None
    }

    fn tell(&self, work: &Work) {
        if self.news.receiver_count() == 0 {
            return;
        }
        let news = match work {
            Work::Put(entry) => News::Written(Arc::new(entry.clone())),
            Work::Tell(post) => News::Changed(*post),
            Work::Take(post) => News::Gone(*post),
        };
        // Who listened may have gone.
        let _ = self.news.send(news);
    }
}

impl Kept {
    /// What concerns one account.
    fn take_up(&mut self, event: &Event) {
        match event {
            Event::HomeChanged(HomeChanged { account }) | Event::AccountGone(AccountGone { account }) => {
                self.forget(*account);
                self.signal(*account, Signal::Forgotten);
            }
            Event::Notified(it) => self.signal(it.account, Signal::Notified(it.notification)),
            Event::Conversed(it) => self.signal(it.account, Signal::Conversed(it.conversation)),
            Event::FiltersChanged(it) => self.signal(it.account, Signal::Filters),
            Event::NotificationsMerged(it) => self.signal(it.account, Signal::Merged),
            Event::StandingChanged(_)
            | Event::PushChanged(_)
            | Event::Noticed(_)
            | Event::EmojiChanged(_) => {}
            Event::Arrived(_) | Event::Written(_) | Event::Changed(_) | Event::Gone(_) => {}
        }
    }
}

/// Posts on their way to more readers than have their turn at once. So who has a million of them delays nobody else's:
/// what is new comes to its first readers before others come to their next.
#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(Work, u32)>,
}

impl Queue {
    fn add(&mut self, work: Work, homes: &Homes, place: usize) {
        if let Work::Take(gone) = &work {
            // It shall come to nobody after it was taken from them.
            self.waiting
                .retain(|(waiting, _)| !matches!(waiting, Work::Put(entry) if entry.post == gone.post));
        }
        self.go_on(work, 0, homes, place);
    }

    fn go_on(&mut self, work: Work, from: u32, homes: &Homes, place: usize) {
        let next = homes.part(place).work(&work, from, STRETCH);
        self.waiting.extend(next.map(|from| (work, from)));
    }

    fn step(&mut self, homes: &Homes, place: usize) {
        if let Some((work, from)) = self.waiting.pop_front() {
            self.go_on(work, from, homes, place);
        }
    }
}

/// Keeps timelines, standings and emoji up to date with what one partition tells, until it stops.
pub async fn follow(
    mut events: Subscription<Event>,
    place: usize,
    homes: Arc<Homes>,
    standings: Arc<Standings>,
    emojis: Arc<Emojis>,
) {
    let (mut queue, mut released) = (Queue::default(), events.cursor());
    loop {
        let mut next = events.try_next();
        let idle = matches!(next, Ok(None)) && queue.waiting.is_empty();
        let seen = events.cursor();
        if idle || seen.offset >= released.offset + RELEASE {
            // They lie in memory: nothing before is read again.
            events.release(seen);
            released = seen;
        }
        if idle {
            next = events.next().await.map(Some);
        }
        match next {
            Ok(Some(published)) => {
                standings.apply(&published.event);
                emojis.apply(&published.event);
                if let Some(work) = homes.take_up(place, published.event) {
                    queue.add(work, &homes, place);
                }
            }
            Ok(None) => {
                // Many readers are left. Whoever waits for a processor comes first, then whoever waits for this thread.
                std::thread::yield_now();
                tokio::task::yield_now().await;
            }
            Err(SubscriptionError::Closed) => return,
            Err(error) => return tracing::error!(%error, "home timelines stop"),
        }
        queue.step(&homes, place);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap, HashSet};

    use super::*;
    use crate::event::{Arrived, Gone};
    use crate::state::Following;

    pub(super) fn entry(post: u64, author: u64) -> Entry {
        Entry { post: PostId(post), author: AccountId(author), ..Entry::default() }
    }

    fn following(reblogs: bool) -> Following {
        Following { reblogs, notify: false, languages: vec!["en".to_owned()] }
    }

    pub(super) fn wishes() -> Wishes {
        Wishes {
            account: AccountId(1),
            following: HashMap::from([(AccountId(2), following(false)), (AccountId(3), following(true))]),
            tags: BTreeSet::from(["rust".to_owned()]),
            listed: HashSet::new(),
        }
    }

    fn newest(homes: &Homes) -> Found {
        homes.read(AccountId(1), Window::newest(3))
    }

    #[test]
    fn a_timeline_is_what_came_before_and_what_arrives() {
        let homes = Homes::new(1, Limits::default());
        assert_eq!(newest(&homes), Found::Cold);
        let generation = homes.begin(wishes());
        homes.apply(0, Arrived { entry: entry(9, 2) }.into());
        assert_eq!(newest(&homes), Found::Cold, "not before it is filled");
        homes.fill(AccountId(1), generation, &[PostId(5), PostId(7), PostId(9)], false);
        homes.apply(0, Arrived { entry: entry(8, 3) }.into());
        homes.apply(0, Arrived { entry: entry(8, 3) }.into());
        homes.apply(0, Arrived { entry: entry(10, 4) }.into());
        assert_eq!(
            newest(&homes),
            Found::Posts(vec![PostId(9), PostId(8), PostId(7)]),
            "each once, in order"
        );
        homes.apply(0, Gone { post: PostRef { post: PostId(8), author: AccountId(3) }, own: false }.into());
        let rising = Window { above: Some(5), rising: true, ..Window::newest(1) };
        assert_eq!(homes.read(AccountId(1), rising), Found::Posts(vec![PostId(7)]));
        homes.apply(0, HomeChanged { account: AccountId(1) }.into());
        assert_eq!(newest(&homes), Found::Cold);
        homes.fill(AccountId(1), generation, &[PostId(5)], false);
        assert_eq!(newest(&homes), Found::Cold, "what was made of older wishes is not taken");
    }

    #[test]
    fn who_listens_hears_of_what_they_have_and_of_nothing_else() {
        let homes = Homes::new(1, Limits::default());
        let (mut live, mut news) = (homes.listen(AccountId(1)), homes.news());
        let generation = homes.begin(wishes());
        homes.fill(AccountId(1), generation, &[], false);
        let post = PostRef { post: PostId(9), author: AccountId(2) };
        homes.apply(0, Arrived { entry: entry(9, 2) }.into());
        homes.apply(0, Arrived { entry: entry(9, 2) }.into());
        homes.apply(0, Arrived { entry: entry(8, 4) }.into());
        homes.apply(0, Gone { post: PostRef { post: PostId(7), ..post }, own: false }.into());
        homes.apply(0, Gone { post, own: false }.into());
        homes.apply(0, HomeChanged { account: AccountId(1) }.into());
        let heard: Vec<Signal> = std::iter::from_fn(|| Some(live.try_recv().ok()?.signal)).collect();
        assert_eq!(heard, [Signal::Came(PostId(9)), Signal::Gone(PostId(9)), Signal::Forgotten]);
        assert!(news.try_recv().is_err(), "what is delivered is no news: the author's partition tells it");
        drop(live);
        homes.apply(0, HomeChanged { account: AccountId(1) }.into());
        assert!(homes.part(0).is_silent());
    }

    #[test]
    fn only_so_many_are_kept_and_what_is_older_is_not_made_up() {
        let homes = Homes::new(1, Limits::default());
        let generation = homes.begin(wishes());
        homes.fill(AccountId(1), generation, &[], false);
        for post in 1..=10_000 {
            homes.apply(0, Arrived { entry: entry(post, 2) }.into());
            homes.read(AccountId(1), Window::newest(1));
        }
        let newest = Found::Posts((9_601..=10_000).rev().map(PostId).collect());
        assert_eq!(homes.read(AccountId(1), Window::newest(KEPT)), newest);
        assert_eq!(
            homes.read(AccountId(1), Window { below: Some(9_000), ..Window::newest(3) }),
            Found::Older
        );
    }

    #[test]
    fn what_is_gone_from_a_full_timeline_does_not_make_it_whole() {
        let homes = Homes::new(1, Limits::default());
        let generation = homes.begin(wishes());
        let posts: Vec<PostId> = (1_001..=1_000 + KEPT as u64).map(PostId).collect();
        homes.fill(AccountId(1), generation, &posts, true);
        let post = PostRef { post: PostId(1_200), author: AccountId(2) };
        homes.apply(0, Gone { post, own: false }.into());
        homes.apply(0, Arrived { entry: entry(5, 2) }.into());
        let below = |place| Window { below: Some(place), ..Window::newest(3) };
        assert_eq!(homes.read(AccountId(1), below(1_002)), Found::Older, "what lies before is looked for");
        let found = Found::Posts([1_004, 1_003, 1_002].map(PostId).to_vec());
        assert_eq!(homes.read(AccountId(1), below(1_005)), found);
    }

    /// So many who follow account 2, each with an own timeline.
    fn crowd(readers: u64) -> Homes {
        let homes = Homes::new(1, Limits::default());
        for reader in 0..readers {
            let account = AccountId(1_000 + reader);
            let following = HashMap::from([(AccountId(2), following(true))]);
            let generation = homes.begin(Wishes { account, following, ..Wishes::default() });
            homes.fill(account, generation, &[], false);
        }
        homes
    }

    fn readers_of(homes: &Homes, readers: u64, post: u64) -> u64 {
        let has = |reader: &u64| {
            homes.read(AccountId(1_000 + reader), Window::newest(1)) == Found::Posts(vec![PostId(post)])
        };
        (0..readers).filter(has).count() as u64
    }

    #[test]
    fn a_post_for_many_lets_others_pass_and_is_taken_back_from_all() {
        let readers = 3 * STRETCH as u64;
        let homes = crowd(readers);
        let generation = homes.begin(wishes());
        homes.fill(AccountId(1), generation, &[], false);
        let mut queue = Queue::default();
        let mut tell = |event: Event| {
            let work = homes.take_up(0, event).expect("for readers");
            queue.add(work, &homes, 0);
            queue.waiting.len()
        };
        let put = |post, author| Event::from(Arrived { entry: entry(post, author) });
        assert_eq!(tell(put(9, 2)), 1);
        assert_eq!(readers_of(&homes, readers, 9), STRETCH as u64, "some have it at once");
        assert_eq!(tell(put(10, 3)), 1, "who has few readers waits for nothing");
        assert_eq!(newest(&homes), Found::Posts(vec![PostId(10)]));
        let post = PostRef { post: PostId(9), author: AccountId(2) };
        assert_eq!(tell(Gone { post, own: false }.into()), 1, "it goes to nobody any more");
        while !queue.waiting.is_empty() {
            queue.step(&homes, 0);
        }
        assert_eq!(readers_of(&homes, readers, 9), 0);
        queue.add(homes.take_up(0, put(11, 2)).expect("for readers"), &homes, 0);
        while !queue.waiting.is_empty() {
            queue.step(&homes, 0);
        }
        assert_eq!(readers_of(&homes, readers, 11), readers);
    }

    /// The readers whose timelines are kept, without reading them.
    fn left(homes: &Homes) -> Vec<u64> {
        let kept = homes.part(0);
        (0..10).filter(|reader| kept.keeps(AccountId(1_000 + reader))).collect()
    }

    #[test]
    fn who_reads_is_kept_longer_than_who_does_not() {
        let homes = crowd(10);
        let forget = || homes.part(0).forget_one();
        // Whoever has just begun counts as a reader once.
        forget();
        assert_eq!(left(&homes), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        forget();
        homes.read(AccountId(1_002), Window::newest(1));
        forget();
        assert_eq!(left(&homes), [2, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn timelines_take_no_more_memory_than_they_may() {
        let homes = crowd(10);
        let room = homes.part(0).bytes() * 2;
        homes.part(0).limit(room);
        for post in 1..=1_000 {
            homes.apply(0, Arrived { entry: entry(post, 2) }.into());
            assert!(homes.part(0).bytes() <= room);
        }
        let few = left(&homes).len();
        assert!(0 < few && few < 10, "{few} are left");
        let generation = homes.begin(wishes());
        homes.fill(AccountId(1), generation, &[], false);
        assert!(homes.part(0).bytes() <= room);
    }

    #[test]
    fn nothing_is_pushed_for_long_to_who_does_not_read() {
        let (homes, unread) = (crowd(3), Limits::default().unread);
        let _listens = homes.listen(AccountId(1_001));
        let mut post = 0;
        let mut push = |posts: u32| {
            (0..posts).for_each(|_| {
                post += 1;
                homes.apply(0, Arrived { entry: entry(post, 2) }.into());
            });
        };
        push(unread - 1);
        assert_eq!(left(&homes), [0, 1, 2]);
        homes.read(AccountId(1_002), Window::newest(1));
        push(1);
        assert_eq!(left(&homes), [1, 2], "who listens and who has read are pushed to");
        push(unread);
        assert_eq!(left(&homes), [1]);
    }
}
