"""Rules of the session layer that neither engine sends by itself, said by hand over a raw connection."""

import time

import pytest

from clients.raw import Connection, Disconnected, Message, encode, utc_timestamp
from decalog_server import trading_unit
from fix_orders import BUY, GTC, IOC, NEW, ORDER_STATUS, new_id, new_order, status_request

NAMES = [f"R{number:02}" for number in range(1, 30)]
_names = iter(NAMES)


@pytest.fixture(scope="module")
def server(make_server):
    """One server for the file; each test logs on with a CompID of its own."""
    return make_server([trading_unit(0, ["AAA"], NAMES)])


class Talker:
    """Sends what it is told, with the next number unless another is given."""

    def __init__(self, server, comp_id: str | None = None, next_out: int = 1):
        self.server, self.comp_id, self.next_out = server, comp_id or next(_names), next_out
        self.connection = Connection.open(server.fix_address)

    def send(self, type_: str, *fields, seq: int | None = None, header: tuple = ()) -> None:
        """Sends one message."""
        self.connection.send_bytes(self.bytes(type_, *fields, seq=seq, header=header))

    def bytes(self, type_: str, *fields, seq: int | None = None, header: tuple = ()) -> bytes:
        """One message, not sent yet."""
        if seq is None:
            seq, self.next_out = self.next_out, self.next_out + 1
        first = [(35, type_), (34, seq), (49, self.comp_id), (52, utc_timestamp()), (56, "DECALOG"), *header]
        return encode(first + list(fields))

    def expect(self, type_: str) -> Message:
        """The next message, which must be of this type."""
        message = self.connection.receive()
        assert message.type == type_, f"expected {type_}: {message}"
        return message

    def logon(self, *fields) -> Message:
        """Logs on and returns the answer. Refused without a word: the server has not seen yet that the connection before
        is gone, so it tries again, as every engine does."""
        seq, deadline = self.next_out, time.monotonic() + 10
        while True:
            self.next_out = seq
            self.send("A", (98, 0), (108, 30), *fields)
            try:
                return self.expect("A")
            except Disconnected:
                assert time.monotonic() < deadline, "not logged on within 10 s"
                self.connection = Connection.open(self.server.fix_address)

    def again(self, next_out: int | None = None) -> "Talker":
        """Drops the connection and opens another for the same session."""
        self.connection.close()
        return Talker(self.server, self.comp_id, self.next_out if next_out is None else next_out)


@pytest.fixture
def talker(server):
    """A fresh session."""
    talker = Talker(server)
    yield talker
    talker.connection.close()


def test_next_expected_gets_what_was_missed_without_asking(talker):
    talker.logon()
    for _ in range(3):
        talker.send("D", *new_order(new_id("n"), "AAA", BUY, 1, "1.00"))
    reports = [talker.expect("8") for _ in range(3)]
    back = talker.again()
    answer = back.logon((789, reports[1].seq))
    assert answer.seq > reports[2].seq and int(answer[789]) == back.next_out
    for report in reports[1:]:
        resent = back.expect("8")
        assert resent.seq == report.seq and resent[43] == "Y" and resent[17] == report[17]
        assert resent[122] == report[52]


def test_next_expected_beyond_what_was_sent_ends_with_a_reason(talker):
    talker.send("A", (98, 0), (108, 30), (789, 500))
    messages = talker.connection.wait_closed()
    assert messages and messages[-1].type == "5" and messages[-1].get(58)


def test_reset_mode_sets_the_number_whatever_its_own(talker):
    talker.logon()
    talker.send("4", (36, 50), seq=2)
    talker.send("1", (112, "there"), seq=50)
    assert talker.expect("0")[112] == "there"


def test_reset_mode_never_goes_back(talker):
    talker.logon()
    talker.send("4", (36, 50))
    talker.send("4", (36, 10), seq=50)
    assert talker.expect("3")[373] == "5", "a value out of range"


def test_a_gap_is_asked_for_and_filled(talker):
    talker.logon()
    order = new_id("g")
    talker.send("1", (112, "early"), seq=4)
    asked = talker.expect("2")
    assert asked[7] == "2" and asked[16] in ("0", "3")
    stamp = utc_timestamp()
    again = ((43, "Y"), (122, stamp))
    talker.send("D", *new_order(order, "AAA", BUY, 1, "1.00"), seq=2, header=again)
    assert talker.expect("8")[11] == order
    talker.send("4", (123, "Y"), (36, 4), seq=3, header=again)
    talker.send("1", (112, "early"), seq=4, header=again)
    assert talker.expect("0")[112] == "early"


