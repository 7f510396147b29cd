//! The state machine: [`Directory`]. This file dispatches; what a command does stands in its noun's file.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod account;
mod api_key;
mod app;
mod client;
mod erasure;
mod factor;
mod grant;
mod link;
mod passkey;
mod session;
mod signing;
mod snapshot;
mod table;

use std::collections::BTreeSet;
use std::io;

use decalog_runtime::bucket::IdMaker;
use decalog_runtime::{Digest, Outbox, Stamp, StateMachine, Timestamp};

pub use account::{Account, Totp};
pub use api_key::ApiKey;
pub use app::App;
pub use grant::{Code, DeviceCode};
pub use link::Link;
pub use passkey::Passkey;
pub use session::Session;
pub use signing::SigningKey;

use crate::command::{Command, Refusal, RemoveClient, Reply};
use crate::event::{Event, What};
use crate::value::{Client, Hash, Scopes};
use table::Table;

/// Everything known about who is who.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    ids: IdMaker,
    roles: Table<String, Scopes>,
    accounts: Table<u64, Account>,
    sessions: Table<u64, Session>,
    api_keys: Table<u64, ApiKey>,
    clients: Table<String, Client>,
    codes: Table<Hash, Code>,
    device_codes: Table<Hash, DeviceCode>,
    signing_keys: Table<String, SigningKey>,
    passkeys: Table<u64, Passkey>,
    links: Table<u64, Link>,
    apps: Table<String, App>,
    found: Found,
}

/// What is found by something else than its key: made from the tables, never written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Found {
    /// Login name → account.
    names: std::collections::BTreeMap<String, u64>,
    /// E-mail address → account.
    emails: std::collections::BTreeMap<String, u64>,
    /// Hash of a cookie or of a refresh token's family → session.
    secrets: std::collections::BTreeMap<Hash, u64>,
    /// Hash of an API key → its id.
    keys: std::collections::BTreeMap<Hash, u64>,
    /// User code → device code.
    user_codes: std::collections::BTreeMap<String, Hash>,
    /// (account, session), (account, API key).
    sessions_of: BTreeSet<(u64, u64)>,
    keys_of: BTreeSet<(u64, u64)>,
    /// Credential id → passkey; (account, passkey).
    credentials: std::collections::BTreeMap<Vec<u8>, u64>,
    passkeys_of: BTreeSet<(u64, u64)>,
    /// (issuer, subject) → link; (account, link).
    subjects: std::collections::BTreeMap<(String, String), u64>,
    links_of: BTreeSet<(u64, u64)>,
    /// (end, app through which nobody has signed in); (app, session of its own).
    unused: BTreeSet<(i64, String)>,
    app_sessions: BTreeSet<(String, u64)>,
    /// What ends by itself, and when.
    ends: BTreeSet<(i64, End)>,
}

/// Something that ends by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Session(u64),
    ApiKey(u64),
    Code(Hash),
    DeviceCode(Hash),
    SigningKey(String),
    App(String),
}

/// The record that is applied and what it tells.
struct Moment<'a> {
    at: &'a Stamp,
    out: &'a mut Outbox<Event>,
}

impl Moment<'_> {
    fn now(&self) -> i64 {
        self.at.time.0
    }

    fn tell(&mut self, account: u64, what: impl Into<What>) {
        self.out.emit(Event { by: self.at.principal, account, what: what.into() });
    }

    /// Refuses a moment that has passed.
    fn ahead(&self, expires: i64) -> Result<(), Refusal> {
        if expires > self.now() { Ok(()) } else { Err(Refusal::TooLate) }
    }
}

type Outcome = Result<Reply, Refusal>;

