//! The Mastodon client API: which routes there are, and what each asks of who calls it.

mod accounts;
mod admin;
mod announcements;
mod apps;
mod collection;
mod domain_blocks;
mod emojis;
mod entity;
mod error;
mod export;
mod filters;
mod follows;
mod forgetting;
mod inbox;
mod instance;
mod interactions;
mod lists;
mod media;
mod notification_policy;
mod page;
mod params;
mod polls;
mod push;
mod quotes;
mod rank;
mod reports;
mod scheduled;
mod search;
pub mod service;
mod source;
mod statuses;
mod streaming;
mod suggestions;
mod tags;
mod timelines;
mod trends;

use axum::extract::DefaultBodyLimit;
use axum::handler::Handler as _;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use decalog_gateway::access::{Access, Scope};
use decalog_gateway::front::REQUEST_ID;
use decalog_gateway::limit::Left;
use decalog_gateway::problem::Problem;
use decalog_gateway::route::Routes;

use error::Error;
use service::Shared;

const PUBLIC: Access = Access::Public;

/// Where apps register.
pub const APPS: &str = "/api/v1/apps";
/// The paths that are this API's, beneath which pages of every origin may call.
pub const PATHS: [&str; 5] = ["/api", "/media", "/nodeinfo", "/avatars", "/headers"];
/// What of an answer's headers those pages may read.
pub const EXPOSED: [HeaderName; 5] = [header::LINK, LIMIT, REMAINING, RESET, REQUEST_ID];

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// What asks for this scope.
const fn needs(scope: &'static str) -> Access {
    Access::Scope(Scope(scope))
}

