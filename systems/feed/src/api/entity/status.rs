//! Posts as somebody sees them: brought together from their authors' partitions, what they reblog, and the viewer's own.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::{Value, json};

use super::moment;
use super::quote::{Depth, approval};
use super::rendered::{Object, Rendered, members_of};
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
    pub(crate) viewers: BTreeMap<PostId, Viewer>,
    /// How the viewer stands to each author.
    pub(crate) relations: HashMap<AccountId, Relation>,
    pub(super) filters: Vec<Compiled>,
}

/// To whom posts are shown, where, and with what.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) viewer: Option<AccountId>,
    pub(super) place: Place,
    pub(super) material: &'a Material,
    pub(super) now: i64,
    /// How often custom emoji have changed.
    pub(super) emojis: u64,
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
    pub(crate) async fn rendered(
        &self,
        viewer: Option<AccountId>,
        ids: &[PostId],
        place: Place,
    ) -> Result<Vec<Rendered>, Error> {
        let shown = self.rendered_at(viewer, ids, place).await?;
        Ok(shown.into_iter().flatten().collect())
    }

    /// The same, each at its place; nothing for those that are not to be seen.
    pub(crate) async fn rendered_at(
        &self,
        viewer: Option<AccountId>,
        ids: &[PostId],
        place: Place,
    ) -> Result<Vec<Option<Rendered>>, Error> {
        let material = self.material(viewer, ids).await?;
        let scene =
            Scene { viewer, place, material: &material, now: self.now(), emojis: self.emojis.version() };
        Ok(ids.iter().map(|id| self.status_at(*id, &scene)).collect())
    }

    /// The same, to be looked into.
    pub(crate) async fn statuses_at(
        &self,
        viewer: Option<AccountId>,
        ids: &[PostId],
        place: Place,
    ) -> Result<Vec<Option<Value>>, Error> {
        let shown = self.rendered_at(viewer, ids, place).await?;
        Ok(shown.into_iter().map(|shown| Some(shown?.value())).collect())
    }

    /// Those that may be seen, to be looked into.
    pub(crate) async fn statuses(
        &self,
        viewer: Option<AccountId>,
        ids: &[PostId],
        place: Place,
    ) -> Result<Vec<Value>, Error> {
        let shown = self.statuses_at(viewer, ids, place).await?;
        Ok(shown.into_iter().flatten().collect())
    }

    /// One post, or that there is none.
    pub(crate) async fn status(&self, viewer: Option<AccountId>, id: PostId) -> Result<Rendered, Error> {
        let mut found = self.rendered(viewer, &[id], Place::Thread).await?;
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
        let show = move |feed: &crate::state::Feed, ids: BTreeSet<PostId>| feed.show_all(ids, viewer);
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
            let relations = authors.into_iter().map(|author| (author, feed.relation(viewer, author)));
            (feed.viewers(viewer, posts), relations.collect(), feed.filters(viewer))
        });
        let filters;
        (material.viewers, material.relations, filters) = own.await?;
        material.filters = filters.into_iter().map(Compiled::of).collect();
        Ok(material)
    }

    fn status_at(&self, id: PostId, scene: &Scene<'_>) -> Option<Rendered> {
        let Scene { viewer, place, material, now, .. } = *scene;
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
        let Some(original) = original else {
            return Some(self.one(shown, None, scene, &filtered, Depth::Whole));
        };
        let inner = self.one(original, None, scene, &filtered, Depth::Whole);
        Some(self.one(shown, Some((original, &inner)), scene, &filtered, Depth::Whole))
    }

    /// A post, or a reblog with what it reblogs, whose counts, words and marks it has.
    pub(super) fn one(
        &self,
        shown: &Shown,
        reblogged: Option<(&Shown, &Rendered)>,
        scene: &Scene<'_>,
        filtered: &[Matched<'_>],
        depth: Depth,
    ) -> Rendered {
        let Scene { viewer, material, emojis, .. } = *scene;
        let (seen, post) = (reblogged.map_or(shown, |(original, _)| original), &shown.post);
        let rows = (post, reblogged.map(|(original, _)| &original.post), emojis);
        let members = || self.members(shown, &seen.post);
        let (kept, made);
        let members = if post.media.is_empty() || post.visibility.is_open() {
            kept = self.shelf.post(rows, members);
            &kept.1
        } else {
            // Addresses of files that are not for everybody end.
            made = members_of(&members());
            &made
        };
        let mut json = Object::with(members);
        json.raw("account", &self.account_text(&shown.author, emojis).1);
        let relation = material.relations.get(&seen.post.author);
        let hides = viewer != Some(seen.post.author) && self.standings.of(seen.post.author).sensitive;
        json.member("sensitive", &(seen.post.sensitive || hides));
        if seen.post.quote.is_some() {
            let inline = self.quote_inline(&seen.post, viewer, material);
            json.member("content", &(inline + &self.content(&seen.post)));
        }
        self.write_quote(&mut json, post, scene, depth);
        json.member("quote_approval", &approval(&seen.post, viewer, relation));
        json.member(
            "poll",
            &post.poll.as_ref().map(|poll| self.poll_json(post, poll, viewer, shown.votes.as_deref())),
        );
        match reblogged {
            Some((_, inner)) => json.item("reblog", inner),
            None => json.raw("reblog", "null"),
        }
        if viewer.is_some() {
            let state = material.viewers.get(&seen.post.id).copied().unwrap_or_default();
            json.member("favourited", &seen.favourited);
            json.member("reblogged", &state.reblog.is_some());
            json.member("muted", &state.muted);
            json.member("bookmarked", &state.bookmarked);
            json.member("filtered", &filtered.iter().map(filtered_json).collect::<Vec<_>>());
        }
        if viewer == Some(post.author) && post.reblog_of.is_none() {
            json.member("pinned", &shown.pinned);
        }
        json.done()
    }

    /// What of a post is the same for everybody; `seen` is it, or what it reblogs.
    fn members(&self, shown: &Shown, seen: &Post) -> Value {
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
        let open = post.visibility.is_open();
        let mut json = json!({
            "id": post.id.to_string(),
            "created_at": moment(post.created),
            "in_reply_to_id": post.reply_to.map(|parent| parent.post.to_string()),
            "in_reply_to_account_id": post.reply_to.map(|parent| parent.author.to_string()),
            "spoiler_text": seen.spoiler,
            "visibility": post.visibility.name(),
            "language": post.language,
            "uri": format!("{}/users/{}/statuses/{}", self.settings.base, author.name, post.id),
            "url": url,
            "replies_count": seen.replies,
            "reblogs_count": seen.reblogs,
            "favourites_count": seen.favourites,
            "quotes_count": seen.quotes,
            "edited_at": post.edited.map(moment),
            "application": post.application,
            "media_attachments": post.media.iter().map(|media| self.media_json(media, open)).collect::<Vec<_>>(),
            "mentions": mentions.collect::<Vec<_>>(),
            "tags": tags.collect::<Vec<_>>(),
            "emojis": self.emojis_of(post),
            "card": null,
        });
        if seen.quote.is_none() {
            json["content"] = self.content(seen).into();
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

/// A filter that matched, as a post names it.
fn filtered_json((filter, words, posts): &Matched<'_>) -> Value {
    json!({
        "filter": super::small::filter_json(filter, false),
        "keyword_matches": words,
        "status_matches": posts,
    })
}
