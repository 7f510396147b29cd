//! Entities as text, and what of them is the same for everybody: that is written once, and taken again for as long as the
//! row it was made from is the same. So nothing has to be told when it is out of date.

use std::sync::Arc;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use quick_cache::sync::Cache;
use serde::Serialize;
use serde_json::Value;

use crate::state::{Account, Post};
use crate::value::{AccountId, PostId, Standing};

/// Posts, and accounts, whose texts are kept.
const KEPT: usize = 10_000;

/// An entity as it is answered: JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rendered(Vec<u8>);

impl Rendered {
    /// A list of them.
    pub(crate) fn list<T: Item>(items: &[T]) -> Rendered {
        let mut text = vec![b'['];
        for (place, item) in items.iter().enumerate() {
            if place > 0 {
                text.push(b',');
            }
            item.write(&mut text);
        }
        text.push(b']');
        Rendered(text)
    }

    /// The same, to be looked into.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.0).expect("what was written as JSON")
    }

    /// The same, to be sent as text.
    pub(crate) fn text(self) -> String {
        String::from_utf8(self.0).expect("JSON is UTF-8")
    }
}

impl IntoResponse for Rendered {
    fn into_response(self) -> Response {
        let json = HeaderValue::from_static("application/json");
        ([(header::CONTENT_TYPE, json)], self.0).into_response()
    }
}

/// What stands in a list, or in an object.
pub(crate) trait Item {
    /// Writes it there.
    fn write(&self, into: &mut Vec<u8>);
}

impl Item for Rendered {
    fn write(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.0);
    }
}

impl Item for Value {
    fn write(&self, into: &mut Vec<u8>) {
        write(self, into);
    }
}

/// The members of an object, without what holds them together.
pub(super) fn members_of(object: &Value) -> String {
    let text = object.to_string();
    text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or_default().to_owned()
}

fn write(value: &impl Serialize, into: &mut Vec<u8>) {
    serde_json::to_writer(into, value).expect("entities have text for keys, and memory takes all");
}

/// An object that is being written, member by member.
pub(crate) struct Object(Vec<u8>);

impl Object {
    /// Begins with the members of another.
    pub(crate) fn with(members: &str) -> Object {
        let mut text = Vec::with_capacity(2 * members.len() + 1_024);
        text.push(b'{');
        text.extend_from_slice(members.as_bytes());
        Object(text)
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        write(&name, &mut self.0);
        self.0.push(b':');
    }

    pub(super) fn member(&mut self, name: &str, value: &impl Serialize) {
        self.name(name);
        write(value, &mut self.0);
    }

    pub(crate) fn item(&mut self, name: &str, item: &impl Item) {
        self.name(name);
        item.write(&mut self.0);
    }

    pub(super) fn raw(&mut self, name: &str, json: &str) {
        self.name(name);
        self.0.extend_from_slice(json.as_bytes());
    }

    pub(crate) fn done(mut self) -> Rendered {
        self.0.push(b'}');
        Rendered(self.0)
    }
}

/// What a post shows to everybody was made from these.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PostRows {
    pub(super) post: Post,
    /// What it reblogs.
    pub(super) original: Option<Post>,
    /// How often custom emoji had changed.
    pub(super) emojis: u64,
}

/// What an account shows was made from these.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AccountRows {
    pub(super) account: Account,
    pub(super) standing: Standing,
    pub(super) emojis: u64,
}

/// Texts that were written lately.
#[derive(Debug)]
pub(crate) struct Shelf {
    posts: Cache<PostId, Arc<(PostRows, String)>>,
    accounts: Cache<AccountId, Arc<(AccountRows, String)>>,
}

impl Default for Shelf {
    fn default() -> Shelf {
        Shelf { posts: Cache::new(KEPT), accounts: Cache::new(KEPT) }
    }
}

