//! The shape of the configuration file: sections, keys, what each allows, and its default.
//!
//! `decalog.example.toml` documents every key; a test holds the two together. What a value may be is said by
//! its type (`value.rs`); what only makes sense between values is checked in `check.rs`.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ranking::Ranking;
use super::value::{
    Allowed, Decimal, Domain, LoginName, Name, Network, Origin, PasswordHash, Period, ScopeName, Secret,
    Slug, TimeOfDay, Whole,
};

/// The whole file.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) server: Server,
    pub(crate) telemetry: Telemetry,
    pub(crate) http: Http,
    pub(crate) outbound: Outbound,
    pub(crate) resilience: Resilience,
    pub(crate) identity: Identity,
    pub(crate) exchange: Exchange,
    pub(crate) feed: NewsFeed,
    pub(crate) blobs: Blobs,
}

/// `[server]`: what concerns the process as a whole.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Server {
    pub(crate) data: PathBuf,
    pub(crate) segment_mebibytes: Whole<1, 1024, 64>,
    pub(crate) reserve_mebibytes: Whole<1, 1024, 16>,
    pub(crate) snapshot_every_records: Whole<1_000, 1_000_000_000, 1_000_000>,
    pub(crate) erasure_window: Period,
    pub(crate) erasure_ledger: PathBuf,
    pub(crate) seal: Seal,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            data: PathBuf::from("data"),
            segment_mebibytes: Whole::default(),
            reserve_mebibytes: Whole::default(),
            snapshot_every_records: Whole::default(),
            erasure_window: Period::days(30),
            erasure_ledger: PathBuf::new(),
            seal: Seal::default(),
        }
    }
}

impl Server {
    /// Where the erasure ledger lies: beside the data directory, which a backup replaces, unless set.
    pub(crate) fn ledger(&self) -> PathBuf {
        if self.erasure_ledger.as_os_str().is_empty() {
            self.data.with_added_extension("erasures")
        } else {
            self.erasure_ledger.clone()
        }
    }
}

/// `[server.seal]`: where the master key comes from; with none of the three, nothing is sealed.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Seal {
    pub(crate) key_file: PathBuf,
    pub(crate) key_environment: String,
    pub(crate) key_command: Vec<String>,
    pub(crate) accept_unsealed: bool,
}

/// `[telemetry]`: what the process says about itself: log lines on standard error, and numbers.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Telemetry {
    pub(crate) filter: String,
    pub(crate) format: LogFormat,
    pub(crate) listen: SocketAddr,
    pub(crate) traces: Traces,
}

/// `[telemetry.traces]`: spans, sent to a collector.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Traces {
    pub(crate) endpoint: String,
    pub(crate) one_in: Whole<1, 1_000_000, 100>,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            filter: "info".to_owned(),
            format: LogFormat::Text,
            listen: SocketAddr::from(([127, 0, 0, 1], 9464)),
            traces: Traces::default(),
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `[http]`: the listener for REST, WebSocket, sign-in and health checks.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Http {
    pub(crate) listen: SocketAddr,
    pub(crate) max_connections: Whole<1, 1_000_000, 4_096>,
    pub(crate) max_connections_per_address: Whole<1, 1_000_000, 1_024>,
    pub(crate) max_requests: Whole<8, 65_536, 1_024>,
    pub(crate) deadline_seconds: Whole<1, 3_600, 10>,
    pub(crate) header_timeout_seconds: Whole<1, 300, 10>,
    pub(crate) body_timeout_seconds: Whole<1, 300, 10>,
    pub(crate) body_bytes_per_second: Whole<1, 1_000_000_000, 1_024>,
    pub(crate) write_timeout_seconds: Whole<1, 300, 30>,
    pub(crate) drain_seconds: Whole<0, 300, 2>,
    pub(crate) max_body_bytes: Whole<1_024, 16_777_216, 65_536>,
    pub(crate) access_log: bool,
    pub(crate) cors_origins: Vec<Origin>,
    pub(crate) proxies: Vec<Network>,
    pub(crate) client_address: ClientAddress,
    pub(crate) tls: Tls,
    pub(crate) acme: Acme,
    pub(crate) limits: Limits,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            max_connections: Whole::default(),
            max_connections_per_address: Whole::default(),
            max_requests: Whole::default(),
            deadline_seconds: Whole::default(),
            header_timeout_seconds: Whole::default(),
            body_timeout_seconds: Whole::default(),
            body_bytes_per_second: Whole::default(),
            write_timeout_seconds: Whole::default(),
            drain_seconds: Whole::default(),
            max_body_bytes: Whole::default(),
            access_log: false,
            cors_origins: Vec::new(),
            proxies: Vec::new(),
            client_address: ClientAddress::default(),
            tls: Tls::default(),
            acme: Acme::default(),
            limits: Limits::default(),
        }
    }
}

