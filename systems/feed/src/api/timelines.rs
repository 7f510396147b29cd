//! Timelines: home, public, of a tag, of a list; and what one likes and keeps.

use std::collections::{BTreeSet, HashMap, HashSet};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::entity::status::Place;
use super::error::Error;
use super::page::{Answer, Links, Page, Part};
use super::params::Params;
use super::rank::Order;
use super::service::{Me, Service, Shared};
use super::source::Source;
use crate::engine::text;
use crate::projection::homes::{Found, KEPT, Wishes};
use crate::state::{Listing, Window};
use crate::value::{AccountId, Entry, ItemId, PostId, Visibility};

/// The most accounts that somebody's timeline is made of.
const FOLLOWED: usize = 20_000;

impl Service {
    /// What somebody wants to see at home.
    async fn wishes(&self, account: AccountId) -> Result<Wishes, Error> {
        let read = self.read(account.bucket(), move |feed| {
            let followed = feed.listing(Listing::Following, account.0, Window::newest(FOLLOWED));
            let following = followed.into_iter().filter_map(|(_, other)| {
                let other = AccountId(other);
                let relation = feed.relation(account, other);
                relation.following.filter(|_| relation.muting.is_none()).map(|how| (other, how))
            });
            let exclusive = feed.lists(account).into_iter().filter(|list| list.exclusive);
            Wishes {
                account,
                following: following.collect(),
                tags: feed.followed_tags(account).into_iter().map(|(_, tag)| tag).collect::<BTreeSet<_>>(),
                listed: exclusive.flat_map(|list| feed.members(list.id)).collect::<HashSet<_>>(),
            }
        });
        read.await
    }

    /// Whether a post belongs into somebody's timeline: what is tagged by whom moderators have limited only when followed.
    fn may_be_home(&self, wishes: &Wishes, entry: &Entry) -> bool {
        let known = entry.author == wishes.account || wishes.following.contains_key(&entry.author);
        wishes.want(entry) && (known || self.is_shown_to_all(entry.author))
    }

    /// A part of somebody's home timeline, from the authors' own listings.
    async fn pull_home(&self, wishes: &Wishes, window: Window) -> Result<Part, Error> {
        let source = Source {
            authors: wishes.following.keys().copied().chain([wishes.account]).collect(),
            tags: wishes.tags.iter().cloned().collect(),
            public: false,
        };
        let direct = |entry: &Entry| entry.visibility == Visibility::Direct;
        let want = |entry: &Entry| {
            (!direct(entry) || entry.author == wishes.account) && self.may_be_home(wishes, entry)
        };
        self.seek(&source, window, want).await
    }

    /// Makes somebody's timeline, which from then on is kept.
    async fn warm(&self, account: AccountId) -> Result<(), Error> {
        let wishes = self.wishes(account).await?;
        let generation = self.homes.begin(wishes.clone());
        let found = self.pull_home(&wishes, Window::newest(KEPT)).await?;
        self.homes.fill(account, generation, &found.posts, found.end.is_some());
        Ok(())
    }

    /// A page of somebody's home timeline; nothing while it is being made.
    pub(crate) async fn home_page(&self, account: AccountId, window: Window) -> Result<Option<Part>, Error> {
        for _ in 0..3 {
            match self.homes.read(account, window) {
                Found::Posts(posts) => return Ok(Some(Part::of(posts, window))),
                Found::Older => {
                    return self.pull_home(&self.wishes(account).await?, window).await.map(Some);
                }
                Found::Cold => self.warm(account).await?,
            }
        }
        // It was thrown away as often as it was made.
        Ok(None)
    }
}

pub(super) async fn home(
    State(service): State<Shared>,
    uri: Uri,
    me: Me,
    params: Params,
) -> Result<Response, Error> {
    let page = Page::read(&params, 20, 40);
    let account = me.id;
    let ranked = match Order::read(&params)? {
        Some(order) => order == Order::ForYou,
        None => service.read(account.bucket(), move |feed| feed.ranking(account).home).await?,
    };
    // What is newer than something is asked for in the order of time.
    if ranked && page.window.above.is_none() {
        return service.ranked_home(account, page.window, &uri).await;
    }
    match service.home_page(me.id, page.window).await? {
        Some(part) => service.page_of_posts(Some(me.id), part, page.window, &uri, Place::Home).await,
        None => Ok((StatusCode::PARTIAL_CONTENT, Json(json!([]))).into_response()),
    }
}

