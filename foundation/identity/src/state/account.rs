//! Accounts and roles: who there is, and what they may do.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Directory, Moment, Outcome};
use crate::command::{
    AssignRoles, NoteFailures, OpenAccount, Refusal, Reply, SetDisabled, SetPassword, SetRole,
};
use crate::engine::lockout;
use crate::event::{AccountOpened, DisabledSet, LogonsFailed, PasswordSet, RoleSet, RolesAssigned};
use crate::value::{Bytes, Hash, Roles, Scopes, is_name, is_scope, narrowed};

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The login name.
    pub name: String,
    /// The argon2id hash.
    pub password: Option<String>,
    /// Counts passwords, so that one that was compared and one that is in force can be told apart.
    pub generation: u32,
    /// Its roles.
    pub roles: Roles,
    /// Used with API keys and client credentials only.
    pub service: bool,
    /// Shut out.
    pub disabled: bool,
    /// Logons that failed in a row.
    pub failures: u32,
    /// Until when no logon is tried.
    pub locked_until: i64,
    /// The second factor.
    pub totp: Option<Totp>,
    /// The hashes of the recovery codes that were not used.
    pub recovery: BTreeSet<Hash>,
    /// When it was opened.
    pub opened: i64,
    /// Where to write to, in lower case; nobody else has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// A second factor by time (RFC 6238).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totp {
    /// The secret.
    pub secret: Bytes,
    /// The last time step whose code was used: that one and earlier ones count no more.
    pub last_step: u64,
    /// It counts; before, it was only shown.
    pub active: bool,
}

impl Directory {
    /// Every account, by id.
    pub fn accounts(&self) -> impl Iterator<Item = (u64, &Account)> {
        self.accounts.rows().iter().map(|(id, account)| (*id, account))
    }

    /// An account.
    pub fn account(&self, id: u64) -> Option<&Account> {
        self.accounts.get(&id)
    }

    /// The account with this login name.
    pub fn account_named(&self, name: &str) -> Option<(u64, &Account)> {
        let id = *self.found.names.get(name)?;
        self.account(id).map(|account| (id, account))
    }

    /// The account that somebody names when they log on: by its login name, or by its e-mail address.
    pub fn account_called(&self, name: &str) -> Option<(u64, &Account)> {
        self.account_named(name).or_else(|| {
            let id = *self.found.emails.get(name)?;
            self.account(id).map(|account| (id, account))
        })
    }

    /// Every role.
    pub fn roles(&self) -> impl Iterator<Item = (&str, &Scopes)> {
        self.roles.rows().iter().map(|(role, scopes)| (role.as_str(), scopes))
    }

    /// What an account may do.
    pub fn scopes_of(&self, account: u64) -> Scopes {
        self.account(account).map(|account| self.scopes_in(&account.roles)).unwrap_or_default()
    }

    /// What accounts with these roles may do.
    pub fn scopes_in(&self, roles: &Roles) -> Scopes {
        roles.iter().filter_map(|role| self.roles.get(role)).flatten().cloned().collect()
    }

    /// What of these scopes this account may give.
    pub(super) fn held(&self, account: u64, scopes: &Scopes) -> Scopes {
        narrowed(scopes, &self.scopes_of(account))
    }

    pub(super) fn open(&self, account: u64) -> Result<&Account, Refusal> {
        self.account(account).ok_or(Refusal::UnknownAccount)
    }

    pub(super) fn set_role(&mut self, moment: &mut Moment<'_>, it: SetRole) -> Outcome {
        if !is_name(&it.role) || !it.scopes.iter().all(|scope| is_scope(scope)) {
            return Err(Refusal::Invalid);
        }
        if self.roles.rows().len() >= 1_000 && self.roles.get(&it.role).is_none() {
            return Err(Refusal::TooMany);
        }
        self.roles.put(it.role.clone(), it.scopes.clone());
        moment.tell(0, RoleSet { role: it.role.clone(), scopes: it.scopes });
        let concerned: Vec<u64> = self
            .accounts()
            .filter(|(_, account)| account.roles.contains(&it.role))
            .map(|(id, _)| id)
            .collect();
        for account in concerned {
            moment.tell(account, RolesAssigned { scopes: self.scopes_of(account) });
        }
        Ok(Reply::Done)
    }

