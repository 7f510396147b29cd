//! Posts as somebody sees them: brought together from their authors' partitions, what they reblog, and the viewer's own.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::{Value, json};

use super::moment;
use super::quote::{Depth, approval_json};
use crate::api::error::Error;
use crate::api::service::Service;
use crate::engine::filter::{Folded, Keyword};
use crate::engine::text;
use crate::state::{Filter, Post, Relation, Shown, Viewer};
use crate::value::{AccountId, Media, MediaKind, Poll, PostId};

/// Where posts are shown, which decides about filters and mutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The home timeline and lists.
    Home,
    /// Public listings.
    Public,
    /// One post alone, or several that are asked for by their ids.
    Thread,
    /// What is said around a post.
    Context,
    /// The posts of one account, one's own bookmarks and favourites.
    Account,
    /// Notifications and conversations.
    Notifications,
}

impl Place {
    fn context(self) -> &'static str {
        match self {
            Place::Home => "home",
            Place::Public => "public",
            Place::Thread | Place::Context => "thread",
            Place::Account => "account",
            Place::Notifications => "notifications",
        }
    }

    /// Whether accounts that moderators have limited are left out, unless the viewer follows them.
    fn hides_limited(self) -> bool {
        matches!(self, Place::Home | Place::Public | Place::Context)
    }

    /// Whether accounts that the viewer mutes are left out.
    fn hides_muted(self) -> bool {
        matches!(self, Place::Home | Place::Public)
    }
}

/// What is needed to show posts to a viewer.
#[derive(Default)]
pub(crate) struct Material {
    /// The posts, those that they reblog, and those that they quote.
    pub(crate) shown: HashMap<PostId, Shown>,
    /// Quoted posts that are there and not for the viewer.
    pub(super) hidden: HashSet<PostId>,
    /// What the viewer did with each.
    pub(crate) viewers: HashMap<PostId, Viewer>,
    /// How the viewer stands to each author.
    pub(crate) relations: HashMap<AccountId, Relation>,
    pub(super) filters: Vec<Compiled>,
}

/// A filter with its words ready to be looked for.
pub(super) struct Compiled {
    filter: Filter,
    keywords: Vec<Keyword>,
}

impl Compiled {
    fn of(filter: Filter) -> Compiled {
        let keywords = filter.keywords.iter().map(|(_, word, whole)| Keyword::new(word, *whole)).collect();
        Compiled { filter, keywords }
    }
}

impl Service {
    /// The posts of these ids that a viewer may see here, in this order.
    pub(crate) async fn statuses(
        &self,
        viewer: Option<AccountId>,
        ids: &[PostId],
        place: Place,
    ) -> Result<Vec<Value>, Error> {
        let shown = self.statuses_at(viewer, ids, place).await?;
        Ok(shown.into_iter().flatten().collect())
    }

    /// The same, each at its place; nothing for those that are not to be seen.
    pub(crate) async fn statuses_at(
        &self,
        viewer: Option<AccountId>,
        ids: &[PostId],
        place: Place,
    ) -> Result<Vec<Option<Value>>, Error> {
        let material = self.material(viewer, ids).await?;
        let now = self.now();
        Ok(ids.iter().map(|id| self.status_json(*id, viewer, place, &material, now)).collect())
    }

    /// One post, or that there is none.
    pub(crate) async fn status(&self, viewer: Option<AccountId>, id: PostId) -> Result<Value, Error> {
        let mut found = self.statuses(viewer, &[id], Place::Thread).await?;
        found.pop().ok_or_else(Error::not_found)
    }

    async fn gather(
        &self,
        viewer: Option<AccountId>,
        ids: impl IntoIterator<Item = PostId>,
        into: &mut HashMap<PostId, Shown>,
    ) -> Result<(), Error> {
        let mut parts: BTreeMap<usize, BTreeSet<PostId>> = BTreeMap::new();
        for id in ids {
            if !into.contains_key(&id) {
                parts.entry(self.place(id.bucket())).or_default().insert(id);
            }
        }
        let show = move |feed: &crate::state::Feed, ids: BTreeSet<PostId>| {
            ids.into_iter().filter_map(|id| feed.show(id, viewer)).collect::<Vec<_>>()
        };
        let found = self.read_each(parts, show).await?;
        into.extend(found.into_iter().flatten().map(|shown| (shown.post.id, shown)));
        Ok(())
    }

