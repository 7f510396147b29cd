"""The judges themselves can say no: what the crash test relies on is shown to fail on made-up wrongs. Needs no server."""

import pytest

from clients.raw import Decoder, Malformed, Message, checksum, encode
from clients.trader import ProtocolError, Trader
from fix_orders import BUY, CANCELED, NEW, SELL, TRADE, check_report
from oracle import Disagreement, Oracle


def report(kind, order, side, quantity, price, leaves, cum=0, last=None, seq=1, exec_id=None, **more) -> Message:
    """An ExecutionReport, as the server would send it."""
    status = {NEW: "0", CANCELED: "4", TRADE: "2" if leaves == 0 else "1"}[kind]
    fields = [(35, "8"), (34, seq), (37, order), (17, exec_id or f"0-{seq}"), (150, kind), (39, status), (11, order)]
    fields += [(55, "AAA"), (54, side), (38, quantity), (44, price), (151, leaves), (14, cum), (6, price if cum else 0)]
    fields += [(32, last), (31, price)] if last else []
    return Message(encode(fields + [(int(tag[1:]), value) for tag, value in more.items()]))


def history(*reports: Message) -> Oracle:
    """An oracle that has taken these."""
    oracle = Oracle()
    for each in reports:
        oracle.take(each)
    return oracle


TWO_SELLERS = [report(NEW, "a", SELL, 5, "10.00", 5), report(NEW, "b", SELL, 5, "10.00", 5)]
BUYER = report(NEW, "c", BUY, 5, "10.00", 5)


def test_the_oracle_follows_a_right_history():
    buyer = report(TRADE, "c", BUY, 5, "10.00", 0, 5, last=5)
    seller = report(TRADE, "a", SELL, 5, "10.00", 0, 5, last=5)
    oracle = history(*TWO_SELLERS, BUYER, buyer, seller)
    assert not oracle.expected and sum(oracle.levels().values()) == 5
    assert history(*TWO_SELLERS, BUYER, seller, buyer).levels() == oracle.levels(), "either side may be told first"


@pytest.mark.parametrize(
    "wrong",
    [
        report(TRADE, "b", SELL, 5, "10.00", 0, 5, last=5),
        report(TRADE, "a", SELL, 5, "10.01", 0, 5, last=5),
        report(TRADE, "a", SELL, 5, "10.00", 1, 4, last=4),
        report(NEW, "d", SELL, 5, "10.00", 5),
        report(CANCELED, "a", SELL, 5, "10.00", 0),
    ],
    ids=["out-of-turn", "at-another-price", "too-little", "no-trade", "canceled-instead"],
)
def test_the_oracle_refuses_a_wrong_consequence(wrong):
    with pytest.raises(Disagreement):
        history(*TWO_SELLERS, BUYER, wrong)


def test_the_oracle_refuses_a_trade_out_of_nothing_and_a_cancel_of_nothing():
    for wrong in (report(TRADE, "a", SELL, 5, "10.00", 4, 1, last=1), report(CANCELED, "z", SELL, 5, "10.00", 0)):
        with pytest.raises(Disagreement):
            history(*TWO_SELLERS, wrong)


def trader(*orders: str) -> Trader:
    """A trader that waits for the answers to these orders."""
    trader = Trader("T", ("127.0.0.1", 1))
    trader.unanswered = {order: number for number, order in enumerate(orders, start=1)}
    return trader


def take(trader: Trader, message: Message) -> None:
    """Gives it a message as if it had come."""
    trader._handle(message)


def test_the_trader_refuses_a_second_acknowledgement():
    t = trader("a")
    take(t, report(NEW, "a", SELL, 5, "10.00", 5, seq=1))
    with pytest.raises(ProtocolError):
        take(t, report(NEW, "a", SELL, 5, "10.00", 5, seq=2))


def test_the_trader_refuses_a_number_that_comes_twice_and_a_resend_that_differs():
    t = trader("a")
    first = report(NEW, "a", SELL, 5, "10.00", 5, seq=1)
    take(t, first)
    with pytest.raises(ProtocolError):
        take(t, first)
    take(t, report(NEW, "a", SELL, 5, "10.00", 5, seq=1, t43="Y"))
    assert t.compared == 1
    with pytest.raises(ProtocolError):
        take(t, report(NEW, "a", SELL, 5, "10.00", 5, seq=1, exec_id="0-99", t43="Y"))


def test_the_trader_refuses_a_report_that_is_gap_filled_away():
    t = trader("a")
    take(t, report(NEW, "a", SELL, 5, "10.00", 5, seq=1))
    with pytest.raises(ProtocolError):
        take(t, Message(encode([(35, "4"), (34, 1), (43, "Y"), (123, "Y"), (36, 3)])))


def test_the_trader_refuses_quantities_that_do_not_follow():
    t = trader("a")
    take(t, report(NEW, "a", SELL, 5, "10.00", 5, seq=1))
    with pytest.raises(ProtocolError):
        take(t, report(TRADE, "a", SELL, 5, "10.00", 2, 3, last=2, seq=2))


@pytest.mark.parametrize(
    "wrong",
    [
        report(NEW, "a", SELL, 5, "10.00", 4),
        report(TRADE, "a", SELL, 5, "10.00", 1, 5, last=5),
        report(TRADE, "a", SELL, 5, "10.00", 0, 4, last=4),
        report(CANCELED, "a", SELL, 5, "10.00", 3),
    ],
    ids=["leaves-wrong", "leaves-and-cum-disagree", "filled-but-not-all", "canceled-with-leaves"],
)
def test_a_report_must_agree_with_itself(wrong):
    with pytest.raises(AssertionError):
        check_report(wrong)


@pytest.mark.parametrize(
    ("old", "new"), [(b"10=", b"10=9"), (b"8=FIX.4.4", b"8=FIX.4.2"), (b"|112=x|".replace(b"|", b"\x01"), b"\x01")]
)
def test_the_decoder_refuses_a_broken_frame(old, new):
    message = encode([(35, "0"), (34, 2), (112, "x")])
    assert checksum(message[:-7]) == int(message[-4:-1])
    decoder = Decoder()
    decoder.feed(message.replace(old, new) + b"\x01" * 40)
    with pytest.raises(Malformed):
        decoder.next()
