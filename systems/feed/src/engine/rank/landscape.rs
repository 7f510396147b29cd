//! What is written and liked by all lately: what is popular, and what lies close to what.

use std::collections::BTreeMap;

use super::Vector;
use crate::value::{AccountId, PostId, PostRef, SECOND};

/// Nanoseconds in which what is popular counts half.
const HALF_LIFE: i64 = 8 * 3_600 * SECOND;

/// A post as far as it matters where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landmark {
    /// The post and its author.
    pub post: PostRef,
    /// Its tags.
    pub tags: Vec<String>,
}

/// Public posts of the last days.
#[derive(Clone, Debug, Default)]
pub struct Landscape {
    /// With how much they are liked, and when they were written.
    liked: Vec<(PostId, u64, i64)>,
    places: Vec<(PostId, Vector)>,
    tags: BTreeMap<String, Vector>,
    authors: BTreeMap<AccountId, Vector>,
}

fn author_direction(author: AccountId) -> Vector {
    Vector::of(&author.0.to_be_bytes())
}

impl Landscape {
    /// Of these posts, each with how much it is liked (likes, answers, and reblogs twice) and when it was written.
    pub fn of(posts: &[(Landmark, u64, i64)]) -> Landscape {
        let mut all = Landscape::default();
        for (Landmark { post, tags }, liked, created) in posts {
            let mut whole = author_direction(post.author);
            tags.iter().for_each(|tag| whole.add(&Vector::of(tag.as_bytes()), 1.0));
            for tag in tags {
                all.tags.entry(tag.clone()).or_default().add(&whole, 1.0);
            }
            all.authors.entry(post.author).or_default().add(&whole, 1.0);
            if *liked > 0 {
                all.liked.push((post.post, *liked, *created));
            }
        }
        all.tags.values_mut().for_each(|place| *place = place.direction());
        all.authors.values_mut().for_each(|place| *place = place.direction());
        all.places = posts.iter().map(|(landmark, ..)| (landmark.post.post, all.vector(landmark))).collect();
        all
    }

    /// Where a post lies: among its tags, and by half among what its author writes of.
    pub fn vector(&self, landmark: &Landmark) -> Vector {
        let mut place = Vector::default();
        for tag in &landmark.tags {
            place.add(&self.tags.get(tag).copied().unwrap_or_else(|| Vector::of(tag.as_bytes())), 1.0);
        }
        let author = landmark.post.author;
        place = place.direction();
        place.add(&self.authors.get(&author).copied().unwrap_or_else(|| author_direction(author)), 0.5);
        place.direction()
    }

    /// What is liked most, less with each hour.
    pub fn popular(&self, now: i64, most: usize) -> Vec<PostId> {
        let worth = |(post, liked, created): &(PostId, u64, i64)| {
            let halvings = (now.saturating_sub(*created).max(0) as f64) / HALF_LIFE as f64;
            let worth = *liked as f64 * decalog_learn::exact::exp(-halvings * std::f64::consts::LN_2);
            (worth, *post)
        };
        first(self.liked.iter().map(worth).collect(), most)
    }

    /// What lies close to a place; nothing lies close to nowhere.
    pub fn alike(&self, place: &Vector, least: f32, most: usize) -> Vec<PostId> {
        if place.is_nowhere() {
            return Vec::new();
        }
        let near = self.places.iter().map(|(post, at)| (f64::from(at.dot(place)), *post));
        first(near.filter(|(near, _)| *near >= f64::from(least)).collect(), most)
    }
}

/// The highest first; of equals the newest.
fn first(mut all: Vec<(f64, PostId)>, most: usize) -> Vec<PostId> {
    all.sort_unstable_by(|one, other| other.0.total_cmp(&one.0).then(other.1.cmp(&one.1)));
    all.into_iter().take(most).map(|(_, post)| post).collect()
}
