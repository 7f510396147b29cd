//! Everything that can be asked of the directory, and what it answers.
//!
//! Who asks stands in the record's header ([`decalog_runtime::Origin::principal`]); whether they may is checked at the
//! edge. Moments are nanoseconds since 1970; hashes are SHA-256 of random secrets that only their holder knows.

mod app;
mod erasure;
mod passkey;
mod provider;

use std::collections::BTreeSet;

use decalog_runtime::{DecodeError, Wire, kinds, pack, payloads, unpack};
use serde::{Deserialize, Serialize};

pub use app::{GrantApp, RegisterApp, SignUp};
pub use erasure::EraseAccount;
pub use passkey::{AddPasskey, LogOnWithPasskey, RemovePasskey, RenamePasskey, UsePasskey};
pub use provider::{LinkProvider, LogOnWithProvider, OpenWithProvider, SecondFactor, UnlinkProvider};

use crate::value::{Bytes, Client, Device, Hash, Scopes};

kinds! {
    /// What can be asked. The numbers are released and never used again.
    #[derive(Clone, Debug, PartialEq, Eq)]
    Command {
        /// Say what a role allows.
        1 "set-role" SetRole,
        /// Open an account.
        2 "open-account" OpenAccount,
        /// Give an account other roles.
        3 "assign-roles" AssignRoles,
        /// Give an account another password.
        4 "set-password" SetPassword,
        /// Shut an account out, or let it in again.
        5 "set-disabled" SetDisabled,
        /// Logons that failed since the last such record.
        6 "note-failures" NoteFailures,
        /// Begin a session; who asks has been recognised.
        7 "log-on" LogOn,
        /// End a session.
        8 "end-session" EndSession,
        /// End all sessions of an account but one.
        9 "end-other-sessions" EndOtherSessions,
        /// Give an account a TOTP secret, which counts once it is confirmed.
        10 "enrol-totp" EnrolTotp,
        /// Show that the device has the secret.
        11 "confirm-totp" ConfirmTotp,
        /// Take the second factor away.
        12 "remove-totp" RemoveTotp,
        /// Replace the recovery codes.
        13 "set-recovery-codes" SetRecoveryCodes,
        /// Make an API key.
        14 "create-api-key" CreateApiKey,
        /// End an API key.
        15 "revoke-api-key" RevokeApiKey,
        /// Register a client, or change one.
        16 "set-client" SetClient,
        /// Remove a client and end what it was granted.
        17 "remove-client" RemoveClient,
        /// A person consented: issue an authorization code.
        18 "issue-code" IssueCode,
        /// Exchange the code for a grant.
        19 "redeem-code" RedeemCode,
        /// Exchange a refresh token for the next one.
        20 "refresh" Refresh,
        /// A device asks to be authorized.
        21 "issue-device-code" IssueDeviceCode,
        /// A person decides about a device.
        22 "decide-device" DecideDevice,
        /// The device fetches its grant.
        23 "redeem-device-code" RedeemDeviceCode,
        /// A client asks for a grant of its own.
        24 "grant-client" GrantClient,
        /// Add a key that signs tokens.
        25 "add-signing-key" AddSigningKey,
        /// Stop trusting a key at once.
        26 "revoke-signing-key" RevokeSigningKey,
        /// Give an account a passkey.
        27 "add-passkey" AddPasskey,
        /// Call a passkey otherwise.
        28 "rename-passkey" RenamePasskey,
        /// Take a passkey away.
        29 "remove-passkey" RemovePasskey,
        /// A passkey was shown to confirm something.
        30 "use-passkey" UsePasskey,
        /// Begin a session with a passkey.
        31 "log-on-with-passkey" LogOnWithPasskey,
        /// Let whoever this is at an outside provider sign in to an account.
        40 "link-provider" LinkProvider,
        /// End such a link.
        41 "unlink-provider" UnlinkProvider,
        /// Begin a session: an outside provider said who is there.
        42 "log-on-with-provider" LogOnWithProvider,
        /// Open an account for somebody whom an outside provider sent.
        43 "open-with-provider" OpenWithProvider,
        /// Forget an account and everything that is of it.
        50 "erase-account" EraseAccount,
        /// Register an app.
        60 "register-app" RegisterApp,
        /// An app asks for a token of its own.
        61 "grant-app" GrantApp,
        /// Open an account for somebody who signs up through an app.
        62 "sign-up" SignUp,
    }
}

