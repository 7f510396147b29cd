"""QuickFIX's acceptance definitions against the exchange, and those that need an echo against foundation/fix's example.

FIX_DEFINITIONS names the folder with the `.def` files; without it these tests are skipped.
"""

import os
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from decalog_server import REPOSITORY, Ports, Server
from fix44.definitions import NEEDS_ECHO, WAITS_FOR_HEARTBEATS, Mismatch, Player, compare, load_patterns

FOLDER = Path(os.environ["FIX_DEFINITIONS"]) if "FIX_DEFINITIONS" in os.environ else None
NAMES = sorted(path.stem for path in FOLDER.glob("*.def")) if FOLDER else []
ECHO = Path(os.environ.get("DECALOG_ECHO", REPOSITORY / "target/release/examples/echo"))
CONFIG = REPOSITORY / "acceptance" / "fix44.toml"
LISTENS = ("127.0.0.1", 15044)
ECHO_LISTENS = ("127.0.0.1", 15045)

pytestmark = pytest.mark.skipif(FOLDER is None, reason="FIX_DEFINITIONS does not name the folder of definitions")


def play(address: tuple[str, int], name: str) -> None:
    """Plays one definition."""
    Player(*address, load_patterns(FOLDER / "fields.fmt")).play(FOLDER / f"{name}.def")


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    """`decalog serve` with the configuration that is checked in for this."""
    directory = tmp_path_factory.mktemp("fix44")
    server = Server(directory, CONFIG, Ports(LISTENS[1], 15080, 15090)).start()
    yield LISTENS
    server.finish()


@pytest.fixture(scope="module", autouse=True)
def slow_definitions(tmp_path_factory):
    """The definitions that wait for heartbeats, each played from the start on a server of its own."""
    servers, results = [], {}
    with ThreadPoolExecutor(len(WAITS_FOR_HEARTBEATS)) as pool:
        for name in sorted(WAITS_FOR_HEARTBEATS & set(NAMES)):
            ports = Ports()
            directory = tmp_path_factory.mktemp("slow")
            config = directory / "fix44.toml"
            text = CONFIG.read_text().replace("15044", str(ports.fix)).replace("15080", str(ports.http))
            config.write_text(text.replace("15090", str(ports.operators)))
            servers.append(Server(directory, config, ports).start())
            results[name] = pool.submit(play, ("127.0.0.1", ports.fix), name)
        yield results
    for server in servers:
        server.finish()


@pytest.fixture(scope="module")
def echo():
    """The example application of foundation/fix that sends every order back."""
    assert ECHO.exists(), f"{ECHO} does not exist: run `cargo build --release -p decalog-fix --example echo`"
    process = subprocess.Popen([ECHO, f"{ECHO_LISTENS[0]}:{ECHO_LISTENS[1]}"], stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline(), "the echo program ended instead of saying that it listens"
        yield ECHO_LISTENS
        assert process.poll() is None, "the echo program died"
    finally:
        process.kill()
        process.wait()


def test_all_definitions_are_there():
    assert len(NAMES) >= 59 and NEEDS_ECHO < set(NAMES) and WAITS_FOR_HEARTBEATS < set(NAMES)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NEEDS_ECHO | WAITS_FOR_HEARTBEATS])
def test_session(exchange, name):
    play(exchange, name)


@pytest.mark.parametrize("name", sorted(NEEDS_ECHO & set(NAMES)))
def test_echo(echo, name):
    play(echo, name)


@pytest.mark.parametrize("name", sorted(WAITS_FOR_HEARTBEATS & set(NAMES)))
def test_session_that_waits_for_heartbeats(slow_definitions: dict[str, Future], name):
    slow_definitions[name].result()


def test_the_player_sees_every_difference():
    """The comparison itself can fail: a value, a missing field, a field too many, a repeated field, a wrong pattern."""
    patterns = load_patterns(FOLDER / "fields.fmt")
    expected = b"8=FIX.4.4\x019=5\x0135=0\x0134=2\x01112=HELLO\x01122=00000000-00:00:00\x0110=000\x01"
    compare(expected, expected.replace(b"9=5", b"9=6"), patterns)
    for old, new in [
        (b"34=2", b"34=3"),
        (b"112=HELLO\x01", b""),
        (b"112=HELLO\x01", b"112=HELLO\x01112=HELLO\x01"),
        (b"112=HELLO\x01", b"112=HELLO\x01999=1\x01"),
        (b"122=00000000-", b"122=0-"),
    ]:
        with pytest.raises(Mismatch):
            compare(expected, expected.replace(old, new), patterns)
