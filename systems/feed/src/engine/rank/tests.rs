//! The stages, each by itself and together.

use super::*;
use crate::value::{PostRef, SECOND};

fn post(number: u64, author: u64) -> PostRef {
    PostRef { post: PostId(number), author: AccountId(author) }
}

fn known(number: u64, author: u64) -> Facts {
    let it = post(number, author);
    Facts { shown: it, original: it, following: true, followers: 100, ..Facts::default() }
}

struct All(BTreeMap<PostId, Facts>);

impl Hydrate for All {
    fn hydrate(&self, post: PostId, origins: Origins, friends: u32) -> Option<Facts> {
        Some(Facts { origins, friends, ..self.0.get(&post)?.clone() })
    }
}

fn ranked(all: Vec<Facts>, filters: &[&dyn Filter], now: i64) -> Vec<Ranked> {
    let view = View {
        viewer: AccountId(1),
        now,
        home: all.iter().map(|it| it.shown.post).collect(),
        ..View::default()
    };
    let bundle = Bundle::default();
    let stages = Stages { sources: &[&Following], filters, score: &bundle, select: &Diverse::default() };
    let proposed = stages.propose(&view);
    let all = All(all.into_iter().map(|facts| (facts.shown.post, facts)).collect());
    stages.rank(&view, &proposed, &all, 40)
}

fn order(all: &[Ranked]) -> Vec<u64> {
    all.iter().map(|ranked| ranked.facts.shown.post.0).collect()
}

#[test]
fn filters_leave_out_what_their_name_says() {
    let day = 86_400 * SECOND;
    let view = View { viewer: AccountId(1), now: 30 * day, ..View::default() };
    let fresh = Facts { created: 29 * day, ..known(5, 2) };
    let cases: [(&dyn Filter, Facts); 10] = [
        (&Seen, Facts { seen: 1, ..fresh.clone() }),
        (&Seen, Facts { acted: true, ..fresh.clone() }),
        (&Muted, Facts { muted: true, ..fresh.clone() }),
        (&Blocked, Facts { blocked: true, ..fresh.clone() }),
        (&Age::WEEK, Facts { created: 22 * day, ..fresh.clone() }),
        (&Own, Facts { original: post(5, 1), ..fresh.clone() }),
        (&Recommendable, Facts { following: false, ..fresh.clone() }),
        (&Recommendable, Facts { following: false, discoverable: true, public: false, ..fresh.clone() }),
        (&Recommendable, Facts { following: false, discoverable: true, sensitive: true, ..fresh.clone() }),
        (&Recommendable, Facts { following: false, discoverable: true, limited: true, ..fresh.clone() }),
    ];
    for (place, (filter, facts)) in cases.iter().enumerate() {
        assert!(filter.keeps(&fresh, &view) && !filter.keeps(facts, &view), "case {place}");
    }
    assert!(Recommendable.keeps(&Facts { following: false, discoverable: true, ..fresh }, &view));
}

#[test]
fn what_is_liked_and_new_comes_first_and_one_author_does_not_fill_the_page() {
    let hour = 3_600 * SECOND;
    let at = |hours: i64, likes: u64, facts: Facts| Facts {
        created: (100 - hours) * hour,
        counts: [likes, 0, 0],
        ..facts
    };
    let all = vec![
        at(1, 9, known(10, 2)),
        at(1, 8, known(11, 2)),
        at(1, 8, known(12, 2)),
        at(1, 2, known(13, 3)),
        at(90, 9, known(14, 4)),
    ];
    let found = ranked(all, &[], 100 * hour);
    assert_eq!(order(&found)[0], 10);
    assert!(order(&found).iter().position(|it| *it == 13) < order(&found).iter().position(|it| *it == 12));
    let third = found.iter().find(|it| it.facts.shown.post.0 == 11).unwrap();
    let factor = third.adjustments.iter().find(|(what, _)| *what == Adjustment::AuthorDiversity).unwrap().1;
    assert!((factor - 0.36).abs() < 1e-6 || (factor - 0.6).abs() < 1e-6);
    assert!((third.scored.score * factor - third.score).abs() < 1e-6);
}

#[test]
fn new_authors_are_helped() {
    let now = 100 * 86_400 * SECOND;
    let new = Facts { came: now - 86_400 * SECOND, followers: 2, created: now, ..known(20, 2) };
    let old = Facts { came: 0, followers: 2, created: now, ..known(21, 3) };
    let found = ranked(vec![old, new], &[], now);
    assert_eq!(order(&found), [20, 21]);
    assert_eq!(found[0].adjustments, [(Adjustment::NewAuthor, 1.25)]);
}

#[test]
fn a_post_and_its_reblogs_are_one() {
    let reblog = Facts { shown: post(31, 3), ..known(30, 2) };
    let found = ranked(vec![known(30, 2), reblog.clone()], &[], 0);
    assert_eq!((found.len(), found[0].facts.shown), (1, post(30, 2)));
    assert_eq!(ranked(vec![reblog], &[], 0)[0].facts.shown, post(31, 3));
}

