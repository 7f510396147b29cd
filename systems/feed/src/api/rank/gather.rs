//! What ranking looks at, read from the partitions: the viewer's home, friends' friends, tags and taste; what is popular; and
//! each post as its author's partition shows it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use decalog_runtime::bucket::Id;
use quick_cache::sync::Cache;

use crate::api::entity::status::Material;
use crate::api::error::Error;
use crate::api::service::Service;
use crate::engine::rank::{Facts, Hydrate, Known, Landmark, Landscape, Origins, Taste, View, facts};
use crate::projection::standings::Standings;
use crate::state::{Feed, Listing, Window};
use crate::value::{AccountId, Entry, PostId, PostRef, SECOND, Visibility};

/// Posts that were liked, and reblogged, from which a taste is read.
const LIKED: usize = 60;
const REBLOGGED: usize = 30;
/// Whom somebody follows, as far as that is looked at.
const FOLLOWED: usize = 2_000;
/// Of how many whom somebody follows is looked whom they follow, and of how many of those.
const FRIENDS: usize = 50;
const THEIRS: usize = 100;
/// Friends' friends whose posts are looked at, and how many of each.
const STRANGERS: usize = 40;
const POSTS: usize = 5;
/// Of how many who look it is kept whom their friends follow, and for how long.
const VIEWERS: usize = 10_000;
const ACQUAINTED: i64 = 600 * SECOND;
/// Followed tags that are looked at, and posts of each.
const TAGS: usize = 20;
const TAGGED: usize = 20;
/// Posts of the home timeline that are looked at.
const HOME: usize = 200;
/// Public posts of each partition that make the landscape, how old they may be, and how many one read looks into.
const LANDSCAPE: usize = 2_000;
const DAYS: i64 = 7;
const AT_ONCE: usize = 64;
/// The landscape is kept so many times as long as it took to make, within these bounds.
const SHARE: u32 = 50;
const KEPT: (i64, i64) = (SECOND, 300 * SECOND);

/// The landscape that was made last, and until when it counts.
#[derive(Debug, Default)]
pub(crate) struct Surveyed(Mutex<(i64, Arc<Landscape>)>);

/// Whom the friends of somebody follow whom they themselves do not follow.
#[derive(Debug)]
struct Strangers {
    /// Whom they followed then.
    of: Vec<AccountId>,
    /// Until when it counts.
    until: i64,
    /// How many of their friends follow each.
    counts: BTreeMap<AccountId, u32>,
}

/// Strangers that were found lately: asked for anew when somebody follows others, and after a while.
#[derive(Debug)]
pub(crate) struct Acquainted(Cache<AccountId, Arc<Strangers>>);

impl Default for Acquainted {
    fn default() -> Acquainted {
        Acquainted(Cache::new(VIEWERS))
    }
}

/// Posts by the place of the partition that holds them.
fn by_place(service: &Service, posts: impl IntoIterator<Item = u64>) -> BTreeMap<usize, Vec<u64>> {
    let mut parts: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    for id in posts {
        parts.entry(service.place(PostId(id).bucket())).or_default().push(id);
    }
    parts
}

/// What an account of this partition liked and reblogged lately.
fn liked_by(feed: &Feed, me: AccountId) -> Vec<u64> {
    let likes = feed.listing(Listing::Favourites, me.0, Window::newest(LIKED));
    let reblogs = feed.listing(Listing::Reblogs, me.0, Window::newest(REBLOGGED));
    likes.into_iter().chain(reblogs).map(|(_, post)| post).collect()
}

/// Whether strangers may be shown it as a find.
fn is_find(entry: &Entry) -> bool {
    entry.visibility == Visibility::Public && entry.reblog_of.is_none() && entry.reply_to.is_none()
}

