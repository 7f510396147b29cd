//! Ranking over real partitions: what it shows is what the author's partition shows; what it logs is bounded and can be
//! forgotten; what orders is checked.

use std::collections::{BTreeMap, BTreeSet};

use decalog_feed::command::*;
use decalog_feed::engine::rank::{
    Age, Blocked, Bundle, Diverse, Facts, Filter, Hydrate, Known, Landscape, Muted, Origin, Origins, Own,
    Recommendable, Source, Stages, View, facts,
};
use decalog_feed::state::{Listing, MODEL_BUCKET, Window};
use decalog_feed::value::{AccountId, Bytes, IMPRESSIONS, PostId, PostRef, ReportCategory, Visibility};
use fastrand::Rng;

use crate::books::{ALL, subjects};
use crate::people::{People, Sight as _, impression};
use crate::world::World;

/// Proposes everything, whoever it is for.
struct Everything(Vec<PostId>);

impl Source for Everything {
    fn origin(&self) -> Origin {
        Origin::Popular
    }

    fn find(&self, _view: &View<'_>, _most: usize) -> Vec<PostId> {
        self.0.clone()
    }
}

/// What the authors' partitions show to one reader.
struct Shows<'a> {
    world: &'a World,
    reader: AccountId,
}

impl Hydrate for Shows<'_> {
    fn hydrate(&self, post: PostId, origins: Origins, friends: u32) -> Option<Facts> {
        let show = |post: PostId| self.world.at(post.bucket()).show(post, Some(self.reader));
        let home = self.world.at(self.reader.bucket());
        let shown = show(post)?;
        let original = match shown.post.reblog_of {
            Some(of) => show(of.post)?,
            None => shown.clone(),
        };
        let by = Some(&shown.post).filter(|post| post.reblog_of.is_some());
        let post_author = original.post.author;
        let known = Known {
            author: home.relation(self.reader, original.post.author),
            reblogger: by.map(|by| home.relation(self.reader, by.author)).unwrap_or_default(),
            viewer: home.viewers(self.reader, [(original.post.id, original.post.conversation)])
                [&original.post.id],
            seen: 0,
            standing: home.standing(post_author),
            reblogger_standing: by.map(|by| home.standing(by.author)).unwrap_or_default(),
        };
        Some(Facts { origins, friends, ..facts(&original, by, &known) })
    }
}

/// Everything that people can do; then everybody is offered every post there is.
#[test]
pub(crate) fn a_ranked_timeline_shows_nothing_that_is_not_for_its_reader() {
    let (mut shown, mut hidden, mut found) = (0, 0, 0);
    for seed in 0..6 {
        let (mut world, mut people) = World::peopled(4);
        let mut random = Rng::with_seed(seed);
        for _ in 0..500 {
            people.now = world.now;
            let (command, bucket) = people.command(&mut random, &world);
            world.ask(bucket, command);
            world.settle(&mut random);
        }
        let all: Vec<PostId> = people
            .known()
            .iter()
            .flat_map(|author| world.at(author.bucket()).written(*author, Window::newest(ALL)))
            .map(|entry| entry.post)
            .collect();
        for reader in people.known().to_vec() {
            let order = ranked(&world, reader, &all);
            for post in &order {
                may_be_shown(&world, &people, reader, post);
                found += usize::from(!post.following);
            }
            shown += order.len();
            hidden += all.len() - order.len();
        }
    }
    assert!(shown > 50 && hidden > 50 && found > 10, "{shown} shown, {found} of strangers, {hidden} not");
}

fn ranked(world: &World, reader: AccountId, all: &[PostId]) -> Vec<Facts> {
    let landscape = Landscape::default();
    let view = View { viewer: reader, now: world.now, landscape: Some(&landscape), ..View::default() };
    let filters: [&dyn Filter; 5] = [&Muted, &Blocked, &Age::WEEK, &Own, &Recommendable];
    let (everything, bundle) = (Everything(all.to_vec()), Bundle::default());
    let stages =
        Stages { sources: &[&everything], filters: &filters, score: &bundle, select: &Diverse::default() };
    let proposed: BTreeMap<PostId, Origins> = stages.propose(&view);
    let ranked = stages.rank(&view, &proposed, &Shows { world, reader }, ALL);
    ranked.into_iter().map(|ranked| ranked.facts).collect()
}

