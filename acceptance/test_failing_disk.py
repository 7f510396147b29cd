"""A disk that is full, and one that does not sync: what was acknowledged stays, what cannot be kept is refused."""

import itertools
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from clients.account import Account
from clients.quickfix_client import QuickFixClient
from decalog_server import Server, decalog, trading_unit
from fix_orders import BUY, FILLED, NEW, SELL, new_id, new_order

UNITS = [trading_unit(0, ["AAA"], ["ALICE"])]
MEBIBYTE = 1 << 20


class SmallDisk:
    """A tmpfs of its own for a server's data, in a mount name space that a sleeping process keeps. No privileges needed."""

    def __init__(self, place: Path, mebibytes: int):
        place.mkdir()
        self.place = place
        script = f'mount -t tmpfs -o size={mebibytes}m tmpfs "{place}" && echo mounted && exec sleep infinity'
        self.holder = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        said = self.holder.stdout.readline()
        if said != b"mounted\n":
            self.remove()
            pytest.skip(f"this machine lets nobody mount a small disk: {said.decode(errors='replace')}")

    def enter(self) -> list[str]:
        """The command before a command that shall see this disk."""
        return ["nsenter", f"--target={self.holder.pid}", "--user", "--mount", "--preserve-credentials"]

    @property
    def filler(self) -> Path:
        """A file on it, seen from outside."""
        return Path(f"/proc/{self.holder.pid}/root{self.place}/filler")

    def fill(self) -> None:
        """Takes all the space there is."""
        with self.filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * MEBIBYTE)
            except OSError:
                return

    def free(self) -> None:
        """Gives it back."""
        self.filler.unlink()

    def remove(self) -> None:
        """Ends the holder, and the disk with it."""
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()


@pytest.fixture
def small_disk() -> Iterator[Callable[[Path, int], SmallDisk]]:
    """Makes small disks, which go with the test."""
    disks: list[SmallDisk] = []

    def make(place: Path, mebibytes: int) -> SmallDisk:
        disks.append(SmallDisk(place, mebibytes))
        return disks[-1]

    yield make
    for disk in disks:
        disk.remove()


def resting(server: Server) -> int:
    """Orders in AAA's book, each of quantity 1 at one price, by REST: a read."""
    bids = httpx.get(f"{server.url}/v1/instruments/AAA/book", timeout=10).json()["bids"]
    return sum(int(float(level["quantity"])) for level in bids)


def wait_for_resting(server: Server, count: int) -> None:
    """Reads come from a projection: it may be a moment behind."""
    deadline = time.monotonic() + 10
    while resting(server) != count:
        assert time.monotonic() < deadline, f"{resting(server)} orders rest, {count} are expected"


def place(client: QuickFixClient, count: int) -> tuple[int, int]:
    """Places so many orders; says how many were acknowledged, and how many refused for lack of space."""
    ids = {new_id() for _ in range(count)}
    for id_ in ids:
        client.send("D", *new_order(id_, "AAA", BUY, 1, "10.00"))

    def answered() -> tuple[int, int] | None:
        acknowledged = {m[11] for m in client.received("8") if m[11] in ids}
        refused = {m[379] for m in client.received("j") if m.get(379) in ids}
        assert not acknowledged & refused, "acknowledged and refused"
        done = len(acknowledged) + len(refused) == count
        return (len(acknowledged), len(refused)) if done else None

    return client.wait(answered, f"an answer to each of {count} orders")


def test_a_full_disk_refuses_orders_answers_reads_and_goes_on_when_there_is_space(make_server, connect, small_disk):
    server = make_server(UNITS, start=False)
    disk = small_disk(server.data, 24)
    server.prefix = disk.enter()
    server.environment = {
        "DECALOG__SERVER__SEGMENT_MEBIBYTES": "1",
        "DECALOG__SERVER__RESERVE_MEBIBYTES": "1",
    }
    server.start()
    client = connect(server, "ALICE").logged_on()
    kept, refused = place(client, 100)
    assert (kept, refused) == (100, 0)

    disk.fill()
    for _ in range(200):
        acknowledged, refused = place(client, 100)
        kept += acknowledged
        if refused:
            break
    else:
        raise AssertionError(f"{kept} orders were taken on a full disk")
    for reject in client.received("j"):
        assert (reject[372], reject[380]) == ("D", "4"), f"application not available: {reject}"
    client.send("1", (112, "still there"))
    client.expect("0", t112="still there")
    wait_for_resting(server, kept)
    assert place(client, 10) == (0, 10), "still full, still answering"

    disk.free()
    deadline = time.monotonic() + 20
    while place(client, 1) != (1, 0):
        assert time.monotonic() < deadline, "space is back and nobody noticed"
    kept += 1
    acknowledged, refused = place(client, 100)
    assert (acknowledged, refused) == (100, 0)
    kept += acknowledged
    wait_for_resting(server, kept)

    server.restart()
    client.logged_on(times=2)
    wait_for_resting(server, kept)
    client.stop()
    server.stop()


