//! Search: accounts by name, tags by their beginning, posts by their words, and what an address of this server names.
//!
//! Posts are looked for among one's own, those that one likes or keeps, and the newest public ones of authors who let
//! themselves be found: so many of each that nobody waits for it.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::accounts::Known;
use super::entity::status::Place;
use super::error::Error;
use super::page::Page;
use super::params::Params;
use super::service::{Me, Service, Shared};
use crate::engine::query::{Document, Properties, Property, Query};
use crate::engine::text;
use crate::state::{Account, Listing, Post, Window};
use crate::value::{AccountId, MediaKind, PostId, SECOND, Visibility};

/// Posts that are looked at: one's own, those of each listing, and the public ones of each partition.
const OWN: usize = 1_000;
const LISTED: usize = 400;
const PUBLIC: usize = 2_000;
/// Posts that one read looks into.
const AT_ONCE: usize = 64;
/// How far one may page.
const FARTHEST: usize = 1_000;
const DAY: i64 = 86_400 * SECOND;

/// A search for posts.
struct Looking {
    query: Query,
    me: AccountId,
    domain: String,
    /// What the reader likes and keeps.
    library: BTreeSet<PostId>,
    known: Known,
}

impl Looking {
    /// Whether a post is one that is looked for.
    fn finds(&self, post: &Post, author: &Account) -> bool {
        let mut texts = vec![post.spoiler.as_str(), post.text.as_str()];
        texts.extend(post.poll.iter().flat_map(|poll| &poll.options).map(|option| option.title.as_str()));
        texts.extend(post.media.iter().filter_map(|media| media.description.as_deref()));
        let (own, listed) = (author.id == self.me, self.library.contains(&post.id));
        let public =
            post.visibility == Visibility::Public && author.indexable && self.known.may_find(author.id);
        if !(own || listed || public) {
            return false;
        }
        self.query.matches(&Document {
            text: &texts.join("\n"),
            name: &author.name,
            domain: &self.domain,
            local: true,
            own,
            library: own || listed,
            public,
            properties: properties(post, author),
            language: post.language.as_deref(),
            day: post.created.div_euclid(DAY),
        })
    }
}

fn properties(post: &Post, author: &Account) -> Properties {
    let has = |kind: MediaKind| post.media.iter().any(|media| media.kind == kind);
    let link = || text::scan(&post.text).iter().any(|piece| matches!(piece.kind, text::Kind::Url(_)));
    let all = [
        (Property::Media, !post.media.is_empty()),
        (Property::Poll, post.poll.is_some()),
        (Property::Link, link()),
        (Property::Image, has(MediaKind::Image)),
        (Property::Video, has(MediaKind::Video) || has(MediaKind::Gifv)),
        (Property::Audio, has(MediaKind::Audio)),
        (Property::Reply, post.reply_to.is_some()),
        (Property::Sensitive, post.sensitive),
        (Property::Bot, author.bot),
    ];
    all.into_iter().filter(|(_, has)| *has).map(|(property, _)| property).collect()
}

impl Service {
    /// The newest posts that a reader finds.
    async fn find_posts(&self, me: AccountId, query: Query, window: Window) -> Result<Vec<PostId>, Error> {
        let library = self.read(me.bucket(), move |feed| {
            let listed = |listing| feed.listing(listing, me.0, Window::newest(LISTED));
            let both = listed(Listing::Favourites).into_iter().chain(listed(Listing::Bookmarks));
            both.map(|(_, post)| PostId(post)).collect::<BTreeSet<_>>()
        });
        let (library, known) = (library.await?, self.known_to(Some(me)).await?);
        let looking = Arc::new(Looking { query, me, domain: self.domain().to_owned(), library, known });
        let mut found = Vec::new();
        for place in 0..self.places() {
            found.extend(self.find_posts_at(place, &looking, window).await?);
        }
        Ok(window.merge(found, |post| post.0))
    }

