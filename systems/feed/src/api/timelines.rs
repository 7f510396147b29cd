//! Timelines: home, public, of a tag, of a list; and what one likes and keeps.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::entity::status::Place;
use super::error::Error;
use super::page::{Answer, Page, ends};
use super::params::Params;
use super::service::{Me, Service, Shared};
use crate::engine::text;
use crate::projection::homes::{Found, KEPT, Wishes};
use crate::state::{Feed, Listing, Window};
use crate::value::{AccountId, Entry, ItemId, PostId};

/// Authors whose listings one read looks at, so that no read holds up a partition for long.
const AUTHORS_AT_ONCE: usize = 64;
/// The most accounts that somebody's timeline is made of.
const FOLLOWED: usize = 20_000;
/// How often a page is filled up with what comes next, when much of it is not wanted.
const ROUNDS: usize = 8;

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

    /// The newest of what these authors wrote, as far as it is wanted.
    async fn pull(
        &self,
        authors: impl IntoIterator<Item = AccountId>,
        window: Window,
        want: impl Fn(&Entry) -> bool,
    ) -> Result<Vec<Entry>, Error> {
        let mut parts: BTreeMap<usize, Vec<AccountId>> = BTreeMap::new();
        for author in authors {
            parts.entry(self.place(author.bucket())).or_default().push(author);
        }
        let mut found = Vec::new();
        for (place, authors) in parts {
            for some in authors.chunks(AUTHORS_AT_ONCE) {
                let some = some.to_vec();
                let read = self.read_place(place, move |feed| {
                    some.into_iter().flat_map(|author| feed.written(author, window)).collect::<Vec<_>>()
                });
                found.extend(read.await?.into_iter().filter(&want));
                found = window.merge(found, |entry: &Entry| entry.post.0);
            }
        }
        Ok(found)
    }

    /// What is wanted of somebody's home timeline, from the authors' own listings.
    async fn pull_home(&self, wishes: &Wishes, window: Window) -> Result<Vec<Entry>, Error> {
        let direct = |entry: &Entry| entry.visibility == crate::value::Visibility::Direct;
        let want = |entry: &Entry| (!direct(entry) || entry.author == wishes.account) && wishes.want(entry);
        let authors = wishes.following.keys().copied().chain([wishes.account]);
        let mut found = self.pull(authors, window, want).await?;
        for tag in wishes.tags.clone() {
            let tagged = self.read_all(move |feed| feed.tagged(&tag, window)).await?;
            found.extend(tagged.into_iter().flatten().filter(want));
        }
        let mut found = window.merge(found, |entry| entry.post.0);
        found.dedup_by_key(|entry| entry.post);
        Ok(found)
    }

    /// Makes somebody's timeline, which from then on is kept.
    async fn warm(&self, account: AccountId) -> Result<(), Error> {
        let wishes = self.wishes(account).await?;
        let generation = self.homes.begin(wishes.clone());
        let found = self.pull_home(&wishes, Window::newest(KEPT)).await?;
        let ids: Vec<PostId> = found.iter().map(|entry| entry.post).collect();
        self.homes.fill(account, generation, &ids);
        Ok(())
    }

    /// A page of somebody's home timeline; nothing while it is being made.
    pub(crate) async fn home_page(
        &self,
        account: AccountId,
        window: Window,
    ) -> Result<Option<Vec<PostId>>, Error> {
        for _ in 0..3 {
            match self.homes.read(account, window) {
                Found::Posts(posts) => return Ok(Some(posts)),
                Found::Older => {
                    let found = self.pull_home(&self.wishes(account).await?, window).await?;
                    return Ok(Some(found.into_iter().map(|entry| entry.post).collect()));
                }
                Found::Cold => self.warm(account).await?,
            }
        }
        // It was thrown away as often as it was made.
        Ok(None)
    }

    /// So many entries that are wanted, looked for a few pages on.
    async fn seek<R>(
        &self,
        window: Window,
        want: impl Fn(&Entry) -> bool,
        read: R,
    ) -> Result<(Vec<PostId>, bool), Error>
    where
        R: Fn(&Feed, Window) -> Vec<Entry> + Clone + Send + Sync + 'static,
    {
        let mut left = window;
        let mut found = Vec::new();
        for _ in 0..ROUNDS {
            let (read, part) = (read.clone(), left);
            let parts = self.read_all(move |feed| read(feed, part)).await?;
            let entries = left.merge(parts.into_iter().flatten(), |entry| entry.post.0);
            let ended = entries.len() < left.most;
            if let Some(last) = entries.last() {
                if left.rising {
                    left.above = Some(last.post.0);
                } else {
                    left.below = Some(last.post.0);
                }
            }
            found.extend(entries.into_iter().filter(&want).map(|entry| entry.post));
            if ended || found.len() >= window.most {
                let more = !ended || found.len() > window.most;
                found.truncate(window.most);
                return Ok((found, more));
            }
        }
        Ok((found, true))
    }
}

