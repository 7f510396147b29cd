"""REST and the live feed, as a page or a script sees them. Orders come in by FIX; these doors only read."""

import json
import time
from decimal import Decimal

import httpx
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as websocket

from clients.trader import Trader
from decalog_server import Instrument, Session, Unit
from fix_orders import BUY, IOC, SELL, cancel, new_id, new_order, replace

INSTRUMENTS = [
    Instrument("AAA", tick_size="0.01", lot_size="1", lowest_price="0.01", highest_price="1000.00"),
    Instrument("BBB", tick_size="0.5", lot_size="0.001", lowest_price="0.5", highest_price="100000"),
    *(Instrument(f"R{number}") for number in range(10)),
]


@pytest.fixture(scope="module")
def server(make_server):
    """One server with two sessions."""
    return make_server([Unit(0, INSTRUMENTS, [Session("ALICE", "ACC-ALICE"), Session("BOB", "ACC-BOB")])])


@pytest.fixture(scope="module")
def http(server):
    """An HTTP client."""
    with httpx.Client(base_url=server.url, timeout=10) as client:
        yield client


@pytest.fixture(scope="module")
def traders(server):
    """Alice and Bob, logged on for the whole file."""
    traders = {name: Trader(name, server.fix_address) for name in ("ALICE", "BOB")}
    for trader in traders.values():
        trader.connect()
    yield traders
    for trader in traders.values():
        trader.connection.close()


class Desk:
    """Sends requests of both traders in one instrument and waits for the answers."""

    def __init__(self, traders, symbol):
        self.traders, self.symbol = traders, symbol

    def place(self, name, side, quantity, price, terms="1") -> str:
        order = new_id()
        self.traders[name].request("D", new_order(order, self.symbol, side, quantity, price, terms))
        self.answered()
        return order

    def cancel(self, name, order, side) -> None:
        self.traders[name].request("F", cancel(new_id(), order, self.symbol, side))
        self.answered()

    def replace(self, name, order, side, quantity, price) -> None:
        self.traders[name].request("G", replace(new_id(), order, self.symbol, side, quantity, price))
        self.answered()

    def answered(self) -> None:
        """Everything sent has its answer."""
        deadline = time.monotonic() + 10
        while any(trader.unanswered for trader in self.traders.values()):
            assert all(trader.pump(0.01) for trader in self.traders.values())
            assert time.monotonic() < deadline


_symbols = (f"R{number}" for number in range(10))


@pytest.fixture
def desk(traders) -> Desk:
    """A desk in an instrument of the test's own."""
    return Desk(traders, next(_symbols))


def until(http, path, condition):
    """Polls until the answer satisfies the condition: the public picture follows the exchange at its own pace."""
    deadline = time.monotonic() + 10
    while not condition(answer := http.get(path).raise_for_status().json()):
        assert time.monotonic() < deadline, answer
    return answer


def test_the_instruments_are_as_configured(http):
    listed = {entry["symbol"]: entry for entry in http.get("/v1/instruments").raise_for_status().json()["instruments"]}
    assert set(listed) == {instrument.symbol for instrument in INSTRUMENTS}
    for instrument in INSTRUMENTS:
        assert http.get(f"/v1/instruments/{instrument.symbol}").json() == listed[instrument.symbol]
        for key in ("tick_size", "lot_size", "lowest_price", "highest_price"):
            assert Decimal(listed[instrument.symbol][key]) == Decimal(getattr(instrument, key))


def test_a_book_shows_what_rests_best_first(http, desk):
    for side, quantity, price in [
        (BUY, 5, "9.00"),
        (BUY, 7, "9.00"),
        (BUY, 1, "9.50"),
        (SELL, 2, "10.50"),
        (SELL, 3, "10"),
    ]:
        desk.place("ALICE", side, quantity, price)
    book = until(http, f"/v1/instruments/{desk.symbol}/book", lambda book: len(book["asks"]) == 2)
    shape = [
        [(level["price"], level["quantity"], level["orders"]) for level in book[side]] for side in ("bids", "asks")
    ]
    assert shape == [[("9.50", "1", 1), ("9.00", "12", 2)], [("10.00", "3", 1), ("10.50", "2", 1)]]
    top = http.get(f"/v1/instruments/{desk.symbol}/book", params={"depth": 1}).json()
    assert (top["bids"], top["asks"]) == (book["bids"][:1], book["asks"][:1])


def test_trades_come_newest_first(http, desk):
    desk.place("ALICE", SELL, 10, "5.00")
    desk.place("BOB", BUY, 4, "5.00")
    desk.place("BOB", BUY, 6, "5.10")
    trades = until(http, f"/v1/instruments/{desk.symbol}/trades", lambda answer: len(answer["trades"]) == 2)["trades"]
    assert [(trade["price"], trade["quantity"], trade["aggressor"]) for trade in trades] == [
        ("5.00", "6", "bid"),
        ("5.00", "4", "bid"),
    ]
    assert trades[0]["id"] != trades[1]["id"] and int(trades[0]["time"]) >= int(trades[1]["time"])
    newest = http.get(f"/v1/instruments/{desk.symbol}/trades", params={"limit": 1}).json()["trades"]
    assert newest == trades[:1]


