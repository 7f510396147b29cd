//! The state as bytes, what is found in it by other keys, and its fingerprint.

use std::collections::BTreeMap;
use std::io;

use decalog_runtime::bucket::IdMaker;
use decalog_runtime::{Digest, pack, unpack};
use serde::{Deserialize, Serialize};

use super::table::Table;
use super::{
    Account, ApiKey, App, Code, DeviceCode, Directory, End, Found, Link, Passkey, Session, SigningKey,
};
use crate::value::{Client, Hash, Scopes};

/// What is written; borrowed for writing.
#[derive(Serialize)]
struct Written<'a> {
    ids: IdMaker,
    roles: &'a BTreeMap<String, Scopes>,
    accounts: &'a BTreeMap<u64, Account>,
    sessions: &'a BTreeMap<u64, Session>,
    api_keys: &'a BTreeMap<u64, ApiKey>,
    clients: &'a BTreeMap<String, Client>,
    codes: &'a BTreeMap<Hash, Code>,
    device_codes: &'a BTreeMap<Hash, DeviceCode>,
    signing_keys: &'a BTreeMap<String, SigningKey>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    passkeys: &'a BTreeMap<u64, Passkey>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    links: &'a BTreeMap<u64, Link>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    apps: &'a BTreeMap<String, App>,
}

/// The same, owned, for reading.
#[derive(Deserialize)]
struct Read {
    ids: IdMaker,
    roles: BTreeMap<String, Scopes>,
    accounts: BTreeMap<u64, Account>,
    sessions: BTreeMap<u64, Session>,
    api_keys: BTreeMap<u64, ApiKey>,
    clients: BTreeMap<String, Client>,
    codes: BTreeMap<Hash, Code>,
    device_codes: BTreeMap<Hash, DeviceCode>,
    signing_keys: BTreeMap<String, SigningKey>,
    /// Missing in snapshots from before there were any.
    #[serde(default)]
    passkeys: BTreeMap<u64, Passkey>,
    /// Missing in snapshots from before there were any.
    #[serde(default)]
    links: BTreeMap<u64, Link>,
    /// Missing in snapshots from before there were any.
    #[serde(default)]
    apps: BTreeMap<String, App>,
}

impl Directory {
    pub(super) fn write(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let mut bytes = Vec::new();
        let written = Written {
            ids: self.ids,
            roles: self.roles.rows(),
            accounts: self.accounts.rows(),
            sessions: self.sessions.rows(),
            api_keys: self.api_keys.rows(),
            clients: self.clients.rows(),
            codes: self.codes.rows(),
            device_codes: self.device_codes.rows(),
            signing_keys: self.signing_keys.rows(),
            passkeys: self.passkeys.rows(),
            links: self.links.rows(),
            apps: self.apps.rows(),
        };
        pack(&written, &mut bytes);
        out.write_all(&bytes)
    }

