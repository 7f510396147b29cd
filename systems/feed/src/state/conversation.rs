//! Conversations: direct posts, by the thread that they belong to.

use serde::{Deserialize, Serialize};

use super::rows::{Rows, Window, family, key};
use super::{Turn, refused};
use crate::command::{HideConversation, ReadConversation, Refusal, Reply};
use crate::event::Conversed;
use crate::sabotage::{self, Sabotage};
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
    /// What was said up to this post is shown no more; when that is all, so is the conversation.
    #[serde(default)]
    pub since: PostId,
}

impl Conversation {
    fn is_shown(&self) -> bool {
        self.last.post > self.since
    }
}

fn said_key(account: AccountId, conversation: PostId, post: PostId) -> Vec<u8> {
    key(family::SAID, [account.0, conversation.0, post.0])
}

fn conversation_key(account: AccountId, conversation: PostId) -> Vec<u8> {
    key(family::CONVERSATION, [account.0, conversation.0])
}

impl Rows {
    pub(super) fn conversation(&self, account: AccountId, id: PostId) -> Option<Conversation> {
        self.get(&conversation_key(account, id)).filter(Conversation::is_shown)
    }

    /// All of an account's, each with the post it began with.
    pub(super) fn conversations(&self, account: AccountId) -> Vec<(PostId, Conversation)> {
        let rows = self.all(&key(family::CONVERSATION, [account.0]));
        let rows = rows.into_iter().map(|(id, row)| (PostId(super::rows::last_number(&id)), row));
        rows.filter(|(_, row): &(PostId, Conversation)| row.is_shown()).collect()
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
        self.rows.put(&said_key(account, id, last.post), &last.author.0);
        let before: Option<Conversation> = self.rows.get(&conversation_key(account, id));
        let since = before.as_ref().map_or(PostId(0), |row| row.since);
        let said_by = last.author;
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
        let row = Conversation { participants: all, last, unread, addressed, since };
        self.rows.put(&conversation_key(account, id), &row);
        self.out.emit(Conversed { account, conversation: id }.into());
    }

    /// Something that was said is gone: the conversation falls back to what was said before.
    pub(super) fn unsaid(&mut self, account: AccountId, id: PostId, post: PostId) {
        self.rows.remove(&said_key(account, id, post));
        let row = self.rows.conversation(account, id).filter(|row| row.last.post == post);
        let Some(mut row) = row.filter(|_| !sabotage::lacks(Sabotage::Fallback)) else { return };
        let window = Window { above: Some(row.since.0), ..Window::newest(1) };
        let before = self.rows.page::<u64>(&key(family::SAID, [account.0, id.0]), window).pop();
        match before {
            Some((post, author)) => row.last = PostRef { post: PostId(post), author: AccountId(author) },
            None => row.since = post,
        }
        self.rows.put(&conversation_key(account, id), &row);
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
        let Some(mut row) = self.rows.conversation(it.account, it.conversation) else {
            return refused(Refusal::NotFound);
        };
        // Whoever goes on takes part anew.
        (row.since, row.unread) = (row.last.post, false);
        (row.participants, row.addressed) = (Vec::new(), Vec::new());
        self.rows.put(&conversation_key(it.account, it.conversation), &row);
        Reply::Done
    }
}
