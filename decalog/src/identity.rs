//! Accounts and tokens: what the configuration says of them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use decalog_identity::api::provider::{Accounts, Beside, Fetch, Provider, Secret};
use decalog_identity::api::service::{ADMIN, First, Identity, Plan, SELF, Settings};
use decalog_identity::command::OpenAccount;
use decalog_identity::value::SECOND;
use decalog_log::Log;
use decalog_runtime::clock::SystemClock;
use decalog_runtime::erasure::Erasures;
use decalog_runtime::store::FolderStore;
use decalog_runtime::{Meter, OnFatal};
use decalog_seal::KeyRing;
use decalog_telemetry::partitions::Bounds;

use crate::config::{self, Config, Login};
use crate::failure::Failure;
use crate::mastodon;

const DAY: i64 = 86_400 * SECOND;
/// Rights of the systems that this binary runs; those of the Mastodon client API stand in `mastodon.rs`.
const RIGHTS: [&str; 4] = [ADMIN, SELF, "exchange:read", "exchange:trade"];
/// What the role `user` has of them.
const USER_RIGHTS: [&str; 3] = [SELF, "exchange:read", "exchange:trade"];

/// Starts the directory; answers the first account, too, when one was made. Must be called inside the Tokio runtime.
pub(crate) fn start(
    config: &Config,
    http: SocketAddr,
    log: Arc<dyn Log>,
    keys: Option<Arc<KeyRing>>,
    meter: Arc<dyn Meter>,
    fatal: OnFatal,
    fetch: Arc<dyn Fetch>,
) -> Result<(Arc<Identity>, Option<First>), Failure> {
    let data = &config.server.data;
    let plan = Plan {
        log,
        store: Arc::new(FolderStore::new(data.join("snapshots")).with_keys(keys.clone())),
        journal: data.join("events"),
        seal: keys,
        keys: data.join("identity-keys"),
        audit: audit_path(data),
        erasures: Arc::new(Erasures::open(&config.server.ledger())?),
        runtime: decalog_runtime::Config {
            snapshot_every: u64::from(config.server.snapshot_every_records.get()),
            erase_within: Some(config.server.erasure_window.length()),
            ..decalog_runtime::Config::default()
        },
        meter,
        clock: Arc::new(SystemClock),
        fatal,
        fetch,
        settings: settings(config, http)?,
    };
    Ok(Identity::start(plan)?)
}

/// Where the audit trail of a data directory lies.
pub(crate) fn audit_path(data: &Path) -> PathBuf {
    data.join("audit")
}

/// Shows the first account, which was made because there was none.
pub(crate) fn show(first: &First) {
    crate::serve::say(&format!(
        "decalog: there was no account; made {} with the password {} (shown this once)",
        first.name, first.password
    ));
}

/// The address that clients know the server by.
pub(crate) fn issuer(config: &Config, http: SocketAddr) -> String {
    let scheme = if config.http.is_secure() { "https" } else { "http" };
    let given = &config.identity.issuer;
    if given.is_empty() { format!("{scheme}://{http}") } else { given.clone() }
}

fn settings(config: &Config, http: SocketAddr) -> Result<Settings, Failure> {
    let it = &config.identity;
    let issuer = issuer(config, http);
    let names = |own: &[&str], more: &[&[&str]]| {
        own.iter()
            .chain(more.iter().copied().flatten())
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>()
    };
    let providers = it.providers.iter().map(provider).collect::<Result<_, _>>()?;
    Ok(Settings {
        audience: issuer.clone(),
        issuer,
        rights: names(&RIGHTS, &[&mastodon::USER_RIGHTS, &mastodon::ADMIN_RIGHTS]),
        user_rights: names(&USER_RIGHTS, &[&mastodon::USER_RIGHTS]),
        access_lifetime: i64::from(it.access_token_seconds.get()) * SECOND,
        refresh_lifetime: i64::from(it.refresh_token_days.get()) * DAY,
        logon_lifetime: i64::from(it.logon_hours.get()) * 3_600 * SECOND,
        key_period: i64::from(it.signing_key_days.get()) * DAY,
        audit_days: it.audit_days.get(),
        open_registration: it.open_registration,
        open_accounts: it.open_accounts,
        apps: mastodon::apps(config.feed.enabled),
        password_checks: it.password_checks.get() as usize,
        password_queue: it.password_queue.get() as usize,
        accounts: it.accounts.iter().map(account).collect(),
        providers,
    })
}

