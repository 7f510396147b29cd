//! Everything the directory tells others: the audit trail, and what projections are fed with.

use std::collections::BTreeSet;

use decalog_runtime::{DecodeError, Wire, kinds, payloads};
use serde::Serialize;

use crate::value::{Bytes, Device, Hash, PasskeyUse, Scopes};

/// Something that happened. Its body begins with `by` and `account` (u64, little-endian), then comes the detail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Who asked for it; 0 is the system itself.
    pub by: u64,
    /// Whom it concerns; 0 is nobody in particular.
    pub account: u64,
    /// What.
    pub what: What,
}

impl Wire for Event {
    fn kind(&self, rules: u32) -> (u16, u16) {
        self.what.kind(rules)
    }

    fn encode(&self, rules: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.by.to_le_bytes());
        out.extend_from_slice(&self.account.to_le_bytes());
        self.what.encode(rules, out);
    }

    fn decode(kind: u16, version: u16, body: &[u8]) -> Result<Self, DecodeError> {
        let parts = body.split_first_chunk::<8>().and_then(|(by, rest)| {
            let (account, rest) = rest.split_first_chunk::<8>()?;
            Some((u64::from_le_bytes(*by), u64::from_le_bytes(*account), rest))
        });
        let (by, account, rest) =
            parts.ok_or_else(|| DecodeError::new(kind, version, "shorter than 16 bytes"))?;
        Ok(Event { by, account, what: What::decode(kind, version, rest)? })
    }
}

kinds! {
    /// What happened. The numbers are released and never used again.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
    #[serde(tag = "event", rename_all = "kebab-case")]
    What {
        /// A role allows something else.
        1 "role-set" RoleSet,
        /// An account was opened.
        2 "account-opened" AccountOpened,
        /// An account has other roles.
        3 "roles-assigned" RolesAssigned,
        /// An account has another password.
        4 "password-set" PasswordSet,
        /// An account was shut out or let in.
        5 "disabled-set" DisabledSet,
        /// Logons failed.
        6 "logons-failed" LogonsFailed,
        /// A session began.
        7 "session-started" SessionStarted,
        /// A session ended.
        8 "session-ended" SessionEnded,
        /// A session goes on for longer.
        9 "session-refreshed" SessionRefreshed,
        /// The second factor changed.
        10 "totp-changed" TotpChanged,
        /// There are new recovery codes, or one was used.
        11 "recovery-codes-changed" RecoveryCodesChanged,
        /// An API key was made.
        12 "api-key-created" ApiKeyCreated,
        /// An API key ended.
        13 "api-key-ended" ApiKeyEnded,
        /// A client was registered or changed.
        14 "client-set" ClientSet,
        /// A client was removed.
        15 "client-removed" ClientRemoved,
        /// A person consented to what a client asked for.
        16 "consented" Consented,
        /// A code or token came a second time, and what it gave has ended.
        17 "reuse-detected" ReuseDetected,
        /// A person decided about a device.
        18 "device-decided" DeviceDecided,
        /// A key that signs tokens was added.
        19 "signing-key-added" SigningKeyAdded,
        /// A key is trusted no more.
        20 "signing-key-ended" SigningKeyEnded,
        /// An account has a new passkey.
        21 "passkey-added" PasskeyAdded,
        /// A passkey is called otherwise.
        22 "passkey-renamed" PasskeyRenamed,
        /// An account has a passkey no more.
        23 "passkey-removed" PasskeyRemoved,
        /// A passkey was used.
        24 "passkey-used" PasskeyUsed,
        /// A copy of a passkey was used, and refused.
        25 "passkey-cloned" PasskeyCloned,
        /// Somebody at an outside provider may sign in to an account.
        40 "provider-linked" ProviderLinked,
        /// They may no more.
        41 "provider-unlinked" ProviderUnlinked,
        /// An outside provider said who is there, and a session begins.
        42 "provider-used" ProviderUsed,
        /// An account was forgotten, with everything that was of it.
        50 "account-erased" AccountErased,
        /// An app was registered.
        60 "app-registered" AppRegistered,
        /// A session has a token that counts until the session ends.
        61 "bearer-issued" BearerIssued,
    }
}

