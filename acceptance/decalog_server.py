"""The product as a black box: a `decalog serve` process on ports of its own, to be started, killed and looked at.

Nothing here waits for a time: `start` returns when the server says that it is ready, `kill` and `stop` when the process
is gone.
"""

import os
import re
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

REPOSITORY = Path(__file__).resolve().parent.parent
BINARY = Path(os.environ.get("DECALOG_BIN", REPOSITORY / "target/release/decalog"))

# The PHC string of "correct horse" (argon2id, 19 MiB, 2 passes), as `decalog hash-password` prints it.
PASSWORD = "correct horse"
PASSWORD_HASH = "$argon2id$v=19$m=19456,t=2,p=1$ZGVjYWxvZy10ZXN0LXNsdA$/TLSmS9KdHXGAgnsVAqeJlZ+3ij+mqNnYxwyP33s3k0"


# Everything secret that the tests have made or been given: none of it may ever stand in a log.
SECRETS: set[str] = {PASSWORD}
# What secrets of the server look like: API keys, tokens, password hashes, private keys.
SECRET_LOOKS = re.compile(r"decalog_[\w-]{40,}|eyJ[\w-]{10,}\.eyJ|\$argon2id\$|PRIVATE KEY")
# The one place where a password is shown on purpose, on standard output.
FIRST_ACCOUNT = "decalog: there was no account; made admin with the password "


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass(frozen=True)
class Instrument:
    """An instrument as the configuration lists it; numbers as decimal text."""

    symbol: str
    tick_size: str = "0.01"
    lot_size: str = "1"
    lowest_price: str = "0.01"
    highest_price: str = "10000.00"


@dataclass(frozen=True)
class Session:
    """A FIX counterparty as the configuration lists it; with a username, that account must log on."""

    comp_id: str
    account: str
    username: str | None = None
    reset_on_logon: bool = False


@dataclass(frozen=True)
class Unit:
    """A matching unit: the instruments, accounts and sessions of one partition."""

    number: int
    instruments: list[Instrument]
    sessions: list[Session]


def trading_unit(number: int, symbols: list[str], comp_ids: list[str]) -> Unit:
    """A unit whose sessions log on without a password, each trading for an account of its own."""
    return Unit(
        number,
        [Instrument(symbol) for symbol in symbols],
        [Session(comp_id, f"ACC-{comp_id}") for comp_id in comp_ids],
    )


@dataclass(frozen=True)
class Ports:
    """Where a server listens."""

    fix: int = field(default_factory=free_port)
    http: int = field(default_factory=free_port)
    operators: int = field(default_factory=free_port)


def configuration(
    units: list[Unit],
    ports: Ports,
    durability: str = "fsync",
    fix: dict[str, object] | None = None,
    http: dict[str, object] | None = None,
    accounts: list[str] = (),
) -> str:
    """The TOML text for these units and ports. `fix` and `http` add keys to [exchange.fix] and [http]; the accounts, and
    those that sessions name, are opened with PASSWORD."""
    names = {session.username for unit in units for session in unit.sessions if session.username}
    lines = [
        "[telemetry]",
        f'listen = "127.0.0.1:{ports.operators}"',
        "[http]",
        f'listen = "127.0.0.1:{ports.http}"',
        *(f"{key} = {value}" for key, value in (http or {}).items()),
    ]
    for name in sorted(names | set(accounts)):
        lines += ["[[identity.accounts]]", f'name = "{name}"', f'password_hash = "{PASSWORD_HASH}"']
    lines += [
        "[exchange]",
        f'durability = "{durability}"',
        "[exchange.fix]",
        f'listen = "127.0.0.1:{ports.fix}"',
        'comp_id = "DECALOG"',
        *(f"{key} = {value}" for key, value in (fix or {}).items()),
    ]
    for unit in units:
        lines += ["[[exchange.units]]", f"number = {unit.number}", 'day_end = "23:59:59"']
        for account in sorted({session.account for session in unit.sessions}):
            lines += ["[[exchange.units.accounts]]", f'name = "{account}"']
        for instrument in unit.instruments:
            lines += ["[[exchange.units.instruments]]"]
            lines += [f'{key} = "{value}"' for key, value in vars(instrument).items()]
        for session in unit.sessions:
            lines += ["[[exchange.units.sessions]]"]
            lines += [
                f"{key} = {str(value).lower() if isinstance(value, bool) else quoted(value)}"
                for key, value in vars(session).items()
                if value is not None
            ]
    return "\n".join(lines) + "\n"


def quoted(value: object) -> str:
    """A TOML string."""
    return f'"{value}"'


