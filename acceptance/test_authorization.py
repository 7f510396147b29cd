"""Who may what: every route without a credential, with a wrong one and with the right one; and what OWASP's API top ten
(2023) would try. The routes come from the server's own description, so a new one is tested without being listed here."""

import base64
import gzip
import json
import re
import socket
import time

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey

from clients.account import Account
from clients.browser import Browser
from decalog_server import PASSWORD, Server, trading_unit

METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def server(make_server) -> Server:
    """A server with two ordinary accounts, whose market data is not public and whose limits do not get in the way."""
    server = make_server([trading_unit(0, ["ACME"], ["ALICE"])], start=False, accounts=["alice", "bob"])
    text = server.config.read_text() + "\n[exchange.feed]\npublic = false\n[http.limits]\nsign_in_per_minute = 0\n"
    server.config.write_text(text)
    # All that can be logged, for the search for secrets at the end.
    server.environment["RUST_LOG"] = "trace"
    return server.start()


@pytest.fixture(scope="module")
def admin(server) -> Account:
    return Account.admin(server)


@pytest.fixture(scope="module")
def alice(server) -> Account:
    return Account(server, "alice", PASSWORD)


@pytest.fixture(scope="module")
def bob(server) -> Account:
    return Account(server, "bob", PASSWORD)


@pytest.fixture(scope="module")
def operations(server) -> list[tuple[str, str, list[str] | None]]:
    """Every operation: method, path with something for each parameter, and the scopes it needs (none: signed in is enough;
    None: public)."""
    found = []
    for path, item in httpx.get(f"{server.url}/openapi.json").json()["paths"].items():
        concrete = re.sub(r"{\w+}", "1", path)
        for method in METHODS:
            if method in item:
                needs = item[method]["security"]
                scopes = needs[0]["bearer"] if needs else None
                found.append((method.upper(), concrete, scopes))
    assert len(found) > 35
    return found


def call(server: Server, method: str, path: str, **headers: str) -> httpx.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.request(method, server.url + path, headers=names)


def is_problem(answer: httpx.Response, status: int, name: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:decalog:problem:{name}"


def test_without_a_credential_only_the_public_is_answered(server, operations):
    for method, path, scopes in operations:
        answer = call(server, method, path)
        if scopes is None:
            assert answer.status_code != 401 or path.startswith("/oauth/"), f"{method} {path}"
        else:
            is_problem(answer, 401, "credential-required")
            assert answer.headers["www-authenticate"].startswith("Bearer ")


def test_a_scope_opens_its_own_routes_and_no_others(server, admin, operations):
    """Function-level authorization (API5): for each scope there is, a key that has everything but it, and one with it."""
    rights = {"identity:admin", "identity:self", "exchange:read", "exchange:trade"}
    me = admin.id()
    keys = {right: admin.api_key(me, sorted(rights - {right}))["key"] for right in sorted(rights)}
    holds = {right: admin.api_key(me, [right])["key"] for right in sorted(rights)}
    tried = set()
    for method, path, scopes in operations:
        for scope in scopes or []:
            if scope not in rights:
                continue  # openid: of OAuth clients only
            is_problem(call(server, method, path, x_api_key=keys[scope]), 403, "insufficient-scope")
            if method == "GET":
                assert call(server, method, path, x_api_key=holds[scope]).status_code not in (401, 403), path
            tried.add(scope)
    assert tried == {"identity:admin", "identity:self", "exchange:read"}


def test_what_belongs_to_others_cannot_be_touched(server, alice, bob):
    """Object-level authorization (API1): Bob's session is not there for Alice, whatever she does with its id."""
    session = bob.call("GET", "/v1/me").json()["session"]
    is_problem(alice.call("DELETE", f"/v1/me/sessions/{session}"), 404, "unknown-identity")
    assert bob.call("GET", "/v1/me").status_code == 200
    mine = {entry["id"] for entry in alice.call("GET", "/v1/me/sessions").json()["sessions"]}
    assert session not in mine and alice.call("GET", "/v1/me").json()["session"] in mine
    for path in ["/v1/me/sessions/0", "/v1/me/sessions/-1", "/v1/me/sessions/18446744073709551616", "/v1/me/sessions/x"]:
        assert alice.call("DELETE", path).status_code == 404, path


@pytest.mark.parametrize("field", ["roles", "scopes", "disabled", "id", "name", "service", "failures"])
def test_a_field_that_is_not_asked_for_is_refused(alice, field):
    """Mass assignment (API3): nothing is set by naming it."""
    answer = alice.call("PUT", "/v1/me/password", json={"current": PASSWORD, "new": PASSWORD + "!", field: ["admin"]})
    assert answer.status_code == 400 and field in answer.json()["detail"]
    assert alice.call("GET", "/v1/me").json()["roles"] == ["user"]


def parts(token: str) -> tuple[dict, dict]:
    """Header and claims of a token."""
    return tuple(json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])


