"""Web push: what an app that is not open is told, by way of a push service that is slow, broken or gone."""

import base64
import http.server
import json
import os
import threading
from dataclasses import dataclass, field

import http_ece
import pytest
from cryptography.hazmat.backends import default_backend
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import ECKey

from clients.mastodon_client import Crowd, call, eventually, feed_server, follow, refused
from decalog_server import SECRETS

PUSH = ["read", "write", "follow", "push"]


@dataclass
class Pushed:
    """A request that a push service got."""

    path: str
    headers: dict
    body: bytes


@dataclass
class PushService:
    """A push service: answers with what `status` says, after `answers` is set."""

    status: list[int] = field(default_factory=list)
    got: list[Pushed] = field(default_factory=list)
    answers: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    def start(self) -> "PushService":
        """Listens; after a stop at the same port."""
        service = self
        self.answers.set()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                service.got.append(Pushed(self.path, dict(self.headers.items()), body))
                service.answers.wait(60)
                self.send_response(service.status.pop(0) if service.status else 201)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                """Silence."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def stop(self) -> None:
        """Nobody listens any more."""
        self.answers.set()
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def service():
    started = PushService().start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def feed(tmp_path_factory):
    """A server that may call this machine."""
    server = feed_server(tmp_path_factory.mktemp("push"))
    more = '\n[outbound]\nallow = ["127.0.0.0/8"]\nplain_http = true\n[resilience]\nbreaker_seconds = 1\n'
    server.config.write_text(server.config.read_text().replace("[feed]\n", '[feed]\ncontact = "ops@example.org"\n') + more)
    server.start()
    yield server
    server.finish()


class Phone:
    """An app of somebody, with keys of its own."""

    def __init__(self, people: Crowd, owner):
        self.client = people.with_scopes(owner.name, PUSH)
        self.client.me_id = owner.me_id
        self.private, self.public = self.client.push_subscription_generate_keys()

    def subscribe(self, endpoint: str, standard: bool = False, policy: str = "all", **alerts):
        """Asks to be pushed to; mentions unless said otherwise."""
        alerts = alerts or {"mention": True}
        text = lambda octets: base64.urlsafe_b64encode(octets).decode().rstrip("=")
        keys = {"p256dh": text(self.public["pubkey"]), "auth": text(self.public["auth"])}
        body = {
            "subscription": {"endpoint": endpoint, "keys": keys, "standard": standard},
            "data": {"alerts": alerts, "policy": policy},
        }
        return call(self.client, "POST", "/api/v1/push/subscription", json=body)

    def read(self, pushed: Pushed) -> dict:
        """What was pushed, by RFC 8291."""
        assert pushed.headers["content-encoding"] == "aes128gcm"
        key = ec.derive_private_key(self.private["privkey"], ec.SECP256R1(), default_backend())
        plain = http_ece.decrypt(pushed.body, private_key=key, auth_secret=self.private["auth"], version="aes128gcm")
        return json.loads(plain)


@pytest.fixture
def phone(people, alice) -> Phone:
    return Phone(people, alice)


def mention(client, name: str, text: str = "hello"):
    return client.status_post(f"@{name} {text}")


def claims(pushed: Pushed, server_key: str, service: PushService) -> dict:
    """The claims of the token that says who pushes, signed by the key that clients are shown."""
    authorization = pushed.headers["authorization"]
    assert authorization.startswith(("vapid t=", "WebPush "))
    token = authorization.removeprefix("WebPush ").removeprefix("vapid t=").split(",")[0]
    if "vapid" in authorization:
        assert authorization.split(",k=")[1] == server_key.rstrip("=")
    point = base64.urlsafe_b64decode(server_key)
    assert len(point) == 65 and point[0] == 4
    text = lambda octets: base64.urlsafe_b64encode(octets).decode().rstrip("=")
    key = ECKey.import_key({"kty": "EC", "crv": "P-256", "x": text(point[1:33]), "y": text(point[33:])})
    found = jwt.decode(token, key, algorithms=["ES256"]).claims
    assert found["aud"] == service.url and found["sub"] == "mailto:ops@example.org"
    return found


def test_the_servers_key_is_the_same_everywhere(people, nobody, phone, service):
    key = phone.subscribe(service.url + "/a").json()["server_key"]
    assert call(nobody, "GET", "/api/v2/instance").json()["configuration"]["vapid"]["public_key"] == key
    app = call(nobody, "POST", "/api/v1/apps", json={"client_name": "A", "redirect_uris": "urn:ietf:wg:oauth:2.0:oob"}).json()
    SECRETS.add(app["client_secret"])
    assert app["vapid_key"] == key
    assert phone.client.app_verify_credentials().vapid_key == key


def test_a_subscription_is_made_shown_changed_and_removed(phone, service):
    path = "/api/v1/push/subscription"
    assert call(phone.client, "GET", path).status_code == 404
    assert call(phone.client, "PUT", path, json={"data": {"alerts": {"mention": True}}}).status_code == 404
    made = phone.subscribe(service.url + "/a", standard=True, policy="followed", mention=True, **{"admin.report": True}).json()
    on = {name for name, value in made["alerts"].items() if value}
    assert (on, made["policy"], made["standard"]) == ({"mention", "admin.report"}, "followed", True)
    assert len(made["alerts"]) == 12 and made["endpoint"] == service.url + "/a"
    shown = phone.client.push_subscription()
    assert (shown.id, shown.server_key) == (made["id"], made["server_key"])
    changed = phone.client.push_subscription_update(follow_events=True, policy="none")
    assert changed.id == made["id"] and changed.alerts.follow and not changed.alerts.mention and changed.policy == "none"
    again = phone.subscribe(service.url + "/b").json()
    assert again["id"] != made["id"] and phone.client.push_subscription().endpoint == service.url + "/b"
    phone.client.push_subscription_delete()
    assert call(phone.client, "GET", path).status_code == 404
    assert call(phone.client, "DELETE", path).json() == {}


def test_mastodon_py_reads_what_is_pushed_in_the_old_way(people, phone, alice, bob, service):
    bob.account_update_credentials(display_name="Bobby")
    made = phone.client.push_subscription_set(service.url + "/old", phone.public, mention_events=True, policy="all")
    assert made.alerts.mention and not made.alerts.follow
    post = mention(bob, alice.name, "how are you?")
    pushed = eventually("pushed", lambda: service.got and service.got[0])
    headers = pushed.headers
    assert headers["content-encoding"] == "aesgcm" and headers["content-type"] == "application/octet-stream"
    told = phone.client.push_subscription_decrypt_push(pushed.body, phone.private, headers["encryption"], headers["crypto-key"])
    assert told.access_token == phone.client.access_token and told.preferred_locale == "en"
    assert "Bobby" in told.title and told.body == f"@{alice.name} how are you?" and told.notification_type == "mention"
    notified = alice.notifications(types=["mention"])[0]
    assert str(told.notification_id) == str(notified.id) and notified.status.id == post.id
    assert told.icon == notified.account.avatar_static
    claims(pushed, made.server_key, service)


def test_the_standards_way(phone, alice, bob, service):
    key = phone.subscribe(service.url + "/new?x=1", standard=True, mention=True, follow=True).json()["server_key"]
    follow((bob, alice))
    mention(bob, alice.name, "x" * 200)
    eventually("both", lambda: len(service.got) == 2)
    told = {read["notification_type"]: read for read in map(phone.read, service.got)}
    assert set(told) == {"follow", "mention"} and len(told["mention"]["body"]) == 140
    for pushed in service.got:
        assert pushed.path == "/new?x=1" and "encryption" not in pushed.headers
        assert 172_000 < int(pushed.headers["ttl"]) <= 172_800 and pushed.headers["urgency"] == "normal"
        assert pushed.headers["topic"] == f"n{phone.read(pushed)['notification_id']}"
        assert claims(pushed, key, service)["exp"] > 0


def test_only_what_was_asked_for_from_whom_it_was_asked(people, phone, alice, bob, service):
    friend = people.join("friend")
    follow((alice, friend), (bob, alice))
    phone.subscribe(service.url + "/a", standard=True, policy="followed", mention=True)
    post = alice.status_post("mine")
    mention(bob, alice.name)
    friend.status_favourite(post.id)
    mention(friend, alice.name, "the one")
    eventually("pushed", lambda: service.got)
    assert phone.read(service.got[0])["body"] == f"@{alice.name} the one"
    phone.client.push_subscription_update(mention_events=True, policy="none")
    mention(friend, alice.name, "not this")
    phone.client.push_subscription_update(mention_events=True, policy="follower")
    mention(friend, alice.name, "nor this")
    mention(bob, alice.name, "but this")
    eventually("pushed", lambda: len(service.got) == 2)
    assert phone.read(service.got[1])["body"] == f"@{alice.name} but this"


def test_a_subscription_that_the_service_has_forgotten_ends(phone, alice, bob, service):
    for status in [404, 410]:
        phone.subscribe(service.url + "/gone", standard=True)
        service.status.append(status)
        mention(bob, alice.name)
        path = "/api/v1/push/subscription"
        eventually("ended", lambda: call(phone.client, "GET", path).status_code == 404)
    assert len(service.got) == 2


def test_a_service_that_fails_is_asked_again(phone, alice, bob, service):
    phone.subscribe(service.url + "/flaky", standard=True)
    service.status += [503, 429]
    mention(bob, alice.name)
    eventually("three times", lambda: len(service.got) == 3, timeout=40)
    bodies = [phone.read(pushed) for pushed in service.got]
    assert bodies[0] == bodies[1] == bodies[2] and len({pushed.headers["topic"] for pushed in service.got}) == 1
    service.status.append(400)
    mention(bob, alice.name, "refused")
    mention(bob, alice.name, "the next")
    eventually("the next", lambda: len(service.got) == 5)
    assert phone.client.push_subscription().endpoint, "a refusal is no end"


def test_a_push_service_that_hangs_or_is_gone_delays_nobody(people, phone, alice, bob, service):
    """Neither the others' pushes, nor what is asked of the server."""
    slow, carol = PushService().start(), people.join("carol")
    other = Phone(people, carol)
    phone.subscribe(slow.url + "/slow", standard=True)
    other.subscribe(service.url + "/quick", standard=True)
    slow.answers.clear()
    for number in range(20):
        mention(bob, alice.name, str(number))
    eventually("it has its places", lambda: len(slow.got) == 8)
    for number in range(20):
        mention(bob, carol.name, str(number))
        eventually("pushed meanwhile", lambda number=number: len(service.got) == number + 1)
    assert len(slow.got) <= 16
    slow.stop()
    slow.got.clear()
    mention(bob, alice.name, "while it is gone")
    slow.start()
    read = lambda: {phone.read(pushed)["body"] for pushed in slow.got}
    eventually("what it missed", lambda: f"@{alice.name} while it is gone" in read(), timeout=60)
    slow.stop()