impl Service {
    /// What is written and liked by all lately.
    pub(crate) async fn landscape(&self) -> Result<Arc<Landscape>, Error> {
        let now = self.now();
        let (until, kept) = self.surveyed.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if until > now {
            return Ok(kept);
        }
        let began = Instant::now();
        let oldest = now - DAYS * 86_400 * SECOND;
        let mut posts = Vec::new();
        for place in 0..self.places() {
            let recent = move |feed: &Feed| {
                let entries = feed.public(Window::newest(LANDSCAPE)).into_iter();
                entries
                    .filter(|entry| Id(entry.post.0).time().0 >= oldest && is_find(entry))
                    .collect::<Vec<_>>()
            };
            for some in self.read_place(place, recent).await?.chunks(AT_ONCE) {
                let some = some.to_vec();
                let one = |feed: &Feed, entry: Entry| {
                    let post = feed.post(entry.post)?;
                    let liked = post.favourites + 2 * post.reblogs + post.replies;
                    let mark = Landmark { post: post.reference(), tags: entry.tags };
                    Some((mark, liked, post.created))
                };
                let read =
                    move |feed: &Feed| some.into_iter().filter_map(|it| one(feed, it)).collect::<Vec<_>>();
                posts.extend(self.read_place(place, read).await?);
            }
        }
        posts.sort_by_key(|(mark, ..)| mark.post.post);
        let landscape = Arc::new(Landscape::of(&posts));
        let took = i64::try_from(began.elapsed().saturating_mul(SHARE).as_nanos()).unwrap_or(i64::MAX);
        let until = now + took.clamp(KEPT.0, KEPT.1);
        *self.surveyed.0.lock().unwrap_or_else(PoisonError::into_inner) = (until, Arc::clone(&landscape));
        Ok(landscape)
    }

    /// What somebody liked and reblogged lately.
    pub(crate) async fn liked(&self, me: AccountId) -> Result<Vec<Landmark>, Error> {
        let posts = self.read(me.bucket(), move |feed| liked_by(feed, me)).await?;
        self.landmarks(me, posts).await
    }

    /// These posts, but for one's own.
    async fn landmarks(&self, me: AccountId, posts: Vec<u64>) -> Result<Vec<Landmark>, Error> {
        let found = self.read_each(by_place(self, posts), |feed, posts: Vec<u64>| {
            let posts = posts.into_iter().filter_map(|post| feed.post(PostId(post)));
            let one = |post: crate::state::Post| Landmark { post: post.reference(), tags: post.entry().tags };
            posts.map(one).collect::<Vec<_>>()
        });
        let mut found: Vec<Landmark> = found.await?.into_iter().flatten().collect();
        found.retain(|mark| mark.post.author != me);
        found.sort_by_key(|mark| mark.post.post);
        Ok(found)
    }

    /// Whom those follow whom somebody follows, and how many of them do, as far as is looked at; those whom most follow.
    async fn strangers(&self, me: AccountId, following: &[AccountId]) -> Result<Arc<Strangers>, Error> {
        let now = self.now();
        if let Some(kept) = self.acquainted.0.get(&me).filter(|kept| kept.of == following && kept.until > now)
        {
            return Ok(kept);
        }
        let newest = following.iter().take(FRIENDS).map(|account| account.0);
        let theirs = self.read_each(by_place(self, newest), |feed, some: Vec<u64>| {
            // Who hides whom they follow is not asked.
            let open = some.into_iter().map(AccountId);
            let open = open.filter(|it| feed.account(*it).is_some_and(|it| !it.hide_collections));
            let theirs = open.flat_map(|it| feed.listing(Listing::Following, it.0, Window::newest(THEIRS)));
            theirs.map(|(_, account)| AccountId(account)).collect::<Vec<_>>()
        });
        let mut counts: BTreeMap<AccountId, u32> = BTreeMap::new();
        for account in theirs.await?.into_iter().flatten() {
            *counts.entry(account).or_default() += 1;
        }
        let known: BTreeSet<AccountId> = following.iter().copied().chain([me]).collect();
        counts.retain(|account, _| !known.contains(account));
        let mut best: Vec<(u32, AccountId)> =
            counts.into_iter().map(|(account, count)| (count, account)).collect();
        best.sort_unstable_by(|one, other| other.cmp(one));
        best.truncate(STRANGERS);
        let counts = best.into_iter().map(|(count, account)| (account, count)).collect();
        let found = Arc::new(Strangers { of: following.to_vec(), until: now + ACQUAINTED, counts });
        self.acquainted.0.insert(me, Arc::clone(&found));
        Ok(found)
    }

    /// Posts by whom those follow whom somebody follows, each with how many do.
    async fn friends(&self, me: AccountId, following: &[AccountId]) -> Result<Vec<(PostId, u32)>, Error> {
        let strangers = self.strangers(me, following).await?;
        let parts = by_place(self, strangers.counts.keys().map(|account| account.0));
        let found = self.read_each(parts, |feed, authors: Vec<u64>| {
            let written =
                authors.into_iter().flat_map(|it| feed.written(AccountId(it), Window::newest(POSTS)));
            written.filter(is_find).collect::<Vec<_>>()
        });
        let found = found.await?.into_iter().flatten();
        let counted = |entry: Entry| (entry.post, strangers.counts.get(&entry.author).copied().unwrap_or(0));
        Ok(found.map(counted).collect())
    }