fn account(login: &Login) -> OpenAccount {
    OpenAccount {
        name: login.name.as_str().to_owned(),
        password: Some(login.password_hash.as_str().to_owned()),
        roles: login.roles.iter().map(|role| role.name().to_owned()).collect(),
        service: false,
    }
}

fn provider(it: &config::Provider) -> Result<Provider, Failure> {
    Ok(Provider {
        name: it.name.as_str().to_owned(),
        label: it.label.clone(),
        issuer: it.issuer.clone(),
        client_id: it.client_id.clone(),
        client_secret: client_secret(it)?.map(Secret::new),
        scopes: it.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
        accounts: match it.accounts {
            config::Accounts::Linked => Accounts::Linked,
            config::Accounts::Open => Accounts::Open,
        },
        email_domains: it.email_domains.iter().map(|domain| domain.as_str().to_owned()).collect(),
        second_factor: match it.second_factor {
            config::SecondFactor::Ask => Beside::Ask,
            config::SecondFactor::Trusted => Beside::Trusted,
        },
    })
}

/// A provider's secret, from where the configuration says; none for a public client.
fn client_secret(it: &config::Provider) -> Result<Option<String>, Failure> {
    let failed = |place: String, reason: String| Failure::ProviderSecret {
        provider: it.name.as_str().to_owned(),
        place,
        reason,
    };
    let given = (it.client_secret.reveal(), &*it.client_secret_file, it.client_secret_environment.as_str());
    secret(given).map_err(|(place, reason)| failed(place, reason))
}

/// A secret that is given itself, in a file or in an environment variable; none, when it is given nowhere. Otherwise where
/// it should be, and why it is not.
pub(crate) fn secret(
    (itself, file, variable): (&str, &Path, &str),
) -> Result<Option<String>, (String, String)> {
    let (place, text) = if !file.as_os_str().is_empty() {
        let place = file.display().to_string();
        let text = std::fs::read_to_string(file);
        (place.clone(), text.map_err(|error| (place, error.to_string()))?)
    } else if !variable.is_empty() {
        let place = format!("the environment variable {variable}");
        (place.clone(), std::env::var(variable).map_err(|error| (place, error.to_string()))?)
    } else {
        return Ok(Some(itself.to_owned()).filter(|text| !text.is_empty()));
    };
    let text = text.trim_end_matches(['\r', '\n']).to_owned();
    if text.is_empty() { Err((place, "it is empty".to_owned())) } else { Ok(Some(text)) }
}

/// What the directory's partition is bounded by.
pub(crate) fn bounds(config: &Config) -> Bounds {
    Bounds {
        queue_records: decalog_runtime::Config::default().queue_records as u64,
        snapshot_every: config.server.snapshot_every_records.get().into(),
    }
}

/// Whether a text can be the issuer: an http or https address without a slash, query or fragment at its end.
pub(crate) fn is_issuer(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let clean =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'"'));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.ends_with('/') && clean(rest))
}

/// Whether a text can be an outside provider's issuer: an https address, or an http one of this machine, whose keys nobody
/// on the way can exchange.
pub(crate) fn is_provider_issuer(text: &str) -> bool {
    let own = |rest: &str| {
        let authority = rest.split('/').next().unwrap_or_default();
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        matches!(host, "localhost" | "127.0.0.1" | "[::1]")
    };
    let rest =
        text.strip_prefix("https://").or_else(|| text.strip_prefix("http://").filter(|rest| own(rest)));
    let clean = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'"' | b'@' | b'\\');
    rest.is_some_and(|rest| {
        !rest.is_empty() && !rest.starts_with('/') && text.len() <= 500 && rest.bytes().all(clean)
    })
}
