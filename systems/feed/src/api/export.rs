//! What an account takes away: the lists that other servers read, as CSV in Mastodon's form, and an archive of all that is
//! its own.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::entity::status::Place;
use super::error::Error;
use super::service::{Me, Service, Shared};
use super::trends::seconds;
use crate::engine::tar;
use crate::state::{Listing, Window};
use crate::value::{AccountId, File, PostId};

/// Rows that one read looks at.
const AT_ONCE: usize = 200;
/// Pieces that may wait for a reader.
const WAITING: usize = 4;

type Pieces = mpsc::Sender<Result<Bytes, std::io::Error>>;

/// A value of a line.
fn cell(text: &str) -> String {
    // A value that a table program would take for a formula is made a text.
    let text =
        if text.starts_with(['=', '+', '-', '@', '\t']) { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

fn line<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    cells.into_iter().map(cell).collect::<Vec<_>>().join(",") + "\n"
}

impl Service {
    /// Everything in a listing of an account, the newest first.
    async fn whole(&self, account: AccountId, listing: Listing) -> Result<Vec<u64>, Error> {
        let (mut window, mut all) = (Window::newest(AT_ONCE), Vec::new());
        loop {
            let rows =
                self.read(account.bucket(), move |feed| feed.listing(listing, account.0, window)).await?;
            all.extend(rows.iter().map(|(_, subject)| *subject));
            match rows.last().filter(|_| rows.len() == AT_ONCE) {
                Some((place, _)) => window = window.after(*place),
                None => return Ok(all),
            }
        }
    }

    async fn names(&self, ids: Vec<u64>) -> Result<Vec<(AccountId, String)>, Error> {
        let ids: Vec<AccountId> = ids.into_iter().map(AccountId).collect();
        let accounts = self.all_accounts(&ids).await?.into_iter();
        Ok(accounts.map(|account| (account.id, format!("{}@{}", account.name, self.domain()))).collect())
    }

    async fn csv(&self, me: AccountId, name: &str) -> Result<String, Error> {
        let mut text = String::new();
        match name {
            "following_accounts.csv" => {
                text += "Account address,Show boosts,Notify on new posts,Languages\n";
                for (id, address) in self.names(self.whole(me, Listing::Following).await?).await? {
                    let how = self.read(me.bucket(), move |feed| feed.relation(me, id).following).await?;
                    let Some(how) = how else { continue };
                    let (reblogs, notify) = (how.reblogs.to_string(), how.notify.to_string());
                    text += &line([address.as_str(), &reblogs, &notify, &how.languages.join(", ")]);
                }
            }
            "followers.csv" => {
                text += "Account address\n";
                for (_, address) in self.names(self.whole(me, Listing::Followers).await?).await? {
                    text += &line([address.as_str()]);
                }
            }
            "muted_accounts.csv" => {
                text += "Account address,Hide notifications\n";
                for (id, address) in self.names(self.whole(me, Listing::Mutes).await?).await? {
                    let muting = self.read(me.bucket(), move |feed| feed.relation(me, id).muting).await?;
                    let hides = muting.is_some_and(|muting| muting.notifications).to_string();
                    text += &line([address.as_str(), &hides]);
                }
            }
            "blocked_accounts.csv" => {
                for (_, address) in self.names(self.whole(me, Listing::Blocks).await?).await? {
                    text += &line([address.as_str()]);
                }
            }
            "blocked_domains.csv" => {
                let window = Window::newest(usize::MAX);
                for (_, domain) in
                    self.read(me.bucket(), move |feed| feed.blocked_domains(me, window)).await?
                {
                    text += &line([domain.as_str()]);
                }
            }
            "lists.csv" => {
                let lists = self.read(me.bucket(), move |feed| {
                    let lists = feed.lists(me).into_iter();
                    lists.map(|list| (feed.members(list.id), list.title)).collect::<Vec<_>>()
                });
                for (members, title) in lists.await? {
                    for (_, address) in self.names(members.into_iter().map(|id| id.0).collect()).await? {
                        text += &line([title.as_str(), &address]);
                    }
                }
            }
            "bookmarks.csv" => {
                for address in self.addresses(me, Listing::Bookmarks).await? {
                    text += &line([address.as_str()]);
                }
            }
            _ => return Err(Error::not_found()),
        }
        Ok(text)
    }

    /// The addresses of the posts of a listing that the account may still see.
    async fn addresses(&self, me: AccountId, listing: Listing) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        for some in self.whole(me, listing).await?.chunks(40) {
            let ids: Vec<PostId> = some.iter().copied().map(PostId).collect();
            let shown = self.statuses(Some(me), &ids, Place::Account).await?;
            found.extend(shown.iter().filter_map(|status| status["uri"].as_str().map(str::to_owned)));
        }
        Ok(found)
    }

    /// Writes the archive, piece by piece, to whoever downloads it.
    async fn archive(&self, me: AccountId, out: &Pieces) -> Result<(), Error> {
        let account = self.account(me).await?;
        let mut profile = self.own_account_json(&account, 0);
        profile["followed_tags"] = self
            .read(me.bucket(), move |feed| feed.followed_tags(me))
            .await?
            .into_iter()
            .map(|(_, tag)| tag)
            .collect();
        self.pack(out, "profile.json", profile.to_string().as_bytes()).await?;
        for name in CSVS {
            let text = self.csv(me, name).await?;
            self.pack(out, name, text.as_bytes()).await?;
        }
        let likes = json!(self.addresses(me, Listing::Favourites).await?);
        self.pack(out, "likes.json", likes.to_string().as_bytes()).await?;
        let mut files = [account.avatar, account.header].concat();
        let (mut window, mut part) = (Window { rising: true, ..Window::newest(AT_ONCE) }, 0);
        loop {
            let entries = self.read(me.bucket(), move |feed| feed.written(me, window)).await?;
            let ids: Vec<PostId> = entries.iter().map(|entry| entry.post).collect();
            if !ids.is_empty() {
                part += 1;
                let posts: Vec<Value> = self.archived(me, &ids, &mut files).await?;
                let name = format!("posts/{part:06}.json");
                self.pack(out, &name, Value::from(posts).to_string().as_bytes()).await?;
            }
            match entries.last().filter(|_| entries.len() == AT_ONCE) {
                Some(last) => window = window.after(last.post.0),
                None => break,
            }
        }
        files.sort_by(|one, other| one.blob.cmp(&other.blob));
        files.dedup_by(|one, other| one.blob == other.blob);
        for file in &files {
            self.pack_file(out, file).await?;
        }
        send(out, Bytes::from_static(&tar::END)).await
    }

    /// Posts as they are kept, with their text; notes their files.
    async fn archived(
        &self,
        me: AccountId,
        ids: &[PostId],
        files: &mut Vec<File>,
    ) -> Result<Vec<Value>, Error> {
        let asked = ids.to_vec();
        let posts = self.read(me.bucket(), move |feed| {
            asked.into_iter().filter_map(|id| feed.post(id)).collect::<Vec<_>>()
        });
        let posts = posts.await?;
        let shown = self.statuses_at(Some(me), ids, Place::Account).await?;
        let mut all = Vec::new();
        for (id, json) in ids.iter().zip(shown) {
            // A reblog of what is gone says nothing any more.
            let (Some(mut json), Some(post)) = (json, posts.iter().find(|post| post.id == *id)) else {
                continue;
            };
            json["text"] = post.text.clone().into();
            let media = post.media.iter().flat_map(|media| [&media.original, &media.small]);
            files.extend(media.flatten().cloned());
            all.push(json);
        }
        Ok(all)
    }

    async fn pack(&self, out: &Pieces, name: &str, content: &[u8]) -> Result<(), Error> {
        send(out, Bytes::from(tar::header(name, content.len() as u64, seconds(self.now())))).await?;
        send(out, Bytes::copy_from_slice(content)).await?;
        send(out, Bytes::from(tar::padding(content.len() as u64))).await
    }

    async fn pack_file(&self, out: &Pieces, file: &File) -> Result<(), Error> {
        let Ok(id) = file.blob.parse() else { return Ok(()) };
        // What is not there any more is left out.
        let Ok(mut object) = self.blobs.get(id).await else { return Ok(()) };
        let name = format!("media/{}.{}", file.blob, file.extension);
        send(out, Bytes::from(tar::header(&name, object.bytes, seconds(self.now())))).await?;
        while let Some(piece) = object.pieces.next().await {
            send(out, piece.map_err(|_| Error::later("A file cannot be read"))?).await?;
        }
        send(out, Bytes::from(tar::padding(object.bytes))).await
    }
}

