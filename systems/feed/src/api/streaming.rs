//! Live streams: what happens is told as it happens, over WebSocket (many streams on one connection) or as server-sent
//! events (one each).
//!
//! A stream is fed by signals, which name a post or a notification; what is told of it is read then, as the reader sees it.
//! Who is too slow is cut off, and asks for what they missed.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use decalog_gateway::access::{Credential, Principal, Scope};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OnceCell, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::entity::rendered::Rendered;
use super::entity::status::Place;
use super::error::Error;
use super::params::Params;
use super::service::{Me, Service, Shared};
use crate::engine::text;
use crate::projection::homes::{Heard, News, Signal};
use crate::state::Window;
use crate::value::{AccountId, Entry, ItemId, Notice, PostId, Visibility};

/// How often an idle reader is told that the connection lives.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long one message may take to leave.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// Messages that may wait for a reader.
const WAITING: usize = 64;
/// Streams on one connection.
const STREAMS: usize = 100;
/// The longest message of a client.
const INBOUND: usize = 4_096;

/// A stream that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    /// The home timeline and notifications, or only those.
    User { only_notifications: bool },
    /// Everything public, or what of it has something to look at.
    Public { only_media: bool },
    /// What is public and has a tag.
    Tag(String),
    /// A list.
    List(ItemId),
    /// Conversations.
    Direct,
    /// What comes from other servers: nothing.
    Remote,
}

impl Wanted {
    /// Reads the name of a stream, with what it is about.
    fn read(name: &str, params: &Params) -> Result<Wanted, Error> {
        Ok(match name {
            "user" => Wanted::User { only_notifications: false },
            "user:notification" => Wanted::User { only_notifications: true },
            "public" | "public:local" => Wanted::Public { only_media: params.is("only_media") },
            "public:media" | "public:local:media" => Wanted::Public { only_media: true },
            "public:remote" | "public:remote:media" => Wanted::Remote,
            "hashtag" | "hashtag:local" => {
                let tag = params.words("tag").ok_or_else(|| bad("No tag for stream provided"))?;
                Wanted::Tag(text::normalize_tag(&tag))
            }
            "list" => {
                let id = params.items("list").first().copied();
                Wanted::List(id.ok_or_else(|| bad("No list for stream provided"))?)
            }
            "direct" => Wanted::Direct,
            _ => return Err(bad("Unknown stream type")),
        })
    }

    /// What a token must be allowed; nothing where nobody need be signed in.
    fn needs(&self) -> Option<Scope> {
        match self {
            Wanted::User { only_notifications: true } => Some(Scope("read:notifications")),
            Wanted::User { .. } | Wanted::Direct => Some(Scope("read:statuses")),
            Wanted::List(_) => Some(Scope("read:lists")),
            Wanted::Public { .. } | Wanted::Tag(_) | Wanted::Remote => None,
        }
    }

    /// Whether who asks may have it.
    fn allow(&self, who: Option<&Principal>) -> Result<(), Error> {
        match (self.needs(), who) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(Error::new(StatusCode::UNAUTHORIZED, "Missing access token")),
            (Some(scope), Some(who)) if who.scopes.holds(scope) => Ok(()),
            _ => Err(Error::new(StatusCode::FORBIDDEN, "Access token does not have the required scopes")),
        }
    }

    /// How a WebSocket message names it.
    fn names(&self, given: &str) -> Vec<String> {
        match self {
            Wanted::Tag(tag) => vec![given.to_owned(), tag.clone()],
            Wanted::List(list) => vec![given.to_owned(), list.to_string()],
            _ => vec![given.to_owned()],
        }
    }
}

fn bad(words: &'static str) -> Error {
    Error::new(StatusCode::BAD_REQUEST, words)
}

/// What is told.
#[derive(Clone, Debug)]
struct Told {
    event: &'static str,
    payload: Option<String>,
}

/// The reader is gone, or was cut off.
struct Over;

/// A stream on its way to a reader.
struct Feeding {
    service: Shared,
    viewer: Option<AccountId>,
    out: mpsc::Sender<Told>,
}

