//! Who sees what: the author's partition against a slow, obvious model, written from the documentation alone; and that
//! nothing is left of what was deleted.

use std::collections::{BTreeMap, BTreeSet};

use decalog_feed::command::*;
use decalog_feed::state::{Found, Listing, Window};
use decalog_feed::value::{AccountId, Mention, PostId, PostRef, QuotePolicy, Standing, Visibility};
use fastrand::Rng;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::books::{ALL, subjects};
use crate::partitions::lock;
use crate::people::{People, Sight};
use crate::rows::dump;
use crate::world::World;

/// A draft with nothing but words.
pub(crate) fn draft(text: &str, visibility: Visibility) -> Draft {
    Draft { text: text.to_owned(), visibility, ..Draft::default() }
}

/// Somebody follows, as they are asked to say it.
pub(crate) fn follow(account: AccountId, target: AccountId, locked: bool) -> Follow {
    Follow { account, target, reblogs: true, notify: false, languages: Vec::new(), locked }
}

/// Accounts, by number.
const PEOPLE: usize = 5;
type Who = usize;

#[derive(Clone, Debug)]
enum Act {
    Follow(Who, Who),
    Unfollow(Who, Who),
    Answer(Who, Who, bool),
    RemoveFollower(Who, Who),
    Block(Who, Who, bool),
    Mute(Who, Who),
    Lock(Who, bool),
    Post(Who, Visibility, BTreeSet<Who>),
    /// Moderators suspend somebody, limit them, or neither.
    Moderate(Who, bool, bool),
    /// Changes whom a post names: the post by its number.
    Edit(usize, BTreeSet<Who>),
    Delete(usize),
    /// Quotes a post, by its number.
    Quote(Who, Visibility, usize),
    /// Says who may quote a post.
    Policy(usize, QuotePolicy),
    /// Takes back whatever quotes a post.
    Revoke(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let who = || 0..PEOPLE;
    let names = || prop::collection::btree_set(0..PEOPLE, 0..3);
    let policy = prop::sample::select(vec![QuotePolicy::Public, QuotePolicy::Followers, QuotePolicy::Nobody]);
    let kinds = prop::sample::select(vec![Visibility::Public, Visibility::Private, Visibility::Direct]);
    let visibility = prop::sample::select(vec![
        Visibility::Public,
        Visibility::Unlisted,
        Visibility::Private,
        Visibility::Private,
        Visibility::Direct,
    ]);
    prop_oneof![
        6 => (who(), who()).prop_map(|(one, other)| Act::Follow(one, other)),
        1 => (who(), who()).prop_map(|(one, other)| Act::Unfollow(one, other)),
        2 => (who(), who(), any::<bool>()).prop_map(|(one, other, yes)| Act::Answer(one, other, yes)),
        1 => (who(), who()).prop_map(|(one, other)| Act::RemoveFollower(one, other)),
        2 => (who(), who(), any::<bool>()).prop_map(|(one, other, on)| Act::Block(one, other, on)),
        1 => (who(), who()).prop_map(|(one, other)| Act::Mute(one, other)),
        1 => (who(), any::<bool>()).prop_map(|(one, on)| Act::Lock(one, on)),
        4 => (who(), visibility, names()).prop_map(|(one, kind, names)| Act::Post(one, kind, names)),
        1 => (who(), any::<bool>(), any::<bool>()).prop_map(|(one, suspended, limited)| Act::Moderate(one, suspended, limited)),
        1 => (0..9_usize, names()).prop_map(|(post, names)| Act::Edit(post, names)),
        1 => (0..9_usize).prop_map(Act::Delete),
        4 => (who(), kinds, 0..9_usize).prop_map(|(one, kind, post)| Act::Quote(one, kind, post)),
        2 => (0..9_usize, policy).prop_map(|(post, policy)| Act::Policy(post, policy)),
        1 => (0..9_usize).prop_map(Act::Revoke),
    ]
}

/// What the documentation says, in sets.
#[derive(Default)]
struct Model {
    follows: BTreeSet<(Who, Who)>,
    asks: BTreeSet<(Who, Who)>,
    blocks: BTreeSet<(Who, Who)>,
    locked: BTreeSet<Who>,
    suspended: BTreeSet<Who>,
    limited: BTreeSet<Who>,
    posts: Vec<Option<(Who, Visibility, BTreeSet<Who>)>>,
    policies: BTreeMap<usize, QuotePolicy>,
    /// What posts quote that may.
    quotes: BTreeMap<usize, usize>,
}

impl Model {
    fn take(&mut self, act: &Act) {
        let is_out = |who: &Who| self.suspended.contains(who);
        match act.clone() {
            Act::Follow(one, _) | Act::Answer(one, ..) | Act::Lock(one, _) | Act::Post(one, ..)
                if is_out(&one) => {}
            Act::Quote(one, ..) if is_out(&one) => {}
            Act::Edit(post, _)
                if self.posts.get(post).is_some_and(|it| it.as_ref().is_some_and(|it| is_out(&it.0))) => {}
            Act::Moderate(one, suspended, limited) => {
                for (all, on) in [(&mut self.suspended, suspended), (&mut self.limited, limited)] {
                    if on {
                        all.insert(one)
                    } else {
                        all.remove(&one)
                    };
                }
            }
            Act::Follow(one, other) => self.follow(one, other),
            Act::Unfollow(one, other) | Act::RemoveFollower(other, one) => {
                self.follows.remove(&(one, other));
                // Only who asks takes that back.
                if matches!(act, Act::Unfollow(..)) {
                    self.asks.remove(&(one, other));
                }
            }
            Act::Answer(asked, from, yes) => {
                if self.asks.remove(&(from, asked)) && yes {
                    self.follows.insert((from, asked));
                }
            }
            Act::Block(one, other, true) if one != other => {
                self.blocks.insert((one, other));
                for pair in [(one, other), (other, one)] {
                    self.follows.remove(&pair);
                    self.asks.remove(&pair);
                }
            }
            Act::Block(one, other, _) => drop(self.blocks.remove(&(one, other))),
            Act::Mute(..) => {}
            Act::Lock(one, true) => drop(self.locked.insert(one)),
            Act::Lock(one, false) if !self.locked.contains(&one) => {}
            Act::Lock(one, false) => {
                // Nobody waits for one who need not be asked.
                let waiting: Vec<_> = self.asks.iter().filter(|(_, asked)| *asked == one).copied().collect();
                for pair in waiting {
                    self.asks.remove(&pair);
                    self.follows.insert(pair);
                }
                self.locked.remove(&one);
            }
            Act::Post(one, visibility, names) => self.posts.push(Some((one, visibility, names))),
            Act::Edit(post, names) => {
                if let Some(Some(edited)) = self.posts.get_mut(post) {
                    edited.2 = names;
                    // As a draft says it.
                    self.policies.insert(post, QuotePolicy::Public);
                }
            }
            Act::Delete(post) => {
                if let Some(post) = self.posts.get_mut(post) {
                    *post = None;
                }
            }
            Act::Quote(one, visibility, quoted) => {
                if quoted >= self.posts.len() {
                    return;
                }
                if self.may_quote(one, visibility, quoted) {
                    self.quotes.insert(self.posts.len(), quoted);
                }
                self.posts.push(Some((one, visibility, BTreeSet::new())));
            }
            Act::Policy(post, policy) => {
                if post < self.posts.len() {
                    self.policies.insert(post, policy);
                }
            }
            Act::Revoke(post) => self.quotes.retain(|_, quoted| *quoted != post),
        }
    }