    /// The posts that those at hand quote, and which of them are there but not for the viewer.
    async fn gather_quoted(&self, viewer: Option<AccountId>, material: &mut Material) -> Result<(), Error> {
        let quoted = material.shown.values().filter_map(|shown| shown.post.quote).map(|quote| quote.of.post);
        let mut parts: BTreeMap<usize, BTreeSet<PostId>> = BTreeMap::new();
        for id in quoted.filter(|id| !material.shown.contains_key(id) && !material.hidden.contains(id)) {
            parts.entry(self.place(id.bucket())).or_default().insert(id);
        }
        for (place, ids) in parts {
            let show = move |feed: &crate::state::Feed| {
                let one = |id: PostId| (id, feed.show(id, viewer), feed.post(id).is_some());
                ids.into_iter().map(one).collect::<Vec<_>>()
            };
            for (id, shown, there) in self.read_place(place, show).await? {
                match shown {
                    Some(shown) => drop(material.shown.insert(id, shown)),
                    None if there => drop(material.hidden.insert(id)),
                    None => {}
                }
            }
        }
        Ok(())
    }

    /// All that is needed to show these posts to a viewer, as their authors' partitions let them.
    pub(crate) async fn material(
        &self,
        viewer: Option<AccountId>,
        ids: &[PostId],
    ) -> Result<Material, Error> {
        let mut material = Material::default();
        self.gather(viewer, ids.iter().copied(), &mut material.shown).await?;
        let reblogged: Vec<PostId> =
            material.shown.values().filter_map(|shown| shown.post.reblog_of).map(|of| of.post).collect();
        self.gather(viewer, reblogged, &mut material.shown).await?;
        // What is quoted is shown, and of what that quotes, whether it is.
        for _ in 0..2 {
            self.gather_quoted(viewer, &mut material).await?;
        }
        let Some(viewer) = viewer else { return Ok(material) };
        let posts: Vec<(PostId, PostId)> =
            material.shown.values().map(|shown| (shown.post.id, shown.post.conversation)).collect();
        let authors: BTreeSet<AccountId> = material.shown.values().map(|shown| shown.post.author).collect();
        let own = self.read(viewer.bucket(), move |feed| {
            let viewers = posts.into_iter().map(|(post, thread)| (post, feed.viewer(viewer, post, thread)));
            let relations = authors.into_iter().map(|author| (author, feed.relation(viewer, author)));
            (viewers.collect(), relations.collect(), feed.filters(viewer))
        });
        let filters;
        (material.viewers, material.relations, filters) = own.await?;
        material.filters = filters.into_iter().map(Compiled::of).collect();
        Ok(material)
    }

    fn status_json(
        &self,
        id: PostId,
        viewer: Option<AccountId>,
        place: Place,
        material: &Material,
        now: i64,
    ) -> Option<Value> {
        let shown = material.shown.get(&id)?;
        let hidden = |author: AccountId| {
            let relation = material.relations.get(&author);
            relation.is_some_and(|relation| {
                relation.blocking && matches!(place, Place::Home | Place::Public | Place::Notifications)
                    || relation.blocked_by
                    || relation.muting.is_some() && place.hides_muted()
            })
        };
        let author = shown.post.author;
        let follows = || material.relations.get(&author).is_some_and(|it| it.following.is_some());
        let known = || viewer == Some(author) || follows();
        if hidden(author) || place.hides_limited() && self.standings.of(author).limited && !known() {
            return None;
        }
        let original = match shown.post.reblog_of {
            None => None,
            Some(of) if hidden(of.author) => return None,
            Some(of) => Some(material.shown.get(&of.post)?),
        };
        let seen = original.unwrap_or(shown);
        let filtered = viewer.filter(|viewer| *viewer != seen.post.author);
        let filtered =
            filtered.map(|_| matches(&material.filters, &seen.post, place, now)).unwrap_or_default();
        // Who opens a post wants to see it.
        if place.context() != "thread" && filtered.iter().any(|(filter, ..)| filter.action == "hide") {
            return None;
        }
        let mut json = self.one(shown, viewer, place, material, now, Depth::Whole);
        if let Some(original) = original {
            let mut inner = self.one(original, viewer, place, material, now, Depth::Whole);
            set_filtered(&mut inner, viewer, &filtered);
            for name in ["favourited", "bookmarked", "reblogged", "muted"] {
                if viewer.is_some() {
                    json[name] = inner[name].clone();
                }
            }
            for name in [
                "favourites_count",
                "reblogs_count",
                "replies_count",
                "quotes_count",
                "quote_approval",
                "content",
                "spoiler_text",
                "sensitive",
            ] {
                json[name] = inner[name].clone();
            }
            json["reblog"] = inner;
        }
        set_filtered(&mut json, viewer, &filtered);
        Some(json)
    }

