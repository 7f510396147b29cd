//! Who takes part in which arm of an experiment: always the same, by account and name, and no two experiments alike.

use crate::value::AccountId;

/// The place of the arm, of so many.
pub fn assign(experiment: &str, account: AccountId, arms: usize) -> usize {
    let bytes = experiment.bytes().chain([0]).chain(account.0.to_be_bytes());
    let hash = bytes
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    // The last step of SplitMix64, as FNV leaves its low bits poor.
    let mut z = hash.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    let place = (u128::from(z) * arms.max(1) as u128) >> 64;
    usize::try_from(place).unwrap_or(0)
}
