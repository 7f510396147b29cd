//! Bytes that were not written here, or were changed, are refused; data that says nothing is refused; nothing panics.

use decalog_learn::{Dataset, MAX_BYTES, Model, ModelError, TrainError, boost, logistic};
use proptest::prelude::*;

use crate::data::data;

/// One of each shape, made once.
fn models() -> &'static [Model; 3] {
    static MODELS: std::sync::LazyLock<[Model; 3]> = std::sync::LazyLock::new(make);
    &MODELS
}

fn make() -> [Model; 3] {
    let few = boost::Settings { trees: 5, leaves: 6, ..boost::Settings::default() };
    let data = data(400, true);
    [
        boost::train(&data, &few).expect("rows"),
        logistic::train(&data, &logistic::Settings::default()).expect("rows"),
        Model::chosen(-1.0, [("a", 2.0), ("b", -0.5)]).expect("numbers"),
    ]
}

#[test]
fn a_model_comes_back_as_it_was() {
    for model in models() {
        let bytes = model.to_bytes();
        assert_eq!(Model::from_bytes(&bytes), Ok(model.clone()));
        for length in 0..bytes.len() {
            assert!(Model::from_bytes(&bytes[..length]).is_err(), "{length} of {}", bytes.len());
        }
        assert_eq!(Model::from_bytes(&[&bytes[..], &[0]].concat()), Err(ModelError::Foreign));
    }
    assert_eq!(Model::from_bytes(&vec![0; MAX_BYTES + 1]), Err(ModelError::TooLarge(MAX_BYTES + 1)));
    assert_eq!(Model::from_bytes(b"{}"), Err(ModelError::Foreign));
    let other = |mark: &str, version: u16| rmp_serde::to_vec(&(mark, version, ())).unwrap();
    assert_eq!(Model::from_bytes(&other("decalog-model", 2)), Err(ModelError::Version(2)));
    assert_eq!(Model::from_bytes(&other("somebody-else", 1)), Err(ModelError::Foreign));
}

