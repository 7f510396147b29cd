//! Negative controls: with a guarantee taken out, the test that guards it fails. Without the feature, nothing can
//! be taken out.

#[cfg(not(feature = "sabotage"))]
#[test]
fn nothing_can_be_taken_out_of_an_ordinary_build() {
    const { assert!(!decalog_fix::sabotage::COMPILED_IN) };
    crate::framing::wrong_checksum_is_skipped();
    crate::rules::sending_time_is_checked();
    crate::rules::too_low_ends_the_session();
    crate::rules::gap_is_asked_for_once();
}

#[cfg(feature = "sabotage")]
mod taken_out {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use decalog_fix::sabotage::{Sabotage, take_out};

    /// The guarding test passes with the guarantee and fails without it.
    fn fails_without(sabotage: Sabotage, test: fn()) {
        test();
        take_out(Some(sabotage));
        let outcome = catch_unwind(AssertUnwindSafe(test));
        take_out(None);
        assert!(outcome.is_err(), "nobody noticed that {sabotage:?}");
    }

    #[test]
    fn checksum() {
        fails_without(Sabotage::ChecksumUnchecked, crate::framing::wrong_checksum_is_skipped);
    }

    #[test]
    fn sending_time() {
        fails_without(Sabotage::SendingTimeUnchecked, crate::rules::sending_time_is_checked);
    }

    #[test]
    fn too_low() {
        fails_without(Sabotage::TooLowAccepted, crate::rules::too_low_ends_the_session);
    }

    #[test]
    fn gap() {
        fails_without(Sabotage::GapNotRequested, crate::rules::gap_is_asked_for_once);
        fails_without(Sabotage::GapNotRequested, crate::pair::cut_line_loses_nothing);
    }
}
