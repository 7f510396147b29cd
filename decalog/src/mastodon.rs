//! The scopes of the Mastodon client API: what apps that register themselves may ask for, and what the roles have of it.
//! `read` holds `read:statuses` and so on; `follow` is an old name for six of them.

use decalog_identity::api::service::Apps;
use decalog_identity::value::read_scopes;

/// What everybody may do: rights of the role `user`.
pub(crate) const USER_RIGHTS: [&str; 5] = ["read", "write", "follow", "push", "profile"];
/// What administrators may do beside that.
pub(crate) const ADMIN_RIGHTS: [&str; 2] = ["admin:read", "admin:write"];

/// Every scope that an app may register.
const SCOPES: &str = "read read:accounts read:blocks read:bookmarks read:favourites read:filters read:follows read:lists \
    read:mutes read:notifications read:search read:statuses write write:accounts write:blocks write:bookmarks \
    write:conversations write:favourites write:filters write:follows write:lists write:media write:mutes \
    write:notifications write:reports write:statuses follow push profile \
    admin:read admin:read:accounts admin:read:reports admin:read:domain_allows admin:read:domain_blocks \
    admin:read:ip_blocks admin:read:email_domain_blocks admin:read:canonical_email_blocks \
    admin:write admin:write:accounts admin:write:reports admin:write:domain_allows admin:write:domain_blocks \
    admin:write:ip_blocks admin:write:email_domain_blocks admin:write:canonical_email_blocks";
/// What `follow` stands for.
const FOLLOW: &str = "read:blocks write:blocks read:follows write:follows read:mutes write:mutes";

/// What apps may have; they register where the feed is, if it is there.
pub(crate) fn apps(feed: bool) -> Apps {
    Apps {
        scopes: read_scopes(SCOPES),
        default: read_scopes("read"),
        aliases: [("follow".to_owned(), read_scopes(FOLLOW))].into(),
        registration: feed.then_some(decalog_feed::api::APPS),
    }
}

#[cfg(test)]
mod tests {
    use decalog_identity::value::{holds, within};

    use super::*;

    #[test]
    fn the_roles_hold_every_scope_of_apps_and_apps_hold_nothing_of_other_systems() {
        let apps = apps(true);
        let rights = USER_RIGHTS.iter().chain(&ADMIN_RIGHTS).map(|right| (*right).to_owned()).collect();
        assert!(within(&apps.scopes, &rights) && within(&rights, &apps.scopes));
        assert!(
            within(&apps.default, &apps.scopes)
                && apps.aliases.values().all(|scopes| within(scopes, &rights))
        );
        for other in ["identity:admin", "identity:self", "exchange:read", "exchange:trade"] {
            assert!(!holds(&apps.scopes, other), "{other}");
        }
    }
}
