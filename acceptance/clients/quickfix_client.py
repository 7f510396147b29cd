"""QuickFIX as the client: its session engine, its file store and its data dictionary, wrapped so that tests can wait.

Nothing of the protocol is done here. QuickFIX numbers, stores, resends, answers and judges; `expect` waits for what its
application callbacks reported. What QuickFIX refuses (a Reject it sends) fails the test at the end, see `complaints`.
"""

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import quickfix as fix

from clients.raw import Message

# The dictionary that the wheel brings, installed beside the interpreter.
DICTIONARY = Path(sys.prefix) / "share" / "quickfix" / "FIX44.xml"

SESSION_REJECT, BUSINESS_REJECT, LOGON, LOGOUT = "3", "j", "A", "5"


class _Application(fix.Application):
    """Notes everything and wakes who waits. A callback must not raise: an exception would end the process."""

    def __init__(self, client: "QuickFixClient"):
        super().__init__()
        self.client = client

    def onCreate(self, session_id):
        """Called when the session is configured, before the first connection."""

    def onLogon(self, session_id):
        """The logon was answered."""
        self.client.note("logged on", None)

    def onLogout(self, session_id):
        """The session ended, or the connection is gone."""
        self.client.note("logged out", None)

    def toAdmin(self, message, session_id):
        """A session message is about to go out; a Logon gets the credentials."""
        kind = fix.MsgType()
        message.getHeader().getField(kind)
        if kind.getValue() == LOGON:
            for tag, value in self.client.logon_fields.items():
                message.setField(fix.StringField(tag, str(value)))
        self.client.note("sent", message)

    def toApp(self, message, session_id):
        """An application message is about to go out."""
        self.client.note("sent", message)

    def fromAdmin(self, message, session_id):
        """A session message came."""
        self.client.note("received", message)

    def fromApp(self, message, session_id):
        """An application message came, in sequence and valid by the dictionary."""
        self.client.note("received", message)


