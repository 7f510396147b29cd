//! Posts: written, changed, taken back, and shown.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use decalog_runtime::Digest;
use serde_json::{Value, json};

use super::entity::rendered::{Object, Rendered};
use super::entity::status::Place;
use super::entity::{moment, read_moment};
use super::error::Error;
use super::interactions::take_reblog_back;
use super::page::Page;
use super::params::Params;
use super::quotes::asked_policy;
use super::service::{Me, Service, Shared};
use crate::command::{DeletePost, Draft, EditPost, Publish, Reply};
use crate::engine::text::{self, Kind};
use crate::state::{Listing, Post, Shown, Window};
use crate::value::{AccountId, Application, Mention, Poll, PollOption, PostId, SECOND, Visibility};

/// Names looked up in one post.
const MENTIONS: usize = 50;
/// Attachments of one post.
const MEDIA: usize = 4;
/// Answers of one poll, and the characters of one.
pub(crate) const OPTIONS: usize = 4;
pub(crate) const OPTION_LENGTH: usize = 50;
/// How long a poll may be open, in seconds.
pub(crate) const POLL_SECONDS: std::ops::RangeInclusive<i64> = 300..=2_629_746;
/// How soon a scheduled post may be published.
const SOONEST: i64 = 300 * SECOND;
/// Posts of a thread that are shown: before and after.
const ANCESTORS: usize = 200;
const DESCENDANTS: usize = 1_000;

pub(crate) fn post_id(text: &str) -> Result<PostId, Error> {
    PostId::parse(text).ok_or_else(Error::not_found)
}

impl Service {
    /// A post that a viewer may see; of a reblog, what it reblogs.
    pub(crate) async fn seen(&self, viewer: Option<AccountId>, id: &str) -> Result<Shown, Error> {
        let id = post_id(id)?;
        let shown = self.read(id.bucket(), move |feed| feed.show(id, viewer)).await?;
        let shown = shown.ok_or_else(Error::not_found)?;
        match shown.post.reblog_of {
            None => Ok(shown),
            Some(of) => {
                let original = self.read(of.post.bucket(), move |feed| feed.show(of.post, viewer)).await?;
                original.ok_or_else(Error::not_found)
            }
        }
    }

