//! Home timelines: for each account that reads its own, the ids of the newest posts, kept up to date by what arrives.
//!
//! Nobody's timeline is kept until it is read: it is made from the authors' own listings then, and from then on each
//! slice of a post's fan-out is put into those timelines that want it. Whatever changes what a timeline shall hold (a
//! follow, a block, a list) throws it away. What is kept is a number each; whether the reader may see the post is asked
//! when it is shown.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use decalog_runtime::bucket::partition_of;
use decalog_runtime::{Subscription, SubscriptionError};
use tokio::sync::broadcast;

use super::standings::Standings;
use crate::event::Event;
use crate::state::{Following, Window};
use crate::value::{AccountId, Entry, ItemId, PostId, PostRef, Visibility};

/// Posts kept of each timeline.
pub const KEPT: usize = 400;
/// Timelines kept; who has not read for longest is forgotten.
const HOMES: usize = 1_000_000;

/// What an account wants to see at home.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// Whose it is.
    pub account: AccountId,
    /// Whom it follows, and how.
    pub following: HashMap<AccountId, Following>,
    /// The tags that it follows.
    pub tags: BTreeSet<String>,
    /// Whom it sees in a list only.
    pub listed: HashSet<AccountId>,
}

impl Wishes {
    /// Whether a post belongs into the timeline.
    pub fn want(&self, entry: &Entry) -> bool {
        if entry.author == self.account {
            return true;
        }
        let tagged = || entry.tags.iter().any(|tag| self.tags.contains(tag));
        let Some(how) = self.following.get(&entry.author).filter(|_| !self.listed.contains(&entry.author))
        else {
            return entry.reblog_of.is_none() && entry.reply_to.is_none() && tagged();
        };
        if entry.reblog_of.is_some() && !how.reblogs {
            return false;
        }
        let spoken = |language: &String| how.languages.is_empty() || how.languages.contains(language);
        if !entry.language.as_ref().is_none_or(spoken) {
            return false;
        }
        let known = |other: AccountId| {
            other == self.account || other == entry.author || self.following.contains_key(&other)
        };
        entry.reply_to.is_none_or(known)
    }
}

/// A timeline that is kept.
#[derive(Debug)]
struct Home {
    wishes: Wishes,
    /// Rising.
    posts: Vec<u64>,
    /// Everything newer than the first of them is here; none before it is.
    complete: bool,
    generation: u64,
}

impl Home {
    /// Says whether it was new.
    fn put(&mut self, post: PostId) -> bool {
        let place = match self.posts.last() {
            Some(last) if *last < post.0 => self.posts.len(),
            _ => match self.posts.binary_search(&post.0) {
                Ok(_) => return false,
                Err(place) => place,
            },
        };
        self.posts.insert(place, post.0);
        // Half as many again, so that making room is rare.
        if self.posts.len() > KEPT + KEPT / 2 {
            self.posts.drain(..self.posts.len() - KEPT);
        }
        true
    }

    fn has(&self, post: PostId) -> Option<usize> {
        self.posts.binary_search(&post.0).ok()
    }
}

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

/// Signals that one who listens may be behind.
const SIGNALS: usize = 64;
/// News that one who listens may be behind.
const NEWS: usize = 1_024;

#[derive(Debug, Default)]
struct Kept {
    homes: HashMap<AccountId, Home>,
    live: HashMap<AccountId, broadcast::Sender<Signal>>,
    by_author: HashMap<AccountId, Vec<AccountId>>,
    by_tag: HashMap<String, Vec<AccountId>>,
    generation: u64,
}

/// All timelines that are kept, and who listens: those of each partition's accounts apart, as each partition tells of
/// what reaches its own.
#[derive(Debug)]
pub struct Homes {
    parts: Vec<Mutex<Kept>>,
    news: broadcast::Sender<News>,
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
    pub fn new(partitions: usize) -> Homes {
        let parts = (0..partitions).map(|_| Mutex::default()).collect();
        Homes { parts, news: broadcast::channel(NEWS).0 }
    }

