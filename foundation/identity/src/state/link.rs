//! Links: who somebody is at an outside OpenID Connect provider, and which account that opens.
//!
//! Nothing makes a link but its owner, or the opening of an account for it. That a provider knows the e-mail address or
//! the name of an account says nothing here: whoever can have such an address there would take the account over.

use serde::{Deserialize, Serialize};

use super::{Directory, Moment, Outcome, Session};
use crate::command::{
    Factor, LinkProvider, LogOnWithProvider, OpenAccount, OpenWithProvider, Refusal, Reply, SecondFactor,
    UnlinkProvider,
};
use crate::event::{ProviderLinked, ProviderUnlinked, ProviderUsed};
use crate::sabotage::{self, Sabotage};
use crate::value::PasskeyUse;

/// Links of one account.
const MOST_LINKS: usize = 20;
/// The longest issuer, in bytes.
const LONGEST_ISSUER: usize = 500;
/// The longest subject, in bytes (OpenID Connect Core, 2).
const LONGEST_SUBJECT: usize = 255;

/// Somebody at a provider, and the account that they sign in to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The account.
    pub account: u64,
    /// The provider (`iss`).
    pub issuer: String,
    /// Who that is there (`sub`).
    pub subject: String,
    /// When it was made.
    pub linked: i64,
    /// When it was used last.
    pub used: Option<i64>,
}

impl Directory {
    /// Every link, by id.
    pub fn links(&self) -> impl Iterator<Item = (u64, &Link)> {
        self.links.rows().iter().map(|(id, link)| (*id, link))
    }

    /// An account's links, oldest first.
    pub fn links_of(&self, account: u64) -> impl Iterator<Item = (u64, &Link)> {
        let ids = self.found.links_of.range((account, 0)..=(account, u64::MAX));
        ids.filter_map(|(_, id)| self.links.get(id).map(|link| (*id, link)))
    }

    /// The link of whoever this is at this provider.
    pub fn link_of_subject(&self, issuer: &str, subject: &str) -> Option<(u64, &Link)> {
        let id = *self.found.subjects.get(&(issuer.to_owned(), subject.to_owned()))?;
        self.links.get(&id).map(|link| (id, link))
    }

    /// A link.
    pub fn link(&self, id: u64) -> Option<&Link> {
        self.links.get(&id)
    }

    fn own_link(&self, account: u64, link: u64) -> Result<&Link, Refusal> {
        self.links.get(&link).filter(|link| link.account == account).ok_or(Refusal::UnknownLink)
    }

    /// Whether this can be linked to an account.
    fn may_be_linked(&self, issuer: &str, subject: &str) -> Result<(), Refusal> {
        let fits =
            (1..=LONGEST_ISSUER).contains(&issuer.len()) && (1..=LONGEST_SUBJECT).contains(&subject.len());
        if !fits {
            return Err(Refusal::Invalid);
        }
        let taken = self.link_of_subject(issuer, subject).is_some();
        if taken { Err(Refusal::LinkTaken) } else { Ok(()) }
    }

    fn add_link(&mut self, moment: &mut Moment<'_>, account: u64, issuer: String, subject: String) -> u64 {
        let id = self.ids.next(moment.at.time, moment.at.bucket).0;
        self.found.subjects.insert((issuer.clone(), subject.clone()), id);
        self.found.links_of.insert((account, id));
        moment.tell(account, ProviderLinked { link: id, issuer: issuer.clone(), subject: subject.clone() });
        self.links.put(id, Link { account, issuer, subject, linked: moment.now(), used: None });
        id
    }

    pub(super) fn link_provider(&mut self, moment: &mut Moment<'_>, it: LinkProvider) -> Outcome {
        if self.open(it.account)?.service {
            return Err(Refusal::Invalid);
        }
        self.may_be_linked(&it.issuer, &it.subject)?;
        if self.links_of(it.account).count() >= MOST_LINKS {
            return Err(Refusal::TooMany);
        }
        Ok(Reply::Made(self.add_link(moment, it.account, it.issuer, it.subject)))
    }

    pub(super) fn unlink_provider(&mut self, moment: &mut Moment<'_>, it: UnlinkProvider) -> Outcome {
        self.own_link(it.account, it.link)?;
        let has_password = self.open(it.account)?.password.is_some();
        let others = self.links_of(it.account).count() + self.passkeys_of(it.account).count();
        if !has_password && others == 1 {
            return Err(Refusal::LastCredential);
        }
        if let Some(link) = self.links.remove(&it.link) {
            self.found.links_of.remove(&(it.account, it.link));
            self.found.subjects.remove(&(link.issuer.clone(), link.subject));
            moment.tell(it.account, ProviderUnlinked { link: it.link, issuer: link.issuer });
        }
        Ok(Reply::Done)
    }

    pub(super) fn open_with_provider(&mut self, moment: &mut Moment<'_>, it: OpenWithProvider) -> Outcome {
        self.may_be_linked(&it.issuer, &it.subject)?;
        let open = OpenAccount { name: it.name, password: None, roles: it.roles, service: false };
        let opened = self.open_account(moment, open)?;
        if let Reply::Made(account) = opened {
            self.add_link(moment, account, it.issuer, it.subject);
        }
        Ok(opened)
    }

    /// Takes what was shown beside a provider's word; changes nothing when it is not right.
    fn use_second_factor(
        &mut self,
        moment: &mut Moment<'_>,
        account: u64,
        beside: SecondFactor,
    ) -> Result<(), Refusal> {
        match beside {
            SecondFactor::LeftToProvider => Ok(()),
            SecondFactor::Shown(Factor::None) if sabotage::lacks(Sabotage::ProviderFactor) => Ok(()),
            SecondFactor::Shown(factor) => self.use_factor(moment, account, factor),
            SecondFactor::Passkey { passkey, counter, backed_up } => {
                self.is_no_copy(moment, account, passkey, counter)?;
                self.note_use(moment, passkey, (counter, backed_up), PasskeyUse::SecondFactor);
                Ok(())
            }
        }
    }

    pub(super) fn log_on_with_provider(&mut self, moment: &mut Moment<'_>, it: LogOnWithProvider) -> Outcome {
        moment.ahead(it.expires)?;
        self.may_log_on(moment, it.account)?;
        let issuer = self.own_link(it.account, it.link)?.issuer.clone();
        self.check_device(&it.device)?;
        self.check_secret(it.secret)?;
        self.use_second_factor(moment, it.account, it.beside)?;
        let now = moment.now();
        self.links.change(&it.link, |link| link.used = Some(now));
        self.accounts.change(&it.account, |account| (account.failures, account.locked_until) = (0, 0));
        moment.tell(it.account, ProviderUsed { link: it.link, issuer });
        let session = Session {
            account: it.account,
            client: None,
            scopes: None,
            secret: it.secret,
            refresh: None,
            device: it.device,
            started: now,
            authenticated: now,
            expires: it.expires,
        };
        Ok(Reply::Made(self.start_session(moment, session)))
    }
}