const CSVS: [&str; 7] = [
    "following_accounts.csv",
    "followers.csv",
    "muted_accounts.csv",
    "blocked_accounts.csv",
    "blocked_domains.csv",
    "lists.csv",
    "bookmarks.csv",
];

async fn send(out: &Pieces, piece: Bytes) -> Result<(), Error> {
    out.send(Ok(piece)).await.map_err(|_| Error::later("The reader is gone"))
}

fn download(name: &str, kind: &'static str, body: axum::body::Body) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    if let Ok(shown) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, shown);
    }
    response
}

/// `GET /api/v1/exports/{name}`: this server's own, as Mastodon has these on a page of its site.
pub(super) async fn csv(
    State(service): State<Shared>,
    Path(name): Path<String>,
    me: Me,
) -> Result<Response, Error> {
    let text = service.csv(me.id, &name).await?;
    Ok(download(&name, "text/csv; charset=utf-8", text.into()))
}

/// `GET /api/v1/exports/archive.tar`.
pub(super) async fn archive(State(service): State<Shared>, me: Me) -> Response {
    let (out, mut pieces) = mpsc::channel(WAITING);
    let name = format!("{}.tar", me.principal.name);
    tokio::spawn(async move {
        let written = service.archive(me.id, &out).await;
        if let Err(error) = written {
            tracing::warn!(?error, "an archive is not finished");
            // The reader must not take a part for the whole.
            let _ = out.send(Err(std::io::Error::other("not finished"))).await;
        }
    });
    let body = futures_util::stream::poll_fn(move |context| pieces.poll_recv(context));
    download(&name, "application/x-tar", axum::body::Body::from_stream(body))
}
