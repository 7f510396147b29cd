"""Reads and plays QuickFIX's acceptance definitions: scripted dialogues with a FIX server.

A definition is a text file. `I` lines are sent, `E` lines are expected, `iCONNECT`/`iDISCONNECT` open and drop the
connection, `eDISCONNECT` waits for the server to drop it; a digit and a comma after the first letter name one of several
connections. `<TIME>`, `<TIME+n>` and `<TIME-n>` stand for UTC now. BodyLength and CheckSum are computed where a line
leaves them out. The files themselves are not part of this project: FIX_DEFINITIONS names the folder they lie in.
"""

import re
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from clients.raw import SOH, Connection, Disconnected, checksum

# What every implementation words or times in its own way: BodyLength, CheckSum, MsgType's prefix BeginString is constant
# (8), SendingTime, Text.
IGNORED = frozenset({"8", "9", "10", "52", "58"})

# The definitions which expect an application that sends every order back as it came.
NEEDS_ECHO = frozenset(
    {
        "14e_IncorrectEnumValue",
        "15_HeaderAndBodyFieldsOrderedDifferently",
        "19a_PossResendMessageThatHAsAlreadyBeenSent",
        "19b_PossResendMessageThatHasNotBeenSent",
        "20_SimultaneousResendRequest",
        "21_RepeatingGroupSpecifierWithValueOfZero",
        "2d_GarbledMessage",
        "2f_PossDupOrigSendingTimeTooHigh",
        "2g_PossDupNoOrigSendingTime",
        "2m_BodyLengthValueNotCorrect",
        "2r_UnregisteredMsgType",
        "3b_InvalidChecksum",
        "3c_GarbledMessage",
        "8_AdminAndApplicationMessages",
        "8_OnlyApplicationMessages",
    }
)

# These wait for heartbeats, so they take most of the suite's time. They run beside the others, on a server of their own.
WAITS_FOR_HEARTBEATS = frozenset({"4a_NoDataSentDuringHeartBtInt", "6_SendTestRequest"})


class Mismatch(AssertionError):
    """The server did something else than the definition's line says."""


@dataclass(frozen=True)
class Step:
    """One line of a definition."""

    line: int
    action: str  # "I", "E", "i" or "e"
    connection: int
    body: bytes


def load(path: Path) -> list[Step]:
    """The steps of one definition, in order."""
    steps = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line.strip() or line.startswith(b"#"):
            continue
        match = re.match(rb"([IEie])(?:(\d),)?(.*)$", line, re.DOTALL)
        if match is None:
            raise ValueError(f"{path.name}:{number}: not a step: {line!r}")
        action, connection, body = match.groups()
        steps.append(Step(number, action.decode(), int(connection or 1), body))
    return steps


def load_patterns(path: Path) -> dict[str, re.Pattern]:
    """fields.fmt: the fields which are compared by pattern, as their tag and a regular expression."""
    patterns = {}
    for line in path.read_text().splitlines():
        tag, _, pattern = line.strip().partition("=")
        if tag:
            patterns[tag] = re.compile(pattern)
    return patterns


def with_time(message: bytes, now: float) -> bytes:
    """Replaces <TIME>, <TIME+n> and <TIME-n> by UTC, whole seconds."""

    def stamp(match: re.Match) -> bytes:
        shift = int(match.group(1) or 0)
        return time.strftime("%Y%m%d-%H:%M:%S", time.gmtime(now + shift)).encode()

    return re.sub(rb"<TIME([+-]\d+)?>", stamp, message)


def with_length_and_checksum(message: bytes) -> bytes:
    """Adds BodyLength and CheckSum where the line leaves them out; a line that does not begin with 8= goes out as it is."""
    head = re.match(rb"8=[^\x01]*\x01", message)
    if head is None:
        return message
    head, body = message[: head.end()], message[head.end() :]
    given = re.search(rb"\x0110=[^\x01]*\x01$", body)
    trailer = given.group()[1:] if given else None
    if given:
        body = body[: given.start() + 1]
    if not re.search(rb"(^|\x01)9=[^\x01]*\x01", body):
        body = b"9=%d\x01" % len(body) + body
    whole = head + body
    return whole + (trailer or b"10=%03d\x01" % checksum(whole))


def fields_by_tag(message: bytes) -> dict[str, list[str]]:
    """Tag to its values, in the order they came: groups keep their order, the order between tags is the encoder's own."""
    found = defaultdict(list)
    for field in message.rstrip(SOH).split(SOH):
        tag, _, value = field.partition(b"=")
        found[tag.decode()].append(value.decode("latin-1"))
    return dict(found)


def compare(expected: bytes, actual: bytes, patterns: dict[str, re.Pattern]) -> None:
    """Raises Mismatch unless the two messages agree in every field that is not ignored."""
    want, got = fields_by_tag(expected), fields_by_tag(actual)
    problems = []
    for tag in sorted((want.keys() | got.keys()) - IGNORED, key=lambda tag: int(tag) if tag.isdigit() else 0):
        if tag not in got:
            problems.append(f"field {tag}={want[tag]} is missing")
        elif tag not in want:
            problems.append(f"field {tag}={got[tag]} is not expected")
        elif tag in patterns:
            if len(want[tag]) != len(got[tag]) or not all(patterns[tag].match(value) for value in got[tag]):
                problems.append(f"field {tag}={got[tag]} does not match {patterns[tag].pattern!r}")
        elif want[tag] != got[tag]:
            problems.append(f"field {tag} should be {want[tag]} but is {got[tag]}")
    if problems:
        raise Mismatch("; ".join(problems) + f"\n  expected {readable(expected)}\n  received {readable(actual)}")


def readable(message: bytes) -> str:
    """A message for people: the separator as a bar."""
    return message.replace(SOH, b"|").decode("latin-1")


class Player:
    """Plays one definition against a server."""

    def __init__(self, host: str, port: int, patterns: dict[str, re.Pattern], timeout: float = 15.0):
        self.address = (host, port)
        self.patterns = patterns
        self.timeout = timeout
        self.connections: dict[int, Connection] = {}

    def play(self, path: Path) -> None:
        """Raises Mismatch, naming file and line, at the first thing that is not as the definition says."""
        try:
            for step in load(path):
                try:
                    self._step(step)
                except (Mismatch, Disconnected, TimeoutError, OSError) as error:
                    raise Mismatch(f"{path.name}:{step.line}: {type(error).__name__}: {error}") from error
            for connection in self.connections.values():
                connection.close()
        finally:
            for connection in self.connections.values():
                connection.close()

    def _step(self, step: Step) -> None:
        if step.action == "i" and step.body == b"CONNECT":
            self.connections[step.connection] = Connection.open(self.address, timeout=self.timeout)
        elif step.action == "i" and step.body == b"DISCONNECT":
            self.connections.pop(step.connection).close()
        elif step.action == "e" and step.body == b"DISCONNECT":
            self._expect_disconnect(self.connections.pop(step.connection))
        elif step.action == "I":
            message = with_length_and_checksum(with_time(step.body, time.time()))
            self.connections[step.connection].send_bytes(message)
        elif step.action == "E":
            expected = with_length_and_checksum(with_time(step.body, time.time()))
            actual = self.connections[step.connection].receive_bytes(self.timeout)
            compare(expected, actual, self.patterns)
        else:
            raise Mismatch(f"unknown step {step.body!r}")

    def _expect_disconnect(self, connection: Connection) -> None:
        try:
            message = connection.receive_bytes(self.timeout)
        except Disconnected:
            return
        finally:
            connection.close()
        raise Mismatch(f"expected a disconnect, received {readable(message)}")