/// The rules once more, from the rows alone.
fn may_be_shown(world: &World, people: &People, reader: AccountId, facts: &Facts) {
    let post = facts.original;
    let row = world.at(post.author.bucket()).post(post.post).expect("it is there");
    let who = |account: AccountId| people.accounts.iter().position(|it| *it == account);
    let what = format!("{:?} is shown {:?} of {:?}", who(reader), row.visibility, who(post.author));
    let of = |listing, owner: AccountId| -> BTreeSet<u64> {
        subjects(world.at(owner.bucket()), listing, owner.0).into_iter().collect()
    };
    let follows = of(Listing::Following, reader);
    let named = row.mentions.iter().any(|mention| mention.account == reader);
    match row.visibility {
        Visibility::Public | Visibility::Unlisted => {}
        Visibility::Private => {
            assert!(named || of(Listing::Followers, post.author).contains(&reader.0), "{what}")
        }
        Visibility::Direct => assert!(named, "{what}"),
    }
    for author in [post.author, facts.shown.author] {
        assert_ne!(author, reader, "{what}: their own");
        assert!(!of(Listing::Blocks, author).contains(&reader.0), "{what}, who blocks them");
        assert!(!of(Listing::Blocks, reader).contains(&author.0), "{what}, whom they block");
        assert!(!of(Listing::Mutes, reader).contains(&author.0), "{what}, whom they mute");
        assert!(!world.at(reader.bucket()).standing(author).suspended, "{what}, who is suspended");
    }
    if !follows.contains(&post.author.0) && !follows.contains(&facts.shown.author.0) {
        let author = world.at(post.author.bucket()).account(post.author).expect("an author");
        let limited = world.at(reader.bucket()).standing(post.author).limited;
        let open =
            row.visibility == Visibility::Public && !row.sensitive && row.spoiler.is_empty() && !limited;
        assert!(open && author.discoverable == Some(true), "{what}, a stranger");
    }
}

fn post(number: u64) -> PostRef {
    PostRef { post: PostId(number << 22), author: AccountId(5) }
}

#[test]
pub(crate) fn what_was_shown_is_bounded_and_can_be_forgotten() {
    let (mut world, people) = World::peopled(4);
    let account = people.accounts[0];
    let bucket = account.bucket();
    let log = |world: &mut World, from: u64, count: u64| {
        let shown = (from..from + count).map(|number| impression(post(number))).collect();
        world.ask(bucket, LogImpressions { account, shown })
    };
    let kept = |world: &World| world.at(bucket).impressions(account, ALL);
    assert_eq!(log(&mut world, 0, IMPRESSIONS as u64 + 1), Reply::Refused(Refusal::TooMany));
    assert_eq!(log(&mut world, 1, 2), Reply::Done);
    let first = world.now;
    assert_eq!(log(&mut world, 1, 1), Reply::Done);
    let twice = world.at(bucket).impression(account, post(1).post).expect("it was shown");
    assert_eq!((twice.times, twice.at, twice.dwelt), (2, first, 0), "the first moment stays");
    let dwell = LogDwell {
        account,
        dwelt: vec![(post(1).post, 6_000), (post(77).post, 9), (post(1).post, u32::MAX)],
    };
    assert_eq!(world.ask(bucket, dwell), Reply::Done);
    assert_eq!(world.at(bucket).impression(account, post(1).post).map(|it| it.dwelt), Some(600_000));
    assert_eq!(world.at(bucket).impression(account, post(77).post), None, "it was not shown");
    for part in 0..20 {
        assert_eq!(log(&mut world, 100 + part * 100, 100), Reply::Done);
        assert!(kept(&world).len() <= 1_100);
    }
    assert_eq!(kept(&world).first().map(|it| it.post), Some(post(2_099)), "the newest stay");
    let expose = |world: &mut World, arm: &str| {
        let (experiment, arm) = ("one".to_owned(), arm.to_owned());
        world.ask(bucket, LogExposure { account, experiment, arm })
    };
    assert_eq!((expose(&mut world, "a"), expose(&mut world, "b")), (Reply::Done, Reply::Done));
    let exposed = |world: &World| world.at(bucket).exposures("one", None, 9).0;
    assert_eq!(
        exposed(&world).iter().map(|(who, it)| (*who, &*it.arm)).collect::<Vec<_>>(),
        [(account, "a")]
    );
    let set = |home, forget| SetRanking { account, home, notifications: None, show_seen: None, forget };
    assert_eq!(world.ask(bucket, set(Some(true), false)), Reply::Done);
    assert_eq!(world.ask(bucket, set(None, true)), Reply::Done);
    assert!(world.at(bucket).ranking(account).home, "what they want stays");
    assert!(kept(&world).is_empty() && exposed(&world).is_empty());
    assert_eq!(log(&mut world, 1, 3), Reply::Done);
    assert_eq!(kept(&world).len(), 3);
    let stranger = people.accounts[people.accounts.len() - 1];
    let shown = LogImpressions { account: stranger, shown: vec![impression(post(1))] };
    assert_eq!(world.ask(stranger.bucket(), shown), Reply::Refused(Refusal::NotFound));
}

