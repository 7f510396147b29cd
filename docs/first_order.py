"""A first trade over FIX, with QuickFIX as the client: `make run` in one terminal, this in another.

    .venv/bin/python docs/first_order.py [HOST:PORT]

Logs on as the demo's TRADER, rests an order far below the market, cancels it, buys at the market, and prints every FIX
message but heartbeats as it goes over the wire (SOH shown as `|`).
"""

import sys
import tempfile
import threading
from pathlib import Path

import quickfix as fix

HOST, PORT = (sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9878").split(":")
WAIT_SECONDS = 20
ORD_STATUS, ORDER_ID = 39, 37
DONE = {"filled": "2", "canceled": "4", "new": "0", "rejected": "8"}


class Trader(fix.Application):
    """Logs on with the demo's credentials, shows what passes by, and lets the main thread wait for reports."""

    def __init__(self):
        super().__init__()
        self.session = None
        self.logged_on = threading.Event()
        self.reports = []
        self.news = threading.Condition()

    def onCreate(self, session):
        self.session = session

    def onLogon(self, session):
        self.logged_on.set()

    def onLogout(self, session):
        pass

    def toAdmin(self, message, session):
        if kind(message) == fix.MsgType_Logon:
            message.setField(fix.Username("trader"))
            message.setField(fix.Password("demo"))
            message.setField(fix.ResetSeqNumFlag(True))
        show("->", message)

    def fromAdmin(self, message, session):
        show("<-", message)

    def toApp(self, message, session):
        show("->", message)

    def fromApp(self, message, session):
        show("<-", message)
        with self.news:
            self.reports.append((message.getField(11), message.getField(ORD_STATUS)))
            self.news.notify_all()

    def wait_for(self, order, *statuses):
        """Waits until a report gives the order one of these states (OrdStatus, tag 39)."""
        wanted = {(order, DONE[status]) for status in statuses}
        with self.news:
            if not self.news.wait_for(lambda: wanted & set(self.reports), WAIT_SECONDS):
                sys.exit(f"order {order} did not become {' or '.join(statuses)}")


def kind(message):
    return message.getHeader().getField(35)


def show(direction, message):
    if kind(message) != fix.MsgType_Heartbeat:
        print(direction, message.toString().replace("\x01", "|"), flush=True)


def request(msg_type, **fields):
    """A message with TransactTime; the other fields are named as `t` and their tag."""
    message = fix.Message()
    message.getHeader().setField(fix.MsgType(msg_type))
    for name, value in fields.items():
        message.setField(fix.StringField(int(name[1:]), str(value)))
    message.setField(fix.TransactTime())
    return message


def settings(directory):
    dictionary = Path(sys.prefix) / "share" / "quickfix" / "FIX44.xml"
    file = directory / "session.cfg"
    file.write_text(
        f"""[DEFAULT]
ConnectionType=initiator
HeartBtInt=30
StartTime=00:00:00
EndTime=00:00:00
FileStorePath={directory}/store
DataDictionary={dictionary}
[SESSION]
BeginString=FIX.4.4
SenderCompID=TRADER
TargetCompID=DECALOG
SocketConnectHost={HOST}
SocketConnectPort={PORT}
"""
    )
    return fix.SessionSettings(str(file))


def main():
    trader = Trader()
    with tempfile.TemporaryDirectory() as directory:
        configured = settings(Path(directory))
        initiator = fix.SocketInitiator(trader, fix.FileStoreFactory(configured), configured)
        initiator.start()
        if not trader.logged_on.wait(WAIT_SECONDS):
            sys.exit(f"no logon at {HOST}:{PORT}: is `make run` running?")
        # ClOrdIDs must be new each day, so they carry the process's number.
        run = f"{threading.get_native_id()}"
        rest, cancel, market = f"{run}-rest", f"{run}-cancel", f"{run}-market"
        order = {"t55": "BTC-USD", "t54": "1", "t38": "0.01"}
        fix.Session.sendToTarget(request("D", t11=rest, t40="2", t44="1000.00", t59="1", **order), trader.session)
        trader.wait_for(rest, "new")
        fix.Session.sendToTarget(request("F", t11=cancel, t41=rest, **order), trader.session)
        trader.wait_for(cancel, "canceled")
        fix.Session.sendToTarget(request("D", t11=market, t40="1", **order), trader.session)
        trader.wait_for(market, "filled", "canceled")
        initiator.stop()


if __name__ == "__main__":
    main()