    fn part(&self, place: usize) -> MutexGuard<'_, Kept> {
        self.parts[place].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self, account: AccountId) -> MutexGuard<'_, Kept> {
        self.part(partition_of(account.bucket(), self.parts.len()))
    }

    /// The part of a timeline that is asked for.
    pub fn read(&self, account: AccountId, window: Window) -> Found {
        let kept = self.kept(account);
        let Some(home) = kept.homes.get(&account).filter(|home| home.complete) else { return Found::Cold };
        let from = window.above.map_or(0, |above| home.posts.partition_point(|post| *post <= above));
        let to =
            window.below.map_or(home.posts.len(), |below| home.posts.partition_point(|post| *post < below));
        let part = home.posts.get(from..to).unwrap_or_default();
        let short = part.len() < window.most
            && window.above.is_none_or(|above| home.posts.first().is_none_or(|first| above < *first));
        let reaches_end = home.posts.len() >= KEPT;
        if reaches_end && (short || window.rising && from == 0) {
            return Found::Older;
        }
        let ids = |post: &u64| PostId(*post);
        let posts = if window.rising {
            part.iter().take(window.most).map(ids).collect()
        } else {
            part.iter().rev().take(window.most).map(ids).collect()
        };
        Found::Posts(posts)
    }

    /// Begins to keep a timeline: from now on what arrives is put into it. What came before is for [`Homes::fill`].
    pub fn begin(&self, wishes: Wishes) -> u64 {
        let mut kept = self.kept(wishes.account);
        kept.forget(wishes.account);
        if kept.homes.len() >= HOMES / self.parts.len()
            && let Some(one) = kept.homes.keys().next().copied()
        {
            kept.forget(one);
        }
        kept.generation += 1;
        let (account, generation) = (wishes.account, kept.generation);
        for author in wishes.following.keys() {
            kept.by_author.entry(*author).or_default().push(account);
        }
        for tag in &wishes.tags {
            kept.by_tag.entry(tag.clone()).or_default().push(account);
        }
        kept.homes.insert(account, Home { wishes, posts: Vec::new(), complete: false, generation });
        generation
    }

    /// Puts into a timeline what was before it was begun, unless it was thrown away meanwhile.
    pub fn fill(&self, account: AccountId, generation: u64, posts: &[PostId]) {
        let mut kept = self.kept(account);
        let home = kept.homes.get_mut(&account).filter(|home| home.generation == generation);
        if let Some(home) = home {
            home.posts.extend(posts.iter().map(|post| post.0));
            home.posts.sort_unstable();
            home.posts.dedup();
            let over = home.posts.len().saturating_sub(KEPT);
            home.posts.drain(..over);
            home.complete = true;
        }
    }

    /// Listens to what concerns an account.
    pub fn listen(&self, account: AccountId) -> broadcast::Receiver<Signal> {
        let mut kept = self.kept(account);
        kept.live.entry(account).or_insert_with(|| broadcast::channel(SIGNALS).0).subscribe()
    }

    /// Listens to what is told of every post.
    pub fn news(&self) -> broadcast::Receiver<News> {
        self.news.subscribe()
    }

    /// Takes up what the partition at this place tells.
    pub fn apply(&self, place: usize, event: &Event) {
        match event {
            Event::Arrived(it) => self.part(place).arrived(&it.entry),
            Event::Written(it) => self.written(&it.entry),
            Event::Changed(it) if it.own => self.tell(News::Changed(it.post)),
            Event::Gone(it) if it.own => self.tell(News::Gone(it.post)),
            _ => {}
        }
        let mut kept = self.part(place);
        match event {
            Event::Changed(it) => kept.changed(it.post, it.own),
            Event::Gone(it) => kept.gone(it.post, it.own),
            Event::HomeChanged(it) => {
                kept.forget(it.account);
                kept.signal(it.account, Signal::Forgotten);
            }
            Event::Notified(it) => kept.signal(it.account, Signal::Notified(it.notification)),
            Event::Conversed(it) => kept.signal(it.account, Signal::Conversed(it.conversation)),
            Event::FiltersChanged(it) => kept.signal(it.account, Signal::Filters),
            Event::NotificationsMerged(it) => kept.signal(it.account, Signal::Merged),
            Event::Arrived(_) | Event::Written(_) | Event::StandingChanged(_) => {}
        }
    }

    fn tell(&self, news: News) {
        // Nobody may listen.
        let _ = self.news.send(news);
    }

    /// The author's own timeline, and those that follow a tag, wherever their readers are.
    fn written(&self, entry: &Entry) {
        if self.news.receiver_count() > 0 {
            self.tell(News::Written(Arc::new(entry.clone())));
        }
        self.kept(entry.author).offer(&[entry.author], entry);
        if entry.visibility == Visibility::Public && !entry.tags.is_empty() {
            for place in 0..self.parts.len() {
                let mut kept = self.part(place);
                let readers = entry.tags.iter().filter_map(|tag| kept.by_tag.get(tag)).flatten();
                let readers: Vec<AccountId> = readers.copied().collect();
                kept.offer(&readers, entry);
            }
        }
    }
}

