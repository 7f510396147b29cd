//! A model for each action and the weights of their sum: what is trained, shipped into the state, and scored with.

use decalog_learn::{Model, ModelError};
use serde::{Deserialize, Serialize};

use super::{ACTIONS, FEATURES};
use crate::value::Bytes;

/// The most bytes of a bundle: a record holds them.
pub const MAX_BUNDLE: usize = 200 * 1024;
/// What the bytes begin with, and their version.
const MARK: &str = "decalog-ranking";
const VERSION: u16 = 2;
/// What earlier versions know: the first so many actions.
const KNOWN: [(u16, usize); 2] = [(1, 5), (VERSION, ACTIONS.len())];
/// The largest weight, in thousandths.
const HEAVIEST: i32 = 1_000_000;

/// Why bytes are no bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Too large, or not what is written here.
    #[error("these bytes are no models for ranking")]
    Foreign,
    /// One of the models is none.
    #[error("the model for {0} is refused: {1}")]
    Model(&'static str, ModelError),
    /// One of them is for other features.
    #[error("the model for {0} is for other features")]
    Features(&'static str),
    /// A weight is outside its range.
    #[error("a weight is outside its range")]
    Weight,
}

/// A model for each action, and weights in thousandths.
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    models: [Model; ACTIONS.len()],
    weights: [i32; ACTIONS.len()],
}

#[derive(Serialize, Deserialize)]
struct Written {
    mark: String,
    version: u16,
    models: Vec<Bytes>,
    weights: Vec<i32>,
}

impl Bundle {
    /// These models with the usual weights. Each must take the features of a row.
    pub fn of(models: [Model; ACTIONS.len()]) -> Result<Bundle, BundleError> {
        let bundle = Bundle { models, weights: WEIGHTS };
        bundle.check()?;
        Ok(bundle)
    }

    /// The models, in the order of [`ACTIONS`].
    pub fn models(&self) -> &[Model; ACTIONS.len()] {
        &self.models
    }

    /// The weights in thousandths.
    pub fn weights(&self) -> &[i32; ACTIONS.len()] {
        &self.weights
    }

    /// As bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let written = Written {
            mark: MARK.to_owned(),
            version: VERSION,
            models: self.models.iter().map(|model| Bytes(model.to_bytes())).collect(),
            weights: self.weights.to_vec(),
        };
        let mut bytes = Vec::new();
        decalog_runtime::pack(&written, &mut bytes);
        bytes
    }

    /// Reads what [`Bundle::to_bytes`] wrote, or did before there were all of these actions: for those it does not know it is
    /// as it was chosen.
    pub fn from_bytes(bytes: &[u8]) -> Result<Bundle, BundleError> {
        if bytes.len() > MAX_BUNDLE {
            return Err(BundleError::Foreign);
        }
        let written: Written = decalog_runtime::unpack(0, 0, bytes).map_err(|_| BundleError::Foreign)?;
        let known = KNOWN.iter().find(|(version, _)| *version == written.version).map(|(_, known)| *known);
        let all = [written.models.len(), written.weights.len()].map(Some) == [known; 2];
        if written.mark != MARK || !all {
            return Err(BundleError::Foreign);
        }
        let mut bundle = Bundle::default();
        for (place, bytes) in written.models.iter().enumerate() {
            let refused = |why| BundleError::Model(ACTIONS[place].name(), why);
            bundle.models[place] = Model::from_bytes(&bytes.0).map_err(refused)?;
            bundle.weights[place] = written.weights[place];
        }
        bundle.check()?;
        Ok(bundle)
    }

    fn check(&self) -> Result<(), BundleError> {
        let other = self.models.iter().zip(ACTIONS).find(|(model, _)| model.names() != FEATURES);
        if let Some((_, action)) = other {
            return Err(BundleError::Features(action.name()));
        }
        let sound = |weight: &i32| (-HEAVIEST..=HEAVIEST).contains(weight);
        if self.weights.iter().all(sound) { Ok(()) } else { Err(BundleError::Weight) }
    }
}

/// What each action is worth, in thousandths: who answers says more than who likes; who mutes says much, who reports most.
const WEIGHTS: [i32; ACTIONS.len()] = [1_000, 2_000, 3_000, 500, -20_000, -60_000];

/// The log-odds of each action before anything is known, and what the features change. Chosen, not learned: what is new, of
/// somebody close, about what one likes, and liked by others comes first.
const CHOSEN: [(f64, &[(&str, f64)]); ACTIONS.len()] = [
    (-3.5, &[("favourites_log", 0.5), ("affinity_log", 0.9), ("similarity", 1.2), ("media", 0.2)]),
    (-4.5, &[("reblogs_log", 0.6), ("affinity_log", 0.7), ("similarity", 1.0), ("reply", -0.8)]),
    (-4.5, &[("replies_log", 0.5), ("affinity_log", 0.8), ("followed_by", 0.9), ("poll", 0.3)]),
    (-1.5, &[("length_log", 0.2), ("media", 0.5), ("affinity_log", 0.5), ("similarity", 0.6)]),
    (-7.5, &[("bot", 0.6), ("sensitive", 0.6), ("following", -0.7), ("affinity_log", -0.5)]),
    (
        -9.5,
        &[
            ("bot", 0.8),
            ("sensitive", 0.5),
            ("following", -1.0),
            ("author_days_log", -0.2),
            ("affinity_log", -0.5),
        ],
    ),
];

/// What counts for every action but those that keep away.
const ALL: [(&str, f64); 4] =
    [("age_hours", -0.06), ("following", 0.6), ("friends_log", 0.3), ("followed_tag", 0.4)];

impl Default for Bundle {
    /// What is used until something was learned.
    fn default() -> Bundle {
        let model = |place: usize| {
            let (intercept, own) = CHOSEN[place];
            let all = if WEIGHTS[place] < 0 { &[][..] } else { &ALL[..] };
            let of = |name: &str| {
                let those = own.iter().chain(all).filter(|(feature, _)| *feature == name);
                those.fold(0.0, |sum, (_, slope)| sum + slope)
            };
            Model::chosen(intercept, FEATURES.map(|name| (name, of(name)))).expect("numbers that were chosen")
        };
        Bundle::of(std::array::from_fn(model)).expect("the features of a row")
    }
}
