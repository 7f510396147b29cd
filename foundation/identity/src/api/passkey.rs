//! Passkeys at the edge: the options that a browser is given, and what it sends back, checked and made a command.
//!
//! What is checked of the bytes stands in [`crate::engine::webauthn`]; here is whose the passkey is, which challenge it
//! answers, and that failures count as those of passwords do.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::challenge::{LIFETIME, NoChallenge, Purpose};
use super::credential::{Created, Encoded, Got, Shown};
use super::logon::{NoLogon, Wish};
use super::provider::Ticket;
use super::random;
use super::service::{Identity, Trouble};
use crate::command::{AddPasskey, LogOnWithPasskey, Refusal, Reply, UsePasskey};
use crate::engine::secret;
use crate::engine::webauthn::{self, ALGORITHMS, Asserted, Assertion, Credential, Expected, Fault};
use crate::state::{Directory, Passkey};
use crate::value::{Bytes, Device, Hash, is_scope};

/// A passkey that was added.
pub(crate) struct Added {
    pub(crate) id: u64,
    /// The recovery codes, when it is the account's first second factor.
    pub(crate) codes: Option<Vec<String>>,
}

/// Why a passkey is not added.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAdded {
    #[error(
        "the address that this server is known by has no passkeys: identity.issuer must have a host name"
    )]
    Unavailable,
    #[error("the challenge has ended, was used or is another one: ask for another")]
    Challenge,
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error("too many passkeys are used just now: try again in a minute")]
    Busy,
    #[error(transparent)]
    Trouble(#[from] Trouble),
}

impl From<NoChallenge> for NotAdded {
    fn from(why: NoChallenge) -> Self {
        if why == NoChallenge::Full { NotAdded::Busy } else { NotAdded::Challenge }
    }
}

/// What a passkey is to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    LogOn,
    /// Confirm a change of this account.
    Confirm(u64),
    /// Count beside an outside provider's word.
    AfterProvider(Ticket),
}

/// A passkey and whose it is.
struct Known {
    id: u64,
    passkey: Passkey,
    name: String,
    generation: u32,
    failures: u32,
    locked_until: i64,
}

/// Why an assertion is not taken.
enum Not {
    Fault(&'static str, Option<Fault>),
    Ended,
    Full,
}

impl From<Fault> for Not {
    fn from(fault: Fault) -> Self {
        Not::Fault("what the authenticator says", Some(fault))
    }
}

impl From<NoChallenge> for Not {
    fn from(why: NoChallenge) -> Self {
        match why {
            NoChallenge::Foreign => Not::Fault("the challenge is not ours", None),
            NoChallenge::Used => Not::Fault("the challenge was used", None),
            NoChallenge::Ended => Not::Ended,
            NoChallenge::Full => Not::Full,
        }
    }
}

/// The user handle of an account (§5.4.3): its id, which says nothing about the person.
fn handle(account: u64) -> [u8; 8] {
    account.to_be_bytes()
}

fn known(state: &Directory, credential: &[u8]) -> Option<Known> {
    let (id, passkey) = state.passkey_by_credential(credential)?;
    let account = state.account(passkey.account)?;
    Some(Known {
        id,
        passkey: passkey.clone(),
        name: account.name.clone(),
        generation: account.generation,
        failures: account.failures,
        locked_until: account.locked_until,
    })
}

/// Credentials as options list them.
fn listed(state: &Directory, account: u64) -> Vec<Value> {
    let one = |(_, passkey): (u64, &Passkey)| {
        let id = URL_SAFE_NO_PAD.encode(&passkey.credential.0);
        json!({ "type": "public-key", "id": id, "transports": passkey.transports })
    };
    state.passkeys_of(account).map(one).collect()
}

impl Identity {
    /// `PublicKeyCredentialCreationOptionsJSON` (Level 3, 5.4) for an account that was confirmed. A passkey that can be
    /// found by the browser is preferred, so that it can be used without a name; a key that cannot still counts as a
    /// second factor.
    pub(crate) async fn creation_options(
        &self,
        account: u64,
        name: &str,
        holder: &str,
    ) -> Result<Value, NotAdded> {
        let party = self.party.as_ref().ok_or(NotAdded::Unavailable)?;
        let known = self.read(move |state| listed(state, account)).await?;
        let challenge = self.challenges.give(Purpose::Add { account }, holder, self.now());
        let algorithms: Vec<Value> =
            ALGORITHMS.iter().map(|alg| json!({ "type": "public-key", "alg": alg })).collect();
        Ok(json!({
            "rp": { "id": party.id, "name": "Decalog" },
            "user": { "id": URL_SAFE_NO_PAD.encode(handle(account)), "name": name, "displayName": name },
            "challenge": URL_SAFE_NO_PAD.encode(challenge),
            "pubKeyCredParams": algorithms,
            "timeout": LIFETIME / 1_000_000,
            "excludeCredentials": known,
            "authenticatorSelection": { "residentKey": "preferred", "userVerification": "preferred" },
            "attestation": "none",
        }))
    }

