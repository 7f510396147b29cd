//! Quotes: what a post may quote, who quotes it, and taking that back.

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;

use super::entity::quote::may_quote;
use super::entity::rendered::Rendered;
use super::entity::status::Place;
use super::error::Error;
use super::page::Page;
use super::params::Params;
use super::service::{Me, Service, Shared};
use super::statuses::post_id;
use crate::command::{Refusal, RevokeQuote, SetQuotePolicy};
use crate::state::{Feed, Listing};
use crate::value::{AccountId, Mention, PostId, PostRef, QuotePolicy, QuoteState, Visibility};

/// Who may quote, as a request says it; nothing when it does not.
pub(crate) fn asked_policy(params: &Params) -> Result<Option<QuotePolicy>, Error> {
    let Some(name) = params.words("quote_approval_policy") else { return Ok(None) };
    let policy = QuotePolicy::parse(&name);
    policy.map(Some).ok_or_else(|| Error::invalid("Quote approval policy is not included in the list"))
}

impl Service {
    /// What a request wants to quote, in a post with nothing but words, and who may see that then: what is for few is quoted for
    /// few, and whom a direct post quotes must be named in it. What may not be quoted is as what is not there.
    pub(crate) async fn quote(
        &self,
        me: AccountId,
        params: &Params,
        visibility: Visibility,
        mentions: &[Mention],
        plain: bool,
    ) -> Result<(Option<PostRef>, Visibility), Error> {
        let Some(id) = params.words("quoted_status_id") else { return Ok((None, visibility)) };
        if !plain {
            return Err(Error::invalid("Cannot attach files or a poll to a post with a quote"));
        }
        let none = || {
            let words = "The post you are trying to quote does not appear to exist.";
            Error::new(StatusCode::NOT_FOUND, words)
        };
        let seen = self.seen(Some(me), &id).await;
        let post = seen.map_err(|error| if error.is_not_found() { none() } else { error })?.post;
        let author = post.author;
        let relation = self.read(me.bucket(), move |feed| feed.relation(me, author)).await?;
        if !may_quote(&post, Some(me), Some(&relation)) {
            return Err(none());
        }
        let named = author == me || mentions.iter().any(|mention| mention.account == author);
        if visibility == Visibility::Direct && !named {
            let words = "Cannot quote a post in a private mention that does not mention its author";
            return Err(Error::invalid(words));
        }
        let least = if post.visibility.is_open() { visibility } else { Visibility::Private };
        Ok((Some(post.reference()), visibility.max(least)))
    }

    /// Waits until the quoted post's side has counted a quote.
    pub(crate) async fn settle_quote(&self, quote: PostId, of: PostRef) -> Result<(), Error> {
        let heard = move |feed: &Feed| {
            feed.place(Listing::Quotes, of.post.0, quote.0).is_some() || feed.post(of.post).is_none()
        };
        self.settle(of.post.bucket(), heard).await
    }
}

pub(super) async fn index(
    State(service): State<Shared>,
    Path(id): Path<String>,
    uri: Uri,
    me: Me,
    params: Params,
) -> Result<Response, Error> {
    let post = service.seen(Some(me.id), &id).await?.post.id;
    let quotes = (Listing::Quotes, post.0, post.bucket());
    service.listed_posts(me.id, quotes, &uri, Page::read(&params, 20, 40), Place::Thread).await
}

pub(super) async fn revoke(
    State(service): State<Shared>,
    Path((id, quote)): Path<(String, String)>,
    me: Me,
) -> Result<Rendered, Error> {
    let post = service.seen(Some(me.id), &id).await?.post.reference();
    if post.author != me.id {
        return Err(Refusal::NotAllowed.into());
    }
    let quote = post_id(&quote)?;
    let revoke = RevokeQuote { account: me.id, post: post.post, quote };
    service.ask(me.id, post.post.bucket(), revoke).await?;
    service.settle(quote.bucket(), move |feed| is_over(feed, quote, post)).await?;
    service.status(Some(me.id), quote).await
}

/// Whether a quote has heard that it is no more.
fn is_over(feed: &Feed, quote: PostId, of: PostRef) -> bool {
    let quote = feed.post(quote).and_then(|post| post.quote);
    quote.is_none_or(|quote| quote.of != of || quote.state != QuoteState::Accepted)
}

pub(super) async fn set_policy(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
    params: Params,
) -> Result<Rendered, Error> {
    let post = service.seen(Some(me.id), &id).await?.post;
    if post.author != me.id {
        return Err(Error::not_found());
    }
    let policy = match asked_policy(&params)? {
        Some(policy) => policy,
        None => service.account(me.id).await?.defaults.quote_policy,
    };
    let set = SetQuotePolicy { account: me.id, post: post.id, policy };
    service.ask(me.id, post.id.bucket(), set).await?;
    service.status(Some(me.id), post.id).await
}
