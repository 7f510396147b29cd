//! Pages of a listing: `max_id`, `since_id`, `min_id`, `limit`, and the `Link` header that leads on.

use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};

use super::entity::rendered::{Item, Rendered};
use super::params::Params;
use crate::state::Window;
use crate::value::PostId;

/// The page that is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    /// Which part.
    pub(crate) window: Window,
}

impl Page {
    /// Reads what a request asks for: so many unless said otherwise, never more than `most`. What is no id asks for nothing.
    pub(crate) fn read(params: &Params, usual: usize, most: usize) -> Page {
        let id = |name| params.words(name).map(|text| text.parse::<u64>().unwrap_or(0));
        let min = id("min_id");
        let limit = params.number("limit").and_then(|limit| usize::try_from(limit).ok());
        Page {
            window: Window {
                below: id("max_id"),
                above: min.or(id("since_id")),
                rising: min.is_some(),
                most: limit.filter(|limit| *limit > 0).unwrap_or(usual).min(most),
            },
        }
    }

    /// Brings what was found to the order in which it is shown: the newest first.
    pub(crate) fn shown<T>(self, mut found: Vec<T>) -> Vec<T> {
        if self.window.rising {
            found.reverse();
        }
        found
    }
}

/// Where the pages before and after one begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Links {
    /// What is older lies below (`max_id`).
    pub(crate) next: Option<u64>,
    /// What is newer lies above (`min_id`).
    pub(crate) back: Option<u64>,
}

impl Links {
    /// Those of a page whose places are these, in the order in which they are shown: there is more when it is full.
    pub(crate) fn of(places: impl IntoIterator<Item = u64>, window: Window) -> Links {
        let places: Vec<u64> = places.into_iter().collect();
        let full = places.len() >= window.most;
        Links { next: places.last().copied().filter(|_| full), back: places.first().copied() }
    }
}

/// Posts of a listing that were looked for: in the window's order, and how far was looked when there may be more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// The posts.
    pub(crate) posts: Vec<PostId>,
    /// Where to look on.
    pub(crate) end: Option<u64>,
}

impl Part {
    /// What is found where everything is wanted: there may be more when there are as many as there may be.
    pub(crate) fn of(posts: Vec<PostId>, window: Window) -> Part {
        let end = posts.last().map(|post| post.0).filter(|_| posts.len() >= window.most);
        Part { posts, end }
    }

    /// In the order in which it is shown, with the pages beside it.
    pub(crate) fn shown(self, window: Window) -> (Vec<PostId>, Links) {
        let Part { mut posts, end } = self;
        if window.rising {
            posts.reverse();
        }
        let (first, last) = (posts.first().map(|post| post.0), posts.last().map(|post| post.0));
        let links = match window.rising {
            true => Links { next: last, back: end.or(first) },
            false => Links { next: end, back: first },
        };
        (posts, links)
    }
}

/// A page as it is answered.
pub(crate) struct Answer<'a, T> {
    /// The server's address.
    pub(crate) base: &'a str,
    /// What was asked.
    pub(crate) uri: &'a Uri,
    /// What is shown.
    pub(crate) items: Vec<T>,
    /// The pages beside it.
    pub(crate) links: Links,
}

impl<T: Item> IntoResponse for Answer<'_, T> {
    fn into_response(self) -> Response {
        let kept = |name: &str| !matches!(name, "max_id" | "since_id" | "min_id");
        let link = |name: &str, place: u64, relation: &str| {
            let query = self.uri.query().unwrap_or_default();
            let pairs = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| kept(name));
            let mut text = form_urlencoded::Serializer::new(String::new());
            text.extend_pairs(pairs).append_pair(name, &place.to_string());
            format!("<{}{}?{}>; rel=\"{relation}\"", self.base, self.uri.path(), text.finish())
        };
        let next = self.links.next.map(|place| link("max_id", place, "next"));
        let back = self.links.back.map(|place| link("min_id", place, "prev"));
        let links = next.into_iter().chain(back).collect::<Vec<_>>().join(", ");
        let mut response = Rendered::list(&self.items).into_response();
        if let Some(links) = HeaderValue::try_from(links).ok().filter(|links| !links.is_empty()) {
            response.headers_mut().insert(header::LINK, links);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_leads_on_from_where_was_looked_even_when_nothing_was_found() {
        let (newest, oldest) = (Window::newest(2), Window { rising: true, ..Window::newest(2) });
        let part = |posts: &[u64], end| Part { posts: posts.iter().copied().map(PostId).collect(), end };
        let links = |part: Part, window| part.shown(window).1;
        assert_eq!(links(part(&[9, 7], Some(7)), newest), Links { next: Some(7), back: Some(9) });
        assert_eq!(links(part(&[9], None), newest), Links { next: None, back: Some(9) });
        assert_eq!(links(part(&[], Some(3)), newest), Links { next: Some(3), back: None });
        assert_eq!(links(part(&[4, 6], Some(8)), oldest), Links { next: Some(4), back: Some(8) });
        assert_eq!(part(&[4, 6], None).shown(oldest).0, [PostId(6), PostId(4)]);
    }
}
