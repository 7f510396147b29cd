//! Logistic regression with an L2 penalty, solved to the end by Newton's method.
//!
//! Features are standardised first, so that the penalty weighs them alike; the intercept has none. With penalty λ the loss
//! is Σ log loss + λ/2 · |w|², which is scikit-learn's with C = 1/λ (`LogisticRegression` after `StandardScaler`).

use serde::{Deserialize, Serialize};

use crate::exact::{ln, sigmoid};
use crate::{Dataset, Model, ModelError, TrainError};

/// How to train.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The penalty λ: 1e-6 to 1e9.
    pub penalty: f64,
    /// The most steps of Newton's method: 1 to 1000.
    pub steps: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { penalty: 1.0, steps: 100 }
    }
}

/// Log-odds as a sum of slopes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) intercept: f64,
    pub(crate) slopes: Vec<f64>,
    /// What stands for a missing value: the mean.
    pub(crate) fill: Vec<f32>,
}

/// Values beyond this could make a sum infinite, and a difference of two such sums NaN.
const LARGEST: f64 = 1e200;

impl Line {
    pub(crate) fn margin(&self, row: &[f32]) -> f64 {
        let mut margin = self.intercept;
        for (place, (slope, fill)) in self.slopes.iter().zip(&self.fill).enumerate() {
            let value = row.get(place).filter(|value| value.is_finite()).unwrap_or(fill);
            margin += slope * f64::from(*value);
        }
        margin
    }

    pub(crate) fn check(&self, width: usize) -> Result<(), ModelError> {
        if self.slopes.len() != width || self.fill.len() != width {
            return Err(ModelError::Malformed("it has not one slope for each feature"));
        }
        let sound = |value: &f64| value.is_finite() && value.abs() <= LARGEST;
        if !sound(&self.intercept) || !self.slopes.iter().all(sound) {
            return Err(ModelError::Malformed("a slope is no number, or too large"));
        }
        if !self.fill.iter().all(|value| value.is_finite()) {
            return Err(ModelError::Malformed("what stands for a missing value is no number"));
        }
        Ok(())
    }
}

/// Means and spreads of the features, of what is there; a spread of 0 stands for a feature that says nothing.
struct Scale {
    means: Vec<f64>,
    spreads: Vec<f64>,
}

impl Scale {
    fn of(data: &Dataset) -> Scale {
        let width = data.width();
        let (mut counts, mut means, mut squares) = (vec![0_u64; width], vec![0.0; width], vec![0.0; width]);
        for row in data.rows() {
            for (place, value) in row.iter().enumerate().filter(|(_, value)| !value.is_nan()) {
                // Welford's: no difference of large sums.
                counts[place] += 1;
                let value = f64::from(*value);
                let off = value - means[place];
                means[place] += off / counts[place] as f64;
                squares[place] += off * (value - means[place]);
            }
        }
        let spread = |(square, count): (&f64, &u64)| (square / (*count).max(1) as f64).sqrt();
        let spreads: Vec<f64> = squares.iter().zip(&counts).map(spread).collect();
        // What differs by rounding alone does not differ.
        let told = spreads
            .iter()
            .zip(&means)
            .map(|(spread, mean)| if *spread > 1e-9 * mean.abs() && *spread > 1e-30 { *spread } else { 0.0 });
        Scale { spreads: told.collect(), means }
    }

    fn apply(&self, row: &[f32], out: &mut [f64]) {
        for (place, value) in row.iter().enumerate() {
            let spread = self.spreads[place];
            let missing = value.is_nan() || spread == 0.0;
            out[place] = if missing { 0.0 } else { (f64::from(*value) - self.means[place]) / spread };
        }
    }
}

/// Trains.
#[expect(clippy::cast_possible_truncation, reason = "means of f32 are within f32")]
pub fn train(data: &Dataset, settings: &Settings) -> Result<Model, TrainError> {
    if !(1e-6..=1e9).contains(&settings.penalty) {
        return Err(TrainError::Setting("penalty"));
    }
    if !(1..=1_000).contains(&settings.steps) {
        return Err(TrainError::Setting("steps"));
    }
    let yes = data.both_classes()? as f64;
    let (scale, width) = (Scale::of(data), data.width());
    let mut rows = vec![0.0; data.len() * width];
    for (row, out) in data.rows().zip(rows.chunks_exact_mut(width)) {
        scale.apply(row, out);
    }
    let problem = Problem { rows: &rows, labels: data.labels(), width, penalty: settings.penalty };
    let mut weights = vec![0.0; width + 1];
    weights[width] = ln(yes / (data.len() as f64 - yes));
    problem.solve(&mut weights, settings.steps);
    let mut intercept = weights[width];
    let mut slopes = vec![0.0; width];
    for place in (0..width).filter(|place| scale.spreads[*place] > 0.0) {
        slopes[place] = weights[place] / scale.spreads[place];
        intercept -= slopes[place] * scale.means[place];
    }
    let fill = scale.means.iter().map(|mean| *mean as f32).collect();
    Ok(Model::line(data.names().to_vec(), Line { intercept, slopes, fill }))
}

