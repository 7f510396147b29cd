"""QuickFIX trades: every request of the application layer, and every refusal a well-meaning client can meet.

Two clients stay logged on for the whole file; each test trades in an instrument of its own.
"""

import itertools
from decimal import Decimal

import pytest

from clients.quickfix_client import QuickFixClient, stop_all
from decalog_server import trading_unit
from fix_orders import (
    BUY,
    CANCELED,
    FILLED,
    FOK,
    IOC,
    NEW,
    ORDER_STATUS,
    PARTIALLY_FILLED,
    REJECTED,
    REPLACED,
    SELL,
    TRADE,
    cancel,
    check_report,
    new_id,
    new_order,
    number,
    replace,
    status_request,
)

SYMBOLS = [f"S{number:02}" for number in range(1, 31)]


@pytest.fixture(scope="module")
def market(make_server, tmp_path_factory):
    """Alice and Bob, logged on."""
    server = make_server([trading_unit(0, SYMBOLS, ["ALICE", "BOB"])])
    directory = tmp_path_factory.mktemp("clients")
    clients = [QuickFixClient(directory / name, server.fix_port, name).start() for name in ("ALICE", "BOB")]
    try:
        for client in clients:
            client.logged_on()
        yield clients
    finally:
        stop_all(clients)
    for client in clients:
        ids = [report[17] for report in client.all_reports() if report[150] != ORDER_STATUS]
        assert len(ids) == len(set(ids)), "an ExecID was used twice"


@pytest.fixture(scope="module")
def unused_symbols():
    """Instruments that no test has touched."""
    return itertools.chain(SYMBOLS)


@pytest.fixture
def alice(market) -> QuickFixClient:
    """The first client."""
    return market[0]


@pytest.fixture
def bob(market) -> QuickFixClient:
    """The second client."""
    return market[1]


@pytest.fixture
def symbol(unused_symbols) -> str:
    """An instrument of this test's own."""
    return next(unused_symbols)


def place(client, symbol, side, quantity, price=None, **keys):
    """Places an order and waits for its acknowledgement."""
    order = new_id()
    client.send("D", *new_order(order, symbol, side, quantity, price, **keys))
    return order, check_report(client.expect("8", t11=order, t150=NEW))


def expect_trade(client, order, status, quantity, price, cumulative):
    """Waits for the order's next trade and checks every number of it."""
    report = check_report(client.expect("8", t11=order, t150=TRADE))
    assert report[39] == status
    assert number(report, 32) == Decimal(quantity)
    assert number(report, 31) == Decimal(price)
    assert number(report, 14) == Decimal(cumulative)
    return report


def test_an_order_that_crosses_nothing_rests(alice, symbol):
    order, report = place(alice, symbol, BUY, 100, "10.50")
    assert report[39] == NEW
    assert report[55] == symbol and report[54] == BUY
    assert number(report, 38) == number(report, 151) == 100
    assert number(report, 44) == Decimal("10.5")
    assert report[59] == "1"


def test_a_partial_fill_then_the_rest(alice, bob, symbol):
    resting, acknowledged = place(alice, symbol, SELL, 100, "20.00")
    first, _ = place(bob, symbol, BUY, 30, "20.00")
    expect_trade(bob, first, FILLED, 30, "20", 30)
    report = expect_trade(alice, resting, PARTIALLY_FILLED, 30, "20", 30)
    assert report[37] == acknowledged[37], "an order keeps its OrderID"
    second, _ = place(bob, symbol, BUY, 100, "21.00")
    report = expect_trade(bob, second, PARTIALLY_FILLED, 70, "20", 70)
    assert number(report, 6) == 20, "a trade is at the resting order's price"
    report = expect_trade(alice, resting, FILLED, 70, "20", 100)
    assert number(report, 6) == 20


def test_the_average_price_covers_all_trades(alice, bob, symbol):
    place(alice, symbol, SELL, 10, "10.00")
    place(alice, symbol, SELL, 30, "10.10")
    order, _ = place(bob, symbol, BUY, 40, "10.10")
    expect_trade(bob, order, PARTIALLY_FILLED, 10, "10", 10)
    report = expect_trade(bob, order, FILLED, 30, "10.10", 40)
    assert number(report, 6) == Decimal("10.075")


