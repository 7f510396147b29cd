//! Passkeys: public keys of authenticators, each a second factor, or both factors when its user was verified.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::factor::check_codes;
use super::{Directory, Moment, Outcome, Session};
use crate::command::{
    AddPasskey, LogOnWithPasskey, Refusal, RemovePasskey, RenamePasskey, Reply, UsePasskey,
};
use crate::engine::webauthn::goes_on;
use crate::event::{
    PasskeyAdded, PasskeyCloned, PasskeyRemoved, PasskeyRenamed, PasskeyUsed, RecoveryCodesChanged,
};
use crate::value::{Bytes, PasskeyUse, is_scope};

/// Passkeys of one account.
const MOST_PASSKEYS: usize = 20;
/// The longest public key, in bytes: RSA with 8192 bits fits.
const LONGEST_KEY: usize = 1_200;
/// Ways to reach one authenticator.
const MOST_TRANSPORTS: usize = 8;

/// A passkey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passkey {
    /// Whose.
    pub account: u64,
    /// The credential id.
    pub credential: Bytes,
    /// The public key, a COSE_Key.
    pub public_key: Bytes,
    /// The signature counter that was shown last.
    pub counter: u32,
    /// Copies of it may come to be.
    pub backup_eligible: bool,
    /// There are copies of it.
    pub backed_up: bool,
    /// How the authenticator is reached.
    pub transports: BTreeSet<String>,
    /// What its owner calls it.
    pub label: String,
    /// When it was added.
    pub added: i64,
    /// When it was used last.
    pub used: Option<i64>,
}

fn check_label(label: &str) -> Result<(), Refusal> {
    if label.len() <= 100 { Ok(()) } else { Err(Refusal::Invalid) }
}

impl Directory {
    /// Every passkey, by id.
    pub fn passkeys(&self) -> impl Iterator<Item = (u64, &Passkey)> {
        self.passkeys.rows().iter().map(|(id, passkey)| (*id, passkey))
    }

    /// An account's passkeys, oldest first.
    pub fn passkeys_of(&self, account: u64) -> impl Iterator<Item = (u64, &Passkey)> {
        let ids = self.found.passkeys_of.range((account, 0)..=(account, u64::MAX));
        ids.filter_map(|(_, id)| self.passkeys.get(id).map(|passkey| (*id, passkey)))
    }

    /// The passkey with this credential id.
    pub fn passkey_by_credential(&self, credential: &[u8]) -> Option<(u64, &Passkey)> {
        let id = *self.found.credentials.get(credential)?;
        self.passkeys.get(&id).map(|passkey| (id, passkey))
    }

    fn passkey_of(&self, account: u64, passkey: u64) -> Result<&Passkey, Refusal> {
        let found = self.passkeys.get(&passkey).filter(|passkey| passkey.account == account);
        found.ok_or(Refusal::UnknownPasskey)
    }

    pub(super) fn add_passkey(&mut self, moment: &mut Moment<'_>, it: AddPasskey) -> Outcome {
        check_label(&it.label)?;
        check_codes(&it.recovery)?;
        let transports =
            it.transports.len() <= MOST_TRANSPORTS && it.transports.iter().all(|name| is_scope(name));
        let key =
            (1..=1023).contains(&it.credential.0.len()) && (1..=LONGEST_KEY).contains(&it.public_key.0.len());
        if self.open(it.account)?.service || !transports || !key {
            return Err(Refusal::Invalid);
        }
        if self.found.credentials.contains_key(&it.credential.0) {
            return Err(Refusal::PasskeyTaken);
        }
        if self.passkeys_of(it.account).count() >= MOST_PASSKEYS {
            return Err(Refusal::TooMany);
        }
        let is_first = !self.has_second_factor(it.account);
        let id = self.ids.next(moment.at.time, moment.at.bucket).0;
        self.found.credentials.insert(it.credential.0.clone(), id);
        self.found.passkeys_of.insert((it.account, id));
        let passkey = Passkey {
            account: it.account,
            credential: it.credential,
            public_key: it.public_key,
            counter: it.counter,
            backup_eligible: it.backup_eligible,
            backed_up: it.backed_up,
            transports: it.transports,
            label: it.label.clone(),
            added: moment.now(),
            used: None,
        };
        self.passkeys.put(id, passkey);
        moment.tell(it.account, PasskeyAdded { passkey: id, label: it.label });
        if is_first {
            let left = it.recovery.len() as u64;
            self.accounts.change(&it.account, |account| account.recovery = it.recovery);
            moment.tell(it.account, RecoveryCodesChanged { left });
        }
        Ok(Reply::Made(id))
    }

