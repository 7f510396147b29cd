//! What can be asked of passkeys (W3C Web Authentication). What the authenticator says was checked at the edge
//! ([`crate::engine::webauthn`]); whose the passkey is, whether its counter goes on and what it is enough for is decided
//! in the state.

use std::collections::BTreeSet;

use crate::value::{Bytes, Device, Hash};
use decalog_runtime::payloads;

payloads! {
    /// Give an account a passkey, which counts as a second factor from then on.
    AddPasskey {
        /// The account.
        account: u64,
        /// The credential id, 1 to 1023 bytes; nobody else has it.
        credential: Bytes,
        /// The public key, a COSE_Key.
        public_key: Bytes,
        /// The signature counter.
        counter: u32,
        /// Copies of it may come to be.
        backup_eligible: bool,
        /// There are copies of it.
        backed_up: bool,
        /// How the authenticator is reached, for the browser to know.
        transports: BTreeSet<String>,
        /// What its owner calls it.
        label: String,
        /// The hashes of recovery codes, which count when this is the first second factor.
        recovery: BTreeSet<Hash>,
    }
    /// Call a passkey otherwise.
    RenamePasskey {
        /// Whose it must be.
        account: u64,
        /// The passkey.
        passkey: u64,
        /// What its owner calls it.
        label: String,
    }
    /// Take a passkey away; with the last second factor the recovery codes go, too.
    RemovePasskey {
        /// Whose it must be.
        account: u64,
        /// The passkey.
        passkey: u64,
    }
    /// A passkey was shown to confirm something.
    UsePasskey {
        /// Whose it must be.
        account: u64,
        /// The passkey.
        passkey: u64,
        /// The signature counter that was shown.
        counter: u32,
        /// There are copies of it.
        backed_up: bool,
    }
    /// Begin a session of a person's own with a passkey.
    LogOnWithPasskey {
        /// The account.
        account: u64,
        /// The passkey.
        passkey: u64,
        /// The signature counter that was shown.
        counter: u32,
        /// There are copies of it.
        backed_up: bool,
        /// The authenticator checked who was there: then the passkey is both factors.
        user_verified: bool,
        /// Which of the account's passwords was compared ([`crate::state::Account::generation`]), if one was.
        generation: Option<u32>,
        /// The hash of the secret that continues the session.
        secret: Option<Hash>,
        /// Where from.
        device: Device,
        /// When it ends.
        expires: i64,
    }
}
