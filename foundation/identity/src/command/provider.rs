//! What can be asked of links to outside OpenID Connect providers. What a provider says was checked at the edge
//! ([`crate::engine::id_token`]); whose the link is, and what else must be shown, is decided in the state.
//!
//! Who somebody is at a provider is its issuer and its subject together (OpenID Connect Core, 5.7), and nothing else: an
//! e-mail address changes hands, and a provider's name in the configuration may be given to another one.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Factor;
use crate::value::{Device, Hash};
use decalog_runtime::payloads;

payloads! {
    /// Let whoever this is at a provider sign in to an account. Its owner asks, and has just shown who they are.
    LinkProvider {
        /// The account.
        account: u64,
        /// The provider (`iss`).
        issuer: String,
        /// Who that is there (`sub`).
        subject: String,
    }
    /// End a link.
    UnlinkProvider {
        /// Whose it must be.
        account: u64,
        /// The link.
        link: u64,
    }
    /// Begin a session of a person's own: a provider said who is there.
    LogOnWithProvider {
        /// The account.
        account: u64,
        /// The link that leads to it.
        link: u64,
        /// What else was shown.
        beside: SecondFactor,
        /// The hash of the secret that continues the session.
        secret: Option<Hash>,
        /// Where from.
        device: Device,
        /// When it ends.
        expires: i64,
    }
    /// Open an account for somebody whom a provider sent, and link it: both or neither.
    OpenWithProvider {
        /// The login name; its hash's bucket is the record's.
        name: String,
        /// Its roles.
        roles: BTreeSet<String>,
        /// The provider (`iss`).
        issuer: String,
        /// Who that is there (`sub`).
        subject: String,
    }
}

/// What was shown beside a provider's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SecondFactor {
    /// A code, or nothing.
    Shown(Factor),
    /// A passkey of the account.
    Passkey {
        /// The passkey.
        passkey: u64,
        /// The signature counter that was shown.
        counter: u32,
        /// There are copies of it.
        backed_up: bool,
    },
    /// Nothing is asked for: the operator leaves it to the provider.
    LeftToProvider,
}
