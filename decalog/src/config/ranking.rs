//! `[feed.ranking]`.

use serde::{Deserialize, Serialize};

use super::value::Whole;

/// `[feed.ranking]`: how timelines are ranked for who wants that.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Ranking {
    pub(crate) train_hours: Whole<0, 720, 24>,
    pub(crate) train_impressions: Whole<20, 100_000, 1_000>,
    pub(crate) experiment: String,
    pub(crate) arms: Vec<Arm>,
}

/// What orders for those who take part in an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Arm {
    /// Models that were chosen.
    Default,
    /// Models that were trained.
    Trained,
    /// The newest first.
    Chronological,
}
