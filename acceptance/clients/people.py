"""People on a feed, each with Mastodon.py, and the server that they are on."""

import time
import uuid
from collections.abc import Callable
from pathlib import Path

from mastodon import Mastodon

from decalog_server import PASSWORD, SECRETS, Ports, Server

SCOPES = ["read", "write", "follow"]


def feed_server(directory: Path) -> Server:
    """A server with a feed that strangers may sign up to; not started."""
    ports = Ports()
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "decalog.toml"
    config.write_text(
        f"""
[telemetry]
listen = "127.0.0.1:{ports.operators}"
[http]
listen = "127.0.0.1:{ports.http}"
[http.limits]
address_per_minute = 0
account_per_minute = 1000000
sign_in_per_minute = 0
[identity]
open_accounts = true
[feed]
enabled = true
rules = ["Be kind."]
"""
    )
    return Server(directory, config, ports)


class People:
    """Makes people: each signs up through one app, by a name of their own."""

    def __init__(self, server: Server):
        self.url = server.url
        self.app = Mastodon.create_app("Acceptance", api_base_url=server.url, scopes=SCOPES, website="https://example.org")
        SECRETS.add(self.app[1])

    def nobody(self) -> Mastodon:
        """Somebody who is not signed in."""
        return Mastodon(*self.app, api_base_url=self.url)

    def join(self, name: str = "", scopes: list[str] = SCOPES) -> Mastodon:
        """Somebody new."""
        client = self.nobody()
        name = (name or "p") + uuid.uuid4().hex[:8]
        token = client.create_account(name, PASSWORD, f"{name}@example.org", agreement=True, scopes=scopes)
        SECRETS.add(token)
        client.me_id, client.name = client.me().id, name
        return client


def eventually(what: str, condition: Callable[[], object], timeout: float = 10.0):
    """Polls until the condition gives something true, and returns it: what concerns others takes a moment."""
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < deadline, f"still waiting: {what}"
        time.sleep(0.01)  # poll
    return found
