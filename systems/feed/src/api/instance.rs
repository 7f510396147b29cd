//! The server itself: what it is, what it allows, and what it has nothing of.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::error::Error;
use super::params::Params;
use super::rank::Order;
use super::service::{Me, Service, Shared};
use super::statuses::{OPTION_LENGTH, OPTIONS, POLL_SECONDS};
use crate::state::{DirectoryOrder, Usage};
use crate::value::AccountId;

/// The level of the API that is spoken.
const LEVEL: &str = "4.5.0";
/// What may be uploaded.
const MIME_TYPES: [&str; 17] = [
    "image/jpeg",
    "image/png",
    "image/gif",
    "image/webp",
    "image/avif",
    "image/heic",
    "image/heif",
    "video/mp4",
    "video/webm",
    "video/quicktime",
    "audio/mpeg",
    "audio/ogg",
    "audio/wav",
    "audio/flac",
    "audio/aac",
    "audio/m4a",
    "audio/opus",
];
/// Shown for who has no picture.
const MISSING: &[u8] = include_bytes!("missing.png");

fn version() -> String {
    format!("{LEVEL} (compatible; Decalog {})", env!("CARGO_PKG_VERSION"))
}

fn configuration(service: &Service) -> Value {
    json!({
        "urls": { "streaming": streaming(service), "status": null, "about": service.settings.base, "privacy_policy": null, "terms_of_service": null },
        "vapid": { "public_key": service.push.vapid.public() },
        "accounts": { "max_featured_tags": 10, "max_pinned_statuses": 5, "max_profile_fields": 4 },
        "statuses": {
            "max_characters": service.settings.max_characters,
            "max_media_attachments": 4,
            "characters_reserved_per_url": 23,
        },
        "media_attachments": {
            "description_limit": 1500,
            "supported_mime_types": MIME_TYPES,
            "image_size_limit": 16 << 20,
            "image_matrix_limit": 33_177_600,
            "video_size_limit": 99 << 20,
            "video_frame_rate_limit": 120,
            "video_matrix_limit": 8_294_400,
        },
        "polls": {
            "max_options": OPTIONS,
            "max_characters_per_option": OPTION_LENGTH,
            "min_expiration": POLL_SECONDS.start(),
            "max_expiration": POLL_SECONDS.end(),
        },
        "translation": { "enabled": false },
        "timelines_access": {
            "live_feeds": { "local": "public", "remote": "disabled" },
            "hashtag_feeds": { "local": "public", "remote": "disabled" },
            "trending_link_feeds": { "local": "public", "remote": "disabled" },
        },
        "limited_federation": true,
    })
}

fn streaming(service: &Service) -> String {
    service.settings.base.replacen("http", "ws", 1)
}

impl Service {
    /// A rule by its place.
    pub(crate) fn rule_json(&self, place: usize) -> Option<Value> {
        let text = self.settings.rules.get(place)?;
        Some(json!({ "id": (place + 1).to_string(), "text": text, "hint": "", "translations": {} }))
    }
}

fn rules_json(service: &Service) -> Value {
    (0..service.settings.rules.len()).filter_map(|place| service.rule_json(place)).collect()
}

impl Service {
    /// How much there is in all partitions.
    async fn usage(&self) -> Result<Usage, Error> {
        let now = self.now();
        let parts = self.read_all(move |feed| feed.usage(now)).await?;
        let sum = |all: Usage, part: Usage| Usage {
            users: all.users + part.users,
            posts: all.posts + part.posts,
            active_month: all.active_month + part.active_month,
            active_half_year: all.active_half_year + part.active_half_year,
        };
        Ok(parts.into_iter().fold(Usage::default(), sum))
    }
}

pub(super) async fn v1(State(service): State<Shared>) -> Result<Json<Value>, Error> {
    let Usage { users, posts, .. } = service.usage().await?;
    let settings = &service.settings;
    Ok(Json(json!({
        "uri": service.domain(),
        "title": settings.title,
        "short_description": settings.description,
        "description": settings.description,
        "email": settings.contact,
        "version": version(),
        "urls": { "streaming_api": streaming(&service) },
        "stats": { "user_count": users, "status_count": posts, "domain_count": 0 },
        "thumbnail": null,
        "languages": ["en"],
        "registrations": settings.open_accounts,
        "approval_required": false,
        "invites_enabled": false,
        "configuration": configuration(&service),
        "contact_account": null,
        "rules": rules_json(&service),
    })))
}