payloads! {
    /// Say what a role allows.
    SetRole {
        /// Its name.
        role: String,
        /// What it allows.
        scopes: Scopes,
    }
    /// Open an account.
    OpenAccount {
        /// The login name; its hash's bucket is the record's.
        name: String,
        /// The argon2id hash (a PHC string); none for an account that never logs on with one.
        password: Option<String>,
        /// Its roles.
        roles: BTreeSet<String>,
        /// Nobody logs on to it: it is used with API keys and client credentials.
        service: bool,
    }
    /// Give an account other roles.
    AssignRoles {
        /// The account.
        account: u64,
        /// All its roles from now on.
        roles: BTreeSet<String>,
    }
    /// Give an account another password. Its other sessions end.
    SetPassword {
        /// The account.
        account: u64,
        /// The argon2id hash.
        password: String,
        /// The session that goes on.
        keep: Option<u64>,
    }
    /// Shut an account out (its sessions end), or let it in again.
    SetDisabled {
        /// The account.
        account: u64,
        /// Out or in.
        disabled: bool,
    }
    /// Logons that failed since the last such record.
    NoteFailures {
        /// The account.
        account: u64,
        /// How many.
        count: u32,
    }
    /// Begin a session.
    LogOn {
        /// The account.
        account: u64,
        /// Which of its passwords was compared ([`crate::state::Account::generation`]).
        generation: u32,
        /// What else was shown.
        factor: Factor,
        /// The client, when this is the password grant.
        client: Option<String>,
        /// What the session may do; none for all that the account may.
        scopes: Option<Scopes>,
        /// The hash of the secret that continues it: a cookie, or a refresh token's family.
        secret: Option<Hash>,
        /// The hash of the first refresh token.
        refresh: Option<Hash>,
        /// Where from.
        device: Device,
        /// When it ends.
        expires: i64,
    }
    /// End a session.
    EndSession {
        /// The account, when it must be this one's.
        account: Option<u64>,
        /// The session.
        session: u64,
    }
    /// End all sessions of an account but one.
    EndOtherSessions {
        /// The account.
        account: u64,
        /// The one that goes on.
        keep: Option<u64>,
    }
    /// Give an account a TOTP secret.
    EnrolTotp {
        /// The account.
        account: u64,
        /// The secret (RFC 6238), 16 to 64 bytes.
        secret: Bytes,
    }
    /// Show that the device has the secret.
    ConfirmTotp {
        /// The account.
        account: u64,
        /// The time step whose code was shown.
        step: u64,
        /// The hashes of the recovery codes.
        recovery: BTreeSet<Hash>,
    }
    /// Take the second factor and its recovery codes away.
    RemoveTotp {
        /// The account.
        account: u64,
    }
    /// Replace the recovery codes.
    SetRecoveryCodes {
        /// The account.
        account: u64,
        /// Their hashes.
        recovery: BTreeSet<Hash>,
    }
    /// Make an API key.
    CreateApiKey {
        /// The account it acts as.
        account: u64,
        /// The hash of the key.
        hash: Hash,
        /// What its owner calls it.
        label: String,
        /// What it may do, within what the account may.
        scopes: Scopes,
        /// When it ends.
        expires: Option<i64>,
    }
    /// End an API key.
    RevokeApiKey {
        /// The account, when it must be this one's.
        account: Option<u64>,
        /// The key's id.
        key: u64,
    }
    /// Register a client, or change one.
    SetClient {
        /// What it is from now on.
        client: Client,
        /// It must be new.
        new: bool,
    }
    /// Remove a client.
    RemoveClient {
        /// `client_id`.
        client: String,
    }
    /// A person consented.
    IssueCode {
        /// The hash of the code.
        code: Hash,
        /// Who gets it.
        client: String,
        /// The session of the person who consented.
        session: u64,
        /// Where it is sent.
        redirect_uri: String,
        /// What was consented to.
        scopes: Scopes,
        /// S256 of the PKCE verifier.
        challenge: Option<Hash>,
        /// OpenID Connect's nonce.
        nonce: Option<String>,
        /// When it ends.
        expires: i64,
    }
    /// Exchange the code for a grant. A second time ends what the first time gave.
    RedeemCode {
        /// The hash of the code.
        code: Hash,
        /// Who asks, authenticated as far as it can be.
        client: String,
        /// Where the code was sent.
        redirect_uri: String,
        /// S256 of the verifier that was shown.
        challenge: Option<Hash>,
        /// The hash of the family's secret.
        secret: Option<Hash>,
        /// The hash of the first refresh token.
        refresh: Option<Hash>,
        /// Where from.
        device: Device,
        /// When the grant ends.
        expires: i64,
    }
    /// Exchange a refresh token for the next one. One that was used ends the grant.
    Refresh {
        /// The hash of the family's secret.
        secret: Hash,
        /// The hash of the token's own secret.
        refresh: Hash,
        /// The hash of the next token's own secret.
        next: Hash,
        /// Who asks.
        client: String,
        /// When the grant ends now.
        expires: i64,
    }
    /// A device asks to be authorized.
    IssueDeviceCode {
        /// The hash of the device code.
        code: Hash,
        /// What the person types.
        user_code: String,
        /// The client on the device.
        client: String,
        /// What it asks for.
        scopes: Scopes,
        /// When it ends.
        expires: i64,
    }
    /// A person decides about a device.
    DecideDevice {
        /// What they typed.
        user_code: String,
        /// Their session.
        session: u64,
        /// Yes or no.
        approve: bool,
    }
    /// The device fetches its grant.
    RedeemDeviceCode {
        /// The hash of the device code.
        code: Hash,
        /// Who asks.
        client: String,
        /// The hash of the family's secret.
        secret: Option<Hash>,
        /// The hash of the first refresh token.
        refresh: Option<Hash>,
        /// Where from.
        device: Device,
        /// When the grant ends.
        expires: i64,
    }
    /// A client asks for a grant of its own.
    GrantClient {
        /// Who asks.
        client: String,
        /// What for.
        scopes: Scopes,
        /// Where from.
        device: Device,
        /// When the grant ends.
        expires: i64,
    }
    /// Add a key that signs tokens.
    AddSigningKey {
        /// Its name (`kid`).
        kid: String,
        /// The Ed25519 public key, 32 bytes.
        public: Bytes,
        /// From when on it signs; before, it is published.
        signs_from: i64,
        /// Until when its signatures count.
        trusted_until: i64,
    }
    /// Stop trusting a key at once.
    RevokeSigningKey {
        /// Its name.
        kid: String,
    }
}

