//! Ranking: the order "for you" as a row of pure stages, each a small trait.
//!
//! ```text
//! View ─ Source ─▶ posts ─ Hydrate ─▶ facts ─ Filter ─▶ rows ─ Score ─▶ chances ─ Select ─▶ the order
//! ```
//!
//! - [`Source`]: where posts come from: whom the viewer follows, whom those follow, tags, what is popular, what is alike.
//! - [`Hydrate`]: what is known of a post, if this viewer may see it. Whoever implements this asks the author's partition;
//!   what it does not show is not there for any later stage.
//! - [`Filter`]: what is left out: shown before, muted, blocked, too old, of strangers who did not say that they may be
//!   recommended.
//! - [`Score`]: how likely the viewer does what, and the sum of that by weights.
//! - [`Select`]: who wrote much comes after others; who is new is helped.
//!
//! Reading, and what is done with the order, are for the API.

mod bundle;
mod embedding;
mod experiment;
mod facts;
mod filter;
mod landscape;
mod notice;
mod score;
mod select;
mod source;
#[cfg(test)]
mod tests;
mod train;

pub use bundle::{Bundle, BundleError, MAX_BUNDLE};
pub use embedding::Vector;
pub use experiment::assign;
pub use facts::{FEATURES, Facts, Known, Row, facts, features};
pub use filter::{Age, Blocked, Filter, Muted, Own, Recommendable, Seen};
pub use landscape::{Landmark, Landscape};
pub use notice::closeness;
pub use score::{ACTIONS, Action, Chronological, Score, Scored};
pub use select::{Adjustment, Diverse, Select};
pub use source::{Following, Friends, Popular, Similar, Source, Tags};
pub use train::{Chosen, Example, Learned, train};

use std::collections::{BTreeMap, BTreeSet};

use crate::value::{AccountId, PostId};

/// Where a post comes from. The numbers stand in rows: none is ever used for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Somebody whom the viewer follows wrote or reblogged it.
    Following = 0,
    /// Its author is followed by some whom the viewer follows.
    Friends = 1,
    /// It has a tag that the viewer follows.
    Tag = 2,
    /// Many like it.
    Popular = 3,
    /// It is like what the viewer liked.
    Similar = 4,
}

impl Origin {
    /// All of them.
    pub const ALL: [Origin; 5] =
        [Origin::Following, Origin::Friends, Origin::Tag, Origin::Popular, Origin::Similar];

    /// The name that the API uses.
    pub fn name(self) -> &'static str {
        match self {
            Origin::Following => "following",
            Origin::Friends => "friends_of_friends",
            Origin::Tag => "followed_tag",
            Origin::Popular => "popular",
            Origin::Similar => "similar",
        }
    }
}

/// A set of origins: a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origins(pub u8);

impl Origins {
    /// Whether this is one of them.
    pub fn has(self, origin: Origin) -> bool {
        self.0 >> origin as u8 & 1 == 1
    }

    /// One more.
    #[must_use]
    pub fn and(self, origin: Origin) -> Origins {
        Origins(self.0 | 1 << origin as u8)
    }

    /// Those that are there.
    pub fn all(self) -> impl Iterator<Item = Origin> {
        Origin::ALL.into_iter().filter(move |origin| self.has(*origin))
    }
}

/// What a viewer has liked lately.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taste {
    /// How often of whom.
    pub authors: BTreeMap<AccountId, u32>,
    /// Where that lies among everything that is written.
    pub place: Vector,
}

/// All that sources look at.
#[derive(Clone, Debug, Default)]
pub struct View<'a> {
    /// Who looks; nanoseconds since 1970.
    pub viewer: AccountId,
    /// When.
    pub now: i64,
    /// The newest of the home timeline.
    pub home: Vec<PostId>,
    /// Posts by some whom the viewer does not follow, but how many do whom the viewer follows.
    pub friends: Vec<(PostId, u32)>,
    /// Posts with tags that the viewer follows.
    pub tagged: Vec<PostId>,
    /// The tags that the viewer follows.
    pub tags: BTreeSet<String>,
    /// What the viewer has liked.
    pub taste: Taste,
    /// What is written and liked by all.
    pub landscape: Option<&'a Landscape>,
}

/// Says what is known of a post.
pub trait Hydrate {
    /// The facts, if the viewer may see the post.
    fn hydrate(&self, post: PostId, origins: Origins, friends: u32) -> Option<Facts>;
}

/// A post in its place, and why it is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// What is known of it.
    pub facts: Facts,
    /// What the score was made of.
    pub row: Row,
    /// What is predicted.
    pub scored: Scored,
    /// What was done to the score.
    pub adjustments: Vec<(Adjustment, f32)>,
    /// The score after that.
    pub score: f32,
}

/// The stages.
pub struct Stages<'a> {
    /// Where posts come from.
    pub sources: &'a [&'a dyn Source],
    /// What is left out.
    pub filters: &'a [&'a dyn Filter],
    /// What they are worth.
    pub score: &'a dyn Score,
    /// Their order.
    pub select: &'a dyn Select,
}

/// Posts that each source may propose.
const EACH: usize = 200;

impl Stages<'_> {
    /// What sources propose, each post once.
    pub fn propose(&self, view: &View<'_>) -> BTreeMap<PostId, Origins> {
        let mut found: BTreeMap<PostId, Origins> = BTreeMap::new();
        for source in self.sources {
            for post in source.find(view, EACH) {
                let origins = found.entry(post).or_default();
                *origins = origins.and(source.origin());
            }
        }
        found
    }

    /// The order of these, at most so many.
    pub fn rank(
        &self,
        view: &View<'_>,
        proposed: &BTreeMap<PostId, Origins>,
        hydrate: &dyn Hydrate,
        most: usize,
    ) -> Vec<Ranked> {
        let friends: BTreeMap<PostId, u32> = view.friends.iter().copied().collect();
        let known = proposed.iter().filter_map(|(post, origins)| {
            hydrate.hydrate(*post, *origins, friends.get(post).copied().unwrap_or(0))
        });
        let left = known.filter(|facts| self.filters.iter().all(|filter| filter.keeps(facts, view)));
        // Of a post and its reblogs one is shown: where somebody followed wrote it, the post itself.
        let mut once: BTreeMap<PostId, Facts> = BTreeMap::new();
        for facts in left {
            let better = |kept: &Facts| facts.is_original() && !kept.is_original();
            match once.get_mut(&facts.original.post) {
                Some(kept) if better(kept) => {
                    let origins = Origins(kept.origins.0 | facts.origins.0);
                    *kept = Facts { origins, ..facts };
                }
                Some(kept) => kept.origins = Origins(kept.origins.0 | facts.origins.0),
                None => drop(once.insert(facts.original.post, facts)),
            }
        }
        let scored = once.into_values().map(|facts| {
            let row = features(&facts, view);
            let scored = self.score.score(&row, &facts);
            Ranked { score: scored.score, facts, row, scored, adjustments: Vec::new() }
        });
        self.select.select(scored.collect(), view.now, most)
    }
}