impl Feeding {
    /// Ends what is fed to somebody whom moderators have suspended meanwhile.
    async fn tell(&self, event: &'static str, payload: Option<String>) -> Result<(), Over> {
        if self.viewer.is_some_and(|viewer| self.service.is_suspended(viewer)) {
            return Err(Over);
        }
        match timeout(SEND_TIMEOUT, self.out.send(Told { event, payload })).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Over),
        }
    }

    /// Tells of a post, if the viewer may see it here.
    async fn post(&self, event: &'static str, post: PostId, place: Place) -> Result<(), Over> {
        match self.shown(post, place).await {
            Some(text) => self.tell(event, Some(text)).await,
            None => Ok(()),
        }
    }

    /// A post, if the viewer may see it here.
    async fn shown(&self, post: PostId, place: Place) -> Option<String> {
        // What cannot be read now is missed, as by somebody who was away.
        let shown = self.service.rendered(self.viewer, &[post], place).await.unwrap_or_default();
        shown.into_iter().next().map(Rendered::text)
    }

    /// Tells what is the same for all streams of an account, and made for the first of them.
    async fn tell_once(
        &self,
        event: &'static str,
        told: &OnceCell<Option<String>>,
        make: impl Future<Output = Option<String>>,
    ) -> Result<(), Over> {
        match told.get_or_init(|| make).await {
            Some(text) => self.tell(event, Some(text.clone())).await,
            None => Ok(()),
        }
    }

    async fn user(&self, account: AccountId, only_notifications: bool) -> Result<(), Over> {
        let (mut signals, mut notices) = (self.service.homes.listen(account), self.service.homes.notices());
        if !only_notifications {
            // It is kept from now on; who listens need not have read it.
            let _ = self.service.home_page(account, Window::newest(1)).await;
        }
        loop {
            let heard = tokio::select! {
                heard = signals.recv() => heard.map_err(|_| Over)?,
                notice = notices.recv() => {
                    let notice = notice.map_err(|_| Over)?;
                    if !only_notifications {
                        self.notice(notice).await?;
                    }
                    continue;
                }
            };
            let told = &*heard.told;
            match heard.signal {
                Signal::Notified(id) => {
                    self.tell_once("notification", told, self.notification(account, id)).await?;
                }
                Signal::Merged => self.tell("notifications_merged", Some("1".to_owned())).await?,
                _ if only_notifications => {}
                Signal::Came(post) => {
                    self.tell_once("update", told, self.shown(post, Place::Home)).await?;
                }
                Signal::Changed(post) => {
                    self.tell_once("status.update", told, self.shown(post, Place::Home)).await?;
                }
                Signal::Gone(post) => self.tell("delete", Some(post.to_string())).await?,
                Signal::Filters => self.tell("filters_changed", None).await?,
                Signal::Forgotten => {
                    let _ = self.service.home_page(account, Window::newest(1)).await;
                }
                Signal::Conversed(_) => {}
            }
        }
    }

    async fn notice(&self, notice: Notice) -> Result<(), Over> {
        match notice {
            Notice::Announced(id) => match self.service.streamed_announcement(id).await {
                Some(shown) => self.tell("announcement", Some(shown.to_string())).await,
                None => Ok(()),
            },
            Notice::Withdrawn(id) => self.tell("announcement.delete", Some(id.to_string())).await,
            Notice::Reacted(id, name, count) => {
                let shown = self.service.streamed_reaction(id, &name, count);
                self.tell("announcement.reaction", Some(shown.to_string())).await
            }
        }
    }

    async fn notification(&self, account: AccountId, id: ItemId) -> Option<String> {
        let window = Window::only(id.0);
        let told = self.service.read(account.bucket(), move |feed| feed.notifications(account, window)).await;
        let shown = self.service.notifications_json(account, &told.ok()?).await.unwrap_or_default();
        shown.first().map(ToString::to_string)
    }

    async fn direct(&self, account: AccountId) -> Result<(), Over> {
        let mut signals = self.service.homes.listen(account);
        loop {
            match signals.recv().await {
                Ok(Heard { signal: Signal::Conversed(id), .. }) => {
                    let row = self.service.read(account.bucket(), move |feed| {
                        feed.conversations(account).into_iter().find(|(known, _)| *known == id)
                    });
                    let Ok(Some(row)) = row.await else { continue };
                    for shown in self.service.conversations_json(account, &[row]).await.unwrap_or_default() {
                        self.tell("conversation", Some(shown.to_string())).await?;
                    }
                }
                Ok(_) => {}
                Err(RecvError::Lagged(_) | RecvError::Closed) => return Err(Over),
            }
        }
    }

    /// What is told of every post, as far as it is wanted.
    async fn news(&self, place: Place, want: impl Fn(&Entry) -> bool) -> Result<(), Over> {
        let mut news = self.service.homes.news();
        loop {
            match news.recv().await {
                Ok(News::Written(entry)) if want(&entry) => self.post("update", entry.post, place).await?,
                Ok(News::Written(_)) => {}
                Ok(News::Changed(post)) => {
                    let entry = self.entry(post.post).await;
                    if entry.is_some_and(|entry| want(&entry)) {
                        self.post("status.update", post.post, place).await?;
                    }
                }
                // Whoever never had it ignores it.
                Ok(News::Gone(post)) => self.tell("delete", Some(post.post.to_string())).await?,
                Err(RecvError::Lagged(_) | RecvError::Closed) => return Err(Over),
            }
        }
    }

    async fn entry(&self, post: PostId) -> Option<Entry> {
        let post = self.service.read(post.bucket(), move |feed| feed.post(post)).await.ok()??;
        Some(post.entry())
    }

    async fn list(&self, account: AccountId, list: ItemId) -> Result<(), Over> {
        let members = self.service.read(account.bucket(), move |feed| {
            feed.list(account, list).map(|_| feed.members(list).into_iter().collect::<BTreeSet<_>>())
        });
        let Ok(Some(members)) = members.await else { return Err(Over) };
        let want = |entry: &Entry| {
            members.contains(&entry.author)
                && entry.visibility != Visibility::Direct
                && entry
                    .reply_to
                    .is_none_or(|to| to == entry.author || to == account || members.contains(&to))
        };
        self.news(Place::Home, want).await
    }

    async fn run(self, wanted: Wanted) {
        let public = |entry: &Entry| {
            entry.visibility == Visibility::Public
                && entry.reblog_of.is_none()
                && entry.reply_to.is_none_or(|to| to == entry.author)
                && self.service.is_shown_to_all(entry.author)
        };
        let feed = async {
            match (wanted, self.viewer) {
                (Wanted::User { only_notifications }, Some(me)) => self.user(me, only_notifications).await,
                (Wanted::Direct, Some(me)) => self.direct(me).await,
                (Wanted::List(list), Some(me)) => self.list(me, list).await,
                (Wanted::Public { only_media }, _) => {
                    self.news(Place::Public, |entry| public(entry) && (!only_media || entry.media)).await
                }
                (Wanted::Tag(tag), _) => {
                    let tagged = |entry: &Entry| {
                        let here = entry.visibility == Visibility::Public && entry.reblog_of.is_none();
                        here && entry.tags.contains(&tag) && self.service.is_shown_to_all(entry.author)
                    };
                    self.news(Place::Public, tagged).await
                }
                _ => std::future::pending().await,
            }
        };
        // However it ends, the reader sees the connection close; and a reader who is gone ends it.
        tokio::select! {
            _ = feed => {}
            () = self.out.closed() => {}
        }
    }
}