def encoded(value: dict) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_a_token_that_was_tampered_with_is_nobodys(server, alice):
    """Broken authentication (API2): other algorithms, other keys, other claims."""
    head, claims = parts(alice.token)
    header, body, signature = alice.token.split(".")
    public = httpx.get(f"{server.url}/oauth/jwks").json()["keys"][0]
    mine = OKPKey.generate_key("Ed25519")
    secret = OctKey.import_key(base64.urlsafe_b64decode(public["x"] + "=="))
    forged = [
        f"{encoded(head | {'alg': 'none'})}.{body}.",
        f"{encoded(head | {'alg': 'None'})}.{body}.{signature}",
        jwt.encode(head | {"alg": "HS256"}, claims, secret, algorithms=["HS256"]),
        jwt.encode(head, claims, mine, algorithms=["EdDSA"]),
        jwt.encode(head | {"jwk": mine.as_dict(private=False)}, claims, mine, algorithms=["EdDSA"]),
        jwt.encode(head | {"kid": "../../dev/null"}, claims, mine, algorithms=["EdDSA"]),
        jwt.encode(head | {"kid": "' OR 1=1 --"}, claims, mine, algorithms=["EdDSA"]),
        f"{header}.{encoded(claims | {'scope': 'identity:admin'})}.{signature}",
        f"{header}.{encoded(claims | {'exp': claims['exp'] + 10_000})}.{signature}",
        f"{header}.{encoded(claims | {'sub': '1'})}.{signature}",
        f"{header}.{body}.{signature[:-2]}",
        f"{header}.{body}",
        f"{header}.{body}.{signature}.{signature}",
        "." * 10_000,
        "A" * 20_000,
    ]
    for token in forged:
        is_problem(call(server, "GET", "/v1/me", authorization=f"Bearer {token}"), 401, "invalid-credential")
    assert call(server, "GET", "/v1/me", authorization=f"bearer {alice.token}").status_code == 200


def test_a_token_for_somebody_else_is_not_for_us(server, alice):
    """An ID token is no access token, and a refresh token opens nothing."""
    person = Account(server, "alice", PASSWORD, "openid exchange:read offline_access")
    for kind in ("id_token", "refresh_token"):
        if kind in person.tokens:
            answer = call(server, "GET", "/v1/me", authorization=f"Bearer {person.tokens[kind]}")
            is_problem(answer, 401, "invalid-credential")
    assert "id_token" in person.tokens or "refresh_token" in person.tokens


def test_two_credentials_are_one_too_many(server, alice, admin):
    key = admin.api_key(admin.id(), ["identity:self"])["key"]
    answer = call(server, "GET", "/v1/me", authorization=f"Bearer {alice.token}", x_api_key=key)
    is_problem(answer, 400, "invalid-request")


def test_what_is_revoked_is_refused_within_a_second(server, admin):
    person = Account(server, "bob", PASSWORD)
    assert person.call("GET", "/v1/me").status_code == 200
    session = person.call("GET", "/v1/me").json()["session"]
    assert person.call("DELETE", f"/v1/me/sessions/{session}").status_code == 204
    revoked = time.monotonic()
    while person.call("GET", "/v1/me").status_code != 401:
        assert time.monotonic() - revoked < 1.0
    key = admin.api_key(admin.id(), ["identity:self"])
    assert call(server, "GET", "/v1/me", x_api_key=key["key"]).status_code == 200
    assert admin.call("DELETE", f"/v1/admin/api-keys/{key['id']}").status_code == 204
    revoked = time.monotonic()
    while call(server, "GET", "/v1/me", x_api_key=key["key"]).status_code != 401:
        assert time.monotonic() - revoked < 1.0


def test_an_administrator_without_the_right_in_hand_is_nobody_special(server):
    """A token has what was asked for, not all that its account may."""
    person = Account.admin(server, "exchange:read")
    is_problem(person.call("GET", "/v1/admin/accounts"), 403, "insufficient-scope")
    assert person.call("GET", "/v1/instruments").status_code == 200


def test_injection_finds_nothing_that_listens(server, admin):
    """Names are compared, never interpreted (API8, injection)."""
    for name in ["admin' --", "admin\" or \"1\"=\"1", "*", "admin\x00", "../admin", "${jndi:ldap://x}", "<b>admin</b>"]:
        answer = admin.call("POST", "/v1/admin/accounts", json={"name": name, "password": PASSWORD})
        assert answer.status_code == 422, name
    answer = call(server, "GET", "/v1/instruments/%3Cscript%3E", authorization=f"Bearer {admin.token}")
    assert answer.status_code == 404 and "<script>" not in answer.text


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "/v1/%2e%2e/%2e%2e/etc/passwd", "/v1/..%2f..%2fetc/passwd", "//etc/passwd", "/v1/me/..;/"]
)
def test_paths_lead_to_routes_and_nowhere_else(server, path):
    with socket.create_connection(("127.0.0.1", server.ports.http), timeout=10) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
        answer = b""
        while chunk := sock.recv(65536):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 404") and b"root:" not in answer