payloads! {
    /// A role allows something else.
    RoleSet {
        /// The role.
        role: String,
        /// What it allows.
        scopes: Scopes,
    }
    /// An account was opened.
    AccountOpened {
        /// Its login name.
        name: String,
        /// What it may do.
        scopes: Scopes,
        /// A service account.
        service: bool,
    }
    /// An account has other rights: other roles, or its roles allow something else.
    RolesAssigned {
        /// What it may do.
        scopes: Scopes,
    }
    /// An account has another password.
    PasswordSet {}
    /// An account was shut out or let in.
    DisabledSet {
        /// Out or in.
        disabled: bool,
    }
    /// Logons failed.
    LogonsFailed {
        /// How many since the last such event.
        count: u32,
        /// How many in a row.
        in_a_row: u32,
        /// Until when none is tried; 0 for not at all.
        locked_until: i64,
    }
    /// A session began.
    SessionStarted {
        /// Its id.
        session: u64,
        /// The client it was granted to; none for a person's own.
        client: Option<String>,
        /// What it may do; none for all that the account may.
        scopes: Option<Scopes>,
        /// When it ends.
        expires: i64,
        /// Where from.
        device: Device,
    }
    /// A session ended.
    SessionEnded {
        /// Its id.
        session: u64,
        /// Its time was over; otherwise somebody ended it.
        expired: bool,
    }
    /// A session goes on for longer.
    SessionRefreshed {
        /// Its id.
        session: u64,
        /// When it ends now.
        expires: i64,
    }
    /// The second factor changed.
    TotpChanged {
        /// There is one now.
        active: bool,
    }
    /// There are new recovery codes, or one was used.
    RecoveryCodesChanged {
        /// How many are left.
        left: u64,
    }
    /// An API key was made.
    ApiKeyCreated {
        /// Its id.
        key: u64,
        /// The hash it is found by: nothing can be done with it.
        hash: Hash,
        /// What its owner calls it.
        label: String,
        /// What it may do.
        scopes: Scopes,
        /// When it ends.
        expires: Option<i64>,
    }
    /// An API key ended.
    ApiKeyEnded {
        /// Its id.
        key: u64,
        /// Its time was over; otherwise somebody ended it.
        expired: bool,
    }
    /// A client was registered or changed.
    ClientSet {
        /// `client_id`.
        client: String,
    }
    /// A client was removed.
    ClientRemoved {
        /// `client_id`.
        client: String,
    }
    /// A person consented to what a client asked for.
    Consented {
        /// `client_id`.
        client: String,
        /// What for.
        scopes: Scopes,
    }
    /// A code or token came a second time, and what it gave has ended.
    ReuseDetected {
        /// The session that ended.
        session: u64,
        /// Who showed it.
        client: String,
    }
    /// A person decided about a device.
    DeviceDecided {
        /// The client on it.
        client: String,
        /// Yes or no.
        approved: bool,
    }
    /// A key that signs tokens was added.
    SigningKeyAdded {
        /// Its name.
        kid: String,
        /// The Ed25519 public key.
        public: Bytes,
        /// From when on it signs.
        signs_from: i64,
        /// Until when its signatures count.
        trusted_until: i64,
    }
    /// A key is trusted no more.
    SigningKeyEnded {
        /// Its name.
        kid: String,
        /// Its time was over; otherwise somebody ended it.
        expired: bool,
    }
    /// An account has a new passkey.
    PasskeyAdded {
        /// Its id.
        passkey: u64,
        /// What its owner calls it.
        label: String,
    }
    /// A passkey is called otherwise.
    PasskeyRenamed {
        /// Its id.
        passkey: u64,
        /// What its owner calls it.
        label: String,
    }
    /// An account has a passkey no more.
    PasskeyRemoved {
        /// Its id.
        passkey: u64,
    }
    /// A passkey was used.
    PasskeyUsed {
        /// Its id.
        passkey: u64,
        /// What for.
        purpose: PasskeyUse,
    }
    /// A copy of a passkey was used, and refused: its signature counter does not go on.
    PasskeyCloned {
        /// Its id.
        passkey: u64,
        /// The counter that is known.
        known: u32,
        /// The counter that was shown.
        shown: u32,
    }
    /// An account was forgotten, with everything that was of it.
    AccountErased {}
    /// An app was registered.
    AppRegistered {
        /// Its id.
        app: u64,
        /// `client_id`.
        client: String,
        /// What people are shown.
        name: String,
        /// Where to read about it.
        website: Option<String>,
        /// Where codes may be sent.
        redirect_uris: BTreeSet<String>,
        /// The most it can be granted.
        scopes: Scopes,
    }
    /// A session has a token that counts until the session ends.
    BearerIssued {
        /// The session.
        session: u64,
        /// The hash it is found by: nothing can be done with it.
        hash: Hash,
    }
    /// Somebody at an outside provider may sign in to an account.
    ProviderLinked {
        /// The link's id.
        link: u64,
        /// The provider.
        issuer: String,
        /// Who that is there.
        subject: String,
    }
    /// They may no more.
    ProviderUnlinked {
        /// The link's id.
        link: u64,
        /// The provider.
        issuer: String,
    }
    /// An outside provider said who is there, and a session begins.
    ProviderUsed {
        /// The link's id.
        link: u64,
        /// The provider.
        issuer: String,
    }
}
