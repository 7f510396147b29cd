"""A sealed data directory, as an operator lives with it: nothing to read on the disk, kill -9, wrong keys, rotation."""

import json
import secrets
import signal
import time
from pathlib import Path

import pytest

from clients.trader import Trader
from decalog_server import Server, StartFailed, decalog, trading_unit
from fix_orders import BUY, cancel, new_order

UNITS = [trading_unit(0, ["AAA"], ["ALICE"])]
NEEDLE = "TREASURE-MAP"
SEAL = "DECALOG__SERVER__SEAL__"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A file with a master key."""
    return key_file(tmp_path / "master.key")


def key_file(path: Path) -> Path:
    """Writes a new master key as an operator would."""
    path.touch(mode=0o600)
    path.write_text(secrets.token_hex(32) + "\n")
    return path


def sealed_server(make_server, key: Path) -> Server:
    """A server that is configured to seal, and not started."""
    server = make_server(UNITS, start=False)
    server.environment = {f"{SEAL}KEY_FILE": str(key), "DECALOG__SERVER__SNAPSHOT_EVERY_RECORDS": "1000"}
    return server


def trade(trader: Trader, first: int, count: int) -> None:
    """Orders that bear the needle, acknowledged one and all, all but the first of them withdrawn."""
    pump_until(trader, lambda: trader.logged_on)
    for number in range(first, first + count):
        trader.request("D", new_order(f"{NEEDLE}-{number}", "AAA", BUY, 5, "1.00"))
    pump_until(trader, lambda: not trader.unanswered)
    for number in range(first + 1, first + count):
        trader.request("F", cancel(f"X{NEEDLE}-{number}", f"{NEEDLE}-{number}", "AAA", BUY))
    pump_until(trader, lambda: not trader.unanswered)


def pump_until(trader: Trader, done) -> None:
    """Reads until the condition holds."""
    deadline = time.monotonic() + 30
    while not done():
        assert trader.pump(0.05), "cut off"
        assert time.monotonic() < deadline, "it did not come within 30 s"


def holding(data: Path, needle: str) -> set[str]:
    """The parts of a data directory (journal, snapshots, events) with a file that holds the text."""
    files = [path for path in data.rglob("*") if path.is_file()]
    return {path.relative_to(data).parts[0] for path in files if needle.encode() in path.read_bytes()}


def wait_for(what: str, condition, timeout: float = 30.0) -> None:
    """Polls until the condition holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come within {timeout} s"
        time.sleep(0.02)


def has_snapshot(server: Server) -> bool:
    """Is there a whole snapshot?"""
    return any("unfinished" not in path.name for path in server.data.glob("snapshots/*/snapshot-*"))


def active_keys(server: Server) -> set[int]:
    """The numbers of the keys in the ring."""
    lines = (server.data / "seal.keys").read_text().splitlines()
    return {int(line.split()[1]) for line in lines if line.startswith("key ")}


