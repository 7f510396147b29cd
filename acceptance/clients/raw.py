"""A FIX 4.4 connection with no engine behind it: it sends any bytes, right or wrong, and checks what it receives.

The hostile tests, the crash test and the player of definitions stand on it. It keeps no session: what to send, and with
which number, is the caller's to say. `Trader` below adds just enough of a session to trade fast.
"""

import socket
import time

SOH = b"\x01"


class Disconnected(Exception):
    """The server closed the connection."""


class Malformed(AssertionError):
    """The server sent bytes that are not a well-formed FIX message."""


def checksum(data: bytes) -> int:
    """CheckSum (10): the sum of all bytes before it, modulo 256."""
    return sum(data) % 256


def utc_timestamp(at: float | None = None) -> str:
    """UTCTimestamp with milliseconds."""
    at = time.time() if at is None else at
    return time.strftime("%Y%m%d-%H:%M:%S", time.gmtime(at)) + f".{int(at * 1000) % 1000:03d}"


def encode(fields: list[tuple[int, object]], begin_string: str = "FIX.4.4") -> bytes:
    """A whole message from its fields (MsgType first), with BeginString, BodyLength and CheckSum put around them."""
    body = b"".join(f"{tag}={value}\x01".encode("latin-1") for tag, value in fields)
    message = f"8={begin_string}\x019={len(body)}\x01".encode() + body
    return message + b"10=%03d\x01" % checksum(message)


class Message:
    """A received message: its fields in order, and the first value of each tag by number."""

    __slots__ = ("fields", "_first")

    def __init__(self, data: bytes):
        self.fields = []
        self._first = {}
        for raw in data.split(SOH)[:-1]:
            tag, _, value = raw.partition(b"=")
            number, text = int(tag), value.decode("latin-1")
            self.fields.append((number, text))
            self._first.setdefault(number, text)

    @property
    def type(self) -> str:
        """MsgType (35)."""
        return self._first[35]

    @property
    def seq(self) -> int:
        """MsgSeqNum (34)."""
        return int(self._first[34])

    def __getitem__(self, tag: int) -> str:
        return self._first[tag]

    def __contains__(self, tag: int) -> bool:
        return tag in self._first

    def get(self, tag: int, default: str | None = None) -> str | None:
        """The first value of a tag, or the default."""
        return self._first.get(tag, default)

    def values(self, tag: int) -> list[str]:
        """Every value of a tag: the entries of a repeating group."""
        return [value for number, value in self.fields if number == tag]

    def group(self, first_tag: int) -> list[dict[int, str]]:
        """The entries of a repeating group whose entries begin with `first_tag`, each as tag to value."""
        entries: list[dict[int, str]] = []
        for tag, value in self.fields:
            if tag == first_tag:
                entries.append({})
            if entries and tag != 10:
                entries[-1][tag] = value
        return entries

    def __repr__(self) -> str:
        return "|".join(f"{tag}={value}" for tag, value in self.fields)


class Decoder:
    """Cuts a byte stream into messages and checks the frame of each: BeginString, BodyLength, CheckSum."""

    def __init__(self):
        self.buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Adds bytes that came from the socket."""
        self.buffer += data

    def next(self) -> bytes | None:
        """The next whole message, or None until more bytes have come."""
        buffer = self.buffer
        length_end = buffer.find(SOH, buffer.find(b"\x019=") + 1)
        if length_end < 0 or b"\x019=" not in buffer[: length_end + 1]:
            return None
        if not buffer.startswith(b"8=FIX.4.4\x019="):
            raise Malformed(f"does not begin with 8=FIX.4.4 and 9=: {bytes(buffer[:80])!r}")
        body_end = length_end + 1 + int(buffer[12:length_end])
        if len(buffer) < body_end + 7:
            return None
        message = bytes(buffer[: body_end + 7])
        if message[body_end : body_end + 3] != b"10=" or message[-1:] != SOH:
            raise Malformed(f"BodyLength does not lead to CheckSum: {message!r}")
        if int(message[-4:-1]) != checksum(message[:body_end]):
            raise Malformed(f"wrong CheckSum: {message!r}")
        del buffer[: body_end + 7]
        return message


class Connection:
    """A TCP connection that speaks whole FIX messages."""

    def __init__(self, sock: socket.socket):
        self.sock = sock
        self.decoder = Decoder()

    @classmethod
    def open(cls, address: tuple[str, int], timeout: float = 10.0) -> "Connection":
        """Connects; no message is sent yet."""
        sock = socket.create_connection(address, timeout=timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(sock)

    def send_bytes(self, data: bytes) -> None:
        """Sends the bytes as they are. A connection the server already dropped shows at the next receive."""
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def receive_bytes(self, timeout: float = 10.0) -> bytes:
        """The next whole message. Raises Disconnected at the end of the stream, TimeoutError when nothing comes."""
        deadline = time.monotonic() + timeout
        while (message := self.decoder.next()) is None:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimeoutError(f"no message within {timeout} s")
            self.sock.settimeout(remaining)
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError as error:
                raise Disconnected("the server reset the connection") from error
            except TimeoutError as error:
                raise TimeoutError(f"no message within {timeout} s") from error
            if not data:
                raise Disconnected(f"the server closed the connection; unread: {bytes(self.decoder.buffer)!r}")
            self.decoder.feed(data)
        return message

    def receive(self, timeout: float = 10.0) -> Message:
        """The next message, decoded."""
        return Message(self.receive_bytes(timeout))

    def wait_closed(self, timeout: float = 10.0) -> list[Message]:
        """Reads until the server closes the connection; the messages that came before."""
        received = []
        deadline = time.monotonic() + timeout
        while True:
            try:
                received.append(self.receive(max(0.0, deadline - time.monotonic())))
            except Disconnected:
                return received

    def close(self) -> None:
        """Drops the connection without a Logout, as a lost network does."""
        self.sock.close()
