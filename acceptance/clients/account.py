"""Somebody with an account: signs in as a person does, and calls routes with what comes of it."""

import json
import re
import time

import httpx

from clients.browser import Browser
from decalog_server import SECRETS, decalog

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


def first_password(server) -> str:
    """The first account's password: it is printed once, a moment after the server is ready."""
    deadline = time.monotonic() + 30
    while not (found := re.search(r"made admin with the password (\S+) ", server.output())):
        if time.monotonic() > deadline:
            raise TimeoutError(f"no password; see {server.log}")
        time.sleep(0.01)
    return found.group(1)


def audit(server, shown: httpx.Response, *filters: object) -> list[dict]:
    """What `decalog audit` lists, once the newest event of this answer of /v1/admin/audit is among it: the files follow
    what is answered by a few milliseconds."""
    newest = shown.raise_for_status().json()["events"][-1]

    def lines(*more: object) -> list[dict]:
        listed = decalog("audit", server.data, "--json", *more, **server.environment)
        assert listed.returncode == 0, listed.stderr
        return [json.loads(line) for line in listed.stdout.splitlines()]

    deadline = time.monotonic() + 30
    while not any((line["offset"], line["index"]) == (newest["offset"], newest["index"]) for line in lines()):
        assert time.monotonic() < deadline, f"{newest} is not in the audit trail"
        time.sleep(0.01)
    return lines(*filters)


class Account:
    """A signed-in account with an access token, by the device grant."""

    def __init__(self, server, name: str, password: str, scope: str | None = None) -> None:
        self.server, self.name, self.password = server, name, password
        asked = {"client_id": "decalog"} | ({"scope": scope} if scope else {})
        device = httpx.post(f"{server.url}/oauth/device_authorization", data=asked).raise_for_status().json()
        browser = Browser(server.url)
        browser.open(device["verification_uri_complete"])
        answer = browser.submit(action="sign-in", username=name, password=password)
        assert answer.status_code < 400, answer.text
        browser.submit(action="find", user_code=device["user_code"])
        browser.submit(action="approve")
        poll = {"grant_type": DEVICE, "client_id": "decalog", "device_code": device["device_code"]}
        self.tokens = httpx.post(f"{server.url}/oauth/token", data=poll).raise_for_status().json()
        self.token = self.tokens["access_token"]
        SECRETS.update([password, device["device_code"], *(v for k, v in self.tokens.items() if k.endswith("_token"))])

    @classmethod
    def admin(cls, server, scope: str | None = None) -> "Account":
        """The administrator that the first start made."""
        return cls(server, "admin", first_password(server), scope)

    def call(self, method: str, path: str, **keys) -> httpx.Response:
        """A request with the token."""
        return httpx.request(
            method, self.server.url + path, headers={"authorization": f"Bearer {self.token}"}, timeout=20, **keys
        )

    def id(self) -> str:
        """The account's id."""
        return self.call("GET", "/v1/me").raise_for_status().json()["id"]

    def open(self, name: str, password: str, roles: list[str] = ("user",)) -> str:
        """As an administrator: opens an account, answers its id."""
        body = {"name": name, "password": password, "roles": list(roles)}
        return self.call("POST", "/v1/admin/accounts", json=body).raise_for_status().json()["id"]

    def api_key(self, account: str, scopes: list[str]) -> dict:
        """As an administrator: makes an API key of an account; answers its id and the key."""
        body = {"account": account, "label": "test", "scopes": scopes}
        made = self.call("POST", "/v1/admin/api-keys", json=body).raise_for_status().json()
        SECRETS.add(made["key"])
        return made
