//! Pages of a listing: `max_id`, `since_id`, `min_id`, `limit`, and the `Link` header that leads on.

use axum::Json;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::params::Params;
use crate::state::Window;

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

/// A page as it is answered. `places` are those of what was found, the newest first, before anything was hidden.
pub(crate) struct Answer<'a> {
    /// The server's address.
    pub(crate) base: &'a str,
    /// What was asked.
    pub(crate) uri: &'a Uri,
    /// What is shown.
    pub(crate) items: Vec<Value>,
    /// The first and the last place.
    pub(crate) ends: Option<(u64, u64)>,
    /// As many as were asked for.
    pub(crate) full: bool,
}

impl IntoResponse for Answer<'_> {
    fn into_response(self) -> Response {
        let link = self.ends.map(|(first, last)| {
            let kept = |name: &str| !matches!(name, "max_id" | "since_id" | "min_id");
            let address = |name: &str, place: u64| {
                let query = self.uri.query().unwrap_or_default();
                let pairs = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| kept(name));
                let mut text = form_urlencoded::Serializer::new(String::new());
                text.extend_pairs(pairs).append_pair(name, &place.to_string());
                format!("<{}{}?{}>", self.base, self.uri.path(), text.finish())
            };
            let next = self.full.then(|| format!("{}; rel=\"next\"", address("max_id", last)));
            let back = format!("{}; rel=\"prev\"", address("min_id", first));
            next.into_iter().chain([back]).collect::<Vec<_>>().join(", ")
        });
        let mut response = Json(self.items).into_response();
        if let Some(link) = link.and_then(|link| HeaderValue::try_from(link).ok()) {
            response.headers_mut().insert(header::LINK, link);
        }
        response
    }
}

/// The ends of places that stand in the order in which they are shown.
pub(crate) fn ends(places: impl IntoIterator<Item = u64>) -> Option<(u64, u64)> {
    let mut places = places.into_iter();
    let first = places.next()?;
    Some((first, places.last().unwrap_or(first)))
}
