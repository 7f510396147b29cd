//! Negative controls: with a guarantee taken out, the test that guards it fails. Without the feature, nothing can
//! be taken out.

#[cfg(not(feature = "sabotage"))]
#[test]
fn nothing_can_be_taken_out_of_an_ordinary_build() {
    const { assert!(!decalog_outbound::sabotage::COMPILED_IN) };
}

#[cfg(feature = "sabotage")]
mod taken_out {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use decalog_outbound::sabotage::{Sabotage, take_out};

    /// The guarding test passes with the guarantee and fails without it.
    fn fails_without(sabotage: Sabotage, test: fn()) {
        test();
        take_out(Some(sabotage));
        let outcome = catch_unwind(AssertUnwindSafe(test));
        take_out(None);
        assert!(outcome.is_err(), "nobody noticed that {sabotage:?}");
    }

    #[test]
    fn address() {
        let guards = crate::guard::a_private_address_is_not_reached_by_any_spelling_or_name;
        fails_without(Sabotage::AddressUnchecked, guards);
    }

    #[test]
    fn body() {
        fails_without(Sabotage::BodyUnbounded, crate::guard::an_answer_has_no_more_bytes_than_it_may);
    }

    #[test]
    fn breaker() {
        fails_without(Sabotage::BreakerStuck, crate::resilience::the_breaker_opens_probes_and_closes_again);
    }

    #[test]
    fn budget() {
        fails_without(Sabotage::RetryUnbounded, crate::resilience::retries_stay_within_their_budget);
    }

    #[test]
    fn deadline() {
        fails_without(Sabotage::DeadlineForgotten, crate::resilience::nothing_outlives_the_callers_deadline);
    }
}
