//! Starts and stops servers that are measured, each in a fresh directory on the measured disk.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tempfile::TempDir;

/// How long a server may take to listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server; killed and its directory removed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    directory: Option<TempDir>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which the client has noticed by then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Takes a child over that listens at this address or is about to.
    pub(crate) fn new(child: Child, address: SocketAddr, directory: TempDir) -> Self {
        Self { child, address, directory: Some(directory) }
    }

    /// Waits until somebody listens at its address.
    pub(crate) fn listening(mut self) -> anyhow::Result<Self> {
        let give_up = Instant::now() + PATIENCE;
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                anyhow::bail!("the server ended before it listened: {status}");
            }
            anyhow::ensure!(Instant::now() < give_up, "the server does not listen on {}", self.address);
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(self)
    }

    /// Kills it, and gives its directory back.
    pub(crate) fn kill(mut self) -> anyhow::Result<TempDir> {
        self.child.kill()?;
        self.child.wait()?;
        self.directory.take().context("a server without a directory")
    }

    /// What it holds in memory, in bytes: `VmRSS` of proc(5).
    pub(crate) fn resident_bytes(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB")).context("no VmRSS")?;
        Ok(kib.parse::<u64>()? * 1024)
    }
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

    /// Starts it on the data directory in this one, and waits until it listens at `address`, which the configuration
    /// names.
    pub(crate) fn start(
        &self,
        directory: TempDir,
        configuration: &str,
        address: SocketAddr,
    ) -> anyhow::Result<Server> {
        let file = directory.path().join("decalog.toml");
        std::fs::write(&file, configuration)?;
        let child = Command::new(&self.0)
            .args(["serve", "--config"])
            .arg(&file)
            .arg("--data")
            .arg(directory.path().join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", self.0.display()))?;
        Server::new(child, address, directory).listening()
    }
}

/// An address nobody listens on, as far as anybody can know.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
