//! Push subscriptions: one for each access token.

pub(super) mod deliver;
mod message;

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use decalog_outbound::Client;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Value, json};

use super::error::Error;
use super::params::Params;
use super::service::{Me, Service, Settings, Shared};
use crate::command::{ChangePush, RemovePush, SetPush};
use crate::keys::Keys;
use crate::push::encryption::Receiver;
use crate::push::vapid::{self, Vapid};
use crate::state::PushSubscription;
use crate::value::{AccountId, NotificationKind, PushPolicy};

/// The longest address that is pushed to.
const ENDPOINT: usize = 2_048;

/// What pushing takes: the server's key, the key that tokens are sealed with, and who calls.
#[derive(Debug)]
pub(crate) struct Push {
    pub(crate) vapid: Vapid,
    tokens: LessSafeKey,
    client: Client,
}

impl Push {
    pub(crate) fn new(keys: &Keys, settings: &Settings, client: Client) -> std::io::Result<Push> {
        let contact = match settings.contact.as_str() {
            "" => settings.base.clone(),
            contact => format!("mailto:{contact}"),
        };
        let vapid = Vapid::new(&keys.get("vapid", vapid::generate)?, contact)?;
        let tokens = keys.random("push-tokens", AES_256_GCM.key_len())?;
        let tokens = UnboundKey::new(&AES_256_GCM, &tokens).map_err(std::io::Error::other)?;
        Ok(Push { vapid, tokens: LessSafeKey::new(tokens), client })
    }

    /// Seals a token for its session: a nonce, then what is sealed. So it stands in the log and the tables.
    fn seal(&self, account: AccountId, session: u64, token: &str) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut sealed = token.as_bytes().to_vec();
        let of = Aad::from(place(account, session));
        self.tokens.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), of, &mut sealed).ok()?;
        Some([&nonce[..], &sealed].concat())
    }

    /// Opens what was sealed.
    fn open(&self, account: AccountId, session: u64, sealed: &[u8]) -> Option<String> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut token = rest.to_vec();
        let of = Aad::from(place(account, session));
        let opened = self.tokens.open_in_place(Nonce::assume_unique_for_key(*nonce), of, &mut token).ok()?;
        String::from_utf8(opened.to_vec()).ok()
    }
}

/// Where a token belongs.
fn place(account: AccountId, session: u64) -> [u8; 16] {
    let mut place = [0; 16];
    place[..8].copy_from_slice(&account.0.to_be_bytes());
    place[8..].copy_from_slice(&session.to_be_bytes());
    place
}

/// Bytes in base64 of either alphabet, padded or not: clients differ.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let text = text.trim().trim_end_matches('=').replace('-', "+").replace('_', "/");
    STANDARD_NO_PAD.decode(text).ok()
}

/// What is told, and caused by whom.
fn wanted(params: &Params) -> Result<(BTreeSet<NotificationKind>, PushPolicy), Error> {
    let data = params.within("data").unwrap_or_default();
    let alerts = data.within("alerts").unwrap_or_default();
    let alerts = NotificationKind::ALL.into_iter().filter(|kind| alerts.is(kind.name())).collect();
    let policy = match data.words("policy").or_else(|| params.words("policy")) {
        None => PushPolicy::default(),
        Some(name) => PushPolicy::parse(&name)
            .ok_or_else(|| Error::invalid("Policy is none of all, followed, follower, none"))?,
    };
    Ok((alerts, policy))
}

impl Service {
    fn push_json(&self, row: &PushSubscription) -> Value {
        let alerts = NotificationKind::ALL.into_iter();
        let alerts = alerts.map(|kind| (kind.name().to_owned(), row.alerts.contains(&kind).into()));
        json!({
            "id": row.id.to_string(),
            "endpoint": row.endpoint,
            "standard": row.standard,
            "server_key": self.push.vapid.public(),
            "alerts": Value::Object(alerts.collect()),
            "policy": row.policy.name(),
        })
    }

    async fn own_push(&self, me: &Me) -> Result<Json<Value>, Error> {
        let (account, session) = (me.id, me.principal.session);
        let row = self.read(account.bucket(), move |feed| feed.push(account, session)).await?;
        Ok(Json(self.push_json(&row.ok_or_else(Error::not_found)?)))
    }
}

pub(super) async fn subscribe(
    State(service): State<Shared>,
    me: Me,
    headers: HeaderMap,
    params: Params,
) -> Result<Json<Value>, Error> {
    let (account, session) = (me.id, me.principal.session);
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '));
    let token =
        token.map(|(_, token)| token.trim()).filter(|_| service.identity.session_lives(account.0, session));
    let token = token.ok_or_else(|| Error::new(StatusCode::FORBIDDEN, "This takes an access token"))?;
    let given = params.within("subscription").unwrap_or_default();
    let endpoint = given.words("endpoint").ok_or_else(|| Error::invalid("Endpoint can't be blank"))?;
    if endpoint.len() > ENDPOINT {
        return Err(Error::invalid(format!("Endpoint is too long (maximum is {ENDPOINT} characters)")));
    }
    service.push.client.origin(&endpoint).map_err(|why| Error::invalid(format!("Endpoint: {why}")))?;
    let keys = given.within("keys").unwrap_or_default();
    let key = |name: &str, what: &str| {
        let text = keys.words(name).ok_or_else(|| Error::invalid(format!("{what} can't be blank")))?;
        bytes(&text).ok_or_else(|| Error::invalid(format!("{what} is not base64")))
    };
    let (public, auth) = (key("p256dh", "Key p256dh")?, key("auth", "Key auth")?);
    Receiver::new(&public, &auth).map_err(Error::invalid)?;
    let (alerts, policy) = wanted(&params)?;
    let standard = given.is("standard");
    let token = service.push.seal(account, session, token);
    let token = token.ok_or_else(|| Error::later("The server cannot keep this now"))?;
    let set = SetPush { account, session, endpoint, public, auth, standard, alerts, policy, token };
    service.ask(account, account.bucket(), set).await?;
    service.own_push(&me).await
}

pub(super) async fn show(State(service): State<Shared>, me: Me) -> Result<Json<Value>, Error> {
    service.own_push(&me).await
}

pub(super) async fn update(
    State(service): State<Shared>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let (account, session) = (me.id, me.principal.session);
    let (alerts, policy) = wanted(&params)?;
    service.ask(account, account.bucket(), ChangePush { account, session, alerts, policy }).await?;
    service.own_push(&me).await
}

pub(super) async fn delete(State(service): State<Shared>, me: Me) -> Result<Json<Value>, Error> {
    let (account, session) = (me.id, me.principal.session);
    service.ask(account, account.bucket(), RemovePush { account, session, only: None }).await?;
    Ok(Json(json!({})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_in_either_alphabet_padded_or_not() {
        for text in ["-_8=", "+/8=", "-_8", "+/8", " +/8= "] {
            assert_eq!(bytes(text).as_deref(), Some(&[0xfb, 0xff][..]), "{text}");
        }
        assert_eq!(bytes("a"), None);
        assert_eq!(bytes("a*bc"), None);
    }
}