pub(super) async fn public(
    State(service): State<Shared>,
    uri: Uri,
    me: Option<Me>,
    params: Params,
) -> Result<Response, Error> {
    let page = Page::read(&params, 20, 40);
    if params.is("remote") {
        // Nothing comes from other servers.
        return Ok(Json(json!([])).into_response());
    }
    let only_media = params.is("only_media");
    let want = |entry: &Entry| {
        let answers_others = entry.reply_to.is_some_and(|to| to != entry.author);
        (!only_media || entry.media) && !answers_others && service.is_shown_to_all(entry.author)
    };
    let source = Source { public: true, ..Source::default() };
    let found = service.seek(&source, page.window, want).await?;
    service.page_of_posts(me.map(|me| me.id), found, page.window, &uri, Place::Public).await
}

pub(super) async fn tag(
    State(service): State<Shared>,
    Path(name): Path<String>,
    uri: Uri,
    me: Option<Me>,
    params: Params,
) -> Result<Response, Error> {
    let page = Page::read(&params, 20, 40);
    if params.is("remote") {
        return Ok(Json(json!([])).into_response());
    }
    let tags = |name: &str| {
        let given = params.list(name).unwrap_or_default();
        given.iter().take(4).map(|tag| text::normalize_tag(tag.trim_start_matches('#'))).collect::<Vec<_>>()
    };
    let mut any = tags("any");
    any.insert(0, text::normalize_tag(&name));
    let (all, none) = (tags("all"), tags("none"));
    let only_media = params.is("only_media");
    let want = |entry: &Entry| {
        let has = |tag: &String| entry.tags.contains(tag);
        let fits = (!only_media || entry.media) && all.iter().all(has) && !none.iter().any(has);
        fits && service.is_shown_to_all(entry.author)
    };
    let source = Source { tags: any, ..Source::default() };
    let found = service.seek(&source, page.window, want).await?;
    service.page_of_posts(me.map(|me| me.id), found, page.window, &uri, Place::Public).await
}

pub(super) async fn list(
    State(service): State<Shared>,
    Path(id): Path<String>,
    uri: Uri,
    me: Me,
    params: Params,
) -> Result<Response, Error> {
    let page = Page::read(&params, 20, 40);
    let id = ItemId::parse(&id).ok_or_else(Error::not_found)?;
    let account = me.id;
    let read = service.read(account.bucket(), move |feed| {
        let list = feed.list(account, id)?;
        let members = feed.members(id);
        let how = members
            .iter()
            .filter_map(|member| feed.relation(account, *member).following.map(|how| (*member, how)));
        Some((list, members.clone(), how.collect::<HashMap<_, _>>()))
    });
    let (list, members, following) = read.await?.ok_or_else(Error::not_found)?;
    let known: HashSet<AccountId> = match list.replies_policy.as_str() {
        "none" => HashSet::new(),
        "list" => members.iter().copied().collect(),
        _ => service.wishes(account).await?.following.into_keys().collect(),
    };
    let want = |entry: &Entry| {
        let reblogs = following.get(&entry.author).is_none_or(|how| how.reblogs);
        entry.visibility != Visibility::Direct
            && (entry.reblog_of.is_none() || reblogs)
            && entry.reply_to.is_none_or(|to| to == entry.author || to == account || known.contains(&to))
    };
    let source = Source { authors: members, ..Source::default() };
    let found = service.seek(&source, page.window, want).await?;
    service.page_of_posts(Some(account), found, page.window, &uri, Place::Home).await
}

impl Service {
    /// A page of the posts of a listing, whose places are not the posts' ids.
    pub(crate) async fn listed_posts(
        &self,
        viewer: AccountId,
        (listing, owner, bucket): (Listing, u64, u16),
        uri: &Uri,
        page: Page,
        place: Place,
    ) -> Result<Response, Error> {
        let window = page.window;
        let found = self.read(bucket, move |feed| feed.listing(listing, owner, window)).await?;
        let found = page.shown(found);
        let posts: Vec<PostId> = found.iter().map(|(_, post)| PostId(*post)).collect();
        let items = self.rendered(Some(viewer), &posts, place).await?;
        let links = Links::of(found.iter().map(|(place, _)| *place), window);
        Ok(Answer { base: &self.settings.base, uri, items, links }.into_response())
    }
}

/// Posts of a listing of one's own.
async fn kept(
    service: &Service,
    me: Me,
    uri: &Uri,
    params: &Params,
    listing: Listing,
) -> Result<Response, Error> {
    let own = (listing, me.id.0, me.id.bucket());
    service.listed_posts(me.id, own, uri, Page::read(params, 20, 40), Place::Account).await
}

pub(super) async fn favourites(
    State(service): State<Shared>,
    uri: Uri,
    me: Me,
    params: Params,
) -> Result<Response, Error> {
    kept(&service, me, &uri, &params, Listing::Favourites).await
}

pub(super) async fn bookmarks(
    State(service): State<Shared>,
    uri: Uri,
    me: Me,
    params: Params,
) -> Result<Response, Error> {
    kept(&service, me, &uri, &params, Listing::Bookmarks).await
}
