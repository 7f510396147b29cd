//! Guarantees that can be taken out one at a time, to show that the tests which guard them fail without them.
//!
//! Only the `sabotage` feature compiles the switch in; without it every question below is the constant `false`.

/// Can anything be taken out of this build? A product must answer no.
pub const COMPILED_IN: bool = cfg!(feature = "sabotage");

/// A guarantee that can be taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Whom an author blocks sees their posts.
    Block,
    /// Posts for followers are for everybody.
    FollowersOnly,
    /// A bucket that has lost its last follower still counts as one that has some.
    Audience,
    /// Nobody is told that a post is gone or has changed.
    Retraction,
    /// A yes to a wish that has ended meanwhile stands.
    EndedWish,
    /// What is left of a deleted post is not cleared away.
    Sweep,
    /// Nothing is kept apart, whatever a policy says.
    NotificationPolicy,
    /// Everybody's doings are pushed, whatever was asked for.
    PushPolicy,
    /// One push service may have all places of pushes.
    PushLane,
    /// What was not pushed is forgotten at a restart.
    PushPending,
    /// Any address of a file is taken.
    MediaCode,
    /// Addresses of files do not end.
    MediaEnd,
    /// Attachments wait for their posts for ever.
    Unposted,
    /// Nobody says that profiles have pictures.
    BlobReferences,
    /// Everybody may quote everything.
    QuotePolicy,
    /// A quote shows what it quotes to everybody.
    QuoteSight,
    /// Reblogs of what is gone stay.
    EndedReblogs,
    /// A reblog that a block has crossed counts.
    BlockedReblog,
    /// Who reblogs a post does not hear that it was changed.
    EditTold,
    /// A conversation whose last post is gone stays as it was.
    Fallback,
    /// The attachments of a deleted post go with it.
    Redraft,
    /// Who need not be asked any more lets those wait who have asked.
    Unlock,
    /// The directory does not hear of what is posted.
    Directory,
    /// Who is active on one day after another is counted for each.
    ActiveOnce,
    /// Posts of strangers are recommended whoever they are for.
    Recommendable,
    /// Whatever bytes are taken for models.
    ModelCheck,
    /// What somebody was shown is kept when it shall be forgotten.
    ForgetShown,
    /// What an erased account leaves stays.
    Erasure,
    /// Who is suspended is seen and acts as before.
    Suspension,
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