    fn follow(&mut self, one: Who, other: Who) {
        let blocked = self.blocks.contains(&(one, other)) || self.blocks.contains(&(other, one));
        let before = self.follows.contains(&(one, other)) || self.asks.contains(&(one, other));
        if one == other || blocked || before || self.suspended.contains(&other) {
            return;
        }
        if self.locked.contains(&other) || self.limited.contains(&one) {
            self.asks.insert((one, other));
        } else {
            self.follows.insert((one, other));
        }
    }

    fn may_quote(&self, one: Who, visibility: Visibility, quoted: usize) -> bool {
        let Some((author, kind, _)) = &self.posts[quoted] else { return false };
        let open = |kind| matches!(kind, Visibility::Public | Visibility::Unlisted);
        let policy = self.policies.get(&quoted).copied().unwrap_or_default();
        let follows = self.follows.contains(&(one, *author));
        let let_in = match policy {
            QuotePolicy::Public => true,
            QuotePolicy::Followers => follows,
            QuotePolicy::Nobody => false,
        };
        let of_own = one == *author && *kind != Visibility::Direct && (open(*kind) || !open(visibility));
        of_own || open(*kind) && let_in && self.sees(quoted, Some(one))
    }

    /// Whether somebody who looks at a post sees what it quotes, too.
    fn sees_quoted(&self, post: usize, viewer: Option<Who>) -> bool {
        let quoted = self.quotes.get(&post);
        self.sees(post, viewer) && quoted.is_some_and(|quoted| self.sees(*quoted, viewer))
    }

