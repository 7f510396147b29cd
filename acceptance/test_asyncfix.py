"""asyncfix trades: a second engine, with its own idea of which report may follow which.

It sends what QuickFIX's tests do not: a logon that resets the numbers, test requests, market and IOC flows in bulk, and
orders whose whole life is judged by a transition table that nobody here wrote.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from asyncfix import FIXMessage, FTag
from asyncfix.connection import ConnectionState
from asyncfix.protocol.common import FOrdStatus

from clients.asyncfix_client import Client, Order
from decalog_server import trading_unit
from fix_orders import BUY, FOK, GTC, IOC, SELL, new_id

SYMBOLS = [f"A{number:02}" for number in range(1, 16)]
_symbols = iter(SYMBOLS)


@pytest.fixture(scope="module")
def server(make_server):
    """One server for the file."""
    return make_server([trading_unit(0, SYMBOLS, ["ALICE", "BOB"])])


@pytest.fixture
def symbol() -> str:
    """An instrument of this test's own."""
    return next(_symbols)


def scenario(server, story: Callable[[Client, Client], Awaitable[None]]) -> None:
    """Runs a story with two fresh clients, each with its numbers reset at logon."""

    async def run() -> None:
        fresh = {FTag.ResetSeqNumFlag: "Y"}
        async with (
            Client(server.fix_port, "ALICE", logon=fresh) as alice,
            Client(server.fix_port, "BOB", logon=fresh) as bob,
        ):
            await story(alice, bob)

    asyncio.run(run())


async def reaches(client: Client, order: Order, status: FOrdStatus) -> None:
    """Waits until the order has this status."""
    await client.wait(lambda: order.status == status, f"{order} becoming {status}")


def test_a_life_of_an_order(server, symbol):
    async def story(alice: Client, bob: Client) -> None:
        order = await alice.place(Order(new_id("life"), symbol, SELL, 100, "10.00"))
        await reaches(alice, order, FOrdStatus.NEW)
        assert order.leaves_qty == 100
        await bob.place(Order(new_id("life"), symbol, BUY, 30, "10.00"))
        await reaches(alice, order, FOrdStatus.PARTIALLY_FILLED)
        await alice.send_msg(order.replace_req(price=11.0, qty=120))
        await alice.wait(lambda: order.price == 11.0, "the replace")
        assert (order.status, order.qty, order.leaves_qty) == (FOrdStatus.PARTIALLY_FILLED, 120, 90)
        await alice.send_msg(order.cancel_req())
        await reaches(alice, order, FOrdStatus.CANCELED)
        assert order.is_finished() and order.cum_qty == 30 and order.avg_px == 10

    scenario(server, story)


def test_a_reset_logon_begins_both_sequences_anew(server):
    async def run() -> None:
        for _ in range(2):
            async with Client(server.fix_port, "ALICE", logon={FTag.ResetSeqNumFlag: "Y"}) as client:
                assert client.next_numbers() == (2, 2)

    asyncio.run(run())


def test_numbers_go_on_from_the_journal(server, symbol, tmp_path):
    """asyncfix does not count the Logout it gets, so it also asks for that one again, and gets a gap fill."""
    journal = tmp_path / "journal.db"

    async def run() -> None:
        async with Client(server.fix_port, "BOB", journal, {FTag.ResetSeqNumFlag: "Y"}) as client:
            before = await client.place(Order(new_id("j"), symbol, BUY, 1, "1.00"))
            await reaches(client, before, FOrdStatus.NEW)
        ours, theirs = client.next_numbers()
        async with Client(server.fix_port, "BOB", journal) as client:
            after = await client.place(Order(new_id("j"), symbol, BUY, 1, "1.00"))
            await reaches(client, after, FOrdStatus.NEW)
            assert client.next_numbers() > (ours, theirs) and theirs > 2

    asyncio.run(run())


def test_a_test_request_is_answered_with_its_id(server):
    async def story(alice: Client, _bob: Client) -> None:
        await alice.send_test_req()
        await alice.wait(lambda: not alice.awaits_heartbeat(), "a Heartbeat with asyncfix's TestReqID")
        assert alice.connection_state == ConnectionState.ACTIVE

    scenario(server, story)


