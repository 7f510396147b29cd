//! Conversations: direct posts, by the thread that they belong to.

use serde::{Deserialize, Serialize};

use super::rows::{Rows, family, key};
use super::{Turn, refused};
use crate::command::{HideConversation, ReadConversation, Refusal, Reply};
use crate::event::Conversed;
use crate::value::{AccountId, PostId, PostRef};

/// A thread of direct posts, as one who takes part sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// Everybody who takes part, oneself included.
    pub participants: Vec<AccountId>,
    /// What was said last.
    pub last: PostRef,
    /// Somebody else said something that was not read.
    pub unread: bool,
    /// Those to whom oneself wrote here: what they answer was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addressed: Vec<AccountId>,
}

fn conversation_key(account: AccountId, conversation: PostId) -> Vec<u8> {
    key(family::CONVERSATION, [account.0, conversation.0])
}

impl Rows {
    pub(super) fn conversation(&self, account: AccountId, id: PostId) -> Option<Conversation> {
        self.get(&conversation_key(account, id))
    }

    /// All of an account's, each with the post it began with.
    pub(super) fn conversations(&self, account: AccountId) -> Vec<(PostId, Conversation)> {
        let rows = self.all(&key(family::CONVERSATION, [account.0]));
        rows.into_iter().map(|(id, row)| (PostId(super::rows::last_number(&id)), row)).collect()
    }
}

impl Turn<'_> {
    /// A conversation goes on.
    pub(super) fn converse(
        &mut self,
        account: AccountId,
        id: PostId,
        last: PostRef,
        participants: &[AccountId],
        unread: bool,
    ) {
        let (before, said_by) = (self.rows.conversation(account, id), last.author);
        // An older post that was changed is not what was said last.
        let last = before.as_ref().map_or(last, |row| row.last.max(last));
        let (mut all, mut addressed) =
            before.map_or_else(Default::default, |row| (row.participants, row.addressed));
        if said_by == account {
            let new = participants.iter().filter(|one| **one != account && !addressed.contains(one));
            addressed.extend(new.copied().collect::<Vec<_>>());
        }
        all.extend_from_slice(participants);
        all.sort_unstable();
        all.dedup();
        self.rows.put(
            &conversation_key(account, id),
            &Conversation { participants: all, last, unread, addressed },
        );
        self.out.emit(Conversed { account, conversation: id }.into());
    }

    pub(super) fn read_conversation(&mut self, it: ReadConversation) -> Reply {
        let Some(mut row) = self.rows.conversation(it.account, it.conversation) else {
            return refused(Refusal::NotFound);
        };
        row.unread = false;
        self.rows.put(&conversation_key(it.account, it.conversation), &row);
        Reply::Done
    }

    pub(super) fn hide_conversation(&mut self, it: HideConversation) -> Reply {
        if self.rows.conversation(it.account, it.conversation).is_none() {
            return refused(Refusal::NotFound);
        }
        self.rows.remove(&conversation_key(it.account, it.conversation));
        Reply::Done
    }
}