    /// The accounts that a text names, each once.
    pub(crate) async fn mentions(&self, words: &str) -> Result<Vec<Mention>, Error> {
        let mut names: Vec<String> = Vec::new();
        for piece in text::scan(words) {
            if let Kind::Mention { name, domain } = piece.kind
                && domain.is_none_or(|domain| domain.eq_ignore_ascii_case(self.domain()))
            {
                let name = name.to_lowercase();
                if !names.contains(&name) && names.len() < MENTIONS {
                    names.push(name);
                }
            }
        }
        let mut found: Vec<Mention> = Vec::new();
        for name in names {
            match self.named(&name).await {
                Ok(account) if self.is_suspended(account.id) => {}
                Ok(account) => found.push(Mention { account: account.id, name: account.name }),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// What a request wants to post.
    async fn draft(&self, me: &Me, params: &Params, before: Option<&Post>) -> Result<Draft, Error> {
        let account = self.account(me.id).await?;
        let words = params.text("status").unwrap_or_default();
        let spoiler = params.text("spoiler_text").unwrap_or_default();
        let media = params.items("media_ids");
        if media.len() > MEDIA {
            return Err(Error::invalid("Cannot attach more than 4 files"));
        }
        let poll = self.poll(params, before)?;
        let quotes = params.has("quoted_status_id") || before.is_some_and(|post| post.quote.is_some());
        if words.trim().is_empty() && media.is_empty() && poll.is_none() && !quotes {
            return Err(Error::invalid("Text can't be blank"));
        }
        if poll.is_some() && !media.is_empty() {
            return Err(Error::invalid("Cannot attach files to a post with a poll"));
        }
        let most = self.settings.max_characters;
        // Counting looks at every character: what is far too long is not counted.
        if words.len() + spoiler.len() > most * 40 || text::count(&words, &spoiler) > most {
            return Err(Error::invalid(format!("Text character limit of {most} exceeded")));
        }
        let visibility = match params.words("visibility") {
            None => before.map_or(account.defaults.visibility, |post| post.visibility),
            Some(name) => Visibility::parse(&name)
                .ok_or_else(|| Error::invalid("Visibility is not included in the list"))?,
        };
        let parent = match (params.words("in_reply_to_id"), before) {
            (Some(id), None) => {
                Some(self.seen(Some(me.id), &id).await.map_err(|error| match error.is_not_found() {
                    true => Error::new(
                        StatusCode::NOT_FOUND,
                        "The post you are trying to reply to does not appear to exist.",
                    ),
                    false => error,
                })?)
            }
            _ => None,
        };
        let mentions = self.mentions(&words).await?;
        let plain = poll.is_none() && media.is_empty();
        let (quote, visibility) = match before {
            Some(_) => (None, visibility),
            None => self.quote(me.id, params, visibility, &mentions, plain).await?,
        };
        let quote_policy = asked_policy(params)?.unwrap_or(account.defaults.quote_policy);
        let language = params.text("language").filter(|code| is_language(code));
        let sensitive = params.flag("sensitive").unwrap_or(account.defaults.sensitive);
        Ok(Draft {
            sensitive: sensitive || !spoiler.is_empty(),
            language: language.or(account.defaults.language),
            visibility,
            reply_to: parent.as_ref().map(|parent| parent.post.reference()),
            conversation: parent.as_ref().map(|parent| parent.post.conversation),
            mentions,
            quote,
            quote_policy,
            tags: tags(&words),
            media,
            poll,
            application: self.application(me),
            text: words,
            spoiler,
        })
    }

    fn application(&self, me: &Me) -> Option<Application> {
        let app = self.identity.app(me.principal.client.as_deref()?)?;
        Some(Application { name: app.name.clone(), website: app.website.clone() })
    }

    fn poll(&self, params: &Params, before: Option<&Post>) -> Result<Option<Poll>, Error> {
        let Some(given) = params.within("poll") else { return Ok(None) };
        let titles: Vec<String> = given.list("options").unwrap_or_default();
        if !(2..=OPTIONS).contains(&titles.len()) {
            return Err(Error::invalid(format!("A poll has 2 to {OPTIONS} options")));
        }
        if titles.iter().any(|title| title.trim().is_empty() || title.chars().count() > OPTION_LENGTH) {
            return Err(Error::invalid(format!("A poll's options have 1 to {OPTION_LENGTH} characters")));
        }
        if titles.iter().enumerate().any(|(place, title)| titles[..place].contains(title)) {
            return Err(Error::invalid("A poll's options must differ"));
        }
        let seconds = given.number("expires_in");
        let kept = before.and_then(|post| post.poll.as_ref()).map(|poll| poll.expires);
        let expires = match (seconds, kept) {
            (Some(seconds), _) if POLL_SECONDS.contains(&seconds) => self.now() + seconds * SECOND,
            (None, Some(kept)) => kept,
            _ => {
                let (least, most) = (POLL_SECONDS.start(), POLL_SECONDS.end());
                return Err(Error::invalid(format!("A poll is open for {least} to {most} seconds")));
            }
        };
        let options = titles.into_iter().map(|title| PollOption { title, votes: 0 }).collect();
        let (multiple, hide_totals) = (given.is("multiple"), given.is("hide_totals"));
        Ok(Some(Poll { options, multiple, hide_totals, expires, voters: 0 }))
    }
}

/// The tags of a text: normalised and as they were written, each once, in order.
fn tags(words: &str) -> Vec<(String, String)> {
    let mut tags: Vec<(String, String)> = Vec::new();
    for piece in text::scan(words) {
        if let Kind::Tag(name) = piece.kind {
            let tag = text::normalize_tag(name);
            if !tag.is_empty() && !tags.iter().any(|(known, _)| *known == tag) {
                tags.push((tag, name.to_owned()));
            }
        }
    }
    tags
}

/// Two or three letters, perhaps with a region.
fn is_language(code: &str) -> bool {
    let (language, region) =
        code.split_once(['-', '_']).map_or((code, None), |(one, other)| (one, Some(other)));
    (2..=3).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_lowercase())
        && region.is_none_or(|region| {
            (2..=4).contains(&region.len()) && region.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
}

pub(super) async fn create(
    State(service): State<Shared>,
    me: Me,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, Error> {
    let mut draft = service.draft(&me, &params, None).await?;
    let account = me.id;
    let scheduled = match params.words("scheduled_at") {
        None => None,
        Some(text) => {
            let at = read_moment(&text)
                .ok_or_else(|| Error::new(StatusCode::UNPROCESSABLE_ENTITY, "Record invalid"))?;
            if at < service.now() + SOONEST {
                return Err(Error::invalid("Scheduled at must be at least 5 minutes in the future"));
            }
            Some(at)
        }
    };
    if let (Some(_), Some(poll)) = (scheduled, &mut draft.poll) {
        poll.expires -= service.now();
    }
    // The same key of the same account is posted once.
    let key = headers.get("idempotency-key").map(|key| Digest::of(key.as_bytes()).0);
    let number = key.map(|digest| u64::try_from(digest & u128::from(u64::MAX)).unwrap_or_default().max(1));
    let (parent, quoted) = (draft.reply_to, draft.quote);
    let publish = Publish { account, draft, scheduled };
    match service.ask_once(account, account.bucket(), publish, number).await? {
        Reply::Posted(post) => {
            if let Some(parent) = parent {
                let heard = move |feed: &crate::state::Feed| {
                    feed.place(Listing::Replies, parent.post.0, post.0).is_some()
                        || feed.post(parent.post).is_none()
                };
                service.settle(parent.post.bucket(), heard).await?;
            }
            if let Some(quoted) = quoted {
                service.settle_quote(post, quoted).await?;
            }
            Ok(service.status(Some(account), post).await?.into_response())
        }
        Reply::Made(id) => {
            let row = service.read(account.bucket(), move |feed| feed.scheduled(account, id)).await?;
            Ok(Json(service.scheduled_json(&row.ok_or_else(Error::not_found)?)).into_response())
        }
        _ => Err(Error::not_found()),
    }
}

pub(super) async fn update(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
    params: Params,
) -> Result<Rendered, Error> {
    let id = post_id(&id)?;
    let before = service.read(id.bucket(), move |feed| feed.post(id)).await?;
    let before = before.filter(|post| post.author == me.id).ok_or_else(Error::not_found)?;
    let mut draft = service.draft(&me, &params, Some(&before)).await?;
    if !params.has("media_ids") && draft.poll.is_none() {
        draft.media = before.media.iter().map(|media| media.id).collect();
    }
    service.ask(me.id, id.bucket(), EditPost { account: me.id, post: id, draft }).await?;
    service.status(Some(me.id), id).await
}

pub(super) async fn delete(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
    params: Params,
) -> Result<Response, Error> {
    let id = post_id(&id)?;
    let post = service.read(id.bucket(), move |feed| feed.post(id)).await?;
    let post = post.filter(|post| post.author == me.id).ok_or_else(Error::not_found)?;
    if let Some(of) = post.reblog_of {
        return Ok(take_reblog_back(&service, me.id, of).await?.into_response());
    }
    // For who wants to write it anew.
    let mut shown = service.status(Some(me.id), id).await?.value();
    shown["text"] = post.text.into();
    let delete_media = params.flag("delete_media").unwrap_or(false);
    service.ask(me.id, id.bucket(), DeletePost { account: me.id, post: id, delete_media }).await?;
    Ok(Json(shown).into_response())
}

pub(super) async fn show(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Option<Me>,
) -> Result<Rendered, Error> {
    service.status(me.map(|me| me.id), post_id(&id)?).await
}

pub(super) async fn several(
    State(service): State<Shared>,
    me: Option<Me>,
    params: Params,
) -> Result<Rendered, Error> {
    let ids = params.list("id").unwrap_or_default();
    let ids: Vec<PostId> = ids.iter().filter_map(|id| PostId::parse(id)).take(40).collect();
    Ok(Rendered::list(&service.rendered(me.map(|me| me.id), &ids, Place::Thread).await?))
}

pub(super) async fn source(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let id = post_id(&id)?;
    let post = service.read(id.bucket(), move |feed| feed.post(id)).await?;
    let post = post.filter(|post| post.author == me.id).ok_or_else(Error::not_found)?;
    Ok(Json(json!({ "id": post.id.to_string(), "text": post.text, "spoiler_text": post.spoiler })))
}

pub(super) async fn history(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Option<Me>,
) -> Result<Json<Value>, Error> {
    let Shown { post, author, .. } = service.seen(me.map(|me| me.id), &id).await?;
    let id = post.id;
    let mut revisions = service.read(id.bucket(), move |feed| feed.revisions(id)).await?;
    revisions.push(post.revision());
    let author = service.account_json(&author);
    let one = |revision: &crate::state::Revision| {
        let options = revision.options.iter().map(|title| json!({ "title": title }));
        let mut json = json!({
            "content": service.content_of(&revision.text, &revision.mentions),
            "spoiler_text": revision.spoiler,
            "sensitive": revision.sensitive,
            "created_at": moment(revision.at),
            "account": author,
            "media_attachments": revision.media.iter().map(|media| service.media_json(media, post.visibility.is_open())).collect::<Vec<_>>(),
            "emojis": service.emojis_json([revision.spoiler.as_str(), revision.text.as_str()]),
        });
        if !revision.options.is_empty() {
            json["poll"] = json!({ "options": options.collect::<Vec<_>>() });
        }
        json
    };
    Ok(Json(revisions.iter().map(one).collect()))
}

impl Service {
    /// What a post answers, the first first.
    async fn ancestors(&self, viewer: Option<AccountId>, post: &Post) -> Result<Vec<PostId>, Error> {
        let mut found = Vec::new();
        let mut next = post.reply_to;
        while let Some(parent) = next.filter(|_| found.len() < ANCESTORS) {
            let shown = self.read(parent.post.bucket(), move |feed| feed.show(parent.post, viewer)).await?;
            let Some(shown) = shown else { break };
            found.push(parent.post);
            next = shown.post.reply_to;
        }
        found.reverse();
        Ok(found)
    }

    /// What answers a post, each answer before what answers it.
    async fn descendants(&self, post: PostId) -> Result<Vec<PostId>, Error> {
        let mut answers: BTreeMap<PostId, Vec<PostId>> = BTreeMap::new();
        let (mut level, mut count) = (vec![post], 0);
        while !level.is_empty() && count < DESCENDANTS {
            let mut parts: BTreeMap<usize, Vec<PostId>> = BTreeMap::new();
            for post in level.drain(..) {
                parts.entry(self.place(post.bucket())).or_default().push(post);
            }
            for (place, posts) in parts {
                let window = Window { rising: true, ..Window::newest(DESCENDANTS - count) };
                let found = self.read_place(place, move |feed| {
                    let one = |post: PostId| (post, feed.listing(Listing::Replies, post.0, window));
                    posts.into_iter().map(one).collect::<Vec<_>>()
                });
                for (parent, replies) in found.await? {
                    let replies: Vec<PostId> = replies.into_iter().map(|(reply, _)| PostId(reply)).collect();
                    count += replies.len();
                    level.extend(&replies);
                    answers.insert(parent, replies);
                }
            }
        }
        let mut order = Vec::new();
        let mut stack = vec![post];
        while let Some(next) = stack.pop() {
            if next != post {
                order.push(next);
            }
            stack.extend(answers.remove(&next).unwrap_or_default().into_iter().rev());
        }
        order.truncate(DESCENDANTS);
        Ok(order)
    }
}

pub(super) async fn context(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Option<Me>,
) -> Result<Rendered, Error> {
    let viewer = me.map(|me| me.id);
    let post = service.seen(viewer, &id).await?.post;
    let (before, after) = (service.ancestors(viewer, &post).await?, service.descendants(post.id).await?);
    let mut around = Object::with("");
    for (name, posts) in [("ancestors", before), ("descendants", after)] {
        let shown = service.rendered(viewer, &posts, Place::Context).await?;
        around.item(name, &Rendered::list(&shown));
    }
    Ok(around.done())
}

async fn by(
    service: &Service,
    id: &str,
    uri: &Uri,
    me: Option<Me>,
    params: &Params,
    listing: Listing,
) -> Result<Response, Error> {
    let post = service.seen(me.map(|me| me.id), id).await?.post.id;
    service.listed_accounts(listing, post.0, post.bucket(), uri, Page::read(params, 40, 80)).await
}

pub(super) async fn favourited_by(
    State(service): State<Shared>,
    Path(id): Path<String>,
    uri: Uri,
    me: Option<Me>,
    params: Params,
) -> Result<Response, Error> {
    by(&service, &id, &uri, me, &params, Listing::FavouritedBy).await
}

pub(super) async fn reblogged_by(
    State(service): State<Shared>,
    Path(id): Path<String>,
    uri: Uri,
    me: Option<Me>,
    params: Params,
) -> Result<Response, Error> {
    by(&service, &id, &uri, me, &params, Listing::RebloggedBy).await
}

pub(super) async fn card(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Option<Me>,
) -> Result<Response, Error> {
    service.seen(me.map(|me| me.id), &id).await?;
    // Pages that posts name are not fetched.
    Ok(Json(json!({})).into_response())
}
