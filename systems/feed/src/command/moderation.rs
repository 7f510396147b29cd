//! What is told to moderators, and what they do.

use crate::value::{AccountId, ItemId, PostId, ReportCategory, Standing};

decalog_runtime::payloads! {
    /// Take measures about an account, or take them back. Goes to the account's partition, which tells all others.
    Moderate {
        /// About whom.
        account: AccountId,
        /// What holds from now on.
        standing: Standing,
        /// The moderator.
        #[serde(default)]
        by: AccountId,
        /// What was reported about the account is seen to by that.
        #[serde(default)]
        resolve: bool,
    }
    /// Report an account to the moderators. Goes to that account's partition.
    FileReport {
        /// Who.
        account: AccountId,
        /// Whom.
        target: AccountId,
        /// Posts of theirs.
        posts: Vec<PostId>,
        /// At most 1000 characters.
        comment: String,
        /// What it is about.
        category: ReportCategory,
        /// The rules that are said to be broken, by number.
        rules: Vec<u32>,
        /// Who is told of it.
        moderators: Vec<AccountId>,
    }
    /// See to a report; what is `None` stays.
    #[derive(Default)]
    ChangeReport {
        /// Which.
        report: ItemId,
        /// The moderator.
        by: AccountId,
        /// Who sees to it; the account 0 is nobody.
        assign: Option<AccountId>,
        /// It is seen to, or is not after all.
        resolve: Option<bool>,
        /// What it is about.
        category: Option<ReportCategory>,
        /// The rules that are broken.
        rules: Option<Vec<u32>>,
    }
}
