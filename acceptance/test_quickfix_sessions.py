"""QuickFIX's session against ours: who may log on, what a lost connection costs, and what a kill -9 leaves."""

import pytest

from clients.quickfix_client import QuickFixClient
from clients.raw import Connection, encode, utc_timestamp
from clients.relay import Relay
from decalog_server import PASSWORD, Instrument, Session, Unit, trading_unit
from fix_orders import (
    BUY,
    FILLED,
    NEW,
    ORDER_STATUS,
    PARTIALLY_FILLED,
    SELL,
    TRADE,
    cancel,
    check_report,
    new_id,
    new_order,
    number,
    status_request,
)

UNITS = [trading_unit(0, ["AAA"], ["ALICE", "BOB"])]
LOCKED = [Unit(0, [Instrument("AAA")], [Session("CAROL", "ACC-CAROL", "carol")])]


@pytest.fixture
def server(make_server):
    """A server of the test's own: these tests end connections and processes."""
    return make_server(UNITS)


@pytest.fixture(scope="module")
def locked_server(make_server):
    """A server whose only session needs a password."""
    return make_server(LOCKED)


@pytest.fixture
def relay(server):
    """A wire to the server that can be cut."""
    relay = Relay(server.fix_address)
    yield relay
    relay.close()


def place(client, side, quantity, price) -> str:
    """Places an order that is acknowledged."""
    order = new_id()
    client.send("D", *new_order(order, "AAA", side, quantity, price))
    check_report(client.expect("8", t11=order, t150=NEW))
    return order


def test_the_right_password_logs_on(locked_server, connect):
    connect(locked_server, "CAROL", username="carol", password=PASSWORD).logged_on()


@pytest.mark.parametrize(
    "credentials",
    [{"username": "carol", "password": "wrong"}, {"username": "dave", "password": PASSWORD}, {}],
    ids=["wrong-password", "wrong-username", "no-credentials"],
)
def test_wrong_credentials_do_not_log_on(locked_server, connect, credentials):
    client = connect(locked_server, "CAROL", **credentials)
    client.wait(lambda: client.count("logged out") >= 1, "the end of the connection")
    assert client.count("logged on") == 0
    assert not client.received("A")


def test_a_comp_id_nobody_knows_does_not_log_on(server, connect):
    client = connect(server, "MALLORY")
    client.wait(lambda: client.count("logged out") >= 1, "the end of the connection")
    assert client.count("logged on") == 0 and not client.received("A")


def test_a_target_that_is_not_the_exchange_does_not_log_on(server, connect):
    client = connect(server, "ALICE", target="SOMEBODY")
    client.wait(lambda: client.count("logged out") >= 1, "the end of the connection")
    assert client.count("logged on") == 0 and not client.received("A")


def test_a_number_that_is_too_low_ends_the_session_with_a_reason(server, connect, tmp_path):
    client = connect(server, "ALICE").logged_on()
    place(client, BUY, 1, "1.00")
    client.stop()
    fresh = QuickFixClient(tmp_path / "lost-its-store", server.fix_port, "ALICE").start()
    try:
        fresh.wait(lambda: fresh.received("5"), "a Logout")
        assert "too low" in fresh.received("5")[0][58]
        assert fresh.count("logged on") == 0
    finally:
        fresh.stop()


def test_logging_out_and_on_again_goes_on_with_the_numbers(server, connect):
    client = connect(server, "ALICE").logged_on()
    order = place(client, BUY, 10, "1.00")
    client.stop()
    ours, theirs = client.next_numbers()
    again = connect(server, "ALICE").logged_on()
    assert again.sent("A")[0].seq == ours and again.received("A")[0].seq == theirs
    again.send("H", *status_request(order, "AAA", BUY))
    assert again.expect("8", t11=order, t150=ORDER_STATUS)[39] == NEW


def test_what_was_missed_while_away_is_resent_once(server, connect):
    alice, bob = connect(server, "ALICE").logged_on(), connect(server, "BOB").logged_on()
    orders = [place(alice, SELL, 10, "5.00") for _ in range(3)]
    alice.stop()
    bought = place(bob, BUY, 25, "5.00")
    bob.wait(lambda: len([m for m in bob.received("8") if m[11] == bought and m[150] == TRADE]) == 3, "three trades")

    again = connect(server, "ALICE").logged_on()
    again.wait(lambda: len([m for m in again.received("8") if m[150] == TRADE]) >= 3, "the trades of the time away")
    trades = [m for m in again.received("8") if m[150] == TRADE]
    assert [m[11] for m in trades] == orders, "each once, in the order they happened"
    assert [m[39] for m in trades] == [FILLED, FILLED, PARTIALLY_FILLED]
    for trade in trades:
        check_report(trade)
        if trade.get(43) == "Y":
            assert 122 in trade, "what is sent again says when it was sent first"
    assert trades[0].get(43) == "Y", "it was numbered while nobody was there, so it comes as a resend"
    order = place(again, SELL, 1, "9.00")
    assert order


