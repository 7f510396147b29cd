//! The front: every system's routes behind one listener, and what they share: who asks, how often, how many at a time.
//!
//! A system declares its routes and scopes; everything else it gets here. A second listener, for operators, has the metrics
//! and the probes and asks nobody who they are.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use decalog_exchange::api::rest as exchange_rest;
use decalog_exchange::api::service::Exchange;
use decalog_feed::api as feed;
use decalog_feed::api::service::Service as Feed;
use decalog_gateway::client::{Proxies, Source};
use decalog_gateway::front::{self, Door, Front};
use decalog_gateway::gate::Gate;
use decalog_gateway::health::Health;
use decalog_gateway::limit::{Limits, ORDINARY, Rate, Rates};
use decalog_gateway::openapi::{Document, Mismatch};
use decalog_gateway::overload::{Bulkhead, Load, Priority};
use decalog_gateway::route::Declared;
use decalog_gateway::server::{Listener, Settings};
use decalog_gateway::tls::{Files, Tls};
use decalog_gateway::watch::Watch;
use decalog_identity::api::service::Identity;
use decalog_identity::api::{oauth, rest as identity_rest};
use decalog_outbound::Calling;
use decalog_telemetry::Metrics;
use decalog_telemetry::http::certificate;
use serde_json::Value;

use crate::config::{self, ClientAddress, Config, Http};
use crate::failure::Failure;
use crate::status::Status;

/// How often the certificate's files are looked at.
const CERTIFICATE_LOOK: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_secs(60);
/// What apps of the feed that are web pages call of the rest.
const FOR_APPS: [&str; 4] = ["/oauth/token", "/oauth/revoke", "/oauth/userinfo", "/.well-known"];

/// The running parts that have routes.
pub(crate) struct Parts<'a> {
    pub(crate) identity: &'a Arc<Identity>,
    pub(crate) exchange: Option<&'a Exchange>,
    pub(crate) feed: Option<&'a Arc<Feed>>,
    pub(crate) health: &'a Health,
}

/// Every route of the public listener, by system.
pub(crate) fn tables(config: &Config) -> Vec<(&'static str, Vec<Declared>)> {
    vec![
        ("front", [Document::route().table(), Health::routes().table()].concat()),
        ("identity", [oauth::routes().table(), identity_rest::routes().table()].concat()),
        ("exchange", exchange_rest::routes(config.exchange.feed.public).table().to_vec()),
        ("feed", feed::routes().table().to_vec()),
    ]
}

/// The description of all of them but the feed's, which is the Mastodon client API's own documentation.
pub(crate) fn document(config: &Config) -> Result<Value, Mismatch> {
    let mut document = Document::new("Decalog", env!("CARGO_PKG_VERSION"));
    document.add(Document::route().table(), Document::of_itself())?;
    document.add(Health::routes().table(), Health::description())?;
    document.add(oauth::routes().table(), oauth::description())?;
    document.add(identity_rest::routes().table(), identity_rest::description())?;
    document.add(exchange_rest::routes(config.exchange.feed.public).table(), exchange_rest::description())?;
    Ok(document.to_value())
}

/// All routes, each behind the gate and its system's bulkhead.
pub(crate) fn door(config: &Config, parts: &Parts<'_>, watch: Arc<dyn Watch>) -> Door {
    let http = &config.http;
    let gate = gate(http, parts.identity);
    let all = http.max_requests.get() as usize;
    let load = Load::new(all);
    let deadline = seconds(http.deadline_seconds.get());
    let share = |system, priority| Bulkhead {
        system,
        load: Arc::clone(&load),
        most: all.div_ceil(2),
        priority,
        deadline,
    };
    let document = Arc::new(document(config).expect("a test holds the description against the routes"));
    let health = Health::routes().with_state(parts.health.clone());
    let described = Document::route().with_state(document);
    let accounts = oauth::routes().merge(identity_rest::routes()).with_state(Arc::clone(parts.identity));
    let cors_origins =
        http.cors_origins.iter().filter_map(|origin| HeaderValue::from_str(origin.as_str()).ok());
    let settings = front::Settings {
        cors_origins: cors_origins.collect(),
        max_body_bytes: http.max_body_bytes.get() as usize,
        access_log: http.access_log,
        watch,
    };
    let mut front = Front::new(gate, settings)
        .with_system(share("front", Priority::Vital), health.merge(described))
        .with_system(share("identity", Priority::High), accounts);
    if let Some(exchange) = parts.exchange {
        let routes = exchange_rest::routes(config.exchange.feed.public).with_state(exchange.context());
        front = front.with_system(share("exchange", Priority::Ordinary), routes);
    }
    if let Some(feed) = parts.feed {
        let routes = feed::routes().with_state(Arc::clone(feed));
        front = front
            .with_system(share("feed", Priority::Ordinary), routes)
            .open_to_pages(feed::PATHS.into_iter().chain(FOR_APPS), feed::EXPOSED);
    }
    front.open()
}

