//! Calls to other servers: where they may go, how long they wait, what they may answer, and when they are tried again.
//!
//! A [`Client`] is made for one purpose, with a [`Guard`] that says where its calls may go and a [`Policy`] that bounds
//! them:
//!
//! ```no_run
//! use decalog_outbound::{Client, Guard, Policy};
//!
//! # async fn discover() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new("sign-in", Guard::default(), Policy::default())?;
//! let answer = client.get("https://id.example.org/.well-known/openid-configuration").await?;
//! assert!(answer.status.is_success());
//! # Ok(())
//! # }
//! ```
//!
//! A peer that is slow, broken or gone is met by the layers of [`resilience`]: time-outs within the caller's deadline, a bulkhead,
//! retries within a budget, a circuit breaker, hedged reads.
//!
//! # Server-side request forgery
//!
//! A URL that somebody else chose must not make this server ask what only it can reach: the metadata service of its
//! cloud, a neighbour in its private network, itself. So a call goes to addresses of the public network only, and to
//! what the operator names; the address that was checked is the one that is connected to; a redirect is checked like
//! a call; no proxy of the environment connects in our place.

#![forbid(unsafe_code)]

mod address;
mod calling;
mod client;
mod error;
mod guard;
mod peers;
mod policy;
pub mod resilience;
pub mod sabotage;
mod transport;
mod watch;

pub use calling::Calling;
pub use client::{Answer, Client};
pub use error::OutboundError;
pub use guard::{Allowed, Forbidden, Guard, NothingAllowed};
pub use policy::{Hedge, Policy};
pub use watch::{Kind, Watch};
