//! What an account was shown in ranked order and what became of it, how it wants things ordered, and what orders them.

use crate::value::{AccountId, Bytes, Impression, PostId};

decalog_runtime::payloads! {
    /// Posts were shown in ranked order.
    LogImpressions {
        /// To whom.
        account: AccountId,
        /// Which, at most [`crate::value::IMPRESSIONS`].
        shown: Vec<Impression>,
    }
    /// Somebody stayed with posts that were shown.
    LogDwell {
        /// Who.
        account: AccountId,
        /// With which for how many milliseconds, at most [`crate::value::IMPRESSIONS`].
        dwelt: Vec<(PostId, u32)>,
    }
    /// Order by these models from now on.
    SetModel {
        /// Their number, which only rises.
        number: u64,
        /// What [`crate::engine::rank::Bundle::to_bytes`] wrote.
        bundle: Bytes,
    }
    /// How an account wants things ordered; what is `None` stays.
    SetRanking {
        /// Whose.
        account: AccountId,
        /// The home timeline is ranked unless asked for otherwise.
        home: Option<bool>,
        /// So are notifications.
        notifications: Option<bool>,
        /// What was shown is shown again.
        show_seen: Option<bool>,
        /// Forget what was shown, and which experiments it took part in.
        forget: bool,
    }
    /// Somebody takes part in an experiment: counted the first time.
    LogExposure {
        /// Who.
        account: AccountId,
        /// The experiment's name.
        experiment: String,
        /// The name of the arm.
        arm: String,
    }
}
