//! Accounts, and how one stands to another.

use std::sync::Arc;

use serde_json::{Value, json};

use super::rendered::AccountRows;
use super::{day, moment};
use crate::api::admin::MODERATES;
use crate::api::service::Service;
use crate::engine::text;
use crate::state::{Account, Relation};
use crate::value::{AccountId, File};

/// Permissions of a role, as Mastodon numbers them.
const MANAGE_REPORTS: u32 = 1 << 4;
const MANAGE_USERS: u32 = 1 << 10;

impl Service {
    /// The page of an account.
    pub(crate) fn account_url(&self, name: &str) -> String {
        format!("{}/@{name}", self.settings.base)
    }

    /// The address of a file: for ever, or one that ends when it is not for everybody.
    pub(crate) fn file_url(&self, file: &File, open: bool) -> String {
        let name = format!("{}.{}", file.blob, file.extension);
        let path = match open {
            true => self.addresses.open(&name),
            false => self.addresses.ending(&name, self.now() / crate::value::SECOND),
        };
        format!("{}/media/{path}", self.settings.base)
    }

    fn picture(&self, files: &[File], missing: &str) -> (String, String) {
        match files {
            [] => {
                let url = format!("{}/{missing}/original/missing.png", self.settings.base);
                (url.clone(), url)
            }
            [file] => (self.file_url(file, true), self.file_url(file, true)),
            [file, still, ..] => (self.file_url(file, true), self.file_url(still, true)),
        }
    }

    /// A text of a profile as it is shown.
    pub(crate) fn rich(&self, words: &str) -> String {
        let link = |name: &str, domain: Option<&str>| self.own_link(name, domain);
        text::bio_to_html(words, text::Bio::Note, &link, &|tag| self.tag_url(&text::normalize_tag(tag)))
    }

    fn own_link(&self, name: &str, domain: Option<&str>) -> Option<text::Link> {
        let own = domain.is_none_or(|domain| domain.eq_ignore_ascii_case(self.domain()));
        own.then(|| text::Link { href: self.account_url(name), name: name.to_owned() })
    }

    /// An account as everybody sees it, as text.
    pub(super) fn account_text(&self, account: &Account, emojis: u64) -> Arc<(AccountRows, String)> {
        let standing = self.standings.of(account.id);
        self.shelf.account((account, standing, emojis), || self.account_json(account))
    }

    /// An account as everybody sees it.
    pub(crate) fn account_json(&self, account: &Account) -> Value {
        let standing = self.standings.of(account.id);
        let gone;
        let account = match standing.suspended {
            false => account,
            true => {
                // Nothing that they chose is shown.
                let (name, (id, created)) = (account.name.clone(), (account.id, account.created));
                gone = Account { id, name, created, discoverable: Some(false), ..Account::default() };
                &gone
            }
        };
        let (avatar, avatar_static) = self.picture(&account.avatar, "avatars");
        let (header, header_static) = self.picture(&account.header, "headers");
        let url = self.account_url(&account.name);
        let fields = account.fields.iter().map(|field| {
            json!({ "name": field.name, "value": self.rich_field(&field.value), "verified_at": null })
        });
        let texts = account.fields.iter().flat_map(|field| [field.name.as_str(), field.value.as_str()]);
        let mut json = json!({
            "id": account.id.to_string(),
            "username": account.name,
            "acct": account.name,
            "display_name": account.display_name,
            "locked": account.locked,
            "bot": account.bot,
            "discoverable": account.discoverable,
            "indexable": account.indexable,
            "group": false,
            "created_at": moment(account.created - account.created.rem_euclid(86_400 * crate::value::SECOND)),
            "note": self.rich(&account.note),
            "url": url,
            "uri": format!("{}/users/{}", self.settings.base, account.name),
            "avatar": avatar,
            "avatar_static": avatar_static,
            "avatar_description": "",
            "header": header,
            "header_static": header_static,
            "header_description": "",
            "followers_count": account.followers,
            "following_count": account.following,
            "statuses_count": account.statuses,
            "last_status_at": account.last_status.map(day),
            "hide_collections": account.hide_collections,
            "noindex": !account.indexable,
            "emojis": self.emojis_json(texts.chain([account.display_name.as_str(), account.note.as_str()])),
            "roles": [],
            "fields": fields.collect::<Vec<_>>(),
        });
        if standing.suspended {
            json["suspended"] = true.into();
        }
        if standing.limited {
            json["limited"] = true.into();
        }
        json
    }

    /// The value of a profile's field as it is shown: links, and no paragraphs.
    fn rich_field(&self, value: &str) -> String {
        let link = |name: &str, domain: Option<&str>| self.own_link(name, domain);
        text::bio_to_html(value, text::Bio::Field, &link, &|tag| self.tag_url(&text::normalize_tag(tag)))
    }

    /// An account as its owner sees it.
    pub(crate) fn own_account_json(&self, account: &Account, requests: usize) -> Value {
        let mut json = self.account_json(account);
        let fields = account.fields.iter();
        let fields =
            fields.map(|field| json!({ "name": field.name, "value": field.value, "verified_at": null }));
        json["source"] = json!({
            "privacy": account.defaults.visibility.name(),
            "sensitive": account.defaults.sensitive,
            "language": account.defaults.language,
            "note": account.note,
            "fields": fields.collect::<Vec<_>>(),
            "follow_requests_count": requests,
            "hide_collections": account.hide_collections,
            "discoverable": account.discoverable,
            "indexable": account.indexable,
            "attribution_domains": [],
            "quote_policy": account.defaults.quote_policy.name(),
        });
        json["role"] = role_json(self.identity.holders(MODERATES).contains(&account.id.0));
        json
    }
}

/// What somebody is beside a user: the permissions are Mastodon's, to manage reports and users.
pub(crate) fn role_json(moderates: bool) -> Value {
    match moderates {
        true => json!({
            "id": "1", "name": "Moderator", "color": "", "permissions": (MANAGE_REPORTS | MANAGE_USERS).to_string(), "highlighted": false,
        }),
        false => json!({ "id": "-99", "name": "", "color": "", "permissions": "0", "highlighted": false }),
    }
}

/// How an account stands to another.
pub(crate) fn relationship_json(other: AccountId, relation: &Relation) -> Value {
    let following = relation.following.as_ref();
    let wish = following.or(relation.requested.as_ref());
    json!({
        "id": other.to_string(),
        "following": following.is_some(),
        "showing_reblogs": wish.is_some_and(|how| how.reblogs),
        "notifying": wish.is_some_and(|how| how.notify),
        "languages": wish.map(|how| how.languages.clone()).filter(|languages| !languages.is_empty()),
        "followed_by": relation.followed_by,
        "blocking": relation.blocking,
        "blocked_by": relation.blocked_by,
        "muting": relation.muting.is_some(),
        "muting_notifications": relation.muting.as_ref().is_some_and(|muting| muting.notifications),
        "muting_expires_at": relation.muting.as_ref().and_then(|muting| muting.until).map(moment),
        "requested": relation.requested.is_some(),
        "requested_by": relation.requested_by,
        "domain_blocking": false,
        "endorsed": relation.endorsed,
        "note": relation.note,
    })
}
