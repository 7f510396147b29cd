//! Apps, for the system whose clients are such: what its doors need to register them and to let people sign up.
//!
//! Each user's program registers itself, gets a secret, and asks for tokens by code (shown on a page, or sent to an address
//! of its own kind), by password, or for itself. Its tokens count until they are revoked. What strangers can fill the
//! directory with is bounded in the state ([`crate::state::App`]): an app through which nobody signs in within a day is
//! removed, and whatever tokens of its own it has.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::oauth::is_redirect;
use super::random;
use super::service::{ADMIN, Identity, Trouble, seconds};
use crate::command::{Granted, Refusal, RegisterApp, Reply, SignUp};
pub use crate::projection::principals::App;
use crate::value::{Client, Device, GrantType, Profile, SECOND, Scopes, is_email, is_name, is_scope, within};

/// How long a token lives that lives until it is revoked: a hundred years.
pub(crate) const FOR_EVER: i64 = 100 * 365 * 86_400 * SECOND;
/// The redirect of programs that have no address: the code is shown.
pub const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";
/// The shortest password of somebody who signs up, in characters (NIST SP 800-63B, 5.1.1.2).
pub const SHORTEST_PASSWORD: usize = 8;
/// The longest password, in characters.
const LONGEST_PASSWORD: usize = 1_000;
/// The longest login name of somebody who signs up.
const LONGEST_NAME: usize = 30;
/// Login names that would be taken for the server's own.
const RESERVED: [&str; 12] = [
    "abuse",
    "admin",
    "administrator",
    "decalog",
    "help",
    "mod",
    "moderator",
    "postmaster",
    "root",
    "support",
    "system",
    "webmaster",
];
/// Schemes that browsers take for something to run, to show or to write to.
const NO_SCHEMES: [&str; 11] =
    ["about", "blob", "data", "file", "ftp", "http", "https", "javascript", "mailto", "tel", "vbscript"];

/// An app that registers itself.
#[derive(Clone, Debug, Default)]
pub struct NewApp {
    /// What people are shown: 1 to 200 characters.
    pub name: String,
    /// Where codes may be sent, 1 to 20: https, http to the same machine, a scheme of the app's own (`myapp://back`), or
    /// [`OUT_OF_BAND`].
    pub redirect_uris: BTreeSet<String>,
    /// The most it may be granted, of [`super::service::Apps::scopes`]; none asked is the default.
    pub scopes: Scopes,
    /// Where to read about it: an http or https address.
    pub website: Option<String>,
}

/// An app that was registered.
#[derive(Clone, Debug)]
pub struct Registered {
    /// `client_id`.
    pub client_id: String,
    /// `client_secret`, which is shown this once.
    pub client_secret: String,
    /// What it is.
    pub app: Arc<App>,
}

/// Why an app is not registered.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppRefused {
    /// Its name is none.
    #[error("the name of an app has 1 to 200 characters")]
    Name,
    /// A redirect is none, or one that is not allowed.
    #[error(
        "a redirect is https, http to this machine, a scheme of the app's own, or {OUT_OF_BAND}; 1 to 20 of them"
    )]
    Redirect,
    /// A scope is none that apps may have.
    #[error("a scope that apps cannot have: {0}")]
    Scope(String),
    /// Its website is none.
    #[error("the website is no http or https address")]
    Website,
    /// There are as many as there may be.
    #[error("there are as many apps as there may be")]
    Full,
    /// The directory does not take it now.
    #[error(transparent)]
    Trouble(#[from] Trouble),
}

/// Somebody who signs up.
#[derive(Clone, Debug)]
pub struct NewPerson {
    /// The app's `client_id`.
    pub client_id: String,
    /// The login name: 1 to 30 letters, digits and `_`; its case does not matter.
    pub name: String,
    /// The e-mail address; its case does not matter.
    pub email: String,
    /// The password, of at least [`SHORTEST_PASSWORD`] characters.
    pub password: String,
    /// What the app may do for them, of its own scopes; none asked is all of those.
    pub scopes: Scopes,
    /// Where from ([`super::oauth::device_of`]).
    pub device: Device,
}

/// A token that was given.
#[derive(Clone, Debug)]
pub struct Issued {
    /// On whose behalf.
    pub account: u64,
    /// The token.
    pub access_token: String,
    /// What it may do.
    pub scopes: Scopes,
    /// Seconds since 1970.
    pub created_at: i64,
}