impl Shelf {
    /// The members of a post made from these rows; written anew when others are kept.
    pub(super) fn post(
        &self,
        (post, original, emojis): (&Post, Option<&Post>, u64),
        make: impl FnOnce() -> Value,
    ) -> Arc<(PostRows, String)> {
        let same = |rows: &PostRows| {
            rows.emojis == emojis && rows.post == *post && rows.original.as_ref() == original
        };
        if let Some(kept) = self.posts.get(&post.id).filter(|kept| same(&kept.0)) {
            return kept;
        }
        let rows = PostRows { post: post.clone(), original: original.cloned(), emojis };
        let kept = Arc::new((rows, members_of(&make())));
        self.posts.insert(post.id, Arc::clone(&kept));
        kept
    }

    /// An account made from these rows; written anew when others are kept.
    pub(super) fn account(
        &self,
        (account, standing, emojis): (&Account, Standing, u64),
        make: impl FnOnce() -> Value,
    ) -> Arc<(AccountRows, String)> {
        let same = |rows: &AccountRows| {
            rows.emojis == emojis && rows.standing == standing && rows.account == *account
        };
        if let Some(kept) = self.accounts.get(&account.id).filter(|kept| same(&kept.0)) {
            return kept;
        }
        let rows = AccountRows { account: account.clone(), standing, emojis };
        let kept = Arc::new((rows, make().to_string()));
        self.accounts.insert(account.id, Arc::clone(&kept));
        kept
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_the_same_is_written_once_and_what_changed_anew() {
        let shelf = Shelf::default();
        let mut account = Account { id: AccountId(1), ..Account::default() };
        let text = |account: &Account, standing, emojis, number: u32| {
            shelf.account((account, standing, emojis), || json!({ "made": number })).1.clone()
        };
        let limited = Standing { limited: true, ..Standing::default() };
        assert_eq!(text(&account, Standing::default(), 0, 1), r#"{"made":1}"#);
        assert_eq!(text(&account, Standing::default(), 0, 2), r#"{"made":1}"#);
        assert_eq!(text(&account, limited, 0, 3), r#"{"made":3}"#);
        assert_eq!(text(&account, limited, 1, 4), r#"{"made":4}"#);
        account.followers += 1;
        assert_eq!(text(&account, limited, 1, 5), r#"{"made":5}"#);
    }

    #[test]
    fn a_post_is_written_anew_when_it_or_what_it_reblogs_has_changed() {
        let shelf = Shelf::default();
        let mut post = Post { id: PostId(1), ..Post::default() };
        let mut original = Post { id: PostId(2), ..Post::default() };
        let text = |post: &Post, original: Option<&Post>, emojis, number: u32| {
            shelf.post((post, original, emojis), || json!({ "made": number })).1.clone()
        };
        assert_eq!(text(&post, None, 0, 1), r#""made":1"#);
        assert_eq!(text(&post, None, 0, 2), r#""made":1"#);
        post.favourites += 1;
        assert_eq!(text(&post, None, 0, 3), r#""made":3"#);
        assert_eq!(text(&post, Some(&original), 0, 4), r#""made":4"#);
        original.text = "Changed".to_owned();
        assert_eq!(text(&post, Some(&original), 0, 5), r#""made":5"#);
        assert_eq!(text(&post, Some(&original), 1, 6), r#""made":6"#);
    }

    #[test]
    fn objects_and_lists_are_json() {
        let mut object = Object::with(r#""id":"1""#);
        object.member("text", &"a \"word\"");
        object.raw("account", r#"{"id":"2"}"#);
        let post = object.done();
        let mut wrapper = Object::with("");
        wrapper.item("reblog", &post);
        let shown = [wrapper.done()];
        let expected = json!({ "reblog": { "id": "1", "text": "a \"word\"", "account": { "id": "2" } } });
        assert_eq!(shown[0].value(), expected);
        assert_eq!(Rendered::list(&shown).value(), json!([expected]));
        assert_eq!(Rendered::list::<Value>(&[]).text(), "[]");
    }
}
