//! Who was recognised by a provider signs in: their account is found or opened, and what else it asks for is asked for.
//!
//! Only the issuer and the subject say who that is. An e-mail address or a name that an account has, too, opens nothing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Accounts, Beside, Known};
use crate::api::challenge::{NoChallenge, Purpose};
use crate::api::credential::{Got, Shown};
use crate::api::logon::{NoLogon, Wish};
use crate::api::random;
use crate::api::service::{Identity, Trouble};
use crate::command::{
    Factor, LinkProvider, LogOnWithProvider, OpenWithProvider, Refusal, Reply, SecondFactor,
};
use crate::engine::id_token::Claims;
use crate::engine::webauthn::Asserted;
use crate::value::Device;

/// Names that are tried for a new account, one after the other, before a random one.
const ATTEMPTS: u32 = 20;
/// The longest name that is taken from a provider: room is left for a number.
const LONGEST_NAME: usize = 48;

/// A provider's word that was given, while the second factor is awaited. There is none but for whom a provider has just
/// recognised in this browser: what is asked for next (and a passkey's challenge, above all) is given to nobody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    account: u64,
    link: u64,
}

impl Ticket {
    pub(crate) fn account(self) -> u64 {
        self.account
    }

    pub(crate) fn link(self) -> u64 {
        self.link
    }

    /// What a passkey that is shown with it signs.
    pub(crate) fn purpose(self) -> Purpose {
        Purpose::AfterProvider { account: self.account, link: self.link }
    }

    fn carried(self) -> Purpose {
        Purpose::Ticket { account: self.account, link: self.link }
    }
}

/// Why somebody who was recognised is not signed in.
#[derive(Debug)]
pub(crate) enum NotIn {
    /// Nobody has linked an account to them, and none is opened.
    Unknown,
    /// The account asks for more.
    SecondFactorNeeded(Ticket),
    /// As with any logon.
    Logon(NoLogon),
}

impl From<Trouble> for NotIn {
    fn from(trouble: Trouble) -> Self {
        NotIn::Logon(NoLogon::Trouble(trouble))
    }
}

/// A login name out of what a provider calls somebody; `None` when nothing is left of it.
fn name_of(claims: &Claims) -> Option<String> {
    let local =
        claims.verified_email.as_ref().and_then(|email| email.split_once('@')).map(|(local, _)| local);
    let tidy = |text: &str| {
        let text = text.split('@').next().unwrap_or_default().to_lowercase();
        let fits =
            |letter: &char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "._-".contains(*letter);
        let name: String = text.chars().filter(fits).take(LONGEST_NAME).collect();
        let name = name.trim_matches(['.', '_', '-']).to_owned();
        (!name.is_empty()).then_some(name)
    };
    claims.preferred_username.as_deref().and_then(tidy).or_else(|| local.and_then(tidy))
}

impl Identity {
    /// The link of somebody at a provider, an account opened for them when strangers are welcome; and whether it was.
    async fn link_of(&self, provider: &Known, claims: &Claims) -> Result<(Ticket, bool), NotIn> {
        if let Some(known) = self.known_link(provider, claims).await? {
            return Ok((known, false));
        }
        if provider.settings.accounts == Accounts::Linked {
            return Err(NotIn::Unknown);
        }
        let wanted = name_of(claims).unwrap_or_else(|| "user".to_owned());
        for attempt in 1..=ATTEMPTS + 1 {
            let name = match attempt {
                1 => wanted.clone(),
                2..=ATTEMPTS => format!("{wanted}-{attempt}"),
                _ => format!("{wanted}-{}", random::readable(1, 10)),
            };
            let open = OpenWithProvider {
                name: name.clone(),
                roles: ["user".to_owned()].into(),
                issuer: provider.settings.issuer.clone(),
                subject: claims.subject.clone(),
            };
            match self.ask(0, &name, open).await {
                Err(Trouble::Refused(Refusal::NameTaken)) => {}
                // Two of their browsers came at the same time: there is a link now.
                Ok(_) | Err(Trouble::Refused(Refusal::LinkTaken)) => break,
                Err(trouble) => return Err(trouble.into()),
            }
        }
        let known = self.known_link(provider, claims).await?;
        known.map(|known| (known, true)).ok_or(NotIn::Unknown)
    }

    async fn known_link(&self, provider: &Known, claims: &Claims) -> Result<Option<Ticket>, Trouble> {
        let (issuer, subject) = (provider.settings.issuer.clone(), claims.subject.clone());
        self.read(move |state| {
            let (link, found) = state.link_of_subject(&issuer, &subject)?;
            Some(Ticket { account: found.account, link })
        })
        .await
    }