def test_what_was_not_pushed_is_pushed_after_a_restart(feed, people, phone, alice, bob, service):
    phone.subscribe(service.url + "/a", standard=True)
    service.stop()
    mention(bob, alice.name, "before the end")
    eventually("known to be unsent", lambda: f'"account":{alice.me_id}' in (feed.data / "feed/pushes.json").read_text())
    feed.kill()
    service.start()
    feed.start()
    eventually("pushed", lambda: service.got, timeout=30)
    assert phone.read(service.got[0])["body"] == f"@{alice.name} before the end"
    over = lambda: f'"account":{alice.me_id}' not in (feed.data / "feed/pushes.json").read_text()
    eventually("over", over)
    feed.restart()
    mention(bob, alice.name, "after it")
    eventually("pushed", lambda: len(service.got) >= 2)
    assert [phone.read(pushed)["body"] for pushed in service.got][-1] == f"@{alice.name} after it"
    assert len(service.got) == 2, "what is over is not pushed again"


def test_a_subscription_ends_with_its_token(people, phone, alice, bob, service):
    other = Phone(people, alice)
    phone.subscribe(service.url + "/revoked", standard=True)
    other.subscribe(service.url + "/kept", standard=True)
    phone.client.revoke_access_token(allow_http=True)
    mention(bob, alice.name)
    eventually("pushed", lambda: service.got)
    mention(bob, alice.name, "again")
    eventually("pushed", lambda: len(service.got) == 2)
    assert {pushed.path for pushed in service.got} == {"/kept"}