pub(super) async fn health() -> &'static str {
    "OK"
}

/// `/api/v1/streaming/public/local` and so on: server-sent events.
pub(super) async fn events(
    State(service): State<Shared>,
    Path(name): Path<String>,
    headers: HeaderMap,
    me: Option<Me>,
    params: Params,
) -> Result<Response, Error> {
    let name = name.replace('/', ":");
    let wanted = Wanted::read(&name, &params)?;
    let who = service.who(me, &headers, &params).await?;
    wanted.allow(who.as_ref().map(|me| &*me.principal))?;
    let (out, told) = mpsc::channel(WAITING);
    let feeding = Feeding { service, viewer: who.map(|me| me.id), out };
    tokio::spawn(feeding.run(wanted));
    let events = stream::unfold(told, |mut told| async move {
        let Told { event, payload } = told.recv().await?;
        let sent = Sent::default().event(event).data(payload.unwrap_or_default());
        Some((Ok::<_, Infallible>(sent), told))
    });
    let alive = KeepAlive::new().interval(HEARTBEAT).text("thump");
    Ok(Sse::new(events).keep_alive(alive).into_response())
}

impl Service {
    /// Who asks: by the header that every route takes, or as streams may, in the query or as a subprotocol.
    async fn who(&self, me: Option<Me>, headers: &HeaderMap, params: &Params) -> Result<Option<Me>, Error> {
        if me.is_some() {
            return Ok(me);
        }
        let protocol = headers.get(header::SEC_WEBSOCKET_PROTOCOL).and_then(|value| value.to_str().ok());
        let token = params.words("access_token").or(protocol.map(str::to_owned));
        let Some(token) = token else { return Ok(None) };
        let principal = self.identity.authenticator().authenticate(Credential::Bearer(&token));
        let principal = principal.ok().filter(|who| who.has_account());
        let principal =
            principal.ok_or_else(|| Error::new(StatusCode::UNAUTHORIZED, "Invalid access token"))?;
        self.enter(principal).await.map(Some)
    }
}