/// What was shown beside the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Factor {
    /// Nothing.
    None,
    /// The code of this time step.
    Totp(u64),
    /// A recovery code.
    Recovery(Hash),
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Done; nothing was made.
    Done,
    /// This was made: an account, a session, a key.
    Made(u64),
    /// A grant, of which tokens may be made.
    Granted(Granted),
    /// Not done.
    Refused(Refusal),
}

/// What a token may say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// On whose behalf.
    pub account: u64,
    /// The session, which can be ended.
    pub session: u64,
    /// What it may do, within what the account may.
    pub scopes: Scopes,
    /// OpenID Connect's nonce.
    pub nonce: Option<String>,
    /// When the person logged on.
    pub authenticated: i64,
}

impl Wire for Reply {
    fn kind(&self, _rules: u32) -> (u16, u16) {
        (1, 1)
    }

    fn encode(&self, _rules: u32, out: &mut Vec<u8>) {
        pack(self, out);
    }

    fn decode(kind: u16, version: u16, body: &[u8]) -> Result<Self, DecodeError> {
        unpack(kind, version, body)
    }
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $code:literal $name:ident $label:literal),* $(,)?) => {
        /// Why not. Codes are released: new ones come at the end, none changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(into = "u16", try_from = "u16")]
        pub enum Refusal {
            $($(#[$doc])* $name,)*
        }

        impl Refusal {
            /// All of them, by code.
            pub const ALL: &'static [Refusal] = &[$(Refusal::$name),*];
            /// Their names.
            pub const NAMES: &'static [&'static str] = &[$($label),*];

            /// The released code.
            pub fn code(self) -> u16 {
                match self {
                    $(Refusal::$name => $code,)*
                }
            }

            /// Its name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Refusal::$name => $label,)*
                }
            }
        }

        impl TryFrom<u16> for Refusal {
            type Error = String;
            fn try_from(code: u16) -> Result<Refusal, String> {
                match code {
                    $($code => Ok(Refusal::$name),)*
                    _ => Err(format!("no refusal has the code {code}")),
                }
            }
        }
    };
}