    /// `PublicKeyCredentialRequestOptionsJSON` (Level 3, 5.5) for an account; `None` where it has no passkeys.
    pub(crate) async fn options_of(
        &self,
        account: u64,
        purpose: Purpose,
        holder: &str,
    ) -> Result<Option<Value>, Trouble> {
        let allowed = self.read(move |state| listed(state, account)).await?;
        Ok(if allowed.is_empty() { None } else { self.request_options(purpose, holder, &allowed) })
    }

    /// The same for whoever comes: the browser finds the passkey, and the passkey names the account.
    pub(crate) fn logon_options(&self, holder: &str) -> Option<Value> {
        self.request_options(Purpose::LogOn, holder, &[])
    }

    fn request_options(&self, purpose: Purpose, holder: &str, allowed: &[Value]) -> Option<Value> {
        let party = self.party.as_ref()?;
        let challenge = self.challenges.give(purpose, holder, self.now());
        let user = if purpose.is_alone() { "required" } else { "preferred" };
        Some(json!({
            "challenge": URL_SAFE_NO_PAD.encode(challenge),
            "timeout": LIFETIME / 1_000_000,
            "rpId": party.id,
            "allowCredentials": allowed,
            "userVerification": user,
        }))
    }

    /// Adds a passkey to an account that was confirmed when the challenge was given.
    pub(crate) async fn add_passkey(
        &self,
        account: u64,
        name: &str,
        holder: &str,
        label: &str,
        shown: &Shown<Created>,
    ) -> Result<Added, NotAdded> {
        let party = self.party.as_ref().ok_or(NotAdded::Unavailable)?;
        let Created { client_data, attestation, transports } = &shown.response;
        let challenge = webauthn::challenge_of(&client_data.0)?;
        self.challenges.check(&challenge, Purpose::Add { account }, holder, self.now())?;
        let expected = Expected { party, challenge: &challenge, user_verified: false };
        let made = webauthn::register(&expected, &client_data.0, &attestation.0)?;
        if made.credential != shown.id.0 {
            return Err(NotAdded::Fault(Fault::Credential));
        }
        self.challenges.take(&challenge, self.now())?;
        let (codes, recovery) = new_codes();
        let add = AddPasskey {
            account,
            credential: Bytes(made.credential),
            public_key: Bytes(made.public_key),
            counter: made.counter,
            backup_eligible: made.backup_eligible,
            backed_up: made.backed_up,
            transports: transports.iter().filter(|name| is_scope(name)).take(8).cloned().collect(),
            label: label.to_owned(),
            recovery: recovery.clone(),
        };
        let Reply::Made(id) = self.ask(account, name, add).await? else {
            return Err(NotAdded::Trouble(Trouble::Refused(Refusal::Invalid)));
        };
        let are_new = self
            .read(move |state| state.account(account).is_some_and(|account| account.recovery == recovery));
        Ok(Added { id, codes: are_new.await?.then_some(codes) })
    }

    /// A passkey that must be this account's; another one counts as a failure.
    async fn theirs(&self, account: u64, known: Option<Known>) -> Result<Known, NoLogon> {
        match known.filter(|known| known.passkey.account == account) {
            Some(known) => Ok(known),
            None => {
                self.note_failure(account).await;
                Err(NoLogon::Wrong)
            }
        }
    }

    /// Finds out whose passkey this is and checks what it says. Failures count.
    async fn recognise(
        &self,
        shown: &Shown<Got>,
        holder: &str,
        task: Task,
    ) -> Result<(Known, Purpose, Asserted), NoLogon> {
        let credential = shown.id.0.clone();
        let known = self.read(move |state| known(state, &credential)).await?;
        let theirs = match task {
            Task::LogOn => known,
            Task::Confirm(account) => Some(self.theirs(account, known).await?),
            Task::AfterProvider(ticket) => Some(self.theirs(ticket.account(), known).await?),
        };
        let Some(known) = theirs else {
            self.failures.unknown(secret::hash(&shown.id.0), self.now());
            return Err(NoLogon::Wrong);
        };
        let account = known.passkey.account;
        let until = self.failures.locked_until(account, known.failures, known.locked_until);
        if until > self.now() {
            return Err(NoLogon::Later(until));
        }
        match self.judge(shown, holder, task, &known) {
            Ok((purpose, asserted)) => Ok((known, purpose, asserted)),
            Err(Not::Ended) => Err(NoLogon::Ended),
            Err(Not::Full) => Err(NoLogon::Busy),
            Err(Not::Fault(what, fault)) => {
                tracing::info!(account, passkey = known.id, what, ?fault, "a passkey is not accepted");
                self.note_failure(account).await;
                Err(NoLogon::Wrong)
            }
        }
    }

