//! Refusals in Mastodon's form: a status and `{"error": "…"}`.

use std::borrow::Cow;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use decalog_identity::api::service::Trouble;
use decalog_runtime::{ReadError, SubmitError};
use serde_json::json;

use crate::command::Refusal;

/// Why a request is not served.
#[derive(Clone, Debug)]
pub(crate) struct Error {
    status: StatusCode,
    words: Cow<'static, str>,
}

impl Error {
    /// A refusal of this status.
    pub(crate) fn new(status: StatusCode, words: impl Into<Cow<'static, str>>) -> Error {
        Error { status, words: words.into() }
    }

    /// 404: there is no such thing, or not for who asks.
    pub(crate) fn not_found() -> Error {
        Error::new(StatusCode::NOT_FOUND, "Record not found")
    }

    /// 422: a parameter is not what it may be.
    pub(crate) fn invalid(words: impl std::fmt::Display) -> Error {
        Error::new(StatusCode::UNPROCESSABLE_ENTITY, format!("Validation failed: {words}"))
    }

    /// 422: the same, in words of its own.
    pub(crate) fn unprocessable(words: impl Into<Cow<'static, str>>) -> Error {
        Error::new(StatusCode::UNPROCESSABLE_ENTITY, words)
    }

    /// 403: not for who asks.
    pub(crate) fn forbidden(words: impl Into<Cow<'static, str>>) -> Error {
        Error::new(StatusCode::FORBIDDEN, words)
    }

    /// 401: somebody must be signed in.
    pub(crate) fn nobody() -> Error {
        Error::new(StatusCode::UNAUTHORIZED, "This method requires an authenticated user")
    }

    /// 503: not now.
    pub(crate) fn later(words: impl Into<Cow<'static, str>>) -> Error {
        Error::new(StatusCode::SERVICE_UNAVAILABLE, words)
    }

    /// As a message on a stream.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        json!({ "error": self.words, "status": self.status.as_u16() })
    }

    /// Whether it may be different soon.
    pub(crate) fn is_later(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE
    }

    /// Whether there is no such thing.
    pub(crate) fn is_not_found(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(json!({ "error": self.words }))).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        let status = match refusal {
            Refusal::NotFound => StatusCode::NOT_FOUND,
            Refusal::NotAllowed | Refusal::Oneself | Refusal::Suspended => StatusCode::FORBIDDEN,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Error::new(status, refusal.to_string())
    }
}

impl From<Trouble> for Error {
    fn from(error: Trouble) -> Error {
        tracing::warn!(%error, "identity does not do it");
        Error::later("The server cannot do this now")
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Error {
        tracing::warn!(%error, "a read is not served");
        Error::later("The server cannot read this now")
    }
}

impl From<SubmitError> for Error {
    fn from(error: SubmitError) -> Error {
        tracing::warn!(%error, "a change is not taken");
        Error::later("The server cannot take this now")
    }
}