/// `/api/v1/streaming`: a WebSocket with as many streams as the client asks for.
pub(super) async fn socket(
    State(service): State<Shared>,
    headers: HeaderMap,
    me: Option<Me>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    params: Params,
) -> Result<Response, Error> {
    let upgrade = upgrade.map_err(|_| Error::new(StatusCode::UPGRADE_REQUIRED, "This is a WebSocket"))?;
    let who = service.who(me, &headers, &params).await?;
    let first = match params.words("stream") {
        None => None,
        Some(name) => {
            let wanted = Wanted::read(&name, &params)?;
            wanted.allow(who.as_ref().map(|me| &*me.principal))?;
            Some((name, wanted))
        }
    };
    // A token that was shown as a subprotocol is agreed to, else browsers end the connection.
    let shown = headers.get(header::SEC_WEBSOCKET_PROTOCOL).and_then(|value| value.to_str().ok());
    let upgrade = match shown {
        Some(token) => upgrade.protocols([token.to_owned()]),
        None => upgrade,
    };
    let upgrade = upgrade.max_message_size(INBOUND).max_frame_size(INBOUND);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let (out, told) = mpsc::channel(WAITING);
        let mut connection = Connection { service, who, streams: BTreeMap::new(), out };
        if let Some((name, wanted)) = first {
            connection.begin(&name, wanted);
        }
        connection.serve(socket, told).await;
    }))
}

/// A connection with its streams.
struct Connection {
    service: Shared,
    who: Option<Me>,
    streams: BTreeMap<Wanted, JoinHandle<()>>,
    out: mpsc::Sender<Value>,
}

impl Connection {
    fn begin(&mut self, name: &str, wanted: Wanted) {
        if self.streams.contains_key(&wanted) || self.streams.len() >= STREAMS {
            return;
        }
        let (out, mut told) = mpsc::channel::<Told>(WAITING);
        let viewer = self.who.as_ref().map(|me| me.id);
        let feeding = Feeding { service: Arc::clone(&self.service), viewer, out };
        let (names, to, run) = (wanted.names(name), self.out.clone(), feeding.run(wanted.clone()));
        let task = tokio::spawn(async move {
            let forward = async {
                while let Some(Told { event, payload }) = told.recv().await {
                    let mut message = json!({ "stream": names, "event": event });
                    if let Some(payload) = payload {
                        message["payload"] = payload.into();
                    }
                    if to.send(message).await.is_err() {
                        return;
                    }
                }
                // The stream has ended by itself: so does the connection.
                let _ = to.send(Value::Null).await;
            };
            tokio::join!(run, forward);
        });
        self.streams.insert(wanted, task);
    }

    /// What a client asks for; the refusal is a message, too.
    fn asked(&mut self, text: &str) -> Result<(), Error> {
        let Ok(Value::Object(asked)) = serde_json::from_str(text) else { return Err(bad("No JSON object")) };
        let params = Params::of(asked);
        let name = params.words("stream").unwrap_or_default();
        let wanted = Wanted::read(&name, &params)?;
        match params.words("type").as_deref() {
            Some("subscribe") => {
                wanted.allow(self.who.as_ref().map(|me| &*me.principal))?;
                self.begin(&name, wanted);
            }
            Some("unsubscribe") => {
                if let Some(task) = self.streams.remove(&wanted) {
                    task.abort();
                }
            }
            _ => return Err(bad("Unknown message type")),
        }
        Ok(())
    }

    async fn serve(mut self, mut socket: WebSocket, mut told: mpsc::Receiver<Value>) {
        let mut ping = tokio::time::interval(HEARTBEAT);
        ping.reset();
        let mut answered = true;
        loop {
            let message = tokio::select! {
                message = told.recv() => match message {
                    None | Some(Value::Null) => return,
                    Some(message) => Message::Text(message.to_string().into()),
                },
                received = socket.recv() => {
                    answered = true;
                    match received {
                        None | Some(Err(_) | Ok(Message::Close(_))) => return,
                        Some(Ok(Message::Text(text))) => match self.asked(&text) {
                            Ok(()) => continue,
                            Err(why) => Message::Text(why.to_json().to_string().into()),
                        },
                        Some(Ok(_)) => continue,
                    }
                },
                _ = ping.tick() => {
                    if !std::mem::take(&mut answered) {
                        return;
                    }
                    Message::Ping(Vec::new().into())
                }
            };
            if !matches!(timeout(SEND_TIMEOUT, socket.send(message)).await, Ok(Ok(()))) {
                return;
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.streams.values().for_each(JoinHandle::abort);
    }
}