def test_a_connection_that_breaks_is_taken_up_again(server, connect, relay):
    client = connect(server, "ALICE", SocketConnectPort=relay.port).logged_on()
    order = place(client, BUY, 10, "1.00")
    relay.cut()
    client.logged_on(times=2)
    client.send("H", *status_request(order, "AAA", BUY))
    assert client.expect("8", t11=order, t150=ORDER_STATUS)[39] == NEW
    assert not client.received("2"), "nothing was lost, so nothing is asked for"


def test_kill_9_keeps_orders_and_both_numbers(server, connect):
    alice, bob = connect(server, "ALICE").logged_on(), connect(server, "BOB").logged_on()
    whole = place(alice, SELL, 100, "5.00")
    part = place(alice, SELL, 50, "4.00")
    gone = place(alice, BUY, 10, "1.00")
    request = new_id()
    alice.send("F", *cancel(request, gone, "AAA", BUY))
    alice.expect("8", t11=request, t150="4")
    place(bob, BUY, 20, "4.00")
    alice.expect("8", t11=part, t150=TRADE)
    ids = {m[17] for m in alice.all_reports() + bob.all_reports()}

    server.kill()
    alice.wait(lambda: alice.count("logged out") >= 1, "the broken connection")
    # QuickFIX counts a message after it has handed it over: its numbers stand still from here.
    numbers = alice.next_numbers()
    server.start()
    alice.logged_on(times=2)
    bob.logged_on(times=2)

    assert alice.sent("A")[1].seq == numbers[0], "our next number is where it was"
    assert alice.received("A")[1].seq == numbers[1], "and the server's next one"
    assert not alice.received("2") and not alice.sent("2"), "so nobody asks for anything"
    for order, side, status, leaves in [
        (whole, SELL, NEW, 100),
        (part, SELL, PARTIALLY_FILLED, 30),
        (request, BUY, "4", 0),
    ]:
        alice.send("H", *status_request(order, "AAA", side, f"after-{order}"))
        report = check_report(alice.expect("8", t790=f"after-{order}"))
        assert report[39] == status and number(report, 151) == leaves
    taken = place(bob, BUY, 130, "5.00")
    bob.wait(lambda: len([m for m in bob.received("8") if m[11] == taken]) == 2, "both resting orders trade")
    new = [m[17] for m in bob.received("8") if m[11] == taken]
    assert not ids & set(new), "an ExecID from before the crash is never used again"


def test_kill_9_in_the_middle_loses_nothing_that_quickfix_sent(server, connect):
    """QuickFIX sends without waiting; whatever the server had not taken when it died, QuickFIX sends again when asked."""
    alice = connect(server, "ALICE").logged_on()
    orders = [new_id() for _ in range(300)]
    for index, order in enumerate(orders):
        alice.send("D", *new_order(order, "AAA", BUY, 1, "1.00"))
        if index == 200:
            server.kill()
    server.start()
    alice.logged_on(times=2)
    alice.wait(lambda: {m[11] for m in alice.received("8")} >= set(orders), "an acknowledgement of every order", 60)
    acknowledged = [m for m in alice.received("8") if m[150] == NEW]
    assert sorted(m[11] for m in acknowledged) == sorted(orders), "each exactly once"
    assert len({m[17] for m in acknowledged}) == len(orders)


def test_a_session_logs_on_once_at_a_time(server, connect):
    alice = connect(server, "ALICE").logged_on()
    second = Connection.open(server.fix_address)
    ours, _ = alice.next_numbers()
    header = [(35, "A"), (34, ours), (49, "ALICE"), (52, utc_timestamp()), (56, "DECALOG")]
    second.send_bytes(encode(header + [(98, 0), (108, 30)]))
    assert not [m for m in second.wait_closed() if m.type == "A"], "the second one is not logged on"
    place(alice, BUY, 1, "1.00")
    assert alice.count("logged out") == 0
