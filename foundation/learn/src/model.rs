//! What training comes to: a function from a row to how likely a yes is, which is written and read as bytes.

use serde::{Deserialize, Serialize};

use crate::boost::Forest;
use crate::dataset::check_names;
use crate::exact::sigmoid;
use crate::logistic::Line;
use crate::sabotage::{self, Sabotage};

/// The version of the bytes. Others are refused.
pub const VERSION: u16 = 1;
/// The most bytes of a model.
pub const MAX_BYTES: usize = 4 << 20;
/// What the bytes begin with.
const MARK: &str = "decalog-model";

/// A trained model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    names: Vec<String>,
    shape: Shape,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    #[serde(rename = "l")]
    Line(Line),
    #[serde(rename = "f")]
    Forest(Forest),
}

/// Why bytes are no model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// More than there may be.
    #[error("a model of {0} bytes: at most {MAX_BYTES} are read")]
    TooLarge(usize),
    /// Not what this crate writes.
    #[error("these bytes are no model")]
    Foreign,
    /// Another version's.
    #[error("a model of version {0}: this program reads version {VERSION}")]
    Version(u16),
    /// It says something that no training comes to.
    #[error("the model is malformed: {0}")]
    Malformed(&'static str),
}

impl Model {
    pub(crate) fn line(names: Vec<String>, line: Line) -> Model {
        Model { names, shape: Shape::Line(line) }
    }

    pub(crate) fn forest(names: Vec<String>, forest: Forest) -> Model {
        Model { names, shape: Shape::Forest(forest) }
    }

    /// Logistic regression with coefficients that somebody chose: log-odds are the intercept and, for each feature, its
    /// coefficient times its value; a missing value counts as 0.
    pub fn chosen<S: Into<String>>(
        intercept: f64,
        coefficients: impl IntoIterator<Item = (S, f64)>,
    ) -> Result<Model, ModelError> {
        let (names, slopes): (Vec<String>, Vec<f64>) =
            coefficients.into_iter().map(|(name, slope)| (name.into(), slope)).unzip();
        let fill = vec![0.0; slopes.len()];
        let model = Model::line(names, Line { intercept, slopes, fill });
        model.check()?;
        Ok(model)
    }

    /// The features' names, in the order of a row's values.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How likely a yes is: between 0 and 1, whatever the row. What is NaN or not there is missing; what is there beyond
    /// the model's features is not looked at.
    pub fn predict(&self, row: &[f32]) -> f64 {
        sigmoid(self.margin(row))
    }

    /// The same as log-odds.
    pub fn margin(&self, row: &[f32]) -> f64 {
        match &self.shape {
            Shape::Line(line) => line.margin(row),
            Shape::Forest(forest) => forest.margin(row),
        }
    }

    /// As bytes. Two models have the same bytes exactly when they are the same.
    pub fn to_bytes(&self) -> Vec<u8> {
        rmp_serde::to_vec(&(MARK, VERSION, self)).expect("numbers and names can be written")
    }

    /// Reads what [`Model::to_bytes`] wrote, and nothing else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Model, ModelError> {
        if bytes.len() > MAX_BYTES {
            return Err(ModelError::TooLarge(bytes.len()));
        }
        let foreign = |_| ModelError::Foreign;
        let (mark, version, _) =
            rmp_serde::from_slice::<(String, u16, serde::de::IgnoredAny)>(bytes).map_err(foreign)?;
        if mark != MARK {
            return Err(ModelError::Foreign);
        }
        if version != VERSION {
            return Err(ModelError::Version(version));
        }
        let (_, _, model): (String, u16, Model) = rmp_serde::from_slice(bytes).map_err(foreign)?;
        if sabotage::lacks(Sabotage::Validation) {
            return Ok(model);
        }
        model.check()?;
        // What comes out otherwise than it went in was written by somebody else, or goes on after its end.
        if model.to_bytes() == bytes { Ok(model) } else { Err(ModelError::Foreign) }
    }

    fn check(&self) -> Result<(), ModelError> {
        check_names(&self.names).map_err(|_| ModelError::Malformed("the names of its features"))?;
        match &self.shape {
            Shape::Line(line) => line.check(self.names.len()),
            Shape::Forest(forest) => forest.check(self.names.len()),
        }
    }
}
