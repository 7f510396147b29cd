//! Which pages of other origins may call: those that are listed, and on some paths all.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowHeaders, AllowOrigin, Any, CorsLayer};

use super::REQUEST_ID;
use crate::gate::API_KEY;
use crate::limit::{RATELIMIT, RATELIMIT_POLICY};
use crate::route::is_beneath;
use crate::sabotage::{self, Sabotage};
use crate::trace::TRACEPARENT;

/// How long a browser may remember what CORS allows.
const AGE: Duration = Duration::from_secs(3_600);
const METHODS: [Method; 6] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// What browsers are told.
pub(super) struct Pages {
    /// For the origins that are listed.
    listed: Option<CorsLayer>,
    /// For all, on and beneath these paths.
    open: Vec<(&'static str, CorsLayer)>,
}

impl Pages {
    /// These origins may call; none: no other page may.
    pub(super) fn listed(origins: &[HeaderValue]) -> Pages {
        let listed = (!origins.is_empty()).then(|| {
            CorsLayer::new()
                .allow_origin(AllowOrigin::list(origins.iter().cloned()))
                .allow_methods(METHODS)
                .allow_headers([
                    header::AUTHORIZATION,
                    header::CONTENT_TYPE,
                    API_KEY,
                    TRACEPARENT,
                    REQUEST_ID,
                ])
                .expose_headers([
                    REQUEST_ID,
                    header::RETRY_AFTER,
                    header::WWW_AUTHENTICATE,
                    RATELIMIT,
                    RATELIMIT_POLICY,
                    HeaderName::from_static("decalog-offset"),
                ])
                .max_age(AGE)
        });
        Pages { listed, open: Vec::new() }
    }

    /// All may call these paths and those beneath them, and read these headers.
    pub(super) fn open(
        &mut self,
        beneath: impl IntoIterator<Item = &'static str>,
        expose: impl IntoIterator<Item = HeaderName>,
    ) {
        let expose: Vec<HeaderName> = expose.into_iter().collect();
        // Without credentials: what a browser would add by itself does not come along.
        let all = CorsLayer::new()
            .allow_origin(Any)
            .allow_methods(METHODS)
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers(expose)
            .max_age(AGE);
        self.open.extend(beneath.into_iter().map(|path| (path, all.clone())));
    }

    /// What is said of this path; nothing when no page may call it.
    pub(super) fn of(&self, path: &str) -> Option<&CorsLayer> {
        let open = self
            .open
            .iter()
            .find(|(root, _)| is_beneath(path, root) || sabotage::lacks(Sabotage::PagesListed));
        open.map(|(_, all)| all).or(self.listed.as_ref())
    }
}
