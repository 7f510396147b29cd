//! Guarantees that can be taken out one at a time, to show that the tests which guard them fail without them.
//!
//! Only the `sabotage` feature compiles the switch in; without it every question below is the constant `false`.

/// Can anything be taken out of this build? A product must answer no.
pub const COMPILED_IN: bool = cfg!(feature = "sabotage");

/// A guarantee that can be taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// A valid principal passes whatever its scopes are.
    ScopeUnchecked,
    /// An app that acts for no account passes where an account is needed.
    AppsLetIn,
    /// Any peer may say whose connection it is.
    EveryPeerTrusted,
    /// A body may be as large as it likes.
    BodyUnbounded,
    /// Everybody may ask as often as they like.
    RateUnlimited,
    /// What is open to pages of every origin on some paths is so on all.
    PagesListed,
    /// An answer that did not wait for the request's body says nothing of what becomes of the connection.
    EarlyAnswer,
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
