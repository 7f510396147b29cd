//! What can be asked of apps, the clients that register themselves, and of the people who sign up through them.

use std::collections::BTreeSet;

use crate::value::{Client, Device, Hash, Scopes};
use decalog_runtime::payloads;

payloads! {
    /// Register an app. One through which nobody signs in within a day is removed again.
    RegisterApp {
        /// What it is as a client; there is none with its id, and it acts as no account.
        client: Client,
        /// Where to read about it.
        website: Option<String>,
    }
    /// An app asks for a token of its own, which is nobody's.
    GrantApp {
        /// Who asks.
        client: String,
        /// What for.
        scopes: Scopes,
        /// The hash of the token.
        secret: Hash,
        /// Where from.
        device: Device,
        /// When the grant ends.
        expires: i64,
    }
    /// Open an account for somebody who signs up through an app, and give the app a grant for it: both or neither.
    SignUp {
        /// The app.
        client: String,
        /// The login name; its hash's bucket is the record's.
        name: String,
        /// Where to write to, in lower case.
        email: String,
        /// The argon2id hash of the password.
        password: String,
        /// Its roles.
        roles: BTreeSet<String>,
        /// What the app may do for it.
        scopes: Scopes,
        /// The hash of the token.
        secret: Hash,
        /// Where from.
        device: Device,
        /// When the grant ends.
        expires: i64,
    }
}