    pub(super) fn one(
        &self,
        shown: &Shown,
        viewer: Option<AccountId>,
        place: Place,
        material: &Material,
        now: i64,
        depth: Depth,
    ) -> Value {
        let (post, author) = (&shown.post, &shown.author);
        let tags = post.tags.iter().map(|(tag, name)| json!({ "name": name, "url": self.tag_url(tag) }));
        let mentions = post.mentions.iter().map(|mention| {
            json!({
                "id": mention.account.to_string(),
                "username": mention.name,
                "acct": mention.name,
                "url": self.account_url(&mention.name),
            })
        });
        let url = match post.reblog_of {
            None => format!("{}/@{}/{}", self.settings.base, author.name, post.id),
            Some(_) => format!("{}/users/{}/statuses/{}/activity", self.settings.base, author.name, post.id),
        };
        let mut json = json!({
            "id": post.id.to_string(),
            "created_at": moment(post.created),
            "in_reply_to_id": post.reply_to.map(|parent| parent.post.to_string()),
            "in_reply_to_account_id": post.reply_to.map(|parent| parent.author.to_string()),
            "sensitive": post.sensitive || viewer != Some(post.author) && self.standings.of(post.author).sensitive,
            "spoiler_text": post.spoiler,
            "visibility": post.visibility.name(),
            "language": post.language,
            "uri": format!("{}/users/{}/statuses/{}", self.settings.base, author.name, post.id),
            "url": url,
            "replies_count": post.replies,
            "reblogs_count": post.reblogs,
            "favourites_count": post.favourites,
            "quotes_count": post.quotes,
            "edited_at": post.edited.map(moment),
            "content": self.quote_inline(post, viewer, material) + &self.content(post),
            "reblog": null,
            "quote": self.quote_json(post, viewer, place, material, now, depth),
            "quote_approval": approval_json(post, viewer, material.relations.get(&post.author)),
            "application": post.application,
            "account": self.account_json(author),
            "media_attachments": post.media.iter().map(|media| self.media_json(media, post.visibility.is_open())).collect::<Vec<_>>(),
            "mentions": mentions.collect::<Vec<_>>(),
            "tags": tags.collect::<Vec<_>>(),
            "emojis": self.emojis_of(post),
            "card": null,
            "poll": post.poll.as_ref().map(|poll| self.poll_json(post, poll, viewer, shown.votes.as_deref())),
        });
        if viewer.is_some() {
            let state = material.viewers.get(&post.id).copied().unwrap_or_default();
            json["favourited"] = shown.favourited.into();
            json["reblogged"] = state.reblog.is_some().into();
            json["muted"] = state.muted.into();
            json["bookmarked"] = state.bookmarked.into();
        }
        if viewer == Some(post.author) && post.reblog_of.is_none() {
            json["pinned"] = shown.pinned.into();
        }
        json
    }

    fn emojis_of(&self, post: &Post) -> Value {
        let options = post.poll.iter().flat_map(|poll| &poll.options).map(|option| option.title.as_str());
        self.emojis_json([post.spoiler.as_str(), post.text.as_str()].into_iter().chain(options))
    }

    /// The text of a post as it is shown.
    pub(crate) fn content(&self, post: &Post) -> String {
        self.content_of(&post.text, &post.mentions)
    }

    /// The same for a text and whom it names.
    pub(crate) fn content_of(&self, words: &str, mentions: &[crate::value::Mention]) -> String {
        let link = |name: &str, domain: Option<&str>| {
            if domain.is_some_and(|domain| !domain.eq_ignore_ascii_case(self.domain())) {
                return None;
            }
            let named = mentions.iter().find(|mention| mention.name.eq_ignore_ascii_case(name))?;
            Some(text::Link { href: self.account_url(&named.name), name: named.name.clone() })
        };
        text::to_html(words, &link, &|tag| self.tag_url(&text::normalize_tag(tag)))
    }