def journal_keys(server: Server) -> set[int]:
    """The keys under which batches of the journal are sealed, by their frames' headers."""
    found = set()
    for segment in server.data.glob("journal/*.segment"):
        data, at = segment.read_bytes(), 4096
        while data[at + 4 : at + 8] == b"dfrm":
            if data[at + 10] == 1:
                found.add(int.from_bytes(data[at + 12 : at + 16], "little"))
            at += 96 + -(-int.from_bytes(data[at + 88 : at + 92], "little") // 8) * 8
    return found


def test_what_was_submitted_is_in_the_files_only_when_they_are_not_sealed(make_server, key):
    for seals, expected in ((False, {"journal", "snapshots", "events"}), (True, set())):
        server = sealed_server(make_server, key)
        if not seals:
            del server.environment[f"{SEAL}KEY_FILE"]
        server.start()
        trader = Trader("ALICE", server.fix_address)
        trader.connect()
        trade(trader, 1, 700)
        wait_for("a snapshot", lambda: has_snapshot(server))
        assert server.stop() == 0
        assert holding(server.data, NEEDLE) == expected
        assert key.read_text().strip() not in server.output()


def test_kill_9_rotation_while_it_runs_and_wrong_keys(make_server, key, tmp_path):
    server = sealed_server(make_server, key).start()
    trader = Trader("ALICE", server.fix_address)
    trader.connect()
    trade(trader, 1, 20)
    server.restart()
    trader.connect()
    trade(trader, 101, 20)

    rotated = decalog("seal", "rotate", "--config", server.config, "--data", server.data, **server.environment)
    assert rotated.returncode == 0, rotated.stderr
    assert active_keys(server) == {1, 2}
    trade(trader, 201, 20)
    assert journal_keys(server) == {1}, "a running server goes on with its key until it is told"
    server.process.send_signal(signal.SIGHUP)
    wait_for("the new key", lambda: "this key seals from now on" in server.output())
    trade(trader, 301, 20)
    assert journal_keys(server) == {1, 2}
    server.kill()
    assert holding(server.data, NEEDLE) == set()

    other = key_file(tmp_path / "other.key")
    for wrong, code in (
        ({f"{SEAL}KEY_FILE": str(other)}, "E-SEAL-WRONG-KEY"),
        ({f"{SEAL}KEY_FILE": str(tmp_path / "none")}, "E-SEAL-KEY"),
        ({f"{SEAL}KEY_ENVIRONMENT": "NO_SUCH_VARIABLE"}, "E-SEAL-KEY"),
        ({}, "E-SEAL-NO-KEYS"),
    ):
        right, server.environment = server.environment, wrong
        with pytest.raises(StartFailed) as refused:
            server.start()
        server.environment = right
        assert code in refused.value.output
    server.start()
    trader.connect()
    trade(trader, 401, 5)
    live = {order.cl_ord_id for order in trader.live()}
    assert live == {f"{NEEDLE}-{first}" for first in (1, 101, 201, 301, 401)}, "every acknowledged order is there"
    assert server.stop() == 0


def test_the_master_key_comes_from_the_environment_or_a_command_and_is_replaced(make_server, key, tmp_path):
    server = sealed_server(make_server, key).start()
    trader = Trader("ALICE", server.fix_address)
    trader.connect()
    trade(trader, 1, 3)
    assert server.stop() == 0
    new = key_file(tmp_path / "new.key")
    arguments = ("--config", server.config, "--data", server.data)
    rewrapped = decalog("seal", "rewrap", *arguments, "--new-key-file", new, **server.environment)
    assert rewrapped.returncode == 0, rewrapped.stderr
    with pytest.raises(StartFailed, match="E-SEAL-WRONG-KEY"):
        server.start()
    server.environment = {f"{SEAL}KEY_ENVIRONMENT": "THE_KEY", "THE_KEY": new.read_text()}
    server.start()
    trader.connect()
    trade(trader, 101, 3)
    assert server.stop() == 0
    server.environment = {}
    with server.config.open("a") as config:
        config.write(f"[server.seal]\nkey_command = {json.dumps(['cat', str(new)])}\n")
    server.start()
    trader.connect()
    trade(trader, 201, 3)
    assert server.stop() == 0
    assert {order.cl_ord_id for order in trader.live()} == {f"{NEEDLE}-{first}" for first in (1, 101, 201)}


def test_verify_needs_no_keys_and_cat_does(make_server, key):
    server = sealed_server(make_server, key).start()
    trader = Trader("ALICE", server.fix_address)
    trader.connect()
    trade(trader, 1, 10)
    assert server.stop() == 0
    without = decalog("log", "verify", server.data, "--json")
    assert without.returncode == 0, without.stderr
    found = json.loads(without.stdout)
    assert found["sound"] and found["records"] > 20 and not found["replayed"]
    withkeys = decalog("log", "verify", server.data, "--json", **server.environment)
    assert withkeys.returncode == 0, withkeys.stderr
    found = json.loads(withkeys.stdout)
    assert found["replayed"] and found["partitions"][0]["digests_compared"] > 0
    refused = decalog("log", "cat", server.data)
    assert refused.returncode == 1 and "E-SEAL-NO-KEYS" in refused.stderr and NEEDLE not in refused.stdout
    shown = decalog("log", "cat", server.data, **server.environment)
    assert shown.returncode == 0 and NEEDLE in shown.stdout, shown.stderr
    # A byte is changed: that too is found without keys.
    segment = next(server.data.glob("journal/*1.segment"))
    with segment.open("r+b") as file:
        file.seek(4096 + 300)
        old = file.read(1)
        file.seek(4096 + 300)
        file.write(bytes([old[0] ^ 1]))
    damaged = decalog("log", "verify", server.data)
    assert damaged.returncode == 1 and "DAMAGED" in damaged.stdout, damaged.stdout


def test_a_directory_that_was_not_sealed_is_taken_over_only_when_that_is_allowed(make_server, key):
    server = sealed_server(make_server, key)
    environment, server.environment = server.environment, {}
    server.start()
    trader = Trader("ALICE", server.fix_address)
    trader.connect()
    trade(trader, 1, 3)
    assert server.stop() == 0
    server.environment = environment
    with pytest.raises(StartFailed, match="E-SEAL-RING"):
        server.start()
    server.environment = environment | {f"{SEAL}ACCEPT_UNSEALED": "true"}
    server.start()
    trader.connect()
    trade(trader, 101, 3)
    assert server.stop() == 0
    assert journal_keys(server) == {0, 1}
    server.environment = environment
    with pytest.raises(StartFailed, match="E-SEAL-UNSEALED"):
        server.start()
