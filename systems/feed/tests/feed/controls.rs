//! Negative controls: with a guarantee taken out, the test that guards it must fail. `cargo test --features sabotage`.

/// The product must not be able to lose a guarantee.
#[cfg(not(feature = "sabotage"))]
#[test]
fn the_product_cannot_be_sabotaged() {
    const { assert!(!decalog_feed::sabotage::COMPILED_IN) };
}

#[cfg(feature = "sabotage")]
mod taken_out {
    use std::panic::catch_unwind;

    use decalog_feed::sabotage::{Sabotage, take_out};

    use crate::media::addresses;
    use crate::{erasure, inbox, leftovers, partitions, privacy, push, ranking, undone, usage};

    fn fails_without(sabotage: Sabotage, test: fn()) {
        test();
        take_out(Some(sabotage));
        let outcome = catch_unwind(test);
        take_out(None);
        assert!(outcome.is_err(), "nobody noticed that {sabotage:?} is taken out");
    }

    #[test]
    fn block() {
        fails_without(Sabotage::Block, privacy::who_sees_a_post_is_what_its_author_said);
    }

    #[test]
    fn followers_only() {
        fails_without(Sabotage::FollowersOnly, privacy::who_sees_a_post_is_what_its_author_said);
    }

    #[test]
    fn audience() {
        fails_without(Sabotage::Audience, partitions::at_rest_all_partitions_agree);
    }

    #[test]
    fn retraction() {
        fails_without(Sabotage::Retraction, partitions::at_rest_all_partitions_agree);
    }

    #[test]
    fn ended_wish() {
        fails_without(Sabotage::EndedWish, partitions::two_who_cannot_make_up_their_minds_agree_at_rest);
    }

    #[test]
    fn notification_policy() {
        fails_without(Sabotage::NotificationPolicy, inbox::strangers_are_treated_as_the_policy_says);
    }

    #[test]
    fn push_policy() {
        fails_without(Sabotage::PushPolicy, push::who_is_told_is_what_the_subscription_says);
    }

    #[test]
    fn push_lane() {
        fails_without(Sabotage::PushLane, push::a_slow_push_service_takes_no_place_of_another);
    }

    #[test]
    fn push_pending() {
        fails_without(Sabotage::PushPending, push::what_is_not_pushed_is_found_again);
    }

    #[test]
    fn media_code() {
        fails_without(Sabotage::MediaCode, addresses::only_the_servers_own_addresses_are_taken);
    }

    #[test]
    fn media_end() {
        fails_without(
            Sabotage::MediaEnd,
            addresses::an_address_that_ends_holds_for_a_day_and_no_longer_than_a_quarter_more,
        );
    }

    #[test]
    fn recommendable() {
        fails_without(
            Sabotage::Recommendable,
            ranking::a_ranked_timeline_shows_nothing_that_is_not_for_its_reader,
        );
    }

    #[test]
    fn unposted() {
        fails_without(Sabotage::Unposted, leftovers::an_attachment_that_is_not_posted_within_a_day_goes);
    }

    #[test]
    fn blob_references() {
        fails_without(Sabotage::BlobReferences, leftovers::every_file_that_a_row_names_is_said_to_be_used);
    }

    #[test]
    fn quote_policy() {
        fails_without(Sabotage::QuotePolicy, privacy::who_sees_a_post_is_what_its_author_said);
    }

    #[test]
    fn quote_sight() {
        fails_without(Sabotage::QuoteSight, privacy::who_sees_a_post_is_what_its_author_said);
    }

    #[test]
    fn model_check() {
        fails_without(Sabotage::ModelCheck, ranking::models_that_are_none_or_old_are_refused);
    }

    #[test]
    fn forget_shown() {
        fails_without(Sabotage::ForgetShown, ranking::what_was_shown_is_bounded_and_can_be_forgotten);
    }

    #[test]
    fn erasure_of_an_account() {
        fails_without(Sabotage::Erasure, erasure::nothing_is_left_of_an_erased_account);
    }

    #[test]
    fn suspension() {
        fails_without(Sabotage::Suspension, privacy::who_sees_a_post_is_what_its_author_said);
    }

    #[test]
    fn sweep() {
        fails_without(Sabotage::Sweep, privacy::nothing_is_left_of_deleted_posts);
    }

    #[test]
    fn ended_reblogs() {
        fails_without(Sabotage::EndedReblogs, undone::reblogs_go_with_what_they_stand_for);
    }

    #[test]
    fn blocked_reblog() {
        fails_without(Sabotage::BlockedReblog, undone::a_reblog_that_a_block_crosses_counts_for_nothing);
    }

    #[test]
    fn edit_told() {
        fails_without(Sabotage::EditTold, undone::everybody_who_reblogs_hears_once_of_a_change);
    }

    #[test]
    fn fallback() {
        fails_without(Sabotage::Fallback, undone::a_conversation_falls_back_to_what_was_said_before);
    }

    #[test]
    fn redraft() {
        fails_without(Sabotage::Redraft, undone::attachments_outlive_their_post_by_a_day);
    }

    #[test]
    fn unlock() {
        fails_without(Sabotage::Unlock, undone::everybody_who_waits_follows_once_nobody_need_be_asked);
    }

    #[test]
    fn directory() {
        fails_without(Sabotage::Directory, usage::the_directory_is_in_order);
    }

    #[test]
    fn active_once() {
        fails_without(Sabotage::ActiveOnce, usage::who_is_active_is_counted_once);
    }
}