refusals! {
    /// A name, scope, label, key or address that is none.
    1 Invalid "invalid",
    /// Somebody has this name.
    2 NameTaken "name-taken",
    /// No such account.
    3 UnknownAccount "unknown-account",
    /// No such role.
    4 UnknownRole "unknown-role",
    /// The account is shut out.
    5 Disabled "disabled",
    /// Too many logons failed: later.
    6 Locked "locked",
    /// The password was changed since it was compared, or there is none.
    7 PasswordChanged "password-changed",
    /// A second factor is needed.
    8 SecondFactorNeeded "second-factor-needed",
    /// This code was used, or a later one.
    9 CodeReplayed "code-replayed",
    /// No such recovery code.
    10 UnknownRecoveryCode "unknown-recovery-code",
    /// No such session.
    11 UnknownSession "unknown-session",
    /// There is a second factor already.
    12 TotpExists "totp-exists",
    /// There is no second factor.
    13 NoTotp "no-totp",
    /// No such API key.
    14 UnknownKey "unknown-key",
    /// There are as many as there may be.
    15 TooMany "too-many",
    /// More was asked than may be given.
    16 ScopeExceeded "scope-exceeded",
    /// No such client.
    17 UnknownClient "unknown-client",
    /// The client may not use this way.
    18 GrantNotAllowed "grant-not-allowed",
    /// The redirect is not one of the client's, or not the one the code was sent to.
    19 RedirectMismatch "redirect-mismatch",
    /// No such code, or it has ended.
    20 UnknownCode "unknown-code",
    /// The code belongs to another client.
    21 OtherClient "other-client",
    /// The PKCE verifier is not the challenge's, or one of them is missing.
    22 ChallengeMismatch "challenge-mismatch",
    /// The code was used before: what it gave has ended.
    23 CodeReused "code-reused",
    /// The refresh token was used before: its grant has ended.
    24 TokenReused "token-reused",
    /// No such refresh token, or it has ended.
    25 UnknownToken "unknown-token",
    /// The person has not decided yet.
    26 Undecided "undecided",
    /// The person said no.
    27 Denied "denied",
    /// A secret, code or key that exists already.
    28 SecretTaken "secret-taken",
    /// A moment that has passed.
    29 TooLate "too-late",
    /// Somebody has a passkey with this credential id.
    30 PasskeyTaken "passkey-taken",
    /// The account has no such passkey.
    31 UnknownPasskey "unknown-passkey",
    /// The passkey's counter does not go on: there is a copy of its private key.
    32 PasskeyCloned "passkey-cloned",
    /// Whoever this is at the provider signs in to an account already.
    60 LinkTaken "link-taken",
    /// The account has no such link to a provider.
    61 UnknownLink "unknown-link",
    /// Without it nobody could sign in to the account any more.
    62 LastCredential "last-credential",
    /// Nobody else could administer accounts any more.
    80 LastAdministrator "last-administrator",
    /// Somebody has this e-mail address.
    100 EmailTaken "email-taken",
}

impl From<Refusal> for u16 {
    fn from(refusal: Refusal) -> u16 {
        refusal.code()
    }
}
