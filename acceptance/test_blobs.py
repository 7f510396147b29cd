"""Blobs in S3, as somebody else's server keeps it: the contract of foundation/blob against moto, over HTTP."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from decalog_server import REPOSITORY, free_port


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[str]:
    """The address of an S3 server with an empty bucket `blobs`."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (tmp_path / "moto.log").open("wb") as output:
        command = [Path(sys.executable).parent / "moto_server", "-H", "127.0.0.1", "-p", str(port)]
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    try:
        transport = httpx.HTTPTransport(retries=12)  # Waits until it listens: 0.5 s, 1 s, 2 s…
        with httpx.Client(transport=transport) as client:
            client.put(f"{url}/blobs", headers={"Authorization": "AWS4-HMAC-SHA256 Credential=test/x/us-east-1/s3/aws4_request"})
        yield url
    finally:
        server.terminate()
        server.wait()


def test_the_contract_holds_in_s3(s3):
    """`--locked` and release: what `make test` built runs again, now with a server."""
    command = ["cargo", "test", "--release", "--locked", "-p", "decalog-blob", "--test", "blob", "in_s3", "--", "--ignored"]
    result = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=os.environ | {"DECALOG_TEST_S3": s3},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "12 passed" in result.stdout, result.stdout