/// Why nobody signs up.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SignUpRefused {
    /// `[identity] open_accounts` is not set.
    #[error("nobody can sign up here by themselves")]
    Closed,
    /// The client is no app.
    #[error("no app has this client_id")]
    UnknownApp,
    /// More than the app may have.
    #[error("more was asked for than the app may have")]
    Scopes,
    /// The name is none, or would be taken for the server's own.
    #[error("a name has 1 to {LONGEST_NAME} letters, digits and _, and is none that is reserved")]
    Name,
    /// Somebody has the name.
    #[error("somebody has this name")]
    NameTaken,
    /// The address is none.
    #[error("this is no e-mail address")]
    Email,
    /// Somebody has the address.
    #[error("somebody has this e-mail address")]
    EmailTaken,
    /// The password is too short.
    #[error("a password has at least {SHORTEST_PASSWORD} characters")]
    PasswordTooShort,
    /// The password is too long.
    #[error("a password has at most {LONGEST_PASSWORD} characters")]
    PasswordTooLong,
    /// Too many passwords are hashed just now.
    #[error("too much to do just now: try again")]
    Busy,
    /// The directory does not take it now.
    #[error(transparent)]
    Trouble(#[from] Trouble),
}

impl Identity {
    /// The app that is this client, from memory; none when there is none (any more), or the client is no app.
    pub fn app(&self, client_id: &str) -> Option<Arc<App>> {
        self.principals.look().app(client_id).cloned()
    }

    /// Registers an app for whoever asks.
    pub async fn register_app(&self, asked: NewApp) -> Result<Registered, AppRefused> {
        let NewApp { name, redirect_uris, scopes, website } = asked;
        let name = name.trim().to_owned();
        if !(1..=200).contains(&name.chars().count()) {
            return Err(AppRefused::Name);
        }
        if !(1..=20).contains(&redirect_uris.len()) || !redirect_uris.iter().all(|uri| is_apps_redirect(uri))
        {
            return Err(AppRefused::Redirect);
        }
        let website = website.map(|link| link.trim().to_owned()).filter(|link| !link.is_empty());
        if !website.iter().all(|link| is_website(link)) {
            return Err(AppRefused::Website);
        }
        let apps = &self.settings.apps;
        let scopes = if scopes.is_empty() { apps.default.clone() } else { scopes };
        if let Some(other) = scopes.iter().find(|scope| !apps.scopes.contains(*scope) || is_ours(scope)) {
            return Err(AppRefused::Scope(other.chars().take(64).collect()));
        }
        if !self.read(|state| state.has_room_for_an_app()).await? {
            return Err(AppRefused::Full);
        }
        let (client_secret, secret) = random::secret();
        let client = Client {
            id: random::readable(1, 16),
            name,
            secret: Some(secret),
            redirect_uris,
            scopes,
            grants: [GrantType::AuthorizationCode, GrantType::ClientCredentials, GrantType::Password].into(),
            profile: Profile { without_pkce: true, out_of_band: true, until_revoked: true },
            account: None,
        };
        let client_id = client.id.clone();
        match self.ask(0, &client_id, RegisterApp { client, website }).await {
            Ok(_) => {}
            Err(Trouble::Refused(Refusal::TooMany)) => return Err(AppRefused::Full),
            Err(trouble) => return Err(trouble.into()),
        }
        let app = self.app(&client_id).ok_or(AppRefused::Full)?;
        Ok(Registered { client_id, client_secret, app })
    }

    /// Opens an account with the role `user` for somebody who signs up through an app, and gives the app a token for it.
    pub async fn sign_up(&self, person: NewPerson) -> Result<Issued, SignUpRefused> {
        if !self.settings.open_accounts {
            return Err(SignUpRefused::Closed);
        }
        let NewPerson { client_id, name, email, password, scopes, device } = person;
        let app = self.app(&client_id).ok_or(SignUpRefused::UnknownApp)?;
        let scopes = if scopes.is_empty() { app.scopes.clone() } else { scopes };
        if !scopes.iter().all(|scope| is_scope(scope)) || !within(&scopes, &app.scopes) {
            return Err(SignUpRefused::Scopes);
        }
        let (name, email) = (name.trim().to_ascii_lowercase(), email.trim().to_ascii_lowercase());
        check_person(&name, &email, &password)?;
        self.is_free(&name, &email).await?;
        let password = self.passwords.hash(password).await.map_err(|_| SignUpRefused::Busy)?;
        let (access_token, secret) = random::secret();
        let sign_up = SignUp {
            client: client_id,
            name: name.clone(),
            email,
            password,
            roles: ["user".to_owned()].into(),
            scopes,
            secret,
            device,
            expires: self.now() + FOR_EVER,
        };
        match self.ask(0, &name, sign_up).await {
            Ok(Reply::Granted(Granted { account, scopes, .. })) => {
                Ok(Issued { account, access_token, scopes, created_at: seconds(self.now()) })
            }
            Ok(_) | Err(Trouble::Refused(Refusal::UnknownClient)) => Err(SignUpRefused::UnknownApp),
            Err(Trouble::Refused(Refusal::NameTaken)) => Err(SignUpRefused::NameTaken),
            Err(Trouble::Refused(Refusal::EmailTaken)) => Err(SignUpRefused::EmailTaken),
            Err(trouble) => Err(trouble.into()),
        }
    }

