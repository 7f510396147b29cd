"""asyncfix as the second client: its own session engine, codec, journal, dictionary check and state machine of orders.

Every message that comes is checked against the FIX 4.4 dictionary by asyncfix's validator, and every ExecutionReport is
given to its order, whose transition table refuses what may not follow.
"""

import asyncio
import logging
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

from asyncfix import FIXMessage, FMsg, FTag
from asyncfix.connection import ConnectionState
from asyncfix.connection_client import AsyncFIXClient
from asyncfix.journaler import Journaler
from asyncfix.protocol import FIXProtocol44
from asyncfix.protocol.order_single import FIXNewOrderSingle
from asyncfix.protocol.schema import FIXSchema

from clients.quickfix_client import DICTIONARY


class Order(FIXNewOrderSingle):
    """asyncfix's order, with the price and the quantity written as our instruments want them."""

    def __init__(self, clord_id: str, symbol: str, side: str, quantity: int, price: str | None, terms: str = "1"):
        super().__init__(clord_id, symbol, side, float(price or 0), quantity, ord_type="1" if price is None else "2")
        self.terms = terms

    def set_account(self, ord_msg: FIXMessage) -> None:
        """No account: the session's own."""

    def set_price_qty(self, ord_msg: FIXMessage, price: float, qty: float) -> None:
        """Two decimals, whole lots; a market order has no price."""
        if str(self.ord_type) == "2":
            ord_msg[FTag.Price] = f"{price:.2f}"
        ord_msg[FTag.OrderQty] = int(qty)
        ord_msg[FTag.TimeInForce] = self.terms


class Client(AsyncFIXClient):
    """A client that notes what comes and lets a test wait for it."""

    schema = None

    def __init__(self, port: int, comp_id: str, journal: Path | None = None, logon: dict | None = None, beat: int = 30):
        super().__init__(
            protocol=FIXProtocol44(),
            sender_comp_id=comp_id,
            target_comp_id="DECALOG",
            journaler=Journaler(str(journal) if journal else None),
            host="127.0.0.1",
            port=port,
            heartbeat_period=beat,
            logger=logging.getLogger("asyncfix"),
        )
        if Client.schema is None:
            Client.schema = FIXSchema(ElementTree.parse(DICTIONARY))
        self.logon_fields = logon or {}
        self.messages: list[FIXMessage] = []
        self.states: list[ConnectionState] = []
        self.logouts: list[FIXMessage] = []
        self.orders: dict[str, Order] = {}
        self.problems: list[str] = []
        self.changed = asyncio.Condition()

    # asyncfix calls these.

    async def on_connect(self) -> None:
        """The socket is open: log on."""
        logon = FIXMessage(FMsg.LOGON, {FTag.EncryptMethod: 0, FTag.HeartBtInt: self.heartbeat_period})
        for tag, value in self.logon_fields.items():
            logon[tag] = value
        await self.send_msg(logon)

    async def on_message(self, msg: FIXMessage) -> None:
        """An application message in sequence: judge it, and tell its order."""
        try:
            self.schema.validate(msg)
            if msg.msg_type == FMsg.EXECUTIONREPORT and msg[FTag.ExecType] != "I":
                self._tell(msg)
            elif msg.msg_type == FMsg.ORDERCANCELREJECT and (order := self._order(msg)):
                order.process_cancel_rej_report(msg)
        except Exception as problem:  # noqa: BLE001 - asyncfix would only log it
            self.problems.append(f"{type(problem).__name__}: {problem}: {msg}")
        await self._note(self.messages, msg)

    async def on_state_change(self, connection_state: ConnectionState) -> None:
        """The session went into another state."""
        await self._note(self.states, connection_state)

    async def _finalize_message(self, msg: FIXMessage, raw_msg: bytes) -> None:
        """Every message, session messages too, ends here: whoever waits looks again."""
        await super()._finalize_message(msg, raw_msg)
        async with self.changed:
            self.changed.notify_all()

    async def on_logout(self, msg: FIXMessage) -> None:
        """The server logs out."""
        await self._note(self.logouts, msg)

    # What tests use.

    def _order(self, msg: FIXMessage) -> Order | None:
        return self.orders.get(Order.clord_root(msg[FTag.ClOrdID]))

    def _tell(self, msg: FIXMessage) -> None:
        order = self._order(msg)
        if order is None:
            self.problems.append(f"a report for no order: {msg}")
            return
        Order.change_status(order.status, msg.msg_type, msg[FTag.ExecType], msg[FTag.OrdStatus])
        order.process_execution_report(msg)

    async def _note(self, where: list, what: object) -> None:
        async with self.changed:
            where.append(what)
            self.changed.notify_all()

    async def wait(self, condition: Callable[[], object], what: str, timeout: float = 20.0):
        """Waits until the condition gives something true, and returns it."""
        async with self.changed:
            try:
                return await asyncio.wait_for(self.changed.wait_for(condition), timeout)
            except TimeoutError as error:
                raise TimeoutError(f"{what} did not happen; {self.messages[-5:]} {self.problems}") from error

    async def logged_on(self) -> "Client":
        """Connects and waits until the session is active."""
        await self.connect()
        await self.wait(lambda: ConnectionState.ACTIVE in self.states, "the logon")
        return self

    async def place(self, order: Order) -> Order:
        """Sends the order; its state follows its reports."""
        self.orders[order.clord_id_root] = order
        await self.send_msg(order.new_req())
        return order

    def next_numbers(self) -> tuple[int, int]:
        """The next MsgSeqNum to send and the next to receive."""
        return self._session.next_num_out, self._session.next_num_in

    def awaits_heartbeat(self) -> bool:
        """Is a TestRequest of ours not answered yet?"""
        return self._test_req_id is not None

    def of_type(self, *types: str) -> list[FIXMessage]:
        """The messages of these types, in order."""
        return [msg for msg in self.messages if str(msg.msg_type) in types]

    async def close(self) -> None:
        """Logs out if logged on, waits for the server's Logout, ends the tasks, and fails if anything was not right."""
        if self.connection_state == ConnectionState.ACTIVE:
            await self.send_msg(FIXMessage(FMsg.LOGOUT))
            gone = ConnectionState.DISCONNECTED_BROKEN_CONN
            await self.wait(lambda: self.connection_state <= gone, "the server's Logout")
        await self.disconnect(ConnectionState.DISCONNECTED_WCONN_TODAY)
        for task in (self._aio_task_socket_read, self._aio_task_heartbeat):
            task.cancel()
        self._journaler.conn.close()
        assert not self.problems, "\n".join(self.problems)

    async def __aenter__(self) -> "Client":
        return await self.logged_on()

    async def __aexit__(self, *_exception) -> None:
        await self.close()
