//! How good predictions are.
//!
//! Every function answers nothing (`None`) where the figure is not defined: of no rows, of one class alone, of numbers
//! that are none.

use crate::exact::ln;

fn sound(scores: &[f64], labels: usize) -> bool {
    !scores.is_empty() && scores.len() == labels && scores.iter().all(|score| !score.is_nan())
}

/// The area under the ROC curve: how likely a yes is scored above a no; equal scores count half.
#[must_use]
pub fn auc(scores: &[f64], labels: &[bool]) -> Option<f64> {
    let yes = labels.iter().filter(|label| **label).count();
    let no = labels.len() - yes;
    if !sound(scores, labels.len()) || yes == 0 || no == 0 {
        return None;
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|one, other| scores[*one].total_cmp(&scores[*other]));
    // Pairs in halves, so that the sum is exact.
    let (mut halves, mut below) = (0_u128, 0_u128);
    for equals in order.chunk_by(|one, other| scores[*one] == scores[*other]) {
        let yes = equals.iter().filter(|place| labels[**place]).count() as u128;
        let no = equals.len() as u128 - yes;
        halves += yes * (2 * below + no);
        below += no;
    }
    Some(halves as f64 / 2.0 / (yes as f64 * no as f64))
}

/// The mean of −ln of what was predicted for what came, predictions kept 2⁻⁵² away from 0 and 1.
#[must_use]
pub fn log_loss(predicted: &[f64], labels: &[bool]) -> Option<f64> {
    if !sound(predicted, labels.len()) || predicted.iter().any(|one| !(0.0..=1.0).contains(one)) {
        return None;
    }
    let each = predicted.iter().zip(labels).map(|(yes, label)| {
        let came = if *label { *yes } else { 1.0 - yes };
        -ln(came.clamp(f64::EPSILON, 1.0 - f64::EPSILON))
    });
    Some(each.fold(0.0, |sum, loss| sum + loss) / labels.len() as f64)
}

/// 1 / log₂(place + 2)
fn discount(place: usize) -> f64 {
    std::f64::consts::LN_2 / ln(place as f64 + 2.0)
}

/// The normalised discounted cumulative gain of the first `k` by score (Järvelin & Kekäläinen 2002): gains are what is
/// relevant, at least 0; among equal scores each order counts alike (McSherry & Najork 2008), as in scikit-learn. Nothing
/// when nothing is relevant.
#[must_use]
pub fn ndcg(scores: &[f64], relevance: &[f64], k: usize) -> Option<f64> {
    let known = relevance.iter().all(|gain| gain.is_finite() && *gain >= 0.0);
    if !sound(scores, relevance.len()) || !known || k == 0 {
        return None;
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|one, other| scores[*other].total_cmp(&scores[*one]));
    let (mut gained, mut place) = (0.0, 0);
    for equals in order.chunk_by(|one, other| scores[*one] == scores[*other]) {
        if place >= k {
            break;
        }
        let gain = equals.iter().fold(0.0, |sum, row| sum + relevance[*row]) / equals.len() as f64;
        let until = (place + equals.len()).min(k);
        gained += gain * (place..until).fold(0.0, |sum, place| sum + discount(place));
        place += equals.len();
    }
    let mut ideal = relevance.to_vec();
    ideal.sort_by(|one, other| other.total_cmp(one));
    let best = ideal.iter().take(k).enumerate().fold(0.0, |sum, (place, gain)| sum + gain * discount(place));
    (best > 0.0).then(|| gained / best)
}

/// Predictions that are alike, and what came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// How many.
    pub count: usize,
    /// What was predicted, in the mean.
    pub predicted: f64,
    /// What share came.
    pub observed: f64,
}

/// Predictions in so many buckets of equal width, those that are empty left out: of a calibrated model, what was predicted
/// is what came.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and the count of buckets"
)]
pub fn calibration(predicted: &[f64], labels: &[bool], buckets: usize) -> Option<Vec<Bucket>> {
    let within = predicted.iter().all(|one| (0.0..=1.0).contains(one));
    if !sound(predicted, labels.len()) || !within || buckets == 0 {
        return None;
    }
    let mut sums = vec![(0_usize, 0.0, 0_usize); buckets];
    for (yes, label) in predicted.iter().zip(labels) {
        let bucket = ((yes * buckets as f64) as usize).min(buckets - 1);
        let (count, sum, came) = &mut sums[bucket];
        *count += 1;
        *sum += yes;
        *came += usize::from(*label);
    }
    let bucket = |(count, sum, came): (usize, f64, usize)| Bucket {
        count,
        predicted: sum / count as f64,
        observed: came as f64 / count as f64,
    };
    Some(sums.into_iter().filter(|(count, ..)| *count > 0).map(bucket).collect())
}

/// The expected calibration error: how far what was predicted lies from what came, in the mean over all rows.
#[must_use]
pub fn calibration_error(buckets: &[Bucket]) -> Option<f64> {
    let rows = buckets.iter().map(|bucket| bucket.count).sum::<usize>();
    let off = buckets
        .iter()
        .fold(0.0, |sum, bucket| sum + (bucket.predicted - bucket.observed).abs() * bucket.count as f64);
    (rows > 0).then(|| off / rows as f64)
}
