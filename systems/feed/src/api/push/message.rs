//! What an app is told, and the request that tells a push service.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, header};
use serde_json::json;

use crate::api::error::Error;
use crate::api::service::Service;
use crate::push::encryption::{self, LONGEST, Receiver};
use crate::state::{Account, Notification, PushSubscription};
use crate::value::{AccountId, ItemId, NotificationKind, SECOND};

/// How long a push service keeps a message for a receiver who is away, from the moment of the notification on.
pub(super) const KEPT: i64 = 48 * 3_600;
/// Characters of a post that are told.
const BODY: usize = 140;

/// What is read first.
fn title(kind: NotificationKind, name: &str) -> String {
    match kind {
        NotificationKind::Mention => format!("{name} mentioned you"),
        NotificationKind::Status => format!("{name} just posted"),
        NotificationKind::Reblog => format!("{name} boosted your post"),
        NotificationKind::Follow => format!("{name} is now following you"),
        NotificationKind::FollowRequest => format!("{name} asks to follow you"),
        NotificationKind::Favourite => format!("{name} favourited your post"),
        NotificationKind::Poll => format!("A poll by {name} has ended"),
        NotificationKind::Update => format!("{name} edited a post"),
        NotificationKind::AdminSignUp => format!("{name} signed up"),
        NotificationKind::AdminReport => format!("{name} sent a report"),
        NotificationKind::Quote => format!("{name} quoted your post"),
        NotificationKind::QuotedUpdate => format!("{name} edited a post that you quoted"),
    }
}

/// The beginning of a text, with a mark that there is more.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(BODY) {
        None => text.to_owned(),
        Some(_) => {
            let cut = text.char_indices().nth(BODY - 1).map_or(text.len(), |(at, _)| at);
            format!("{}…", &text[..cut])
        }
    }
}

/// Who called and what for, as a name.
fn called(account: &Account) -> &str {
    Some(account.display_name.as_str()).filter(|name| !name.is_empty()).unwrap_or(&account.name)
}

impl Service {
    /// The message, as the documentation's server writes it; nothing when it is about what the account may not see (any more).
    pub(super) async fn push_message(
        &self,
        account: AccountId,
        id: ItemId,
        told: &Notification,
        token: &str,
    ) -> Result<Option<Vec<u8>>, Error> {
        let Some(from) = self.accounts(&[told.from]).await?.pop() else { return Ok(None) };
        let text = match told.post {
            None => from.note.clone(),
            Some(post) => {
                let show = move |feed: &crate::state::Feed| feed.show(post.post, Some(account));
                let Some(shown) = self.read(post.post.bucket(), show).await? else { return Ok(None) };
                if shown.post.spoiler.is_empty() { shown.post.text } else { shown.post.spoiler }
            }
        };
        let message = |body: String| {
            json!({
                "access_token": token,
                "preferred_locale": "en",
                "notification_id": id.0,
                "notification_type": told.kind.name(),
                "icon": self.account_json(&from)["avatar_static"],
                "title": title(told.kind, called(&from)),
                "body": body,
            })
            .to_string()
            .into_bytes()
        };
        let whole = message(shortened(&text));
        Ok(Some(if whole.len() > LONGEST { message(String::new()) } else { whole }))
    }

    /// The request that hands a message to a push service.
    pub(super) fn push_request(
        &self,
        row: &PushSubscription,
        service: &str,
        id: ItemId,
        told: &Notification,
        message: &[u8],
    ) -> Result<Request<Bytes>, String> {
        let said = |error: &dyn std::fmt::Display| error.to_string();
        let receiver = Receiver::new(&row.public, &row.auth).map_err(|error| said(&error))?;
        let now = self.now();
        let token = self.push.vapid.token(service, now / SECOND).map_err(|error| said(&error))?;
        let key = self.push.vapid.key();
        let mut headers = HeaderMap::new();
        let mut set = |name: &'static str, text: String| {
            let value = HeaderValue::try_from(text).map_err(|error| said(&error))?;
            headers.insert(name, value);
            Ok::<(), String>(())
        };
        set("content-type", "application/octet-stream".to_owned())?;
        set("ttl", (KEPT - (now - told.at) / SECOND).clamp(0, KEPT).to_string())?;
        set("urgency", "normal".to_owned())?;
        // The same notification again takes the place of the one before, while that is not read.
        set("topic", format!("n{id}"))?;
        let body = if row.standard {
            set("content-encoding", "aes128gcm".to_owned())?;
            set("authorization", format!("vapid t={token},k={key}"))?;
            encryption::encrypt(&receiver, message).map_err(|error| said(&error))?
        } else {
            let draft = encryption::encrypt_by_draft(&receiver, message).map_err(|error| said(&error))?;
            set("content-encoding", "aesgcm".to_owned())?;
            set("encryption", format!("salt={}", base64(&draft.salt)))?;
            set("crypto-key", format!("dh={};p256ecdsa={key}", base64(&draft.public)))?;
            set("authorization", format!("WebPush {token}"))?;
            draft.body
        };
        if let Some(value) = headers.get_mut(header::AUTHORIZATION) {
            value.set_sensitive(true);
        }
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = row.endpoint.parse().map_err(|error: http::uri::InvalidUri| said(&error))?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shortened(&"é".repeat(140)), "é".repeat(140));
        assert_eq!(shortened(&"é".repeat(141)), format!("{}…", "é".repeat(139)));
        assert_eq!(shortened(""), "");
    }
}