def test_bad_subscriptions_are_refused(people, phone, alice, nobody, service):
    good = base64.b64encode(phone.public["pubkey"]).decode()
    auth = base64.b64encode(os.urandom(16)).decode()
    wrong = base64.b64encode(b"\x04" + b"\x01" * 64).decode()

    def ask(endpoint=service.url, p256dh=good, auth=auth, **more):
        body = {"subscription": {"endpoint": endpoint, "keys": {"p256dh": p256dh, "auth": auth}}} | more
        return call(phone.client, "POST", "/api/v1/push/subscription", json=body)

    for answer, said in [
        (ask(endpoint=""), "Endpoint"),
        (ask(endpoint="no address"), "Endpoint"),
        (ask(endpoint="ftp://example.org/"), "Endpoint"),
        (ask(endpoint="https://10.0.0.1/"), "10.0.0.1"),
        (ask(endpoint="https://user:pw@example.org/"), "Endpoint"),
        (ask(endpoint="https://example.org/" + "x" * 3_000), "too long"),
        (ask(p256dh=""), "p256dh"),
        (ask(p256dh="***"), "base64"),
        (ask(p256dh=wrong), "P-256"),
        (ask(auth=good), "auth"),
        (ask(data={"policy": "sometimes"}), "Policy"),
        (call(phone.client, "POST", "/api/v1/push/subscription", json={}), "Endpoint"),
    ]:
        assert answer.status_code == 422 and said in answer.json()["error"], answer.text
    assert call(phone.client, "GET", "/api/v1/push/subscription").status_code == 404
    assert call(nobody, "GET", "/api/v1/push/subscription").status_code == 401
    with refused(403):
        alice.push_subscription()


def test_the_keys_are_the_servers_alone(feed, phone, service):
    """Nobody else reads them; the same ones serve after a restart; no token stands in any file."""
    phone.subscribe(service.url + "/a")
    key = phone.client.push_subscription().server_key
    feed.restart()
    assert phone.client.push_subscription().server_key == key
    keys = feed.data / "feed/keys"
    assert keys.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in keys.iterdir()} == {0o600}
    feed.stop()
    token = phone.client.access_token.encode()
    found = [path for path in feed.data.rglob("*") if path.is_file() and token in path.read_bytes()]
    feed.start()
    assert found == []
