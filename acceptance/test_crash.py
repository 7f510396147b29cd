"""Trading through one kill -9 after the other.

Six sessions trade on two matching units as fast as they can. At a random moment the server is killed; it starts again on
what it left, the sessions log on with the numbers they know, and both sides ask for what they miss. Then, with the market
quiet, what the clients were told must be true: every acknowledged order is there once and as it was, no order the clients
withdrew (by a gap fill) exists, no ExecID came twice in the whole history, resent reports are what they were, and the
book is the one an oracle gets by replaying the reports.

`--crash-rounds N` sets how long; `--crash-seed S` repeats the random choices (the moment of a kill stays the machine's).
"""

import json
import random
import threading
import time
from collections import defaultdict
from decimal import Decimal

import httpx
import pytest

from clients.trader import Order, Trader
from decalog_server import Server, decalog, trading_unit
from fix_orders import BUY, GTC, IOC, ORDER_STATUS, REJECTED, SELL, cancel, new_order, replace
from oracle import Oracle

UNITS = {0: (["AAA", "BBB"], ["B1", "S1", "X1"]), 1: (["CCC"], ["B2", "S2", "X2"])}
WINDOW = 64  # requests a session leaves unanswered
KEPT_LIVE = 150  # a session with more live orders cancels


class Market:
    """The traders of every unit, what they do, and what must hold when they are quiet."""

    def __init__(self, server: Server, seed: int):
        self.server, self.random = server, random.Random(seed)
        self.traders = {name: Trader(name, server.fix_address) for _, names in UNITS.values() for name in names}
        self.unit_of = {name: unit for unit, (_, names) in UNITS.items() for name in names}
        self.names = 0
        self.oracles = {unit: Oracle() for unit in UNITS}
        self.replayed = {name: 0 for name in self.traders}
        self.exec_ids: set[str] = set()

    # Trading.

    def trade_until_killed(self, after: float) -> None:
        """Trades until the server is gone, which a second thread sees to after so many seconds."""
        killer = threading.Timer(after, self.server.kill)
        killer.start()
        alive = set(self.traders)
        while alive:
            for name in sorted(alive):
                trader = self.traders[name]
                for _ in range(self.random.randint(1, 8)):
                    if len(trader.unanswered) < WINDOW:
                        self._act(name, trader)
                if not trader.pump():
                    alive.remove(name)
        killer.join()

    def _act(self, name: str, trader: Trader) -> None:
        """One random request. B sessions buy, S sessions sell, so that nobody trades with himself; X sessions quote wide."""
        choice = self.random.random()
        live = trader.live() if choice < 0.35 or len(trader.alive) > KEPT_LIVE else []
        live = [order for order in live if order.cl_ord_id not in self._in_flight(trader)]
        if live and (choice < 0.2 or len(live) > KEPT_LIVE):
            order = self.random.choice(live)
            trader.request("F", cancel(self._name(name), order.cl_ord_id, order.symbol, order.side))
        elif live and choice < 0.35:
            order = self.random.choice(live)
            quantity = max(order.cum + 1, order.quantity + self.random.randint(-20, 10))
            price = Decimal(order.price) + Decimal(self.random.randint(-3, 3)) / 100
            trader.request("G", replace(self._name(name), order.cl_ord_id, order.symbol, order.side, quantity, price))
        else:
            self._new(name, trader)

    def _in_flight(self, trader: Trader) -> set[str]:
        """Orders with a cancel or replace on its way."""
        sent = (trader.sent[number] for number in trader.unanswered.values())
        return {str(value) for message in sent for tag, value in message.fields if tag == 41}

    def _new(self, name: str, trader: Trader) -> None:
        symbol = self.random.choice(UNITS[self.unit_of[name]][0])
        side = {"B": BUY, "S": SELL, "X": BUY}[name[0]]
        middle = {"B": 1002, "S": 998, "X": 950}[name[0]]
        price = Decimal(middle + self.random.randint(-10, 10)) / 100
        terms = IOC if self.random.random() < 0.15 else GTC
        trader.request("D", new_order(self._name(name), symbol, side, self.random.randint(1, 50), price, terms))

    def _name(self, name: str) -> str:
        self.names += 1
        return f"{name}-{self.names}"

    # Coming back.

    def come_back(self) -> None:
        """Every session logs on, is asked and asks for what is missing, until both sides have everything."""
        for trader in self.traders.values():
            trader.connect(drops_when_asked=self.random.random() < 0.5)
        self._pump_until(lambda trader: trader.logged_on, "the logon")
        self.settle()  # now every order has arrived
        self.settle()  # now so has every report, also of those orders that met another session's

    def settle(self) -> None:
        """A TestRequest behind everything: its Heartbeat, in sequence, shows that no gap is left on either side.

        One that falls into a gap is gap-filled away like any session message, so it is sent again now and then.
        """
        key, asked = f"settled-{time.monotonic_ns()}", {name: 0.0 for name in self.traders}

        def settled(trader: Trader) -> bool:
            if key in trader.heartbeats:
                return True
            if time.monotonic() - asked[trader.comp_id] > 0.25:
                asked[trader.comp_id] = time.monotonic()
                trader.send("1", [(112, key)])
            return False

        self._pump_until(settled, "the heartbeat behind everything")

    def _pump_until(self, done, what: str, timeout: float = 30.0) -> None:
        deadline = time.monotonic() + timeout
        waiting = dict(self.traders)
        while waiting:
            for name, trader in list(waiting.items()):
                assert trader.pump(0.01), f"{name} was cut off while it waited for {what}"
                if done(trader):
                    del waiting[name]
            assert time.monotonic() < deadline, f"{what} did not come for {sorted(waiting)} within {timeout} s"

    # What must hold.

    def check(self) -> None:
        """Everything the clients were told is true."""
        for name, trader in self.traders.items():
            assert not trader.unanswered, f"{name}: never answered, though settled: {sorted(trader.unanswered)[:5]}"
            ghosts = trader.dropped & trader.orders.keys()
            assert not ghosts, f"{name}: withdrawn, but they live: {sorted(ghosts)[:5]}"
        self._replay()
        self._check_books()
        self._check_statuses()

    def _replay(self) -> None:
        """Gives the oracles the reports since the last time, in the order of their ExecIDs."""
        fresh = defaultdict(list)
        for name, trader in self.traders.items():
            for report in trader.reports[self.replayed[name] :]:
                assert report[17] not in self.exec_ids, f"an ExecID came twice: {report}"
                self.exec_ids.add(report[17])
                unit, number = map(int, report[17].split("-"))
                assert unit == self.unit_of[name]
                fresh[unit].append((number, report))
            self.replayed[name] = len(trader.reports)
        for unit, reports in fresh.items():
            for _, report in sorted(reports, key=lambda pair: pair[0]):
                self.oracles[unit].take(report)
        for unit, oracle in self.oracles.items():
            assert not oracle.expected, f"unit {unit}: should have followed: {oracle.expected[0]}"

    def _check_books(self) -> None:
        """The exchange's books, by REST, are the oracle's; and the live orders' of the clients."""
        for unit, (symbols, names) in UNITS.items():
            wanted = self.oracles[unit].levels()
            told = defaultdict(int)
            for name in names:
                for order in self.traders[name].live():
                    told[order.symbol, order.side, Decimal(order.price)] += order.leaves
            assert told == wanted, f"unit {unit}: the live orders as told are not the oracle's book"
            for symbol in symbols:
                wait_for_book(self.server, symbol, {key: n for key, n in wanted.items() if key[0] == symbol})

    def _check_statuses(self) -> None:
        """A sample of orders, asked by OrderStatusRequest: live ones, ended ones, and those that were withdrawn."""
        asked: list[tuple[Trader, str, Order | str]] = []
        for name, trader in self.traders.items():
            known = list(trader.orders.values())
            sample = trader.live()[:20] + self.random.sample(known, min(5, len(known)))
            sample += self.random.sample(sorted(trader.dropped), min(3, len(trader.dropped)))
            for index, order in enumerate(sample):
                key = f"{len(self.exec_ids)}-{index}"
                trader.ask_status(order, key, UNITS[self.unit_of[name]][0][0])
                asked.append((trader, key, order))
        self.settle()
        for trader, key, order in asked:
            answer = trader.answers.pop(key)
            assert answer[150] == ORDER_STATUS
            if isinstance(order, str):
                assert answer[39] == REJECTED and answer[37] == "NONE", f"withdrawn, but it exists: {answer}"
            elif not (order.done and answer[37] == "NONE"):
                got = answer[37], int(answer[151]), int(answer[14])
                assert got == (order.order_id, order.leaves, order.cum), f"{order} is told as {answer}"

    def ask_for_everything_again(self, last: int | None = None) -> None:
        """ResendRequests for old numbers: every report comes again, and `Trader` compares it with the first time."""
        for trader in self.traders.values():
            begin = 1 if last is None else max(1, trader.next_in - last)
            before = trader.compared
            wanted = sum(begin <= number < trader.next_in for number in trader.received)
            trader.send("2", [(7, begin), (16, trader.next_in - 1)])
            self._pump_until_one(trader, before + wanted)

    def _pump_until_one(self, trader: Trader, compared: int) -> None:
        deadline = time.monotonic() + 60
        while trader.compared < compared:
            assert trader.pump(0.05), "cut off during a resend"
            assert time.monotonic() < deadline, f"{trader.compared} of {compared} reports were resent"


