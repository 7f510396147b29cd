//! Models that predict yes or no from a row of numbers: how likely somebody likes a post, clicks an item, an event comes.
//!
//! * [`Dataset`]: rows of named features with labels; a feature may be missing.
//! * [`boost`]: gradient-boosted trees on the logistic loss, by histograms; [`logistic`]: logistic regression, the
//!   baseline.
//! * [`Model`]: what either comes to. It is written and read as bytes; what was not written by this crate, or was changed,
//!   is refused.
//! * [`metric`]: area under the ROC curve, log loss, nDCG, calibration.
//!
//! # The same bits everywhere
//!
//! Training is a function of the data, the settings and a seed; a prediction is a function of the model and the row. Both
//! use only what IEEE 754 defines exactly: addition, multiplication, division, square roots and comparisons, in a fixed
//! order and on one thread; exponential and logarithm are made of those in [`exact`], as the system's own differ from one
//! library to the next. A prediction allocates nothing and reads nothing else, so it may stand in a state machine's
//! `apply`.
//!
//! ```
//! use decalog_learn::{Dataset, Model, boost, metric};
//!
//! let mut data = Dataset::new(["hour", "age"])?;
//! for number in 0..400_u16 {
//!     let (hour, age) = (f32::from(number % 24), f32::from(number % 7));
//!     data.push(&[hour, age], hour > 12.0 && age > 2.0)?;
//! }
//! let model = boost::train(&data, &boost::Settings::default())?;
//! assert!(model.predict(&[20.0, 5.0]) > 0.9 && model.predict(&[3.0, 5.0]) < 0.1);
//! let bytes = model.to_bytes();
//! assert_eq!(Model::from_bytes(&bytes)?, model);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod boost;
mod dataset;
pub mod exact;
pub mod logistic;
pub mod metric;
mod model;
mod random;
pub mod sabotage;

pub use dataset::{DataError, Dataset, MAX_FEATURES};
pub use model::{MAX_BYTES, Model, ModelError, VERSION};

/// Why nothing was learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrainError {
    /// No rows.
    #[error("there are no rows to learn from")]
    Empty,
    /// All labels are the same: nothing tells them apart.
    #[error("all labels are {0}: there is nothing to tell apart")]
    OneClass(bool),
    /// A setting is outside its range.
    #[error("the setting {0} is outside its range")]
    Setting(&'static str),
}
