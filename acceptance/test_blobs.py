"""Blobs in S3, as somebody else's server keeps it: the contract of foundation/blob against moto, over HTTP."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.object_store import ObjectStore
from decalog_server import REPOSITORY


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[str]:
    """The address of an S3 server with an empty bucket."""
    store = ObjectStore(tmp_path / "moto.log")
    try:
        yield store.start().url
    finally:
        store.kill()


def test_the_contract_holds_in_s3(s3):
    """`--locked` and release: what `make test` built runs again, now with a server."""
    command = ["cargo", "test", "--release", "--locked", "--test", "blob", "in_s3", "--", "--ignored"]
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
