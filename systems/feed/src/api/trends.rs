//! Trends: tags, links and posts that more people use and answer than before.
//!
//! They are counted from the public listings of the last days, at most once in a while, and kept for who asks meanwhile.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde_json::{Value, json};

use decalog_runtime::bucket::Id;

use super::entity::rendered::Rendered;
use super::entity::status::Place;
use super::error::Error;
use super::page::{Page, Part};
use super::params::Params;
use super::service::{Me, Service, Shared};
use crate::engine::text;
use crate::engine::trend::{Account, Policy, Usage, post_score, rank};
use crate::state::Window;
use crate::value::{AccountId, Entry, PostId, PostRef, SECOND, Standing};

/// How long an answer is kept.
const KEPT: i64 = 300 * SECOND;
/// How far back is looked, and how many posts of each partition at most.
const DAYS: i64 = 2;
const POSTS: usize = 2_000;
/// Posts that one read looks into.
const AT_ONCE: usize = 64;
/// Addresses of one post that count.
const LINKS: usize = 4;
/// Trends that are kept of each kind.
const TRENDS: usize = 40;
const DAY: i64 = 86_400 * SECOND;

/// What trended when it was counted last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trends {
    at: i64,
    tags: Vec<(String, Usage)>,
    links: Vec<Link>,
    posts: Vec<PostRef>,
}

/// An address that trends, and the public posts that name it.
#[derive(Clone, Debug)]
struct Link {
    url: String,
    usage: Usage,
    posts: Vec<PostRef>,
}

/// The trends that are kept.
#[derive(Debug, Default)]
pub(crate) struct Counted(Mutex<Trends>);

/// What counts of a post and its author.
struct Facts {
    entry: Entry,
    /// The addresses that it names, each once.
    links: Vec<String>,
    created: i64,
    liked: u64,
    came: i64,
    followers: u64,
}

/// The addresses that a text names, without the part of a page that they lead to.
fn links_of(words: &str) -> Vec<String> {
    let mut links: Vec<String> = Vec::new();
    for piece in text::scan(words) {
        if let text::Kind::Url(url) = piece.kind {
            let url = url.split('#').next().unwrap_or(url).to_owned();
            if !links.contains(&url) && links.len() < LINKS {
                links.push(url);
            }
        }
    }
    links
}

pub(super) fn seconds(nanos: i64) -> u64 {
    u64::try_from(nanos.div_euclid(SECOND)).unwrap_or(0)
}

impl Service {
    async fn trends(&self) -> Result<Trends, Error> {
        let now = self.now();
        let kept = self.counted.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if kept.at + KEPT > now && kept.at > 0 {
            return Ok(kept);
        }
        let counted = self.count(now).await?;
        *self.counted.0.lock().unwrap_or_else(PoisonError::into_inner) = counted.clone();
        Ok(counted)
    }

    /// What counts of these posts, a few at a time so that no read holds up a partition for long.
    async fn facts(&self, place: usize, entries: Vec<Entry>) -> Result<Vec<Facts>, Error> {
        let read = self.read_place(place, move |feed| {
            let one = |entry: Entry| {
                let (post, author) = (feed.post(entry.post)?, feed.account(entry.author)?);
                let (liked, created) = (post.favourites + post.reblogs, post.created);
                let links = if post.sensitive { Vec::new() } else { links_of(&post.text) };
                Some(Facts {
                    entry,
                    links,
                    created,
                    liked,
                    came: author.created,
                    followers: author.followers,
                })
            };
            entries.into_iter().filter_map(one).collect()
        });
        read.await
    }

    async fn count(&self, now: i64) -> Result<Trends, Error> {
        // An id begins with its moment: what is older lies below.
        let oldest = now - DAYS * DAY;
        let recent = move |feed: &crate::state::Feed| {
            let entries = feed.public(Window::newest(POSTS)).into_iter();
            entries.filter(|entry| Id(entry.post.0).time().0 >= oldest).collect::<Vec<_>>()
        };
        let mut all = Vec::new();
        for place in 0..self.places() {
            let entries = self.read_place(place, recent).await?;
            for some in entries.chunks(AT_ONCE) {
                all.extend(self.facts(place, some.to_vec()).await?);
            }
        }
        Ok(Trends::of(all, now, |account| self.standings.of(account)))
    }
}