/// How the proxies of `http.proxies` say whose request it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ClientAddress {
    /// They do not.
    #[default]
    Connection,
    /// In `X-Forwarded-For`.
    XForwardedFor,
    /// In `Forwarded` (RFC 7239).
    Forwarded,
    /// By the PROXY protocol.
    ProxyProtocol,
}

/// `[http.tls]`, `[exchange.fix.tls]`: certificate and key; without them the listener speaks plain text.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tls {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) client_authorities: PathBuf,
}

/// `[http.acme]`: an authority that issues the certificate; with no directory, none is asked.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Acme {
    pub(crate) directory: String,
    pub(crate) names: Vec<String>,
    pub(crate) contacts: Vec<String>,
    pub(crate) agree_to_terms: bool,
}

/// `[http.limits]`: how often one address and one account may ask.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    pub(crate) keys: Whole<1_000, 100_000_000, 1_000_000>,
    pub(crate) address_per_minute: Whole<0, 100_000_000, 12_000>,
    pub(crate) account_per_minute: Whole<0, 100_000_000, 6_000>,
    pub(crate) sign_in_per_minute: Whole<0, 100_000_000, 120>,
}

/// `[outbound]`: where calls to other servers may go.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Outbound {
    pub(crate) allow: Vec<Allowed>,
    pub(crate) plain_http: bool,
}

/// `[resilience]`: how calls to other servers are made.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Resilience {
    pub(crate) connect_timeout_milliseconds: Whole<10, 60_000, 2_000>,
    pub(crate) attempt_timeout_milliseconds: Whole<10, 600_000, 5_000>,
    pub(crate) timeout_milliseconds: Whole<10, 600_000, 15_000>,
    pub(crate) concurrency: Whole<1, 65_536, 64>,
    pub(crate) queue: Whole<0, 65_536, 256>,
    pub(crate) retries: Whole<0, 10, 3>,
    pub(crate) backoff_milliseconds: Whole<1, 60_000, 100>,
    pub(crate) backoff_max_milliseconds: Whole<1, 60_000, 5_000>,
    pub(crate) retry_percent: Whole<0, 1_000, 10>,
    pub(crate) retries_per_second: Whole<0, 1_000, 1>,
    pub(crate) breaker_failures: Whole<1, 1_000, 5>,
    pub(crate) breaker_seconds: Whole<1, 3_600, 60>,
    pub(crate) breaker_probes: Whole<1, 100, 1>,
    pub(crate) hedge: bool,
    pub(crate) hedge_milliseconds: Whole<0, 60_000, 0>,
}

impl Default for Resilience {
    fn default() -> Self {
        Self {
            connect_timeout_milliseconds: Whole::default(),
            attempt_timeout_milliseconds: Whole::default(),
            timeout_milliseconds: Whole::default(),
            concurrency: Whole::default(),
            queue: Whole::default(),
            retries: Whole::default(),
            backoff_milliseconds: Whole::default(),
            backoff_max_milliseconds: Whole::default(),
            retry_percent: Whole::default(),
            retries_per_second: Whole::default(),
            breaker_failures: Whole::default(),
            breaker_seconds: Whole::default(),
            breaker_probes: Whole::default(),
            hedge: true,
            hedge_milliseconds: Whole::default(),
        }
    }
}

/// `[feed]`: the social news feed.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NewsFeed {
    pub(crate) enabled: bool,
    pub(crate) partitions: Whole<1, 1_024, 4>,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) contact: String,
    pub(crate) rules: Vec<String>,
    pub(crate) max_characters: Whole<1, 10_000, 500>,
    pub(crate) cache_mebibytes: Whole<8, 65_536, 128>,
    pub(crate) timelines_mebibytes: Whole<1, 65_536, 1_024>,
    pub(crate) timelines_unread: Whole<1, 1_000_000_000, 4_096>,
    pub(crate) ranking: Ranking,
}

