//! Negative controls: each guarantee taken out, the test that guards it must fail, and for the right reason.

use std::panic::{self, AssertUnwindSafe};

use decalog_log::{Guarantee, Options};
use decalog_seal::sabotage::{Sabotage, take_out};

use crate::{crash, damage, embedded, faults, sealed};

/// Runs a guarding test without the guarantee; it must fail with a message that contains one of these.
fn must_be_noticed(guard: impl FnOnce(Options), options: Options, without: Guarantee, says: &[&str]) {
    let options = Options { sabotage: Some(without), ..options };
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| guard(options)));
    let cause = outcome.expect_err("the guarding test passes without the guarantee");
    let cause = match cause.downcast::<String>() {
        Ok(message) => *message,
        Err(cause) => (*cause.downcast::<&str>().expect("a panic has a message")).to_owned(),
    };
    assert!(says.iter().any(|part| cause.contains(part)), "noticed for another reason: {cause}");
}

#[test]
fn an_acknowledgement_before_the_sync_is_noticed() {
    let lost = ["was acknowledged", "bytes written"];
    must_be_noticed(
        crash::scattered_crashes_lose_nothing_acknowledged,
        crash::tiny(),
        Guarantee::Sync,
        &lost,
    );
    let guard = crash::every_cut_of_unsynced_bytes_leaves_a_prefix;
    must_be_noticed(guard, crash::tiny(), Guarantee::Sync, &lost);
}

#[test]
fn a_missing_checksum_is_noticed() {
    let guard = damage::every_flip_of_a_marked_byte_refuses_the_start;
    let noticed = ["is not what was appended", "header:", "frames:"];
    must_be_noticed(guard, crash::tiny(), Guarantee::Checksum, &noticed);
}

#[test]
fn a_missing_directory_lock_is_noticed() {
    let guard = embedded::a_second_start_is_refused_and_names_the_holder;
    // The first may add a segment while the second starts, which sees that.
    let noticed = ["two logs work in one directory", "appeared during the start"];
    must_be_noticed(guard, Options::small(), Guarantee::DirectoryLock, &noticed);
}

#[test]
fn a_missing_durable_statement_is_noticed() {
    let guard = damage::every_flip_of_a_marked_byte_refuses_the_start;
    must_be_noticed(guard, crash::tiny(), Guarantee::DurableStatement, &["lost too much"]);
}

#[test]
fn a_missing_reserve_is_noticed() {
    let guard = faults::a_full_simulated_disk_keeps_its_promises;
    must_be_noticed(guard, Options::small(), Guarantee::Reserve, &["the reserve is there for this"]);
}

#[test]
fn a_segment_that_is_not_finished_by_age_is_noticed() {
    let guard = embedded::what_was_trimmed_leaves_an_idle_log_by_age;
    must_be_noticed(guard, embedded::aged(), Guarantee::FinishByAge, &["dropped by its age"]);
}

#[test]
fn a_missing_check_of_the_seal_is_noticed() {
    for (without, says) in
        [(Sabotage::TagCheck, "a record was forged"), (Sabotage::Place, "the context was forged")]
    {
        let guard = |_| {
            take_out(Some(without));
            let outcome = panic::catch_unwind(sealed::forged_batches_are_refused);
            take_out(None);
            outcome.unwrap_or_else(|cause| panic::resume_unwind(cause));
        };
        must_be_noticed(guard, Options::small(), Guarantee::Checksum, &[says]);
    }
}
