"""Accounts and tokens, driven by Authlib as the client and joserfc as the judge of what is signed."""

import subprocess
import time
from collections.abc import Callable

import httpx
import pytest
from authlib.integrations.httpx_client import OAuth2Client, OAuthError
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import KeySet

from clients.account import audit, first_password
from clients.browser import Browser
from decalog_server import BINARY, Server, trading_unit

BACK = "http://127.0.0.1:1/back"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.fixture(scope="module")
def server(make_server: Callable[..., Server]) -> Server:
    """A server where strangers may register clients."""
    server = make_server([trading_unit(0, ["ACME"], ["ALICE"])], start=False)
    server.config.write_text(server.config.read_text() + "\n[identity]\nopen_registration = true\n")
    return server.start()


@pytest.fixture(scope="module")
def password(server: Server) -> str:
    """The first account's password, as it was printed once."""
    return first_password(server)


@pytest.fixture(scope="module")
def described(server: Server) -> dict:
    """What the server says of itself; both documents say the same."""
    one = httpx.get(f"{server.url}/.well-known/openid-configuration").json()
    assert one == httpx.get(f"{server.url}/.well-known/oauth-authorization-server").json()
    assert one["issuer"] == server.url
    return one


def sign_in(browser: Browser, password: str) -> None:
    """Fills in the page that asks who is there."""
    assert "Sign in" in browser.page.text
    answer = browser.submit(action="sign-in", username="admin", password=password)
    assert answer.status_code < 400, answer.text


@pytest.fixture(scope="module")
def app(server: Server, described: dict) -> dict:
    """A client that registered itself."""
    asked = {
        "client_name": "An app",
        "redirect_uris": [BACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": "openid profile exchange:read",
    }
    answer = httpx.post(described["registration_endpoint"], json=asked)
    assert answer.status_code == 201, answer.text
    return answer.json()


def client_of(app: dict, described: dict, scope: str = "openid profile exchange:read") -> OAuth2Client:
    """Authlib, told what the server said."""
    return OAuth2Client(
        app["client_id"],
        app["client_secret"],
        scope=scope,
        redirect_uri=BACK,
        code_challenge_method="S256",
        token_endpoint=described["token_endpoint"],
        revocation_endpoint=described["revocation_endpoint"],
        introspection_endpoint=described["introspection_endpoint"],
    )


def grant(server: Server, app: dict, described: dict, password: str) -> tuple[OAuth2Client, dict]:
    """A person lets the app in: authorization code with PKCE."""
    client = client_of(app, described)
    verifier = "v" * 64
    url, state = client.create_authorization_url(
        described["authorization_endpoint"], code_verifier=verifier, nonce="a-nonce"
    )
    assert create_s256_code_challenge(verifier) in url
    browser = Browser(server.url)
    browser.open(url)
    sign_in(browser, password)
    assert "An app" in browser.page.text
    browser.submit(action="approve")
    assert browser.sent()["state"] == state and browser.sent()["iss"] == server.url
    location = browser.page.headers["location"]
    return client, client.fetch_token(authorization_response=location, code_verifier=verifier)


@pytest.fixture(scope="module")
def admin(server: Server, described: dict, password: str) -> str:
    """A token of the administrator, by the device grant."""
    asked = httpx.post(described["device_authorization_endpoint"], data={"client_id": "decalog"}).json()
    client = OAuth2Client("decalog", token_endpoint_auth_method="none")
    poll = {"grant_type": DEVICE, "device_code": asked["device_code"]}
    with pytest.raises(OAuthError, match="authorization_pending"):
        client.fetch_token(described["token_endpoint"], **poll)
    browser = Browser(server.url)
    browser.open(asked["verification_uri"])
    sign_in(browser, password)
    browser.submit(action="find", user_code=asked["user_code"].lower())
    assert "identity:admin" in browser.page.text
    browser.submit(action="approve")
    return client.fetch_token(described["token_endpoint"], **poll)["access_token"]


def api(server: Server, token: str, method: str, path: str, **keys) -> httpx.Response:
    """A call with a token."""
    return httpx.request(method, server.url + path, headers={"authorization": f"Bearer {token}"}, **keys)


def test_code_with_pkce_gives_tokens_that_another_library_verifies(server, app, described, password):
    """The ID token and the access token are signed with a published key; joserfc agrees."""
    client, token = grant(server, app, described, password)
    keys = KeySet.import_key_set(httpx.get(described["jwks_uri"]).json())
    claims = jwt.decode(token["id_token"], keys, algorithms=["EdDSA"]).claims
    asked = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": server.url},
        aud={"essential": True, "value": app["client_id"]},
        nonce={"essential": True, "value": "a-nonce"},
        exp={"essential": True},
    )
    asked.validate(claims)
    assert claims["preferred_username"] == "admin"
    access = jwt.decode(token["access_token"], keys, algorithms=["EdDSA"])
    assert access.header["typ"] == "at+jwt" and access.claims["scope"] == "exchange:read openid profile"
    head, body, signature = token["access_token"].split(".")
    with pytest.raises(BadSignatureError):
        jwt.decode(f"{head}.{body}.{'A' * len(signature)}", keys, algorithms=["EdDSA"])
    assert api(server, f"{head}.{body}.{'A' * len(signature)}", "GET", "/v1/me").status_code == 401
    assert client.get(f"{server.url}/v1/me").json()["name"] == "admin"
    assert client.get(described["userinfo_endpoint"]).json()["sub"] == claims["sub"]
    forbidden = client.get(f"{server.url}/v1/admin/accounts")
    assert forbidden.status_code == 403 and "identity:admin" in forbidden.text


