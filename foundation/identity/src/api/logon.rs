//! A person logs on: passwords are compared on threads of their own, and a name that nobody has costs as much as one that
//! somebody has.

use std::time::Duration;

use tokio::sync::oneshot;

use super::service::{Identity, Trouble};
use crate::command::{Factor, LogOn, Refusal, Reply};
use crate::engine::{secret, totp};
use crate::password::{self, Workspace};
use crate::value::{Bytes, Device, Hash, SECOND, Scopes};
use crate::workers::Workers;

/// How long a password check may take, its turn included.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where passwords are hashed: so many at once, so many waiting, and the others are sent away.
pub(crate) struct Passwords {
    workers: Workers<Workspace>,
    /// What the password of nobody is compared with.
    nobody: String,
}

/// Too many passwords wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Busy;

impl Passwords {
    pub(crate) fn new(places: usize, queue: usize) -> Passwords {
        Passwords {
            workers: Workers::start("passwords", places, queue),
            nobody: password::hash_password("", &super::random::bytes()),
        }
    }

    /// Runs something costly when it is its turn, off the server's own threads; not at all when nobody waits for it any more.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Workspace) -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let (answer, answered) = oneshot::channel();
        let job = move |workspace: &mut Workspace| {
            if !answer.is_closed() {
                // Whoever has gone meanwhile needs no answer.
                let _ = answer.send(work(workspace));
            }
        };
        self.workers.offer(job).map_err(|_| Busy)?;
        tokio::time::timeout(PATIENCE, answered).await.map_err(|_| Busy)?.map_err(|_| Busy)
    }

    async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, Busy> {
        let somebody = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.clone());
        self.run(move |workspace| password::verify(&password, &hash, workspace) && somebody).await
    }

    /// The PHC string of a password.
    pub(crate) async fn hash(&self, password: String) -> Result<String, Busy> {
        self.run(move |_| password::hash_password(&password, &super::random::bytes())).await
    }
}

/// What a person shows.
pub(crate) struct Shown {
    pub(crate) name: String,
    pub(crate) password: String,
    /// A code of the authenticator app, or a recovery code.
    pub(crate) code: Option<String>,
    pub(crate) device: Device,
}

/// What the session is to be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    pub(crate) client: Option<String>,
    pub(crate) scopes: Option<Scopes>,
    pub(crate) secret: Option<Hash>,
    pub(crate) refresh: Option<Hash>,
    pub(crate) lifetime: i64,
}

/// Why nobody is logged on. Names and passwords are not told apart.
#[derive(Clone, Debug)]
pub(crate) enum NoLogon {
    /// Name, password or code is wrong.
    Wrong,
    /// The password was this one of this account, and a second factor is needed.
    SecondFactorNeeded { account: u64, generation: u32 },
    /// What was to be signed has ended: again with something new.
    Ended,
    /// Too many failures; again at this moment.
    Later(i64),
    /// Too many at once.
    Busy,
    /// Something else.
    Trouble(Trouble),
}

impl From<Trouble> for NoLogon {
    fn from(trouble: Trouble) -> Self {
        NoLogon::Trouble(trouble)
    }
}

impl From<Busy> for NoLogon {
    fn from(_: Busy) -> Self {
        NoLogon::Busy
    }
}

/// What the state knows of a name.
struct Known {
    id: u64,
    password: Option<String>,
    generation: u32,
    failures: u32,
    locked_until: i64,
    disabled: bool,
    totp: Option<Bytes>,
    has_passkey: bool,
}

impl Identity {
    async fn known(&self, name: &str) -> Result<Option<Known>, Trouble> {
        let name = name.to_owned();
        self.read(move |state| {
            let (id, account) = state.account_called(&name)?;
            Some(Known {
                id,
                password: account.password.clone().filter(|_| !account.service),
                generation: account.generation,
                failures: account.failures,
                locked_until: account.locked_until,
                disabled: account.disabled,
                totp: account.totp.as_ref().filter(|totp| totp.active).map(|totp| totp.secret.clone()),
                has_passkey: state.passkeys_of(id).next().is_some(),
            })
        })
        .await
    }

    /// Compares a password with that of an account that is logged on; failures count.
    pub(crate) async fn is_password(&self, name: &str, password: String) -> Result<bool, NoLogon> {
        let Some(known) = self.known(name).await? else { return Ok(false) };
        let until = self.failures.locked_until(known.id, known.failures, known.locked_until);
        if until > self.now() {
            return Err(NoLogon::Later(until));
        }
        let right = self.passwords.verify(password, known.password).await?;
        if !right {
            self.note_failure(known.id).await;
        }
        Ok(right)
    }