    /// Checks an assertion by a known passkey (§7.2, steps 5 to 20), and takes its challenge.
    fn judge(
        &self,
        shown: &Shown<Got>,
        holder: &str,
        task: Task,
        known: &Known,
    ) -> Result<(Purpose, Asserted), Not> {
        let party = self.party.as_ref().ok_or(Not::Fault("there are no passkeys here", None))?;
        let account = known.passkey.account;
        let Got { client_data, authenticator_data, signature, user_handle } = &shown.response;
        let challenge = webauthn::challenge_of(&client_data.0)?;
        let purposes = match task {
            Task::LogOn => {
                vec![Purpose::LogOn, Purpose::SecondFactor { account, generation: known.generation }]
            }
            Task::Confirm(account) => vec![Purpose::Confirm { account }],
            Task::AfterProvider(ticket) => vec![ticket.purpose()],
        };
        let mut checked = purposes
            .into_iter()
            .map(|purpose| (purpose, self.challenges.check(&challenge, purpose, holder, self.now())));
        let (purpose, counts) = checked
            .find(|(_, counts)| *counts != Err(NoChallenge::Foreign))
            .ok_or(Not::from(NoChallenge::Foreign))?;
        counts?;
        // Step 6: who was not known before must be named by the authenticator, and nobody else may be.
        let is_theirs = match user_handle {
            Some(Encoded(said)) => *said == handle(account),
            None => purpose != Purpose::LogOn,
        };
        if !is_theirs {
            return Err(Not::Fault("the user handle is another account's, or missing", None));
        }
        let expected = Expected { party, challenge: &challenge, user_verified: purpose.is_alone() };
        let credential = Credential {
            public_key: &known.passkey.public_key.0,
            backup_eligible: known.passkey.backup_eligible,
        };
        let assertion = Assertion {
            client_data: &client_data.0,
            authenticator_data: &authenticator_data.0,
            signature: &signature.0,
        };
        let asserted = webauthn::assert(&expected, credential, assertion)?;
        self.challenges.take(&challenge, self.now())?;
        Ok((purpose, asserted))
    }

    /// Logs a person on by a passkey, alone or after the password; answers account and session.
    pub(crate) async fn log_on_with_passkey(
        &self,
        shown: &Shown<Got>,
        holder: &str,
        device: Device,
        wish: Wish,
    ) -> Result<(u64, u64), NoLogon> {
        let (known, purpose, asserted) = self.recognise(shown, holder, Task::LogOn).await?;
        let account = known.passkey.account;
        let log_on = LogOnWithPasskey {
            account,
            passkey: known.id,
            counter: asserted.counter,
            backed_up: asserted.backed_up,
            user_verified: asserted.user_verified,
            generation: match purpose {
                Purpose::SecondFactor { generation, .. } => Some(generation),
                _ => None,
            },
            secret: wish.secret,
            device,
            expires: self.now() + wish.lifetime,
        };
        let answer = self.ask(account, &known.name, log_on).await;
        self.session(account, answer).await
    }

    /// What a passkey says that is shown after an outside provider's word.
    pub(super) async fn passkey_after_provider(
        &self,
        ticket: Ticket,
        shown: &Shown<Got>,
        holder: &str,
    ) -> Result<(u64, Asserted), NoLogon> {
        let (known, _, asserted) = self.recognise(shown, holder, Task::AfterProvider(ticket)).await?;
        Ok((known.id, asserted))
    }

    /// Confirms a change of an account by a passkey of it.
    pub(crate) async fn confirm_with_passkey(
        &self,
        account: u64,
        holder: &str,
        shown: &Shown<Got>,
    ) -> Result<(), NoLogon> {
        let (known, _, asserted) = self.recognise(shown, holder, Task::Confirm(account)).await?;
        let Asserted { counter, backed_up, .. } = asserted;
        let used = UsePasskey { account, passkey: known.id, counter, backed_up };
        let answer = self.ask(account, &known.name, used).await;
        match answer {
            Ok(_) => Ok(()),
            Err(trouble) => Err(self.no_session(account, trouble).await),
        }
    }
}

const RECOVERY_CODES: usize = 10;

/// New recovery codes, shown once, and what is kept of them: 80 bits each.
pub(crate) fn new_codes() -> (Vec<String>, BTreeSet<Hash>) {
    let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| random::readable(4, 4)).collect();
    let hashes = codes.iter().map(|code| secret::hash(code.as_bytes())).collect();
    (codes, hashes)
}
