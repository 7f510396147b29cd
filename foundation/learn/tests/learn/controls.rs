//! Negative controls: with a guarantee taken out, the test that guards it must fail. `cargo test --features sabotage`.

/// The product must not be able to lose a guarantee.
#[cfg(not(feature = "sabotage"))]
#[test]
fn the_product_cannot_be_sabotaged() {
    const { assert!(!decalog_learn::sabotage::COMPILED_IN) };
}

#[cfg(feature = "sabotage")]
mod taken_out {
    use std::panic::catch_unwind;

    use decalog_learn::sabotage::{Sabotage, take_out};

    use crate::{hostile, same, scikit};

    fn fails_without(sabotage: Sabotage, test: fn()) {
        test();
        take_out(Some(sabotage));
        let outcome = catch_unwind(test);
        take_out(None);
        assert!(outcome.is_err(), "nobody noticed that {sabotage:?} is taken out");
    }

    #[test]
    fn validation() {
        fails_without(Sabotage::Validation, hostile::what_no_training_comes_to_is_refused);
    }

    #[test]
    fn missing() {
        fails_without(Sabotage::Missing, scikit::boosted_trees_are_as_good_with_missing_values);
    }

    #[test]
    fn seed() {
        fails_without(Sabotage::Seed, same::the_same_seed_comes_to_the_same_bytes);
    }
}
