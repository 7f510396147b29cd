//! Home timelines: for each account that reads its own, the ids of the newest posts, kept up to date by what arrives.
//!
//! Nobody's timeline is kept until it is read: it is made from the authors' own listings then, and from then on each
//! slice of a post's fan-out is put into those timelines that want it. Whatever changes what a timeline shall hold (a
//! follow, a block, a list) throws it away. What is kept is a number each; whether the reader may see the post is asked
//! when it is shown.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use decalog_runtime::{Subscription, SubscriptionError};

use crate::event::Event;
use crate::state::{Following, Window};
use crate::value::{AccountId, Entry, PostId};

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
    fn put(&mut self, post: PostId) {
        let place = match self.posts.last() {
            Some(last) if *last < post.0 => self.posts.len(),
            _ => match self.posts.binary_search(&post.0) {
                Ok(_) => return,
                Err(place) => place,
            },
        };
        self.posts.insert(place, post.0);
        // Half as many again, so that making room is rare.
        if self.posts.len() > KEPT + KEPT / 2 {
            self.posts.drain(..self.posts.len() - KEPT);
        }
    }

    fn remove(&mut self, post: PostId) {
        if let Ok(place) = self.posts.binary_search(&post.0) {
            self.posts.remove(place);
        }
    }
}

#[derive(Debug, Default)]
struct Kept {
    homes: HashMap<AccountId, Home>,
    by_author: HashMap<AccountId, Vec<AccountId>>,
    by_tag: HashMap<String, Vec<AccountId>>,
    generation: u64,
}

/// All timelines that are kept.
#[derive(Debug, Default)]
pub struct Homes(Mutex<Kept>);

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
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The part of a timeline that is asked for.
    pub fn read(&self, account: AccountId, window: Window) -> Found {
        let kept = self.kept();
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
        let mut kept = self.kept();
        kept.forget(wishes.account);
        if kept.homes.len() >= HOMES
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
        let mut kept = self.kept();
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

    /// Takes up what a partition tells.
    pub fn apply(&self, event: &Event) {
        let mut kept = self.kept();
        match event {
            Event::Arrived(it) => kept.arrived(&it.entry),
            Event::Written(it) => kept.written(&it.entry),
            Event::Gone(it) => kept.gone(it.post.post, it.post.author),
            Event::HomeChanged(it) => kept.forget(it.account),
            _ => {}
        }
    }

    /// Timelines kept, and entries in them.
    pub fn size(&self) -> (usize, usize) {
        let kept = self.kept();
        (kept.homes.len(), kept.homes.values().map(|home| home.posts.len()).sum())
    }
}

impl Kept {
    fn arrived(&mut self, entry: &Entry) {
        let Some(readers) = self.by_author.get(&entry.author) else { return };
        for reader in readers {
            if let Some(home) = self.homes.get_mut(reader).filter(|home| home.wishes.want(entry)) {
                home.put(entry.post);
            }
        }
    }

    /// The author's own timeline, and those that follow a tag.
    fn written(&mut self, entry: &Entry) {
        if let Some(home) = self.homes.get_mut(&entry.author) {
            home.put(entry.post);
        }
        if entry.visibility != crate::value::Visibility::Public {
            return;
        }
        for reader in entry.tags.iter().filter_map(|tag| self.by_tag.get(tag)).flatten() {
            if let Some(home) = self.homes.get_mut(reader).filter(|home| home.wishes.want(entry)) {
                home.put(entry.post);
            }
        }
    }

    fn gone(&mut self, post: PostId, author: AccountId) {
        let readers = self.by_author.get(&author).into_iter().flatten().copied();
        for reader in readers.chain([author]) {
            if let Some(home) = self.homes.get_mut(&reader) {
                home.remove(post);
            }
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

/// Keeps timelines up to date with what one partition tells, until it stops.
pub async fn follow(mut events: Subscription<Event>, homes: Arc<Homes>) {
    loop {
        match events.next().await {
            Ok(published) => homes.apply(&published.event),
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
    use crate::value::{PostRef, Visibility};

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
        let homes = Homes::default();
        assert_eq!(newest(&homes), Found::Cold);
        let generation = homes.begin(wishes());
        homes.apply(&Arrived { entry: entry(9, 2) }.into());
        assert_eq!(newest(&homes), Found::Cold, "not before it is filled");
        homes.fill(AccountId(1), generation, &[PostId(5), PostId(7), PostId(9)]);
        homes.apply(&Arrived { entry: entry(8, 3) }.into());
        homes.apply(&Arrived { entry: entry(8, 3) }.into());
        homes.apply(&Arrived { entry: entry(10, 4) }.into());
        assert_eq!(
            newest(&homes),
            Found::Posts(vec![PostId(9), PostId(8), PostId(7)]),
            "each once, in order"
        );
        homes.apply(&Gone { post: PostRef { post: PostId(8), author: AccountId(3) }, own: false }.into());
        let rising = Window { above: Some(5), rising: true, ..Window::newest(1) };
        assert_eq!(homes.read(AccountId(1), rising), Found::Posts(vec![PostId(7)]));
        homes.apply(&HomeChanged { account: AccountId(1) }.into());
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
    fn only_so_many_are_kept_and_what_is_older_is_not_made_up() {
        let homes = Homes::default();
        let generation = homes.begin(wishes());
        homes.fill(AccountId(1), generation, &[]);
        for post in 1..=10_000 {
            homes.apply(&Arrived { entry: entry(post, 2) }.into());
        }
        let (_, entries) = homes.size();
        assert!((KEPT..=KEPT + KEPT / 2).contains(&entries));
        assert_eq!(
            homes.read(AccountId(1), Window { below: Some(9_000), ..Window::newest(3) }),
            Found::Older
        );
    }
}
