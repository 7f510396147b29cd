//! Negative controls: with a guarantee taken out, the test that guards it must fail. `cargo test --features sabotage`.

/// The product must not be able to lose a guarantee.
#[cfg(not(feature = "sabotage"))]
#[test]
fn the_product_cannot_be_sabotaged() {
    const { assert!(!decalog_identity::sabotage::COMPILED_IN) };
}

#[cfg(feature = "sabotage")]
mod taken_out {
    use std::panic::catch_unwind;

    use decalog_identity::sabotage::{Sabotage, take_out};

    use crate::{guarantees, id_tokens, passkeys, provider_doors, provider_state, tokens, trail, webauthn};

    fn fails_without(sabotage: Sabotage, test: fn()) {
        test();
        take_out(Some(sabotage));
        let outcome = catch_unwind(test);
        take_out(None);
        assert!(outcome.is_err(), "nobody noticed that {sabotage:?} is taken out");
    }

    #[test]
    fn pkce() {
        fails_without(Sabotage::Pkce, guarantees::a_code_needs_its_verifier);
    }

    #[test]
    fn refresh_reuse() {
        fails_without(Sabotage::RefreshReuse, guarantees::a_refresh_token_that_comes_twice_ends_the_grant);
    }

    #[test]
    fn lock_out() {
        fails_without(Sabotage::LockOut, guarantees::who_fails_too_often_waits);
    }

    #[test]
    fn audit_cursor() {
        fails_without(Sabotage::AuditCursor, trail::wherever_it_is_cut_off_it_goes_on_once);
    }

    #[test]
    fn signature() {
        fails_without(Sabotage::Signature, tokens::a_signature_of_somebody_else_is_refused);
    }

    #[test]
    fn expiry() {
        fails_without(Sabotage::Expiry, tokens::a_token_ends);
    }

    #[test]
    fn passkey_signature() {
        fails_without(Sabotage::PasskeySignature, webauthn::a_signature_of_another_key_is_refused);
    }

    #[test]
    fn passkey_origin() {
        fails_without(Sabotage::PasskeyOrigin, webauthn::what_was_made_on_another_origin_is_refused);
    }

    #[test]
    fn passkey_counter() {
        fails_without(Sabotage::PasskeyCounter, passkeys::a_counter_that_goes_backwards_is_a_copy);
    }

    #[test]
    fn passkey_replay() {
        fails_without(Sabotage::PasskeyReplay, passkeys::what_was_signed_once_signs_nobody_in_again);
    }

    #[test]
    fn provider_signature() {
        fails_without(Sabotage::ProviderSignature, id_tokens::a_signature_of_somebody_else_is_refused);
    }

    #[test]
    fn provider_nonce() {
        fails_without(Sabotage::ProviderNonce, id_tokens::the_answer_to_another_sign_in_is_refused);
    }

    #[test]
    fn provider_factor() {
        let test = provider_state::a_second_factor_is_asked_for_after_a_providers_word;
        fails_without(Sabotage::ProviderFactor, test);
    }

    #[test]
    fn provider_browser() {
        fails_without(Sabotage::ProviderBrowser, provider_doors::an_answer_counts_in_the_browser_that_asked);
    }
}