    /// The newest posts of these tags.
    async fn tagged(&self, tags: &BTreeSet<String>) -> Result<Vec<PostId>, Error> {
        if tags.is_empty() {
            return Ok(Vec::new());
        }
        let looked: Vec<String> = tags.iter().take(TAGS).cloned().collect();
        let tagged = self.read_all(move |feed: &Feed| {
            let all = looked.iter().flat_map(|tag| feed.tagged(tag, Window::newest(TAGGED)));
            all.filter(is_find).map(|entry| entry.post).collect::<Vec<_>>()
        });
        Ok(tagged.await?.into_iter().flatten().collect())
    }

    /// All that sources look at for somebody; and whether they want to be shown again what they were shown.
    pub(crate) async fn view<'a>(
        &self,
        me: AccountId,
        landscape: &'a Landscape,
    ) -> Result<(View<'a>, bool), Error> {
        let own = self.read(me.bucket(), move |feed| {
            let following = feed.listing(Listing::Following, me.0, Window::newest(FOLLOWED));
            let following: Vec<AccountId> =
                following.into_iter().map(|(_, account)| AccountId(account)).collect();
            let tags: BTreeSet<String> = feed.followed_tags(me).into_iter().map(|(_, tag)| tag).collect();
            (following, tags, liked_by(feed, me), feed.ranking(me).show_seen)
        });
        let (following, tags, liked, show_seen) = own.await?;
        let home = self.home_page(me, Window::newest(HOME)).await?;
        let mut taste = Taste::default();
        for mark in self.landmarks(me, liked).await? {
            *taste.authors.entry(mark.post.author).or_default() += 1;
            taste.place.add(&landscape.vector(&mark), 1.0);
        }
        taste.place = taste.place.direction();
        let view = View {
            viewer: me,
            now: self.now(),
            home: home.map(|part| part.posts).unwrap_or_default(),
            friends: self.friends(me, &following).await?,
            tagged: self.tagged(&tags).await?,
            tags,
            taste,
            landscape: Some(landscape),
        };
        Ok((view, show_seen))
    }

    /// These posts as their authors' partitions show them to somebody.
    pub(crate) async fn gathered(
        &self,
        me: AccountId,
        posts: impl Iterator<Item = PostId>,
    ) -> Result<Gathered, Error> {
        let posts: Vec<PostId> = posts.collect();
        let material = self.material(Some(me), &posts).await?;
        let originals: Vec<PostId> = material.shown.keys().copied().collect();
        let seen = self.read(me.bucket(), move |feed| {
            let times = |post: PostId| Some((post, feed.times_shown(me, post)?));
            originals.into_iter().filter_map(times).collect()
        });
        Ok(Gathered { seen: seen.await?, material, standings: Arc::clone(&self.standings) })
    }
}

/// Posts that a viewer may see, with what is known of them.
pub(crate) struct Gathered {
    material: Material,
    seen: HashMap<PostId, u32>,
    standings: Arc<Standings>,
}

impl Gathered {
    /// The post itself, of one that shows it.
    pub(crate) fn original(&self, post: PostId) -> Option<PostRef> {
        let shown = &self.material.shown.get(&post)?.post;
        let original = shown.reblog_of.unwrap_or(shown.reference());
        self.material.shown.contains_key(&original.post).then_some(original)
    }
}

impl Hydrate for Gathered {
    fn hydrate(&self, post: PostId, origins: Origins, friends: u32) -> Option<Facts> {
        let shown = self.material.shown.get(&post)?;
        let (original, by) = match shown.post.reblog_of {
            None => (shown, None),
            Some(of) => (self.material.shown.get(&of.post)?, Some(&shown.post)),
        };
        let relation = |account| self.material.relations.get(&account).cloned().unwrap_or_default();
        let known = Known {
            author: relation(original.post.author),
            reblogger: by.map(|by| relation(by.author)).unwrap_or_default(),
            viewer: self.material.viewers.get(&original.post.id).copied().unwrap_or_default(),
            seen: self.seen.get(&original.post.id).copied().unwrap_or(0),
            standing: self.standings.of(original.post.author),
            reblogger_standing: by.map(|by| self.standings.of(by.author)).unwrap_or_default(),
        };
        Some(Facts { origins, friends, ..facts(original, by, &known) })
    }
}
