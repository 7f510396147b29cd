//! Ranked order: what it is made from, the pages that are shown, why a post is there, and what it learns from.

mod experiment;
mod explain;
mod gather;
mod home;
mod models;
mod notices;
mod switches;
mod training;

pub(crate) use gather::{Acquainted, Surveyed};
pub(crate) use home::Looks;
pub(crate) use models::Models;
pub(crate) use notices::ORDERED;
pub(crate) use training::keep_training;

pub(super) use experiment::results;
pub(super) use explain::explanation;
pub(super) use switches::{change, dwell, forget, show};
pub(super) use training::train;

use super::error::Error;
use super::params::Params;

/// The order that a request asks for: `order=for_you` or `order=chronological`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Ranked.
    ForYou,
    /// The newest first.
    Chronological,
}

impl Order {
    /// Reads it; nothing when none is asked for.
    pub(crate) fn read(params: &Params) -> Result<Option<Order>, Error> {
        match params.words("order").as_deref() {
            None => Ok(None),
            Some("for_you") => Ok(Some(Order::ForYou)),
            Some("chronological") => Ok(Some(Order::Chronological)),
            Some(_) => Err(Error::invalid("order must be for_you or chronological")),
        }
    }

    /// The name that the API uses.
    pub(crate) fn name(ranked: bool) -> &'static str {
        if ranked { "for_you" } else { "chronological" }
    }
}
