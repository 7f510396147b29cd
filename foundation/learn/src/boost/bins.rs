//! Values sorted into bins, so that looking for a split is adding up a few hundred sums.

use crate::Dataset;

/// Bins of a feature, beside that of the missing.
const BINS: usize = 255;
/// The bin of missing values.
pub(super) const MISSING: u8 = 255;

/// A dataset in bins.
pub(super) struct Binned {
    /// For each feature, each row's bin.
    pub(super) columns: Vec<Vec<u8>>,
    /// For each feature, the largest value of each bin but the last.
    pub(super) bounds: Vec<Vec<f32>>,
}

impl Binned {
    pub(super) fn of(data: &Dataset) -> Binned {
        let (mut columns, mut all) = (Vec::new(), Vec::new());
        for feature in 0..data.width() {
            let values: Vec<f32> = data.rows().map(|row| row[feature]).collect();
            let bounds = bounds(&values);
            let bin = |value: &f32| match value.is_nan() {
                true => MISSING,
                false => {
                    u8::try_from(bounds.partition_point(|bound| bound < value)).expect("at most 254 bounds")
                }
            };
            columns.push(values.iter().map(bin).collect());
            all.push(bounds);
        }
        Binned { columns, bounds: all }
    }
}

/// Between neighbours a bound lies in the middle, or on the lower one where there is nothing between.
#[expect(clippy::cast_possible_truncation, reason = "the middle of two f32 is one, or next to one")]
fn middle(low: f32, high: f32) -> f32 {
    let middle = (f64::midpoint(f64::from(low), f64::from(high))) as f32;
    if middle < high { middle } else { low }
}

/// A bound between all values that differ, or, when those are many, so that bins hold about as many rows each.
fn bounds(values: &[f32]) -> Vec<f32> {
    let mut sorted: Vec<f32> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    sorted.sort_by(f32::total_cmp);
    // Both zeros are one value.
    let steps = || sorted.windows(2).enumerate().filter(|(_, pair)| pair[0] < pair[1]);
    if steps().count() < BINS {
        return steps().map(|(_, pair)| middle(pair[0], pair[1])).collect();
    }
    let mut bounds: Vec<f32> = Vec::with_capacity(BINS - 1);
    for (place, pair) in steps() {
        // The next bound is due once the share of the rows below reaches its number's.
        if (place + 1) * BINS >= (bounds.len() + 1) * sorted.len() && bounds.len() < BINS - 1 {
            bounds.push(middle(pair[0], pair[1]));
        }
    }
    bounds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_have_a_bin_each_and_many_share() {
        assert_eq!(bounds(&[3.0, 1.0, f32::NAN, 1.0, 2.0]), [1.5, 2.5]);
        assert_eq!(bounds(&[7.0, 7.0]), [0.0_f32; 0]);
        assert_eq!(bounds(&[-0.0, 0.0]), [0.0_f32; 0]);
        let many: Vec<f32> = (0..10_000_u16).map(f32::from).collect();
        let found = bounds(&many);
        assert!(found.len() == BINS - 1 && found.windows(2).all(|pair| pair[0] < pair[1]));
        let largest = found.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f32::max);
        assert!(largest < 2.0 * 10_000.0 / 255.0, "{largest}");
        let next = f32::from_bits(1.0_f32.to_bits() + 1);
        assert_eq!(bounds(&[1.0, next]), [1.0]);
        assert_eq!(bounds(&[f32::MIN, f32::MAX]), [0.0]);
    }
}
