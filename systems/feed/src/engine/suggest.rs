//! Whom to follow: accounts that many of those whom one follows follow, and accounts that many have begun to follow lately.
//!
//! Popularity is a sum over followers, each worth 2^(−t/h), *t* after they began to follow, *h* the half-life. A follower
//! counts only if their own account was a week old when they began: accounts that are made to push somebody push nobody
//! with the follows they were made for, however long these last. Whom moderators have limited counts never, and fewer than
//! three that count are nobody's popularity.

use std::collections::BTreeMap;

use super::trend::Score;

/// Seconds in a day.
const DAY: u64 = 86_400;
/// How old an account must be for its follow to count.
const GROWN: u64 = 7 * DAY;
/// The time in which a follow's worth halves.
const HALF_LIFE: u64 = 14 * DAY;
/// Followers that count, below which nobody is popular.
const FEWEST: usize = 3;

/// Somebody follows. All times are seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Follow {
    /// When the follower's account was made.
    pub came: u64,
    /// When they began to follow.
    pub began: u64,
    /// Moderators have limited or suspended them.
    pub limited: bool,
}

/// How popular somebody with these followers is.
#[must_use]
pub fn popularity(followers: impl IntoIterator<Item = Follow>, now: u64) -> Score {
    let counts = |follow: &Follow| !follow.limited && follow.began >= follow.came.saturating_add(GROWN);
    let worth: Vec<Score> = followers
        .into_iter()
        .filter(counts)
        .map(|follow| Score::ONE.decayed(now.saturating_sub(follow.began), HALF_LIFE))
        .collect();
    if worth.len() < FEWEST {
        return Score::ZERO;
    }
    Score::from_bits(worth.into_iter().fold(0_u64, |sum, one| sum.saturating_add(one.to_bits())))
}

/// Those whom most of these follow, the most first and equal ones by their numbers: each with how many.
#[must_use]
pub fn in_common<'a>(follows: impl IntoIterator<Item = &'a [u64]>) -> Vec<(u64, usize)> {
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    follows.into_iter().flatten().for_each(|one| *counts.entry(*one).or_default() += 1);
    let mut ranked: Vec<_> = counts.into_iter().collect();
    ranked.sort_by(|(a, one), (b, other)| other.cmp(one).then_with(|| a.cmp(b)));
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000 * DAY;

    fn follows(count: usize, age: u64, ago: u64) -> Vec<Follow> {
        vec![Follow { came: NOW - ago - age, began: NOW - ago, limited: false }; count]
    }

    #[test]
    fn new_accounts_push_nobody_however_many_they_are_and_however_long_they_wait() {
        assert_eq!(popularity(follows(10_000, GROWN - 1, 0), NOW), Score::ZERO);
        assert_eq!(popularity(follows(10_000, 0, 365 * DAY), NOW), Score::ZERO);
        assert!(popularity(follows(3, GROWN, 0), NOW) > Score::ZERO);
        assert_eq!(popularity(follows(2, GROWN, 0), NOW), Score::ZERO, "too few");
    }

    #[test]
    fn whoever_is_limited_counts_never() {
        let limited = follows(5, GROWN, 0).into_iter().map(|follow| Follow { limited: true, ..follow });
        assert_eq!(popularity(limited, NOW), Score::ZERO);
    }

    #[test]
    fn later_follows_are_worth_more_and_one_halves_in_two_weeks() {
        let (today, before) =
            (popularity(follows(4, GROWN, 0), NOW), popularity(follows(4, GROWN, HALF_LIFE), NOW));
        assert_eq!((today, before.thousandths()), (Score::from_bits(4 << 16), 2_000));
        assert!(popularity(follows(9, GROWN, HALF_LIFE), NOW) > today);
    }

    #[test]
    fn whom_most_follow_comes_first() {
        let all: [&[u64]; 3] = [&[1, 2, 3], &[3, 2], &[3, 9]];
        assert_eq!(in_common(all), [(3, 3), (2, 2), (1, 1), (9, 1)]);
    }
}
