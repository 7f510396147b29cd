//! Guarantees that can be taken out one at a time, to show that the tests which guard them fail without them.
//!
//! Only the `sabotage` feature compiles the switch in; without it every question below is the constant `false`.

/// Can anything be taken out of this build? A product must answer no.
pub const COMPILED_IN: bool = cfg!(feature = "sabotage");

/// A guarantee that can be taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// A token's signature is not checked.
    Signature,
    /// A token's end is not checked.
    Expiry,
    /// The PKCE verifier is not compared.
    Pkce,
    /// A refresh token that was used before is taken again.
    RefreshReuse,
    /// Failed logons lock nobody out.
    LockOut,
    /// The audit trail does not know how far it has come.
    AuditCursor,
    /// The signature of a passkey's assertion is not checked.
    PasskeySignature,
    /// The origin that a passkey was used on is not compared.
    PasskeyOrigin,
    /// A passkey's signature counter may go backwards.
    PasskeyCounter,
    /// The challenge of a passkey's assertion is taken more than once.
    PasskeyReplay,
    /// The nonce in an outside provider's ID token is not compared.
    ProviderNonce,
    /// The signature of an outside provider's ID token is not checked.
    ProviderSignature,
    /// What an outside provider answers counts in every browser.
    ProviderBrowser,
    /// After an outside provider's word no second factor is asked for.
    ProviderFactor,
}

#[cfg(feature = "sabotage")]
mod switch {
    use super::Sabotage;
    use std::cell::Cell;

    thread_local! {
        static TAKEN_OUT: Cell<Option<Sabotage>> = const { Cell::new(None) };
    }

    /// Takes this guarantee out on the current thread, or puts all back.
    pub fn take_out(sabotage: Option<Sabotage>) {
        TAKEN_OUT.set(sabotage);
    }

    pub(crate) fn lacks(sabotage: Sabotage) -> bool {
        TAKEN_OUT.get() == Some(sabotage)
    }
}

#[cfg(feature = "sabotage")]
pub(crate) use switch::lacks;
#[cfg(feature = "sabotage")]
pub use switch::take_out;

/// Is this guarantee taken out?
#[cfg(not(feature = "sabotage"))]
#[inline]
pub(crate) const fn lacks(_: Sabotage) -> bool {
    false
}