def test_a_full_disk_keeps_accounts_readable_and_refuses_what_would_change_them(make_server, small_disk):
    server = make_server(UNITS, start=False)
    disk = small_disk(server.data, 24)
    server.prefix = disk.enter()
    server.environment = {
        "DECALOG__SERVER__SEGMENT_MEBIBYTES": "1",
        "DECALOG__SERVER__RESERVE_MEBIBYTES": "1",
    }
    server.start()
    admin = Account.admin(server)
    names = (f"name-{number}" for number in itertools.count())

    def make() -> httpx.Response:
        return admin.call("POST", "/v1/admin/service-accounts", json={"name": next(names), "roles": ["user"]})

    assert make().status_code == 201
    disk.fill()
    kept = 1
    # What is on its way to the disk, and the space of the segment that was begun, may still do for many.
    while (answer := make()).status_code == 201:
        kept += 1
        assert kept < 50_000, "the disk is full and nobody noticed"
    assert answer.status_code == 503 and answer.json()["type"].endswith("unavailable"), answer.text
    assert admin.call("GET", "/v1/me").json()["name"] == "admin", "a token is still known"
    assert admin.call("GET", "/v1/instruments").status_code == 200
    assert httpx.get(f"{server.url}/livez").status_code == 200

    disk.free()
    deadline = time.monotonic() + 20
    while make().status_code != 201:
        assert time.monotonic() < deadline, "space is back and nobody noticed"
    server.stop()


def test_a_lost_event_journal_is_made_anew_from_the_log(make_server, connect):
    units = [trading_unit(0, ["AAA"], ["ALICE", "BOB"])]
    server = make_server(units)
    alice, bob = connect(server, "ALICE").logged_on(), connect(server, "BOB").logged_on()
    for price in ["10.00", "10.01"]:
        alice.send("D", *new_order(new_id(), "AAA", BUY, 1, price))
        bob.send("D", *new_order(taken := new_id(), "AAA", SELL, 1, price))
        bob.expect("8", t11=taken, t39=FILLED)
    trades = f"{server.url}/v1/instruments/AAA/trades"

    def told() -> list[dict] | None:
        found = httpx.get(trades, timeout=10).json()["trades"]
        return found if len(found) == 2 else None

    before = alice.wait(told, "two trades")
    alice.stop()
    bob.stop()
    server.stop()
    shutil.rmtree(server.data / "events")
    server.start()
    again = connect(server, "ALICE").logged_on()
    assert again.wait(told, "two trades again") == before
    again.stop()
    server.stop()


def test_a_sync_that_fails_ends_the_process_and_nothing_is_acknowledged(make_server, connect):
    server = make_server(UNITS)
    client = connect(server, "ALICE").logged_on()
    assert place(client, 20) == (20, 0)
    with Injector(server.process.pid) as injector:
        lost = new_id()
        client.send("D", *new_order(lost, "AAA", BUY, 1, "10.00"))
        code = server.wait_for_end()
        assert injector.injected(), "no sync failed"
    assert code == 1, f"exit code {code}"
    assert "E-LOG-SYNC" in server.output()
    assert not [m for m in client.received("8") if m[11] == lost], "acknowledged and not on the device"
    server.start()
    # The client sends again what the server did not get; whether it did, the log alone knows.
    client.logged_on(times=2)
    client.expect("8", t11=lost, t39=NEW)
    wait_for_resting(server, 21)
    client.stop()
    server.stop()
    result = decalog("log", "verify", server.data)
    assert result.returncode == 0, result.stderr


class Injector:
    """Lets every fdatasync of a running process fail with EIO, by strace."""

    def __init__(self, pid: int):
        self.pid = pid
        self.lines: list[str] = []

    def __enter__(self) -> "Injector":
        rule = "inject=fdatasync:error=EIO"
        self.strace = subprocess.Popen(
            ["strace", "-f", "-p", str(self.pid), "-e", "trace=fdatasync", "-e", rule],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        first = self.strace.stderr.readline()
        if "attached" not in first:
            self.__exit__()
            pytest.skip(f"this machine lets nobody trace a process: {first}")
        self.lines.append(first)
        self.reader = threading.Thread(target=self.lines.extend, args=(self.strace.stderr,))
        self.reader.start()
        return self

    def injected(self) -> int:
        """How many syncs failed, once the process has ended."""
        self.strace.wait()
        self.reader.join()
        return sum("INJECTED" in line for line in self.lines)

    def __exit__(self, *_) -> None:
        if self.strace.poll() is None:
            self.strace.terminate()
            self.strace.wait()