pub(super) async fn home(
    State(service): State<Shared>,
    uri: Uri,
    me: Me,
    params: Params,
) -> Result<Response, Error> {
    let page = Page::read(&params, 20, 40);
    match service.home_page(me.id, page.window).await? {
        Some(posts) => {
            let posts = page.shown(posts);
            service.page_of_posts(Some(me.id), &posts, page.window, &uri, Place::Home).await
        }
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
    let want =
        |entry: &Entry| (!only_media || entry.media) && entry.reply_to.is_none_or(|to| to == entry.author);
    let (found, _) = service.seek(page.window, want, |feed, window| feed.public(window)).await?;
    let found = page.shown(found);
    service.page_of_posts(me.map(|me| me.id), &found, page.window, &uri, Place::Public).await
}

pub(super) async fn tag(
    State(service): State<Shared>,
    Path(name): Path<String>,
    uri: Uri,
    me: Option<Me>,
    params: Params,
) -> Result<Response, Error> {
    let page = Page::read(&params, 20, 40);
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
        (!only_media || entry.media) && all.iter().all(has) && !none.iter().any(has)
    };
    let read = move |feed: &Feed, window: Window| {
        let found = any.iter().flat_map(|tag| feed.tagged(tag, window));
        let mut found = window.merge(found, |entry| entry.post.0);
        found.dedup_by_key(|entry| entry.post);
        found
    };
    let (found, _) = service.seek(page.window, want, read).await?;
    let found = page.shown(found);
    service.page_of_posts(me.map(|me| me.id), &found, page.window, &uri, Place::Public).await
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
        entry.visibility != crate::value::Visibility::Direct
            && (entry.reblog_of.is_none() || reblogs)
            && entry.reply_to.is_none_or(|to| to == entry.author || to == account || known.contains(&to))
    };
    let found = service.pull(members, page.window, want).await?;
    let found = page.shown(found.into_iter().map(|entry| entry.post).collect());
    service.page_of_posts(Some(account), &found, page.window, &uri, Place::Home).await
}

/// Posts of a listing of one's own, whose places are not the posts' ids.
async fn kept(
    service: &Service,
    me: Me,
    uri: &Uri,
    params: &Params,
    listing: Listing,
) -> Result<Response, Error> {
    let page = Page::read(params, 20, 40);
    let (account, window) = (me.id, page.window);
    let found = service.read(account.bucket(), move |feed| feed.listing(listing, account.0, window)).await?;
    let found = page.shown(found);
    let posts: Vec<PostId> = found.iter().map(|(_, post)| PostId(*post)).collect();
    let items = service.statuses(Some(account), &posts, Place::Account).await?;
    Ok(Answer {
        base: &service.settings.base,
        uri,
        items,
        ends: ends(found.iter().map(|(place, _)| *place)),
        full: found.len() == window.most,
    }
    .into_response())
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
