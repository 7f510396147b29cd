//! The rows that `scikit.py` makes, too.

use decalog_learn::Dataset;

/// SplitMix64, as fractions of 24 bits.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) >> 40) as f64 / f64::from(1 << 24)
    }
}

/// Six features, of which one says nothing; labels by a rule with noise.
#[expect(clippy::cast_possible_truncation, reason = "fractions of 24 bits are exact")]
pub(crate) fn data(rows: usize, missing: bool) -> Dataset {
    let mut random = Numbers(42);
    let mut data = Dataset::new(["a", "b", "c", "d", "e", "f"]).expect("names");
    for _ in 0..rows {
        let [a, b, c, d, e, f, noise, hole] = std::array::from_fn(|_| random.next());
        let both = if c > 0.5 && d > 0.5 { 2.0 } else { 0.0 };
        let score = 3.0 * a - 2.0 * b + both + 4.0 * (e - 0.5) * (e - 0.5) - 1.2;
        let e = if missing && hole < 0.2 { f64::NAN } else { e };
        let row = [a, b, c, d, e, f].map(|value| value as f32);
        data.push(&row, score + 3.0 * (noise - 0.5) > 0.5).expect("a row");
    }
    data
}
