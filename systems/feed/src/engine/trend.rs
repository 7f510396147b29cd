//! Trends: which tags, links and posts are used by more accounts than the day before, and how fast that is
//! forgotten.
//!
//! The formula is Mastodon's (`app/models/trends/{tags,links,statuses}.rb`). With the distinct accounts of
//! today *o* (observed) and of yesterday *e* (expected, at least 1), the score is (o − e)² / e, the term of
//! Pearson's chi-square, and nothing when *o* is below *e* or below the threshold. A subject keeps its
//! highest score of the last two days as its peak, and ranks by peak · 2^(−t/h), *t* after the peak, with
//! half-life *h*.
//!
//! Everything is an integer, scores in fixed point, so that replicas agree. Which posts may trend at all
//! (public, not sensitive), review by moderators, and naming the subjects are for the caller.

use std::collections::BTreeSet;

/// Seconds in a day.
const DAY: u64 = 86_400;

/// How many days of use a subject keeps: the week that the API shows.
pub const KEPT_DAYS: usize = 7;

/// What makes a trend of one kind of subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Distinct accounts a day below which nothing trends.
    pub threshold: u32,
    /// Seconds after which a peak counts no more (`max_score_cooldown`).
    pub cooldown: u64,
    /// Seconds in which a score halves (`max_score_halflife`).
    pub half_life: u64,
    /// The decayed score below which a subject trends no more (`decay_threshold`).
    pub floor: Score,
    /// The age in days from which an account counts. An addition to Mastodon's, as is the next.
    pub min_age_days: u32,
    /// The followers from which an account counts.
    pub min_followers: u32,
}

impl Policy {
    /// Mastodon's figures for hashtags, with accounts counting from their second day.
    pub const TAGS: Self = Self {
        threshold: 5,
        cooldown: 2 * DAY,
        half_life: 4 * 3_600,
        floor: Score::ONE,
        min_age_days: 1,
        min_followers: 0,
    };
    /// Mastodon's figures for links.
    pub const LINKS: Self = Self { half_life: 8 * 3_600, ..Self::TAGS };
    /// Mastodon's figures for posts, which have no peak: see [`post_score`].
    pub const POSTS: Self = Self { half_life: 2 * 3_600, floor: Score::of(3, 10), ..Self::TAGS };

    /// Whether a use by this account counts.
    #[must_use]
    pub fn admits(&self, account: &Account) -> bool {
        !account.limited && account.age_days >= self.min_age_days && account.followers >= self.min_followers
    }
}

/// An account, as far as counting its use asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub id: u64,
    /// Whole days since it was made, or first seen.
    pub age_days: u32,
    /// How many follow it.
    pub followers: u32,
    /// Whether moderators limited it (Mastodon `silenced?`).
    pub limited: bool,
}

/// A score in fixed point: units of 2⁻¹⁶. It saturates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score(u64);

impl Score {
    /// Bits after the point.
    pub const FRACTION_BITS: u32 = 16;
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// One.
    pub const ONE: Self = Self(1 << Self::FRACTION_BITS);

    /// A fraction, rounded down; over zero, nothing.
    #[must_use]
    pub const fn of(numerator: u32, denominator: u32) -> Self {
        if denominator == 0 {
            return Self::ZERO;
        }
        // Widening casts: `From` cannot be called here.
        Self(((numerator as u64) << Self::FRACTION_BITS) / denominator as u64)
    }

    /// (observed − expected)² / expected, with at least one expected; nothing when less was observed than
    /// expected.
    #[must_use]
    pub fn chi_square(observed: u32, expected: u32) -> Self {
        let expected = u128::from(expected.max(1));
        let Some(excess) = u128::from(observed).checked_sub(expected) else { return Self::ZERO };
        Self(u64::try_from(((excess * excess) << Self::FRACTION_BITS) / expected).unwrap_or(u64::MAX))
    }

    /// The score times 2^(−elapsed/half_life), off by less than one unit and one part in 2³⁰. A half-life of
    /// zero forgets at once.
    #[must_use]
    pub fn decayed(self, elapsed: u64, half_life: u64) -> Self {
        if elapsed == 0 {
            return self;
        }
        let (Some(halvings), Some(rest)) = (elapsed.checked_div(half_life), elapsed.checked_rem(half_life))
        else {
            return Self::ZERO;
        };
        let fraction = (u128::from(rest) << ROOTS.len()) / u128::from(half_life);
        let factor = ROOTS.iter().enumerate().fold(1_u128 << 64, |factor, (index, root)| {
            let set = (fraction >> (ROOTS.len() - 1 - index)) & 1 == 1;
            if set { (factor * root) >> 64 } else { factor }
        });
        let part = (u128::from(self.0) * factor) >> 64;
        let whole = u32::try_from(halvings).ok().and_then(|halvings| part.checked_shr(halvings)).unwrap_or(0);
        Self(u64::try_from(whole).unwrap_or(u64::MAX))
    }

    /// The score in thousandths, for showing.
    #[must_use]
    pub fn thousandths(self) -> u64 {
        u64::try_from((u128::from(self.0) * 1_000) >> Self::FRACTION_BITS).unwrap_or(u64::MAX)
    }

    /// The bits: units of 2⁻¹⁶, for keeping.
    #[must_use]
    pub fn to_bits(self) -> u64 {
        self.0
    }