def test_market_ioc_and_fok_against_many_makers(server, symbol):
    async def story(alice: Client, bob: Client) -> None:
        makers = [await alice.place(Order(new_id("m"), symbol, SELL, 10, f"{10 + n / 100:.2f}")) for n in range(10)]
        for maker in makers:
            await reaches(alice, maker, FOrdStatus.NEW)
        fok = await bob.place(Order(new_id("fok"), symbol, BUY, 101, "11.00", FOK))
        await reaches(bob, fok, FOrdStatus.CANCELED)
        assert fok.cum_qty == 0
        fok = await bob.place(Order(new_id("fok"), symbol, BUY, 35, "11.00", FOK))
        await reaches(bob, fok, FOrdStatus.FILLED)
        ioc = await bob.place(Order(new_id("ioc"), symbol, BUY, 50, "10.05", IOC))
        await reaches(bob, ioc, FOrdStatus.CANCELED)
        assert ioc.cum_qty == 25
        market = await bob.place(Order(new_id("mkt"), symbol, BUY, 50, None, IOC))
        await reaches(bob, market, FOrdStatus.CANCELED)
        assert market.cum_qty == 40
        for maker in makers:
            await reaches(alice, maker, FOrdStatus.FILLED)

    scenario(server, story)


def test_less_quantity_keeps_its_place(server, symbol):
    async def story(alice: Client, bob: Client) -> None:
        first = await alice.place(Order(new_id("p"), symbol, BUY, 20, "5.00"))
        second = await alice.place(Order(new_id("p"), symbol, BUY, 20, "5.00"))
        await reaches(alice, second, FOrdStatus.NEW)
        await alice.send_msg(first.replace_req(qty=10))
        await alice.wait(lambda: first.qty == 10, "the replace")
        await bob.place(Order(new_id("p"), symbol, SELL, 10, "5.00"))
        await reaches(alice, first, FOrdStatus.FILLED)
        assert second.status == FOrdStatus.NEW

    scenario(server, story)


def test_a_cancel_that_comes_too_late(server, symbol):
    async def story(alice: Client, bob: Client) -> None:
        order = await alice.place(Order(new_id("late"), symbol, BUY, 5, "5.00"))
        await reaches(alice, order, FOrdStatus.NEW)
        request = order.cancel_req()
        await bob.place(Order(new_id("late"), symbol, SELL, 5, "5.00"))
        await alice.wait(lambda: order.cum_qty == 5, "the fill")
        await alice.send_msg(request)
        await alice.wait(lambda: alice.of_type("9"), "an OrderCancelReject")
        assert order.status == FOrdStatus.FILLED

    scenario(server, story)


def test_hundreds_of_orders_at_once(server, symbol):
    """Sent without waiting: each is acknowledged once, in the order sent, and the quantities add up on both sides."""

    async def story(alice: Client, bob: Client) -> None:
        async def flood(client: Client, side: str) -> list[Order]:
            orders = []
            for number in range(250):
                terms = IOC if number % 7 == 0 else GTC
                price = f"{10 + (number * 37 % 21 - 10) / 100:.2f}"
                orders.append(await client.place(Order(new_id("bulk"), symbol, side, 1 + number % 13, price, terms)))
            return orders

        bought, sold = await asyncio.gather(flood(alice, BUY), flood(bob, SELL))
        for client, orders in ((alice, bought), (bob, sold)):
            await client.wait(
                lambda orders=orders: all(order.status != FOrdStatus.PENDING_NEW for order in orders), "all answers", 60
            )
        for client in (alice, bob):
            await client.send_msg(FIXMessage("H", {790: "last", 11: "never-sent", 55: symbol, 54: BUY}))
            await client.wait(
                lambda client=client: any(m.get(790, None) == "last" for m in client.messages), "the last"
            )
        total = sum(order.cum_qty for order in bought)
        assert total > 0 and total == sum(order.cum_qty for order in sold)
        acknowledged = [m[FTag.ClOrdID] for m in alice.of_type("8") if m[FTag.ExecType] == "0"]
        assert acknowledged == [order.clord_id for order in bought]
        ids = [m[FTag.ExecID] for c in (alice, bob) for m in c.of_type("8") if m[FTag.ExecType] != "I"]
        assert len(ids) == len(set(ids))

    scenario(server, story)