impl Trends {
    /// What trends among these posts.
    fn of(mut all: Vec<Facts>, now: i64, standing: impl Fn(AccountId) -> Standing) -> Trends {
        let mut tags: BTreeMap<String, Usage> = BTreeMap::new();
        let mut links: BTreeMap<String, (Usage, Vec<PostRef>)> = BTreeMap::new();
        let mut posts = Vec::new();
        all.retain(|facts: &Facts| !standing(facts.entry.author).suspended);
        all.sort_by_key(|facts| facts.entry.post);
        for Facts { entry, links: named, created, liked, came, followers } in all {
            let post = PostRef { post: entry.post, author: entry.author };
            let account = Account {
                id: entry.author.0,
                age_days: u32::try_from((now - came).max(0) / DAY).unwrap_or(u32::MAX),
                followers: u32::try_from(followers).unwrap_or(u32::MAX),
                limited: standing(entry.author).limited,
            };
            for url in named {
                let (usage, posts) = links.entry(url).or_default();
                usage.record(&Policy::LINKS, &account, seconds(created));
                posts.push(post);
            }
            for tag in entry.tags {
                tags.entry(tag).or_default().record(&Policy::TAGS, &account, seconds(created));
            }
            if Policy::POSTS.admits(&account) {
                let liked = u32::try_from(liked).unwrap_or(u32::MAX);
                posts.push((post, post_score(&Policy::POSTS, liked, seconds(created), seconds(now))));
            }
        }
        let scores = tags.iter().map(|(tag, usage)| (tag.clone(), usage.score(&Policy::TAGS, seconds(now))));
        let best = rank(scores.filter(|(_, score)| *score >= Policy::TAGS.floor), TRENDS);
        let best = best.into_iter().filter_map(|(tag, _)| tags.remove_entry(&tag)).collect();
        let scores =
            links.iter().map(|(url, (usage, _))| (url.clone(), usage.score(&Policy::LINKS, seconds(now))));
        let best_links = rank(scores.filter(|(_, score)| *score >= Policy::LINKS.floor), TRENDS);
        let best_links = best_links.into_iter().filter_map(|(url, _)| {
            let (url, (usage, posts)) = links.remove_entry(&url)?;
            Some(Link { url, usage, posts })
        });
        let links = best_links.collect();
        let posts = rank(posts.into_iter().filter(|(_, score)| *score >= Policy::POSTS.floor), TRENDS);
        Trends { at: now, tags: best, links, posts: posts.into_iter().map(|(post, _)| post).collect() }
    }
}

/// `limit` and `offset`.
fn part(params: &Params, usual: usize) -> (usize, usize) {
    let number = |name| params.number(name).and_then(|number| usize::try_from(number).ok());
    (number("offset").unwrap_or(0), number("limit").unwrap_or(usual).min(TRENDS))
}

fn history(usage: &Usage, now: u64) -> Value {
    let days = usage.history(now).map(|day| {
        json!({ "day": day.day.to_string(), "uses": day.uses.to_string(), "accounts": day.accounts.to_string() })
    });
    days.collect()
}

/// A preview that says only what the posts do: no page is fetched, so its title is its address.
fn card(link: &Link, now: u64) -> Value {
    let address = link.url.split_once("://").map_or(link.url.as_str(), |(_, rest)| rest);
    let host = address.split(['/', '?']).next().unwrap_or_default();
    json!({
        "url": link.url,
        "title": address.trim_end_matches('/'),
        "description": "",
        "language": null,
        "type": "link",
        "author_name": "",
        "author_url": "",
        "provider_name": host,
        "provider_url": "",
        "html": "",
        "width": 0,
        "height": 0,
        "image": null,
        "image_description": "",
        "embed_url": "",
        "blurhash": null,
        "published_at": null,
        "authors": [],
        "history": history(&link.usage, now),
    })
}

