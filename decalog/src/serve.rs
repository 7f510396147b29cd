//! `decalog serve`: opens the log, starts the systems that the configuration names, and their doors, and ends them in order.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use decalog_exchange::api::fix::{Gateway, Options};
use decalog_exchange::api::service::{Exchange, Plan, Public};
use decalog_feed::api::service::Service as Feed;
use decalog_gateway::access::Logons;
use decalog_gateway::front::Door;
use decalog_gateway::health::Health;
use decalog_gateway::server::Listener;
use decalog_gateway::tls::Tls;
use decalog_identity::api::service::{First, Identity};
use decalog_log::{EmbeddedLog, Log};
use decalog_outbound::Calling;
use decalog_runtime::store::FolderStore;
use decalog_runtime::{Meter, OnFatal, retention};
use decalog_seal::KeyRing;
use decalog_telemetry::http::Requests;
use decalog_telemetry::partitions::{Bounds, Partitions};
use decalog_telemetry::{Metrics, disk};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};

use crate::config::{self, Config, Loaded};
use crate::failure::{Failure, fatal_code};
use crate::front::{self, Parts, seconds};
use crate::status::{Ask, Status};
use crate::{demo, feed, identity, open_files, outbound, providers, sealing, telemetry};

/// How long to wait when the system refuses a connection (no file descriptors, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// TLS handshakes of FIX connections at the same time, and how long each may take.
const HANDSHAKES: usize = 256;
const HANDSHAKE: Duration = Duration::from_secs(10);

/// What the command line says.
pub(crate) struct Request {
    pub(crate) config: Option<PathBuf>,
    pub(crate) data: Option<PathBuf>,
    pub(crate) demo: bool,
}

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(request: &Request) -> Result<(), Failure> {
    let started = Instant::now();
    let Loaded { mut config, file } = config::load(request.config.as_deref(), std::env::vars())?;
    if let Some(data) = &request.data {
        config.server.data.clone_from(data);
    }
    match (request.demo, config.exchange.units.is_empty()) {
        (true, true) => demo::set_up(&mut config)?,
        (true, false) => return Err(Failure::DemoWithUnits { file: file.unwrap_or_default() }),
        (false, true) if !config.feed.enabled => return Err(Failure::NoSystem),
        (false, _) => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| Failure::Process { action: "start the asynchronous runtime", source })?;
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"));
    let calling = outbound::calling(&config, &metrics);
    // Dropped last: what is left to send goes out at the end.
    let _traces = telemetry::init(&config.telemetry, calling.clone(), runtime.handle())?;
    open_files::raise(&config);
    let requests = Arc::new(Requests::new(&metrics));
    let doors = runtime.block_on(Doors::bind(&config, &metrics, Arc::clone(&requests), &calling))?;
    make_data(&config.server.data)?;
    let keys = sealing::begin(&config.server)?;
    if let (Some(ring), Some(source)) = (&keys, sealing::source(&config.server.seal)) {
        runtime.spawn(sealing::follow(Arc::clone(ring), source));
    }
    let log: Arc<dyn Log> = Arc::new(open_log(&config, keys.clone(), &metrics)?);
    let partitions = Partitions::new(&metrics);
    let (exchange, feed, identity, first) = {
        // Market data and tokens follow the events on this runtime.
        let _inside = runtime.enter();
        let (meter, fetch) = (partitions.meter("identity"), providers::fetch(calling.clone())?);
        let (identity, first) =
            identity::start(&config, doors.http.1, Arc::clone(&log), keys.clone(), meter, on_fatal(), fetch)?;
        providers::show(&metrics, &identity);
        let trades = !config.exchange.units.is_empty();
        let start = || {
            let (meter, logons) = (partitions.meter("exchange"), identity.logons());
            Exchange::start(plan(&config, Arc::clone(&log), keys.clone(), logons, meter))
        };
        let exchange = trades.then(start).transpose()?;
        let start = || {
            let (log, keys, meter) = (Arc::clone(&log), keys.clone(), partitions.meter("feed"));
            let (identity, calling, fatal) = (Arc::clone(&identity), calling.clone(), on_fatal());
            feed::start(&config, doors.http.1, feed::Ground { log, keys, meter, fatal, identity, calling })
        };
        let feed = config.feed.enabled.then(start).transpose()?;
        (exchange, feed, identity, first)
    };
    let health = health(exchange.as_ref(), feed.as_ref(), &identity);
    let parts =
        Parts { identity: &identity, exchange: exchange.as_ref(), feed: feed.as_ref(), health: &health };
    let door = front::door(&config, &parts, requests);
    let status = Status {
        health: health.clone(),
        started,
        systems: show(&config, &partitions, exchange.as_ref(), feed.as_ref(), &identity),
    };
    let operators = front::operators(&metrics, status);
    let open = Open { doors: [door, operators], health: &health, first, with_demo: request.demo };
    let served = runtime.block_on(serve(&config, doors, open, exchange.as_ref()));
    if let Some(exchange) = exchange {
        exchange.stop();
    }
    if let Some(feed) = feed {
        feed.stop();
    }
    identity.stop();
    // Syncs what is left and gives the directory free.
    drop(log);
    tracing::info!("stopped");
    served
}

