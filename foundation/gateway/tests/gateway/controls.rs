//! Negative controls: with a guarantee taken out, the test that guards it fails. Without the feature, nothing can
//! be taken out.

#[cfg(not(feature = "sabotage"))]
#[test]
fn nothing_can_be_taken_out_of_an_ordinary_build() {
    const { assert!(!decalog_gateway::sabotage::COMPILED_IN) };
    crate::access::each_route_lets_in_only_who_may();
    crate::access::an_app_of_no_account_passes_where_apps_may_and_nowhere_else();
    crate::proxies::a_stranger_cannot_name_the_client();
    crate::layers::a_body_above_the_limit_is_refused();
    crate::limits::an_address_and_an_account_have_their_quota();
    crate::pages::every_origin_may_call_what_is_open_and_nothing_beside_it();
    crate::server::an_answer_before_the_body_leaves_the_connection_in_order();
}

#[cfg(feature = "sabotage")]
mod taken_out {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use decalog_gateway::sabotage::{Sabotage, take_out};

    /// The guarding test passes with the guarantee and fails without it.
    fn fails_without(sabotage: Sabotage, test: fn()) {
        test();
        take_out(Some(sabotage));
        let outcome = catch_unwind(AssertUnwindSafe(test));
        take_out(None);
        assert!(outcome.is_err(), "nobody noticed that {sabotage:?}");
    }

    #[test]
    fn scope() {
        fails_without(Sabotage::ScopeUnchecked, crate::access::each_route_lets_in_only_who_may);
    }

    #[test]
    fn apps() {
        let test = crate::access::an_app_of_no_account_passes_where_apps_may_and_nowhere_else;
        fails_without(Sabotage::AppsLetIn, test);
    }

    #[test]
    fn body() {
        fails_without(Sabotage::BodyUnbounded, crate::layers::a_body_above_the_limit_is_refused);
    }

    #[test]
    fn rate() {
        fails_without(Sabotage::RateUnlimited, crate::limits::an_address_and_an_account_have_their_quota);
    }

    #[test]
    fn pages() {
        let test = crate::pages::every_origin_may_call_what_is_open_and_nothing_beside_it;
        fails_without(Sabotage::PagesListed, test);
    }

    #[test]
    fn early_answer() {
        let test = crate::server::an_answer_before_the_body_leaves_the_connection_in_order;
        fails_without(Sabotage::EarlyAnswer, test);
    }

    #[test]
    fn proxy() {
        fails_without(Sabotage::EveryPeerTrusted, crate::proxies::a_stranger_cannot_name_the_client);
    }
}
