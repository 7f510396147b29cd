"""A fast FIX session that remembers everything: what it sent, and every report it ever received, by number.

It follows the session protocol (numbers, gaps, resends both ways) just as far as trading through crashes needs, on the
raw connection, and judges the server on the way: a number twice, a gap that is not filled, a resend that differs from
the first time, a reject: each raises. Reading never waits: `pump` takes what is there.
"""

import select
from collections import deque
from dataclasses import dataclass, field

from clients.raw import Connection, Disconnected, Message, encode, utc_timestamp
from fix_orders import (
    CANCELED,
    EXPIRED,
    NEW,
    ORDER_STATUS,
    REJECTED,
    REPLACED,
    TRADE,
    check_report,
    status_request,
)

SESSION_TYPES = {"0", "1", "2", "3", "4", "5", "A"}

# Fields that a resend may change: BodyLength, CheckSum, PossDupFlag, SendingTime, OrigSendingTime.
CHANGED_BY_A_RESEND = {9, 10, 43, 52, 122}


class ProtocolError(AssertionError):
    """The server broke a rule of the session."""


@dataclass
class Sent:
    """A message as it went out, so that it can go out again."""

    type: str
    fields: list[tuple[int, object]]
    sending_time: str
    dropped: bool = False


@dataclass
class Order:
    """What the reports say of one order."""

    symbol: str
    side: str
    cl_ord_id: str
    order_id: str
    price: str | None
    quantity: int
    leaves: int
    cum: int = 0
    done: bool = False