    /// Those of one partition, a few at a time so that nobody waits for it.
    async fn find_posts_at(
        &self,
        place: usize,
        looking: &Arc<Looking>,
        window: Window,
    ) -> Result<Vec<PostId>, Error> {
        let (me, part) = (looking.me, move |most| Window { most, ..window });
        let listed = self.read_place(place, move |feed| {
            let entries = feed.written(me, part(OWN)).into_iter().chain(feed.public(part(PUBLIC)));
            entries.map(|entry| entry.post).collect::<BTreeSet<_>>()
        });
        let kept = looking.library.iter().copied();
        let kept = kept.filter(|post| self.place(post.bucket()) == place && window.holds(post.0));
        let every = Window { most: usize::MAX, ..window };
        let all: Vec<PostId> = every.merge(listed.await?.into_iter().chain(kept), |post| post.0);
        let mut found = Vec::new();
        for some in all.chunks(AT_ONCE) {
            let (some, looking) = (some.to_vec(), Arc::clone(looking));
            let read = self.read_place(place, move |feed| {
                let finds = |id: &PostId| {
                    let post = feed.post(*id).filter(|post| post.reblog_of.is_none())?;
                    let author = feed.account(post.author)?;
                    looking.finds(&post, &author).then_some(*id)
                };
                some.iter().filter_map(finds).collect::<Vec<_>>()
            });
            found.extend(read.await?);
            if found.len() >= window.most {
                break;
            }
        }
        Ok(found)
    }

    async fn find_tags(&self, query: &str, offset: usize, limit: usize) -> Result<Vec<Value>, Error> {
        let start = text::normalize_tag(query.trim().trim_start_matches('#'));
        if start.is_empty() || start.contains(char::is_whitespace) {
            return Ok(Vec::new());
        }
        let found = self.read_all(move |feed| feed.tags_from(&start, offset + limit)).await?;
        let mut tags: Vec<_> = found.into_iter().flatten().collect();
        tags.sort_by(|(one, _), (other, _)| one.cmp(other));
        tags.dedup_by(|(one, _), (other, _)| one == other);
        Ok(tags
            .iter()
            .skip(offset)
            .take(limit)
            .map(|(tag, row)| self.tag_json(tag, &row.name, None))
            .collect())
    }

    /// What an address of this server names.
    fn own_address<'a>(&self, query: &'a str) -> Option<(&'a str, Option<PostId>)> {
        let path = query.strip_prefix(&self.settings.base)?.trim_end_matches('/');
        let (name, post) = match path.strip_prefix("/@") {
            Some(rest) => rest.split_once('/').map_or((rest, None), |(name, post)| (name, Some(post))),
            None => {
                let rest = path.strip_prefix("/users/")?;
                rest.split_once("/statuses/").map_or((rest, None), |(name, post)| (name, Some(post)))
            }
        };
        Some((name, post.and_then(PostId::parse)))
    }
}

/// How many are left out at the beginning, as they were shown before.
pub(super) fn offset(params: &Params) -> usize {
    params.number("offset").and_then(|offset| usize::try_from(offset).ok()).unwrap_or(0).min(FARTHEST)
}

pub(super) async fn search(
    State(service): State<Shared>,
    me: Option<Me>,
    params: Params,
) -> Result<Json<Value>, Error> {
    let query = params.words("q").unwrap_or_default();
    let query = query.trim();
    let kind = params.words("type");
    let wants = |name: &str| kind.as_deref().is_none_or(|kind| kind == name);
    let limit = params.number("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(20).min(40);
    let (viewer, offset) = (me.map(|me| me.id), offset(&params));
    let (mut accounts, mut statuses, mut hashtags) = (Vec::new(), Vec::new(), Vec::new());
    if let Some((name, post)) = service.own_address(query) {
        match post {
            Some(post) if wants("statuses") => {
                statuses.extend(service.status(viewer, post).await.ok().map(|status| status.value()));
            }
            None if wants("accounts") => {
                accounts.extend(service.named(name).await.ok().map(|account| service.account_json(&account)));
            }
            _ => {}
        }
    } else {
        if wants("accounts") && !query.starts_with('#') {
            let found = service.find_accounts(viewer, query, offset, limit).await?;
            accounts = found.iter().map(|account| service.account_json(account)).collect();
        }
        if let Some(me) = viewer.filter(|_| wants("statuses") && !query.starts_with(['#', '@'])) {
            let query = Query::parse(query);
            let page = Page::read(&params, limit, 40);
            if !query.clauses().is_empty() {
                let found = service.find_posts(me, query, page.window).await?;
                statuses = service.statuses(viewer, &found, Place::Public).await?;
            }
        }
        if wants("hashtags") && !query.starts_with('@') {
            hashtags = service.find_tags(query, offset, limit).await?;
        }
    }
    Ok(Json(json!({ "accounts": accounts, "statuses": statuses, "hashtags": hashtags })))
}
