"""FIX 4.4 order messages as field lists, and what must hold of every ExecutionReport. Knows no client."""

import itertools
from decimal import Decimal

from clients.raw import Message, utc_timestamp

BUY, SELL = "1", "2"
MARKET, LIMIT = "1", "2"
DAY, GTC, IOC, FOK = "0", "1", "3", "4"

# ExecType (150)
NEW, CANCELED, REPLACED, REJECTED, EXPIRED, TRADE, ORDER_STATUS = "0", "4", "5", "8", "C", "F", "I"
# OrdStatus (39)
PARTIALLY_FILLED, FILLED = "1", "2"

_numbers = itertools.count(1)


def new_id(prefix: str = "o") -> str:
    """A ClOrdID that this test run has not used."""
    return f"{prefix}{next(_numbers)}"


def new_order(
    cl_ord_id: str,
    symbol: str,
    side: str,
    quantity: object,
    price: object | None = None,
    time_in_force: str | None = GTC,
) -> list[tuple[int, object]]:
    """NewOrderSingle (D): a limit order, or a market order when no price is given."""
    fields = [(11, cl_ord_id), (55, symbol), (54, side), (60, utc_timestamp()), (38, quantity)]
    fields += [(40, LIMIT), (44, price)] if price is not None else [(40, MARKET)]
    return fields + ([(59, time_in_force)] if time_in_force is not None else [])


def replace(
    cl_ord_id: str, orig_cl_ord_id: str, symbol: str, side: str, quantity: object, price: object
) -> list[tuple[int, object]]:
    """OrderCancelReplaceRequest (G). The quantity includes what has traded already."""
    return [
        (11, cl_ord_id),
        (41, orig_cl_ord_id),
        (55, symbol),
        (54, side),
        (60, utc_timestamp()),
        (38, quantity),
        (40, LIMIT),
        (44, price),
        (59, GTC),
    ]


def cancel(cl_ord_id: str, orig_cl_ord_id: str, symbol: str, side: str) -> list[tuple[int, object]]:
    """OrderCancelRequest (F)."""
    return [(11, cl_ord_id), (41, orig_cl_ord_id), (55, symbol), (54, side), (60, utc_timestamp())]


def status_request(cl_ord_id: str, symbol: str, side: str, request: str | None = None) -> list[tuple[int, object]]:
    """OrderStatusRequest (H)."""
    return ([(790, request)] if request else []) + [(11, cl_ord_id), (55, symbol), (54, side)]


def number(message: Message, tag: int) -> Decimal:
    """A field as the decimal it is: 10, 10.0 and 10.00 are one number."""
    return Decimal(message[tag])


def check_report(report: Message) -> Message:
    """What the specification demands of each ExecutionReport, whatever happened before it. Returns the report."""
    for tag in (37, 17, 150, 39, 54, 151, 14, 6, 55):
        assert tag in report, f"required field {tag} is missing: {report}"
    ordered, cum, leaves = (number(report, tag) for tag in (38, 14, 151))
    status, kind = report[39], report[150]
    assert cum >= 0 and leaves >= 0, f"CumQty or LeavesQty is negative: {report}"
    if status in (NEW, PARTIALLY_FILLED):
        assert leaves == ordered - cum, f"a live order's LeavesQty is OrderQty - CumQty: {report}"
        assert leaves > 0, f"a live order has something left: {report}"
    else:
        assert leaves == 0, f"an order that is done has nothing left: {report}"
    assert (status != FILLED) or cum == ordered, f"filled means all of it: {report}"
    assert (status != PARTIALLY_FILLED) or cum > 0, f"partially filled means some of it: {report}"
    assert (status != NEW) or cum == 0, f"new means that nothing traded: {report}"
    assert (number(report, 6) == 0) == (cum == 0), f"AvgPx is 0 exactly while nothing traded: {report}"
    if kind == TRADE:
        assert number(report, 32) > 0 and number(report, 31) > 0, f"a trade has a quantity and a price: {report}"
        assert status in (PARTIALLY_FILLED, FILLED), f"a trade leaves an order partially filled or filled: {report}"
    if kind == ORDER_STATUS:
        return report
    assert report[17] not in ("", "0"), f"ExecID names an execution: {report}"
    return report