    /// Signs in whoever a provider recognised; answers whether an account was opened for them.
    pub(crate) async fn log_on_with_provider(
        &self,
        provider: &Known,
        claims: &Claims,
        device: Device,
        wish: Wish,
    ) -> Result<bool, NotIn> {
        let (ticket, opened) = self.link_of(provider, claims).await?;
        let beside = match provider.settings.second_factor {
            Beside::Ask => SecondFactor::Shown(Factor::None),
            Beside::Trusted => SecondFactor::LeftToProvider,
        };
        self.enter(ticket, beside, device, wish).await?;
        Ok(opened)
    }

    /// Begins the session.
    async fn enter(
        &self,
        ticket: Ticket,
        beside: SecondFactor,
        device: Device,
        wish: Wish,
    ) -> Result<(), NotIn> {
        let Ticket { account, link } = ticket;
        let known = self.read(move |state| {
            state.account(account).map(|it| (it.name.clone(), it.failures, it.locked_until))
        });
        let Some((name, failures, locked_until)) = known.await? else { return Err(NotIn::Unknown) };
        let until = self.failures.locked_until(account, failures, locked_until);
        if until > self.now() {
            return Err(NotIn::Logon(NoLogon::Later(until)));
        }
        let log_on = LogOnWithProvider {
            account,
            link,
            beside,
            secret: wish.secret,
            device,
            expires: self.now() + wish.lifetime,
        };
        let answer = self.ask(account, &name, log_on).await;
        if let Err(Trouble::Refused(Refusal::SecondFactorNeeded)) = answer {
            return Err(NotIn::SecondFactorNeeded(ticket));
        }
        self.session(account, answer).await.map_err(NotIn::Logon)?;
        Ok(())
    }

    /// What a page carries while the second factor is awaited: it counts in this browser, for five minutes.
    pub(crate) fn carry_ticket(&self, ticket: Ticket, holder: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.challenges.give(ticket.carried(), holder, self.now()))
    }

    /// Reads what a page carried.
    pub(crate) fn read_ticket(
        &self,
        account: u64,
        link: u64,
        carried: &str,
        holder: &str,
    ) -> Result<Ticket, NoChallenge> {
        let ticket = Ticket { account, link };
        let proof = URL_SAFE_NO_PAD.decode(carried).unwrap_or_default();
        self.challenges.check(&proof, ticket.carried(), holder, self.now()).map(|()| ticket)
    }

    /// Goes on with a code.
    pub(crate) async fn complete_with_code(
        &self,
        ticket: Ticket,
        code: Option<&str>,
        device: Device,
        wish: Wish,
    ) -> Result<(), NotIn> {
        let factor = match self.code_of(ticket.account, code).await {
            Ok(factor) => factor,
            Err(NoLogon::SecondFactorNeeded { .. }) => return Err(NotIn::SecondFactorNeeded(ticket)),
            Err(why) => return Err(NotIn::Logon(why)),
        };
        self.enter(ticket, SecondFactor::Shown(factor), device, wish).await
    }

    /// Goes on with a passkey.
    pub(crate) async fn complete_with_passkey(
        &self,
        ticket: Ticket,
        shown: &Shown<Got>,
        holder: &str,
        device: Device,
        wish: Wish,
    ) -> Result<(), NotIn> {
        let recognised = self.passkey_after_provider(ticket, shown, holder).await;
        let (passkey, asserted) = recognised.map_err(NotIn::Logon)?;
        let Asserted { counter, backed_up, .. } = asserted;
        self.enter(ticket, SecondFactor::Passkey { passkey, counter, backed_up }, device, wish).await
    }

    /// Links whoever a provider recognised to an account whose owner asked for it.
    pub(crate) async fn link(
        &self,
        provider: &Known,
        claims: &Claims,
        account: u64,
        name: &str,
    ) -> Result<Reply, Trouble> {
        let link = LinkProvider {
            account,
            issuer: provider.settings.issuer.clone(),
            subject: claims.subject.clone(),
        };
        self.ask(account, name, link).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::is_name;

    #[test]
    fn a_name_is_made_of_what_the_provider_says() {
        let claims = |username: Option<&str>, email: Option<&str>| Claims {
            subject: "1".to_owned(),
            preferred_username: username.map(str::to_owned),
            verified_email: email.map(str::to_owned),
        };
        let long = "x".repeat(200);
        for (username, email, name) in [
            (Some("Ada.Lovelace"), None, Some("ada.lovelace")),
            (Some("ada@example.org"), None, Some("ada")),
            (Some("Ада"), Some("ada@example.org"), Some("ada")),
            (None, Some("Ada+news@example.org"), Some("adanews")),
            (Some("--"), None, None),
            (None, None, None),
            (Some("<b>x</b>"), None, Some("bxb")),
            (Some(&*long), None, Some(&long[..48])),
        ] {
            let made = name_of(&claims(username, email));
            assert_eq!(made.as_deref(), name, "{username:?} {email:?}");
            assert!(
                made.is_none_or(
                    |name| is_name(&name) && is_name(&format!("{name}-{}", random::readable(1, 10)))
                )
            );
        }
    }
}