impl Directory {
    fn decide(&mut self, moment: &mut Moment<'_>, command: Command) -> Outcome {
        match command {
            Command::SetRole(it) => self.set_role(moment, it),
            Command::OpenAccount(it) => self.open_account(moment, it),
            Command::AssignRoles(it) => self.assign_roles(moment, it),
            Command::SetPassword(it) => self.set_password(moment, it),
            Command::SetDisabled(it) => self.set_disabled(moment, it),
            Command::NoteFailures(it) => self.note_failures(moment, it),
            Command::LogOn(it) => self.log_on(moment, it),
            Command::EndSession(it) => self.end_session(moment, it),
            Command::EndOtherSessions(it) => self.end_other_sessions(moment, it),
            Command::EnrolTotp(it) => self.enrol_totp(moment, it),
            Command::ConfirmTotp(it) => self.confirm_totp(moment, it),
            Command::RemoveTotp(it) => self.remove_totp(moment, it),
            Command::SetRecoveryCodes(it) => self.set_recovery_codes(moment, it),
            Command::CreateApiKey(it) => self.create_api_key(moment, it),
            Command::RevokeApiKey(it) => self.revoke_api_key(moment, it),
            Command::SetClient(it) => self.set_client(moment, it),
            Command::RemoveClient(it) => self.remove_client(moment, it),
            Command::IssueCode(it) => self.issue_code(moment, it),
            Command::RedeemCode(it) => self.redeem_code(moment, it),
            Command::Refresh(it) => self.refresh(moment, it),
            Command::IssueDeviceCode(it) => self.issue_device_code(moment, it),
            Command::DecideDevice(it) => self.decide_device(moment, it),
            Command::RedeemDeviceCode(it) => self.redeem_device_code(moment, it),
            Command::GrantClient(it) => self.grant_client(moment, it),
            Command::AddSigningKey(it) => self.add_signing_key(moment, it),
            Command::RevokeSigningKey(it) => self.revoke_signing_key(moment, &it.kid, false),
            Command::AddPasskey(it) => self.add_passkey(moment, it),
            Command::RenamePasskey(it) => self.rename_passkey(moment, it),
            Command::RemovePasskey(it) => self.remove_passkey(moment, it),
            Command::UsePasskey(it) => self.use_passkey(moment, it),
            Command::LogOnWithPasskey(it) => self.log_on_with_passkey(moment, it),
            Command::LinkProvider(it) => self.link_provider(moment, it),
            Command::UnlinkProvider(it) => self.unlink_provider(moment, it),
            Command::LogOnWithProvider(it) => self.log_on_with_provider(moment, it),
            Command::OpenWithProvider(it) => self.open_with_provider(moment, it),
            Command::EraseAccount(it) => self.erase_account(moment, &it),
            Command::RegisterApp(it) => self.register_app(moment, it),
            Command::GrantApp(it) => self.grant_app(moment, it),
            Command::SignUp(it) => self.sign_up(moment, it),
        }
    }
}

impl StateMachine for Directory {
    type Command = Command;
    type Reply = Reply;
    type Event = Event;

    fn apply(&mut self, at: &Stamp, command: Command, out: &mut Outbox<Event>) -> Reply {
        self.decide(&mut Moment { at, out }, command).unwrap_or_else(Reply::Refused)
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.found.ends.first().map(|(end, _)| Timestamp(*end))
    }

    fn expire(&mut self, at: &Stamp, out: &mut Outbox<Event>) {
        let Some((_, end)) = self.found.ends.first().cloned() else { return };
        let moment = &mut Moment { at, out };
        match end {
            End::Session(session) => self.close_session(moment, session, true),
            End::ApiKey(key) => self.close_api_key(moment, key, true),
            End::Code(code) => self.forget_code(&code),
            End::DeviceCode(code) => self.forget_device_code(&code),
            End::SigningKey(kid) => drop(self.revoke_signing_key(moment, &kid, true)),
            End::App(client) => drop(self.remove_client(moment, RemoveClient { client })),
        }
    }

    fn snapshot(&self, out: &mut dyn io::Write) -> io::Result<()> {
        self.write(out)
    }

    fn restore(&mut self, from: &mut dyn io::Read) -> io::Result<()> {
        *self = Directory::read(from)?;
        Ok(())
    }

    fn digest(&self) -> Digest {
        self.fingerprint()
    }
}
