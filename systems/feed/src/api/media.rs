//! Attachments: uploaded, made safe, kept in the blob store, described, and served.

use std::path::Path as FilePath;
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use decalog_blob::{BlobError, BlobId};
use futures_util::{Stream, StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::error::Error;
use super::params::{Params, Upload};
use super::service::{Me, Service, Shared, no_room};
use crate::command::{AddMedia, ChangeMedia, FinishMedia, RemoveMedia, Reply};
use crate::media::{Format, Holds, Job, Kind, Made, Refused, Shape, recognise};
use crate::value::{AccountId, File, ItemId, Media, MediaKind, Upload as Kept};

/// How long an upload's answer waits for what is made of it; then the client asks again.
const PATIENCE: Duration = Duration::from_secs(4);
/// Bytes of a file by which its type is told.
const HEAD: usize = 4_096;
/// Bytes of a file that are read at once.
const PIECE: usize = 64 * 1024;
/// The longest description, in characters.
const DESCRIPTION: usize = 1_500;
/// What everybody may keep, as a file never changes under its name.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

fn refused(why: &Refused) -> Error {
    if let Some(log) = why.log() {
        tracing::info!(%why, log, "an upload is refused");
    }
    match why.is_temporary() {
        true => Error::later(why.to_string()),
        false => Error::invalid(why),
    }
}

async fn recognised(path: &FilePath) -> Result<Format, Error> {
    let mut head = vec![0; HEAD];
    let mut file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let mut length = 0;
    while length < HEAD {
        match file.read(&mut head[length..]).await.map_err(unreadable)? {
            0 => break,
            read => length += read,
        }
    }
    recognise(&head[..length]).map_err(|why| refused(&why))
}

fn unreadable(error: std::io::Error) -> Error {
    tracing::warn!(%error, "an upload cannot be read");
    Error::later("The server cannot read this file now")
}

/// A file, piece by piece.
fn pieces(file: tokio::fs::File) -> impl Stream<Item = std::io::Result<bytes::Bytes>> + Send {
    stream::try_unfold(file, |mut file| async move {
        let mut piece = BytesMut::with_capacity(PIECE);
        let read = file.read_buf(&mut piece).await?;
        Ok((read > 0).then(|| (piece.freeze(), file)))
    })
}

/// `x,y`, each from -1 to 1.
fn focus(params: &Params) -> Option<(f32, f32)> {
    point(&params.words("focus")?)
}

fn point(text: &str) -> Option<(f32, f32)> {
    let (x, y) = text.split_once(',')?;
    let read = |text: &str| text.trim().parse::<f32>().ok().filter(|number| number.is_finite());
    Some((read(x)?.clamp(-1.0, 1.0), read(y)?.clamp(-1.0, 1.0)))
}

fn description(params: &Params) -> Result<Option<String>, Error> {
    let text = params.words("description");
    if text.as_ref().is_some_and(|text| text.chars().count() > DESCRIPTION) {
        return Err(Error::invalid(format!("Description is too long (maximum is {DESCRIPTION} characters)")));
    }
    Ok(text)
}

impl Service {
    /// Puts a file that was made into the store.
    async fn keep(&self, made: &Made) -> Result<File, Error> {
        let file = tokio::fs::File::open(&made.path).await.map_err(unreadable)?;
        Ok(File {
            blob: self.put(file).await?,
            mime: made.format.mime().to_owned(),
            extension: made.format.extension().to_owned(),
        })
    }

    async fn put(&self, file: tokio::fs::File) -> Result<String, Error> {
        let stored = self.blobs.put(pieces(file)).await.map_err(|error| {
            tracing::warn!(%error, "a file cannot be kept");
            Error::later("The server cannot keep this file now")
        })?;
        Ok(stored.id.to_string())
    }

    /// A picture of a profile.
    pub(crate) async fn portrait(&self, upload: &Upload, shape: Shape) -> Result<Vec<File>, Error> {
        let format = recognised(&upload.path()).await?;
        let folder = self.folder()?;
        let made = self.workshop.portrait(&upload.path(), format, folder.path(), shape).await;
        let made = made.map_err(|why| refused(&why))?;
        let mut files = vec![self.keep(&made.original).await?];
        if let Some(still) = &made.static_ {
            files.push(self.keep(still).await?);
        }
        Ok(files)
    }

    /// Makes files of an upload and finishes its attachment; one of which nothing can be made is taken away.
    async fn finish(self: Arc<Self>, work: Work) -> Result<(), Error> {
        match self.make(&work).await {
            Ok(finish) => self.ask(work.me, work.me.bucket(), finish).await?,
            Err(why) => {
                let remove = RemoveMedia { account: work.me, media: work.media };
                self.ask(work.me, work.me.bucket(), remove).await?;
                return Err(why);
            }
        };
        Ok(())
    }

    async fn make(&self, work: &Work) -> Result<FinishMedia, Error> {
        let Files { kind, original, small, meta, blurhash } =
            self.made(&work.file, work.format, work.focus, work.thumbnail.as_ref()).await?;
        Ok(FinishMedia { account: work.me, media: work.media, kind, original, small, meta, blurhash })
    }

    /// Makes files of an upload and keeps them.
    async fn made(
        &self,
        file: &Upload,
        format: Format,
        focus: Option<(f32, f32)>,
        thumbnail: Option<&Upload>,
    ) -> Result<Files, Error> {
        let folder = self.folder()?;
        let thumbnail = thumbnail.map(Upload::path);
        let job = Job { input: file.path(), format, focus, thumbnail, out: folder.path().to_owned() };
        let made = self.workshop.process(job).await.map_err(|why| refused(&why))?;
        let small = match &made.small {
            Some(small) => Some(self.keep(small).await?),
            None => None,
        };
        Ok(Files {
            kind: match made.kind {
                Kind::Image => MediaKind::Image,
                Kind::Gifv => MediaKind::Gifv,
                Kind::Video => MediaKind::Video,
                Kind::Audio => MediaKind::Audio,
            },
            original: self.keep(&made.original).await?,
            small,
            meta: serde_json::to_string(&made.meta).unwrap_or_default(),
            blurhash: made.blurhash,
        })
    }

    /// Keeps what was sent, so that a stop does not lose it.
    async fn keep_upload(&self, me: AccountId, media: ItemId, sent: Sent) -> Result<(), Error> {
        let file = self.put(sent.file).await?;
        let thumbnail = match sent.thumbnail {
            Some(thumbnail) => Some(self.put(thumbnail).await?),
            None => None,
        };
        let upload = Some(Kept { file, thumbnail, focus: sent.focus });
        let (description, meta, small) = (None, None, None);
        let keep = ChangeMedia { account: me, media, description, meta, small, upload };
        match self.ask(me, me.bucket(), keep).await {
            // Nothing could be made of it meanwhile: who asks for it is told that it is not there.
            Err(error) if error.is_not_found() => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// A kept upload, as it was sent.
    async fn fetched(&self, blob: &str) -> Result<Upload, Error> {
        let id: BlobId = blob.parse().map_err(|_| Error::not_found())?;
        let mut object = self.blobs.get(id).await.map_err(missing)?;
        let file = self.upload()?;
        let mut open = tokio::fs::File::from_std(file.reopen().map_err(no_room)?);
        while let Some(piece) = object.pieces.next().await {
            open.write_all(&piece.map_err(missing)?).await.map_err(no_room)?;
        }
        open.flush().await.map_err(no_room)?;
        Ok(Upload { field: String::new(), file, bytes: object.bytes })
    }

    /// Takes up the making of an attachment that a stop has ended.
    async fn take_up(&self, me: AccountId, media: ItemId) -> Result<(), Error> {
        let row = self.read(me.bucket(), move |feed| feed.media(me, media)).await?;
        let Some(kept) = row.and_then(|row| row.upload) else { return Ok(()) };
        let file = self.fetched(&kept.file).await?;
        let thumbnail = match &kept.thumbnail {
            Some(thumbnail) => Some(self.fetched(thumbnail).await?),
            None => None,
        };
        let format = recognised(&file.path()).await?;
        let focus = kept.focus.as_deref().and_then(point);
        let work = Work { me, media, file, thumbnail, format, focus };
        let finish = self.make(&work).await?;
        self.ask(me, me.bucket(), finish).await.map(drop)
    }

    async fn own_media(&self, me: AccountId, id: &str) -> Result<Media, Error> {
        let id = ItemId::parse(id).ok_or_else(Error::not_found)?;
        let row = self.read(me.bucket(), move |feed| feed.media(me, id)).await?;
        Ok(row.ok_or_else(Error::not_found)?.media)
    }
}

/// What was made of an upload, in the store.
struct Files {
    kind: MediaKind,
    original: File,
    small: Option<File>,
    meta: String,
    blurhash: Option<String>,
}

/// What was sent, open: whoever makes something of it may take it away meanwhile.
struct Sent {
    file: tokio::fs::File,
    thumbnail: Option<tokio::fs::File>,
    focus: Option<String>,
}

impl Sent {
    async fn open(file: &Upload, thumbnail: Option<&Upload>, focus: Option<String>) -> Result<Sent, Error> {
        let file = tokio::fs::File::open(file.path()).await.map_err(unreadable)?;
        let thumbnail = match thumbnail {
            Some(thumbnail) => Some(tokio::fs::File::open(thumbnail.path()).await.map_err(unreadable)?),
            None => None,
        };
        Ok(Sent { file, thumbnail, focus })
    }
}

/// How long the making of attachments that a stop has ended waits when it cannot go on.
const RESUME_PAUSE: Duration = Duration::from_secs(5);
/// Attachments of which one read tells.
const AT_ONCE: usize = 100;

/// Goes on, one after the other, with the attachments that were being made when the server stopped.
pub(super) async fn resume(service: Weak<Service>) {
    let places = service.upgrade().map_or(0, |service| service.places());
    for place in 0..places {
        let mut after = None;
        while let Some(service) = service.upgrade() {
            let some = service.read_place(place, move |feed| feed.unfinished(after, AT_ONCE)).await;
            let Ok(some) = some else {
                tokio::time::sleep(RESUME_PAUSE).await;
                continue;
            };
            for (me, media) in &some {
                go_on(&service, *me, *media).await;
            }
            match some.last() {
                Some(last) => after = Some(*last),
                None => break,
            }
        }
    }
}

async fn go_on(service: &Arc<Service>, me: AccountId, media: ItemId) {
    loop {
        match service.take_up(me, media).await {
            Ok(()) => return,
            Err(error) if error.is_later() => tokio::time::sleep(RESUME_PAUSE).await,
            Err(error) => {
                tracing::info!(error = %error.to_json(), "an upload that a stop has interrupted is given up");
                let remove = RemoveMedia { account: me, media };
                // If that fails, it goes when it has waited long enough.
                let _ = service.ask(me, me.bucket(), remove).await;
                return;
            }
        }
    }
}

/// An upload on its way to be an attachment.
struct Work {
    me: AccountId,
    media: ItemId,
    file: Upload,
    thumbnail: Option<Upload>,
    format: Format,
    focus: Option<(f32, f32)>,
}

pub(super) async fn upload(
    State(service): State<Shared>,
    me: Me,
    mut params: Params,
) -> Result<Response, Error> {
    let file = params.upload("file").ok_or_else(|| Error::invalid("File can't be blank"))?;
    let thumbnail = params.upload("thumbnail");
    let format = recognised(&file.path()).await?;
    let (description, focus) = (description(&params)?, focus(&params));
    // What it is in the end, the workshop says.
    let add = AddMedia { account: me.id, kind: MediaKind::Image, description };
    let Reply::Made(id) = service.ask(me.id, me.id.bucket(), add).await? else {
        return Err(Error::not_found());
    };
    let sent = Sent::open(&file, thumbnail.as_ref(), params.words("focus")).await?;
    let work = Work { me: me.id, media: id, file, thumbnail, format, focus };
    let mut working = tokio::spawn(Arc::clone(&service).finish(work));
    match tokio::time::timeout(PATIENCE, &mut working).await {
        Ok(Ok(outcome)) => outcome?,
        Ok(Err(_)) => return Err(Error::later("The server could not convert the file")),
        // It goes on, also when the server is stopped meanwhile; the client asks again.
        Err(_) => service.keep_upload(me.id, id, sent).await?,
    }
    let media = service.own_media(me.id, &id.to_string()).await?;
    let status = if media.original.is_some() { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(service.media_json(&media, false))).into_response())
}

pub(super) async fn show(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Response, Error> {
    let media = service.own_media(me.id, &id).await?;
    let status = if media.original.is_some() { StatusCode::OK } else { StatusCode::PARTIAL_CONTENT };
    Ok((status, Json(service.media_json(&media, false))).into_response())
}

pub(super) async fn update(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
    mut params: Params,
) -> Result<Json<Value>, Error> {
    let media = service.own_media(me.id, &id).await?;
    let (focus, picture) = (focus(&params), params.upload("thumbnail"));
    if media.original.is_none() && (focus.is_some() || picture.is_some()) {
        return Err(Error::invalid("The file is still being processed. Try again in a moment!"));
    }
    let meta = focus.map(|(x, y)| {
        let mut meta: Value = serde_json::from_str(&media.meta).unwrap_or_else(|_| json!({}));
        meta["focus"] = json!({ "x": x, "y": y });
        meta.to_string()
    });
    let small = match picture {
        Some(picture) => {
            let made = service.made(&picture, recognised(&picture.path()).await?, None, None).await?;
            Some(made.small.unwrap_or(made.original))
        }
        None => None,
    };
    let described = params.has("description");
    let description = described.then(|| description(&params)).transpose()?.map(Option::unwrap_or_default);
    let change = ChangeMedia { account: me.id, media: media.id, description, meta, small, upload: None };
    service.ask(me.id, me.id.bucket(), change).await?;
    Ok(Json(service.media_json(&service.own_media(me.id, &id).await?, false)))
}

pub(super) async fn delete(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let media = ItemId::parse(&id).ok_or_else(Error::not_found)?;
    service.ask(me.id, me.id.bucket(), RemoveMedia { account: me.id, media }).await?;
    Ok(Json(json!({})))
}

/// A part of a file that is asked for (RFC 9110 section 14.2): one range of bytes; anything else asks for all of it.
fn part(headers: &HeaderMap, bytes: u64) -> Result<Option<std::ops::Range<u64>>, ()> {
    let Some(text) = headers.get(header::RANGE).and_then(|text| text.to_str().ok()) else { return Ok(None) };
    let Some(spec) = text.strip_prefix("bytes=").filter(|spec| !spec.contains(',')) else { return Ok(None) };
    let Some((from, to)) = spec.split_once('-') else { return Ok(None) };
    let range = match (from.trim().parse::<u64>(), to.trim().parse::<u64>()) {
        (Ok(from), Ok(to)) if from <= to => from..bytes.min(to.saturating_add(1)),
        (Ok(from), Err(_)) if to.trim().is_empty() => from..bytes,
        (Err(_), Ok(last)) if from.trim().is_empty() => bytes.saturating_sub(last)..bytes,
        _ => return Ok(None),
    };
    if range.start >= bytes || range.is_empty() { Err(()) } else { Ok(Some(range)) }
}

/// A file cannot be read.
fn missing(error: BlobError) -> Error {
    match error {
        BlobError::Missing { .. } => Error::not_found(),
        error => {
            tracing::warn!(%error, "a file cannot be read");
            Error::later("The server cannot read this file now")
        }
    }
}

/// Who may keep a file: everybody, or whoever was shown its address, for as long as that holds.
fn kept(holds: Holds) -> String {
    match holds {
        Holds::ForEver => FOR_EVER.to_owned(),
        Holds::For(seconds) => format!("private, max-age={seconds}, immutable"),
    }
}

/// The end of an address.
#[derive(Debug, serde::Deserialize)]
pub(super) struct End {
    until: Option<i64>,
}

/// A file of the store, by its content's name and with the ending of its kind, under an address that the server made.
pub(super) async fn serve(
    State(service): State<Shared>,
    Path((code, name)): Path<(String, String)>,
    end: Result<Query<End>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let Ok(Query(End { until })) = end else { return Err(Error::not_found()) };
    let holds = service.addresses.check(&code, &name, until, service.now() / crate::value::SECOND);
    let holds = holds.ok_or_else(Error::not_found)?;
    let (blob, extension) = name.split_once('.').ok_or_else(Error::not_found)?;
    let id: BlobId = blob.parse().map_err(|_| Error::not_found())?;
    let mime = Format::mime_of(extension).ok_or_else(Error::not_found)?;
    let tag = format!("\"{id}\"");
    let known = headers.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    if known.is_some_and(|known| known == "*" || known.split(',').any(|one| one.trim() == tag)) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    let bytes = service.blobs.length(id).await.map_err(missing)?;
    let Ok(part) = part(&headers, bytes) else {
        let range = HeaderValue::try_from(format!("bytes */{bytes}"))
            .unwrap_or(HeaderValue::from_static("bytes */0"));
        return Ok((StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_RANGE, range)]).into_response());
    };
    let whole = part.is_none();
    let range = part.unwrap_or(0..bytes);
    let object = service.blobs.get_range(id, range.clone()).await.map_err(missing)?;
    let status = if whole { StatusCode::OK } else { StatusCode::PARTIAL_CONTENT };
    let mut response = (status, Body::from_stream(object.pieces)).into_response();
    let answer = response.headers_mut();
    let text = |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    answer.insert(header::CONTENT_TYPE, HeaderValue::from_static(mime));
    answer.insert(header::CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
    answer.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    answer.insert(header::ETAG, text(tag));
    answer.insert(header::CACHE_CONTROL, text(kept(holds)));
    answer.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    if !whole {
        answer
            .insert(header::CONTENT_RANGE, text(format!("bytes {}-{}/{bytes}", range.start, range.end - 1)));
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_served_and_whatever_is_none_is_the_whole() {
        let asked = |text: &'static str| {
            part(&HeaderMap::from_iter([(header::RANGE, HeaderValue::from_static(text))]), 10)
        };
        for (text, expected) in [
            ("bytes=0-3", Ok(Some(0..4))),
            ("bytes=4-", Ok(Some(4..10))),
            ("bytes=-3", Ok(Some(7..10))),
            ("bytes=-30", Ok(Some(0..10))),
            ("bytes=8-99", Ok(Some(8..10))),
            ("bytes=10-", Err(())),
            ("bytes=-0", Err(())),
            ("bytes=3-2", Ok(None)),
            ("bytes=0-1,3-4", Ok(None)),
            ("lines=1-2", Ok(None)),
            ("bytes=a-b", Ok(None)),
        ] {
            assert_eq!(asked(text), expected, "{text}");
        }
        assert_eq!(part(&HeaderMap::new(), 10), Ok(None));
    }
}
