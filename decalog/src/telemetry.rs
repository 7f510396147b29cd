//! What the process says about itself: log lines on standard error. Nothing secret is ever put into one.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, Telemetry};

/// Starts logging. `RUST_LOG`, when set, overrides the configured filter.
pub(crate) fn init(telemetry: &Telemetry) {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::builder().parse_lossy(&telemetry.filter));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    match telemetry.format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().init(),
    }
}
