//! Quotes as somebody sees them: the quoted post within the quoting one, or why it is not shown; and who may quote.

use serde::Serialize;

use super::rendered::Object;
use super::status::{Material, Scene, matches};
use crate::api::service::Service;
use crate::state::{Found, Post, Quote, Relation, Shown};
use crate::value::{AccountId, QuotePolicy, Visibility};

/// Whether somebody who stands so to its author may quote a post that they see. In which post, is looked at when they do.
pub(crate) fn may_quote(post: &Post, viewer: Option<AccountId>, relation: Option<&Relation>) -> bool {
    let Some(viewer) = viewer.filter(|_| post.visibility != Visibility::Direct && post.reblog_of.is_none())
    else {
        return false;
    };
    if viewer == post.author {
        return true;
    }
    if relation.is_some_and(|relation| relation.blocked_by) {
        return false;
    }
    match post.quote_policy {
        QuotePolicy::Public => true,
        QuotePolicy::Followers => relation.is_some_and(|relation| relation.following.is_some()),
        QuotePolicy::Nobody => false,
    }
}

/// Who may quote a post, and whether the viewer may.
#[derive(Serialize)]
pub(super) struct Approval {
    automatic: &'static [&'static str],
    manual: [&'static str; 0],
    current_user: &'static str,
}

pub(super) fn approval(post: &Post, viewer: Option<AccountId>, relation: Option<&Relation>) -> Approval {
    let automatic: &[&str] = match post.quote_policy {
        QuotePolicy::Public => &["public"],
        QuotePolicy::Followers => &["followers"],
        QuotePolicy::Nobody => &[],
    };
    let current_user = if may_quote(post, viewer, relation) { "automatic" } else { "denied" };
    Approval { automatic, manual: [], current_user }
}

/// Where a quote is shown: in a post, or in a post that is itself quoted and shows no more than which one it quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    Whole,
    Shallow,
}

impl Service {
    /// How a viewer finds what a quote quotes, and what is shown of it.
    fn quote_shown<'m>(
        quote: &Quote,
        viewer: Option<AccountId>,
        material: &'m Material,
    ) -> (&'static str, Option<&'m Shown>) {
        let shown = material.shown.get(&quote.of.post);
        let found = match shown {
            Some(_) => Found::Seen,
            None if material.hidden.contains(&quote.of.post) => Found::Hidden,
            None => Found::Gone,
        };
        let relation = material.relations.get(&quote.of.author).filter(|_| viewer != Some(quote.of.author));
        let as_seen = quote.shown(found, relation);
        (as_seen.state, shown.filter(|_| as_seen.with_post))
    }

    /// Writes what a post quotes.
    pub(super) fn write_quote(&self, json: &mut Object, post: &Post, scene: &Scene<'_>, depth: Depth) {
        let Some(quote) = &post.quote else { return json.raw("quote", "null") };
        let (viewer, material) = (scene.viewer, scene.material);
        let (state, shown) = Self::quote_shown(quote, viewer, material);
        let mut object = Object::with("");
        object.member("state", &state);
        match (depth, shown) {
            (Depth::Shallow, shown) => {
                let id = shown.filter(|_| state == "accepted").map(|shown| shown.post.id.to_string());
                object.member("quoted_status_id", &id);
            }
            (Depth::Whole, None) => object.raw("quoted_status", "null"),
            (Depth::Whole, Some(shown)) => {
                let others = viewer.is_some_and(|viewer| viewer != shown.post.author);
                let filtered = match others {
                    true => matches(&material.filters, &shown.post, scene.place, scene.now),
                    false => Vec::new(),
                };
                object.item("quoted_status", &self.one(shown, None, scene, &filtered, Depth::Shallow));
            }
        }
        json.item("quote", &object.done());
    }

    /// What stands before the text of a quoting post, for apps that know no quotes: the address of the quoted one, unless the
    /// text has it or the viewer does not see it.
    pub(super) fn quote_inline(&self, post: &Post, viewer: Option<AccountId>, material: &Material) -> String {
        let shown = post.quote.as_ref().and_then(|quote| Self::quote_shown(quote, viewer, material).1);
        let Some(Shown { post: quoted, author, .. }) = shown else { return String::new() };
        let url = format!("{}/@{}/{}", self.settings.base, author.name, quoted.id);
        if post.text.contains(&url) {
            return String::new();
        }
        format!(
            "<p class=\"quote-inline\">RE: <a href=\"{url}\" rel=\"nofollow noopener\" target=\"_blank\">{url}</a></p>"
        )
    }
}