def test_a_form_from_elsewhere_is_not_taken(server):
    """CSRF: a page of another site can make a browser send a form with its cookies, but does not know the form's token."""
    browser = Browser(server.url)
    browser.open("/oauth/device")
    browser.submit(action="sign-in", username="alice", password=PASSWORD)
    answer = browser.http.post(f"{server.url}/oauth/device", data={"action": "approve", "user_code": "XXXX-XXXX"})
    assert answer.status_code == 403
    for cookie in browser.http.cookies.jar:
        assert cookie.has_nonstandard_attr("HttpOnly") and cookie.get_nonstandard_attr("SameSite") in ("Lax", "Strict")


def test_no_redirect_leads_where_a_stranger_wants(server, admin):
    """Open redirect: only a client's own address is ever answered to."""
    client = {
        "id": "web", "name": "Web", "redirect_uris": ["https://app.example/back"], "scopes": ["exchange:read"],
        "grant_types": ["authorization_code"],
    }  # fmt: skip
    assert admin.call("POST", "/v1/admin/clients", json=client).status_code == 201
    for uri in [
        "https://evil.example/", "https://app.example/back/../evil", "https://app.example.evil.example/back",
        "https://app.example/back?x=1", "//evil.example", "javascript:alert(1)", "https://app.example/back#x",
    ]:  # fmt: skip
        asked = {"client_id": "web", "response_type": "code", "redirect_uri": uri, "state": "s"}
        answer = httpx.get(f"{server.url}/oauth/authorize", params=asked, follow_redirects=False)
        assert answer.status_code == 400 and "location" not in answer.headers, uri


def test_bodies_are_bounded_and_bombs_are_not_unpacked(server, admin):
    """Unrestricted resource consumption (API4)."""
    large = {"name": "x" * 100_000, "password": PASSWORD}
    is_problem(admin.call("POST", "/v1/admin/accounts", json=large), 413, "body-too-large")
    bomb = gzip.compress(b" " * 100_000_000)
    headers = {"authorization": f"Bearer {admin.token}", "content-type": "application/json", "content-encoding": "gzip"}
    answer = httpx.post(f"{server.url}/v1/admin/accounts", content=bomb[:60_000], headers=headers)
    assert answer.status_code in (400, 415), answer.text
    deep = "[" * 20_000 + "]" * 20_000
    answer = httpx.post(f"{server.url}/v1/admin/accounts", content=deep, headers=headers | {"content-encoding": "identity"})
    assert answer.status_code == 400


def test_a_header_bomb_is_refused(server):
    with socket.create_connection(("127.0.0.1", server.ports.http), timeout=10) as sock:
        sock.sendall(b"GET /v1/me HTTP/1.1\r\nhost: x\r\n")
        try:
            for number in range(2_000):
                sock.sendall(f"x-{number}: {'y' * 100}\r\n".encode())
            sock.sendall(b"\r\n")
            answer = sock.recv(65536)
        except OSError:
            answer = b""
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize(
    "head",
    [
        b"content-length: 4\r\ncontent-length: 5\r\n",
        b"content-length: 4\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: chunked, identity\r\n",
        b"transfer-encoding: \x0bchunked\r\n",
        b"content-length: +4\r\n",
        b"host: y\r\n",
    ],
    ids=["two-lengths", "length-and-chunks", "unknown-coding", "odd-coding", "signed-length", "two-hosts"],
)
def test_what_two_servers_could_read_in_two_ways_ends_the_connection(server, head):
    """Request smuggling: nothing after such a request is taken for another one."""
    smuggled = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.ports.http), timeout=10) as sock:
        sock.sendall(b"POST /oauth/token HTTP/1.1\r\nhost: x\r\n" + head + b"\r\n0\r\n\r\n" + smuggled)
        answer = b""
        try:
            while chunk := sock.recv(65536):
                answer += chunk
        except ConnectionError:
            pass
    assert b'"openapi"' not in answer


def test_refusals_are_counted(server):
    text = httpx.get(server.metrics_url).text
    counted = dict(re.findall(r'decalog_http_refusals_total\{problem="([a-z-]+)"\} (\d+)', text))
    for name in ["credential-required", "invalid-credential", "insufficient-scope", "body-too-large", "not-found"]:
        assert int(counted.get(name, 0)) > 0, f"{name}: {counted}"
