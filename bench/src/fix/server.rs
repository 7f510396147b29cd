//! The two servers of the FIX measurement: the product as users configure it, and the peer.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use tempfile::TempDir;

use super::open_loop::Identity;
use crate::server::{Decalog, Server, free_address};

/// The QuickFIX C++ peer of `bench/fix`, built if it is not.
pub(crate) struct QuickFix(PathBuf);

impl QuickFix {
    /// Builds it with `make`, which does nothing when it is built.
    pub(crate) fn build() -> anyhow::Result<Self> {
        let bench = Path::new(env!("CARGO_MANIFEST_DIR"));
        let made = Command::new("make").arg("--quiet").arg("-C").arg(bench.join("fix")).status();
        anyhow::ensure!(made.context("cannot run make")?.success(), "the QuickFIX peer does not build");
        Ok(Self(bench.join("build/quickfix_acceptor")))
    }

    /// Starts it with an empty store.
    pub(crate) fn start(&self, directory: TempDir) -> anyhow::Result<Server> {
        let address = free_address()?;
        let mut child = Command::new(&self.0)
            .arg(address.port().to_string())
            .arg(directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", self.0.display()))?;
        let output = child.stdout.take().context("its output is piped")?;
        let server = Server::new(child, address, directory);
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        anyhow::ensure!(line.trim() == "ready", "the QuickFIX peer did not start: {line}");
        Ok(server)
    }
}

/// How the product is configured where users choose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    /// When an order may be acknowledged: `os` or `fsync`.
    pub(crate) durability: &'static str,
    /// Whether its threads sleep between any two messages; by default they stay awake for a while.
    pub(crate) sleeps: bool,
}

/// Starts the product with one instrument and one session.
pub(crate) fn start(
    decalog: &Decalog,
    directory: TempDir,
    way: Way,
    identity: &Identity,
) -> anyhow::Result<Server> {
    let address = free_address()?;
    let configuration = configuration(address, free_address()?, way, identity);
    decalog.start(directory, &configuration, address)
}

fn configuration(fix: SocketAddr, http: SocketAddr, way: Way, identity: &Identity) -> String {
    let Identity { sender, target, account, symbol } = identity;
    let durability = way.durability;
    let spin = if way.sleeps { "spin_microseconds = 0" } else { "" };
    format!(
        r#"
[telemetry]
filter = "warn"
[http]
listen = "{http}"
[exchange]
durability = "{durability}"
{spin}
[exchange.fix]
listen = "{fix}"
comp_id = "{target}"
[[exchange.units]]
number = 0
day_end = "23:59:59"
instruments = [
    {{ symbol = "{symbol}", tick_size = "1", lot_size = "1", lowest_price = "1", highest_price = "10000" }},
]
accounts = [{{ name = "{account}" }}]
sessions = [{{ comp_id = "{sender}", account = "{account}", reset_on_logon = true }}]
"#
    )
}
