//! The small entities.

use serde_json::{Value, json};

use super::moment;
use crate::api::service::Service;
use crate::state::{FeaturedTag, Filter, List, Scheduled};

/// A filter; with its words and posts, or as a post that it matched names it.
pub(crate) fn filter_json(filter: &Filter, whole: bool) -> Value {
    let mut json = json!({
        "id": filter.id.to_string(),
        "title": filter.title,
        "context": filter.context,
        "expires_at": filter.expires.map(moment),
        "filter_action": filter.action,
    });
    if whole {
        json["keywords"] = filter.keywords.iter().map(keyword_json).collect();
        json["statuses"] = filter.posts.iter().map(filter_post_json).collect();
    }
    json
}

/// A word of a filter.
pub(crate) fn keyword_json((id, keyword, whole_word): &(crate::value::ItemId, String, bool)) -> Value {
    json!({ "id": id.to_string(), "keyword": keyword, "whole_word": whole_word })
}

/// A post of a filter.
pub(crate) fn filter_post_json((id, post): &(crate::value::ItemId, crate::value::PostId)) -> Value {
    json!({ "id": id.to_string(), "status_id": post.to_string() })
}

/// A list.
pub(crate) fn list_json(list: &List) -> Value {
    json!({
        "id": list.id.to_string(),
        "title": list.title,
        "replies_policy": list.replies_policy,
        "exclusive": list.exclusive,
    })
}

/// What an account does with a tag.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TagUse {
    /// It follows it.
    pub(crate) following: bool,
    /// It shows it on its profile.
    pub(crate) featuring: bool,
}

impl Service {
    /// A tag, with the days on which it was used.
    pub(crate) fn tag_json(&self, tag: &str, name: &str, mine: Option<TagUse>) -> Value {
        let mut json = json!({
            "id": tag,
            "name": name,
            "url": self.tag_url(tag),
            "history": [],
        });
        if let Some(TagUse { following, featuring }) = mine {
            json["following"] = following.into();
            json["featuring"] = featuring.into();
        }
        json
    }

    /// A tag on somebody's profile.
    pub(crate) fn featured_tag_json(
        &self,
        owner: &str,
        tag: &FeaturedTag,
        count: usize,
        last: Option<i64>,
    ) -> Value {
        json!({
            "id": tag.id.to_string(),
            "name": tag.name,
            "url": format!("{}/tagged/{}", self.account_url(owner), tag.tag),
            "statuses_count": count.to_string(),
            "last_status_at": last.map(super::day),
        })
    }

    /// A post for later.
    pub(crate) fn scheduled_json(&self, row: &Scheduled) -> Value {
        let draft = &row.draft;
        let poll = draft.poll.as_ref().map(|poll| {
            json!({
                "options": poll.options.iter().map(|option| &option.title).collect::<Vec<_>>(),
                "expires_in": (poll.expires / crate::value::SECOND).to_string(),
                "multiple": poll.multiple,
                "hide_totals": poll.hide_totals,
            })
        });
        json!({
            "id": row.id.to_string(),
            "scheduled_at": moment(row.at),
            "params": {
                "text": draft.text,
                "poll": poll,
                "media_ids": draft.media.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "sensitive": draft.sensitive,
                "spoiler_text": draft.spoiler,
                "visibility": draft.visibility.name(),
                "language": draft.language,
                "quoted_status_id": draft.quote.map(|quoted| quoted.post.to_string()),
                "quote_approval_policy": draft.quote_policy.name(),
                "in_reply_to_id": draft.reply_to.map(|parent| parent.post.to_string()),
                "scheduled_at": null,
                "application_id": null,
                "idempotency": null,
                "with_rate_limit": false,
            },
            "media_attachments": row.media.iter().map(|media| self.media_json(media, false)).collect::<Vec<_>>(),
        })
    }
}
