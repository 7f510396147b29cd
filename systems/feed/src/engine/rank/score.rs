//! What a post is worth to a viewer: the sum, by weights, of how likely they do what with it.

use super::{Bundle, Facts, Row};
use crate::value::SECOND;

/// What somebody may do with a post that is shown. The order is that of bundles and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// They like it.
    Favourite,
    /// They reblog it.
    Reblog,
    /// They answer it.
    Reply,
    /// They stay with it.
    Dwell,
    /// They mute or block who wrote it.
    Mute,
    /// They report it.
    Report,
}

/// All of them.
pub const ACTIONS: [Action; 6] =
    [Action::Favourite, Action::Reblog, Action::Reply, Action::Dwell, Action::Mute, Action::Report];

impl Action {
    /// The name that the API uses.
    pub fn name(self) -> &'static str {
        match self {
            Action::Favourite => "favourite",
            Action::Reblog => "reblog",
            Action::Reply => "reply",
            Action::Dwell => "dwell",
            Action::Mute => "mute",
            Action::Report => "report",
        }
    }
}

/// What is predicted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scored {
    /// How likely each action is.
    pub chances: [f32; ACTIONS.len()],
    /// The sum by weights.
    pub score: f32,
}

/// Says what posts are worth.
pub trait Score {
    /// What this one is worth.
    fn score(&self, row: &Row, facts: &Facts) -> Scored;
}

impl Score for Bundle {
    #[expect(clippy::cast_possible_truncation, reason = "chances lie between 0 and 1")]
    fn score(&self, row: &Row, _facts: &Facts) -> Scored {
        let values = row.values();
        let chances = std::array::from_fn(|place| self.models()[place].predict(&values) as f32);
        let each = chances.iter().zip(self.weights());
        Scored {
            chances,
            score: each.fold(0.0, |sum, (chance, weight)| sum + chance * *weight as f32 / 1_000.0),
        }
    }
}

/// The newest first, for comparison.
#[derive(Clone, Copy, Debug)]
pub struct Chronological;

impl Score for Chronological {
    #[expect(clippy::cast_possible_truncation, reason = "see below")]
    fn score(&self, _row: &Row, facts: &Facts) -> Scored {
        // An f32 tells a quarter of a minute apart; within that the newer id comes first.
        let seconds = facts.created / SECOND - 1_577_836_800;
        Scored { chances: [0.0; ACTIONS.len()], score: (seconds as f64 / 1_000.0) as f32 }
    }
}
