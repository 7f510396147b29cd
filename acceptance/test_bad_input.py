"""Hostile and broken peers. Each gets the protocol's own refusal or the door, costs a bounded amount of memory, and is not
noticed by a session that trades meanwhile.

The well-behaved session trades on a thread of its own during every test here; at the end of each its requests must all
have been answered, in order, on the same connection.
"""

import contextlib
import random
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from clients.raw import Connection, Disconnected, Message, encode, utc_timestamp
from clients.trader import Trader
from decalog_server import Instrument, Session, Unit
from fix_orders import BUY, IOC, NEW, REJECTED, SELL, cancel, new_id, new_order

MEBIBYTE = 1 << 20
# What the process may grow by during one test: well above noise, far below what any of these inputs would cost if kept.
MEMORY_BOUND = 96 * MEBIBYTE

NAMES = [f"H{number:02}" for number in range(1, 80)]
_names = iter(NAMES)


@pytest.fixture(scope="module")
def server(make_server):
    """A server with tight limits: 64 FIX connections, two seconds to log on, messages up to 4 KiB."""
    sessions = [Session(name, f"ACC-{name}") for name in ["GOOD", *NAMES]]
    sessions.append(Session("LOCKED", "ACC-LOCKED", "locked"))
    limits = {
        "max_connections": 64,
        "logon_timeout_seconds": 2,
        "max_message_bytes": 4096,
        "outbound_queue_kibibytes": 256,
        "send_timeout_seconds": 3,
    }
    return make_server([Unit(0, [Instrument("AAA"), Instrument("BBB")], sessions)], fix=limits)


