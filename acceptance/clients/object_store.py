"""An S3 server nobody here wrote (moto), to be started and killed."""

import subprocess
import sys
from pathlib import Path

import httpx

from decalog_server import free_port

BUCKET = "blobs"
# What it is asked with: it looks at the name of the region only.
AUTHORIZATION = "AWS4-HMAC-SHA256 Credential=test/x/us-east-1/s3/aws4_request"


class ObjectStore:
    """Keeps everything in memory, in one bucket; killed, it has forgotten all."""

    def __init__(self, log: Path):
        self.log, self.port, self.process = log, free_port(), None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "ObjectStore":
        """Starts it and makes the bucket."""
        with self.log.open("ab") as output:
            command = [Path(sys.executable).parent / "moto_server", "-H", "127.0.0.1", "-p", str(self.port)]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        transport = httpx.HTTPTransport(retries=12)  # Waits until it listens: 0.5 s, 1 s, 2 s…
        with httpx.Client(transport=transport) as client:
            client.put(f"{self.url}/{BUCKET}", headers={"Authorization": AUTHORIZATION})
        return self

    def keys(self) -> list[str]:
        """The names of all objects."""
        answer = httpx.get(f"{self.url}/{BUCKET}", headers={"Authorization": AUTHORIZATION}).text
        return [part.split("</Key>")[0] for part in answer.split("<Key>")[1:]]

    def kill(self) -> None:
        """Nobody listens any more."""
        self.process.kill()
        self.process.wait()