#[test]
fn tags_that_stand_together_lie_close() {
    let mark = |number: u64, author: u64, tags: &[&str]| {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        (Landmark { post: post(number, author), tags }, number % 3, 0)
    };
    let mut posts: Vec<_> = (0..30).map(|number| mark(number, 1 + number % 7, &["rust", "logs"])).collect();
    posts.extend((30..60).map(|number| mark(number, 11 + number % 7, &["cats", "gardens"])));
    posts.push(mark(60, 99, &["logs"]));
    posts.push(mark(61, 98, &["gardens"]));
    let all = Landscape::of(&posts);
    let rust = all.vector(&mark(70, 97, &["rust"]).0);
    let near = |number: u64, author, tag: &str| all.vector(&mark(number, author, &[tag]).0).dot(&rust);
    assert!(near(60, 99, "logs") > 0.5, "{}", near(60, 99, "logs"));
    assert!(near(61, 98, "gardens") < 0.3, "{}", near(61, 98, "gardens"));
    let alike = all.alike(&rust, 0.4, 100);
    assert!(alike.contains(&PostId(60)) && !alike.contains(&PostId(61)) && alike.len() == 31, "{alike:?}");
    assert_eq!(all.alike(&Vector::default(), 0.1, 9), []);
    assert_eq!(all.popular(0, 2), [PostId(59), PostId(56)]);
}

#[test]
fn arms_are_even_and_stay() {
    let accounts = || (0..3_000_u64).map(|number| AccountId(number << 22));
    let mut counts = [0_u32; 3];
    accounts().for_each(|account| counts[assign("one", account, 3)] += 1);
    assert!(counts.iter().all(|count| (900..1_100).contains(count)), "{counts:?}");
    let same =
        accounts().filter(|account| assign("one", *account, 2) == assign("other", *account, 2)).count();
    assert!((1_350..1_650).contains(&same), "{same}");
    assert_eq!(assign("one", AccountId(7), 0), 0);
}

#[test]
fn bundles_come_back_as_they_were_and_others_are_refused() {
    let bundle = Bundle::default();
    let bytes = bundle.to_bytes();
    assert_eq!(Bundle::from_bytes(&bytes), Ok(bundle.clone()));
    for length in 0..bytes.len() {
        assert!(Bundle::from_bytes(&bytes[..length]).is_err());
    }
    assert_eq!(Bundle::from_bytes(&vec![0; MAX_BUNDLE + 1]), Err(BundleError::Foreign));
    let other = decalog_learn::Model::chosen(0.0, [("another", 1.0)]).unwrap();
    let mut models = bundle.models().clone();
    models[1] = other;
    assert_eq!(Bundle::of(models), Err(BundleError::Features("reblog")));
}

#[test]
fn models_from_before_there_were_reports_count_for_what_they_know() {
    #[derive(serde::Serialize)]
    struct Earlier {
        mark: &'static str,
        version: u16,
        models: Vec<crate::value::Bytes>,
        weights: [i32; 5],
    }
    let chosen = Bundle::default();
    let own = decalog_learn::Model::chosen(1.0, FEATURES.map(|name| (name, 0.5))).unwrap();
    let models = vec![crate::value::Bytes(own.to_bytes()); 5];
    let bytes = |version| {
        let mut bytes = Vec::new();
        let earlier = Earlier { mark: "decalog-ranking", version, models: models.clone(), weights: [1; 5] };
        decalog_runtime::pack(&earlier, &mut bytes);
        bytes
    };
    let bundle = Bundle::from_bytes(&bytes(1)).unwrap();
    assert!(bundle.models()[..5].iter().all(|model| *model == own));
    assert_eq!(bundle.models()[5], chosen.models()[5]);
    assert_eq!(bundle.weights(), &[1, 1, 1, 1, 1, chosen.weights()[5]]);
    assert_eq!(Bundle::from_bytes(&bytes(2)), Err(BundleError::Foreign), "now there are six");
}

#[test]
fn mutes_cost_more_than_likes_bring() {
    let bundle = Bundle::default();
    let row = |change: fn(&mut Facts)| {
        let mut facts = known(5, 2);
        change(&mut facts);
        bundle.score(&features(&facts, &View::default()), &facts)
    };
    let usual = row(|_| {});
    assert!(usual.chances.iter().all(|chance| *chance > 0.0 && *chance < 1.0));
    assert!(row(|it| it.counts = [50, 10, 5]).score > usual.score);
    assert!(row(|it| it.bot = true).score < usual.score);
    let sum: f32 =
        usual.chances.iter().zip(bundle.weights()).map(|(chance, weight)| chance * *weight as f32).sum();
    assert!((usual.score - sum / 1_000.0).abs() < 1e-4);
}