class Bystander(threading.Thread):
    """A session that places and cancels orders, one pair after the other, and minds its own business."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.trader = Trader("GOOD", server.fix_address)
        self.ready, self.done = threading.Event(), threading.Event()
        self.pairs, self.slowest, self.problem = 0, 0.0, None

    def run(self) -> None:
        try:
            self.trader.connect(reset=True)
            while not (self.done.is_set() and self.pairs):
                self.pair()
                self.ready.set()
            self.trader.log_out()
        except BaseException as problem:  # noqa: BLE001 - shown by the test that asked
            self.problem = problem
        finally:
            self.ready.set()

    def pair(self) -> None:
        """An order and its cancel, both answered."""
        begin, order = time.monotonic(), new_id("good")
        self.trader.request("D", new_order(order, "BBB", BUY, 1, "1.00"))
        self.wait()
        self.trader.request("F", cancel(new_id("good"), order, "BBB", BUY))
        self.wait()
        self.pairs += 1
        self.slowest = max(self.slowest, time.monotonic() - begin)

    def wait(self) -> None:
        deadline = time.monotonic() + 20
        while self.trader.unanswered:
            if not self.trader.pump(0.05):
                raise Disconnected("the bystander was cut off")
            if time.monotonic() > deadline:
                raise TimeoutError("the bystander's request was not answered within 20 s")


@pytest.fixture(autouse=True)
def bystander(server) -> Iterator[None]:
    """Trades during the test; then it must have gone on, and memory must not have grown beyond the bound."""
    bystander = Bystander(server)
    before = server.resident_bytes()
    bystander.start()
    # Whoever comes when all places are taken is turned away: it was there before.
    assert bystander.ready.wait(30)
    yield
    bystander.done.set()
    bystander.join(30)
    assert bystander.problem is None, f"the bystander suffered: {bystander.problem!r}"
    assert bystander.pairs > 0 and not bystander.is_alive()
    grown = server.resident_bytes() - before
    assert grown < MEMORY_BOUND, f"the server grew by {grown / MEBIBYTE:.0f} MiB"


class Peer:
    """A raw connection with a CompID."""

    def __init__(self, server, comp_id: str | None = None):
        self.server, self.comp_id = server, comp_id or next(_names)
        self.connection = Connection.open(server.fix_address)
        self.next_out = 1

    def bytes(self, type_: str, *fields, **header) -> bytes:
        """A well-formed message with the next number."""
        seq, self.next_out = self.next_out, self.next_out + 1
        first = [(35, type_), (34, seq), (49, self.comp_id), (52, utc_timestamp()), (56, header.get("to", "DECALOG"))]
        return encode(first + list(fields))

    def send(self, type_: str, *fields, **header) -> None:
        """Sends it."""
        self.connection.send_bytes(self.bytes(type_, *fields, **header))

    def logon(self) -> "Peer":
        """Logs on; again, while the server has not seen yet that an earlier connection of the session is gone."""
        deadline = time.monotonic() + 10
        while True:
            self.next_out = 1
            self.send("A", (98, 0), (108, 30), (141, "Y"))
            try:
                assert self.connection.receive().type == "A"
                return self
            except Disconnected:
                assert time.monotonic() < deadline, "not logged on within 10 s"
                self.connection = Connection.open(self.server.fix_address)

    def alive(self) -> bool:
        """Does a TestRequest come back?"""
        self.send("1", (112, "alive"))
        try:
            while (message := self.connection.receive()).get(112) != "alive":
                assert message.type in ("0", "2", "3", "4", "8", "9", "j"), message
        except (Disconnected, TimeoutError):
            return False
        return True


def closed(connection: Connection, timeout: float = 15.0) -> list[Message]:
    """The connection must be closed by the server; what came before."""
    return connection.wait_closed(timeout)


def test_a_message_that_is_too_long_ends_the_connection(server):
    peer = Peer(server).logon()
    peer.send("D", *new_order(new_id(), "AAA", BUY, 1, "1.00"), (58, "x" * 100_000))
    assert not [m for m in closed(peer.connection) if m.type == "8"]


@pytest.mark.parametrize("length", ["999999999", "99999999999999999999999999", "-1", "0", "", "abc", "+5", "5.0"])
def test_a_body_length_that_cannot_be(server, length):
    peer = Peer(server).logon()
    body = peer.bytes("0").split(b"\x01", 2)[2]
    peer.connection.send_bytes(b"8=FIX.4.4\x019=" + length.encode() + b"\x01" + body)
    peer.connection.send_bytes(b"A" * 10_000)
    peer.next_out -= 1
    peer.connection.send_bytes(b"\x01")
    ended = not peer.alive()
    assert ended or peer.next_out > 1, "either the garbage was skipped, or the connection ended"


def test_bytes_without_end_are_not_kept(server):
    peer = Peer(server)
    block = b"8=FIX.4.4\x019=100\x01" + b"x" * 65536
    sent = 0
    peer.connection.sock.settimeout(10)
    try:
        while sent < 256 * MEBIBYTE:
            sent += peer.connection.sock.send(block)
    except (ConnectionError, TimeoutError):
        pass
    assert sent < 256 * MEBIBYTE, "the server took it all without closing"


def test_random_bytes_from_strangers(server):
    randomness = random.Random(7)
    for _ in range(50):
        connection = Connection.open(server.fix_address)
        connection.send_bytes(randomness.randbytes(randomness.randint(1, 3000)))
        connection.sock.shutdown(socket.SHUT_WR)
        assert not closed(connection), "a stranger gets no answer"


def test_random_changes_of_good_messages(server):
    """One byte is changed, cut out or doubled; frame and checksum are made right again, so that the inside is read."""
    randomness = random.Random(11)
    peer = Peer(server).logon()
    for _ in range(400):
        message = bytearray(peer.bytes("D", *new_order(new_id("z"), "AAA", BUY, 1, "1.00", IOC)))
        body = message[message.index(b"\x0135=") + 1 : -7]
        at, change = randomness.randrange(len(body)), randomness.randrange(3)
        if change == 0:
            body[at] = randomness.randrange(256)
        elif change == 1:
            del body[at]
        else:
            body.insert(at, body[at])
        framed = b"8=FIX.4.4\x019=%d\x01" % len(body) + bytes(body)
        peer.connection.send_bytes(framed + b"10=%03d\x01" % (sum(framed) % 256))
        if not drain(peer.connection):
            peer = Peer(server, peer.comp_id).logon()
    fresh = Peer(server, peer.comp_id)
    peer.connection.close()
    assert fresh.logon().alive()


def drain(connection: Connection) -> bool:
    """Takes what has come without waiting; False when the server has closed."""
    try:
        while True:
            connection.receive(0.002)
    except TimeoutError:
        return True
    except Disconnected:
        return False


def test_a_message_split_at_every_byte(server):
    peer = Peer(server).logon()
    for at in range(1, len(peer.bytes("D", *new_order("cut-999", "AAA", BUY, 1, "1.00", IOC)))):
        peer.next_out = at + 1
        message = peer.bytes("D", *new_order(f"cut-{at:03}", "AAA", BUY, 1, "1.00", IOC))
        peer.connection.send_bytes(message[:at])
        time.sleep(0.001)  # lets the first half travel alone; a half that did not would only make the test easier
        peer.connection.send_bytes(message[at:])
        ids = {report[11] for report in (peer.connection.receive(), peer.connection.receive())}
        assert ids == {f"cut-{at:03}"}


def test_many_messages_in_one_write(server):
    peer = Peer(server).logon()
    orders = [new_id("b") for _ in range(500)]
    peer.connection.send_bytes(b"".join(peer.bytes("D", *new_order(o, "AAA", BUY, 1, "1.00")) for o in orders))
    assert [peer.connection.receive()[11] for _ in orders] == orders


def test_a_connection_that_says_nothing_is_closed(server):
    connection = Connection.open(server.fix_address)
    begin = time.monotonic()
    assert not closed(connection, 10)
    assert time.monotonic() - begin > 1, "it was given its time"


def test_a_logon_that_comes_byte_by_byte_is_not_waited_for_forever(server):
    peer = Peer(server)
    stop = time.monotonic() + 15
    message = peer.bytes("A", (98, 0), (108, 30))
    while time.monotonic() < stop:
        try:
            peer.connection.sock.send(message[:1])
            message = message[1:] + b"1"
        except OSError:
            break
        time.sleep(0.1)
    else:
        pytest.fail("still open after 15 s without a logon")


def test_a_half_open_session_is_found_out(server):
    """A peer that went away without a word: no heartbeat comes, so the server asks, and then closes."""
    peer = Peer(server)
    peer.send("A", (98, 0), (108, 1), (141, "Y"))
    assert peer.connection.receive().type == "A"
    types = [message.type for message in closed(peer.connection, 20)]
    assert "1" in types, "a TestRequest came before the end"


def test_a_flood_of_connections(server):
    """More than may be open: the ones above are closed at once, and room comes back when the others' time is over."""
    connections = [Connection.open(server.fix_address) for _ in range(300)]
    for connection in connections:
        assert not closed(connection, 20)
    assert Peer(server).logon().alive()


