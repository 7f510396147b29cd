//! Negative controls: with a guarantee taken out, the test that guards it fails. Without the feature, nothing can
//! be taken out.

#[cfg(not(feature = "sabotage"))]
#[test]
fn nothing_can_be_taken_out_of_an_ordinary_build() {
    const { assert!(!decalog_seal::sabotage::COMPILED_IN) };
}

#[cfg(feature = "sabotage")]
mod taken_out {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use decalog_seal::sabotage::{Sabotage, take_out};

    /// The guarding test passes with the guarantee and fails without it, with these words.
    fn fails_without(sabotage: Sabotage, test: fn(), words: &str) {
        test();
        take_out(Some(sabotage));
        let outcome = catch_unwind(AssertUnwindSafe(test));
        take_out(None);
        let cause = outcome.expect_err("nobody noticed");
        let said = cause.downcast_ref::<String>().cloned();
        let said = said.or_else(|| cause.downcast_ref::<&str>().map(ToString::to_string)).unwrap();
        assert!(said.contains(words), "noticed for another reason: {said}");
    }

    #[test]
    fn tag_check() {
        fails_without(Sabotage::TagCheck, crate::message::every_flipped_bit_is_noticed, "nobody noticed");
        fails_without(Sabotage::TagCheck, crate::ring::a_changed_ring_is_refused, "nobody noticed");
    }

    #[test]
    fn place() {
        fails_without(Sabotage::Place, crate::message::a_message_opens_at_its_place_only, "moved bytes");
    }

    #[test]
    fn counter() {
        fails_without(Sabotage::Counter, crate::message::no_nonce_comes_twice, "used twice");
    }

    #[test]
    fn last_chunk() {
        let guard = crate::stream::a_stream_that_is_cut_or_reordered_is_noticed;
        fails_without(Sabotage::LastChunk, guard, "nobody noticed");
    }

    #[test]
    fn key_file_mode() {
        let guard = crate::master::a_key_file_that_others_may_read_is_refused;
        fails_without(Sabotage::KeyFileMode, guard, "others may read the key");
    }
}