def test_a_refresh_token_that_comes_twice_ends_the_grant(server, app, described, password):
    """Rotation, and what a thief gets."""
    client, token = grant(server, app, described, password)
    second = client.refresh_token(described["token_endpoint"], token["refresh_token"])
    assert second["refresh_token"] != token["refresh_token"]
    assert api(server, second["access_token"], "GET", "/v1/me").status_code == 200
    with pytest.raises(OAuthError, match="invalid_grant"):
        client.refresh_token(described["token_endpoint"], token["refresh_token"])
    assert api(server, second["access_token"], "GET", "/v1/me").status_code == 401
    with pytest.raises(OAuthError, match="invalid_grant"):
        client.refresh_token(described["token_endpoint"], second["refresh_token"])


def test_introspection_and_revocation(server, app, described, password):
    """A token is active until it is revoked, and refused at once after that."""
    client, token = grant(server, app, described, password)
    url = described["introspection_endpoint"]
    seen = client.introspect_token(url, token=token["access_token"]).json()
    assert seen["active"] and seen["username"] == "admin" and seen["client_id"] == app["client_id"]
    assert client.introspect_token(url, token=token["refresh_token"]).json()["active"]
    assert client.revoke_token(described["revocation_endpoint"], token=token["refresh_token"]).status_code == 200
    assert client.introspect_token(url, token=token["access_token"]).json() == {"active": False}
    assert api(server, token["access_token"], "GET", "/v1/me").status_code == 401


def test_client_credentials_act_as_a_service_account(server, described, admin):
    """A robot with a client of its own, within the rights of its account."""
    robot = api(server, admin, "POST", "/v1/admin/service-accounts", json={"name": "robot", "roles": ["user"]}).json()
    asked = {
        "id": "robot",
        "name": "A robot",
        "scopes": ["exchange:read", "identity:admin"],
        "grant_types": ["client_credentials"],
        "confidential": True,
        "account": robot["id"],
    }
    made = api(server, admin, "POST", "/v1/admin/clients", json=asked).json()
    client = OAuth2Client(made["client_id"], made["client_secret"], scope="exchange:read identity:admin")
    token = client.fetch_token(described["token_endpoint"], grant_type="client_credentials")
    assert token["scope"] == "exchange:read", "the account is no administrator"
    assert client.get(f"{server.url}/v1/me").json()["name"] == "robot"
    wrong = OAuth2Client(made["client_id"], "wrong")
    with pytest.raises(OAuthError, match="invalid_client"):
        wrong.fetch_token(described["token_endpoint"], grant_type="client_credentials")


def test_what_happened_is_in_the_audit_trail_and_survives_kill_9(server, app, described, password, admin):
    """The trail over HTTP and by `decalog audit` beside the running server; tokens live on after a crash."""
    grant(server, app, described, password)
    server.restart()
    assert api(server, admin, "GET", "/v1/me").status_code == 200
    assert server.output().count("made admin with the password") == 1
    lines = audit(server, api(server, admin, "GET", "/v1/admin/audit"), "--account", "admin")
    kinds = {line["event"] for line in lines}
    assert {"account-opened", "session-started", "consented", "reuse-detected", "device-decided"} <= kinds
    over_http = api(server, admin, "GET", "/v1/admin/audit", params={"event": "consented"}).json()["events"]
    by_command = [line for line in lines if line["event"] == "consented"]
    assert [line["offset"] for line in over_http] == [line["offset"] for line in by_command]
    shown = subprocess.check_output([BINARY, "log", "cat", server.data], text=True)
    assert "log-on" in shown and "argon2id" not in shown


def test_a_flood_of_wrong_logons_fills_no_log_and_starves_nobody(server, admin):
    """Strangers' names leave no record, and other routes are served meanwhile."""
    before = len(audit(server, api(server, admin, "GET", "/v1/admin/audit")))
    browser = Browser(server.url)
    browser.open("/oauth/device")
    began = time.monotonic()
    for number in range(20):
        answer = browser.submit(action="sign-in", username=f"nobody{number}", password="x")
        assert answer.status_code == 401
    assert api(server, admin, "GET", "/v1/me").status_code == 200
    after = len(audit(server, api(server, admin, "GET", "/v1/admin/audit")))
    assert after == before, f"{after - before} records in {time.monotonic() - began:.1f} s"