impl Default for NewsFeed {
    fn default() -> Self {
        Self {
            enabled: false,
            partitions: Whole::default(),
            title: "Decalog".to_owned(),
            description: String::new(),
            contact: String::new(),
            rules: Vec::new(),
            max_characters: Whole::default(),
            cache_mebibytes: Whole::default(),
            timelines_mebibytes: Whole::default(),
            timelines_unread: Whole::default(),
            ranking: Ranking::default(),
        }
    }
}

/// `[blobs]`: where large files lie.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Blobs {
    pub(crate) bucket: String,
    pub(crate) region: String,
    pub(crate) endpoint: String,
    pub(crate) access_key: String,
    pub(crate) secret: Secret,
    pub(crate) secret_file: PathBuf,
    pub(crate) secret_environment: String,
    pub(crate) grace: Period,
    pub(crate) collect_every: Period,
}

impl Default for Blobs {
    fn default() -> Self {
        Self {
            bucket: String::new(),
            region: "us-east-1".to_owned(),
            endpoint: String::new(),
            access_key: String::new(),
            secret: Secret::default(),
            secret_file: PathBuf::new(),
            secret_environment: String::new(),
            grace: Period::days(1),
            collect_every: Period::days(1),
        }
    }
}

/// `[identity]`: accounts, sessions and tokens.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Identity {
    pub(crate) issuer: String,
    pub(crate) access_token_seconds: Whole<60, 86_400, 600>,
    pub(crate) refresh_token_days: Whole<1, 365, 30>,
    pub(crate) logon_hours: Whole<1, 720, 12>,
    pub(crate) signing_key_days: Whole<1, 365, 30>,
    pub(crate) audit_days: Whole<1, 3_650, 365>,
    pub(crate) open_registration: bool,
    pub(crate) open_accounts: bool,
    pub(crate) password_checks: Whole<1, 64, 1>,
    pub(crate) password_queue: Whole<1, 4_096, 64>,
    pub(crate) accounts: Vec<Login>,
    pub(crate) providers: Vec<Provider>,
}

/// `[[identity.accounts]]`: an account that is opened when nobody has its name.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    pub(crate) name: LoginName,
    pub(crate) password_hash: PasswordHash,
    #[serde(default = "ordinary_roles")]
    pub(crate) roles: Vec<Role>,
}

/// `[[identity.providers]]`: an outside OpenID Connect provider through which people sign in.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Provider {
    pub(crate) name: Slug,
    pub(crate) label: String,
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    #[serde(default)]
    pub(crate) client_secret: Secret,
    #[serde(default)]
    pub(crate) client_secret_file: PathBuf,
    #[serde(default)]
    pub(crate) client_secret_environment: String,
    #[serde(default = "ordinary_scopes")]
    pub(crate) scopes: Vec<ScopeName>,
    #[serde(default)]
    pub(crate) accounts: Accounts,
    #[serde(default)]
    pub(crate) email_domains: Vec<Domain>,
    #[serde(default)]
    pub(crate) second_factor: SecondFactor,
}

fn ordinary_scopes() -> Vec<ScopeName> {
    ["openid", "profile", "email"].iter().map(|name| name.parse().expect("a scope")).collect()
}

/// Whom a provider lets in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Accounts {
    /// Who linked their account.
    #[default]
    Linked,
    /// Strangers too.
    Open,
}

/// What an account with a second factor needs beside a provider's word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SecondFactor {
    /// Its second factor.
    #[default]
    Ask,
    /// Nothing.
    Trusted,
}

fn ordinary_roles() -> Vec<Role> {
    vec![Role::User]
}

/// What an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Everything.
    Admin,
    /// What is for everybody who has an account.
    User,
}

impl Role {
    /// The role's name in the directory.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::User => "user",
        }
    }
}