impl Kept {
    /// Tells who listens for an account.
    fn signal(&mut self, account: AccountId, signal: Signal) {
        if let Some(sender) = self.live.get(&account)
            && sender.send(signal).is_err()
        {
            // Nobody does any more.
            self.live.remove(&account);
        }
    }

    /// Puts a post into the timelines of these readers that want it.
    fn offer(&mut self, readers: &[AccountId], entry: &Entry) {
        for reader in readers {
            let home = self.homes.get_mut(reader).filter(|home| home.wishes.want(entry));
            if home.is_some_and(|home| home.put(entry.post)) && !self.live.is_empty() {
                self.signal(*reader, Signal::Came(entry.post));
            }
        }
    }

    fn arrived(&mut self, entry: &Entry) {
        if let Some(readers) = self.by_author.remove(&entry.author) {
            self.offer(&readers, entry);
            self.by_author.insert(entry.author, readers);
        }
    }

    /// Who has a post: its author, or who follows the author.
    fn holders(&self, post: PostRef, own: bool) -> Vec<AccountId> {
        let all = if own { Some(vec![post.author]) } else { self.by_author.get(&post.author).cloned() };
        let has =
            |reader: &AccountId| self.homes.get(reader).is_some_and(|home| home.has(post.post).is_some());
        all.unwrap_or_default().into_iter().filter(has).collect()
    }

    fn changed(&mut self, post: PostRef, own: bool) {
        for reader in self.holders(post, own) {
            self.signal(reader, Signal::Changed(post.post));
        }
    }

    fn gone(&mut self, post: PostRef, own: bool) {
        for reader in self.holders(post, own) {
            if let Some(home) = self.homes.get_mut(&reader)
                && let Some(place) = home.has(post.post)
            {
                home.posts.remove(place);
            }
            self.signal(reader, Signal::Gone(post.post));
        }
    }

    fn forget(&mut self, account: AccountId) {
        let Some(home) = self.homes.remove(&account) else { return };
        for author in home.wishes.following.keys() {
            remove_reader(&mut self.by_author, author, account);
        }
        for tag in &home.wishes.tags {
            remove_reader(&mut self.by_tag, tag, account);
        }
    }
}

fn remove_reader<K: std::hash::Hash + Eq>(
    readers: &mut HashMap<K, Vec<AccountId>>,
    key: &K,
    reader: AccountId,
) {
    if let Some(all) = readers.get_mut(key) {
        all.retain(|one| *one != reader);
        if all.is_empty() {
            readers.remove(key);
        }
    }
}