class FollowedBook:
    """A book rebuilt from the feed: the snapshot, then each change with the next number."""

    def __init__(self, snapshot: dict):
        assert snapshot["type"] == "snapshot"
        self.sequence = snapshot["sequence"]
        self.levels = {
            (side, level["price"]): (level["quantity"], level["orders"])
            for side, name in (("bid", "bids"), ("ask", "asks"))
            for level in snapshot[name]
        }
        self.trades = []

    def apply(self, change: dict) -> None:
        """The next change."""
        assert change["sequence"] == self.sequence + 1, f"a gap after {self.sequence}: {change}"
        self.sequence += 1
        if change["type"] == "trade":
            self.trades.append((change["price"], change["quantity"]))
        elif Decimal(change["quantity"]) == 0:
            del self.levels[change["side"], change["price"]]
        else:
            self.levels[change["side"], change["price"]] = (change["quantity"], change["orders"])


def feed_url(server, symbol: str) -> str:
    """Where the live feed is."""
    return f"ws://127.0.0.1:{server.ports.http}/v1/instruments/{symbol}/feed"


def test_the_feed_leads_to_the_book(server, http, desk):
    orders = [desk.place("ALICE", SELL, 10, f"{20 + n / 10:.2f}") for n in range(5)]
    with websocket(feed_url(server, desk.symbol)) as feed:
        book = FollowedBook(json.loads(feed.recv(timeout=10)))
        desk.place("ALICE", BUY, 3, "19.00")
        desk.place("BOB", BUY, 15, "20.10")
        desk.place("BOB", BUY, 2, "20.50", IOC)
        desk.replace("ALICE", orders[2], SELL, 4, "20.20")
        desk.replace("ALICE", orders[3], SELL, 10, "20.90")
        desk.cancel("ALICE", orders[4], SELL)
        last = desk.place("BOB", BUY, 1, "1.00")
        assert last
        while ("bid", "1.00") not in book.levels:
            book.apply(json.loads(feed.recv(timeout=10)))
    shown = until(http, f"/v1/instruments/{desk.symbol}/book", lambda shown: shown["sequence"] >= book.sequence)
    assert shown["sequence"] == book.sequence
    assert book.levels == FollowedBook({"type": "snapshot", **shown}).levels
    assert book.trades == [("20.00", "10"), ("20.10", "5"), ("20.10", "2")]


def test_a_late_subscriber_gets_the_same_book(server, desk):
    desk.place("ALICE", SELL, 10, "3.00")
    with websocket(feed_url(server, desk.symbol)) as first:
        early = FollowedBook(json.loads(first.recv(timeout=10)))
        for number in range(50):
            desk.place("ALICE", BUY, number + 1, f"1.{number:02}")
        while ("bid", "1.49") not in early.levels:
            early.apply(json.loads(first.recv(timeout=10)))
        with websocket(feed_url(server, desk.symbol)) as second:
            late = FollowedBook(json.loads(second.recv(timeout=10)))
        assert (late.sequence, late.levels) == (early.sequence, early.levels)


def test_a_subscriber_that_talks_too_much_is_cut_off_alone(server, desk):
    with websocket(feed_url(server, desk.symbol)) as polite, websocket(feed_url(server, desk.symbol)) as rude:
        polite.recv(timeout=10)
        rude.recv(timeout=10)
        rude.send("x" * 100_000)
        with pytest.raises(ConnectionClosed):
            while True:
                rude.recv(timeout=10)
        desk.place("ALICE", BUY, 1, "1.00")
        assert json.loads(polite.recv(timeout=10))["type"] == "level"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v1/instruments/NOSUCH", 404),
        ("GET", "/v1/instruments/NOSUCH/book", 404),
        ("GET", "/v1/instruments/%FF%FE/book", 404),
        ("GET", "/v1/instruments/" + "A" * 5000, 404),
        ("GET", "/v1/instruments/AAA/book?depth=0", 400),
        ("GET", "/v1/instruments/AAA/book?depth=-1", 400),
        ("GET", "/v1/instruments/AAA/book?depth=1001", 400),
        ("GET", "/v1/instruments/AAA/book?depth=99999999999999999999", 400),
        ("GET", "/v1/instruments/AAA/book?depth=many", 400),
        ("GET", "/v1/instruments/AAA/trades?limit=0", 400),
        ("GET", "/v1/instruments/AAA/feed", 426),
        ("POST", "/v1/instruments/AAA/book", 405),
        ("DELETE", "/v1/instruments/AAA", 405),
    ],
)
def test_refusals_are_problem_details(http, method, path, status):
    answer = http.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status and problem["type"] and problem["title"] and problem["detail"]


def market_data(description) -> dict:
    """The description's paths that this file is about."""
    return {path: item for path, item in description["paths"].items() if path.startswith("/v1/instruments")}


def test_the_api_description_is_valid_and_complete(http):
    description = http.get("/openapi.json").raise_for_status().json()
    validate(description)
    assert len(market_data(description)) == 5
    for path, operations in market_data(description).items():
        answer = http.get(path.replace("{symbol}", "AAA"))
        assert answer.status_code in (200, 426), f"{path} is described, but answers {answer.status_code}"
        assert str(answer.status_code) in operations["get"]["responses"], f"{path} does not describe its answer"


def test_answers_have_the_shape_that_is_described(http):
    """Each JSON answer is checked against the schema its path gives."""
    description = http.get("/openapi.json").json()
    checked = 0
    for path, operations in market_data(description).items():
        answer = http.get(path.replace("{symbol}", "AAA"))
        if answer.status_code != 200:
            continue
        described = operations["get"]["responses"]["200"]
        schema = described["content"]["application/json"]["schema"]
        Draft202012Validator(schema | {"components": description["components"]}).validate(answer.json())
        checked += 1
    assert checked == 4


def test_health_and_readiness(http):
    assert http.get("/healthz").status_code == 200
    assert http.get("/readyz").status_code == 200


def test_an_answer_says_what_it_has_seen(http):
    assert http.get("/v1/instruments/AAA/book").headers["decalog-offset"]
