//! Erasures: an account is forgotten with everything that is of it, and its name is free.

use decalog_runtime::bucket::bucket_of;
use decalog_runtime::erasure::Erase;

use super::{Directory, Moment, Outcome};
use crate::command::{Command, EraseAccount, Refusal, RemoveClient, Reply};
use crate::event::AccountErased;
use crate::value::{Hash, holds};

impl Erase for Directory {
    const NAME: &'static str = "identity";

    fn holds(&self, id: u64) -> bool {
        self.account(id).is_some()
    }

    fn erasure(id: u64) -> (u16, Command) {
        (bucket_of(id.to_string().as_bytes()), EraseAccount { account: id, unless_last_with: None }.into())
    }
}

impl Directory {
    /// Whether this is a person who is let in and holds a right.
    fn is_person_with(&self, account: u64, right: &str) -> bool {
        let is_person = self.account(account).is_some_and(|account| !account.service && !account.disabled);
        is_person && holds(&self.scopes_of(account), right)
    }

    pub(super) fn erase_account(&mut self, moment: &mut Moment<'_>, it: &EraseAccount) -> Outcome {
        self.open(it.account)?;
        if let Some(right) = &it.unless_last_with
            && self.is_person_with(it.account, right)
        {
            let others = self.accounts().map(|(id, _)| id).filter(|id| *id != it.account);
            if !others.into_iter().any(|id| self.is_person_with(id, right)) {
                return Err(Refusal::LastAdministrator);
            }
        }
        self.close_sessions(moment, it.account, None);
        let keys: Vec<u64> = self.api_keys_of(it.account).map(|(id, _)| id).collect();
        for key in keys {
            self.close_api_key(moment, key, false);
        }
        self.forget_clients_of(moment, it.account)?;
        self.forget_codes_of(it.account);
        self.forget_credentials_of(it.account);
        if let Some(account) = self.accounts.remove(&it.account) {
            self.found.names.remove(&account.name);
            if let Some(email) = account.email {
                self.found.emails.remove(&email);
            }
        }
        moment.tell(it.account, AccountErased {});
        Ok(Reply::Done)
    }

    /// Removes the clients that act as this account.
    fn forget_clients_of(&mut self, moment: &mut Moment<'_>, account: u64) -> Result<(), Refusal> {
        let clients = self.clients().filter(|client| client.account == Some(account));
        let clients: Vec<String> = clients.map(|client| client.id.clone()).collect();
        for client in clients {
            self.remove_client(moment, RemoveClient { client })?;
        }
        Ok(())
    }

    /// Forgets what it consented to and nobody has fetched.
    fn forget_codes_of(&mut self, account: u64) {
        let codes = self.codes.rows().iter().filter(|(_, code)| code.account == account);
        let codes: Vec<Hash> = codes.map(|(hash, _)| *hash).collect();
        codes.iter().for_each(|code| self.forget_code(code));
        let theirs = |decided: &Option<Result<(u64, i64), ()>>| matches!(decided, Some(Ok((decider, _))) if *decider == account);
        let devices = self.device_codes.rows().iter().filter(|(_, code)| theirs(&code.decided));
        let devices: Vec<Hash> = devices.map(|(hash, _)| *hash).collect();
        devices.iter().for_each(|code| self.forget_device_code(code));
    }

    fn forget_credentials_of(&mut self, account: u64) {
        let passkeys: Vec<u64> = self.passkeys_of(account).map(|(id, _)| id).collect();
        for id in passkeys {
            if let Some(passkey) = self.passkeys.remove(&id) {
                self.found.credentials.remove(&passkey.credential.0);
                self.found.passkeys_of.remove(&(account, id));
            }
        }
        let links: Vec<u64> = self.links_of(account).map(|(id, _)| id).collect();
        for id in links {
            if let Some(link) = self.links.remove(&id) {
                self.found.links_of.remove(&(account, id));
                self.found.subjects.remove(&(link.issuer, link.subject));
            }
        }
    }
}
