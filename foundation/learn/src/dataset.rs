//! Rows of named features, each with its label.

/// Features that a row may have.
pub const MAX_FEATURES: usize = 1_024;
/// Characters of a feature's name.
const LONGEST_NAME: usize = 64;

/// Why something is no data to learn from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// There are no features, or too many.
    #[error("{0} features: there must be 1 to {MAX_FEATURES}")]
    Features(usize),
    /// A name is empty, too long, or stands there twice.
    #[error("the feature name {0:?} is empty, too long, or stands there twice")]
    Name(String),
    /// A row has not as many values as there are features.
    #[error("a row of {got} values where there are {wanted} features")]
    Width {
        /// Values of the row.
        got: usize,
        /// Features.
        wanted: usize,
    },
    /// A value is infinite; a missing one is NaN.
    #[error("the feature {0} is infinite in a row")]
    Infinite(String),
}

/// Rows to learn from. A value that is NaN is missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dataset {
    names: Vec<String>,
    values: Vec<f32>,
    labels: Vec<bool>,
}

/// Whether these can be the names of features.
pub(crate) fn check_names(names: &[String]) -> Result<(), DataError> {
    if names.is_empty() || names.len() > MAX_FEATURES {
        return Err(DataError::Features(names.len()));
    }
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort_unstable();
    let twice = sorted.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
    let odd = names.iter().find(|name| name.is_empty() || name.len() > LONGEST_NAME);
    twice.or(odd).map_or(Ok(()), |name| Err(DataError::Name(name.clone())))
}

impl Dataset {
    /// No rows yet, of these features.
    pub fn new<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Result<Dataset, DataError> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        check_names(&names)?;
        Ok(Dataset { names, values: Vec::new(), labels: Vec::new() })
    }

    /// Adds a row.
    pub fn push(&mut self, row: &[f32], label: bool) -> Result<(), DataError> {
        if row.len() != self.names.len() {
            return Err(DataError::Width { got: row.len(), wanted: self.names.len() });
        }
        if let Some(place) = row.iter().position(|value| value.is_infinite()) {
            return Err(DataError::Infinite(self.names[place].clone()));
        }
        self.values.extend_from_slice(row);
        self.labels.push(label);
        Ok(())
    }

    /// The features' names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many features there are.
    pub fn width(&self) -> usize {
        self.names.len()
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The labels, row by row.
    pub fn labels(&self) -> &[bool] {
        &self.labels
    }

    /// Row by row.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.width().max(1))
    }

    /// The rows before and from this one on: of rows in the order of time, a part to learn from and one held out.
    pub fn split_at(&self, row: usize) -> (Dataset, Dataset) {
        let row = row.min(self.len());
        let (values, labels) = (self.values.split_at(row * self.width()), self.labels.split_at(row));
        let part = |values: &[f32], labels: &[bool]| Dataset {
            names: self.names.clone(),
            values: values.to_vec(),
            labels: labels.to_vec(),
        };
        (part(values.0, labels.0), part(values.1, labels.1))
    }

    /// How many labels say yes, unless all are the same.
    pub(crate) fn both_classes(&self) -> Result<usize, crate::TrainError> {
        let yes = self.labels.iter().filter(|label| **label).count();
        match yes {
            _ if self.is_empty() => Err(crate::TrainError::Empty),
            0 => Err(crate::TrainError::OneClass(false)),
            all if all == self.len() => Err(crate::TrainError::OneClass(true)),
            some => Ok(some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_data_is_refused_by_name() {
        assert_eq!(Dataset::new(Vec::<String>::new()), Err(DataError::Features(0)));
        assert_eq!(Dataset::new(["a", "a"]), Err(DataError::Name("a".to_owned())));
        assert_eq!(Dataset::new([""]), Err(DataError::Name(String::new())));
        let mut data = Dataset::new(["a", "b"]).unwrap();
        assert_eq!(data.push(&[1.0], true), Err(DataError::Width { got: 1, wanted: 2 }));
        assert_eq!(data.push(&[1.0, f32::INFINITY], true), Err(DataError::Infinite("b".to_owned())));
        data.push(&[1.0, f32::NAN], true).unwrap();
        data.push(&[2.0, 3.0], false).unwrap();
        let (one, other) = data.split_at(1);
        assert_eq!(
            (one.len(), other.labels(), other.rows().next()),
            (1, &[false][..], Some(&[2.0, 3.0][..]))
        );
    }
}
