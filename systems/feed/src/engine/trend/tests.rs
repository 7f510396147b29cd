//! Trends against Mastodon's formula in floating point, and the guards against abuse by example.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn account(id: u64) -> Account {
    Account { id, age_days: 30, followers: 10, limited: false }
}

fn float(score: Score) -> f64 {
    score.to_bits() as f64 / 65_536.0
}

/// Equal but for the roundings, each of less than a unit, and the stated precision.
fn close(score: Score, model: f64, roundings: u8) -> bool {
    (float(score) - model).abs() <= (f64::from(roundings) + 0.01) / 65_536.0 + model * 1e-9
}

#[test]
fn five_new_accounts_make_a_trend_that_halves_in_four_hours() {
    let (mut usage, mut peak) = (Usage::default(), Peak::default());
    let noon = 20_000 * DAY + DAY / 2;
    for id in 0..4 {
        assert_eq!(usage.record(&Policy::TAGS, &account(id), noon), Recorded::Counted);
    }
    assert_eq!(peak.refresh(&Policy::TAGS, &usage, noon), Score::ZERO, "four are too few");
    assert_eq!(usage.record(&Policy::TAGS, &account(3), noon), Recorded::Repeated);
    assert_eq!(peak.refresh(&Policy::TAGS, &usage, noon), Score::ZERO, "one account does not make two");
    assert_eq!(usage.record(&Policy::TAGS, &account(4), noon), Recorded::Counted);
    assert_eq!(peak.refresh(&Policy::TAGS, &usage, noon).thousandths(), 16_000, "(5 - 1)² / 1");
    assert_eq!(peak.refresh(&Policy::TAGS, &usage, noon + 4 * 3_600).thousandths(), 8_000);
    assert_eq!(
        peak.refresh(&Policy::TAGS, &usage, noon + 16 * 3_600).thousandths(),
        1_000,
        "past midnight the peak still counts"
    );
    assert_eq!(peak.refresh(&Policy::TAGS, &usage, noon + 16 * 3_600 + 1), Score::ZERO, "under the floor");
    assert_eq!(usage.on(20_000), Day { day: 20_000, uses: 6, accounts: 5 });
}

#[test]
fn what_was_usual_yesterday_is_no_trend_today() {
    let mut usage = Usage::default();
    for id in 0..10 {
        usage.record(&Policy::TAGS, &account(id), 100 * DAY);
    }
    for id in 0..10 {
        usage.record(&Policy::TAGS, &account(id), 101 * DAY);
    }
    assert_eq!(usage.score(&Policy::TAGS, 101 * DAY), Score::ZERO);
    for id in 10..20 {
        usage.record(&Policy::TAGS, &account(id), 101 * DAY);
    }
    assert_eq!(usage.score(&Policy::TAGS, 101 * DAY).thousandths(), 10_000, "(20 - 10)² / 10");
}

#[test]
fn accounts_that_do_not_count() {
    let policy = Policy { min_age_days: 7, min_followers: 2, ..Policy::TAGS };
    let good = Account { id: 1, age_days: 7, followers: 2, limited: false };
    let mut usage = Usage::default();
    for bad in
        [Account { age_days: 6, ..good }, Account { followers: 1, ..good }, Account { limited: true, ..good }]
    {
        assert_eq!(usage.record(&policy, &bad, 5 * DAY), Recorded::Refused);
    }
    assert_eq!(usage, Usage::default());
    assert_eq!(usage.record(&policy, &good, 5 * DAY), Recorded::Counted);
    assert_eq!(usage.record(&policy, &good, 4 * DAY), Recorded::Late);
    assert_eq!(usage.record(&policy, &good, 6 * DAY), Recorded::Counted, "once a day");
}

#[test]
fn a_week_is_kept() {
    let mut usage = Usage::default();
    assert!(usage.is_stale(0));
    for day in 10..30 {
        usage.record(&Policy::TAGS, &account(1), day * DAY);
        assert!(usage.days.len() <= KEPT_DAYS);
    }
    let now = 31 * DAY;
    assert_eq!(
        usage.history(now).map(|day| (day.day, day.uses)).collect::<Vec<_>>(),
        [(31, 0), (30, 0), (29, 1), (28, 1), (27, 1), (26, 1), (25, 1)]
    );
    assert!(!usage.is_stale(35 * DAY) && usage.is_stale(36 * DAY));
    assert_eq!(usage.history(DAY).count(), 2);
    let (days, seen) = usage.parts();
    assert_eq!(Usage::from_parts(days.to_vec(), seen.clone()), usage);
}