/// Keeps timelines and standings up to date with what one partition tells, until it stops.
pub async fn follow(
    mut events: Subscription<Event>,
    place: usize,
    homes: Arc<Homes>,
    standings: Arc<Standings>,
) {
    loop {
        match events.next().await {
            Ok(published) => {
                standings.apply(&published.event);
                homes.apply(place, &published.event);
            }
            Err(SubscriptionError::Closed) => return,
            Err(error) => return tracing::error!(%error, "home timelines stop"),
        }
        // They lie in memory: nothing before is read again.
        let seen = events.cursor();
        events.release(seen);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Arrived, Gone, HomeChanged};

    fn entry(post: u64, author: u64) -> Entry {
        Entry {
            post: PostId(post),
            author: AccountId(author),
            visibility: Visibility::Public,
            reply_to: None,
            reblog_of: None,
            language: None,
            tags: Vec::new(),
            media: false,
        }
    }

    fn following(reblogs: bool) -> Following {
        Following { reblogs, notify: false, languages: vec!["en".to_owned()] }
    }

    fn wishes() -> Wishes {
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
        let homes = Homes::new(1);
        assert_eq!(newest(&homes), Found::Cold);
        let generation = homes.begin(wishes());
        homes.apply(0, &Arrived { entry: entry(9, 2) }.into());
        assert_eq!(newest(&homes), Found::Cold, "not before it is filled");
        homes.fill(AccountId(1), generation, &[PostId(5), PostId(7), PostId(9)]);
        homes.apply(0, &Arrived { entry: entry(8, 3) }.into());
        homes.apply(0, &Arrived { entry: entry(8, 3) }.into());
        homes.apply(0, &Arrived { entry: entry(10, 4) }.into());
        assert_eq!(
            newest(&homes),
            Found::Posts(vec![PostId(9), PostId(8), PostId(7)]),
            "each once, in order"
        );
        homes.apply(0, &Gone { post: PostRef { post: PostId(8), author: AccountId(3) }, own: false }.into());
        let rising = Window { above: Some(5), rising: true, ..Window::newest(1) };
        assert_eq!(homes.read(AccountId(1), rising), Found::Posts(vec![PostId(7)]));
        homes.apply(0, &HomeChanged { account: AccountId(1) }.into());
        assert_eq!(newest(&homes), Found::Cold);
        homes.fill(AccountId(1), generation, &[PostId(5)]);
        assert_eq!(newest(&homes), Found::Cold, "what was made of older wishes is not taken");
    }

    #[test]
    fn wishes_decide() {
        let wishes = wishes();
        let reblog = Some(PostRef { post: PostId(1), author: AccountId(9) });
        let german = || Some("de".to_owned());
        for (entry, wanted) in [
            (entry(1, 2), true),
            (entry(1, 4), false),
            (entry(1, 1), true),
            (Entry { reblog_of: reblog, ..entry(1, 2) }, false),
            (Entry { reblog_of: reblog, ..entry(1, 3) }, true),
            (Entry { reply_to: Some(AccountId(9)), ..entry(1, 2) }, false),
            (Entry { reply_to: Some(AccountId(3)), ..entry(1, 2) }, true),
            (Entry { reply_to: Some(AccountId(2)), ..entry(1, 2) }, true),
            (Entry { language: german(), ..entry(1, 2) }, false),
            (Entry { tags: vec!["rust".to_owned()], language: german(), ..entry(1, 4) }, true),
        ] {
            assert_eq!(wishes.want(&entry), wanted, "{entry:?}");
        }
    }

    #[test]
    fn who_listens_hears_of_what_they_have_and_of_nothing_else() {
        let homes = Homes::new(1);
        let (mut live, mut news) = (homes.listen(AccountId(1)), homes.news());
        let generation = homes.begin(wishes());
        homes.fill(AccountId(1), generation, &[]);
        let post = PostRef { post: PostId(9), author: AccountId(2) };
        homes.apply(0, &Arrived { entry: entry(9, 2) }.into());
        homes.apply(0, &Arrived { entry: entry(9, 2) }.into());
        homes.apply(0, &Arrived { entry: entry(8, 4) }.into());
        homes.apply(0, &Gone { post: PostRef { post: PostId(7), ..post }, own: false }.into());
        homes.apply(0, &Gone { post, own: false }.into());
        homes.apply(0, &HomeChanged { account: AccountId(1) }.into());
        let heard: Vec<Signal> = std::iter::from_fn(|| live.try_recv().ok()).collect();
        assert_eq!(heard, [Signal::Came(PostId(9)), Signal::Gone(PostId(9)), Signal::Forgotten]);
        assert!(news.try_recv().is_err(), "what is delivered is no news: the author's partition tells it");
        drop(live);
        homes.apply(0, &HomeChanged { account: AccountId(1) }.into());
        assert!(homes.part(0).live.is_empty());
    }

    #[test]
    fn only_so_many_are_kept_and_what_is_older_is_not_made_up() {
        let homes = Homes::new(1);
        let generation = homes.begin(wishes());
        homes.fill(AccountId(1), generation, &[]);
        for post in 1..=10_000 {
            homes.apply(0, &Arrived { entry: entry(post, 2) }.into());
        }
        let entries = homes.part(0).homes[&AccountId(1)].posts.len();
        assert!((KEPT..=KEPT + KEPT / 2).contains(&entries));
        assert_eq!(
            homes.read(AccountId(1), Window { below: Some(9_000), ..Window::newest(3) }),
            Found::Older
        );
    }
}
