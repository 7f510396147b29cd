"""Sign-in through outside OpenID Connect providers: another Decalog as the provider, and one that signs with joserfc and
says whatever a test wants."""

import base64
import hashlib
import hmac
import json
import re
import struct
import subprocess
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from clients.account import Account, first_password
from clients.browser import Browser
from clients.openid_provider import CLIENT, SECRET, OpenIdProvider
from decalog_server import BINARY, PASSWORD, SECRETS, Server, trading_unit

START = "/oauth/providers/there/start?back=/oauth/device"
SECRETS.add(SECRET)


def configured(server: Server, provider: dict[str, object]) -> None:
    """Adds a provider to a server's configuration, and lets it be asked on this machine."""
    lines = ['[outbound]\nallow = ["127.0.0.0/8"]\nplain_http = true', "[resilience]\nbreaker_seconds = 1"]
    lines += ["[[identity.providers]]"]
    lines += [f"{key} = {json.dumps(value)}" for key, value in provider.items()]
    server.config.write_text(server.config.read_text() + "\n" + "\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def there() -> Iterator[OpenIdProvider]:
    """The provider that is led."""
    provider = OpenIdProvider()
    yield provider
    provider.stop()


@pytest.fixture
def calm(there: OpenIdProvider) -> OpenIdProvider:
    """The same, as it was at first."""
    there.subject, there.claims, there.algorithm, there.sign = "248289761001", {}, "RS256", there.signed
    return there


def settings(there: OpenIdProvider, **more: object) -> dict[str, object]:
    """How a server knows it."""
    return {
        "name": "there",
        "label": "There",
        "issuer": there.issuer,
        "client_id": CLIENT,
        "client_secret": SECRET,
    } | more


@pytest.fixture(scope="module")
def server(make_server: Callable[..., Server], there: OpenIdProvider) -> Server:
    """A server for people who linked their accounts."""
    server = make_server([trading_unit(0, ["ACME"], ["ALICE"])], start=False, accounts=["ada", "bob"])
    configured(server, settings(there))
    return server.start()


@pytest.fixture(scope="module")
def open_server(make_server: Callable[..., Server], there: OpenIdProvider) -> Server:
    """A server where strangers are welcome."""
    server = make_server([trading_unit(0, ["ACME"], ["ALICE"])], start=False, accounts=["ada"])
    configured(server, settings(there, accounts="open"))
    return server.start()


def go(browser: Browser, url: str) -> httpx.Response:
    """Follows one redirect after the other, to the provider and back, as browsers do."""
    response = browser.open(url)
    while response.is_redirect:
        response = browser.open(response.headers["location"])
    return response


def away(browser: Browser) -> str:
    """Begins to sign in; the provider says yes, and the way back is not followed yet."""
    address = browser.open(START).headers["location"]
    back = httpx.get(address)
    assert back.is_redirect, back.text
    return back.headers["location"]


def is_in(browser: Browser) -> bool:
    """Is somebody signed in?"""
    return "Code on the device" in browser.open("/oauth/device").text


def signed_in(server: Server, name: str) -> Browser:
    """A browser of somebody who gave their password."""
    browser = Browser(server.url)
    browser.open("/oauth/providers")
    assert "Sign in with There" in browser.page.text
    answer = browser.submit(action="sign-in", username=name, password=PASSWORD)
    assert "Other ways to sign in" in answer.text, answer.text
    return browser


def link(server: Server, name: str) -> Browser:
    """Somebody links their account to whoever they are at the provider."""
    browser = signed_in(server, name)
    answer = browser.submit(action="link there", password=PASSWORD)
    assert go(browser, answer.headers["location"]).status_code == 200
    return browser


def outcomes(server: Server) -> dict[str, int]:
    """How sign-ins ended, as the metrics say."""
    text = httpx.get(server.metrics_url).text
    pattern = r'^decalog_provider_sign_ins_total\{provider="there",outcome="([\w-]+)"\} (\d+)'
    return {outcome: int(count) for outcome, count in re.findall(pattern, text, re.MULTILINE)}


def events(server: Server, *kinds: str) -> list[dict]:
    """The audit trail."""
    text = subprocess.check_output([BINARY, "audit", server.data, "--json"], text=True)
    return [event for event in map(json.loads, text.splitlines()) if event["event"] in kinds]


def totp(secret: str, step: int) -> str:
    """A one-time code (RFC 6238), by the book."""
    digest = hmac.new(base64.b32decode(secret), struct.pack(">Q", step), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 10**6:06}"


def test_who_linked_their_account_signs_in_again_and_who_did_not_is_refused(server, calm):
    """Linked with a proof, used by each algorithm, told of, unlinked, and known after kill -9."""
    calm.subject, calm.claims = "ada-there", {"preferred_username": "ada", "email": "ada@x.example", "email_verified": True}
    stranger = Browser(server.url)
    refused = go(stranger, START)
    assert refused.status_code == 403 and "no account here is linked" in refused.text, "a name opens nothing"
    assert not is_in(stranger)
    browser = signed_in(server, "ada")
    assert browser.submit(action="link there", password="wrong").status_code == 403
    assert browser.submit(action="link there").status_code == 403, "a session alone is no proof"
    linked = link(server, "ada")
    assert "You can sign in with There" in linked.page.text
    for algorithm in ["RS256", "ES256", "EdDSA"]:
        calm.algorithm = algorithm
        again = Browser(server.url)
        assert "Code on the device" in go(again, START).text, algorithm
    server.restart()
    assert "Code on the device" in go(Browser(server.url), START).text, "the link is in the log"
    calm.subject = "somebody else"
    assert go(Browser(server.url), START).status_code == 403
    told = events(server, "provider-linked", "provider-used", "provider-unlinked")
    assert [event["event"] for event in told] == ["provider-linked"] + ["provider-used"] * 4
    assert told[0]["issuer"] == calm.issuer and told[0]["subject"] == "ada-there"
    ada = Account(server, "ada", PASSWORD)
    listed = ada.call("GET", "/v1/me/providers").json()
    assert listed["providers"] == [{"name": "there", "label": "There"}]
    (one,) = listed["links"]
    assert one["provider"] == "there" and one["subject"] == "ada-there" and one["used"]
    bob = Account(server, "bob", PASSWORD)
    path = f"/v1/me/providers/{one['id']}"
    assert bob.call("DELETE", path, json={"password": PASSWORD}).status_code == 404, "another's link"
    assert ada.call("DELETE", path, json={"password": "wrong"}).status_code == 403
    assert ada.call("DELETE", path, json={"password": PASSWORD}).status_code == 204
    calm.subject = "ada-there"
    assert go(Browser(server.url), START).status_code == 403


def test_the_second_factor_is_still_asked_for(server, calm):
    """A code of the app, once; a wrong one is a failed logon; another browser's page counts nothing."""
    calm.subject = "bob-there"
    link(server, "bob")
    bob = Account(server, "bob", PASSWORD)
    secret = bob.call("POST", "/v1/me/totp", json={"password": PASSWORD}).json()["secret"]
    step = int(time.time()) // 30
    confirmed = bob.call("PUT", "/v1/me/totp", json={"code": totp(secret, step)})
    assert confirmed.status_code == 200, confirmed.text
    browser = Browser(server.url)
    page = go(browser, START)
    assert "Second factor" in page.text and not is_in(browser)
    browser.page = page
    assert browser.submit(action="complete", otp="000000").status_code == 401
    browser.page = page
    code = confirmed.json()["recovery_codes"][0]
    thief = Browser(server.url)
    thief.open("/oauth/device")
    own = re.search(r'name="csrf" value="([^"]+)"', thief.page.text).group(1)
    thief.page = page
    assert thief.submit(action="complete", otp=code, csrf=own).status_code == 401, "another browser"
    assert "Code on the device" in browser.submit(action="complete", otp=code).text
    again = Browser(server.url)
    go(again, START)
    assert again.submit(action="complete", otp=code).status_code == 401, "a recovery code counts once"
    assert events(server, "logons-failed")
    bob.call("DELETE", "/v1/me/totp", json={"password": PASSWORD})


def test_a_stranger_gets_an_account_where_strangers_are_welcome(open_server, calm):
    """Of the role user and a name of its own, however the provider calls them; the same one the next time."""
    calm.subject = "eve"
    calm.claims = {"preferred_username": "Ada", "email": "ada@x.example", "email_verified": True}
    browser = Browser(open_server.url)
    assert "Code on the device" in go(browser, START).text
    assert "sign in to ada-2" in browser.open("/oauth/providers").text, "ada is somebody else, whatever the address"
    again = Browser(open_server.url)
    go(again, START)
    assert "sign in to ada-2" in again.open("/oauth/providers").text
    assert "unlink" in again.page.text
    number = re.search(r'value="(unlink \d+)"', again.page.text).group(1)
    assert again.submit(action=number).status_code == 409, "it is the only way in"
    admin = Account.admin(open_server)
    accounts = {one["name"]: one for one in admin.call("GET", "/v1/admin/accounts").json()["accounts"]}
    assert accounts["ada-2"]["roles"] == ["user"]
    assert outcomes(open_server)["opened"] == 1


def refusals(there: OpenIdProvider) -> list[tuple[str, Callable[[], None], str]]:
    """What a provider must not say, and how that is counted."""

    def say(**claims: object) -> Callable[[], None]:
        return lambda: there.claims.update(claims)

    def sign(how: Callable[[dict], str]) -> Callable[[], None]:
        return lambda: setattr(there, "sign", how)

    now = int(time.time())
    return [
        ("another nonce", say(nonce="n"), "token-nonce"),
        ("another audience", say(aud="somebody else"), "token-audience"),
        ("another party among several", say(aud=[CLIENT, "them"], azp="them"), "token-audience"),
        ("another issuer", say(iss="http://127.0.0.1:1"), "token-issuer"),
        ("expired", say(exp=now - 3600), "token-expired"),
        ("made long ago", say(iat=now - 3600), "token-moment"),
        ("nobody", say(sub=""), "token-subject"),
        ("alg none", sign(there.unsigned), "token-algorithm"),
        ("HS256 with the public key", sign(there.confused), "token-algorithm"),
        ("another key by the same name", sign(there.forged), "token-signature"),
        ("no token", sign(lambda _: "no token"), "token-form"),
    ]


@pytest.mark.parametrize("number", range(11))
def test_what_a_provider_must_not_say_is_refused_and_counted(open_server, calm, number):
    """A clear page, nobody signed in, and one more of its kind in the metrics."""
    calm.subject = "mallory"
    what, prepare, outcome = refusals(calm)[number]
    prepare()
    before = outcomes(open_server).get(outcome, 0)
    browser = Browser(open_server.url)
    refused = go(browser, START)
    assert refused.status_code == 400 and "Not signed in with There" in refused.text, what
    assert "Sign in otherwise" in refused.text and not is_in(browser), what
    assert outcomes(open_server)[outcome] == before + 1, what


def test_an_answer_counts_once_in_the_browser_that_asked(open_server, calm):
    """Replayed, in another browser, of no browser, with somebody else's code, of another provider."""
    calm.subject = "frank"
    ada, mallory = Browser(open_server.url), Browser(open_server.url)
    back = away(mallory)
    ada.open("/oauth/device")
    foreign = ada.open(back)
    assert foreign.status_code == 400 and "did not begin in this browser" in foreign.text
    assert Browser(open_server.url).open(back).status_code == 400 and not is_in(ada)
    assert "Code on the device" in mallory.open(back).text
    replayed = mallory.open(back)
    assert replayed.status_code == 400 and "used before" in replayed.text
    stolen = httpx.URL(away(ada)).params["code"]
    own = httpx.URL(away(thief := Browser(open_server.url)))
    injected = thief.open(str(own.copy_set_param("code", stolen)))
    assert injected.status_code == 400 and "invalid_grant" in injected.text and not is_in(thief)
    mixed = httpx.URL(away(thief)).copy_set_param("iss", "https://elsewhere.example")
    assert thief.open(str(mixed)).status_code == 400
    silent = httpx.URL(away(thief)).copy_remove_param("iss")
    assert thief.open(str(silent)).status_code == 400, "it promised to say who answers"
    bent = httpx.URL(away(thief))
    state = bent.params["state"]
    assert thief.open(str(bent.copy_set_param("state", state[:-1] + "AB"[state[-1] == "A"]))).status_code == 400
    denied = httpx.URL(away(thief)).copy_remove_param("code").copy_set_param("error", "access_denied")
    answer = thief.open(str(denied))
    assert answer.status_code == 403 and "access_denied" in answer.text and not is_in(thief)
    counted = outcomes(open_server)
    assert {"foreign-state", "used-state", "code-refused", "other-issuer", "denied"} <= counted.keys()
    for start in ["https://evil.example/", "//evil.example", "/v1/me", "/oauth/device/../../x"]:
        assert thief.open(f"/oauth/providers/there/start?back={start}").status_code == 400, start
    assert thief.open("/oauth/providers/nobody/start").status_code == 404


@pytest.mark.parametrize("mood", ["gone", "hang", "error", "flood"])
def test_a_provider_that_is_gone_leaves_other_sign_ins(make_server, mood):
    """Dead, silent, broken or without end: a clear page in time, bounded memory, and passwords as ever."""
    there = OpenIdProvider()
    server = make_server([trading_unit(0, ["ACME"], ["ALICE"])], start=False, accounts=["ada"])
    configured(server, settings(there))
    server.start()
    if mood == "gone":
        there.stop()
    else:
        there.mood = mood
    memory = server.resident_bytes()
    browser = Browser(server.url)
    browser.http.timeout = 30
    page = browser.open(START)
    assert page.status_code in (400, 503) and "Not signed in with There" in page.text, page.text
    assert "Sign in otherwise" in page.text
    assert server.resident_bytes() - memory < 64 * 1024 * 1024, "of 200 MB"
    browser.open("/oauth/device")
    assert "Sign in with There" in browser.page.text
    signed = browser.submit(action="sign-in", username="ada", password=PASSWORD)
    assert "Code on the device" in signed.text, signed.text
    if mood != "gone":
        # What it cannot say, it cannot say of keys and codes either.
        there.mood = ""
        deadline = time.monotonic() + 120
        while not (answer := browser.open(START)).is_redirect:
            assert time.monotonic() < deadline, answer.text
            time.sleep(1)  # poll
        back = httpx.get(answer.headers["location"]).headers["location"]
        there.mood = mood
        page = browser.open(back)
        assert page.status_code in (400, 503) and "Not signed in with There" in page.text, page.text
        there.stop()
    assert sum(outcomes(server).values()) >= 1


def test_another_decalog_is_the_provider(make_server):
    """One server signs in with the other: EdDSA, PKCE, consent, and the second factor of the one that is the client."""
    other = make_server([trading_unit(0, ["ACME"], ["ALICE"])], accounts=["grace"])
    server = make_server([trading_unit(0, ["ACME"], ["ALICE"])], start=False, accounts=["ada"])
    callback = f"{server.url}/oauth/providers/other/callback"
    asked = {
        "id": "decalog-two",
        "name": "The other server",
        "redirect_uris": [callback],
        "scopes": ["openid", "profile"],
        "grant_types": ["authorization_code"],
        "confidential": True,
    }
    made = Account.admin(other).call("POST", "/v1/admin/clients", json=asked).json()
    SECRETS.add(made["client_secret"])
    secret = server.directory / "client-secret"
    secret.write_text(made["client_secret"] + "\n")
    provider = {
        "name": "other",
        "label": "Other",
        "issuer": other.url,
        "client_id": "decalog-two",
        "client_secret_file": str(secret),
        "scopes": ["openid", "profile"],
        "accounts": "open",
    }
    configured(server, provider)
    server.start()
    here, away_there = Browser(server.url), Browser(other.url)
    address = here.open("/oauth/providers/other/start?back=/oauth/device").headers["location"]
    away_there.open(address)
    away_there.submit(action="sign-in", username="grace", password=PASSWORD)
    assert "The other server" in away_there.page.text
    away_there.submit(action="approve")
    assert "Code on the device" in here.open(away_there.page.headers["location"]).text
    assert "sign in to grace" in here.open("/oauth/providers").text
