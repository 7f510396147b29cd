//! Negative controls: with a guarantee taken out, the test that guards it fails. And the product cannot be sabotaged.

#[cfg(not(feature = "sabotage"))]
#[test]
fn a_build_without_the_feature_cannot_be_sabotaged() {
    assert!(!std::hint::black_box(decalog_runtime::sabotage::POSSIBLE));
}

#[cfg(feature = "sabotage")]
mod controls {
    use decalog_log::Durability;
    use decalog_runtime::harness;
    use decalog_runtime::sabotage::{Sabotage, without};
    use decalog_runtime::sim::{self, Plan};

    use crate::aging::what_the_state_forgot_leaves_every_file;
    use crate::erasure::{
        what_a_backup_brings_back_is_erased_before_anything_is_served, what_is_recorded_survives_a_power_cut,
    };
    use crate::guestbook::Guests;
    use crate::inspection::verify_skewed;
    use crate::properties::{Flows, PLAN};
    use crate::simulation::Senders;

    /// What the simulation's own tests run, for a little longer.
    fn simulate(without_it: Sabotage, durability: Durability) -> String {
        let failure = without(without_it, || {
            (0..12).find_map(|seed| {
                let plan =
                    Plan { seed, partitions: 4, crashes: 100, actions: 60, durability, journal_each: true };
                sim::search(&Senders::new(), plan).err()
            })
        });
        let failure = failure.unwrap_or_else(|| panic!("{without_it:?} is taken out and nothing fails"));
        assert!(failure.history.len() < 60, "the history was shortened: {failure}");
        failure.to_string()
    }

    #[test]
    fn without_the_sync_a_target_has_what_its_source_never_sent() {
        let words = simulate(Sabotage::Sync, Durability::Os);
        assert!(words.contains("which has sent"), "{words}");
    }

    #[test]
    fn without_aging_a_file_remembers() {
        let outcome =
            without(Sabotage::Aging, || std::panic::catch_unwind(what_the_state_forgot_leaves_every_file));
        let words = *outcome.expect_err("nobody noticed").downcast::<String>().expect("words");
        assert!(words.contains("to be in no file"), "{words}");
    }

    #[test]
    fn without_its_sync_the_ledger_forgets_an_erasure() {
        let outcome = without(Sabotage::ErasureSync, || {
            std::panic::catch_unwind(what_is_recorded_survives_a_power_cut)
        });
        assert!(outcome.is_err(), "nobody noticed");
    }

    #[test]
    fn without_the_repeat_a_backup_brings_back_what_was_erased() {
        let test = what_a_backup_brings_back_is_erased_before_anything_is_served;
        let outcome = without(Sabotage::ErasureRepeat, || std::panic::catch_unwind(test));
        assert!(outcome.is_err(), "nobody noticed");
    }

    #[test]
    fn without_the_dedupe_window_a_repeat_is_applied_twice() {
        let words = simulate(Sabotage::DedupeWindow, Durability::Fsync);
        assert!(words.contains("and again at"), "{words}");
    }

    #[test]
    fn without_gap_refusal_messages_are_lost_or_doubled() {
        let words = simulate(Sabotage::DeliveryGaps, Durability::Fsync);
        assert!(words.contains("message") || words.contains("points were sent"), "{words}");
    }

    #[test]
    fn without_the_sync_before_tables_they_are_ahead_of_the_log() {
        let failure = without(Sabotage::TableSync, || {
            (0..12).find_map(|seed| {
                let durability = Durability::Os;
                let plan =
                    Plan { seed, partitions: 4, crashes: 100, actions: 60, durability, journal_each: false };
                sim::search(&Guests::new(), plan).err()
            })
        });
        assert!(failure.expect("a failure").what.contains("snapshot at"));
    }

    #[test]
    fn without_the_deadline_rule_something_is_held_too_long() {
        let failure = without(Sabotage::DeadlineRule, || harness::search(&mut Flows, PLAN)).unwrap_err();
        assert!(failure.what.contains("did not fire"), "{failure}");
    }

    #[test]
    fn without_the_digest_compare_other_answers_go_unnoticed() {
        assert!(without(Sabotage::DigestCompare, || verify_skewed(1)).is_ok());
    }
}
