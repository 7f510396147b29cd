//! Where tags and authors lie among everything that is written: those that stand together lie close.
//!
//! Each word has a direction of its own, of 64 signs made from its hash; a tag lies where the sum of those lies with which
//! it is used (random indexing, Sahlgren 2005). No training, and one pass over the posts.

/// Directions.
const WIDTH: usize = 64;

/// A place; all zero is nowhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vector([f32; WIDTH]);

impl Default for Vector {
    fn default() -> Vector {
        Vector([0.0; WIDTH])
    }
}

impl Vector {
    /// The direction of a word.
    pub fn of(word: &[u8]) -> Vector {
        // FNV-1a, and the last step of MurmurHash3, which spreads every bit over all.
        let hash = word.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
        });
        let mut bits = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
        bits = (bits ^ bits >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        bits ^= bits >> 33;
        Vector(std::array::from_fn(|place| if bits >> place & 1 == 1 { 0.125 } else { -0.125 }))
    }

    /// Moved by so much of another.
    pub fn add(&mut self, other: &Vector, share: f32) {
        self.0.iter_mut().zip(&other.0).for_each(|(one, other)| *one += other * share);
    }

    /// Whether it has no direction.
    pub fn is_nowhere(&self) -> bool {
        self.0.iter().all(|one| *one == 0.0)
    }

    /// How alike two directions are: 1 for the same.
    pub fn dot(&self, other: &Vector) -> f32 {
        self.0.iter().zip(&other.0).fold(0.0, |sum, (one, other)| sum + one * other)
    }

    /// The same direction, of length 1; nowhere stays nowhere.
    #[must_use]
    pub fn direction(mut self) -> Vector {
        let length = self.dot(&self).sqrt();
        if length > 1e-6 {
            self.0.iter_mut().for_each(|one| *one /= length);
        }
        self
    }
}
