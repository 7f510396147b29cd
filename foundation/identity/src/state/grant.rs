//! Grants: how a client comes to a session on somebody's behalf (RFC 6749, 7636, 8628), and how it goes on.

use serde::{Deserialize, Serialize};

use super::{Directory, End, Moment, Outcome, Session};
use crate::command::{
    DecideDevice, GrantClient, Granted, IssueCode, IssueDeviceCode, RedeemCode, RedeemDeviceCode, Refresh,
    Refusal, Reply,
};
use crate::event::{Consented, DeviceDecided, ReuseDetected, SessionRefreshed};
use crate::sabotage::{self, Sabotage};
use crate::value::{Device, GrantType, Hash, Scopes, is_scope, within};

/// Device codes of one client at the same time.
const MOST_DEVICE_CODES: usize = 1_000;

/// An authorization code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// Who gets it.
    pub client: String,
    /// Who consented.
    pub account: u64,
    /// What to.
    pub scopes: Scopes,
    /// Where it was sent.
    pub redirect_uri: String,
    /// S256 of the PKCE verifier.
    pub challenge: Option<Hash>,
    /// OpenID Connect's nonce.
    pub nonce: Option<String>,
    /// When the person logged on.
    pub authenticated: i64,
    /// When it ends.
    pub expires: i64,
    /// The session it gave.
    pub gave: Option<u64>,
}

/// A device code and what the person decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceCode {
    /// What the person types.
    pub user_code: String,
    /// The client on the device.
    pub client: String,
    /// What it asks for.
    pub scopes: Scopes,
    /// When it ends.
    pub expires: i64,
    /// The decision: whose account and when they logged on, or no.
    pub decided: Option<Result<(u64, i64), ()>>,
}

impl Directory {
    /// A device code.
    pub fn device_code(&self, code: &Hash) -> Option<&DeviceCode> {
        self.device_codes.get(code)
    }

    /// An authorization code.
    pub fn code(&self, code: &Hash) -> Option<&Code> {
        self.codes.get(code)
    }

    /// Whether a client may have one more device code: asked first, so that strangers' refusals are not in the log.
    pub fn has_room_for_a_device(&self, client: &str) -> bool {
        self.device_codes.rows().values().filter(|code| code.client == client).count() < MOST_DEVICE_CODES
    }

    /// The device code that belongs to what a person typed.
    pub fn device_code_for(&self, user_code: &str) -> Option<&DeviceCode> {
        self.found.user_codes.get(user_code).and_then(|hash| self.device_codes.get(hash))
    }

    pub(super) fn forget_code(&mut self, hash: &Hash) {
        if let Some(code) = self.codes.remove(hash) {
            self.found.ends.remove(&(code.expires, End::Code(*hash)));
        }
    }

    pub(super) fn forget_device_code(&mut self, hash: &Hash) {
        if let Some(code) = self.device_codes.remove(hash) {
            self.found.user_codes.remove(&code.user_code);
            self.found.ends.remove(&(code.expires, End::DeviceCode(*hash)));
        }
    }

    /// A person's own session: nobody consents on a client's.
    fn own_session(&self, id: u64) -> Result<&Session, Refusal> {
        self.session(id).filter(|session| session.client.is_none()).ok_or(Refusal::UnknownSession)
    }

    pub(super) fn issue_code(&mut self, moment: &mut Moment<'_>, it: IssueCode) -> Outcome {
        moment.ahead(it.expires)?;
        let client = self.client_may(&it.client, GrantType::AuthorizationCode)?;
        if !client.redirect_uris.contains(&it.redirect_uri) {
            return Err(Refusal::RedirectMismatch);
        }
        if it.challenge.is_none() && !client.profile.without_pkce {
            return Err(Refusal::ChallengeMismatch);
        }
        if !within(&it.scopes, &client.scopes) {
            return Err(Refusal::ScopeExceeded);
        }
        let session = self.own_session(it.session)?;
        let (account, authenticated) = (session.account, session.authenticated);
        if self.codes.get(&it.code).is_some() {
            return Err(Refusal::SecretTaken);
        }
        let scopes = self.held(account, &it.scopes);
        moment.tell(account, Consented { client: it.client.clone(), scopes: scopes.clone() });
        self.found.ends.insert((it.expires, End::Code(it.code)));
        let code = Code {
            client: it.client,
            account,
            scopes,
            redirect_uri: it.redirect_uri,
            challenge: it.challenge,
            nonce: it.nonce,
            authenticated,
            expires: it.expires,
            gave: None,
        };
        self.codes.put(it.code, code);
        Ok(Reply::Done)
    }