#[test]
fn posts_and_ranks() {
    let at = 1_000 * DAY;
    assert_eq!(post_score(&Policy::POSTS, 4, at, at), Score::ZERO);
    assert_eq!(post_score(&Policy::POSTS, 11, at, at).thousandths(), 100_000);
    assert_eq!(post_score(&Policy::POSTS, 11, at, at + 7_200).thousandths(), 50_000);
    assert_eq!(post_score(&Policy::POSTS, 11, at + 5, at).thousandths(), 100_000, "a clock that went back");
    assert_eq!(post_score(&Policy::POSTS, 11, at, at + 30 * DAY), Score::ZERO);
    let scores = [("b", Score::ONE), ("c", Score::of(5, 2)), ("d", Score::ZERO), ("a", Score::ONE)];
    assert_eq!(rank(scores, 10).iter().map(|(key, _)| *key).collect::<String>(), "cab");
    assert_eq!(rank(scores, 1).len(), 1);
}

#[test]
fn extremes_do_not_overflow() {
    let most = Score::from_bits(u64::MAX);
    assert_eq!(most.decayed(0, 0), most);
    assert_eq!(most.decayed(1, 0), Score::ZERO);
    assert_eq!(most.decayed(u64::MAX, 1), Score::ZERO);
    assert_eq!(most.decayed(u64::MAX, u64::MAX).to_bits(), u64::MAX >> 1);
    assert!(most.decayed(1, u64::MAX) <= most);
    assert_eq!(Score::chi_square(u32::MAX, 0), most);
    assert_eq!(Score::of(1, 0), Score::ZERO);
    let policy = Policy { threshold: 0, cooldown: 0, half_life: 0, ..Policy::TAGS };
    let mut peak = Peak { score: most, at: u64::MAX };
    let mut usage = Usage::default();
    assert_eq!(usage.record(&policy, &account(1), u64::MAX), Recorded::Counted);
    assert_eq!(peak.refresh(&policy, &usage, u64::MAX), most);
    assert_eq!(peak.refresh(&policy, &usage, 0), most);
    assert_eq!(usage.history(u64::MAX).count(), KEPT_DAYS);
}

/// Mastodon's rules with sets for every day and floating point.
#[derive(Default)]
struct Model {
    days: BTreeMap<u64, BTreeSet<u64>>,
    max_score: f64,
    max_time: Option<u64>,
}

impl Model {
    fn refresh(&mut self, now: u64) -> f64 {
        let accounts = |day: u64| self.days.get(&day).map_or(0.0, |set| set.len() as f64);
        let expected = accounts(now / DAY - 1).max(1.0);
        let observed = accounts(now / DAY);
        let mut max_score =
            if self.max_time.is_none_or(|at| at + 2 * DAY < now) { 0.0 } else { self.max_score };
        let score = if expected > observed || observed < 5.0 {
            0.0
        } else {
            (observed - expected).powi(2) / expected
        };
        if score > max_score {
            max_score = score;
            (self.max_score, self.max_time) = (score, Some(now));
        }
        max_score * 0.5_f64.powf((now - self.max_time.unwrap_or(now)) as f64 / 14_400.0)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn decay_agrees_with_floats(
        bits in any::<u64>(),
        shift in 0_u32..64,
        elapsed in 0_u64..2_000_000,
        half_life in 1_u64..1_000_000,
    ) {
        let score = Score::from_bits(bits >> shift);
        let model = float(score) * 0.5_f64.powf(elapsed as f64 / half_life as f64);
        let decayed = score.decayed(elapsed, half_life);
        prop_assert!(close(decayed, model, 1), "{} for {model}", float(decayed));
        prop_assert!(decayed <= score);
    }

    #[test]
    fn chi_square_agrees_with_floats(observed in 0_u32..5_000_000, expected in 0_u32..5_000_000) {
        let (o, e) = (f64::from(observed), f64::from(expected.max(1)));
        let model = if e > o { 0.0 } else { (o - e).powi(2) / e };
        prop_assert!(close(Score::chi_square(observed, expected), model, 1));
    }

    /// Uses by a few accounts, hours apart, refreshed after each: counts, peak and decayed score are the
    /// model's.
    #[test]
    fn trends_agree_with_mastodon(
        uses in prop::collection::vec((0_u64..40_000, prop::collection::vec(0_u64..40, 0..20)), 1..40)
    ) {
        let (mut usage, mut peak, mut model) = (Usage::default(), Peak::default(), Model::default());
        let mut now = 20_000 * DAY;
        for (pause, accounts) in uses {
            now += pause;
            for id in accounts {
                usage.record(&Policy::TAGS, &account(id), now);
                model.days.entry(now / DAY).or_default().insert(id);
            }
            let expected = model.refresh(now);
            let score = peak.refresh(&Policy::TAGS, &usage, now);
            // At the floor's edge the rounding decides.
            if (expected - 1.0).abs() > 1e-4 {
                let shown = if expected < 1.0 { 0.0 } else { expected };
                prop_assert!(close(score, shown, 2), "{} for {shown}", float(score));
            }
            for day in usage.history(now) {
                let accounts = model.days.get(&day.day).map_or(0, BTreeSet::len);
                prop_assert_eq!(usize::try_from(day.accounts), Ok(accounts));
            }
        }
    }
}
