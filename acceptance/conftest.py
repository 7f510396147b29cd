"""What the tests share: servers on data directories of their own, clients that are ended with the test, and options."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clients.mastodon_client import Crowd, Mastodon, feed_server, moderator
from clients.quickfix_client import QuickFixClient, stop_all
from decalog_server import BINARY, Server, Unit


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long the crash test goes on."""
    parser.addoption("--crash-rounds", type=int, default=30, help="rounds of kill -9 in the crash test (default 30)")
    parser.addoption("--crash-seed", type=int, default=None, help="repeat the crash test's random choices")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Without the binary nothing here means anything."""
    if not session.config.option.collectonly and not BINARY.exists():
        pytest.exit(f"{BINARY} does not exist: run `make build`, or set DECALOG_BIN", returncode=3)


@pytest.fixture(scope="module")
def make_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Starts servers for the tests of one file; at its end each is stopped and its output searched for panics."""
    servers: list[Server] = []

    def make(units: list[Unit], start: bool = True, **keys) -> Server:
        server = Server.create(tmp_path_factory.mktemp("server"), units, **keys)
        servers.append(server)
        return server.start() if start else server

    yield make
    problems = []
    for server in servers:
        try:
            server.finish()
        except AssertionError as problem:
            problems.append(str(problem))
        finally:
            if server.process is not None:
                server.kill()
    assert not problems, "\n".join(problems)


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Callable[..., QuickFixClient]]:
    """Makes QuickFIX clients. At the test's end each is stopped, and must not have refused anything of the server's.

    A second client for the same CompID continues where the first one stopped: they share a store.
    """
    clients: list[QuickFixClient] = []

    def make(server: Server, comp_id: str, start: bool = True, **keys) -> QuickFixClient:
        client = QuickFixClient(tmp_path / comp_id, server.fix_port, comp_id, **keys)
        clients.append(client)
        return client.start() if start else client

    yield make
    stop_all(clients)


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a feed, for one file."""
    server = feed_server(tmp_path_factory.mktemp("feed")).start()
    yield server
    server.finish()


@pytest.fixture(scope="module")
def people(feed: Server) -> Crowd:
    """Who makes people on it."""
    return Crowd(feed)


@pytest.fixture(scope="module")
def nobody(people: Crowd) -> Mastodon:
    """Somebody who is not signed in."""
    return people.nobody()


@pytest.fixture(scope="module")
def admin(feed: Server, people: Crowd) -> Mastodon:
    """A moderator of it."""
    return moderator(feed)


@pytest.fixture
def alice(people: Crowd) -> Mastodon:
    """Somebody new."""
    return people.join("alice")


@pytest.fixture
def bob(people: Crowd) -> Mastodon:
    """Somebody else."""
    return people.join("bob")