    /// Asked before anything is hashed or logged: strangers' refusals cost little.
    async fn is_free(&self, name: &str, email: &str) -> Result<(), SignUpRefused> {
        let (name, email) = (name.to_owned(), email.to_owned());
        let taken =
            self.read(move |state| (state.account_named(&name).is_some(), state.is_email_taken(&email)));
        match taken.await? {
            (true, _) => Err(SignUpRefused::NameTaken),
            (_, true) => Err(SignUpRefused::EmailTaken),
            _ => Ok(()),
        }
    }
}

/// What can be told of somebody without asking the state.
fn check_person(name: &str, email: &str, password: &str) -> Result<(), SignUpRefused> {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_name(name) || !plain || name.len() > LONGEST_NAME || RESERVED.contains(&name) {
        return Err(SignUpRefused::Name);
    }
    if !is_email(email) {
        return Err(SignUpRefused::Email);
    }
    match password.chars().count() {
        ..SHORTEST_PASSWORD => Err(SignUpRefused::PasswordTooShort),
        SHORTEST_PASSWORD..=LONGEST_PASSWORD => Ok(()),
        _ => Err(SignUpRefused::PasswordTooLong),
    }
}

/// Whether a scope is about accounts, or would hold one that is: apps never get it.
fn is_ours(scope: &str) -> bool {
    scope.split(':').next() == ADMIN.split(':').next()
}

/// A redirect of an app: as strangers' clients have it, out of band, or with a scheme of its own (RFC 8252, 7.1).
fn is_apps_redirect(uri: &str) -> bool {
    let own_scheme = |uri: &str| {
        uri.split_once(':').is_some_and(|(scheme, rest)| {
            let scheme = scheme.to_ascii_lowercase();
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
            scheme.starts_with(|first: char| first.is_ascii_alphabetic())
                && scheme.bytes().all(fits)
                && scheme != "urn"
                && !NO_SCHEMES.contains(&&*scheme)
                && !rest.is_empty()
                && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"#\"<>\\".contains(&byte))
        })
    };
    uri.len() <= 2_000 && (uri == OUT_OF_BAND || is_redirect(uri) || own_scheme(uri))
}

fn is_website(link: &str) -> bool {
    let rest = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://"));
    let clean = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\".contains(&byte);
    link.len() <= 2_000 && rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(clean))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_apps_redirect_is_of_its_own_kind_and_nothing_that_browsers_run() {
        for good in [
            OUT_OF_BAND,
            "https://a.example/back",
            "http://127.0.0.1:8/x",
            "myapp://callback",
            "com.app:/back",
        ] {
            assert!(is_apps_redirect(good), "{good}");
        }
        for wrong in [
            "javascript:alert(1)",
            "JavaScript://x",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc/passwd",
            "http://a.example/",
            "https://",
            "urn:other",
            "myapp:",
            ":x",
            "1app://x",
            "my app://x",
            "myapp://x#y",
            "myapp://x\"",
            "myapp",
            "",
            "mailto:a@b.example",
            "blob:https://a.example/x",
        ] {
            assert!(!is_apps_redirect(wrong), "{wrong}");
        }
    }

    #[test]
    fn scopes_of_accounts_are_ours() {
        for ours in ["identity", "identity:admin", "identity:self:x"] {
            assert!(is_ours(ours), "{ours}");
        }
        for other in ["read", "identitys:x", "admin:read"] {
            assert!(!is_ours(other), "{other}");
        }
    }
}
