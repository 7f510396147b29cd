//! Random numbers that are the same for ever: SplitMix64 (Steele, Lea, Flood 2014).

/// A generator.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// Whether something that happens with this chance happens.
    pub(crate) fn chance(&mut self, share: f64) -> bool {
        // 53 bits are what a double holds.
        (self.next() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64) < share
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn the_numbers_are_the_published_ones() {
        // The reference implementation's first three of seed 1234567.
        let mut random = Random::new(1_234_567);
        let all = [random.next(), random.next(), random.next()];
        assert_eq!(all, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }
}
