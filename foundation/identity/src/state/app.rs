//! Apps: clients that register themselves, as phones' programs do for the protocol that they speak.
//!
//! Whoever asks gets one, so what strangers can make of them is bounded: an app through which nobody has signed in within a
//! day is removed, the oldest of such apps makes room for the next when there are too many, and an app has a few
//! tokens of its own at a time. None of them is anybody's: their sessions are of the account 0, which there is not.

use serde::{Deserialize, Serialize};

use super::grant::Given;
use super::{Directory, End, Moment, Outcome, Session};
use crate::command::{GrantApp, Granted, OpenAccount, Refusal, RegisterApp, RemoveClient, Reply, SignUp};
use crate::event::AppRegistered;
use crate::value::{GrantType, Hash, SECOND, is_email, within};

/// Apps in all.
const MOST_APPS: usize = 100_000;
/// Apps through which nobody has signed in.
const MOST_UNUSED: usize = 5_000;
/// How long such an app stays.
const UNUSED: i64 = 86_400 * SECOND;
/// Tokens of its own that an app has at a time; the oldest makes room.
const MOST_TOKENS: usize = 10;
/// The longest name of an app, in characters.
const LONGEST_NAME: usize = 200;

/// What is known of an app beside what every client has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// Its id, a number.
    pub id: u64,
    /// Where to read about it.
    pub website: Option<String>,
    /// When it was registered.
    pub registered: i64,
    /// Somebody has signed in through it.
    pub used: bool,
}

impl App {
    /// When it ends by itself, unless somebody signs in through it.
    pub(super) fn ends(&self) -> Option<i64> {
        (!self.used).then_some(self.registered + UNUSED)
    }
}

impl Directory {
    /// Every app, by its `client_id`.
    pub fn apps(&self) -> impl Iterator<Item = (&str, &App)> {
        self.apps.rows().iter().map(|(client, app)| (client.as_str(), app))
    }

    /// The app that is this client.
    pub fn app(&self, client: &str) -> Option<&App> {
        self.apps.get(client)
    }

    /// Whether one more can be registered: asked first, so that strangers' refusals are not in the log.
    pub fn has_room_for_an_app(&self) -> bool {
        self.apps.rows().len() < MOST_APPS || self.found.unused.len() >= MOST_UNUSED
    }

    /// The hash of the token that counts as long as this session lives, where it has one.
    pub fn bearer(&self, session: &Session) -> Option<Hash> {
        let client = self.client(session.client.as_deref()?)?;
        session.secret.filter(|_| client.profile.until_revoked && session.refresh.is_none())
    }

    pub(super) fn sessions_of_app(&self, client: &str) -> Vec<u64> {
        let from = (client.to_owned(), 0)..=(client.to_owned(), u64::MAX);
        self.found.app_sessions.range(from).map(|(_, session)| *session).collect()
    }

    pub(super) fn register_app(&mut self, moment: &mut Moment<'_>, it: RegisterApp) -> Outcome {
        let RegisterApp { client, website } = it;
        let is_link = |link: &String| link.len() <= 2_000 && link.bytes().all(|byte| byte.is_ascii_graphic());
        let name = (1..=LONGEST_NAME).contains(&client.name.chars().count());
        if !name || client.secret.is_none() || client.account.is_some() || !website.iter().all(is_link) {
            return Err(Refusal::Invalid);
        }
        super::client::check(&client)?;
        if self.client(&client.id).is_some() {
            return Err(Refusal::NameTaken);
        }
        if !self.has_room_for_an_app() {
            return Err(Refusal::TooMany);
        }
        if self.found.unused.len() >= MOST_UNUSED
            && let Some((_, oldest)) = self.found.unused.first().cloned()
        {
            self.remove_client(moment, RemoveClient { client: oldest })?;
        }
        let id = self.ids.next(moment.at.time, moment.at.bucket).0;
        let app = App { id, website: website.clone(), registered: moment.now(), used: false };
        self.found.add_app(&client.id, &app);
        self.apps.put(client.id.clone(), app);
        let registered = AppRegistered {
            app: id,
            client: client.id.clone(),
            name: client.name.clone(),
            website,
            redirect_uris: client.redirect_uris.clone(),
            scopes: client.scopes.clone(),
        };
        self.clients.put(client.id.clone(), client);
        moment.tell(0, registered);
        Ok(Reply::Made(id))
    }

