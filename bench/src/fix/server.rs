//! Starts and stops the two servers of the FIX measurement, each in a fresh directory on the measured disk.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tempfile::TempDir;

use super::open_loop::Identity;

/// How long a server may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server; killed and its directory removed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens for FIX.
    pub(crate) address: SocketAddr,
    _directory: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which the client has noticed by then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

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
        let server = Server { child, address, _directory: directory };
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

/// The product's own binary, as `make build` leaves it.
pub(crate) struct Decalog(PathBuf);

impl Decalog {
    /// The binary beside this one.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let beside = std::env::current_exe()?.with_file_name("decalog");
        anyhow::ensure!(beside.is_file(), "{} is not built: run `make build`", beside.display());
        Ok(Self(beside))
    }

    /// Starts it on an empty data directory, with one instrument and one session.
    pub(crate) fn start(&self, directory: TempDir, way: Way, identity: &Identity) -> anyhow::Result<Server> {
        let address = free_address()?;
        let file = directory.path().join("decalog.toml");
        std::fs::write(&file, configuration(address, free_address()?, way, identity))?;
        let mut child = Command::new(&self.0)
            .args(["serve", "--config"])
            .arg(&file)
            .arg("--data")
            .arg(directory.path().join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", self.0.display()))?;
        let listening = wait_for(&mut child, address);
        let server = Server { child, address, _directory: directory };
        listening.map(|()| server)
    }
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

/// An address nobody listens on, as far as anybody can know.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Waits until somebody listens there, or the child has ended.
fn wait_for(child: &mut Child, address: SocketAddr) -> anyhow::Result<()> {
    let give_up = Instant::now() + PATIENCE;
    while TcpStream::connect(address).is_err() {
        if let Some(status) = child.try_wait()? {
            anyhow::bail!("the server ended before it listened: {status}");
        }
        anyhow::ensure!(Instant::now() < give_up, "the server does not listen on {address}");
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