/// Standardised rows and their labels. Weights end with the intercept.
struct Problem<'a> {
    rows: &'a [f64],
    labels: &'a [bool],
    width: usize,
    penalty: f64,
}

impl Problem<'_> {
    fn margin(&self, row: &[f64], weights: &[f64]) -> f64 {
        row.iter().zip(weights).fold(weights[self.width], |sum, (value, weight)| sum + value * weight)
    }

    fn loss(&self, weights: &[f64]) -> f64 {
        let each = self.rows.chunks_exact(self.width).zip(self.labels).map(|(row, label)| {
            let margin = self.margin(row, weights);
            let against = if *label { -margin } else { margin };
            // ln(1 + eˣ) without overflow.
            against.max(0.0) + ln(1.0 + crate::exact::exp(-against.abs()))
        });
        let square = weights[..self.width].iter().fold(0.0, |sum, weight| sum + weight * weight);
        each.fold(0.0, |sum, loss| sum + loss) + self.penalty / 2.0 * square
    }

    /// Newton's steps, halved while the loss does not fall, until it falls no more.
    fn solve(&self, weights: &mut Vec<f64>, steps: usize) {
        let mut loss = self.loss(weights);
        for _ in 0..steps {
            let Some(step) = self.step(weights) else { return };
            let mut length = 1.0;
            let better = loop {
                let next: Vec<f64> =
                    weights.iter().zip(&step).map(|(weight, step)| weight - length * step).collect();
                let new = self.loss(&next);
                if new < loss {
                    break Some((next, new));
                }
                length /= 2.0;
                if length < 1e-6 {
                    break None;
                }
            };
            let Some((next, new)) = better else { return };
            let gain = loss - new;
            (*weights, loss) = (next, new);
            if gain <= 1e-13 * loss.abs() {
                return;
            }
        }
    }

    /// The Hessian's inverse times the gradient.
    fn step(&self, weights: &[f64]) -> Option<Vec<f64>> {
        let size = self.width + 1;
        let mut gradient = vec![0.0; size];
        let mut hessian = vec![0.0; size * size];
        for (row, label) in self.rows.chunks_exact(self.width).zip(self.labels) {
            let yes = sigmoid(self.margin(row, weights));
            let (off, bend) = (yes - f64::from(u8::from(*label)), yes * (1.0 - yes));
            for (one, value) in row.iter().chain([&1.0]).enumerate().filter(|(_, value)| **value != 0.0) {
                gradient[one] += off * value;
                let bent = bend * value;
                // The lower half is enough.
                let line = &mut hessian[one * size..one * size + one + 1];
                for (cell, other) in line.iter_mut().zip(row.iter().chain([&1.0])) {
                    *cell += bent * other;
                }
            }
        }
        for place in 0..size {
            let penalty = if place < self.width { self.penalty } else { 1e-9 };
            gradient[place] += if place < self.width { self.penalty * weights[place] } else { 0.0 };
            hessian[place * size + place] += penalty;
        }
        cholesky(&mut hessian, size)?;
        Some(substitute(&hessian, size, gradient))
    }
}

/// Turns the lower half of a symmetric matrix into its Cholesky factor; nothing when it has none.
fn cholesky(matrix: &mut [f64], size: usize) -> Option<()> {
    for row in 0..size {
        for column in 0..=row {
            let mut sum = matrix[row * size + column];
            for k in 0..column {
                sum -= matrix[row * size + k] * matrix[column * size + k];
            }
            matrix[row * size + column] = if row == column {
                if sum <= 0.0 || !sum.is_finite() {
                    return None;
                }
                sum.sqrt()
            } else {
                sum / matrix[column * size + column]
            };
        }
    }
    Some(())
}

/// Solves L Lᵀ x = b.
fn substitute(factor: &[f64], size: usize, mut b: Vec<f64>) -> Vec<f64> {
    for row in 0..size {
        for k in 0..row {
            b[row] -= factor[row * size + k] * b[k];
        }
        b[row] /= factor[row * size + row];
    }
    for row in (0..size).rev() {
        for k in row + 1..size {
            b[row] -= factor[k * size + row] * b[k];
        }
        b[row] /= factor[row * size + row];
    }
    b
}
