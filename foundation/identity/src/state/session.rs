//! Sessions: a person on a device, or a grant to a client, until it ends.

use serde::{Deserialize, Serialize};

use super::{Directory, Moment, Outcome};
use crate::command::{EndOtherSessions, EndSession, Factor, LogOn, Refusal, Reply};
use crate::event::{BearerIssued, RecoveryCodesChanged, SessionEnded, SessionStarted};
use crate::sabotage::{self, Sabotage};
use crate::value::{Device, GrantType, Hash, Scopes};

/// Sessions of one account at the same time; the oldest makes room.
const MOST_SESSIONS: usize = 200;

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Whose; 0 for an app's own.
    pub account: u64,
    /// The client it was granted to; none for a person's own.
    pub client: Option<String>,
    /// What it may do; none for all that the account may.
    pub scopes: Option<Scopes>,
    /// The hash of the secret that continues it: a cookie, or a refresh token's family.
    pub secret: Option<Hash>,
    /// The hash of the refresh token that counts.
    pub refresh: Option<Hash>,
    /// Where from.
    pub device: Device,
    /// When it began.
    pub started: i64,
    /// When the person logged on.
    pub authenticated: i64,
    /// When it ends.
    pub expires: i64,
}

impl Directory {
    /// Every session, by id.
    pub fn sessions(&self) -> impl Iterator<Item = (u64, &Session)> {
        self.sessions.rows().iter().map(|(id, session)| (*id, session))
    }

    /// A session.
    pub fn session(&self, id: u64) -> Option<&Session> {
        self.sessions.get(&id)
    }

    /// The session that a cookie or a refresh token's family continues.
    pub fn session_by_secret(&self, secret: &Hash) -> Option<(u64, &Session)> {
        let id = *self.found.secrets.get(secret)?;
        self.session(id).map(|session| (id, session))
    }

    /// An account's sessions, oldest first.
    pub fn sessions_of(&self, account: u64) -> impl Iterator<Item = (u64, &Session)> {
        let ids = self.found.sessions_of.range((account, 0)..=(account, u64::MAX));
        ids.filter_map(|(_, id)| self.session(*id).map(|session| (*id, session)))
    }

    pub(super) fn log_on(&mut self, moment: &mut Moment<'_>, it: LogOn) -> Outcome {
        moment.ahead(it.expires)?;
        self.may_log_on(moment, it.account)?;
        self.is_present_password(it.account, it.generation)?;
        self.check_device(&it.device)?;
        self.check_secret(it.secret)?;
        if let Some(client) = &it.client {
            self.client_may(client, GrantType::Password)?;
        }
        self.use_factor(moment, it.account, it.factor)?;
        self.accounts.change(&it.account, |account| (account.failures, account.locked_until) = (0, 0));
        let scopes = it.scopes.map(|scopes| self.held(it.account, &scopes));
        let session = Session {
            account: it.account,
            client: it.client,
            scopes,
            secret: it.secret,
            refresh: it.refresh,
            device: it.device,
            started: moment.now(),
            authenticated: moment.now(),
            expires: it.expires,
        };
        Ok(Reply::Made(self.start_session(moment, session)))
    }

    /// Whether a logon to this account is looked at now.
    pub(super) fn may_log_on(&self, moment: &Moment<'_>, account: u64) -> Result<(), Refusal> {
        let account = self.open(account)?;
        if account.disabled {
            return Err(Refusal::Disabled);
        }
        if account.locked_until > moment.now() && !sabotage::lacks(Sabotage::LockOut) {
            return Err(Refusal::Locked);
        }
        Ok(())
    }

    /// Whether the password that was compared is the one in force.
    pub(super) fn is_present_password(&self, account: u64, generation: u32) -> Result<(), Refusal> {
        let account = self.open(account)?;
        let present = account.password.is_some() && account.generation == generation;
        if present { Ok(()) } else { Err(Refusal::PasswordChanged) }
    }

