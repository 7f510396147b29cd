"""The reference for the player of definitions: QuickFIX itself as the server, with an application that echoes orders.

The player is right when QuickFIX passes QuickFIX's own definitions. Run as a program:
`python -m fix44.quickfix_acceptor PORT FIX44.xml`.
"""

import sys
import tempfile
import threading
from pathlib import Path

import quickfix as fix

ECHOED = {"D", "c", "d", "R"}


class Echo(fix.Application):
    """Sends every order back, once: a PossResend of a ClOrdID that it has seen is ignored."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def onCreate(self, session_id):
        """A session was configured."""

    def onLogon(self, session_id):
        """A peer logged on: what is seen counts per logon."""
        self.seen.clear()

    def onLogout(self, session_id):
        """A peer is gone."""

    def toAdmin(self, message, session_id):
        """Session messages go out as QuickFIX makes them."""

    def fromAdmin(self, message, session_id):
        """Session messages are QuickFIX's own business."""

    def toApp(self, message, session_id):
        """Echoes go out as they came."""

    def fromApp(self, message, session_id):
        """Echoes an order; refuses any other type."""
        kind = fix.MsgType()
        message.getHeader().getField(kind)
        if kind.getValue() not in ECHOED:
            self.refuse(kind, message, session_id)
            return
        order, resend = fix.ClOrdID(), fix.PossResend()
        if message.isSetField(order):
            message.getField(order)
            if message.getHeader().isSetField(resend) and order.getValue() in self.seen:
                return
            self.seen.add(order.getValue())
        fix.Session.sendToTarget(fix.Message(message), session_id)

    @staticmethod
    def refuse(kind, message, session_id):
        """BusinessMessageReject, made by hand: an exception of the binding ends the process instead."""
        number = fix.MsgSeqNum()
        message.getHeader().getField(number)
        reject = fix.Message()
        reject.getHeader().setField(fix.BeginString("FIX.4.4"))
        reject.getHeader().setField(fix.MsgType("j"))
        reject.setField(fix.RefSeqNum(number.getValue()))
        reject.setField(fix.RefMsgType(kind.getValue()))
        reject.setField(fix.BusinessRejectReason(3))
        reject.setField(fix.Text("Unsupported Message Type"))
        fix.Session.sendToTarget(reject, session_id)


def settings(port: int, dictionary: str, store: str) -> fix.SessionSettings:
    """The session of the definitions: ISLD takes TW44, without credentials, numbers reset at each logon."""
    path = Path(store) / "acceptor.cfg"
    path.write_text(f"""[DEFAULT]
ConnectionType=acceptor
SocketAcceptPort={port}
SocketReuseAddress=Y
FileStorePath={store}
StartTime=00:00:00
EndTime=00:00:00
SenderCompID=ISLD
TargetCompID=TW44
ResetOnLogon=Y
UseDataDictionary=Y
DataDictionary={dictionary}
[SESSION]
BeginString=FIX.4.4
""")
    return fix.SessionSettings(str(path))


def main() -> None:
    """Serves until standard input ends."""
    port, dictionary = int(sys.argv[1]), sys.argv[2]
    with tempfile.TemporaryDirectory() as store:
        configuration = settings(port, dictionary, store)
        application = Echo()
        stores = fix.FileStoreFactory(configuration)
        acceptor = fix.SocketAcceptor(application, stores, configuration)
        acceptor.start()
        print("ready", flush=True)
        sys.stdin.read()
        threading.Thread(target=acceptor.stop, daemon=True).start()


if __name__ == "__main__":
    main()