pub(super) async fn links(State(service): State<Shared>, params: Params) -> Result<Json<Value>, Error> {
    let (offset, limit) = part(&params, 10);
    let now = seconds(service.now());
    let found = service.trends().await?.links;
    Ok(Json(found.iter().skip(offset).take(limit).map(|link| card(link, now)).collect()))
}

/// Public posts that name an address which trends.
pub(super) async fn link(
    State(service): State<Shared>,
    uri: Uri,
    me: Option<Me>,
    params: Params,
) -> Result<Response, Error> {
    let page = Page::read(&params, 20, 40);
    let url = params.words("url").ok_or_else(Error::not_found)?;
    let found = service.trends().await?.links.into_iter().find(|link| link.url == url);
    let posts = found.ok_or_else(Error::not_found)?.posts.into_iter();
    let within = posts.filter(|post| page.window.holds(post.post.0) && service.is_shown_to_all(post.author));
    let posts = page.window.merge(within.map(|post| post.post), |post| post.0);
    let part = Part::of(posts, page.window);
    service.page_of_posts(me.map(|me| me.id), part, page.window, &uri, Place::Public).await
}

pub(super) async fn tags(State(service): State<Shared>, params: Params) -> Result<Json<Value>, Error> {
    let (offset, limit) = part(&params, 10);
    let now = seconds(service.now());
    let one = |(tag, usage): &(String, Usage)| {
        let mut json = service.tag_json(tag, tag, None);
        json["history"] = history(usage, now);
        json
    };
    Ok(Json(service.trends().await?.tags.iter().skip(offset).take(limit).map(one).collect()))
}

pub(super) async fn statuses(
    State(service): State<Shared>,
    me: Option<Me>,
    params: Params,
) -> Result<Rendered, Error> {
    let (offset, limit) = part(&params, 20);
    let posts = service.trends().await?.posts.into_iter();
    let posts = posts.filter(|post| !service.standings.of(post.author).limited).map(|post| post.post);
    let posts: Vec<PostId> = posts.skip(offset).take(limit).collect();
    Ok(Rendered::list(&service.rendered(me.map(|me| me.id), &posts, Place::Public).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000 * DAY + 3_600 * SECOND;

    /// A post of today that names an address, by somebody who came so many days ago.
    fn facts(author: u64, days: i64) -> Facts {
        let entry = Entry { post: PostId(author), author: AccountId(author), ..Entry::default() };
        let links = links_of("read https://example.org/a#part and https://example.org/a");
        Facts { entry, links, created: NOW - SECOND, liked: 0, came: NOW - days * DAY, followers: 0 }
    }

    fn links(days: i64, count: u64, standing: Standing) -> Vec<(String, usize)> {
        let all = (1..=count).map(|author| facts(author, days)).collect();
        let trends = Trends::of(all, NOW, |_| standing);
        trends.links.into_iter().map(|link| (link.url, link.posts.len())).collect()
    }

    #[test]
    fn a_link_trends_when_enough_accounts_that_count_name_it() {
        let found = vec![("https://example.org/a".to_owned(), 6)];
        assert_eq!(links(30, 6, Standing::default()), found);
        assert_eq!(links(30, 4, Standing::default()), [], "too few");
        assert_eq!(links(0, 600, Standing::default()), [], "all of them new");
        let (limited, suspended) = (
            Standing { limited: true, ..Standing::default() },
            Standing { suspended: true, ..Standing::default() },
        );
        assert_eq!((links(30, 6, limited), links(30, 6, suspended)), (vec![], vec![]));
    }

    #[test]
    fn a_card_says_what_the_address_does() {
        let link = Link {
            url: "https://example.org/a/b?c=d".to_owned(),
            usage: Usage::default(),
            posts: Vec::new(),
        };
        let card = card(&link, seconds(NOW));
        assert_eq!(
            (&card["title"], &card["provider_name"]),
            (&json!("example.org/a/b?c=d"), &json!("example.org"))
        );
        assert_eq!(
            (&card["type"], &card["image"], card["history"].as_array().map(Vec::len)),
            (&json!("link"), &Value::Null, Some(7))
        );
    }
}
