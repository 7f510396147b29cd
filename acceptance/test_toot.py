"""toot's own integration tests, which its authors run against a Mastodon server, run against ours."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from decalog_server import REPOSITORY, Ports, Server

SOURCE = REPOSITORY / ".venv/toot-0.52.1"
# The address that the tests themselves name.
BASE = "http://localhost:3000"


@pytest.fixture
def server(tmp_path: Path):
    """The server that acceptance/feed.toml describes, on its fixed ports."""
    ports = Ports(http=3000, operators=3001)
    for port in [ports.http, ports.operators]:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, f"somebody else listens on port {port}"
    server = Server(tmp_path, REPOSITORY / "acceptance/feed.toml", ports).start()
    yield server
    server.finish()


def test_all_of_toots_own_tests_pass(server):
    assert SOURCE.is_dir(), "run `make setup-python`"
    assert httpx.get(f"{BASE}/api/v1/instance").status_code == 200
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/integration", "-q", "-p", "no:cacheprovider", "-W", "ignore"],
        cwd=SOURCE,
        env=os.environ | {"TOOT_TEST_BASE_URL": BASE, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", run.stdout, re.MULTILINE)
    assert not failed, "\n".join(failed) + run.stdout[-3_000:]
    assert re.search(r"\b114 passed\b", run.stdout), run.stdout[-3_000:]