    /// Somebody has signed in through a client: if it is an app, it stays.
    pub(super) fn use_app(&mut self, client: &str) {
        let used = self.apps.get(client).is_some_and(|app| !app.used);
        if used && let Some(app) = self.apps.get(client).cloned() {
            self.found.remove_app(client, &app);
            self.apps.change(client, |app| app.used = true);
        }
    }

    pub(super) fn forget_app(&mut self, client: &str) {
        if let Some(app) = self.apps.remove(client) {
            self.found.remove_app(client, &app);
        }
    }

    pub(super) fn grant_app(&mut self, moment: &mut Moment<'_>, it: GrantApp) -> Outcome {
        moment.ahead(it.expires)?;
        let client = self.client_may(&it.client, GrantType::ClientCredentials)?;
        if self.app(&it.client).is_none() {
            return Err(Refusal::GrantNotAllowed);
        }
        if !within(&it.scopes, &client.scopes) {
            return Err(Refusal::ScopeExceeded);
        }
        self.check_device(&it.device)?;
        self.check_secret(Some(it.secret))?;
        let own = self.sessions_of_app(&it.client);
        if let Some(oldest) = own.first().filter(|_| own.len() >= MOST_TOKENS) {
            self.close_session(moment, *oldest, false);
        }
        let now = moment.now();
        let session = Session {
            account: 0,
            client: Some(it.client),
            scopes: Some(it.scopes.clone()),
            secret: Some(it.secret),
            refresh: None,
            device: it.device,
            started: now,
            authenticated: now,
            expires: it.expires,
        };
        let session = self.start_session(moment, session);
        let scopes = it.scopes;
        Ok(Reply::Granted(Granted { account: 0, session, scopes, nonce: None, authenticated: now }))
    }

    pub(super) fn sign_up(&mut self, moment: &mut Moment<'_>, it: SignUp) -> Outcome {
        moment.ahead(it.expires)?;
        let app = self.app(&it.client).and(self.client(&it.client)).ok_or(Refusal::UnknownClient)?;
        if !within(&it.scopes, &app.scopes) {
            return Err(Refusal::ScopeExceeded);
        }
        if !is_email(&it.email) {
            return Err(Refusal::Invalid);
        }
        if self.is_email_taken(&it.email) {
            return Err(Refusal::EmailTaken);
        }
        self.check_device(&it.device)?;
        self.check_secret(Some(it.secret))?;
        let open =
            OpenAccount { name: it.name, password: Some(it.password), roles: it.roles, service: false };
        let opened = self.open_account(moment, open)?;
        let Reply::Made(account) = opened else { return Ok(opened) };
        self.found.emails.insert(it.email.clone(), account);
        self.accounts.change(&account, |account| account.email = Some(it.email));
        let scopes = self.held(account, &it.scopes);
        let given = Given { account, authenticated: moment.now(), scopes };
        let secrets = (Some(it.secret), None);
        self.grant(moment, given, it.client, secrets, it.device, it.expires).map(Reply::Granted)
    }

    /// Whether somebody can be named by this address: it is theirs, or their login name.
    pub fn is_email_taken(&self, email: &str) -> bool {
        self.found.emails.contains_key(email) || self.found.names.contains_key(email)
    }
}

impl super::Found {
    pub(super) fn add_app(&mut self, client: &str, app: &App) {
        if let Some(end) = app.ends() {
            self.unused.insert((end, client.to_owned()));
            self.ends.insert((end, End::App(client.to_owned())));
        }
    }

    fn remove_app(&mut self, client: &str, app: &App) {
        if let Some(end) = app.ends() {
            self.unused.remove(&(end, client.to_owned()));
            self.ends.remove(&(end, End::App(client.to_owned())));
        }
    }

    /// Sessions of the account 0 are an app's own.
    pub(super) fn add_session(&mut self, id: u64, session: &Session) {
        match &session.client {
            Some(client) if session.account == 0 => self.app_sessions.insert((client.clone(), id)),
            _ => self.sessions_of.insert((session.account, id)),
        };
        self.ends.insert((session.expires, End::Session(id)));
        if let Some(secret) = session.secret {
            self.secrets.insert(secret, id);
        }
    }

    pub(super) fn remove_session(&mut self, id: u64, session: &Session) {
        match &session.client {
            Some(client) if session.account == 0 => self.app_sessions.remove(&(client.clone(), id)),
            _ => self.sessions_of.remove(&(session.account, id)),
        };
        self.ends.remove(&(session.expires, End::Session(id)));
        if let Some(secret) = session.secret {
            self.secrets.remove(&secret);
        }
    }
}