    fn known(&self, roles: &BTreeSet<String>) -> Result<(), Refusal> {
        let all = roles.iter().all(|role| self.roles.get(role.as_str()).is_some());
        if all { Ok(()) } else { Err(Refusal::UnknownRole) }
    }

    pub(super) fn open_account(&mut self, moment: &mut Moment<'_>, it: OpenAccount) -> Outcome {
        if !is_name(&it.name) || it.password.as_ref().is_some_and(|hash| !is_password_hash(hash)) {
            return Err(Refusal::Invalid);
        }
        if self.found.names.contains_key(&it.name) || self.found.emails.contains_key(&it.name) {
            return Err(Refusal::NameTaken);
        }
        self.known(&it.roles)?;
        let id = self.ids.next(moment.at.time, moment.at.bucket).0;
        let account = Account {
            name: it.name.clone(),
            password: it.password,
            generation: 0,
            roles: it.roles.into(),
            service: it.service,
            disabled: false,
            failures: 0,
            locked_until: 0,
            totp: None,
            recovery: BTreeSet::new(),
            opened: moment.now(),
            email: None,
        };
        self.accounts.put(id, account);
        self.found.names.insert(it.name.clone(), id);
        moment.tell(id, AccountOpened { name: it.name, scopes: self.scopes_of(id), service: it.service });
        Ok(Reply::Made(id))
    }

    pub(super) fn assign_roles(&mut self, moment: &mut Moment<'_>, it: AssignRoles) -> Outcome {
        self.open(it.account)?;
        self.known(&it.roles)?;
        self.accounts.change(&it.account, |account| account.roles = it.roles.into());
        moment.tell(it.account, RolesAssigned { scopes: self.scopes_of(it.account) });
        Ok(Reply::Done)
    }

    pub(super) fn set_password(&mut self, moment: &mut Moment<'_>, it: SetPassword) -> Outcome {
        if !is_password_hash(&it.password) {
            return Err(Refusal::Invalid);
        }
        let changed = self.accounts.change(&it.account, |account| {
            account.password = Some(it.password);
            account.generation += 1;
            (account.failures, account.locked_until) = (0, 0);
        });
        changed.ok_or(Refusal::UnknownAccount)?;
        moment.tell(it.account, PasswordSet {});
        self.close_sessions(moment, it.account, it.keep);
        Ok(Reply::Done)
    }

    pub(super) fn set_disabled(&mut self, moment: &mut Moment<'_>, it: SetDisabled) -> Outcome {
        let changed = self.accounts.change(&it.account, |account| {
            account.disabled = it.disabled;
            (account.failures, account.locked_until) = (0, 0);
        });
        changed.ok_or(Refusal::UnknownAccount)?;
        moment.tell(it.account, DisabledSet { disabled: it.disabled });
        if it.disabled {
            self.close_sessions(moment, it.account, None);
        }
        Ok(Reply::Done)
    }

    pub(super) fn note_failures(&mut self, moment: &mut Moment<'_>, it: NoteFailures) -> Outcome {
        if it.count == 0 {
            return Err(Refusal::Invalid);
        }
        let now = moment.now();
        let noted = self.accounts.change(&it.account, |account| {
            account.failures = account.failures.saturating_add(it.count);
            let delay = lockout::delay(account.failures);
            if delay > 0 {
                account.locked_until = account.locked_until.max(now + delay);
            }
            (account.failures, account.locked_until)
        });
        let (in_a_row, locked_until) = noted.ok_or(Refusal::UnknownAccount)?;
        moment.tell(it.account, LogonsFailed { count: it.count, in_a_row, locked_until });
        Ok(Reply::Done)
    }
}

/// A PHC string of argon2id; whether its cost is bearable is the edge's to judge.
fn is_password_hash(text: &str) -> bool {
    text.starts_with("$argon2id$") && text.len() <= 512
}
