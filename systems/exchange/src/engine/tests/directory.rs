//! The ladder's search against an ordered set, over ranges that make its window grow, give up and move.

use std::collections::BTreeSet;

use super::super::ladder::Ladder;
use super::super::order::Side;
use super::super::orders::NIL;

fn check(ladder: &Ladder, open: &BTreeSet<i64>, price: i64) {
    let number = ladder.find(price);
    assert_eq!(number != NIL, open.contains(&price), "level {price}");
    if number == NIL {
        return;
    }
    let price_of = |number| (number != NIL).then(|| ladder[number].price);
    assert_eq!(price_of(ladder.below(number)), open.range(..price).next_back().copied(), "below {price}");
    assert_eq!(price_of(ladder.above(number)), open.range(price + 1..).next().copied(), "above {price}");
}

/// Opens and closes levels around a centre, and asks for neighbours all the while.
fn walk(ladder: &mut Ladder, open: &mut BTreeSet<i64>, random: &mut fastrand::Rng, centre: i64, spread: i64) {
    for _ in 0..6_000 {
        let price = centre + random.i64(-spread..=spread);
        if open.remove(&price) {
            ladder.close(ladder.find(price));
        } else {
            ladder.open(Side::Buy, price);
            open.insert(price);
            ladder.touch(price);
        }
        check(ladder, open, price);
        if let Some(&other) = open.range(price..).next() {
            check(ladder, open, other);
        }
    }
}

#[test]
fn neighbours_are_found_wherever_prices_lie() {
    for seed in 0..3 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut ladder, mut open) = (Ladder::new(), BTreeSet::new());
        for (centre, spread) in [
            (0, 40),
            (1_000, 5_000),
            (1_000, 900_000),
            (0, 1 << 40),
            (3_000_000_000, 100_000),
            (-7_000_000_000, 2_000_000),
            (0, (1 << 53) - 1),
            (500, 200),
        ] {
            walk(&mut ladder, &mut open, &mut random, centre, spread);
        }
        for &price in &open {
            check(&ladder, &open, price);
        }
        for price in std::mem::take(&mut open) {
            ladder.close(ladder.find(price));
        }
        assert_eq!(ladder.pages(), 0);
    }
}