def test_equal_prices_trade_in_the_order_they_came(alice, bob, symbol):
    first, _ = place(alice, symbol, BUY, 5, "9.00")
    second, _ = place(alice, symbol, BUY, 5, "9.00")
    place(bob, symbol, SELL, 7, "9.00")
    expect_trade(alice, first, FILLED, 5, 9, 5)
    expect_trade(alice, second, PARTIALLY_FILLED, 2, 9, 2)


def test_a_replace_changes_price_and_quantity(alice, symbol):
    order, acknowledged = place(alice, symbol, BUY, 100, "10.00")
    changed = new_id()
    alice.send("G", *replace(changed, order, symbol, BUY, 150, "10.20"))
    report = check_report(alice.expect("8", t11=changed, t150=REPLACED))
    assert report[41] == order and report[37] == acknowledged[37]
    assert report[39] == NEW
    assert number(report, 38) == 150 and number(report, 44) == Decimal("10.2")


def test_less_quantity_keeps_the_place_and_more_loses_it(alice, bob, symbol):
    orders = [place(alice, symbol, SELL, 10, "5.00")[0] for _ in range(3)]
    smaller, larger = new_id(), new_id()
    alice.send("G", *replace(smaller, orders[0], symbol, SELL, 4, "5.00"))
    alice.expect("8", t11=smaller, t150=REPLACED)
    alice.send("G", *replace(larger, orders[1], symbol, SELL, 12, "5.00"))
    alice.expect("8", t11=larger, t150=REPLACED)
    place(bob, symbol, BUY, 4, "5.00")
    expect_trade(alice, smaller, FILLED, 4, 5, 4)
    place(bob, symbol, BUY, 10, "5.00")
    expect_trade(alice, orders[2], FILLED, 10, 5, 10)
    place(bob, symbol, BUY, 12, "5.00")
    expect_trade(alice, larger, FILLED, 12, 5, 12)


def test_a_replace_that_crosses_trades_at_the_resting_price(alice, bob, symbol):
    resting, _ = place(alice, symbol, SELL, 10, "7.00")
    order, _ = place(bob, symbol, BUY, 10, "6.00")
    changed = new_id()
    bob.send("G", *replace(changed, order, symbol, BUY, 10, "8.00"))
    check_report(bob.expect("8", t11=changed, t150=REPLACED))
    expect_trade(bob, changed, FILLED, 10, 7, 10)
    expect_trade(alice, resting, FILLED, 10, 7, 10)


def test_a_replace_below_what_has_traded_leaves_nothing(alice, bob, symbol):
    order, _ = place(alice, symbol, SELL, 10, "7.00")
    place(bob, symbol, BUY, 6, "7.00")
    expect_trade(alice, order, PARTIALLY_FILLED, 6, 7, 6)
    changed = new_id()
    alice.send("G", *replace(changed, order, symbol, SELL, 5, "7.00"))
    alice.wait(lambda: any(m.get(11) == changed for m in alice.received("8", "9")), "an answer to the replace")
    after = new_id("s")
    answer = next(m for m in alice.received("8", "9") if m.get(11) == changed)
    live = order if answer.type == "9" else changed
    alice.send("H", *status_request(live, symbol, SELL, after))
    report = check_report(alice.expect("8", t790=after))
    assert number(report, 14) == 6, "what has traded has traded"
    assert number(report, 151) in (4, 0), "never negative: refused, or done"
    assert (answer.type == "9") == (number(report, 151) == 4)


def test_a_cancel_takes_the_order_out(alice, symbol):
    order, _ = place(alice, symbol, BUY, 100, "10.00")
    request = new_id()
    alice.send("F", *cancel(request, order, symbol, BUY))
    report = check_report(alice.expect("8", t11=request, t150=CANCELED))
    assert report[41] == order and report[39] == CANCELED


def test_a_canceled_best_order_leaves_no_level_behind(alice, bob, symbol):
    best, _ = place(alice, symbol, SELL, 10, "10.00")
    behind, _ = place(alice, symbol, SELL, 10, "11.00")
    request = new_id()
    alice.send("F", *cancel(request, best, symbol, SELL))
    alice.expect("8", t11=request, t150=CANCELED)
    order, _ = place(bob, symbol, BUY, 10, "12.00")
    expect_trade(bob, order, FILLED, 10, 11, 10)
    expect_trade(alice, behind, FILLED, 10, 11, 10)