    pub(super) fn rename_passkey(&mut self, moment: &mut Moment<'_>, it: RenamePasskey) -> Outcome {
        check_label(&it.label)?;
        self.passkey_of(it.account, it.passkey)?;
        self.passkeys.change(&it.passkey, |passkey| passkey.label.clone_from(&it.label));
        moment.tell(it.account, PasskeyRenamed { passkey: it.passkey, label: it.label });
        Ok(Reply::Done)
    }

    pub(super) fn remove_passkey(&mut self, moment: &mut Moment<'_>, it: RemovePasskey) -> Outcome {
        self.passkey_of(it.account, it.passkey)?;
        if let Some(passkey) = self.passkeys.remove(&it.passkey) {
            self.found.credentials.remove(&passkey.credential.0);
            self.found.passkeys_of.remove(&(it.account, it.passkey));
        }
        self.forget_codes(it.account);
        moment.tell(it.account, PasskeyRemoved { passkey: it.passkey });
        Ok(Reply::Done)
    }

    /// Whether this counter can come from the one authenticator there is; a copy is told of (§7.2, step 21).
    pub(super) fn is_no_copy(
        &self,
        moment: &mut Moment<'_>,
        account: u64,
        passkey: u64,
        shown: u32,
    ) -> Result<(), Refusal> {
        let known = self.passkey_of(account, passkey)?.counter;
        if goes_on(known, shown) {
            return Ok(());
        }
        moment.tell(account, PasskeyCloned { passkey, known, shown });
        Err(Refusal::PasskeyCloned)
    }

    pub(super) fn note_use(
        &mut self,
        moment: &mut Moment<'_>,
        passkey: u64,
        (counter, backed_up): (u32, bool),
        purpose: PasskeyUse,
    ) {
        let now = moment.now();
        let account = self.passkeys.change(&passkey, |passkey| {
            (passkey.counter, passkey.backed_up, passkey.used) = (counter, backed_up, Some(now));
            passkey.account
        });
        moment.tell(account.unwrap_or(0), PasskeyUsed { passkey, purpose });
    }

    pub(super) fn use_passkey(&mut self, moment: &mut Moment<'_>, it: UsePasskey) -> Outcome {
        self.may_log_on(moment, it.account)?;
        self.is_no_copy(moment, it.account, it.passkey, it.counter)?;
        self.note_use(moment, it.passkey, (it.counter, it.backed_up), PasskeyUse::Confirmation);
        Ok(Reply::Done)
    }

    pub(super) fn log_on_with_passkey(&mut self, moment: &mut Moment<'_>, it: LogOnWithPasskey) -> Outcome {
        moment.ahead(it.expires)?;
        self.may_log_on(moment, it.account)?;
        self.passkey_of(it.account, it.passkey)?;
        let purpose = match it.generation {
            Some(generation) => {
                self.is_present_password(it.account, generation)?;
                PasskeyUse::SecondFactor
            }
            None if it.user_verified => PasskeyUse::BothFactors,
            None => return Err(Refusal::SecondFactorNeeded),
        };
        self.check_device(&it.device)?;
        self.check_secret(it.secret)?;
        self.is_no_copy(moment, it.account, it.passkey, it.counter)?;
        self.note_use(moment, it.passkey, (it.counter, it.backed_up), purpose);
        self.accounts.change(&it.account, |account| (account.failures, account.locked_until) = (0, 0));
        let session = Session {
            account: it.account,
            client: None,
            scopes: None,
            secret: it.secret,
            refresh: None,
            device: it.device,
            started: moment.now(),
            authenticated: moment.now(),
            expires: it.expires,
        };
        Ok(Reply::Made(self.start_session(moment, session)))
    }
}