    /// Logs a person on; answers account and session.
    pub(crate) async fn log_on(&self, shown: Shown, wish: Wish) -> Result<(u64, u64), NoLogon> {
        let name = shown.name.trim().to_ascii_lowercase();
        let known = self.known(&name).await?;
        let stranger = secret::hash(name.as_bytes());
        let until = match &known {
            Some(known) => self.failures.locked_until(known.id, known.failures, known.locked_until),
            None => self.failures.unknown_until(&stranger),
        };
        if until > self.now() {
            return Err(NoLogon::Later(until));
        }
        let hash = known.as_ref().and_then(|known| known.password.clone());
        let right = self.passwords.verify(shown.password, hash).await?;
        let Some(known) = known else {
            self.failures.unknown(stranger, self.now());
            return Err(NoLogon::Wrong);
        };
        if !right || known.disabled {
            self.note_failure(known.id).await;
            return Err(NoLogon::Wrong);
        }
        let factor = self.factor_of(&known, shown.code.as_deref()).await?;
        let log_on = LogOn {
            account: known.id,
            generation: known.generation,
            factor,
            client: wish.client,
            scopes: wish.scopes,
            secret: wish.secret,
            refresh: wish.refresh,
            device: shown.device,
            expires: self.now() + wish.lifetime,
        };
        let answer = self.ask(known.id, &name, log_on).await;
        if let Err(Trouble::Refused(Refusal::SecondFactorNeeded)) = answer {
            let (account, generation) = (known.id, known.generation);
            return Err(NoLogon::SecondFactorNeeded { account, generation });
        }
        self.session(known.id, answer).await
    }

    /// Which factor a code is; a wrong one counts as a failure.
    async fn factor_of(&self, known: &Known, code: Option<&str>) -> Result<Factor, NoLogon> {
        let factor = factor(known, code, self.now());
        if matches!(factor, Err(NoLogon::Wrong)) {
            self.note_failure(known.id).await;
        }
        factor
    }

    /// The same for an account of which a provider has spoken.
    pub(super) async fn code_of(&self, account: u64, code: Option<&str>) -> Result<Factor, NoLogon> {
        let name = self.read(move |state| state.account(account).map(|it| it.name.clone())).await?;
        let known = self.known(&name.unwrap_or_default()).await?.ok_or(NoLogon::Wrong)?;
        let until = self.failures.locked_until(known.id, known.failures, known.locked_until);
        if until > self.now() {
            return Err(NoLogon::Later(until));
        }
        self.factor_of(&known, code).await
    }

    /// What came of a logon: account and session, or why not.
    pub(super) async fn session(
        &self,
        account: u64,
        answer: Result<Reply, Trouble>,
    ) -> Result<(u64, u64), NoLogon> {
        match answer {
            Ok(Reply::Made(session)) => {
                self.failures.forget(account);
                Ok((account, session))
            }
            Ok(_) => Err(NoLogon::Wrong),
            Err(trouble) => Err(self.no_session(account, trouble).await),
        }
    }

    /// Why the state took no logon. What somebody did wrong counts as a failure.
    pub(super) async fn no_session(&self, account: u64, trouble: Trouble) -> NoLogon {
        let Trouble::Refused(refusal) = trouble else { return NoLogon::Trouble(trouble) };
        match refusal {
            Refusal::Locked => NoLogon::Later(self.now() + SECOND),
            Refusal::CodeReplayed | Refusal::UnknownRecoveryCode | Refusal::PasskeyCloned => {
                self.note_failure(account).await;
                NoLogon::Wrong
            }
            Refusal::Disabled
            | Refusal::PasswordChanged
            | Refusal::UnknownPasskey
            | Refusal::SecondFactorNeeded => NoLogon::Wrong,
            _ => NoLogon::Trouble(trouble),
        }
    }
}

/// Which factor a code is.
fn factor(known: &Known, code: Option<&str>, now: i64) -> Result<Factor, NoLogon> {
    let code = code.map(str::trim).filter(|code| !code.is_empty());
    let code = match code {
        _ if known.totp.is_none() && !known.has_passkey => return Ok(Factor::None),
        None => {
            let (account, generation) = (known.id, known.generation);
            return Err(NoLogon::SecondFactorNeeded { account, generation });
        }
        Some(code) => code,
    };
    match &known.totp {
        Some(totp_secret) if code.len() == 6 => {
            let seconds = u64::try_from(now / SECOND).unwrap_or(0);
            totp::step_of(&totp_secret.0, code, seconds).map(Factor::Totp).ok_or(NoLogon::Wrong)
        }
        _ => Ok(Factor::Recovery(secret::hash(code.to_ascii_lowercase().as_bytes()))),
    }
}