    /// The page of a tag.
    pub(crate) fn tag_url(&self, tag: &str) -> String {
        let escaped: String = form_urlencoded::byte_serialize(tag.as_bytes()).collect();
        format!("{}/tags/{escaped}", self.settings.base)
    }

    /// A poll as a viewer sees it.
    pub(crate) fn poll_json(
        &self,
        post: &Post,
        poll: &Poll,
        viewer: Option<AccountId>,
        votes: Option<&[u32]>,
    ) -> Value {
        let expired = poll.expires <= self.now();
        let hidden = poll.hide_totals && !expired;
        let options = poll
            .options
            .iter()
            .map(|option| json!({ "title": option.title, "votes_count": (!hidden).then_some(option.votes) }));
        let total: u64 = poll.options.iter().map(|option| option.votes).sum();
        let mut json = json!({
            "id": post.id.to_string(),
            "expires_at": moment(poll.expires),
            "expired": expired,
            "multiple": poll.multiple,
            "votes_count": total,
            "voters_count": poll.voters,
            "options": options.collect::<Vec<_>>(),
            "emojis": self.emojis_json(poll.options.iter().map(|option| option.title.as_str())),
        });
        if let Some(viewer) = viewer {
            json["voted"] = (votes.is_some() || viewer == post.author).into();
            json["own_votes"] = votes.unwrap_or_default().into();
        }
        json
    }

    /// An attachment, of something that is for everybody or of something that is not.
    pub(crate) fn media_json(&self, media: &Media, open: bool) -> Value {
        let url = media.original.as_ref().map(|original| self.file_url(original, open));
        let preview = media.small.as_ref().map(|small| self.file_url(small, open));
        let still = url.clone().filter(|_| media.kind == MediaKind::Image);
        json!({
            "id": media.id.to_string(),
            "type": media.kind,
            "url": url,
            "preview_url": preview.or(still),
            "remote_url": null,
            "preview_remote_url": null,
            "text_url": null,
            "meta": serde_json::from_str::<Value>(&media.meta).unwrap_or_else(|_| json!({})),
            "description": media.description,
            "blurhash": media.blurhash,
        })
    }
}

pub(super) type Matched<'a> = (&'a Filter, Vec<String>, Vec<String>);

/// The filters that match a post, each with the words and the posts by which it does.
pub(super) fn matches<'a>(filters: &'a [Compiled], post: &Post, place: Place, now: i64) -> Vec<Matched<'a>> {
    let here = filters.iter().filter(|Compiled { filter, .. }| {
        let active = filter.expires.is_none_or(|expires| expires > now);
        active && filter.context.iter().any(|context| context == place.context())
    });
    let here: Vec<&Compiled> = here.collect();
    if here.is_empty() {
        return Vec::new();
    }
    let mut texts = vec![post.text.as_str(), post.spoiler.as_str()];
    texts.extend(post.media.iter().filter_map(|media| media.description.as_deref()));
    texts.extend(post.poll.iter().flat_map(|poll| &poll.options).map(|option| option.title.as_str()));
    let folded = Folded::new(&texts);
    let found = here.into_iter().map(|Compiled { filter, keywords }| {
        let words = keywords.iter().filter(|keyword| keyword.matches(&folded));
        let posts = filter.posts.iter().filter(|(_, id)| *id == post.id);
        let words = words.map(|keyword| keyword.text().to_owned()).collect::<Vec<_>>();
        (filter, words, posts.map(|(_, id)| id.to_string()).collect::<Vec<_>>())
    });
    found.filter(|(_, words, posts)| !words.is_empty() || !posts.is_empty()).collect()
}

pub(super) fn set_filtered(json: &mut Value, viewer: Option<AccountId>, filtered: &[Matched<'_>]) {
    if viewer.is_some() {
        let one = |(filter, words, posts): &Matched<'_>| {
            json!({
                "filter": super::small::filter_json(filter, false),
                "keyword_matches": words,
                "status_matches": posts,
            })
        };
        json["filtered"] = filtered.iter().map(one).collect::<Vec<_>>().into();
    }
}
