//! People, for systems whose moderators look after them: who they are, who holds a right, and letting nobody in any more.

use std::collections::BTreeMap;

use super::service::{Identity, Trouble};
use crate::command::SetDisabled;
use crate::value::{Scopes, holds};

/// What those who look after others are told of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The login name.
    pub name: String,
    /// Where to write to.
    pub email: Option<String>,
    /// Cannot sign in.
    pub disabled: bool,
    /// All that the account may.
    pub rights: Scopes,
}

impl Person {
    /// Whether the account may do what asks for this right.
    pub fn may(&self, right: &str) -> bool {
        holds(&self.rights, right)
    }
}

impl Identity {
    /// Those of these accounts that there are.
    pub async fn people(&self, accounts: Vec<u64>) -> Result<BTreeMap<u64, Person>, Trouble> {
        let read = self.read(move |state| {
            let one = |id: u64| {
                let account = state.account(id)?;
                let person = Person {
                    name: account.name.clone(),
                    email: account.email.clone(),
                    disabled: account.disabled,
                    rights: state.scopes_of(id),
                };
                Some((id, person))
            };
            accounts.into_iter().filter_map(one).collect()
        });
        read.await
    }

    /// The accounts that hold a right and are let in.
    pub fn holders(&self, right: &str) -> Vec<u64> {
        self.principals.look().holders(right)
    }

    /// Lets an account in no more, or again. What acts for it ends.
    pub async fn set_disabled(&self, by: u64, account: u64, disabled: bool) -> Result<(), Trouble> {
        self.ask(by, &account.to_string(), SetDisabled { account, disabled }).await.map(drop)
    }
}