class QuickFixClient:
    """One QuickFIX initiator with one session. Its store lies in `directory`, so a new client there goes on."""

    def __init__(
        self,
        directory: Path,
        port: int,
        comp_id: str,
        target: str = "DECALOG",
        username: str | None = None,
        password: str | None = None,
        heartbeat: int = 30,
        **settings: object,
    ):
        self.condition = threading.Condition()
        self.history: list[tuple[str, Message | None]] = []
        self.session_id = fix.SessionID("FIX.4.4", comp_id, target)
        self.logon_fields = {553: username, 554: password} if username else {}
        directory.mkdir(parents=True, exist_ok=True)
        keys = {
            "ConnectionType": "initiator",
            "BeginString": "FIX.4.4",
            "SenderCompID": comp_id,
            "TargetCompID": target,
            "SocketConnectHost": "127.0.0.1",
            "SocketConnectPort": port,
            "SocketNodelay": "Y",
            "HeartBtInt": heartbeat,
            "ReconnectInterval": 1,
            "LogonTimeout": 10,
            "LogoutTimeout": 5,
            "StartTime": "00:00:00",
            "EndTime": "00:00:00",
            "FileStorePath": directory,
            "UseDataDictionary": "Y",
            "DataDictionary": DICTIONARY,
        } | settings
        path = directory / "client.cfg"
        path.write_text("[DEFAULT]\n" + "".join(f"{key}={value}\n" for key, value in keys.items()) + "[SESSION]\n")
        self._settings = fix.SessionSettings(str(path))
        self._application = _Application(self)
        self._stores = fix.FileStoreFactory(self._settings)
        self._initiator = fix.SocketInitiator(self._application, self._stores, self._settings)

    # What the callbacks report, and waiting for it.

    def note(self, what: str, message) -> None:
        """Called on QuickFIX's thread."""
        decoded = Message(message.toString().encode("latin-1")) if message is not None else None
        with self.condition:
            self.history.append((what, decoded))
            self.condition.notify_all()

    def wait(self, condition: Callable[[], object], what: str, timeout: float = 20.0):
        """Waits until `condition` gives something true, and returns it."""
        with self.condition:
            if not self.condition.wait_for(condition, timeout):
                recent = "\n".join(f"  {kind}: {message}" for kind, message in self.history[-20:])
                raise TimeoutError(f"{what} did not happen within {timeout} s; the last of the history:\n{recent}")
            return condition()

    def received(self, *types: str) -> list[Message]:
        """Every message of these types (all, if none is named) that came in, in order."""
        return [m for kind, m in self.history if kind == "received" and (not types or m.type in types)]

    def taken(self, *types: str) -> list[Message]:
        """Every message of these types that `expect` has given out."""
        return [m for kind, m in self.history if kind == "taken" and (not types or m.type in types)]

    def all_reports(self) -> list[Message]:
        """Every ExecutionReport that came, taken or not."""
        return self.taken("8") + self.received("8")

    def sent(self, *types: str) -> list[Message]:
        """Every message of these types that went out, in order."""
        return [m for kind, m in self.history if kind == "sent" and (not types or m.type in types)]

    def expect(self, type_: str, timeout: float = 20.0, **fields: str) -> Message:
        """Waits for a message with this MsgType and these field values (`t39="2"`), and takes it: each is given once."""
        wanted = {int(tag[1:]): str(value) for tag, value in fields.items()}

        def find() -> Message | None:
            for index, (kind, message) in enumerate(self.history):
                if kind == "received" and message.type == type_:
                    if all(message.get(tag) == value for tag, value in wanted.items()):
                        self.history[index] = ("taken", message)
                        return message
            return None

        found = []
        self.wait(
            lambda: found or (found.append(m) if (m := find()) else None) or found, f"{type_} with {wanted}", timeout
        )
        return found[0]

    def complaints(self) -> list[Message]:
        """What QuickFIX refused of the server's messages: the rejects it sent."""
        return self.sent(SESSION_REJECT, BUSINESS_REJECT)

    # The session.

    @property
    def session(self) -> fix.Session:
        """QuickFIX's session object."""
        return fix.Session.lookupSession(self.session_id)

    def start(self) -> "QuickFixClient":
        """Connects, and logs on as soon as the server answers."""
        self._initiator.start()
        return self

    def count(self, what: str) -> int:
        """How often something ("logged on", "logged out") happened."""
        return sum(kind == what for kind, _ in self.history)

    def logged_on(self, times: int = 1) -> "QuickFixClient":
        """Waits for the `times`-th logon."""
        self.wait(lambda: self.count("logged on") >= times, f"logon number {times}")
        return self

    def next_numbers(self) -> tuple[int, int]:
        """The next MsgSeqNum to send and the next to receive; of a stopped client, those it stopped with."""
        if self._initiator is None:
            return self._last_numbers
        return self.session.getExpectedSenderNum(), self.session.getExpectedTargetNum()

    def send(self, type_: str, *fields: tuple[int, object], groups: tuple = ()) -> None:
        """Sends a message of these body fields. `groups` are triples: count tag, first tag of an entry, the entries."""
        message = fix.Message()
        message.getHeader().setField(fix.BeginString("FIX.4.4"))
        message.getHeader().setField(fix.MsgType(type_))
        for tag, value in fields:
            message.setField(fix.StringField(tag, str(value)))
        for count_tag, first_tag, entries in groups:
            for entry in entries:
                part = fix.Group(count_tag, first_tag)
                for tag, value in entry:
                    part.setField(fix.StringField(tag, str(value)))
                message.addGroup(part)
        assert fix.Session.sendToTarget(message, self.session_id), "QuickFIX did not take the message"

    def stop(self) -> None:
        """Logs out and waits until QuickFIX has ended. Its session is gone then: the process may make it anew."""
        if self._initiator is not None:
            self._initiator.stop()
            self._last_numbers = self.next_numbers()
            self._initiator = None


def stop_all(clients: list[QuickFixClient]) -> None:
    """Stops them at the same time, as each takes a second or two; none may have refused anything of the server's."""
    with ThreadPoolExecutor(max_workers=max(1, len(clients))) as pool:
        list(pool.map(QuickFixClient.stop, clients))
    for client in clients:
        assert not client.complaints(), f"QuickFIX refused what the server sent: {client.complaints()}"
