//! The same rows and the same seed come to the same bits: in every run, and as they were released.

use decalog_learn::{Model, boost, logistic};

use crate::data::data;

/// FNV-1a.
fn mark(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

fn sampled(seed: u64) -> Model {
    let settings =
        boost::Settings { trees: 20, rows: 0.7, features: 0.8, seed, ..boost::Settings::default() };
    boost::train(&data(1_000, true), &settings).expect("rows")
}

#[test]
pub(crate) fn the_same_seed_comes_to_the_same_bytes() {
    assert_eq!(sampled(7).to_bytes(), sampled(7).to_bytes());
    assert_ne!(sampled(7).to_bytes(), sampled(8).to_bytes());
}

/// The marks of the bytes and predictions on the machine where this was written; any other must come to them, too.
#[test]
fn the_bits_are_those_of_every_machine() {
    let line = logistic::train(&data(1_000, true), &logistic::Settings::default()).expect("rows");
    let marks = [sampled(7), line].map(|model| {
        let predicted: Vec<u8> =
            data(1_000, true).rows().flat_map(|row| model.predict(row).to_bits().to_le_bytes()).collect();
        (mark(&model.to_bytes()), mark(&predicted))
    });
    let released = [
        (13_994_936_775_162_141_038, 12_722_422_318_329_196_057),
        (12_110_128_496_338_402_245, 11_757_903_788_798_391_940),
    ];
    assert_eq!(marks, released);
}