    fn sees(&self, post: usize, viewer: Option<Who>) -> bool {
        let Some((author, visibility, names)) = &self.posts[post] else { return false };
        let is_out = |who: &Who| self.suspended.contains(who);
        if viewer != Some(*author) && (is_out(author) || viewer.as_ref().is_some_and(is_out)) {
            return false;
        }
        let open = matches!(visibility, Visibility::Public | Visibility::Unlisted);
        let Some(viewer) = viewer else { return open };
        let named = names.contains(&viewer);
        let follower = *visibility == Visibility::Private && self.follows.contains(&(viewer, *author));
        viewer == *author || !self.blocks.contains(&(*author, viewer)) && (open || named || follower)
    }
}

/// The same acts, asked of four partitions.
struct Stage {
    world: World,
    people: Vec<AccountId>,
    posts: Vec<(AccountId, PostId)>,
}

impl Stage {
    fn new() -> Stage {
        let (world, people) = World::peopled(4);
        Stage { world, people: people.known().to_vec(), posts: Vec::new() }
    }

    fn draft(&self, visibility: Visibility, names: &BTreeSet<Who>) -> Draft {
        let mention = |who: &Who| Mention { account: self.people[*who], name: who.to_string() };
        Draft { mentions: names.iter().map(mention).collect(), ..draft("words", visibility) }
    }

    fn take(&mut self, act: &Act) {
        let of = |who: &Who| self.people[*who];
        let (account, command): (AccountId, Command) = match act {
            Act::Follow(one, other) => {
                let feed = self.world.at(of(other).bucket());
                let locked =
                    feed.account(of(other)).expect("an account").locked || feed.standing(of(one)).limited;
                (of(one), follow(of(one), of(other), locked).into())
            }
            Act::Unfollow(one, other) => (of(one), Unfollow { account: of(one), target: of(other) }.into()),
            Act::Answer(one, other, accept) => {
                (of(one), AnswerRequest { account: of(one), from: of(other), accept: *accept }.into())
            }
            Act::RemoveFollower(one, other) => {
                (of(one), RemoveFollower { account: of(one), from: of(other) }.into())
            }
            Act::Block(one, other, on) => {
                (of(one), SetBlock { account: of(one), target: of(other), on: *on }.into())
            }
            Act::Mute(one, other) => {
                let (account, target) = (of(one), of(other));
                (account, SetMute { account, target, on: true, notifications: true, until: None }.into())
            }
            Act::Lock(one, on) => (of(one), lock(of(one), *on)),
            Act::Post(one, visibility, names) => {
                let draft = self.draft(*visibility, names);
                (of(one), Publish { account: of(one), draft, scheduled: None }.into())
            }
            Act::Moderate(one, suspended, limited) => {
                let standing = Standing { sensitive: false, suspended: *suspended, limited: *limited };
                let account = of(one);
                (account, Moderate { account, standing, by: of(&0), resolve: false }.into())
            }
            Act::Edit(post, names) => {
                let Some((account, post)) = self.posts.get(*post).copied() else { return };
                let draft = self.draft(Visibility::Public, names);
                (account, EditPost { account, post, draft }.into())
            }
            Act::Delete(post) => {
                let Some((account, post)) = self.posts.get(*post).copied() else { return };
                (account, DeletePost { account, post, delete_media: false }.into())
            }
            Act::Quote(one, visibility, quoted) => {
                let Some((author, post)) = self.posts.get(*quoted).copied() else { return };
                let quote = Some(PostRef { post, author });
                let draft = Draft { quote, ..self.draft(*visibility, &BTreeSet::new()) };
                (of(one), Publish { account: of(one), draft, scheduled: None }.into())
            }
            Act::Policy(post, policy) => {
                let Some((account, post)) = self.posts.get(*post).copied() else { return };
                (account, SetQuotePolicy { account, post, policy: *policy }.into())
            }
            Act::Revoke(post) => return self.revoke(*post),
        };
        let written = matches!(act, Act::Post(..) | Act::Quote(..));
        match self.world.ask_to_rest(account, command) {
            Reply::Posted(post) if written => self.posts.push((account, post)),
            _ => {}
        }
    }

    /// Takes back every quote of a post.
    fn revoke(&mut self, post: usize) {
        let Some((account, post)) = self.posts.get(post).copied() else { return };
        for quote in subjects(self.world.at(account.bucket()), Listing::Quotes, post.0) {
            self.world.ask_to_rest(account, RevokeQuote { account, post, quote: PostId(quote) });
        }
    }

