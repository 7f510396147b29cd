//! What is left out.

use super::{Facts, View};
use crate::sabotage::{self, Sabotage};
use crate::value::SECOND;

/// Leaves posts out.
pub trait Filter: Sync {
    /// The name that the API uses.
    fn name(&self) -> &'static str;

    /// Whether the post stays.
    fn keeps(&self, facts: &Facts, view: &View<'_>) -> bool;
}

/// What was shown before, or acted upon.
#[derive(Clone, Copy, Debug)]
pub struct Seen;

/// What the viewer wants to hear no more of.
#[derive(Clone, Copy, Debug)]
pub struct Muted;

/// Where one blocks the other.
#[derive(Clone, Copy, Debug)]
pub struct Blocked;

/// What is older than so many nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Age(pub i64);

impl Age {
    /// A week.
    pub const WEEK: Age = Age(7 * 86_400 * SECOND);
}

/// What the viewer wrote.
#[derive(Clone, Copy, Debug)]
pub struct Own;

/// What is of strangers, unless it is public, not sensitive, they said that they may be recommended, and moderators have not
/// limited them.
#[derive(Clone, Copy, Debug)]
pub struct Recommendable;

impl Filter for Seen {
    fn name(&self) -> &'static str {
        "seen"
    }

    fn keeps(&self, facts: &Facts, _view: &View<'_>) -> bool {
        facts.seen == 0 && !facts.acted
    }
}

impl Filter for Muted {
    fn name(&self) -> &'static str {
        "muted"
    }

    fn keeps(&self, facts: &Facts, _view: &View<'_>) -> bool {
        !facts.muted
    }
}

impl Filter for Blocked {
    fn name(&self) -> &'static str {
        "blocked"
    }

    fn keeps(&self, facts: &Facts, _view: &View<'_>) -> bool {
        !facts.blocked
    }
}

impl Filter for Age {
    fn name(&self) -> &'static str {
        "age"
    }

    fn keeps(&self, facts: &Facts, view: &View<'_>) -> bool {
        view.now.saturating_sub(facts.created) <= self.0
    }
}

impl Filter for Own {
    fn name(&self) -> &'static str {
        "own"
    }

    fn keeps(&self, facts: &Facts, view: &View<'_>) -> bool {
        facts.original.author != view.viewer && facts.shown.author != view.viewer
    }
}

impl Filter for Recommendable {
    fn name(&self) -> &'static str {
        "not_recommendable"
    }

    fn keeps(&self, facts: &Facts, _view: &View<'_>) -> bool {
        facts.following
            || facts.public && !facts.sensitive && facts.discoverable && !facts.limited
            || sabotage::lacks(Sabotage::Recommendable)
    }
}