/// What is refused on the way to a route, in Mastodon's form.
fn refuse(problem: Problem) -> Response {
    let words = problem.detail().to_owned();
    let (parts, _) = problem.into_response().into_parts();
    let mut response = Error::new(parts.status, words).into_response();
    for (name, value) in &parts.headers {
        response.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    response.extensions_mut().extend(parts.extensions);
    response
}

/// What is left of a limit, as Mastodon says it.
fn tell_limit(left: Left, headers: &mut HeaderMap) {
    let reset = jiff::Timestamp::now() + left.full_in;
    let reset = HeaderValue::try_from(reset.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string());
    headers.insert(LIMIT, left.quota.into());
    headers.insert(REMAINING, left.remaining.into());
    headers.extend(reset.ok().map(|reset| (RESET, reset)));
}

/// Every route.
pub fn routes() -> Routes<Shared> {
    let all = [
        server_routes(),
        account_routes(),
        graph_routes(),
        status_routes(),
        timeline_routes(),
        list_routes(),
        tag_routes(),
        filter_routes(),
        inbox_routes(),
        notification_policy_routes(),
        push_routes(),
        report_routes(),
        admin_routes(),
        notice_routes(),
        export_routes(),
        media_routes(),
        rank_routes(),
    ];
    let all = all.into_iter().fold(Routes::new(), Routes::merge);
    all.refusing(refuse).telling_limits(tell_limit).beneath(&["/api"])
}

fn server_routes() -> Routes<Shared> {
    Routes::new()
        .route(Method::GET, "/api/v1/instance", PUBLIC, instance::v1)
        .route(Method::GET, "/api/v2/instance", PUBLIC, instance::v2)
        // Some clients ask so.
        .route(Method::GET, "/api/v1/instance/", PUBLIC, instance::v1)
        .route(Method::GET, "/api/v2/instance/", PUBLIC, instance::v2)
        .route(Method::GET, "/api/v1/instance/rules", PUBLIC, instance::rules)
        .route(Method::GET, "/api/v1/instance/peers", PUBLIC, instance::none)
        .route(Method::GET, "/api/v1/instance/activity", PUBLIC, instance::none)
        .route(Method::GET, "/api/v1/instance/domain_blocks", PUBLIC, instance::none)
        .route(Method::GET, "/api/v1/instance/extended_description", PUBLIC, instance::extended_description)
        .route(Method::GET, "/api/v1/instance/translation_languages", PUBLIC, instance::no_languages)
        .route(Method::GET, "/api/v1/custom_emojis", PUBLIC, emojis::index)
        .route(Method::GET, "/api/v1/directory", PUBLIC, instance::directory)
        .route(Method::GET, "/api/v1/trends", PUBLIC, trends::tags)
        .route(Method::GET, "/api/v1/trends/tags", PUBLIC, trends::tags)
        .route(Method::GET, "/api/v1/trends/statuses", PUBLIC, trends::statuses)
        .route(Method::GET, "/api/v1/trends/links", PUBLIC, trends::links)
        .route(Method::GET, "/api/v1/suggestions", needs("read"), suggestions::v1)
        .route(Method::GET, "/api/v2/suggestions", needs("read"), suggestions::v2)
        .route(Method::DELETE, "/api/v1/suggestions/{id}", needs("read"), suggestions::dismiss)
        .route(Method::GET, "/api/v1/preferences", needs("read:accounts"), instance::preferences)
        .route(Method::GET, "/health", PUBLIC, streaming::health)
        .route(Method::GET, "/.well-known/nodeinfo", PUBLIC, instance::nodeinfo_links)
        .route(Method::GET, "/nodeinfo/2.0", PUBLIC, instance::nodeinfo)
        .route(Method::GET, "/.well-known/webfinger", PUBLIC, instance::webfinger)
        .route(Method::GET, "/avatars/original/missing.png", PUBLIC, instance::missing_picture)
        .route(Method::GET, "/headers/original/missing.png", PUBLIC, instance::missing_picture)
        .route(Method::POST, APPS, PUBLIC, apps::register)
        .route(Method::GET, "/api/v1/apps/verify_credentials", Access::Known, apps::verify)
        .route(Method::GET, "/api/v2/search", PUBLIC, search::search)
}

fn account_routes() -> Routes<Shared> {
    Routes::new()
        .route(Method::POST, "/api/v1/accounts", Access::App(Scope("write:accounts")), apps::sign_up)
        .route(Method::GET, "/api/v1/accounts", PUBLIC, accounts::several)
        .route(
            Method::GET,
            "/api/v1/accounts/verify_credentials",
            Access::Either(Scope("read:accounts"), Scope("profile")),
            accounts::verify_credentials,
        )
        .route(
            Method::PATCH,
            "/api/v1/accounts/update_credentials",
            needs("write:accounts"),
            accounts::update_credentials.layer(DefaultBodyLimit::max(PROFILE)),
        )
        .route(Method::GET, "/api/v1/accounts/relationships", needs("read:follows"), accounts::relationships)
        .route(
            Method::GET,
            "/api/v1/accounts/familiar_followers",
            needs("read:follows"),
            accounts::familiar_followers,
        )
        .route(Method::GET, "/api/v1/accounts/search", needs("read:accounts"), accounts::search)
        .route(Method::GET, "/api/v1/accounts/lookup", PUBLIC, accounts::lookup)
        .route(Method::DELETE, "/api/v1/profile/avatar", needs("write:accounts"), accounts::remove_avatar)
        .route(Method::DELETE, "/api/v1/profile/header", needs("write:accounts"), accounts::remove_header)
        .route(Method::GET, "/api/v1/accounts/{id}", PUBLIC, accounts::show)
        .route(Method::GET, "/api/v1/accounts/{id}/statuses", PUBLIC, accounts::statuses)
        .route(Method::GET, "/api/v1/accounts/{id}/followers", PUBLIC, accounts::followers)
        .route(Method::GET, "/api/v1/accounts/{id}/following", PUBLIC, accounts::following)
        .route(Method::GET, "/api/v1/accounts/{id}/featured_tags", PUBLIC, tags::featured_of)
        .route(Method::GET, "/api/v1/accounts/{id}/endorsements", PUBLIC, accounts::endorsed)
        .route(Method::GET, "/api/v1/accounts/{id}/lists", needs("read:lists"), accounts::lists)
        .route(Method::GET, "/api/v1/accounts/{id}/identity_proofs", PUBLIC, instance::none)
}

fn graph_routes() -> Routes<Shared> {
    let (follows, blocks, mutes) = (needs("write:follows"), needs("write:blocks"), needs("write:mutes"));
    Routes::new()
        .route(Method::POST, "/api/v1/accounts/{id}/follow", follows, follows::follow)
        .route(Method::POST, "/api/v1/accounts/{id}/unfollow", follows, follows::unfollow)
        .route(Method::POST, "/api/v1/accounts/{id}/remove_from_followers", follows, follows::remove_follower)
        .route(Method::POST, "/api/v1/accounts/{id}/block", blocks, follows::block)
        .route(Method::POST, "/api/v1/accounts/{id}/unblock", blocks, follows::unblock)
        .route(Method::POST, "/api/v1/accounts/{id}/mute", mutes, follows::mute)
        .route(Method::POST, "/api/v1/accounts/{id}/unmute", mutes, follows::unmute)
        .route(Method::POST, "/api/v1/accounts/{id}/pin", needs("write:accounts"), follows::endorse)
        .route(Method::POST, "/api/v1/accounts/{id}/unpin", needs("write:accounts"), follows::unendorse)
        .route(Method::POST, "/api/v1/accounts/{id}/endorse", needs("write:accounts"), follows::endorse)
        .route(Method::POST, "/api/v1/accounts/{id}/unendorse", needs("write:accounts"), follows::unendorse)
        .route(Method::POST, "/api/v1/accounts/{id}/note", needs("write:accounts"), follows::note)
        .route(Method::GET, "/api/v1/follow_requests", needs("read:follows"), follows::requests)
        .route(Method::POST, "/api/v1/follow_requests/{id}/authorize", follows, follows::authorize)
        .route(Method::POST, "/api/v1/follow_requests/{id}/reject", follows, follows::reject)
        .route(Method::GET, "/api/v1/blocks", needs("read:blocks"), follows::blocks)
        .route(Method::GET, "/api/v1/mutes", needs("read:mutes"), follows::mutes)
        .route(Method::GET, "/api/v1/domain_blocks", needs("read:blocks"), domain_blocks::index)
        .route(Method::GET, "/api/v1/domain_blocks/preview", needs("read:blocks"), domain_blocks::preview)
        .route(Method::POST, "/api/v1/domain_blocks", blocks, domain_blocks::block)
        .route(Method::DELETE, "/api/v1/domain_blocks", blocks, domain_blocks::unblock)
        .route(Method::GET, "/api/v1/endorsements", needs("read:accounts"), follows::endorsements)
}

fn status_routes() -> Routes<Shared> {
    let (statuses, favourites, bookmarks) =
        (needs("write:statuses"), needs("write:favourites"), needs("write:bookmarks"));
    Routes::new()
        .route(Method::POST, "/api/v1/statuses", statuses, statuses::create)
        .route(Method::GET, "/api/v1/statuses", PUBLIC, statuses::several)
        .route(Method::GET, "/api/v1/statuses/{id}", PUBLIC, statuses::show)
        .route(Method::PUT, "/api/v1/statuses/{id}", statuses, statuses::update)
        .route(Method::DELETE, "/api/v1/statuses/{id}", statuses, statuses::delete)
        .route(Method::GET, "/api/v1/statuses/{id}/source", needs("read:statuses"), statuses::source)
        .route(Method::GET, "/api/v1/statuses/{id}/history", PUBLIC, statuses::history)
        .route(Method::GET, "/api/v1/statuses/{id}/context", PUBLIC, statuses::context)
        .route(Method::GET, "/api/v1/statuses/{id}/card", PUBLIC, statuses::card)
        .route(Method::GET, "/api/v1/statuses/{id}/favourited_by", PUBLIC, statuses::favourited_by)
        .route(Method::GET, "/api/v1/statuses/{id}/reblogged_by", PUBLIC, statuses::reblogged_by)
        .route(Method::POST, "/api/v1/statuses/{id}/favourite", favourites, interactions::favourite)
        .route(Method::POST, "/api/v1/statuses/{id}/unfavourite", favourites, interactions::unfavourite)
        .route(Method::POST, "/api/v1/statuses/{id}/reblog", statuses, interactions::reblog)
        .route(Method::POST, "/api/v1/statuses/{id}/unreblog", statuses, interactions::unreblog)
        .route(Method::POST, "/api/v1/statuses/{id}/bookmark", bookmarks, interactions::bookmark)
        .route(Method::POST, "/api/v1/statuses/{id}/unbookmark", bookmarks, interactions::unbookmark)
        .route(Method::POST, "/api/v1/statuses/{id}/pin", needs("write:accounts"), interactions::pin)
        .route(Method::POST, "/api/v1/statuses/{id}/unpin", needs("write:accounts"), interactions::unpin)
        .route(Method::POST, "/api/v1/statuses/{id}/mute", needs("write:mutes"), interactions::mute)
        .route(Method::POST, "/api/v1/statuses/{id}/unmute", needs("write:mutes"), interactions::unmute)
        .route(Method::GET, "/api/v1/statuses/{id}/quotes", needs("read:statuses"), quotes::index)
        .route(Method::POST, "/api/v1/statuses/{id}/quotes/{quote}/revoke", statuses, quotes::revoke)
        .route(Method::PUT, "/api/v1/statuses/{id}/interaction_policy", statuses, quotes::set_policy)
        .route(Method::GET, "/api/v1/polls/{id}", PUBLIC, polls::show)
        .route(Method::POST, "/api/v1/polls/{id}/votes", statuses, polls::vote)
        .route(Method::GET, "/api/v1/scheduled_statuses", needs("read:statuses"), scheduled::index)
        .route(Method::GET, "/api/v1/scheduled_statuses/{id}", needs("read:statuses"), scheduled::show)
        .route(Method::PUT, "/api/v1/scheduled_statuses/{id}", statuses, scheduled::update)
        .route(Method::DELETE, "/api/v1/scheduled_statuses/{id}", statuses, scheduled::delete)
}

fn timeline_routes() -> Routes<Shared> {
    Routes::new()
        .route(Method::GET, "/api/v1/timelines/home", needs("read:statuses"), timelines::home)
        .route(Method::GET, "/api/v1/timelines/public", PUBLIC, timelines::public)
        .route(Method::GET, "/api/v1/timelines/tag/{tag}", PUBLIC, timelines::tag)
        .route(Method::GET, "/api/v1/timelines/list/{id}", needs("read:lists"), timelines::list)
        .route(Method::GET, "/api/v1/timelines/link", PUBLIC, trends::link)
        .route(Method::GET, "/api/v1/streaming", PUBLIC, streaming::socket)
        .route(Method::GET, "/api/v1/streaming/health", PUBLIC, streaming::health)
        .route(Method::GET, "/api/v1/streaming/{*stream}", PUBLIC, streaming::events)
        .route(Method::GET, "/api/v1/favourites", needs("read:favourites"), timelines::favourites)
        .route(Method::GET, "/api/v1/bookmarks", needs("read:bookmarks"), timelines::bookmarks)
}

fn list_routes() -> Routes<Shared> {
    let (read, write) = (needs("read:lists"), needs("write:lists"));
    Routes::new()
        .route(Method::GET, "/api/v1/lists", read, lists::index)
        .route(Method::POST, "/api/v1/lists", write, lists::create)
        .route(Method::GET, "/api/v1/lists/{id}", read, lists::show)
        .route(Method::PUT, "/api/v1/lists/{id}", write, lists::update)
        .route(Method::DELETE, "/api/v1/lists/{id}", write, lists::delete)
        .route(Method::GET, "/api/v1/lists/{id}/accounts", read, lists::accounts)
        .route(Method::POST, "/api/v1/lists/{id}/accounts", write, lists::add)
        .route(Method::DELETE, "/api/v1/lists/{id}/accounts", write, lists::remove)
}

fn tag_routes() -> Routes<Shared> {
    let (follows, profile) = (needs("write:follows"), needs("write:accounts"));
    Routes::new()
        .route(Method::GET, "/api/v1/tags/{name}", PUBLIC, tags::show)
        .route(Method::POST, "/api/v1/tags/{name}/follow", follows, tags::follow)
        .route(Method::POST, "/api/v1/tags/{name}/unfollow", follows, tags::unfollow)
        .route(Method::POST, "/api/v1/tags/{name}/feature", profile, tags::feature_by_name)
        .route(Method::POST, "/api/v1/tags/{name}/unfeature", profile, tags::unfeature_by_name)
        .route(Method::GET, "/api/v1/followed_tags", needs("read:follows"), tags::followed)
        .route(Method::GET, "/api/v1/featured_tags", needs("read:accounts"), tags::featured)
        .route(Method::POST, "/api/v1/featured_tags", profile, tags::feature)
        .route(Method::DELETE, "/api/v1/featured_tags/{id}", profile, tags::unfeature)
        .route(Method::GET, "/api/v1/featured_tags/suggestions", needs("read:accounts"), instance::none)
}

fn filter_routes() -> Routes<Shared> {
    let (read, write) = (needs("read:filters"), needs("write:filters"));
    Routes::new()
        .route(Method::GET, "/api/v2/filters", read, filters::index)
        .route(Method::POST, "/api/v2/filters", write, filters::create)
        .route(Method::GET, "/api/v2/filters/{id}", read, filters::show)
        .route(Method::PUT, "/api/v2/filters/{id}", write, filters::update)
        .route(Method::DELETE, "/api/v2/filters/{id}", write, filters::delete)
        .route(Method::GET, "/api/v2/filters/{id}/keywords", read, filters::keywords)
        .route(Method::POST, "/api/v2/filters/{id}/keywords", write, filters::add_keyword)
        .route(Method::GET, "/api/v2/filters/keywords/{id}", read, filters::keyword)
        .route(Method::PUT, "/api/v2/filters/keywords/{id}", write, filters::change_keyword)
        .route(Method::DELETE, "/api/v2/filters/keywords/{id}", write, filters::remove_keyword)
        .route(Method::GET, "/api/v2/filters/{id}/statuses", read, filters::posts)
        .route(Method::POST, "/api/v2/filters/{id}/statuses", write, filters::add_post)
        .route(Method::GET, "/api/v2/filters/statuses/{id}", read, filters::post)
        .route(Method::DELETE, "/api/v2/filters/statuses/{id}", write, filters::remove_post)
        .route(Method::GET, "/api/v1/filters", read, filters::index_v1)
        .route(Method::POST, "/api/v1/filters", write, filters::create_v1)
        .route(Method::GET, "/api/v1/filters/{id}", read, filters::show_v1)
        .route(Method::PUT, "/api/v1/filters/{id}", write, filters::update_v1)
        .route(Method::DELETE, "/api/v1/filters/{id}", write, filters::delete_v1)
}

fn inbox_routes() -> Routes<Shared> {
    let (read, write) = (needs("read:notifications"), needs("write:notifications"));
    let talk = needs("write:conversations");
    Routes::new()
        .route(Method::GET, "/api/v1/notifications", read, inbox::notifications)
        .route(Method::GET, "/api/v1/notifications/{id}", read, inbox::notification)
        .route(Method::GET, "/api/v1/notifications/unread_count", read, inbox::unread_count)
        .route(Method::POST, "/api/v1/notifications/clear", write, inbox::clear_all)
        .route(Method::POST, "/api/v1/notifications/{id}/dismiss", write, inbox::dismiss)
        .route(Method::GET, "/api/v2/notifications", read, inbox::notifications_v2)
        .route(Method::GET, "/api/v2/notifications/unread_count", read, inbox::unread_groups)
        .route(Method::GET, "/api/v2/notifications/{key}", read, inbox::group)
        .route(Method::GET, "/api/v2/notifications/{key}/accounts", read, inbox::group_accounts)
        .route(Method::POST, "/api/v2/notifications/{key}/dismiss", write, inbox::dismiss_group)
        .route(Method::GET, "/api/v1/conversations", needs("read:statuses"), inbox::conversations)
        // Some clients ask so.
        .route(Method::GET, "/api/v1/conversations/", needs("read:statuses"), inbox::conversations)
        .route(Method::POST, "/api/v1/conversations/{id}/read", talk, inbox::read_conversation)
        .route(Method::DELETE, "/api/v1/conversations/{id}", talk, inbox::hide_conversation)
        .route(Method::GET, "/api/v1/markers", needs("read:statuses"), inbox::markers)
        .route(Method::POST, "/api/v1/markers", needs("write:statuses"), inbox::set_markers)
}

fn notification_policy_routes() -> Routes<Shared> {
    let (read, write) = (needs("read:notifications"), needs("write:notifications"));
    Routes::new()
        .route(Method::GET, "/api/v1/notifications/policy", read, notification_policy::policy_v1)
        .route(Method::PATCH, "/api/v1/notifications/policy", write, notification_policy::set_policy_v1)
        .route(Method::PUT, "/api/v1/notifications/policy", write, notification_policy::set_policy_v1)
        .route(Method::GET, "/api/v2/notifications/policy", read, notification_policy::policy)
        .route(Method::PATCH, "/api/v2/notifications/policy", write, notification_policy::set_policy)
        .route(Method::PUT, "/api/v2/notifications/policy", write, notification_policy::set_policy)
        .route(Method::GET, "/api/v1/notifications/requests", read, notification_policy::requests)
        .route(Method::GET, "/api/v1/notifications/requests/merged", read, notification_policy::merged)
        .route(
            Method::POST,
            "/api/v1/notifications/requests/accept",
            write,
            notification_policy::accept_several,
        )
        .route(
            Method::POST,
            "/api/v1/notifications/requests/dismiss",
            write,
            notification_policy::dismiss_several,
        )
        .route(Method::GET, "/api/v1/notifications/requests/{id}", read, notification_policy::request)
        .route(Method::POST, "/api/v1/notifications/requests/{id}/accept", write, notification_policy::accept)
        .route(
            Method::POST,
            "/api/v1/notifications/requests/{id}/dismiss",
            write,
            notification_policy::dismiss,
        )
}

fn push_routes() -> Routes<Shared> {
    let push = needs("push");
    Routes::new()
        .route(Method::GET, "/api/v1/push/subscription", push, push::show)
        .route(Method::POST, "/api/v1/push/subscription", push, push::subscribe)
        .route(Method::PUT, "/api/v1/push/subscription", push, push::update)
        .route(Method::DELETE, "/api/v1/push/subscription", push, push::delete)
}

/// What Mastodon's API has nothing for: see [`rank`].
fn rank_routes() -> Routes<Shared> {
    let (read, write) = (needs("read:statuses"), needs("write:statuses"));
    Routes::new()
        .route(Method::GET, "/api/decalog/v1/ranking", read, rank::show)
        .route(Method::PATCH, "/api/decalog/v1/ranking", needs("write:accounts"), rank::change)
        .route(Method::DELETE, "/api/decalog/v1/ranking/impressions", needs("write:accounts"), rank::forget)
        .route(Method::POST, "/api/decalog/v1/ranking/dwell", write, rank::dwell)
        .route(Method::POST, "/api/decalog/v1/ranking/train", needs("admin:write"), rank::train)
        .route(Method::GET, "/api/decalog/v1/statuses/{id}/explanation", read, rank::explanation)
        .route(Method::GET, "/api/decalog/v1/experiments/{name}", needs("admin:read"), rank::results)
}

fn report_routes() -> Routes<Shared> {
    let (read, write) = (needs("admin:read:reports"), needs(reports::SEES_TO));
    Routes::new()
        .route(Method::POST, "/api/v1/reports", needs("write:reports"), reports::create)
        // Some clients ask so.
        .route(Method::POST, "/api/v1/reports/", needs("write:reports"), reports::create)
        .route(Method::GET, "/api/v1/admin/reports", read, reports::index)
        .route(Method::GET, "/api/v1/admin/reports/{id}", read, reports::show)
        .route(Method::PUT, "/api/v1/admin/reports/{id}", write, reports::update)
        .route(Method::POST, "/api/v1/admin/reports/{id}/assign_to_self", write, reports::assign)
        .route(Method::POST, "/api/v1/admin/reports/{id}/unassign", write, reports::unassign)
        .route(Method::POST, "/api/v1/admin/reports/{id}/resolve", write, reports::resolve)
        .route(Method::POST, "/api/v1/admin/reports/{id}/reopen", write, reports::reopen)
}

fn admin_routes() -> Routes<Shared> {
    let (read, write) = (needs("admin:read:accounts"), needs(admin::MODERATES));
    Routes::new()
        .route(Method::GET, "/api/v1/admin/accounts", read, admin::index_v1)
        .route(Method::GET, "/api/v2/admin/accounts", read, admin::index_v2)
        .route(Method::GET, "/api/v1/admin/accounts/{id}", read, admin::show)
        .route(Method::POST, "/api/v1/admin/accounts/{id}/approve", write, admin::answer)
        .route(Method::POST, "/api/v1/admin/accounts/{id}/reject", write, admin::answer)
        .route(Method::POST, "/api/v1/admin/accounts/{id}/action", write, admin::act)
        .route(Method::POST, "/api/v1/admin/accounts/{id}/enable", write, admin::enable)
        .route(Method::POST, "/api/v1/admin/accounts/{id}/unsensitive", write, admin::unsensitive)
        .route(Method::POST, "/api/v1/admin/accounts/{id}/unsilence", write, admin::unsilence)
        .route(Method::POST, "/api/v1/admin/accounts/{id}/unsuspend", write, admin::unsuspend)
}

fn export_routes() -> Routes<Shared> {
    // This server's own: Mastodon has them on a page of its site.
    Routes::new().route(Method::GET, "/api/v1/exports/archive.tar", needs("read"), export::archive).route(
        Method::GET,
        "/api/v1/exports/{name}",
        needs("read"),
        export::csv,
    )
}

fn notice_routes() -> Routes<Shared> {
    let (react, admin) = (needs("write:favourites"), needs("admin:write"));
    Routes::new()
        .route(Method::GET, "/api/v1/announcements", Access::Signed, announcements::index)
        .route(
            Method::POST,
            "/api/v1/announcements/{id}/dismiss",
            needs("write:accounts"),
            announcements::dismiss,
        )
        .route(Method::PUT, "/api/v1/announcements/{id}/reactions/{name}", react, announcements::react)
        .route(Method::DELETE, "/api/v1/announcements/{id}/reactions/{name}", react, announcements::unreact)
        // This server's own: the API names no way to make them.
        .route(Method::POST, "/api/v1/admin/announcements", admin, announcements::create)
        .route(Method::PUT, "/api/v1/admin/announcements/{id}", admin, announcements::update)
        .route(Method::DELETE, "/api/v1/admin/announcements/{id}", admin, announcements::remove)
        .route(
            Method::POST,
            "/api/v1/admin/custom_emojis",
            admin,
            emojis::create.layer(DefaultBodyLimit::max(PROFILE)),
        )
        .route(Method::DELETE, "/api/v1/admin/custom_emojis/{shortcode}", admin, emojis::remove)
}

/// The largest upload, with room for what is said of it: a video.
const UPLOAD: usize = 100 << 20;
/// The largest profile that is sent, with both pictures.
const PROFILE: usize = 17 << 20;

fn media_routes() -> Routes<Shared> {
    let write = needs("write:media");
    let upload = || media::upload.layer(DefaultBodyLimit::max(UPLOAD));
    Routes::new()
        .route(Method::POST, "/api/v2/media", write, upload())
        .route(Method::POST, "/api/v1/media", write, upload())
        .route(Method::GET, "/api/v1/media/{id}", write, media::show)
        .route(Method::PUT, "/api/v1/media/{id}", write, media::update.layer(DefaultBodyLimit::max(PROFILE)))
        .route(Method::DELETE, "/api/v1/media/{id}", write, media::delete)
        .route(Method::GET, "/media/{code}/{name}", PUBLIC, media::serve)
}