    /// What the API does to show a quote: it looks at the post as the viewer, and at what that quotes as the viewer.
    fn sees_quoted(&self, post: usize, viewer: Option<Who>) -> bool {
        let (author, post) = self.posts[post];
        let viewer = viewer.map(|viewer| self.people[viewer]);
        let Some(shown) = self.world.at(author.bucket()).show(post, viewer) else { return false };
        let Some(quote) = shown.post.quote else { return false };
        let there = self.world.at(quote.of.author.bucket());
        let found = match (there.show(quote.of.post, viewer), there.post(quote.of.post)) {
            (Some(_), _) => Found::Seen,
            (None, Some(_)) => Found::Hidden,
            (None, None) => Found::Gone,
        };
        let others = viewer.filter(|viewer| *viewer != quote.of.author);
        let relation = others.map(|viewer| self.world.at(viewer.bucket()).relation(viewer, quote.of.author));
        quote.shown(found, relation.as_ref()).with_post
    }

    fn sees(&self, post: usize, viewer: Option<Who>) -> bool {
        let (author, post) = self.posts[post];
        self.world.at(author.bucket()).show(post, viewer.map(|viewer| self.people[viewer])).is_some()
    }
}

#[test]
pub(crate) fn who_sees_a_post_is_what_its_author_said() {
    let config = Config { cases: 150, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let acts = prop::collection::vec(act(), 1..60);
    let agree = |acts: Vec<Act>| {
        let (mut stage, mut model) = (Stage::new(), Model::default());
        for act in &acts {
            stage.take(act);
            model.take(act);
        }
        prop_assert_eq!(stage.posts.len(), model.posts.len());
        for post in 0..model.posts.len() {
            for viewer in std::iter::once(None).chain((0..PEOPLE).map(Some)) {
                let (one, other) = (stage.sees(post, viewer), model.sees(post, viewer));
                prop_assert_eq!(one, other, "post {}, viewer {:?}, {:?}", post, viewer, &model.posts[post]);
                let (one, other) = (stage.sees_quoted(post, viewer), model.sees_quoted(post, viewer));
                prop_assert_eq!(one, other, "what {} quotes, viewer {:?}, {:?}", post, viewer, &model.quotes);
            }
        }
        Ok(())
    };
    runner.run(&acts, agree).unwrap_or_else(|error| panic!("{error}"));
}

/// Everything that people can do with posts; then all posts and plans of posts are taken back.
#[test]
pub(crate) fn nothing_is_left_of_deleted_posts() {
    for seed in 0..4 {
        let (mut world, mut people) = World::peopled(4);
        let mut random = Rng::with_seed(seed);
        for _ in 0..500 {
            world.now += 300_000_000;
            world.tick();
            people.now = world.now;
            let (command, bucket) = people.command(&mut random, &world);
            world.ask(bucket, command);
            world.deliver(&mut random);
        }
        let words = |world: &World, words: &str| -> usize {
            world.feeds.iter().map(|feed| dump(feed).with_words(words)).sum()
        };
        assert!(words(&world, "words of") > 20);
        take_all_back(&mut world, &people);
        world.settle(&mut random);
        world.tick();
        for kind in ["words of", "warning of", "yes ", "no "] {
            assert_eq!(words(&world, kind), 0, "seed {seed}: {kind:?} is left");
        }
        nothing_belongs_to_a_post(&world);
        world.check().unwrap_or_else(|what| panic!("seed {seed}: {what}"));
    }
}

fn take_all_back(world: &mut World, people: &People) {
    for account in people.accounts.clone() {
        for row in world.at(account.bucket()).all_scheduled(account) {
            world.ask(account.bucket(), CancelScheduled { account, scheduled: row.id });
        }
        for entry in world.at(account.bucket()).written(account, Window::newest(ALL)) {
            match entry.reblog_of {
                Some(of) => world.ask(account.bucket(), Unreblog { account, of }),
                None => {
                    let delete = DeletePost { account, post: entry.post, delete_media: false };
                    world.ask(account.bucket(), delete)
                }
            };
        }
    }
}

/// No row of a family whose rows are a post's.
fn nothing_belongs_to_a_post(world: &World) {
    for feed in &world.feeds {
        let rows = dump(feed);
        let mut left: BTreeMap<char, usize> = BTreeMap::new();
        for letter in *b"epqtuvwhC" {
            left.insert(letter.into(), rows.count(letter));
        }
        let listed = rows.marks(b'k').into_iter().filter(|key| [10, 20, 21, 22, 26].contains(&key[0]));
        left.insert('k', listed.count());
        assert!(left.values().all(|count| *count == 0), "{left:?}");
    }
}