pub(super) async fn v2(State(service): State<Shared>) -> Result<Json<Value>, Error> {
    let active = service.usage().await?.active_month;
    let settings = &service.settings;
    Ok(Json(json!({
        "domain": service.domain(),
        "title": settings.title,
        "version": version(),
        "source_url": "",
        "description": settings.description,
        "usage": { "users": { "active_month": active } },
        "thumbnail": { "url": format!("{}/avatars/original/missing.png", settings.base), "blurhash": null, "versions": {} },
        "icon": [],
        "languages": ["en"],
        "configuration": configuration(&service),
        "registrations": {
            "enabled": settings.open_accounts,
            "approval_required": false,
            "reason_required": false,
            "message": null,
            "min_age": null,
            "url": null,
        },
        "api_versions": { "mastodon": 7 },
        "contact": { "email": settings.contact, "account": null },
        "rules": rules_json(&service),
    })))
}

pub(super) async fn rules(State(service): State<Shared>) -> Json<Value> {
    Json(rules_json(&service))
}

pub(super) async fn extended_description(State(service): State<Shared>) -> Json<Value> {
    Json(
        json!({ "updated_at": super::entity::moment(0), "content": service.rich(&service.settings.description) }),
    )
}

/// Where there is nothing of the kind: emoji, announcements, peers…
pub(super) async fn none() -> Json<Value> {
    Json(json!([]))
}

pub(super) async fn no_languages() -> Json<Value> {
    Json(json!({}))
}

pub(super) async fn preferences(State(service): State<Shared>, me: Me) -> Result<Json<Value>, Error> {
    let account = service.account(me.id).await?;
    let ranking = service.read(me.id.bucket(), move |feed| feed.ranking(me.id)).await?;
    Ok(Json(json!({
        "decalog:home:order": Order::name(ranking.home),
        "decalog:notifications:order": Order::name(ranking.notifications),
        "posting:default:visibility": account.defaults.visibility.name(),
        "posting:default:sensitive": account.defaults.sensitive,
        "posting:default:language": account.defaults.language,
        "posting:default:quote_policy": account.defaults.quote_policy.name(),
        "reading:expand:media": "default",
        "reading:expand:spoilers": false,
        "reading:autoplay:gifs": false,
    })))
}

pub(super) async fn missing_picture() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "image/png"),
        (header::CACHE_CONTROL, "public, max-age=86400"),
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ];
    (headers, MISSING).into_response()
}

pub(super) async fn nodeinfo_links(State(service): State<Shared>) -> Json<Value> {
    Json(json!({ "links": [{
        "rel": "http://nodeinfo.diaspora.software/ns/schema/2.0",
        "href": format!("{}/nodeinfo/2.0", service.settings.base),
    }] }))
}

pub(super) async fn nodeinfo(State(service): State<Shared>) -> Result<Json<Value>, Error> {
    let Usage { users, posts, active_month, active_half_year } = service.usage().await?;
    let users = json!({ "total": users, "activeMonth": active_month, "activeHalfyear": active_half_year });
    Ok(Json(json!({
        "version": "2.0",
        "software": { "name": "decalog", "version": env!("CARGO_PKG_VERSION") },
        "protocols": [],
        "services": { "outbound": [], "inbound": [] },
        "usage": { "users": users, "localPosts": posts },
        "openRegistrations": service.settings.open_accounts,
        "metadata": { "nodeName": service.settings.title },
    })))
}

pub(super) async fn webfinger(State(service): State<Shared>, params: Params) -> Result<Json<Value>, Error> {
    let resource = params.words("resource").unwrap_or_default();
    let account = service.named(resource.strip_prefix("acct:").unwrap_or_default()).await?;
    Ok(Json(json!({
        "subject": format!("acct:{}@{}", account.name, service.domain()),
        "aliases": [service.account_url(&account.name)],
        "links": [{
            "rel": "http://webfinger.net/rel/profile-page",
            "type": "text/html",
            "href": service.account_url(&account.name),
        }],
    })))
}

pub(super) async fn directory(State(service): State<Shared>, params: Params) -> Result<Json<Value>, Error> {
    let number =
        |name, usual| params.number(name).and_then(|number| usize::try_from(number).ok()).unwrap_or(usual);
    let (limit, offset) = (number("limit", 40).min(80), number("offset", 0).min(10_000));
    let order = match params.words("order").as_deref() {
        Some("new") => DirectoryOrder::New,
        _ => DirectoryOrder::Active,
    };
    let found = service.read_all(move |feed| feed.directory(order, limit + offset)).await?;
    let mut places: Vec<(u64, AccountId)> = found.into_iter().flatten().collect();
    places.sort_unstable_by_key(|place| std::cmp::Reverse(*place));
    let part: Vec<AccountId> = places.iter().skip(offset).take(limit).map(|(_, account)| *account).collect();
    let accounts = service.accounts(&part).await?;
    Ok(Json(accounts.iter().map(|account| service.account_json(account)).collect()))
}
