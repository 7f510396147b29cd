//! Gradient-boosted trees on the logistic loss, by histograms (Friedman 2001; Ke et al. 2017).
//!
//! Each feature's values are sorted into at most 255 bins; each tree is grown leaf by leaf, the best split first, on the
//! loss's first and second derivatives; missing values have a bin of their own and go where they help. The settings are
//! those of scikit-learn's `HistGradientBoostingClassifier`, whose scores this comes close to.

mod bins;
mod forest;
mod grow;

pub(crate) use forest::Forest;

use crate::exact::{ln, sigmoid};
use crate::random::Random;
use crate::{Dataset, Model, TrainError, sabotage};
use bins::Binned;
use grow::Grower;

/// How to train.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Trees: 1 to 1000.
    pub trees: usize,
    /// How much each tree's word counts: above 0, at most 1.
    pub rate: f64,
    /// Leaves of a tree: 2 to 256.
    pub leaves: usize,
    /// Rows of a leaf: at least 1.
    pub leaf_rows: usize,
    /// The penalty on what leaves say: 0 to 1e9.
    pub penalty: f64,
    /// The share of the rows that each tree sees: above 0, at most 1.
    pub rows: f64,
    /// The share of the features that each tree sees: above 0, at most 1.
    pub features: f64,
    /// Decides which rows and features those are.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            trees: 100,
            rate: 0.1,
            leaves: 31,
            leaf_rows: 20,
            penalty: 0.0,
            rows: 1.0,
            features: 1.0,
            seed: 0,
        }
    }
}

impl Settings {
    fn check(&self) -> Result<(), TrainError> {
        let share = |share: f64| share > 0.0 && share <= 1.0;
        let all = [
            ("trees", (1..=1_000).contains(&self.trees)),
            ("rate", share(self.rate)),
            ("leaves", (2..=256).contains(&self.leaves)),
            ("leaf_rows", self.leaf_rows >= 1),
            ("penalty", (0.0..=1e9).contains(&self.penalty)),
            ("rows", share(self.rows)),
            ("features", share(self.features)),
        ];
        all.iter().find(|(_, sound)| !sound).map_or(Ok(()), |(name, _)| Err(TrainError::Setting(name)))
    }
}

/// Trains.
pub fn train(data: &Dataset, settings: &Settings) -> Result<Model, TrainError> {
    settings.check()?;
    let yes = data.both_classes()? as f64;
    let binned = Binned::of(data);
    let base = ln(yes / (data.len() as f64 - yes));
    let mut forest = Forest::new(base);
    let mut margins = vec![base; data.len()];
    let mut slopes = vec![(0.0, 0.0); data.len()];
    let mut random = Random::new(sabotage::seed(settings.seed));
    for _ in 0..settings.trees {
        for (slope, (margin, label)) in slopes.iter_mut().zip(margins.iter().zip(data.labels())) {
            let yes = sigmoid(*margin);
            *slope = (yes - f64::from(u8::from(*label)), yes * (1.0 - yes));
        }
        let rows = (0..data.len()).filter(|_| settings.rows >= 1.0 || random.chance(settings.rows)).collect();
        let features =
            (0..data.width()).filter(|_| settings.features >= 1.0 || random.chance(settings.features));
        let mut grower = Grower::new(&binned, &slopes, settings, features.collect(), rows);
        let Some(tree) = grower.grow() else { continue };
        for (margin, row) in margins.iter_mut().zip(data.rows()) {
            *margin += forest::walk(&tree, row);
        }
        forest.push(&tree);
    }
    Ok(Model::forest(data.names().to_vec(), forest))
}