    /// The score of those bits.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

/// 2^(−1/2), 2^(−1/4), 2^(−1/8)… in units of 2⁻⁶⁴, each the square root of the one before: the factors of
/// 2^(−f) for the bits of a fraction *f* from the highest down.
const ROOTS: [u128; 32] = {
    let mut roots = [0; 32];
    let mut square = 1_u128 << 63;
    let mut index = 0;
    while index < roots.len() {
        square = (square << 64).isqrt();
        roots[index] = square;
        index += 1;
    }
    roots
};

/// How often a subject was used on one day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Day {
    /// The day, in days since 1970-01-01 UTC.
    pub day: u64,
    /// All uses by accounts that count.
    pub uses: u32,
    /// The distinct accounts among them.
    pub accounts: u32,
}

/// The use of one subject over the last week (Mastodon `Trends::History`, with exact sets in place of
/// HyperLogLog). Only the newest day keeps its accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Days with use, oldest first, at most [`KEPT_DAYS`].
    days: Vec<Day>,
    /// The accounts of the newest.
    seen: BTreeSet<u64>,
}

/// What became of a use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// The account's first of the day: it counts for the score.
    Counted,
    /// Another by the same account: it counts as a use alone.
    Repeated,
    /// The account does not count: see [`Policy::admits`].
    Refused,
    /// Of a day before the newest: it came too late to count.
    Late,
}

impl Usage {
    /// The kept days, oldest first, and the accounts of the newest: what a snapshot keeps.
    #[must_use]
    pub fn parts(&self) -> (&[Day], &BTreeSet<u64>) {
        (&self.days, &self.seen)
    }

    /// The usage of those parts.
    #[must_use]
    pub fn from_parts(days: Vec<Day>, seen: BTreeSet<u64>) -> Self {
        Self { days, seen }
    }

    /// Takes note of a use at `now`, in seconds since 1970.
    pub fn record(&mut self, policy: &Policy, account: &Account, now: u64) -> Recorded {
        let today = now / DAY;
        if !policy.admits(account) {
            return Recorded::Refused;
        }
        match self.days.last() {
            Some(newest) if newest.day > today => return Recorded::Late,
            Some(newest) if newest.day == today => {}
            _ => {
                self.seen.clear();
                self.days.push(Day { day: today, uses: 0, accounts: 0 });
                self.days.retain(|day| today.saturating_sub(day.day) < KEPT_DAYS as u64);
            }
        }
        let first = self.seen.insert(account.id);
        if let Some(day) = self.days.last_mut() {
            day.uses = day.uses.saturating_add(1);
            day.accounts = day.accounts.saturating_add(u32::from(first));
        }
        if first { Recorded::Counted } else { Recorded::Repeated }
    }

    /// The use on one day.
    #[must_use]
    pub fn on(&self, day: u64) -> Day {
        self.days.iter().find(|kept| kept.day == day).copied().unwrap_or(Day { day, uses: 0, accounts: 0 })
    }

    /// The week that ends today, newest first: the API's `history`. Days before 1970 are left out.
    pub fn history(&self, now: u64) -> impl Iterator<Item = Day> {
        (0..KEPT_DAYS as u64).map_while(move |back| (now / DAY).checked_sub(back)).map(|day| self.on(day))
    }

    /// Whether nothing of the week is left: the subject need not be kept.
    #[must_use]
    pub fn is_stale(&self, now: u64) -> bool {
        self.days.last().is_none_or(|newest| now / DAY >= newest.day.saturating_add(KEPT_DAYS as u64))
    }

    /// Today's score against yesterday, before any decay; nothing under the threshold.
    #[must_use]
    pub fn score(&self, policy: &Policy, now: u64) -> Score {
        let today = now / DAY;
        let observed = self.on(today).accounts;
        let expected = today.checked_sub(1).map_or(0, |yesterday| self.on(yesterday).accounts);
        if observed < policy.threshold { Score::ZERO } else { Score::chi_square(observed, expected) }
    }
}

/// The highest score of a subject, and when it had it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Peak {
    /// The score.
    pub score: Score,
    /// When, in seconds since 1970.
    pub at: u64,
}

impl Peak {
    /// Brings the peak up to date and gives the decayed score by which the subject ranks; nothing when that
    /// is under the policy's floor. A peak older than the cooldown is forgotten.
    pub fn refresh(&mut self, policy: &Policy, usage: &Usage, now: u64) -> Score {
        if now.saturating_sub(self.at) > policy.cooldown {
            self.score = Score::ZERO;
        }
        let score = usage.score(policy, now);
        if score > self.score {
            *self = Self { score, at: now };
        }
        above_floor(self.score.decayed(now.saturating_sub(self.at), policy.half_life), policy)
    }
}

/// The score of a post by the accounts that boosted or favoured it, decaying from its making on (Mastodon
/// `Trends::Statuses`, where one interaction is expected).
#[must_use]
pub fn post_score(policy: &Policy, interactions: u32, made: u64, now: u64) -> Score {
    if interactions < policy.threshold {
        return Score::ZERO;
    }
    let score = Score::chi_square(interactions, 1);
    above_floor(score.decayed(now.saturating_sub(made), policy.half_life), policy)
}

fn above_floor(score: Score, policy: &Policy) -> Score {
    if score < policy.floor { Score::ZERO } else { score }
}

/// The subjects that trend, highest score first and equal scores by subject, at most `limit`. A score of
/// nothing does not trend.
#[must_use]
pub fn rank<K: Ord>(scores: impl IntoIterator<Item = (K, Score)>, limit: usize) -> Vec<(K, Score)> {
    let mut ranked: Vec<_> = scores.into_iter().filter(|(_, score)| *score > Score::ZERO).collect();
    ranked.sort_unstable_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
    ranked.truncate(limit);
    ranked
}

#[cfg(test)]
mod tests;
