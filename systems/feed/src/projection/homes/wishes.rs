//! What somebody wants to see at home.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::state::Following;
use crate::value::{AccountId, Entry};

/// What an account wants to see at home.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// Whose it is.
    pub account: AccountId,
    /// Whom it follows, and how.
    pub following: HashMap<AccountId, Following>,
    /// The tags that it follows.
    pub tags: BTreeSet<String>,
    /// Whom it sees in a list only.
    pub listed: HashSet<AccountId>,
}

impl Wishes {
    /// Whether a post belongs into the timeline.
    pub fn want(&self, entry: &Entry) -> bool {
        let how = self.following.get(&entry.author).filter(|_| !self.listed.contains(&entry.author));
        wanted(entry, how.map(|how| (how.reblogs, how.languages.as_slice())), self)
    }
}

impl Reader for Wishes {
    fn account(&self) -> AccountId {
        self.account
    }

    fn follows(&self, other: AccountId) -> bool {
        self.following.contains_key(&other)
    }

    fn follows_tag(&self, tag: &str) -> bool {
        self.tags.contains(tag)
    }
}

/// What the rule asks of whose timeline it is.
pub(super) trait Reader {
    /// Who that is.
    fn account(&self) -> AccountId;
    /// Whether they follow somebody.
    fn follows(&self, other: AccountId) -> bool;
    /// Whether they follow a tag.
    fn follows_tag(&self, tag: &str) -> bool;
}

/// The rule: whether a post belongs into the timeline of somebody who sees its author there so (reblogs, and only these
/// languages if there are any), or not at all.
pub(super) fn wanted(entry: &Entry, how: Option<(bool, &[String])>, reader: &impl Reader) -> bool {
    if entry.author == reader.account() {
        return true;
    }
    let Some((reblogs, languages)) = how else {
        return entry.reblog_of.is_none()
            && entry.reply_to.is_none()
            && entry.tags.iter().any(|tag| reader.follows_tag(tag));
    };
    let spoken = |language: &String| languages.is_empty() || languages.contains(language);
    let known =
        |other: AccountId| other == entry.author || other == reader.account() || reader.follows(other);
    (reblogs || entry.reblog_of.is_none())
        && entry.language.as_ref().is_none_or(spoken)
        && entry.reply_to.is_none_or(known)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{entry, wishes};
    use super::*;
    use crate::value::{PostId, PostRef};

    #[test]
    fn wishes_decide() {
        let wishes = wishes();
        let reblog = Some(PostRef { post: PostId(1), author: AccountId(9) });
        let german = || Some("de".to_owned());
        for (entry, wanted) in [
            (entry(1, 2), true),
            (entry(1, 4), false),
            (entry(1, 1), true),
            (Entry { reblog_of: reblog, ..entry(1, 2) }, false),
            (Entry { reblog_of: reblog, ..entry(1, 3) }, true),
            (Entry { reply_to: Some(AccountId(9)), ..entry(1, 2) }, false),
            (Entry { reply_to: Some(AccountId(3)), ..entry(1, 2) }, true),
            (Entry { reply_to: Some(AccountId(2)), ..entry(1, 2) }, true),
            (Entry { language: german(), ..entry(1, 2) }, false),
            (Entry { tags: vec!["rust".to_owned()], language: german(), ..entry(1, 4) }, true),
        ] {
            assert_eq!(wishes.want(&entry), wanted, "{entry:?}");
        }
    }
}
