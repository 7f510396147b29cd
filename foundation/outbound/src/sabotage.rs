//! Guarantees that can be taken out one at a time, to show that the tests which guard them fail without them.
//!
//! Only the `sabotage` feature compiles the switch in; without it every question below is the constant `false`.

/// Can anything be taken out of this build? A product must answer no.
pub const COMPILED_IN: bool = cfg!(feature = "sabotage");

/// A guarantee that can be taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Calls go to private addresses too.
    AddressUnchecked,
    /// An answer may be as large as it likes.
    BodyUnbounded,
    /// However often a peer fails, its circuit stays closed.
    BreakerStuck,
    /// Every failure is tried again, whatever the budget says.
    RetryUnbounded,
    /// What is left to the caller is not looked at.
    DeadlineForgotten,
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
