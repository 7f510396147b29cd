"""A slow, obvious order book that replays the acknowledged history and says what must have happened.

It takes the reports of all sessions in the order of the executions. Each report is either a decision of a client
(New, Replaced, Canceled on request) or a consequence (Trade, the end of an IOC order), and every consequence must be the
next one that price-time priority leads to.
"""

from collections import defaultdict, deque
from dataclasses import dataclass
from decimal import Decimal

from clients.raw import Message
from fix_orders import BUY, CANCELED, EXPIRED, IOC, MARKET, NEW, REJECTED, REPLACED, TRADE

Level = tuple[str, str, Decimal]  # symbol, side, price


@dataclass
class Resting:
    """An order in the book."""

    order_id: str
    side: str
    price: Decimal | None
    leaves: int


class Disagreement(AssertionError):
    """The history is not one that price-time priority allows."""


class Oracle:
    """The books of one matching unit."""

    def __init__(self):
        self.books: dict[str, list[Resting]] = defaultdict(list)  # in the order they came to their price
        self.expected: deque[list[tuple]] = deque()  # the two sides of a trade in either order
        self.traded: dict[str, int] = defaultdict(int)

    def take(self, report: Message) -> None:
        """The next report of the unit's history."""
        kind = report[150]
        if kind == REJECTED:
            return
        if self.expected:
            expected, got = self.expected[0], self._consequence(report)
            if got not in expected:
                raise Disagreement(f"expected one of {expected}, but the exchange did {got}: {report}")
            expected.remove(got)
            if not expected:
                self.expected.popleft()
            return
        symbol, book = report[55], self.books[report[55]]
        if kind == NEW:
            self._enter(symbol, report, int(report[38]))
        elif kind == REPLACED:
            self._replace(symbol, report)
        elif kind in (CANCELED, EXPIRED):
            self.books[symbol] = [order for order in book if order.order_id != report[37]]
            if len(self.books[symbol]) != len(book) - 1:
                raise Disagreement(f"cancels an order that is not in the book: {report}")
        else:
            raise Disagreement(f"nothing leads to this: {report}")

    def _replace(self, symbol: str, report: Message) -> None:
        book = self.books[symbol]
        order = next((order for order in book if order.order_id == report[37]), None)
        if order is None:
            raise Disagreement(f"replaces an order that is not in the book: {report}")
        price, leaves = Decimal(report[44]), int(report[151])
        if price == order.price and leaves <= order.leaves:
            order.leaves = leaves
            if leaves == 0:
                book.remove(order)
            return
        book.remove(order)
        self._enter(symbol, report, leaves)

    def _enter(self, symbol: str, report: Message, leaves: int) -> None:
        """Trades against the best orders of the other side; what is left rests, unless its terms say otherwise."""
        side, market = report[54], report.get(40) == MARKET
        price = None if market else Decimal(report[44])
        book = self.books[symbol]
        sign = 1 if side == BUY else -1
        while leaves:
            others = [o for o in book if o.side != side and (market or (o.price - price) * sign <= 0)]
            if not others:
                break
            best = min(others, key=lambda o: o.price * sign)
            quantity = min(leaves, best.leaves)
            leaves -= quantity
            best.leaves -= quantity
            self.traded[symbol] += quantity
            taker = (TRADE, report[37], quantity, best.price, leaves)
            maker = (TRADE, best.order_id, quantity, best.price, best.leaves)
            self.expected.append([taker, maker])
            if best.leaves == 0:
                book.remove(best)
        if leaves and (market or report.get(59) == IOC):
            self.expected.append([(CANCELED, report[37], None, None, 0)])
        elif leaves:
            book.append(Resting(report[37], side, price, leaves))

    @staticmethod
    def _consequence(report: Message) -> tuple:
        trade = report[150] == TRADE
        return (
            report[150],
            report[37],
            int(report[32]) if trade else None,
            Decimal(report[31]) if trade else None,
            int(report[151]),
        )

    def levels(self) -> dict[Level, int]:
        """The books as a picture shows them: what rests at each price."""
        levels: dict[Level, int] = defaultdict(int)
        for symbol, book in self.books.items():
            for order in book:
                levels[symbol, order.side, order.price] += order.leaves
        return dict(levels)
