//! What the product is compared with: a bare axum route, and nginx.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use axum::routing::get;
use axum::{Json, Router};
use tempfile::TempDir;

use super::setting::SYMBOL;
use crate::server::{Server, free_address};

/// What the product's `/v1/instruments` answers with the setting's one instrument.
#[derive(serde::Serialize)]
pub(crate) struct Instruments {
    instruments: Vec<Instrument>,
}

#[derive(serde::Serialize)]
struct Instrument {
    symbol: String,
    tick_size: String,
    lot_size: String,
    lowest_price: String,
    highest_price: String,
    largest_quantity: String,
}

/// The answer, made anew for each request, as the product does.
pub(crate) fn instruments() -> Instruments {
    let text = str::to_owned;
    let instrument = Instrument {
        symbol: text(SYMBOL),
        tick_size: text("1"),
        lot_size: text("1"),
        lowest_price: text("1"),
        highest_price: text("10000"),
        largest_quantity: text("1000000"),
    };
    Instruments { instruments: vec![instrument] }
}

/// The answer's bytes.
pub(crate) fn answer() -> anyhow::Result<String> {
    Ok(serde_json::to_string(&instruments())?)
}

/// An axum route without any layer, in this process, on the cores of the thread that starts it; it stops when dropped.
pub(crate) struct Bare {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

impl Bare {
    /// Starts it. Its runtime has as many workers as it may use cores, as the product's.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let listener = runtime.block_on(tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        let router = Router::new().route("/v1/instruments", get(async || Json(instruments())));
        runtime.spawn(async move {
            let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
                // Small answers leave at once, as the product's do; without the option they only leave later.
                let _ = stream.set_nodelay(true);
            });
            axum::serve(listener, router).await
        });
        Ok(Self { address, _runtime: runtime })
    }
}

/// Starts nginx with one worker that serves the bytes itself over TLS 1.3, with the certificate and key of this directory.
pub(crate) fn nginx(directory: TempDir, certificate: &Path, key: &Path) -> anyhow::Result<Server> {
    let address = free_address()?;
    let file = directory.path().join("nginx.conf");
    let (certificate, key, answer) = (certificate.display(), key.display(), answer()?);
    let configuration = format!(
        r#"
daemon off;
master_process off;
pid nginx.pid;
error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp; uwsgi_temp_path temp; scgi_temp_path temp;
    server {{
        listen {address} ssl;
        ssl_protocols TLSv1.3;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        location / {{ default_type application/json; return 200 '{answer}'; }}
    }}
}}
"#
    );
    std::fs::write(&file, configuration)?;
    let child = Command::new("nginx")
        .arg("-p")
        .arg(directory.path())
        .arg("-c")
        .arg(&file)
        .stdin(Stdio::null())
        .spawn()
        .context("cannot start nginx")?;
    Server::new(child, address, directory).listening()
}