/// What the probes ask.
fn health(exchange: Option<&Exchange>, feed: Option<&Arc<Feed>>, identity: &Arc<Identity>) -> Health {
    let accounts = Arc::clone(identity);
    let mut health = Health::new().with("identity", Arc::new(move || accounts.trouble()));
    if let Some(exchange) = exchange {
        health = health.with("exchange", Arc::new(exchange.trouble()));
    }
    if let Some(feed) = feed.cloned() {
        health = health.with("feed", Arc::new(move || feed.trouble()));
    }
    health
}

/// Shows the partitions of all systems, as metrics; and who is asked about them.
fn show(
    config: &Config,
    partitions: &Partitions,
    exchange: Option<&Exchange>,
    feed: Option<&Arc<Feed>>,
    identity: &Arc<Identity>,
) -> Vec<(&'static str, Ask)> {
    partitions.show("identity", identity::bounds(config), identity.standing());
    let mut systems: Vec<(&'static str, Ask)> = vec![("identity", Box::new(identity.standing()))];
    if let Some(exchange) = exchange {
        partitions.show("exchange", bounds(config), exchange.standing());
        systems.insert(0, ("exchange", Box::new(exchange.standing())));
    }
    if let Some(feed) = feed {
        let (shown, asked) = (Arc::clone(feed), Arc::clone(feed));
        partitions.show("feed", identity::bounds(config), move || shown.standing());
        systems.push(("feed", Box::new(move || asked.standing())));
    }
    systems
}

/// All listeners with their addresses, taken before anything is opened, so that an address in use leaves nothing behind but
/// the folder of an authority's certificate.
struct Doors {
    /// None when there is no exchange.
    fix: Option<(TcpListener, SocketAddr)>,
    fix_tls: Option<Arc<Tls>>,
    http: (Listener, SocketAddr),
    operators: (Listener, SocketAddr),
}

impl Doors {
    async fn bind(
        config: &Config,
        metrics: &Metrics,
        requests: Arc<Requests>,
        calling: &Calling,
    ) -> Result<Self, Failure> {
        let fix = if config.exchange.units.is_empty() {
            None
        } else {
            let address = config.exchange.fix.listen;
            let failed = |source| Failure::Listen { key: "exchange.fix.listen", address, source };
            let fix = TcpListener::bind(address).await.map_err(failed)?;
            let bound = fix.local_addr().map_err(failed)?;
            Some((fix, bound))
        };
        // First, since FIX may use the file in which an authority's certificate is kept.
        let http = front::listen(config, metrics, requests, calling).await?;
        Ok(Self {
            fix,
            fix_tls: front::tls("fix", &config.exchange.fix.tls, metrics)?,
            http,
            operators: front::listen_for_operators(config.telemetry.listen).await?,
        })
    }
}

/// What is served, and to whom it is shown.
struct Open<'a> {
    /// The public listener's and the operators'.
    doors: [Door; 2],
    health: &'a Health,
    first: Option<First>,
    with_demo: bool,
}

