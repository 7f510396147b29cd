//! Negative controls: with a guarantee taken out, the test that guards it fails. Without the feature, nothing can
//! be taken out.

#[cfg(not(feature = "sabotage"))]
#[test]
fn nothing_can_be_taken_out_of_an_ordinary_build() {
    const { assert!(!decalog_blob::sabotage::COMPILED_IN) };
}

#[cfg(feature = "sabotage")]
mod taken_out {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use decalog_blob::sabotage::{Sabotage, take_out};
    use decalog_seal::sabotage as seal;

    /// The guarding test passes with the guarantee and fails without it, with these words.
    fn fails_without(sabotage: impl Fn(bool), test: fn(), words: &str) {
        test();
        sabotage(true);
        let outcome = catch_unwind(AssertUnwindSafe(test));
        sabotage(false);
        let cause = outcome.expect_err("nobody noticed");
        let said = cause.downcast_ref::<String>().cloned();
        let said = said.or_else(|| cause.downcast_ref::<&str>().map(ToString::to_string)).unwrap();
        assert!(said.contains(words), "noticed for another reason: {said}");
    }

    fn without(sabotage: Sabotage) -> impl Fn(bool) {
        move |out| take_out(out.then_some(sabotage))
    }

    #[test]
    fn verify_on_read() {
        let guard = crate::damage::flipped_bits_of_an_open_blob_are_noticed;
        fails_without(without(Sabotage::VerifyOnRead), guard, "a range was given");
    }

    #[test]
    fn tag_check_of_the_seal() {
        let guard = crate::damage::flipped_bits_of_a_sealed_blob_are_noticed;
        let sabotage = |out: bool| seal::take_out(out.then_some(seal::Sabotage::TagCheck));
        fails_without(sabotage, guard, "a range was given");
    }

    #[test]
    fn grace() {
        let grace = || without(Sabotage::Grace);
        fails_without(grace(), crate::collection::the_young_are_not_collected, "something young was removed");
        let guard = crate::collection::an_upload_on_its_way_is_not_collected;
        fails_without(grace(), guard, "an upload on its way was removed");
    }

    #[test]
    fn size_limit() {
        let guard = crate::faults::a_blob_has_no_more_bytes_than_it_may;
        fails_without(without(Sabotage::SizeLimit), guard, "more was stored");
    }
}
