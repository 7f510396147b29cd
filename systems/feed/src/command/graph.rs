//! Who follows, blocks, mutes and lists whom.

use crate::value::{AccountId, ItemId};

decalog_runtime::payloads! {
    /// Follow somebody, or follow them otherwise.
    Follow {
        /// Who.
        account: AccountId,
        /// Whom.
        target: AccountId,
        /// Whether their reblogs are seen.
        reblogs: bool,
        /// Whether each of their posts is told.
        notify: bool,
        /// The languages that are seen; none means all.
        languages: Vec<String>,
        /// Whether they were seen to be asked first: what is answered until they have decided.
        locked: bool,
    }
    /// Follow somebody no more, or ask no more.
    Unfollow {
        /// Who.
        account: AccountId,
        /// Whom.
        target: AccountId,
    }
    /// Accept or reject who asks to follow.
    AnswerRequest {
        /// Who was asked.
        account: AccountId,
        /// Who asks.
        from: AccountId,
        /// Whether they may.
        accept: bool,
    }
    /// End that somebody follows.
    RemoveFollower {
        /// Who is followed.
        account: AccountId,
        /// Who follows.
        from: AccountId,
    }
    /// Block somebody, or no more.
    SetBlock {
        /// Who.
        account: AccountId,
        /// Whom.
        target: AccountId,
        /// From now on.
        on: bool,
    }
    /// Mute somebody, or no more.
    SetMute {
        /// Who.
        account: AccountId,
        /// Whom.
        target: AccountId,
        /// From now on.
        on: bool,
        /// Their notifications, too.
        notifications: bool,
        /// When it ends by itself.
        until: Option<i64>,
    }
    /// Block a domain, or no more.
    BlockDomain {
        /// Who.
        account: AccountId,
        /// Which, in lower case.
        domain: String,
        /// From now on.
        on: bool,
    }
    /// Suggest somebody no more.
    DismissSuggestion {
        /// To whom.
        account: AccountId,
        /// Whom.
        target: AccountId,
    }
    /// Write down something about somebody.
    SetNote {
        /// Who.
        account: AccountId,
        /// About whom.
        target: AccountId,
        /// What; nothing takes it away.
        note: String,
    }
    /// Show somebody on the profile, or no more.
    SetEndorsed {
        /// Who.
        account: AccountId,
        /// Whom.
        target: AccountId,
        /// From now on.
        on: bool,
    }
    /// Make a list, or change one.
    MakeList {
        /// Whose.
        account: AccountId,
        /// Which; none makes one.
        list: Option<ItemId>,
        /// Its name.
        title: String,
        /// `list`, `followed` or `none`: which answers are shown.
        replies_policy: String,
        /// What is shown there is not shown at home.
        exclusive: bool,
    }
    /// Remove a list.
    RemoveList {
        /// Whose.
        account: AccountId,
        /// Which.
        list: ItemId,
    }
    /// Put accounts into a list, or take them out.
    SetListed {
        /// Whose.
        account: AccountId,
        /// Which.
        list: ItemId,
        /// Who.
        members: Vec<AccountId>,
        /// In, or out.
        on: bool,
    }
}