def test_a_flood_of_wrong_logons(server):
    connections = []
    for number in range(200):
        peer = Peer(server, "LOCKED")
        peer.send("A", (98, 0), (108, 30), (553, "locked"), (554, f"guess-{number}"))
        connections.append(peer.connection)
        if len(connections) == 50:
            for connection in connections:
                assert not [m for m in closed(connection, 20) if m.type == "A"]
            connections = []


def test_a_session_logs_on_twice(server):
    first = Peer(server).logon()
    second = Peer(server, first.comp_id)
    second.send("A", (98, 0), (108, 30))
    assert not [m for m in closed(second.connection) if m.type == "A"]
    assert first.alive()


def test_a_client_that_never_reads_is_cut_off(server):
    """Its answers pile up to the bound, then its connection ends; its orders and numbers are all there afterwards."""
    peer = Peer(server).logon()
    peer.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.connection.sock.settimeout(20)
    block = b"".join(peer.bytes("1", (112, "x" * 1000)) for _ in range(20))
    deadline, sent = time.monotonic() + 60, 0
    try:
        while time.monotonic() < deadline and sent < 512 * MEBIBYTE:
            peer.connection.sock.sendall(block)
            sent += len(block)
            block = b"".join(peer.bytes("1", (112, "x" * 1000)) for _ in range(20))
    except (ConnectionError, TimeoutError):
        pass
    assert sent < 512 * MEBIBYTE and time.monotonic() < deadline, "a client that never reads is not served forever"
    peer.connection.close()
    again = Peer(server, peer.comp_id)
    assert again.logon().alive()


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (44, "-1.00"),
        (44, "0"),
        (44, "92233720368547758.08"),
        (44, "99999999999999999999999999999999999999"),
        (44, "0.000000000000000000000000000001"),
        (44, "1e5"),
        (44, "NaN"),
        (44, "1.00.0"),
        (44, "٣"),
        (38, "-1"),
        (38, "0"),
        (38, "9223372036854775808"),
        (38, "18446744073709551616"),
        (38, "1e3"),
        (38, "0x10"),
        (55, "NOSUCH"),
        (55, "A" * 1000),
        (55, "AAA\x00"),
        (55, "ÄÖÜ"),
        (54, "Z"),
        (40, "Z"),
        (11, "x" * 1000),
        (60, "yesterday"),
        (59, "Z"),
    ],
    ids=lambda value: str(value)[:24].encode("ascii", "replace").decode(),
)
def test_a_value_that_cannot_be_is_refused(server, tag, value):
    peer = Peer(server).logon()
    on_the_wire = value.encode("utf-8").decode("latin-1")
    order = new_order(new_id("v"), "AAA", SELL, 1, "1.00")
    peer.send("D", *[(t, on_the_wire if t == tag else v) for t, v in order])
    answer = peer.connection.receive()
    assert answer.type in ("3", "j") or (answer.type == "8" and answer[39] == REJECTED), answer
    if answer.type == "3":
        assert answer[45] == "2" and 373 in answer
    order = new_id("ok")
    peer.send("D", *new_order(order, "AAA", SELL, 1, "900.00"))
    answer = peer.connection.receive()
    assert (answer[11], answer[150]) == (order, NEW), "the session goes on with the next number"


