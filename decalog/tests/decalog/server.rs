//! A server process on free ports with a data directory of its own, ended with the test.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// The binary under test.
pub(crate) fn decalog() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_decalog"));
    command.env("NO_COLOR", "1").env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// Runs the binary to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    decalog().args(arguments).output().expect("the binary runs")
}

/// Standard output and standard error as text.
pub(crate) fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// A directory with a configuration: one unit, the instrument ACME, the sessions ALICE (with the password
/// `alice-example`) and BOB (without).
pub(crate) struct Site {
    directory: TempDir,
}

impl Site {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let example = include_str!("../../../decalog.example.toml");
        let hash =
            example.lines().find(|line| line.starts_with("password_hash")).expect("the example has a hash");
        let text = format!(
            r#"
[http]
listen = "127.0.0.1:0"
[telemetry]
listen = "127.0.0.1:0"
[[identity.accounts]]
name = "alice"
{hash}
[exchange.fix]
listen = "127.0.0.1:0"
[[exchange.units]]
number = 0
day_end = "23:59:59"
[[exchange.units.instruments]]
symbol = "ACME"
tick_size = "0.01"
lot_size = "1"
lowest_price = "0.01"
highest_price = "1000.00"
[[exchange.units.accounts]]
name = "ALICE"
[[exchange.units.accounts]]
name = "BOB"
[[exchange.units.sessions]]
comp_id = "ALICE"
account = "ALICE"
username = "alice"
[[exchange.units.sessions]]
comp_id = "BOB"
account = "BOB"
"#
        );
        let site = Self { directory };
        std::fs::write(site.config(), text).expect("the configuration is written");
        site
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.directory.path().join("decalog.toml")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Runs a command of `decalog log` on the data directory.
    pub(crate) fn log(&self, arguments: &[&str]) -> Output {
        let mut command = decalog();
        command.arg("log").args(&arguments[..1]).arg(self.data()).args(&arguments[1..]);
        command.output().expect("the binary runs")
    }

    /// Starts a server and waits until it says where it serves.
    pub(crate) fn start(&self) -> Server {
        Server::start(&self.config(), &self.data())
    }
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) fix: SocketAddr,
    pub(crate) http: SocketAddr,
}

impl Server {
    fn start(config: &Path, data: &Path) -> Self {
        let mut command = decalog();
        command.arg("serve").arg("--config").arg(config).arg("--data").arg(data);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the server starts");
        let mut out = BufReader::new(child.stdout.take().expect("its output is piped"));
        let mut line = String::new();
        out.read_line(&mut line).expect("it says something");
        let after = |marker: &str| {
            let rest = line.split_once(marker)?.1;
            rest.split([',', '\n']).next()?.trim().parse().ok()
        };
        let (Some(fix), Some(http)) = (after("FIX on "), after("HTTP on http://")) else {
            let mut error = String::new();
            let _ = child.stderr.take().map(|mut stderr| stderr.read_to_string(&mut error));
            panic!("the server did not start: {line}{error}");
        };
        // Nobody reads its log lines here; an unread pipe would fill.
        let mut stderr = child.stderr.take().expect("its errors are piped");
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        Self { child, fix, http }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// SIGTERM; answers the exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it can be told to stop");
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