def wait_for_book(server: Server, symbol: str, wanted: dict, timeout: float = 10.0) -> None:
    """Polls the book as REST shows it until it is the wanted one: the public picture may follow a moment later."""
    deadline = time.monotonic() + timeout
    while (shown := book_by_rest(server, symbol)) != wanted:
        assert time.monotonic() < deadline, f"{symbol}: REST shows {shown}, the oracle says {wanted}"


def book_by_rest(server: Server, symbol: str) -> dict:
    """The book of a symbol as REST shows it, with the keys of the oracle's levels."""
    answer = httpx.get(f"{server.url}/v1/instruments/{symbol}/book", params={"depth": 1000})
    answer.raise_for_status()
    book = answer.json()
    return {
        (symbol, side, Decimal(level["price"])): int(Decimal(level["quantity"]))
        for side, levels in ((BUY, book["bids"]), (SELL, book["asks"]))
        for level in levels
    }


@pytest.fixture(params=["open", "sealed"])
def market(make_server, request, tmp_path) -> Market:
    """A market of six sessions on two units, on a data directory that is sealed or not."""
    seed = request.config.getoption("--crash-seed")
    seed = random.SystemRandom().randrange(1 << 32) if seed is None else seed
    print(f"seed {seed}: repeat with --crash-seed {seed}")
    units = [trading_unit(number, symbols, names) for number, (symbols, names) in UNITS.items()]
    server = make_server(units, start=False)
    if request.param == "sealed":
        key = tmp_path / "master.key"
        key.touch(mode=0o600)
        key.write_text("5e" * 32)
        server.environment["DECALOG__SERVER__SEAL__KEY_FILE"] = str(key)
    server.start()
    return Market(server, seed)


def test_trading_through_kill_9(market: Market, request):
    rounds = request.config.getoption("--crash-rounds")
    if market.server.environment:
        rounds = max(1, rounds // 3)
    market.come_back()
    for number in range(1, rounds + 1):
        market.trade_until_killed(after=market.random.uniform(0.05, 1.2))
        market.server.start()
        market.come_back()
        market.check()
        market.ask_for_everything_again(last=200)
        print(
            f"round {number}: {len(market.exec_ids)} reports, {sum(len(t.live()) for t in market.traders.values())} live"
        )
    market.ask_for_everything_again()
    traded = sum(sum(oracle.traded.values()) for oracle in market.oracles.values())
    assert traded > 0 and any(t.dropped for t in market.traders.values()), "the test did not test what it should"
    assert market.server.stop() == 0
    verified = decalog("log", "verify", market.server.data, "--json", **market.server.environment)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert json.loads(verified.stdout)