@pytest.mark.parametrize(
    "fields",
    [
        [(36, 0)],
        [(36, 18446744073709551616)],
        [(123, "Y"), (36, 99999999999999999999)],
    ],
    ids=["zero", "overflow", "gap-fill-overflow"],
)
def test_a_sequence_reset_that_cannot_be(server, fields):
    peer = Peer(server).logon()
    peer.send("4", *fields)
    messages = []
    try:
        messages.append(peer.connection.receive())
    except Disconnected:
        return
    assert messages[0].type in ("3", "5"), messages


def test_a_sequence_number_that_overflows(server):
    peer = Peer(server).logon()
    peer.next_out = 18446744073709551616
    peer.send("0")
    try:
        assert peer.connection.receive().type in ("2", "3", "5")
    except Disconnected:
        pass


def test_a_repeating_group_that_claims_a_billion_entries(server):
    peer = Peer(server).logon()
    peer.send("V", (262, "big"), (263, 0), (264, 0), (267, 1_000_000_000), (269, 0), (146, 1), (55, "AAA"))
    assert peer.connection.receive().type == "3"
    assert peer.alive()


def test_subscriptions_without_end(server):
    """A session may not subscribe as often as it likes."""
    peer = Peer(server).logon()
    for number in range(3000):
        groups = [(267, 1), (269, 0), (146, 1), (55, "AAA")]
        peer.send("V", (262, f"sub-{number}"), (263, 1), (264, 0), (265, 1), *groups)
    kinds = [peer.connection.receive().type for _ in range(3000)]
    assert kinds.count("W") + kinds.count("Y") == 3000
    assert "Y" in kinds, "somewhere there is a bound"


def test_http_garbage(server):
    randomness = random.Random(13)
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", server.ports.http), timeout=15) as sock:
            with contextlib.suppress(OSError):  # the server may have closed already
                sock.sendall(randomness.randbytes(randomness.randint(1, 5000)))
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(65536):
                    pass
    assert httpx.get(f"{server.url}/healthz").status_code == 200


def test_an_http_head_without_end(server):
    with socket.create_connection(("127.0.0.1", server.ports.http), timeout=15) as sock:
        sent = 0
        try:
            sock.sendall(b"GET /healthz HTTP/1.1\r\n")
            while sent < 64 * MEBIBYTE:
                sent += sock.send(b"x-header: " + b"y" * 60_000 + b"\r\n")
        except (ConnectionError, TimeoutError):
            pass
        assert sent < 64 * MEBIBYTE
