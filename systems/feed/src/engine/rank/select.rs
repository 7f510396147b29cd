//! The order that is shown: by score, but who wrote much comes after others, and who is new is helped.

use std::collections::BTreeMap;

use super::Ranked;
use crate::value::{AccountId, SECOND};

/// What was done to a score. The numbers stand in rows: none is ever used for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adjustment {
    /// Posts of the same author stand before it.
    AuthorDiversity = 0,
    /// The author is new.
    NewAuthor = 1,
}

impl Adjustment {
    /// The name that the API uses.
    pub fn name(self) -> &'static str {
        match self {
            Adjustment::AuthorDiversity => "author_diversity",
            Adjustment::NewAuthor => "new_author",
        }
    }

    /// Reads its number.
    pub fn parse(number: u8) -> Option<Adjustment> {
        [Adjustment::AuthorDiversity, Adjustment::NewAuthor]
            .into_iter()
            .find(|adjustment| *adjustment as u8 == number)
    }
}

/// Puts posts in order.
pub trait Select {
    /// At most so many, the first first.
    fn select(&self, all: Vec<Ranked>, now: i64, most: usize) -> Vec<Ranked>;
}

/// Each further post of an author counts less; those of new authors count more.
#[derive(Clone, Copy, Debug)]
pub struct Diverse {
    /// What the second post of an author counts; the third this times this, and so on.
    pub decay: f32,
    /// What a post of a new author counts.
    pub boost: f32,
    /// Nanoseconds within which an account is new.
    pub new: i64,
    /// Followers from which an account is not new.
    pub followers: u64,
}

impl Default for Diverse {
    fn default() -> Diverse {
        Diverse { decay: 0.6, boost: 1.25, new: 30 * 86_400 * SECOND, followers: 50 }
    }
}

/// More, or less, of a score: of one below nothing, what makes it more goes towards nothing.
fn times(score: f32, factor: f32) -> f32 {
    if score >= 0.0 { score * factor } else { score / factor }
}

impl Select for Diverse {
    fn select(&self, mut all: Vec<Ranked>, now: i64, most: usize) -> Vec<Ranked> {
        for ranked in &mut all {
            let facts = &ranked.facts;
            if now.saturating_sub(facts.came) <= self.new && facts.followers < self.followers {
                ranked.adjustments.push((Adjustment::NewAuthor, self.boost));
                ranked.score = times(ranked.score, self.boost);
            }
        }
        // Within an author the best comes first, so its factor depends on those before it alone.
        all.sort_by(|one, other| {
            other.score.total_cmp(&one.score).then(other.facts.original.cmp(&one.facts.original))
        });
        let mut before: BTreeMap<AccountId, f32> = BTreeMap::new();
        for ranked in &mut all {
            let factor = before.entry(ranked.facts.original.author).or_insert(1.0);
            if *factor < 1.0 {
                ranked.adjustments.push((Adjustment::AuthorDiversity, *factor));
                ranked.score = times(ranked.score, *factor);
            }
            *factor *= self.decay;
        }
        all.sort_by(|one, other| {
            other.score.total_cmp(&one.score).then(other.facts.original.cmp(&one.facts.original))
        });
        all.truncate(most);
        all
    }
}