#[test]
pub(crate) fn models_that_are_none_or_old_are_refused() {
    let (mut world, _) = World::peopled(4);
    let mut ship = |number, bundle| world.ask(MODEL_BUCKET, SetModel { number, bundle: Bytes(bundle) });
    let sound = Bundle::default().to_bytes();
    let refused = |why| Reply::Refused(why);
    assert_eq!(ship(1, Vec::new()), refused(Refusal::BadModel));
    assert_eq!(ship(1, sound[..sound.len() - 1].to_vec()), refused(Refusal::BadModel));
    assert_eq!(ship(1, sound.clone()), Reply::Done);
    assert_eq!(ship(1, sound.clone()), refused(Refusal::OldModel));
    assert_eq!(ship(2, vec![0xc1; 100]), refused(Refusal::BadModel));
    assert_eq!(ship(2, sound.clone()), Reply::Done);
    let shipped = world.at(MODEL_BUCKET).shipped().expect("it was shipped");
    assert_eq!((shipped.number, shipped.bundle), (2, Bytes(sound)));
}

#[test]
fn what_became_of_what_was_shown_is_known() {
    let (mut world, people) = World::peopled(4);
    let (reader, author) = (people.accounts[0], people.accounts[3]);
    let write = |world: &mut World, account: AccountId, reply_to: Option<PostRef>| {
        let draft = Draft { reply_to, ..crate::privacy::draft("words", Visibility::Public) };
        match world.ask_to_rest(account, Publish { account, draft, scheduled: None }) {
            Reply::Posted(post) => PostRef { post, author: account },
            other => panic!("{other:?}"),
        }
    };
    let posts: Vec<PostRef> = (0..3).map(|_| write(&mut world, author, None)).collect();
    let like = |post: PostRef| Favourite { account: reader, post: post.post, on: true };
    world.ask(author.bucket(), like(posts[0]));
    world.settle(&mut Rng::with_seed(1));
    world.now += 1_000_000_000;
    let shown = posts.iter().map(|post| impression(*post)).collect();
    world.ask(reader.bucket(), LogImpressions { account: reader, shown });
    world.now += 1_000_000_000;
    world.ask(author.bucket(), like(posts[1]));
    write(&mut world, reader, Some(posts[2]));
    world.ask(reader.bucket(), LogDwell { account: reader, dwelt: vec![(posts[2].post, 5_000)] });
    let of = |world: &World, post: PostRef| {
        let feed = world.at(reader.bucket());
        let shown = feed.impression(reader, post.post).expect("it was shown");
        feed.outcome(reader, &shown, &feed.answered_lately(reader)).acted()
    };
    assert_eq!(of(&world, posts[0]), [false; 6], "it was liked before it was shown");
    assert_eq!(of(&world, posts[1]), [true, false, false, false, false, false]);
    assert_eq!(of(&world, posts[2]), [false, false, true, true, false, false]);
    let (account, target) = (reader, author);
    world.ask_to_rest(author, report(account, target, posts[0].post));
    assert_eq!(posts.iter().map(|post| of(&world, *post)[5]).collect::<Vec<_>>(), [true, false, false]);
    world.ask_to_rest(reader, SetMute { account, target, on: true, notifications: true, until: None });
    assert!(posts.iter().all(|post| of(&world, *post)[4]));
}

fn report(account: AccountId, target: AccountId, post: PostId) -> FileReport {
    let (comment, category) = ("it is spam".to_owned(), ReportCategory::Spam);
    FileReport {
        account,
        target,
        posts: vec![post],
        comment,
        category,
        rules: Vec::new(),
        moderators: Vec::new(),
    }
}
