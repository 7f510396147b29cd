//! Metrics against slow, obvious models.

use decalog_learn::metric::{auc, calibration, calibration_error, log_loss, ndcg};
use proptest::prelude::*;

/// Every yes against every no.
fn pairs(scores: &[f64], labels: &[bool]) -> Option<f64> {
    let (mut won, mut all) = (0.0, 0.0);
    for (one, yes) in scores.iter().zip(labels) {
        for (other, no) in scores.iter().zip(labels) {
            if *yes && !*no {
                all += 1.0;
                won += if one > other {
                    1.0
                } else if one == other {
                    0.5
                } else {
                    0.0
                };
            }
        }
    }
    (all > 0.0).then(|| won / all)
}

/// The mean over every order that the scores allow.
fn orders(scores: &[f64], gains: &[f64], k: usize) -> Option<f64> {
    let dcg = |order: &[usize], gains: &[f64]| -> f64 {
        order.iter().take(k).enumerate().map(|(place, row)| gains[*row] / (place as f64 + 2.0).log2()).sum()
    };
    let mut all = Vec::new();
    permute(&mut (0..scores.len()).collect::<Vec<_>>(), 0, &mut all);
    let falling = |order: &Vec<usize>| order.windows(2).all(|pair| scores[pair[0]] >= scores[pair[1]]);
    let best = all.iter().map(|order| dcg(order, gains)).fold(0.0, f64::max);
    let allowed: Vec<f64> =
        all.iter().filter(|order| falling(order)).map(|order| dcg(order, gains)).collect();
    (best > 0.0).then(|| allowed.iter().sum::<f64>() / allowed.len() as f64 / best)
}

fn permute(order: &mut Vec<usize>, from: usize, all: &mut Vec<Vec<usize>>) {
    if from == order.len() {
        return all.push(order.clone());
    }
    for other in from..order.len() {
        order.swap(from, other);
        permute(order, from + 1, all);
        order.swap(from, other);
    }
}

fn same(one: Option<f64>, other: Option<f64>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => (one - other).abs() < 1e-12,
        (one, other) => one == other,
    }
}

proptest! {
    #[test]
    fn auc_is_that_of_all_pairs(rows in prop::collection::vec((0..8_u8, any::<bool>()), 0..60)) {
        let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.0) / 3.0 - 1.0).collect();
        let labels: Vec<bool> = rows.iter().map(|row| row.1).collect();
        prop_assert!(same(auc(&scores, &labels), pairs(&scores, &labels)));
    }

    #[test]
    fn ndcg_is_that_of_all_orders(rows in prop::collection::vec((0..4_u8, 0..4_u8), 1..7), k in 1..8_usize) {
        let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
        let gains: Vec<f64> = rows.iter().map(|row| f64::from(row.1)).collect();
        prop_assert!(same(ndcg(&scores, &gains, k), orders(&scores, &gains, k)));
    }

    #[test]
    fn log_loss_is_the_systems(rows in prop::collection::vec((1..999_u16, any::<bool>()), 1..60)) {
        let predicted: Vec<f64> = rows.iter().map(|row| f64::from(row.0) / 1_000.0).collect();
        let labels: Vec<bool> = rows.iter().map(|row| row.1).collect();
        let each = predicted.iter().zip(&labels).map(|(p, yes)| if *yes { -p.ln() } else { -(1.0 - p).ln() });
        prop_assert!(same(log_loss(&predicted, &labels), Some(each.sum::<f64>() / rows.len() as f64)));
    }
}

#[test]
fn what_is_not_defined_is_nothing() {
    assert_eq!(auc(&[], &[]), None);
    assert_eq!(auc(&[0.1, 0.2], &[true, true]), None);
    assert_eq!(auc(&[0.1, f64::NAN], &[true, false]), None);
    assert_eq!(auc(&[0.1], &[true, false]), None);
    assert_eq!(auc(&[f64::INFINITY, f64::NEG_INFINITY], &[true, false]), Some(1.0));
    assert_eq!(log_loss(&[1.5], &[true]), None);
    assert!(log_loss(&[0.0, 1.0], &[true, false]).is_some_and(f64::is_finite));
    assert_eq!(ndcg(&[1.0], &[0.0], 1), None);
    assert_eq!(ndcg(&[1.0], &[-1.0], 1), None);
    assert_eq!(ndcg(&[1.0], &[1.0], 0), None);
    assert_eq!(calibration(&[2.0], &[true], 3), None);
    assert_eq!(calibration(&[0.5], &[true], 0), None);
    assert_eq!(calibration_error(&[]), None);
    let buckets = calibration(&[0.0, 1.0, 0.5, 0.5], &[false, true, true, false], 2).unwrap();
    assert_eq!(buckets.iter().map(|bucket| bucket.count).collect::<Vec<_>>(), [1, 3]);
    let error = calibration_error(&buckets).unwrap();
    assert!(error.abs() < 1e-12, "{error}");
}