    pub(super) fn read(from: &mut dyn io::Read) -> io::Result<Directory> {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes)?;
        let read: Read = unpack(0, 1, &bytes).map_err(io::Error::other)?;
        let mut directory = Directory {
            ids: read.ids,
            roles: Table::of(read.roles),
            accounts: Table::of(read.accounts),
            sessions: Table::of(read.sessions),
            api_keys: Table::of(read.api_keys),
            clients: Table::of(read.clients),
            codes: Table::of(read.codes),
            device_codes: Table::of(read.device_codes),
            signing_keys: Table::of(read.signing_keys),
            passkeys: Table::of(read.passkeys),
            links: Table::of(read.links),
            apps: Table::of(read.apps),
            found: Found::default(),
        };
        directory.found = directory.find();
        Ok(directory)
    }

    pub(super) fn fingerprint(&self) -> Digest {
        let mut bytes = Vec::new();
        pack(&self.ids, &mut bytes);
        let tables = [
            self.roles.digest(),
            self.accounts.digest(),
            self.sessions.digest(),
            self.api_keys.digest(),
            self.clients.digest(),
            self.codes.digest(),
            self.device_codes.digest(),
            self.signing_keys.digest(),
        ];
        // A state without passkeys, links or apps has the digest that it had before there were any.
        let passkeys = (!self.passkeys.rows().is_empty()).then(|| self.passkeys.digest());
        let links = (!self.links.rows().is_empty()).then(|| self.links.digest());
        let apps = (!self.apps.rows().is_empty()).then(|| self.apps.digest());
        let then = |digest: Digest, table: Digest| digest.then(&table.0.to_le_bytes());
        tables.into_iter().chain(passkeys).chain(links).chain(apps).fold(Digest::of(&bytes), then)
    }

    /// Makes the indexes from the tables.
    pub(super) fn find(&self) -> Found {
        let mut found = Found::default();
        for (id, account) in self.accounts.rows() {
            found.names.insert(account.name.clone(), *id);
            found.emails.extend(account.email.iter().map(|email| (email.clone(), *id)));
        }
        for (id, session) in self.sessions.rows() {
            found.add_session(*id, session);
        }
        for (id, key) in self.api_keys.rows() {
            found.keys_of.insert((key.account, *id));
            found.keys.insert(key.hash, *id);
            if let Some(expires) = key.expires {
                found.ends.insert((expires, End::ApiKey(*id)));
            }
        }
        for (hash, code) in self.codes.rows() {
            found.ends.insert((code.expires, End::Code(*hash)));
        }
        for (hash, code) in self.device_codes.rows() {
            found.user_codes.insert(code.user_code.clone(), *hash);
            found.ends.insert((code.expires, End::DeviceCode(*hash)));
        }
        for (id, passkey) in self.passkeys.rows() {
            found.credentials.insert(passkey.credential.0.clone(), *id);
            found.passkeys_of.insert((passkey.account, *id));
        }
        for (id, link) in self.links.rows() {
            found.subjects.insert((link.issuer.clone(), link.subject.clone()), *id);
            found.links_of.insert((link.account, *id));
        }
        for (client, app) in self.apps.rows() {
            found.add_app(client, app);
        }
        for (kid, key) in self.signing_keys.rows() {
            found.ends.insert((key.trusted_until, End::SigningKey(kid.clone())));
        }
        found
    }

    /// What must hold after every record; the text says what does not.
    pub fn check(&self) -> Result<(), String> {
        if self.found != self.find() {
            return Err("an index is not what the tables say".to_owned());
        }
        for (id, session) in self.sessions.rows() {
            let account = self.accounts.get(&session.account);
            let is_apps_own = || {
                session.account == 0 && session.client.as_ref().is_some_and(|it| self.apps.get(it).is_some())
            };
            if account.is_none_or(|account| account.disabled) && !is_apps_own() {
                return Err(format!("session {id} of an account that is not there or shut out"));
            }
            if session.client.as_ref().is_some_and(|client| self.clients.get(client).is_none()) {
                return Err(format!("session {id} of a client that is not there"));
            }
        }
        if self.found.credentials.len() != self.passkeys.rows().len() {
            return Err("two passkeys with one credential id".to_owned());
        }
        for (id, passkey) in self.passkeys.rows() {
            if self.accounts.get(&passkey.account).is_none_or(|account| account.service) {
                return Err(format!("passkey {id} of an account that is not there or nobody's"));
            }
        }
        if self.found.subjects.len() != self.links.rows().len() {
            return Err("two links of one person at a provider".to_owned());
        }
        for (id, key) in self.api_keys.rows() {
            if self.accounts.get(&key.account).is_none() {
                return Err(format!("API key {id} of an account that is not there"));
            }
        }
        for (id, app) in self.apps.rows() {
            if self.clients.get(id).is_none_or(|client| client.account.is_some()) {
                return Err(format!("app {} is no client, or acts as an account", app.id));
            }
        }
        if self.found.emails.len() != self.accounts().filter(|(_, account)| account.email.is_some()).count() {
            return Err("two accounts with one e-mail address".to_owned());
        }
        for (id, client) in self.clients.rows() {
            if client.account.is_some_and(|account| self.accounts.get(&account).is_none()) {
                return Err(format!("client {id} acts as an account that is not there"));
            }
        }
        let decided = self.device_codes.rows().values().filter_map(|code| code.decided?.ok());
        let consented = self.codes.rows().values().map(|code| code.account);
        if consented.chain(decided.map(|(account, _)| account)).any(|id| self.accounts.get(&id).is_none()) {
            return Err("an account that is not there has consented".to_owned());
        }
        for (id, link) in self.links.rows() {
            if self.accounts.get(&link.account).is_none_or(|account| account.service) {
                return Err(format!("link {id} to an account that is not there or nobody's"));
            }
        }
        for (hash, code) in self.codes.rows() {
            if self.clients.get(&code.client).is_none() {
                return Err(format!("code {hash:?} of a client that is not there"));
            }
        }
        Ok(())
    }
}
