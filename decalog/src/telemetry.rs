//! What the process says about itself: log lines on standard error, and spans for a collector. Nothing secret is ever put
//! into one.

use std::io::IsTerminal;

use decalog_telemetry::traces::{Calling, Traces};
use tokio::runtime::Handle;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry};

use crate::config::{LogFormat, Telemetry};
use crate::failure::Failure;

/// Starts logging, and sending spans if there is somewhere to send them. `RUST_LOG`, when set, overrides the configured filter.
pub(crate) fn init(
    telemetry: &Telemetry,
    calling: Calling,
    runtime: &Handle,
) -> Result<Option<Traces>, Failure> {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::builder().parse_lossy(&telemetry.filter));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    let lines = match telemetry.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let sent = &telemetry.traces;
    let traces = (!sent.endpoint.is_empty())
        .then(|| {
            Traces::start(
                &sent.endpoint,
                sent.one_in.get(),
                env!("CARGO_PKG_VERSION"),
                calling,
                runtime.clone(),
            )
        })
        .transpose()?;
    let spans = traces.as_ref().map(Traces::layer);
    Registry::default().with(spans).with(lines.with_filter(filter)).init();
    Ok(traces)
}