/// What operators see: metrics, probes, and the server on one page.
pub(crate) fn operators(metrics: &Metrics, status: Status) -> Door {
    let settings = front::Settings { max_body_bytes: 1024, ..front::Settings::default() };
    Front::new(Gate::closed(), settings)
        .with(Metrics::routes().with_state(metrics.clone()))
        .with(Health::routes().with_state(status.health.clone()))
        .with(Status::routes().with_state(Arc::new(status)))
        .open()
}

fn gate(http: &Http, identity: &Arc<Identity>) -> Gate {
    let rate = |quota: u32| (quota > 0).then_some(Rate { quota, window: MINUTE });
    let ordinary = Rates {
        address: rate(http.limits.address_per_minute.get()),
        account: rate(http.limits.account_per_minute.get()),
    };
    let sign_in = Rates { address: rate(http.limits.sign_in_per_minute.get()), account: ordinary.account };
    let limits =
        Limits::new(http.limits.keys.get() as usize, [(ORDINARY, ordinary), (oauth::SIGN_IN, sign_in)]);
    Gate::new(identity.authenticator()).limited(Arc::new(limits))
}

/// Takes the address of the public listener. Must be called inside the Tokio runtime, which then watches the certificate.
pub(crate) async fn listen(
    config: &Config,
    metrics: &Metrics,
    watch: Arc<dyn Watch>,
    calling: &Calling,
) -> Result<(Listener, SocketAddr), Failure> {
    let http = &config.http;
    let tls = if http.acme.is_on() {
        Some(acme(config, metrics, calling)?)
    } else {
        tls("http", &http.tls, metrics)?
    };
    let settings = Settings {
        max_connections: http.max_connections.get() as usize,
        max_connections_per_address: http.max_connections_per_address.get() as usize,
        head_timeout: seconds(http.header_timeout_seconds.get()),
        body_timeout: seconds(http.body_timeout_seconds.get()),
        body_rate: http.body_bytes_per_second.get(),
        write_timeout: seconds(http.write_timeout_seconds.get()),
        drain: seconds(http.drain_seconds.get()),
        proxies: proxies(http),
        tls,
        watch,
        ..Settings::default()
    };
    bind("http.listen", http.listen, settings).await
}

/// Takes the address of the operators' listener.
pub(crate) async fn listen_for_operators(address: SocketAddr) -> Result<(Listener, SocketAddr), Failure> {
    bind("telemetry.listen", address, Settings::default()).await
}

async fn bind(
    key: &'static str,
    address: SocketAddr,
    settings: Settings,
) -> Result<(Listener, SocketAddr), Failure> {
    let failed = |source| Failure::Listen { key, address, source };
    let listener = Listener::bind(address, settings).await.map_err(failed)?;
    let bound = listener.address().map_err(failed)?;
    Ok((listener, bound))
}

/// The TLS side of a listener, if it has one: its certificate is watched, and its expiry shown. Must be called inside the Tokio
/// runtime.
pub(crate) fn tls(
    listener: &'static str,
    wanted: &config::Tls,
    metrics: &Metrics,
) -> Result<Option<Arc<Tls>>, Failure> {
    if !wanted.is_on() {
        return Ok(None);
    }
    let files = Files {
        certificate: wanted.certificate.clone(),
        key: wanted.key.clone(),
        client_authorities: authorities(wanted),
    };
    open(listener, files, metrics).map(Some)
}

fn authorities(wanted: &config::Tls) -> Option<PathBuf> {
    Some(wanted.client_authorities.clone()).filter(|path| !path.as_os_str().is_empty())
}

/// The TLS side whose certificate an ACME authority issues, from now on.
fn acme(config: &Config, metrics: &Metrics, calling: &Calling) -> Result<Arc<Tls>, Failure> {
    let wanted = &config.http.acme;
    let settings = decalog_acme::Settings {
        directory: wanted.directory.clone(),
        names: wanted.names.clone(),
        contacts: wanted.contacts.clone(),
        folder: config.server.data.join("acme"),
    };
    let stands = decalog_acme::prepare(&settings)?;
    let files = Files { client_authorities: authorities(&config.http.tls), ..stands };
    let tls = open("http", files, metrics)?;
    let client = calling.clone().client("acme")?;
    tokio::spawn(decalog_acme::keep(settings, client, Arc::clone(&tls)));
    Ok(tls)
}

fn open(listener: &'static str, files: Files, metrics: &Metrics) -> Result<Arc<Tls>, Failure> {
    let tls = Tls::open(files)?;
    certificate(metrics, listener, Arc::clone(&tls));
    tokio::spawn(Arc::clone(&tls).watch(CERTIFICATE_LOOK));
    Ok(tls)
}

fn proxies(http: &Http) -> Proxies {
    let networks = http.proxies.iter().filter_map(|network| network.as_str().parse().ok()).collect();
    let source = match http.client_address {
        ClientAddress::Connection => Source::Connection,
        ClientAddress::XForwardedFor => Source::XForwardedFor,
        ClientAddress::Forwarded => Source::Forwarded,
        ClientAddress::ProxyProtocol => Source::ProxyProtocol,
    };
    Proxies { networks, source }
}

pub(crate) fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds))
}