class StartFailed(Exception):
    """The process ended before it was ready. Carries what it printed."""

    def __init__(self, code: int, output: str):
        super().__init__(f"decalog serve ended with code {code}:\n{output}")
        self.code = code
        self.output = output


@dataclass
class Server:
    """One data directory with its configuration, and the process that serves it, if it runs."""

    directory: Path
    config: Path
    ports: Ports
    process: subprocess.Popen | None = None
    starts: int = 0
    environment: dict[str, str] = field(default_factory=dict)
    # The authority of the server's certificate, when it speaks TLS.
    authority: Path | None = None
    # The command that runs the binary: one that puts it somewhere else, or nothing.
    prefix: list[str] = field(default_factory=list)

    @classmethod
    def create(cls, directory: Path, units: list[Unit], **keys) -> "Server":
        """A server that is configured but not started."""
        ports = Ports()
        directory.mkdir(parents=True, exist_ok=True)
        config = directory / "decalog.toml"
        config.write_text(configuration(units, ports, **keys))
        return cls(directory, config, ports)

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.directory / "data"

    @property
    def log(self) -> Path:
        """What every process of this server printed, one after the other."""
        return self.directory / "server.log"

    @property
    def fix_port(self) -> int:
        """The FIX listener's port."""
        return self.ports.fix

    @property
    def metrics_url(self) -> str:
        """Where the operators' listener shows the metrics."""
        return f"http://127.0.0.1:{self.ports.operators}/metrics"

    @property
    def fix_address(self) -> tuple[str, int]:
        """Where the FIX listener is."""
        return ("127.0.0.1", self.ports.fix)

    @property
    def url(self) -> str:
        """The base of the HTTP interface."""
        return f"{'https' if self.authority else 'http'}://127.0.0.1:{self.ports.http}"

    def start(self, timeout: float = 30.0) -> "Server":
        """Starts the process and waits until it says that it is ready. Raises StartFailed if it ends instead."""
        assert self.process is None, "already running"
        begin = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [*self.prefix, BINARY, "serve", "--config", self.config, "--data", self.data],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | {"NO_COLOR": "1", "RUST_BACKTRACE": "1"} | self.environment,
            )
        self.starts += 1
        deadline = time.monotonic() + timeout
        while not self._ready():
            if (code := self.process.poll()) is not None:
                self.process = None
                raise StartFailed(code, self.log.read_bytes()[begin:].decode(errors="replace"))
            if time.monotonic() > deadline:
                raise TimeoutError(f"not ready after {timeout} s; see {self.log}")
            time.sleep(0.01)
        return self

    def _ready(self) -> bool:
        """/readyz answers 200 only when both listeners are open and every partition has caught up."""
        try:
            # The operators' listener has the same probes, without TLS.
            return httpx.get(f"http://127.0.0.1:{self.ports.operators}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """kill -9: the process gets no chance to write anything more."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def wait_for_end(self, timeout: float = 30.0) -> int:
        """Waits until the process ends by itself and returns its exit code."""
        code = self.process.wait(timeout)
        self.process = None
        return code

    def stop(self, timeout: float = 30.0) -> int:
        """Asks the process to end as an operator does (SIGTERM) and returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait_for_end(timeout)

    def restart(self) -> None:
        """kill -9, then start again on the same data and ports."""
        self.kill()
        self.start()

    def resident_bytes(self) -> int:
        """Memory of the process that lies in RAM (VmRSS)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE).group(1)) * 1024

    def output(self) -> str:
        """Everything printed so far, by all starts."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def finish(self) -> None:
        """Ends the process if it runs, and fails when anything it printed tells of a bug."""
        if self.process is not None and self.process.poll() is None:
            code = self.stop()
            assert code == 0, f"a graceful stop ended with code {code}; see {self.log}"
        elif self.process is not None:
            raise AssertionError(f"the server died by itself with code {self.process.returncode}; see {self.log}")
        for line in self.output().splitlines():
            assert "panicked at" not in line, f"the server panicked: {line}; see {self.log}"
            if line.startswith(FIRST_ACCOUNT):
                continue
            leaked = SECRET_LOOKS.search(line) or next((secret for secret in SECRETS if secret in line), None)
            assert not leaked, f"a secret stands in the log: {line}; see {self.log}"


def decalog(*arguments: object, timeout: float = 60.0, **environment: str) -> subprocess.CompletedProcess:
    """Runs one command of the binary to its end."""
    return subprocess.run(
        [BINARY, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        env=os.environ | {"NO_COLOR": "1"} | environment,
    )
