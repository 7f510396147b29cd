"""QuickFIX takes market data: snapshots, increments, and the refusals. A book is rebuilt from what it receives."""

from decimal import Decimal

import pytest

from clients.quickfix_client import QuickFixClient
from decalog_server import trading_unit
from fix_orders import BUY, CANCELED, NEW, SELL, TRADE, cancel, new_id, new_order

BID, OFFER, TRADED = "0", "1", "2"
SNAPSHOT, SUBSCRIBE, UNSUBSCRIBE = "0", "1", "2"


@pytest.fixture
def alice(make_server, connect) -> QuickFixClient:
    """One client alone on a server of its own."""
    return connect(make_server([trading_unit(0, ["AAA", "BBB"], ["ALICE", "BOB"])]), "ALICE").logged_on()


def request(client, name, kind, symbol="AAA", depth=0, entries=(BID, OFFER), update_type=True) -> None:
    """MarketDataRequest (V)."""
    fields = [(262, name), (263, kind), (264, depth)] + ([(265, 1)] if update_type and kind == SUBSCRIBE else [])
    groups = ((267, 269, [[(269, entry)] for entry in entries]), (146, 55, [[(55, symbol)]]))
    client.send("V", *fields, groups=groups)


def place(client, side, quantity, price, symbol="AAA") -> str:
    """Places an order that is acknowledged."""
    order = new_id()
    client.send("D", *new_order(order, symbol, side, quantity, price))
    client.expect("8", t11=order, t150=NEW)
    return order


class Book:
    """Levels as (side, price) to quantity, from a snapshot and the increments after it."""

    def __init__(self, snapshot):
        self.levels = {}
        for entry in snapshot.group(269):
            self.levels[entry[269], Decimal(entry[270])] = Decimal(entry[271])
        self.increments = []

    def apply(self, message) -> None:
        """MarketDataIncrementalRefresh (X): 279 says new, change or delete."""
        for entry in message.group(279):
            if entry[269] not in (BID, OFFER):
                continue
            key = entry[269], Decimal(entry[270])
            if entry[279] == "2":
                assert key in self.levels, f"deletes a level that is not there: {message}"
                del self.levels[key]
            else:
                assert (entry[279] == "1") == (key in self.levels), f"new or change, and the level: {message}"
                self.levels[key] = Decimal(entry[271])


def levels(*entries) -> dict:
    """The levels a book should have."""
    return {(side, Decimal(price)): Decimal(quantity) for side, price, quantity in entries}


def test_a_snapshot_adds_up_the_orders_of_a_level(alice):
    place(alice, BUY, 10, "9.00")
    place(alice, BUY, 15, "9.00")
    place(alice, BUY, 5, "8.50")
    place(alice, SELL, 7, "9.50")
    request(alice, "snap", SNAPSHOT)
    snapshot = alice.expect("W", t262="snap")
    assert snapshot[55] == "AAA"
    assert Book(snapshot).levels == levels((BID, 9, 25), (BID, "8.5", 5), (OFFER, "9.5", 7))
    request(alice, "top", SNAPSHOT, depth=1)
    assert Book(alice.expect("W", t262="top")).levels == levels((BID, 9, 25), (OFFER, "9.5", 7))


def test_increments_lead_from_the_snapshot_to_the_book(alice):
    request(alice, "live", SUBSCRIBE)
    book = Book(alice.expect("W", t262="live"))
    assert book.levels == {}
    order = place(alice, BUY, 10, "9.00")
    place(alice, BUY, 5, "9.00")
    place(alice, SELL, 20, "9.10")
    canceled = new_id()
    alice.send("F", *cancel(canceled, order, "AAA", BUY))
    alice.expect("8", t11=canceled, t150=CANCELED)
    taker = place(alice, BUY, 25, "9.10")
    alice.expect("8", t11=taker, t150=TRADE)
    wanted = levels((BID, 9, 5), (BID, "9.1", 5))

    def caught_up():
        while increments := [m for m in alice.received("X") if m not in book.increments]:
            book.increments.append(increments[0])
            book.apply(increments[0])
        return book.levels == wanted

    alice.wait(caught_up, "the book the increments lead to")
    request(alice, "check", SNAPSHOT)
    assert Book(alice.expect("W", t262="check")).levels == wanted


def test_trades_are_told_when_asked_for(alice):
    request(alice, "trades", SUBSCRIBE, entries=(TRADED,))
    place(alice, SELL, 8, "3.00")
    place(alice, BUY, 3, "3.00")
    alice.wait(lambda: any(TRADED in m.values(269) for m in alice.received("X", "W")), "a trade entry")
    entry = next(e for m in alice.received("X", "W") for e in m.group(269) if e[269] == TRADED)
    assert Decimal(entry[270]) == 3 and Decimal(entry[271]) == 3


def test_after_the_end_of_a_subscription_nothing_comes(alice):
    request(alice, "ended", SUBSCRIBE)
    alice.expect("W", t262="ended")
    request(alice, "ended", UNSUBSCRIBE)
    place(alice, BUY, 1, "1.00")
    request(alice, "after", SNAPSHOT)
    assert Book(alice.expect("W", t262="after")).levels == levels((BID, 1, 1))
    assert not alice.received("X"), "an increment came after the subscription's end"


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"symbol": "NOSUCH"}, "0"),
        ({"kind": "7"}, None),
        ({"entries": ("9",)}, "8"),
    ],
    ids=["unknown-symbol", "unknown-kind", "unserved-entry"],
)
def test_a_request_that_cannot_be_served_is_refused(alice, keys, reason):
    request(alice, "bad", **({"kind": SNAPSHOT} | keys))
    alice.wait(lambda: alice.received("Y", "3"), "a refusal")
    refusal = alice.received("Y", "3")[0]
    if reason:
        assert refusal.type == "Y" and refusal[281] == reason and refusal[262] == "bad"


def test_a_request_id_is_used_once_while_it_lives(alice):
    request(alice, "twice", SUBSCRIBE)
    alice.expect("W", t262="twice")
    request(alice, "twice", SUBSCRIBE)
    assert alice.expect("Y", t262="twice")[281] == "1"