/// Makes the data directory, for this user only: what lies there is open unless it is sealed. One that there is keeps its mode.
fn make_data(data: &Path) -> Result<(), Failure> {
    let failed = |source| Failure::Data { path: data.to_owned(), source };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(failed)
}

fn open_log(config: &Config, keys: Option<Arc<KeyRing>>, metrics: &Metrics) -> Result<EmbeddedLog, Failure> {
    let data = &config.server.data;
    disk::space(metrics, data.clone());
    let segment_bytes = mebibytes(config.server.segment_mebibytes.get());
    let options = decalog_log::Options {
        segment_bytes,
        reserve_bytes: mebibytes(config.server.reserve_mebibytes.get()).min(segment_bytes / 4),
        finish_after: Some(retention::pace(config.server.erasure_window.length())),
        seal: keys,
        on_sync: disk::syncs(metrics),
        ..decalog_log::Options::default()
    };
    EmbeddedLog::open(&data.join("journal"), options)
        .map_err(|error| Failure::Log { data: data.clone(), error })
}

/// What the exchange's units are bounded by.
fn bounds(config: &Config) -> Bounds {
    Bounds {
        queue_records: config.exchange.queue_commands.get().into(),
        snapshot_every: config.server.snapshot_every_records.get().into(),
    }
}

fn plan(
    config: &Config,
    log: Arc<dyn Log>,
    keys: Option<Arc<KeyRing>>,
    logons: Arc<dyn Logons>,
    meter: Arc<dyn Meter>,
) -> Plan {
    let exchange = &config.exchange;
    let data = &config.server.data;
    let durability = match exchange.durability {
        config::Durability::Fsync => decalog_log::Durability::Fsync,
        config::Durability::Interval => {
            decalog_log::Durability::Interval { millis: exchange.interval_milliseconds.get() }
        }
        config::Durability::Os => decalog_log::Durability::Os,
    };
    // An answer that waits for the device gains little from threads that stay awake, and the device's own need the cores.
    let spin = match exchange.durability {
        config::Durability::Fsync => Duration::ZERO,
        _ => Duration::from_micros(u64::from(exchange.spin_microseconds.get())),
    };
    Plan {
        log,
        store: Arc::new(FolderStore::new(data.join("snapshots")).with_keys(keys.clone())),
        journal: data.join("events"),
        seal: keys,
        runtime: decalog_runtime::Config {
            durability,
            queue_records: exchange.queue_commands.get() as usize,
            spin,
            snapshot_every: u64::from(config.server.snapshot_every_records.get()),
            erase_within: Some(config.server.erasure_window.length()),
            ..decalog_runtime::Config::default()
        },
        fix: Options {
            max_connections: exchange.fix.max_connections.get() as usize,
            logon_timeout: seconds(exchange.fix.logon_timeout_seconds.get()),
            max_message_bytes: exchange.fix.max_message_bytes.get() as usize,
            outbound_bytes: exchange.fix.outbound_queue_kibibytes.get() as usize * 1024,
            send_timeout: seconds(exchange.fix.send_timeout_seconds.get()),
            spin,
        },
        public: Public {
            max_subscribers: exchange.feed.max_subscribers.get(),
            subscriber_lag: exchange.feed.subscriber_queue_messages.get() as usize,
            trades_kept: exchange.feed.trades_kept.get() as usize,
        },
        logons,
        units: config::wanted(config),
        meter,
        fatal: on_fatal(),
    }
}

/// Ends the process when a partition cannot go on.
fn on_fatal() -> OnFatal {
    Arc::new(|fatal| {
        tracing::error!(code = fatal_code(fatal), "{fatal}");
        eprintln!("decalog: {}: {fatal} (docs/errors.md)", fatal_code(fatal));
        // Nothing that is not durable may be acknowledged any more, so nothing is tidied up either.
        std::process::exit(1);
    })
}

