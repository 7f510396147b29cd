//! A second opinion: the figures that `scikit.py` prints with scikit-learn 1.9.1 on the same rows.

use decalog_learn::{Model, boost, logistic, metric};

use crate::data::data;

/// Area under the curve and log loss on the last quarter of 4000 rows.
fn held_out(missing: bool, train: impl Fn(&decalog_learn::Dataset) -> Model) -> (f64, f64, Model) {
    let (learn, held) = data(4_000, missing).split_at(3_000);
    let model = train(&learn);
    let predicted: Vec<f64> = held.rows().map(|row| model.predict(row)).collect();
    let auc = metric::auc(&predicted, held.labels()).expect("both classes");
    (auc, metric::log_loss(&predicted, held.labels()).expect("predictions"), model)
}

fn boosted(data: &decalog_learn::Dataset) -> Model {
    boost::train(data, &boost::Settings::default()).expect("rows")
}

#[track_caller]
fn close(one: f64, other: f64, by: f64) {
    assert!((one - other).abs() <= by, "{one}, but {other}");
}

#[test]
fn the_rows_are_the_same() {
    for missing in [false, true] {
        assert_eq!(data(4_000, missing).labels().iter().filter(|label| **label).count(), 1_639);
    }
}

#[test]
fn boosted_trees_are_as_good() {
    let (auc, loss, _) = held_out(false, boosted);
    close(auc, 0.892_044, 0.004);
    close(loss, 0.419_615, 0.006);
}

#[test]
pub(crate) fn boosted_trees_are_as_good_with_missing_values() {
    let (auc, loss, _) = held_out(true, boosted);
    close(auc, 0.887_661, 0.004);
    close(loss, 0.428_323, 0.006);
}

#[test]
fn logistic_regression_comes_to_the_same() {
    let train = |data: &_| logistic::train(data, &logistic::Settings::default()).expect("rows");
    let (auc, loss, model) = held_out(false, train);
    close(auc, 0.856_085, 1e-6);
    close(loss, 0.458_902, 1e-6);
    let (_, held) = data(4_000, false).split_at(3_000);
    for (row, other) in held.rows().zip([0.173_062_486, 0.018_129_486, 0.830_429_947, 0.593_948_607]) {
        close(model.predict(row), other, 1e-8);
    }
    let predicted: Vec<f64> = held.rows().map(|row| model.predict(row)).collect();
    let buckets = metric::calibration(&predicted, held.labels(), 10).expect("predictions");
    close(buckets[0].predicted, 0.053_054, 1e-5);
    close(buckets[0].observed, 0.035_354, 1e-5);
    close(buckets[1].predicted, 0.148_287, 1e-5);
    close(buckets[1].observed, 0.150_327, 1e-5);
}

#[test]
fn metrics_of_ties_are_the_same() {
    let (_, held) = data(4_000, false).split_at(3_000);
    let gains: Vec<f64> = held.rows().map(|row| f64::from((row[1] * 4.0).floor())).collect();
    let scores: Vec<f64> = held.rows().map(|row| f64::from((row[0] * 100.0).round_ties_even())).collect();
    for (k, other) in [(1, 0.666_666_667), (10, 0.642_753_647), (100, 0.508_166_342), (1_000, 0.884_974_177)]
    {
        close(metric::ndcg(&scores, &gains, k).expect("gains"), other, 1e-8);
    }
    close(metric::auc(&scores, held.labels()).expect("both classes"), 0.767_904_438, 1e-8);
}