    pub(super) fn redeem_code(&mut self, moment: &mut Moment<'_>, it: RedeemCode) -> Outcome {
        moment.ahead(it.expires)?;
        self.client_may(&it.client, GrantType::AuthorizationCode)?;
        let code = self.codes.get(&it.code).ok_or(Refusal::UnknownCode)?.clone();
        if code.client != it.client {
            return Err(Refusal::OtherClient);
        }
        if let Some(session) = code.gave {
            // RFC 6749, 4.1.2: a code that comes twice takes back what it gave.
            return Err(self.reused(moment, code.account, session, it.client, Refusal::CodeReused));
        }
        if code.redirect_uri != it.redirect_uri {
            return Err(Refusal::RedirectMismatch);
        }
        if code.challenge != it.challenge && !sabotage::lacks(Sabotage::Pkce) {
            return Err(Refusal::ChallengeMismatch);
        }
        let given = Given { account: code.account, authenticated: code.authenticated, scopes: code.scopes };
        let granted = self.grant(moment, given, it.client, (it.secret, it.refresh), it.device, it.expires)?;
        self.codes.change(&it.code, |code| code.gave = Some(granted.session));
        Ok(Reply::Granted(Granted { nonce: code.nonce, ..granted }))
    }

    fn reused(
        &mut self,
        moment: &mut Moment<'_>,
        account: u64,
        session: u64,
        client: String,
        refusal: Refusal,
    ) -> Refusal {
        if self.session(session).is_some() {
            moment.tell(account, ReuseDetected { session, client });
            self.close_session(moment, session, false);
        }
        refusal
    }

    /// Begins the session of a grant.
    pub(super) fn grant(
        &mut self,
        moment: &mut Moment<'_>,
        given: Given,
        client: String,
        (secret, refresh): (Option<Hash>, Option<Hash>),
        device: Device,
        expires: i64,
    ) -> Result<Granted, Refusal> {
        let Given { account, authenticated, scopes } = given;
        if self.open(account)?.disabled {
            return Err(Refusal::Disabled);
        }
        self.check_device(&device)?;
        self.check_secret(secret)?;
        let started = moment.now();
        let (client, kept) = (Some(client), Some(scopes.clone()));
        let session = Session {
            account,
            client,
            scopes: kept,
            secret,
            refresh,
            device,
            started,
            authenticated,
            expires,
        };
        let session = self.start_session(moment, session);
        Ok(Granted { account, session, scopes, nonce: None, authenticated })
    }

    pub(super) fn refresh(&mut self, moment: &mut Moment<'_>, it: Refresh) -> Outcome {
        moment.ahead(it.expires)?;
        let (id, session) = self.session_by_secret(&it.secret).ok_or(Refusal::UnknownToken)?;
        let (Some(client), Some(current)) = (&session.client, session.refresh) else {
            return Err(Refusal::UnknownToken);
        };
        if *client != it.client {
            return Err(Refusal::OtherClient);
        }
        let account = session.account;
        if current != it.refresh && !sabotage::lacks(Sabotage::RefreshReuse) {
            // Who knows the family knew a token of it: this one was used, or stolen (RFC 9700, 4.14.2).
            return Err(self.reused(moment, account, id, it.client, Refusal::TokenReused));
        }
        let granted = Granted {
            account,
            session: id,
            scopes: session.scopes.clone().unwrap_or_default(),
            nonce: None,
            authenticated: session.authenticated,
        };
        let before = session.expires;
        self.found.ends.remove(&(before, End::Session(id)));
        self.found.ends.insert((it.expires, End::Session(id)));
        self.sessions.change(&id, |session| (session.refresh, session.expires) = (Some(it.next), it.expires));
        moment.tell(account, SessionRefreshed { session: id, expires: it.expires });
        Ok(Reply::Granted(granted))
    }

