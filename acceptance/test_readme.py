"""The README's first trade: the demo, and the script that a newcomer runs against it."""

import os
import re
import signal
import subprocess
import sys
import time

import httpx
import pytest

from decalog_server import BINARY, REPOSITORY, free_port

WAIT_SECONDS = 30


@pytest.fixture
def demo(tmp_path):
    """`decalog serve --demo` with a book that has offers; yields its FIX and HTTP addresses."""
    fix, http = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    environment = os.environ | {"DECALOG__EXCHANGE__FIX__LISTEN": fix, "DECALOG__HTTP__LISTEN": http}
    with (tmp_path / "server.log").open("w") as log:
        command = [str(BINARY), "serve", "--demo", "--data", str(tmp_path / "data")]
        server = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
        try:
            wait_for_offers(f"http://{http}/v1/instruments/BTC-USD/book", server)
            yield fix, http
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(WAIT_SECONDS) == 0
    assert "panicked" not in (tmp_path / "server.log").read_text()


def wait_for_offers(url, server):
    """Returns when somebody sells, so that the script's market order has what to trade with."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        assert server.poll() is None, "the demo ended"
        try:
            if len(httpx.get(url).json()["asks"]) > 2:
                return
        except httpx.TransportError:
            pass  # not listening yet
        time.sleep(0.05)  # poll
    pytest.fail("nobody offers anything in the demo")


def shape(session):
    """(direction, MsgType, OrdStatus) of each message; how many fills it takes is the market's affair."""
    steps = []
    for line in session.splitlines():
        found = re.match(r"(->|<-) 8=FIX\.4\.4\|.*?\|35=(\w)\|", line)
        if found:
            status = re.search(r"\|39=(\w)\|", line)
            steps.append((*found.groups(), status and status.group(1)))
    return [step for step in steps if step[2] != "1"]


def test_the_first_trade_goes_as_the_readme_prints_it(demo):
    """Same messages, same order, same order states."""
    fix, _ = demo
    script = [sys.executable, str(REPOSITORY / "docs/first_order.py"), fix]
    ran = subprocess.run(script, capture_output=True, text=True, timeout=WAIT_SECONDS * 2)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    printed = shape((REPOSITORY / "README.md").read_text())
    assert len(printed) >= 10, "the README shows a session"
    assert shape(ran.stdout) == printed


def test_watch_shows_the_book(demo):
    """One frame of the live book, as text."""
    _, http = demo
    command = [str(BINARY), "exchange", "watch", "BTC-USD", "--url", f"http://{http}", "--once"]
    frame = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS)
    assert frame.returncode == 0, frame.stderr
    assert "BTC-USD" in frame.stdout
    assert re.search(r"\d+\.\d\d +\d+\.\d{4}", frame.stdout), "a price and a quantity"