def test_canceling_what_is_not_there_is_refused(alice, symbol):
    request = new_id()
    alice.send("F", *cancel(request, "never-sent", symbol, BUY))
    refusal = alice.expect("9", t11=request)
    assert refusal[434] == "1" and refusal[102] == "1" and refusal[41] == "never-sent"
    assert refusal[39] == REJECTED and refusal[37] == "NONE"


def test_canceling_a_filled_order_is_too_late(alice, bob, symbol):
    order, _ = place(alice, symbol, SELL, 10, "3.00")
    place(bob, symbol, BUY, 10, "3.00")
    expect_trade(alice, order, FILLED, 10, 3, 10)
    request = new_id()
    alice.send("F", *cancel(request, order, symbol, SELL))
    refusal = alice.expect("9", t11=request)
    assert refusal[102] == "0" and refusal[434] == "1"
    assert refusal[39] == FILLED


def test_replacing_what_is_not_there_is_refused(alice, symbol):
    request = new_id()
    alice.send("G", *replace(request, "never-sent", symbol, BUY, 10, "1.00"))
    refusal = alice.expect("9", t11=request)
    assert refusal[434] == "2" and refusal[102] == "1"


def test_nobody_cancels_another_sessions_order(alice, bob, symbol):
    order, _ = place(alice, symbol, BUY, 10, "1.00")
    request = new_id()
    bob.send("F", *cancel(request, order, symbol, BUY))
    assert bob.expect("9", t11=request)[102] == "1"
    alice.send("H", *status_request(order, symbol, BUY))
    assert alice.expect("8", t11=order, t150=ORDER_STATUS)[39] == NEW


def test_ioc_trades_what_it_can_and_never_rests(alice, bob, symbol):
    place(alice, symbol, SELL, 10, "4.00")
    order, _ = place(bob, symbol, BUY, 25, "4.00", time_in_force=IOC)
    expect_trade(bob, order, PARTIALLY_FILLED, 10, 4, 10)
    report = check_report(bob.expect("8", t11=order, t39=CANCELED))
    assert number(report, 14) == 10
    resting, _ = place(alice, symbol, SELL, 1, "4.00")
    alice.send("H", *status_request(resting, symbol, SELL))
    assert alice.expect("8", t11=resting, t150=ORDER_STATUS)[39] == NEW, "nothing of the IOC order rests"


def test_fok_takes_all_from_many_or_nothing(alice, bob, symbol):
    place(alice, symbol, SELL, 10, "4.00")
    place(alice, symbol, SELL, 10, "4.10")
    order, _ = place(bob, symbol, BUY, 21, "4.10", time_in_force=FOK)
    report = check_report(bob.expect("8", t11=order, t39=CANCELED))
    assert number(report, 14) == 0, "not one share of it traded"
    order, _ = place(bob, symbol, BUY, 20, "4.10", time_in_force=FOK)
    expect_trade(bob, order, PARTIALLY_FILLED, 10, 4, 10)
    expect_trade(bob, order, FILLED, 10, "4.10", 20)


def test_a_market_order_walks_the_book_and_does_not_rest(alice, bob, symbol):
    place(alice, symbol, SELL, 10, "4.00")
    place(alice, symbol, SELL, 10, "6.00")
    order, _ = place(bob, symbol, BUY, 30)
    expect_trade(bob, order, PARTIALLY_FILLED, 10, 4, 10)
    expect_trade(bob, order, PARTIALLY_FILLED, 10, 6, 20)
    report = check_report(bob.expect("8", t11=order, t39=CANCELED))
    assert number(report, 14) == 20 and number(report, 6) == 5


def test_a_market_order_in_an_empty_book_ends_without_a_trade(bob, symbol):
    order = new_id()
    bob.send("D", *new_order(order, symbol, BUY, 10))
    bob.wait(lambda: [m for m in bob.received("8") if m.get(11) == order and m[151] == "0"], "the order's end")
    assert all(m[14] == "0" for m in bob.received("8") if m.get(11) == order)


def test_status_of_a_live_order(alice, bob, symbol):
    order, acknowledged = place(alice, symbol, BUY, 100, "2.00")
    place(bob, symbol, SELL, 40, "2.00")
    expect_trade(alice, order, PARTIALLY_FILLED, 40, 2, 40)
    alice.send("H", *status_request(order, symbol, BUY, "status-1"))
    report = check_report(alice.expect("8", t790="status-1"))
    assert report[150] == ORDER_STATUS and report[39] == PARTIALLY_FILLED
    assert report[37] == acknowledged[37]
    assert number(report, 14) == 40 and number(report, 151) == 60 and number(report, 6) == 2