/// Tells whoever started the server, on standard output. A reader that has gone away is no reason to end.
pub(crate) fn say(words: &str) {
    let _ = writeln!(std::io::stdout(), "{words}");
}

/// Serves all doors until a signal comes, then closes them.
async fn serve(
    config: &Config,
    doors: Doors,
    open: Open<'_>,
    exchange: Option<&Exchange>,
) -> Result<(), Failure> {
    let failed = |source| Failure::Process { action: "listen for signals", source };
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let (stop, stopped) = watch::channel(false);
    let ((http, http_at), (operators, operators_at)) = (doors.http, doors.operators);
    let (fix_at, fix_tls) = (doors.fix.as_ref().map(|(_, at)| *at), doors.fix_tls);
    let [door, operators_door] = open.doors;
    let mut closing = vec![
        tokio::spawn(http.serve(door, stopped.clone())),
        tokio::spawn(operators.serve(operators_door, stopped.clone())),
    ];
    if let (Some((fix, _)), Some(exchange)) = (doors.fix, exchange) {
        closing.push(tokio::spawn(accept(fix, fix_tls, exchange.gateway(), stopped)));
    }
    let scheme = if config.http.is_secure() { "https" } else { "http" };
    let data = config.server.data.display();
    let fix = fix_at.map(|at| format!("FIX on {at}, ")).unwrap_or_default();
    say(&format!(
        "decalog: serving {fix}HTTP on {scheme}://{http_at}, metrics on http://{operators_at}/metrics, data in {data}"
    ));
    if let Some(first) = open.first {
        identity::show(&first);
    }
    tracing::info!(fix = fix_at.map(tracing::field::display), http = %http_at, operators = %operators_at, "serving");
    open.health.started();
    let exchange_id = config.exchange.fix.comp_id.as_str();
    let participants = fix_at.filter(|_| open.with_demo).map(|fix| {
        let at = demo::Addresses { fix, http: http_at };
        let participants = demo::start(at, exchange_id, &config.server.data);
        say(&demo::page(at, exchange_id));
        participants
    });
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
        _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
    }
    open.health.stopping();
    drop(participants);
    // Both receivers live until they see it.
    let _ = stop.send(true);
    for door in closing {
        // A door that panicked has said so; the others still close in order.
        let _ = door.await;
    }
    Ok(())
}

/// Hands accepted FIX connections to the gateway until told to stop.
async fn accept(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    gateway: Arc<Gateway>,
    mut stop: watch::Receiver<bool>,
) {
    // Handshakes are bounded like connections are, but by what a stranger can hold for a moment only.
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            accepted = listener.accept() => accepted,
        };
        // Answers are small and must leave at once.
        match accepted.and_then(|(stream, peer)| stream.set_nodelay(true).map(|()| (stream, peer.ip()))) {
            Ok((stream, address)) => match &tls {
                None => plain(&gateway, stream, address),
                Some(tls) => {
                    let Ok(place) = Arc::clone(&handshakes).try_acquire_owned() else { continue };
                    let (tls, gateway) = (Arc::clone(tls), Arc::clone(&gateway));
                    tokio::spawn(async move {
                        match tls.terminate(stream, HANDSHAKE).await {
                            Ok(plain) => gateway.accept(plain, address),
                            Err(error) => {
                                tracing::debug!(%address, %error, "FIX connection ended before its Logon")
                            }
                        }
                        drop(place);
                    });
                }
            },
            Err(error) => {
                tracing::warn!(%error, "FIX accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn plain(gateway: &Arc<Gateway>, stream: TcpStream, address: IpAddr) {
    let blocking = stream.into_std().and_then(|stream| stream.set_nonblocking(false).map(|()| stream));
    match blocking {
        Ok(stream) => gateway.accept(stream, address),
        Err(error) => tracing::warn!(%error, "FIX connection closed"),
    }
}

fn mebibytes(mebibytes: u32) -> u64 {
    u64::from(mebibytes) << 20
}