def test_an_order_resent_with_poss_dup_is_not_placed_twice(talker):
    talker.logon()
    order = new_order(new_id("d"), "AAA", BUY, 1, "1.00")
    talker.send("D", *order)
    first = talker.expect("8")
    talker.send("D", *order, seq=2, header=((43, "Y"), (122, utc_timestamp())))
    talker.send("1", (112, "end"))
    assert talker.expect("0")[112] == "end", f"nothing more came of {first}"


def test_a_resend_request_for_reports_and_session_messages(talker):
    talker.logon()
    talker.send("1", (112, "one"))
    talker.expect("0")
    talker.send("D", *new_order(new_id("r"), "AAA", BUY, 1, "1.00"))
    report = talker.expect("8")
    talker.send("2", (7, 1), (16, 0))
    fill = talker.expect("4")
    assert (fill[123], fill.seq, fill[36], fill[43]) == ("Y", 1, str(report.seq), "Y")
    resent = talker.expect("8")
    assert resent.seq == report.seq and resent[17] == report[17] and resent[43] == "Y"
    talker.send("1", (112, "two"))
    assert talker.expect("0").seq == report.seq + 1, "a resend takes no numbers"


def test_a_resend_of_what_was_sent_this_very_moment(talker):
    """Orders, the ResendRequest for their reports, and many more orders arrive as one piece, so that the resend begins
    while the exchange is still at work on it: no report is gap-filled away."""

    def orders(count: int) -> bytes:
        return b"".join(talker.bytes("D", *new_order(new_id("m"), "AAA", BUY, 1, "1.00")) for _ in range(count))

    number = talker.logon().seq + 1
    for _ in range(80):
        first = orders(20)
        talker.connection.send_bytes(first + talker.bytes("2", (7, number), (16, number + 19)) + orders(200))
        reports = [talker.expect("8") for _ in range(20)]
        resent = [talker.expect("8") for _ in range(20)]
        assert [(m[17], m.seq) for m in resent] == [(m[17], m.seq) for m in reports]
        assert all(m[43] == "Y" for m in resent)
        number = [talker.expect("8") for _ in range(200)][-1].seq + 1


def test_a_resend_request_beyond_the_end_does_no_harm(talker):
    talker.logon()
    talker.send("2", (7, 1000), (16, 2000))
    talker.send("1", (112, "still"))
    while (message := talker.connection.receive()).get(112) != "still":
        assert message.type in ("3", "4"), message


def test_a_second_logon_within_the_session_is_not_an_end_to_others(talker, server):
    talker.logon()
    talker.send("A", (98, 0), (108, 30), (141, "Y"), seq=1)
    answer = talker.expect("A")
    assert answer.seq == 1 and answer[141] == "Y"


def test_a_heartbeat_interval_of_zero_or_less_is_refused_or_kept(talker):
    talker.send("A", (98, 0), (108, -1))
    messages = talker.connection.wait_closed()
    assert not any(m.type == "A" for m in messages)


def test_the_sequence_of_a_logout_counts(talker):
    talker.logon()
    talker.send("5")
    answer = talker.expect("5")
    with pytest.raises(Disconnected):
        talker.connection.receive()
    back = talker.again()
    assert back.logon().seq == answer.seq + 1


def test_day_order_without_time_in_force(talker):
    talker.logon()
    order = new_id("day")
    talker.send("D", *new_order(order, "AAA", BUY, 1, "1.00", time_in_force=None))
    report = talker.expect("8")
    assert report[150] == NEW and report[59] == "0"


def test_an_order_id_as_long_as_a_uuid(talker):
    talker.logon()
    order = "x" * 36
    talker.send("D", *new_order(order, "AAA", BUY, 1, "1.00"))
    assert talker.expect("8")[11] == order
    talker.send("D", *new_order("y" * 2000, "AAA", BUY, 1, "1.00"))
    refused = talker.connection.receive()
    assert refused.type in ("3", "j") or refused[150] == "8"


def test_orders_outlive_their_connection(talker):
    talker.logon()
    order = new_id("o")
    talker.send("D", *new_order(order, "AAA", BUY, 3, "1.00", time_in_force=GTC))
    talker.expect("8")
    back = talker.again()
    back.logon()
    back.send("H", *status_request(order, "AAA", BUY, "q"))
    report = back.expect("8")
    assert report[150] == ORDER_STATUS and report[39] == NEW and report[151] == "3"


def test_an_ioc_order_that_is_alone_ends_at_once(talker):
    talker.logon()
    order = new_id("i")
    talker.send("D", *new_order(order, "AAA", BUY, 3, "0.50", IOC))
    while (report := talker.expect("8"))[151] != "0":
        assert report[11] == order
    assert report[14] == "0"