def test_status_of_an_unknown_order(alice, symbol):
    alice.send("H", *status_request("never-sent", symbol, BUY, "status-2"))
    report = alice.expect("8", t790="status-2")
    assert report[39] == REJECTED and report[150] == ORDER_STATUS and report[37] == "NONE"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({55: "NOSUCH"}, "1"),
        ({44: "10.005"}, None),
        ({44: "0.00"}, None),
        ({44: "-1.00"}, None),
        ({44: "10000.01"}, None),
        ({38: "0"}, None),
        ({38: "-5"}, None),
        ({38: "1.5"}, None),
        ({40: "3", 99: "10.00"}, "11"),
        ({59: "6"}, "11"),
    ],
    ids=lambda value: "-".join(f"{tag}={text}" for tag, text in value.items()) if isinstance(value, dict) else "",
)
def test_an_order_that_cannot_be_is_rejected(alice, symbol_of_rejects, change, reason):
    order = new_id()
    fields = dict(new_order(order, symbol_of_rejects, BUY, 10, "10.00")) | change
    alice.send("D", *fields.items())
    report = alice.expect("8", t11=order)
    assert report[150] == REJECTED and report[39] == REJECTED
    assert report[151] == "0" and report[14] == "0"
    assert report.get(103) is not None and report.get(58), "a rejection says why"
    if reason:
        assert report[103] == reason


@pytest.mark.parametrize("change", [{44: "9" * 22}, {38: "9" * 26}, {44: "1e5"}], ids=["price", "quantity", "exponent"])
def test_a_number_beyond_all_bounds_is_rejected_by_the_session(alice, symbol_of_rejects, change):
    """A number that no exchange could hold is refused before the exchange: Reject (3), naming the field."""
    fields = dict(new_order(new_id(), symbol_of_rejects, BUY, 10, "10.00")) | change
    alice.send("D", *fields.items())
    refusal = alice.expect("3", t371=next(iter(change)))
    assert refusal[372] == "D" and refusal[373] in ("5", "6")


@pytest.fixture(scope="module")
def symbol_of_rejects(unused_symbols):
    """One instrument for all the orders that are rejected."""
    return next(unused_symbols)


def test_an_order_id_is_used_once(alice, symbol):
    order, _ = place(alice, symbol, BUY, 10, "1.00")
    alice.send("D", *new_order(order, symbol, BUY, 10, "1.00"))
    report = alice.expect("8", t11=order, t150=REJECTED)
    assert report[103] == "6"
    alice.send("H", *status_request(order, symbol, BUY))
    assert alice.expect("8", t11=order, t150=ORDER_STATUS)[39] == NEW, "the first order lives on"


def test_a_message_type_that_is_not_served_gets_a_business_reject(alice):
    alice.send("AF", (584, "mass-1"), (585, 7))
    refusal = alice.expect("j", t372="AF")
    assert refusal[380] == "3"


def test_a_limit_order_without_a_price_is_refused(alice, symbol):
    order = new_id()
    alice.send("D", *[(tag, value) for tag, value in new_order(order, symbol, BUY, 10, "1.00") if tag != 44])
    alice.wait(lambda: [m for m in alice.received("j", "8", "3") if m.type != "8" or m.get(11) == order], "an answer")
    refusal = alice.received("j", "8", "3")[-1]
    assert refusal.type in ("j", "3") or refusal[150] == REJECTED


def test_the_security_list_names_every_instrument(alice):
    alice.send("x", (320, "list-1"), (559, 4))
    alice.wait(lambda: listed(alice, "list-1") >= set(SYMBOLS), "the whole security list")
    answer = alice.expect("y", t320="list-1")
    assert answer[560] == "0"


def listed(client, request) -> set[str]:
    """The symbols of every SecurityList that answers this request, however many messages it takes."""
    return {s for m in client.received("y") + client.taken("y") if m[320] == request for s in m.values(55)}


def test_the_security_list_of_a_symbol_nobody_knows(alice):
    alice.send("x", (320, "list-2"), (559, 0), (55, "NOSUCH"))
    answer = alice.expect("y", t320="list-2")
    assert answer[560] in ("2", "1") and answer.get(146, "0") == "0"