    /// Takes the second factor, when there is one; changes nothing when it is not right.
    pub(super) fn use_factor(
        &mut self,
        moment: &mut Moment<'_>,
        account: u64,
        factor: Factor,
    ) -> Result<(), Refusal> {
        let has = self.open(account)?;
        let active = has.totp.as_ref().filter(|totp| totp.active);
        match (active, factor) {
            (None, Factor::None | Factor::Totp(_)) if self.has_second_factor(account) => {
                Err(Refusal::SecondFactorNeeded)
            }
            (None, Factor::None | Factor::Totp(_)) => Ok(()),
            (Some(_), Factor::None) => Err(Refusal::SecondFactorNeeded),
            (Some(totp), Factor::Totp(step)) if step <= totp.last_step => Err(Refusal::CodeReplayed),
            (Some(_), Factor::Totp(step)) => {
                self.accounts.change(&account, |account| {
                    if let Some(totp) = &mut account.totp {
                        totp.last_step = step;
                    }
                });
                Ok(())
            }
            (_, Factor::Recovery(code)) => {
                let used = self.accounts.change(&account, |account| {
                    account.recovery.remove(&code).then_some(account.recovery.len() as u64)
                });
                let left = used.flatten().ok_or(Refusal::UnknownRecoveryCode)?;
                moment.tell(account, RecoveryCodesChanged { left });
                Ok(())
            }
        }
    }

    pub(super) fn check_device(&self, device: &Device) -> Result<(), Refusal> {
        let fits = device.agent.len() <= 200 && device.address.len() <= 64;
        if fits { Ok(()) } else { Err(Refusal::Invalid) }
    }

    pub(super) fn check_secret(&self, secret: Option<Hash>) -> Result<(), Refusal> {
        let taken = secret.is_some_and(|secret| self.found.secrets.contains_key(&secret));
        if taken { Err(Refusal::SecretTaken) } else { Ok(()) }
    }

    /// Adds a session; the oldest makes room when there are too many.
    pub(super) fn start_session(&mut self, moment: &mut Moment<'_>, session: Session) -> u64 {
        let account = session.account;
        if let Some(client) = session.client.as_deref().filter(|_| account != 0) {
            self.use_app(client);
        }
        let oldest = self.sessions_of(account).map(|(id, _)| id).next();
        if let Some(oldest) = oldest.filter(|_| self.sessions_of(account).count() >= MOST_SESSIONS) {
            self.close_session(moment, oldest, false);
        }
        let id = self.ids.next(moment.at.time, moment.at.bucket).0;
        self.found.add_session(id, &session);
        let bearer = self.bearer(&session).map(|hash| BearerIssued { session: id, hash });
        let started = SessionStarted {
            session: id,
            client: session.client.clone(),
            scopes: session.scopes.clone(),
            expires: session.expires,
            device: session.device.clone(),
        };
        self.sessions.put(id, session);
        moment.tell(account, started);
        if let Some(bearer) = bearer {
            moment.tell(account, bearer);
        }
        id
    }

    pub(super) fn close_session(&mut self, moment: &mut Moment<'_>, id: u64, expired: bool) {
        let Some(session) = self.sessions.remove(&id) else { return };
        self.found.remove_session(id, &session);
        moment.tell(session.account, SessionEnded { session: id, expired });
    }

    pub(super) fn close_sessions(&mut self, moment: &mut Moment<'_>, account: u64, keep: Option<u64>) {
        let ids: Vec<u64> =
            self.sessions_of(account).map(|(id, _)| id).filter(|id| Some(*id) != keep).collect();
        for id in ids {
            self.close_session(moment, id, false);
        }
    }

    pub(super) fn end_session(&mut self, moment: &mut Moment<'_>, it: EndSession) -> Outcome {
        let session = self.session(it.session).ok_or(Refusal::UnknownSession)?;
        if it.account.is_some_and(|account| account != session.account) {
            return Err(Refusal::UnknownSession);
        }
        self.close_session(moment, it.session, false);
        Ok(Reply::Done)
    }

    pub(super) fn end_other_sessions(&mut self, moment: &mut Moment<'_>, it: EndOtherSessions) -> Outcome {
        self.open(it.account)?;
        self.close_sessions(moment, it.account, it.keep);
        Ok(Reply::Done)
    }
}