    pub(super) fn issue_device_code(&mut self, moment: &mut Moment<'_>, it: IssueDeviceCode) -> Outcome {
        moment.ahead(it.expires)?;
        let client = self.client_may(&it.client, GrantType::DeviceCode)?;
        if !within(&it.scopes, &client.scopes) {
            return Err(Refusal::ScopeExceeded);
        }
        if !is_scope(&it.user_code) {
            return Err(Refusal::Invalid);
        }
        if self.device_codes.get(&it.code).is_some() || self.found.user_codes.contains_key(&it.user_code) {
            return Err(Refusal::SecretTaken);
        }
        if !self.has_room_for_a_device(&it.client) {
            return Err(Refusal::TooMany);
        }
        self.found.user_codes.insert(it.user_code.clone(), it.code);
        self.found.ends.insert((it.expires, End::DeviceCode(it.code)));
        let code = DeviceCode {
            user_code: it.user_code,
            client: it.client,
            scopes: it.scopes,
            expires: it.expires,
            decided: None,
        };
        self.device_codes.put(it.code, code);
        Ok(Reply::Done)
    }

    pub(super) fn decide_device(&mut self, moment: &mut Moment<'_>, it: DecideDevice) -> Outcome {
        let session = self.own_session(it.session)?;
        let (account, authenticated) = (session.account, session.authenticated);
        let hash = *self.found.user_codes.get(&it.user_code).ok_or(Refusal::UnknownCode)?;
        let code =
            self.device_code(&hash).filter(|code| code.decided.is_none()).ok_or(Refusal::UnknownCode)?;
        let scopes = self.held(account, &code.scopes);
        let client = code.client.clone();
        self.device_codes.change(&hash, |code| {
            code.scopes = scopes;
            code.decided = Some(if it.approve { Ok((account, authenticated)) } else { Err(()) });
        });
        moment.tell(account, DeviceDecided { client, approved: it.approve });
        Ok(Reply::Done)
    }

    pub(super) fn redeem_device_code(&mut self, moment: &mut Moment<'_>, it: RedeemDeviceCode) -> Outcome {
        moment.ahead(it.expires)?;
        self.client_may(&it.client, GrantType::DeviceCode)?;
        let code = self.device_code(&it.code).ok_or(Refusal::UnknownCode)?.clone();
        if code.client != it.client {
            return Err(Refusal::OtherClient);
        }
        match code.decided {
            None => Err(Refusal::Undecided),
            Some(Err(())) => {
                self.forget_device_code(&it.code);
                Err(Refusal::Denied)
            }
            Some(Ok((account, authenticated))) => {
                let given = Given { account, authenticated, scopes: code.scopes };
                let secrets = (it.secret, it.refresh);
                let granted = self.grant(moment, given, it.client, secrets, it.device, it.expires)?;
                self.forget_device_code(&it.code);
                Ok(Reply::Granted(granted))
            }
        }
    }

    pub(super) fn grant_client(&mut self, moment: &mut Moment<'_>, it: GrantClient) -> Outcome {
        moment.ahead(it.expires)?;
        let client = self.client_may(&it.client, GrantType::ClientCredentials)?;
        if !within(&it.scopes, &client.scopes) {
            return Err(Refusal::ScopeExceeded);
        }
        let account = client.account.ok_or(Refusal::GrantNotAllowed)?;
        let given = Given { account, authenticated: moment.now(), scopes: self.held(account, &it.scopes) };
        self.grant(moment, given, it.client, (None, None), it.device, it.expires).map(Reply::Granted)
    }
}

/// What somebody gave a client.
pub(super) struct Given {
    pub(super) account: u64,
    pub(super) authenticated: i64,
    pub(super) scopes: Scopes,
}