/// `[exchange]`: the exchange's levels, doors and units.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Exchange {
    pub(crate) durability: Durability,
    pub(crate) interval_milliseconds: Whole<1, 60_000, 10>,
    pub(crate) queue_commands: Whole<16, 1_048_576, 8_192>,
    pub(crate) spin_microseconds: Whole<0, 100_000, 2_000>,
    pub(crate) fix: Fix,
    pub(crate) feed: Feed,
    pub(crate) units: Vec<Unit>,
}

/// When a command counts as durable, and may be acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Durability {
    /// Once synced to the device.
    #[default]
    Fsync,
    /// Once written; synced every `interval_milliseconds`. A power cut may lose acknowledged orders.
    Interval,
    /// Once handed to the operating system. A power cut may lose acknowledged orders.
    Os,
}

/// `[exchange.fix]`: the FIX listener.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Fix {
    pub(crate) listen: SocketAddr,
    pub(crate) comp_id: Name<32>,
    pub(crate) max_connections: Whole<1, 4_096, 256>,
    pub(crate) logon_timeout_seconds: Whole<1, 300, 10>,
    pub(crate) max_message_bytes: Whole<1_024, 65_536, 8_192>,
    pub(crate) outbound_queue_kibibytes: Whole<64, 65_536, 4_096>,
    pub(crate) send_timeout_seconds: Whole<1, 300, 10>,
    pub(crate) sending_time_accuracy_seconds: Whole<1, 86_400, 120>,
    pub(crate) tls: Tls,
}

impl Tls {
    /// Is there a certificate?
    pub(crate) fn is_on(&self) -> bool {
        !self.certificate.as_os_str().is_empty()
    }
}

impl Acme {
    /// Is there an authority?
    pub(crate) fn is_on(&self) -> bool {
        !self.directory.is_empty()
    }
}

impl Http {
    /// Does it speak TLS?
    pub(crate) fn is_secure(&self) -> bool {
        self.tls.is_on() || self.acme.is_on()
    }
}

impl Default for Fix {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 9878)),
            comp_id: "DECALOG".parse().expect("the default CompID is a valid name"),
            max_connections: Whole::default(),
            logon_timeout_seconds: Whole::default(),
            max_message_bytes: Whole::default(),
            outbound_queue_kibibytes: Whole::default(),
            send_timeout_seconds: Whole::default(),
            sending_time_accuracy_seconds: Whole::default(),
            tls: Tls::default(),
        }
    }
}

/// `[exchange.feed]`: the market data over REST and WebSocket.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Feed {
    pub(crate) public: bool,
    pub(crate) max_subscribers: Whole<0, 65_536, 256>,
    pub(crate) subscriber_queue_messages: Whole<16, 65_536, 1_024>,
    pub(crate) trades_kept: Whole<1, 100_000, 1_000>,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            public: true,
            max_subscribers: Whole::default(),
            subscriber_queue_messages: Whole::default(),
            trades_kept: Whole::default(),
        }
    }
}

/// `[[exchange.units]]`: a matching unit, one partition: instruments that trade together.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unit {
    pub(crate) number: Whole<0, 1_023, 0>,
    pub(crate) day_end: TimeOfDay,
    pub(crate) instruments: Vec<Instrument>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) sessions: Vec<Session>,
}

/// `[[exchange.units.instruments]]`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Instrument {
    pub(crate) symbol: Name<16>,
    pub(crate) tick_size: Decimal,
    pub(crate) lot_size: Decimal,
    pub(crate) lowest_price: Decimal,
    pub(crate) highest_price: Decimal,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) largest_quantity: Option<Decimal>,
    #[serde(default)]
    pub(crate) self_trade: SelfTrade,
}

/// What happens when orders of one account meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SelfTrade {
    /// They trade.
    #[default]
    Allow,
    /// The one in the book is cancelled.
    CancelResting,
    /// The one that came is cancelled.
    CancelNewest,
}

/// `[[exchange.units.accounts]]`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Account {
    pub(crate) name: Name<16>,
}

/// `[[exchange.units.sessions]]`: one FIX counterparty.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Session {
    pub(crate) comp_id: Name<32>,
    pub(crate) account: Name<16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) username: Option<LoginName>,
    #[serde(default)]
    pub(crate) heartbeat_max_seconds: Whole<1, 3_600, 3_600>,
    #[serde(default)]
    pub(crate) reset_on_logon: bool,
}