@dataclass
class Trader:
    """One session. `connect` may be called again and again; what happened before is remembered."""

    comp_id: str
    address: tuple[str, int]
    next_out: int = 1
    next_in: int = 1
    sent: dict[int, Sent] = field(default_factory=dict)
    received: dict[int, Message] = field(default_factory=dict)
    reports: list[Message] = field(default_factory=list)
    orders: dict[str, Order] = field(default_factory=dict)
    alive: dict[str, Order] = field(default_factory=dict)
    unanswered: dict[str, int] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)
    answers: dict[str, Message] = field(default_factory=dict)
    heartbeats: set[str] = field(default_factory=set)
    snapshots: dict[str, Message] = field(default_factory=dict)
    connection: Connection | None = None
    logged_on: bool = False
    drops_when_asked: bool = False
    compared: int = 0
    recent: deque[Message] = field(default_factory=lambda: deque(maxlen=30))
    _asked_from: int | None = None

    # Out.

    def connect(self, drops_when_asked: bool = False, reset: bool = False) -> None:
        """Connects and sends a Logon. `drops_when_asked`: orders that the server asks for are gap-filled away.
        `reset`: both sequences begin at 1; for a trader that has not connected before."""
        self.logged_on, self._asked_from, self.drops_when_asked = False, None, drops_when_asked
        self.connection = Connection.open(self.address)
        self.send("A", [(98, 0), (108, 30)] + ([(141, "Y")] if reset else []))

    def send(self, type_: str, fields: list[tuple[int, object]]) -> int:
        """Sends a message with the next number, and remembers it. Returns the number."""
        number, self.next_out = self.next_out, self.next_out + 1
        now = utc_timestamp()
        self.sent[number] = Sent(type_, fields, now)
        self._write(type_, number, fields, now)
        return number

    def request(self, type_: str, fields: list[tuple[int, object]]) -> None:
        """Sends a request that is answered by its ClOrdID (the first field)."""
        self.unanswered[str(fields[0][1])] = self.send(type_, fields)

    def _write(self, type_: str, number: int, fields: list, sending_time: str, extra: list | None = None) -> None:
        header = [(35, type_), (34, number), (49, self.comp_id), (52, sending_time), (56, "DECALOG")]
        self.connection.send_bytes(encode(header + (extra or []) + fields))

    def log_out(self) -> None:
        """Says good-bye, and waits until the server has closed: the next logon will find nobody there."""
        self.send("5", [])
        self.connection.wait_closed()
        self.connection.close()

    # In.

    def pump(self, timeout: float = 0.0) -> bool:
        """Handles what has come. False when the connection is gone."""
        try:
            readable, _, _ = select.select([self.connection.sock], [], [], timeout)
            if readable:
                data = self.connection.sock.recv(1 << 18)
                if not data:
                    raise Disconnected
                self.connection.decoder.feed(data)
            while (raw := self.connection.decoder.next()) is not None:
                self.recent.append(Message(raw))
                self._handle(self.recent[-1])
        except (Disconnected, ConnectionError):
            self.connection.close()
            return False
        except ProtocolError as error:
            error.add_note("the last messages received:\n" + "\n".join(f"  {message}" for message in self.recent))
            raise
        return True

    def _handle(self, message: Message) -> None:
        if message.type == "2" and message.seq > self.next_in:
            self._resend(message)  # answered at once, before our own gap is filled
        if message.type == "4" and message.get(123) != "Y":
            raise ProtocolError(f"a reset nobody asked for: {message}")
        if message.seq > self.next_in:
            self.logged_on |= message.type == "A"
            if self._asked_from != self.next_in:
                self._asked_from = self.next_in
                self.send("2", [(7, self.next_in), (16, 0)])
        elif message.seq < self.next_in:
            self._handle_old(message)
        else:
            self.next_in = int(message[36]) if message.type == "4" else message.seq + 1
            self._handle_next(message)

    def _handle_old(self, message: Message) -> None:
        if message.get(43) != "Y":
            raise ProtocolError(f"{self.comp_id} expected {self.next_in}, and no PossDupFlag: {message}")
        if message.type == "4":
            for number in range(message.seq, min(int(message[36]), self.next_in)):
                if number in self.received:
                    raise ProtocolError(f"a report is gap-filled away: {message} for {self.received[number]}")
            self.next_in = max(self.next_in, int(message[36]))
        elif essence(message) != essence(self.received[message.seq]):
            raise ProtocolError(f"resent differently:\n  {message}\n  {self.received[message.seq]}")
        else:
            self.compared += 1

    def _handle_next(self, message: Message) -> None:
        kind = message.type
        if kind == "A":
            self.logged_on = True
        elif kind == "0":
            self.heartbeats.add(message.get(112, ""))
        elif kind == "1":
            self.send("0", [(112, message[112])])
        elif kind == "2":
            self._resend(message)
        elif kind in ("3", "j", "5"):
            raise ProtocolError(f"{self.comp_id} was refused: {message}")
        elif kind in ("8", "9", "W"):
            self.received[message.seq] = message
            self._note(message)

    def _resend(self, request: Message) -> None:
        """Answers a ResendRequest: orders again (or gap-filled away, as `connect` was told), the rest gap-filled."""
        end = int(request[16]) or self.next_out - 1
        gap = None
        for number in range(int(request[7]), min(end, self.next_out - 1) + 1):
            sent = self.sent[number]
            droppable = sent.type == "D" and self.drops_when_asked
            if droppable and not sent.dropped:
                sent.dropped = True
                self.dropped.add(str(sent.fields[0][1]))
                self.unanswered.pop(str(sent.fields[0][1]), None)
            if sent.type in SESSION_TYPES or sent.dropped:
                gap = number if gap is None else gap
                continue
            self._fill(gap, number)
            gap = None
            self._write(sent.type, number, sent.fields, utc_timestamp(), [(43, "Y"), (122, sent.sending_time)])
        self._fill(gap, min(end, self.next_out - 1) + 1)

    def _fill(self, begin: int | None, end: int) -> None:
        """SequenceReset with GapFillFlag for the numbers from `begin` to before `end`."""
        if begin is not None:
            now = utc_timestamp()
            self._write("4", begin, [(123, "Y"), (36, end)], now, [(43, "Y"), (122, now)])

    # What the reports say.

    def _note(self, message: Message) -> None:
        if message.type == "W":
            self.snapshots[message[262]] = message
            return
        if message.type == "9":
            self._answered(message)
            return
        if message[150] == ORDER_STATUS:
            self.answers[message[790]] = message
            return
        check_report(message)
        self.reports.append(message)
        self._update(message)

    def _answered(self, message: Message) -> None:
        if self.unanswered.pop(message[11], None) is None:
            raise ProtocolError(f"answers a request that was answered, or never sent: {message}")

    def _update(self, report: Message) -> None:
        kind, name = report[150], report[11]
        if kind in (NEW, REJECTED):
            self._answered(report)
            if kind == NEW:
                if name in self.orders:
                    raise ProtocolError(f"an order is new twice: {report}")
                price = report.get(44)
                quantity = int(report[38])
                order = Order(report[55], report[54], name, report[37], price, quantity, quantity)
                self.orders[name] = self.alive[name] = order
            return
        if kind in (REPLACED, CANCELED) and name in self.unanswered:
            self._answered(report)
            if report[41] not in self.orders:
                raise ProtocolError(f"{self.comp_id}: changes no order that was acknowledged: {report}")
            order = self.orders.pop(report[41])
            self.alive.pop(report[41], None)
            self.orders[name] = self.alive[name] = order
            order.cl_ord_id = name
        order = self.orders.get(name)
        if order is None:
            raise ProtocolError(f"{self.comp_id}: a report for no order that was acknowledged: {report}")
        if order.order_id != report[37] or order.done:
            raise ProtocolError(f"does not fit {order}: {report}")
        cum = int(report[14])
        if kind == TRADE and cum != order.cum + int(report[32]) or kind != TRADE and cum != order.cum:
            raise ProtocolError(f"CumQty does not follow from {order}: {report}")
        order.cum, order.leaves, order.quantity = cum, int(report[151]), int(report[38])
        order.price = report.get(44, order.price)
        order.done = kind in (CANCELED, EXPIRED) or order.leaves == 0
        if order.done:
            del self.alive[name]

    def live(self) -> list[Order]:
        """The orders that may still trade."""
        return list(self.alive.values())

    def ask_status(self, order: Order | str, key: str, symbol: str = "", side: str = "1") -> None:
        """OrderStatusRequest; the answer will be in `answers` by that key."""
        if isinstance(order, Order):
            self.send("H", status_request(order.cl_ord_id, order.symbol, order.side, key))
        else:
            self.send("H", status_request(order, symbol, side, key))


def essence(message: Message) -> list[tuple[int, str]]:
    """What must be the same each time a message is sent."""
    return [pair for pair in message.fields if pair[0] not in CHANGED_BY_A_RESEND]