/// A tree whose answers lead back would be walked for ever; a feature or a node that is not there would be a panic.
#[test]
pub(crate) fn what_no_training_comes_to_is_refused() {
    type Node = (u16, f32, u16, u16, bool);
    let leaf = |number: f32| -> Node { (u16::MAX, number, 0, 0, false) };
    let forest = |base: f64, ends: Vec<u32>, nodes: Vec<Node>| {
        let shape = std::collections::BTreeMap::from([("f", (base, ends, nodes))]);
        rmp_serde::to_vec(&("decalog-model", 1, (vec!["a"], shape))).unwrap()
    };
    let sound = vec![(0, 0.5, 1, 2, false), leaf(1.0), leaf(-1.0)];
    assert!(Model::from_bytes(&forest(0.0, vec![3], sound.clone())).is_ok());
    let change = |place: usize, node: Node| {
        let mut nodes = sound.clone();
        nodes[place] = node;
        nodes
    };
    let wrong = [
        ("nowhere", forest(0.0, vec![3], change(0, (0, 0.5, 1, 3, false)))),
        ("back", forest(0.0, vec![3], change(0, (0, 0.5, 0, 2, false)))),
        ("feature", forest(0.0, vec![3], change(0, (1, 0.5, 1, 2, false)))),
        ("number", forest(0.0, vec![3], change(1, leaf(f32::NAN)))),
        ("large", forest(0.0, vec![3], change(1, leaf(1e30)))),
        ("base", forest(f64::INFINITY, vec![3], sound.clone())),
        ("end", forest(0.0, vec![2], sound.clone())),
        ("far end", forest(0.0, vec![9], sound.clone())),
        ("falling ends", forest(0.0, vec![3, 2, 3], sound.clone())),
        ("no end", forest(0.0, vec![], sound.clone())),
    ];
    for (what, bytes) in wrong {
        assert!(matches!(Model::from_bytes(&bytes), Err(ModelError::Malformed(_))), "{what}");
    }
    assert!(Model::chosen(f64::NAN, [("a", 1.0)]).is_err());
    assert!(Model::chosen(0.0, [("a", 1e300)]).is_err());
    assert!(Model::chosen(0.0, [("a", 1.0), ("a", 1.0)]).is_err());
    assert!(Model::chosen(0.0, Vec::<(String, f64)>::new()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn bytes_of_strangers_harm_nobody(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Model::from_bytes(&bytes);
    }

    /// Whatever a changed model is read as, it predicts a chance for whatever row.
    #[test]
    fn changed_bytes_are_refused_or_sound(
        which in 0..3_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        row in prop::collection::vec(any::<f32>(), 0..9),
    ) {
        let mut bytes = models()[which].to_bytes();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(model) = Model::from_bytes(&bytes) {
            let yes = model.predict(&row);
            prop_assert!((0.0..=1.0).contains(&yes), "{}", yes);
        }
    }

    /// Whatever the values: large, small, missing, all the same.
    #[test]
    fn whatever_rows_there_are_are_learned_or_refused(
        rows in prop::collection::vec((any::<f32>(), prop::sample::select(vec![0.0, f32::NAN, f32::MAX, f32::MIN, 1e-45]), any::<bool>()), 0..60),
    ) {
        let mut data = Dataset::new(["a", "b"]).unwrap();
        for (a, b, label) in &rows {
            prop_assert_eq!(data.push(&[*a, *b], *label).is_err(), a.is_infinite());
        }
        let few = boost::Settings { trees: 3, leaf_rows: 1, ..boost::Settings::default() };
        let line = logistic::Settings::default();
        for model in [boost::train(&data, &few), logistic::train(&data, &line)] {
            match model {
                Ok(model) => for row in data.rows() {
                    prop_assert!((0.0..=1.0).contains(&model.predict(row)));
                    prop_assert_eq!(Model::from_bytes(&model.to_bytes()), Ok(model.clone()));
                },
                Err(why) => prop_assert!(matches!(why, TrainError::Empty | TrainError::OneClass(_))),
            }
        }
    }
}

#[test]
fn data_that_says_nothing_is_refused() {
    let mut data = Dataset::new(["a"]).unwrap();
    let boosted = |data: &_| boost::train(data, &boost::Settings::default());
    assert_eq!(boosted(&data), Err(TrainError::Empty));
    data.push(&[1.0], true).unwrap();
    assert_eq!(boosted(&data), Err(TrainError::OneClass(true)));
    data.push(&[f32::NAN], false).unwrap();
    assert!(boosted(&data).is_ok_and(|model| model.predict(&[1.0]) == 0.5));
    let wrong = |change: fn(&mut boost::Settings)| {
        let mut settings = boost::Settings::default();
        change(&mut settings);
        boost::train(&data, &settings)
    };
    assert_eq!(wrong(|it| it.trees = 0), Err(TrainError::Setting("trees")));
    assert_eq!(wrong(|it| it.rate = f64::NAN), Err(TrainError::Setting("rate")));
    assert_eq!(wrong(|it| it.leaves = 1), Err(TrainError::Setting("leaves")));
    assert_eq!(wrong(|it| it.leaf_rows = 0), Err(TrainError::Setting("leaf_rows")));
    assert_eq!(wrong(|it| it.penalty = -1.0), Err(TrainError::Setting("penalty")));
    assert_eq!(wrong(|it| it.rows = 0.0), Err(TrainError::Setting("rows")));
    assert_eq!(wrong(|it| it.features = 1.1), Err(TrainError::Setting("features")));
    for (penalty, steps, name) in [(0.0, 1, "penalty"), (1.0, 0, "steps")] {
        let settings = logistic::Settings { penalty, steps };
        assert_eq!(logistic::train(&data, &settings), Err(TrainError::Setting(name)));
    }
}
