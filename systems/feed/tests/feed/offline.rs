//! Ranking by held-out time on reactions that nobody here made up: MovieLens-100k (Harper & Konstan 2015), whose films stand
//! for posts, genres for tags, and ratings for what was done with them. The Makefile unpacks it from PyPI's `recbole`, and
//! says where in `MOVIELENS`; who runs this by hand does so, too.

use std::collections::BTreeMap;
use std::path::Path;

use decalog_feed::engine::rank::{
    Bundle, Example, Facts, Landmark, Landscape, Score as _, Taste, View, features, train,
};
use decalog_feed::value::{AccountId, PostId, PostRef, SECOND};
use decalog_learn::metric;

/// Columns of a file of tabs, without its head.
fn table(name: &str) -> Vec<Vec<String>> {
    let folder = std::env::var("MOVIELENS").expect("MOVIELENS says where ml-100k is: `make test` sets it");
    let text = std::fs::read_to_string(Path::new(&folder).join(name)).expect("the file of the data set");
    let row = |line: &str| line.split('\t').map(str::to_owned).collect();
    text.lines().skip(1).map(row).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "ids, stars and seconds")]
fn number(text: &str) -> i64 {
    text.parse::<f64>().expect("a number") as i64
}

/// A film: its genres, and who "wrote" it: its first genre and decade.
fn films() -> BTreeMap<u64, Landmark> {
    let one = |row: Vec<String>| {
        let id = row[0].parse().expect("an id");
        let tags: Vec<String> = row[3].split(' ').map(str::to_owned).collect();
        let decade = row[2].get(..3).unwrap_or_default();
        let group = format!("{} {decade}", tags[0]);
        let author =
            group.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()) >> 1);
        (id, Landmark { post: PostRef { post: PostId(id), author: AccountId(author) }, tags })
    };
    table("ml-100k.item").into_iter().map(one).collect()
}

/// What was known of a film before somebody rated it.
#[derive(Clone, Copy, Default)]
struct Film {
    since: i64,
    counts: [u64; 3],
}

/// Rated by whom, with what was known before.
struct Rated {
    user: u64,
    liked: bool,
    example: Example,
    facts: Facts,
}

/// All ratings in the order of time, each as it looked just before.
fn walk() -> Vec<Rated> {
    let films = films();
    let marks: Vec<_> = films.values().map(|film| (film.clone(), 0, 0)).collect();
    let landscape = Landscape::of(&marks);
    let mut ratings: Vec<[i64; 4]> = table("ml-100k.inter")
        .iter()
        .map(|row| [number(&row[3]), number(&row[0]), number(&row[1]), number(&row[2])])
        .collect();
    ratings.sort_unstable();
    let mut known: BTreeMap<u64, Film> = BTreeMap::new();
    let mut tastes: BTreeMap<u64, Taste> = BTreeMap::new();
    let mut all = Vec::with_capacity(ratings.len());
    for [at, user, film, stars] in ratings {
        let (user, at) = (user.cast_unsigned(), at * SECOND);
        let mark = &films[&film.cast_unsigned()];
        let film = known.entry(film.cast_unsigned()).or_insert(Film { since: at, ..Film::default() });
        let facts = Facts {
            shown: mark.post,
            original: mark.post,
            tags: mark.tags.clone(),
            created: film.since,
            counts: film.counts,
            ..Facts::default()
        };
        let taste = tastes.entry(user).or_default();
        let place = taste.place.direction();
        let view = View {
            viewer: AccountId(user),
            now: at,
            taste: Taste { place, authors: taste.authors.clone() },
            landscape: Some(&landscape),
            ..View::default()
        };
        let acted = [stars >= 4, stars == 5, false, stars >= 3, stars <= 2, false];
        let example = Example { at, row: features(&facts, &view), acted };
        all.push(Rated { user, liked: stars >= 4, example, facts });
        let counted = [stars >= 4, stars == 5, true];
        film.counts.iter_mut().zip(counted).for_each(|(count, one)| *count += u64::from(one));
        if stars >= 4 {
            *taste.authors.entry(mark.post.author).or_default() += 1;
            taste.place.add(&landscape.vector(mark), 1.0);
        }
    }
    all
}

/// The area under the curve over all that is held out, and nDCG@10 in the mean over users.
fn judge(held: &[Rated], score: impl Fn(&Rated) -> f64) -> (f64, f64) {
    let scores: Vec<f64> = held.iter().map(score).collect();
    let labels: Vec<bool> = held.iter().map(|rated| rated.liked).collect();
    let mut users: BTreeMap<u64, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for (rated, score) in held.iter().zip(&scores) {
        let (scores, gains) = users.entry(rated.user).or_default();
        scores.push(*score);
        gains.push(if rated.liked { 1.0 } else { 0.0 });
    }
    let many = users.values().filter(|(scores, _)| scores.len() > 10);
    let each: Vec<f64> = many.filter_map(|(scores, gains)| metric::ndcg(scores, gains, 10)).collect();
    assert!(each.len() > 100, "{} users", each.len());
    (metric::auc(&scores, &labels).expect("both outcomes"), each.iter().sum::<f64>() / each.len() as f64)
}

#[test]
#[ignore = "needs MovieLens-100k, which `make test` fetches"]
fn what_was_learned_ranks_better_than_the_newest_or_the_most_liked_first() {
    let mut learn = walk();
    assert_eq!(learn.len(), 100_000);
    let held = learn.split_off(80_000);
    let mut examples: Vec<Example> = learn.into_iter().map(|rated| rated.example).collect();
    let (bundle, learned) = train(&mut examples, &Bundle::default());
    let shipped = Bundle::from_bytes(&bundle.to_bytes()).expect("it fits what may be shipped");
    let trained = judge(&held, |rated| shipped.score(&rated.example.row, &rated.facts).score.into());
    let popular = judge(&held, |rated| rated.facts.counts[0] as f64);
    let newest = judge(&held, |rated| rated.facts.created as f64);
    let shown = [("trained", trained), ("most liked", popular), ("newest", newest)];
    for (name, (auc, ndcg)) in shown {
        println!("{name:>10}: AUC {auc:.3}, nDCG@10 {ndcg:.3}");
    }
    println!("{} bytes; {learned:?}", bundle.to_bytes().len());
    for (name, (auc, ndcg)) in &shown[1..] {
        assert!(trained.0 > auc + 0.03 && trained.1 > ndcg + 0.01, "not better than {name}: {shown:?}");
    }
}
