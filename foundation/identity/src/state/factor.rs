//! The second factor: a TOTP secret that counts once confirmed, passkeys (`passkey.rs`), and recovery codes for when the
//! others are lost.

use std::collections::BTreeSet;

use super::{Directory, Moment, Outcome, Totp};
use crate::command::{ConfirmTotp, EnrolTotp, Refusal, RemoveTotp, Reply, SetRecoveryCodes};
use crate::event::{RecoveryCodesChanged, TotpChanged};
use crate::value::Hash;

/// Recovery codes of one account.
const MOST_CODES: usize = 20;

pub(super) fn check_codes(codes: &BTreeSet<Hash>) -> Result<(), Refusal> {
    if codes.len() <= MOST_CODES { Ok(()) } else { Err(Refusal::TooMany) }
}

impl Directory {
    /// Whether the password alone is not enough.
    pub fn has_second_factor(&self, account: u64) -> bool {
        let totp = self.account(account).and_then(|account| account.totp.as_ref());
        totp.is_some_and(|totp| totp.active) || self.passkeys_of(account).next().is_some()
    }

    /// Recovery codes stand for a second factor: without one there are none.
    pub(super) fn forget_codes(&mut self, account: u64) {
        if !self.has_second_factor(account) {
            self.accounts.change(&account, |account| account.recovery.clear());
        }
    }

    pub(super) fn enrol_totp(&mut self, _moment: &mut Moment<'_>, it: EnrolTotp) -> Outcome {
        if !(16..=64).contains(&it.secret.0.len()) {
            return Err(Refusal::Invalid);
        }
        if self.open(it.account)?.totp.as_ref().is_some_and(|totp| totp.active) {
            return Err(Refusal::TotpExists);
        }
        self.accounts.change(&it.account, |account| {
            account.totp = Some(Totp { secret: it.secret, last_step: 0, active: false });
        });
        Ok(Reply::Done)
    }

    pub(super) fn confirm_totp(&mut self, moment: &mut Moment<'_>, it: ConfirmTotp) -> Outcome {
        check_codes(&it.recovery)?;
        let totp = self.open(it.account)?.totp.as_ref().ok_or(Refusal::NoTotp)?;
        if totp.active {
            return Err(Refusal::TotpExists);
        }
        let left = it.recovery.len() as u64;
        self.accounts.change(&it.account, |account| {
            account.recovery = it.recovery;
            if let Some(totp) = &mut account.totp {
                (totp.active, totp.last_step) = (true, it.step);
            }
        });
        moment.tell(it.account, TotpChanged { active: true });
        moment.tell(it.account, RecoveryCodesChanged { left });
        Ok(Reply::Done)
    }

    pub(super) fn remove_totp(&mut self, moment: &mut Moment<'_>, it: RemoveTotp) -> Outcome {
        self.open(it.account)?.totp.as_ref().ok_or(Refusal::NoTotp)?;
        self.accounts.change(&it.account, |account| account.totp = None);
        self.forget_codes(it.account);
        moment.tell(it.account, TotpChanged { active: false });
        Ok(Reply::Done)
    }

    pub(super) fn set_recovery_codes(&mut self, moment: &mut Moment<'_>, it: SetRecoveryCodes) -> Outcome {
        check_codes(&it.recovery)?;
        self.open(it.account)?;
        if !self.has_second_factor(it.account) {
            return Err(Refusal::NoTotp);
        }
        let left = it.recovery.len() as u64;
        self.accounts.change(&it.account, |account| account.recovery = it.recovery);
        moment.tell(it.account, RecoveryCodesChanged { left });
        Ok(Reply::Done)
    }
}
