"""Mastodon.py as a strict reader: people whose every answer is judged, a second way to sign in, and requests by hand."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import requests
from mastodon import Mastodon, MastodonAPIError

from clients.account import first_password
from clients.browser import Browser
from clients.people import SCOPES, People, eventually, feed_server
from decalog_server import PASSWORD, SECRETS

# One for all requests by hand: making one takes longer than most requests. Each has a connection of its own.
HTTP = httpx.Client(timeout=20, limits=httpx.Limits(max_keepalive_connections=0))


def judge(answer: requests.Response | httpx.Response) -> None:
    """Whatever is asked, the server does not break, and what it refuses it refuses in Mastodon's form."""
    where = f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:300]}"
    assert answer.status_code < 500, where
    if answer.status_code >= 400:
        said = answer.json().get("error")
        assert isinstance(said, str) and said, where


def session() -> requests.Session:
    """What Mastodon.py speaks through: every answer is judged."""
    made = requests.Session()
    made.hooks["response"].append(lambda answer, *_, **__: judge(answer))
    return made


class Crowd(People):
    """People whose answers are judged."""

    def nobody(self) -> Mastodon:
        """Somebody who is not signed in."""
        return Mastodon(*self.app, api_base_url=self.url, session=session())

    def let_in(self, name: str, scopes: list[str]) -> Mastodon:
        """A second session of somebody: in the browser they sign in and allow it, and copy the code that is shown."""
        client = self.nobody()
        browser = Browser(self.url)
        browser.open(client.auth_request_url(scopes=scopes, allow_http=True))
        answer = browser.submit(action="sign-in", username=name, password=PASSWORD)
        assert answer.status_code < 400 and "Acceptance" in answer.text, answer.text
        code = re.search(r'<code id="code">([^<]+)</code>', browser.submit(action="approve").text).group(1)
        SECRETS.add(client.log_in(code=code, scopes=scopes, allow_http=True))
        return client

    def with_scopes(self, name: str, scopes: list[str]) -> Mastodon:
        """A session of somebody by an app that asks for these scopes and no others."""
        app = Mastodon.create_app("Scopes", api_base_url=self.url, scopes=scopes)
        SECRETS.add(app[1])
        client = Mastodon(*app, api_base_url=self.url, session=session())
        SECRETS.add(client.log_in(name, PASSWORD, scopes=scopes, allow_http=True))
        return client


def follow(*pairs: tuple[Mastodon, Mastodon]) -> None:
    """The first of each pair follows the second."""
    for one, other in pairs:
        assert one.account_follow(other.me_id).following


def ids(rows) -> list:
    """The ids of what a listing shows."""
    return [row.id for row in rows]


def call(client: Mastodon, method: str, path: str, **keys) -> httpx.Response:
    """A request by hand with somebody's token, if they have one; judged."""
    headers = {"authorization": f"Bearer {client.access_token}"} if client.access_token else {}
    answer = HTTP.request(method, client.api_base_url + path, headers=headers | keys.pop("headers", {}), **keys)
    judge(answer)
    return answer


@contextmanager
def refused(*statuses: int, said: str = "") -> Iterator[None]:
    """What is done within is refused with one of these statuses, in these words."""
    with pytest.raises(MastodonAPIError, match=said or None) as raised:
        yield
    assert raised.value.args[1] in statuses, raised.value


MODERATES = ["read", "write", "follow", "admin:read", "admin:write"]


def moderator(server) -> Mastodon:
    """The administrator that the first start made, who moderates, too."""
    app = Mastodon.create_app("Moderation", api_base_url=server.url, scopes=MODERATES)
    SECRETS.add(app[1])
    client = Mastodon(*app, api_base_url=server.url, session=session())
    SECRETS.add(client.log_in("admin", first_password(server), scopes=MODERATES, allow_http=True))
    client.me_id, client.name = client.me().id, "admin"
    return client
