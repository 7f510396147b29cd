//! What faces the network, once, for every system: who asks, what they may do, and how a refusal looks.
//!
//! A system declares its [`Routes`](route::Routes), each with the [`Access`](access::Access) it needs, and answers
//! refusals as [`Problem`](problem::Problem)s. A [`Front`](front::Front) serves the routes of all systems: its
//! [`Gate`](gate::Gate) checks a request's credential before the handler sees it; who is behind a credential is told by an
//! [`Authenticator`](access::Authenticator), which `decalog-identity` implements.
//!
//! ```
//! use axum::http::Method;
//! use decalog_gateway::access::{Access, Scope};
//! use decalog_gateway::front::{Front, Settings};
//! use decalog_gateway::gate::Gate;
//! use decalog_gateway::route::Routes;
//!
//! const READ: Scope = Scope("ledger:read");
//!
//! let routes = Routes::<()>::new()
//!     .route(Method::GET, "/v1/rates", Access::Public, async || "1.00")
//!     .route(Method::GET, "/v1/accounts/{id}", Access::Scope(READ), async || "12.00");
//! let door = Front::new(Gate::closed(), Settings::default()).with(routes).open();
//! # let _ = door;
//! ```
//!
//! This crate knows no system and no account store.

pub mod access;
pub mod behalf;
pub mod client;
pub mod front;
pub mod gate;
pub mod health;
pub mod limit;
pub mod openapi;
pub mod overload;
pub mod problem;
pub mod route;
pub mod sabotage;
pub mod server;
pub mod tls;
pub mod trace;
pub mod watch;
