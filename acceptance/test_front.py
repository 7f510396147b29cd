"""What faces the network: TLS with its reload, limits that are told, proxies, and FIX logons by the same accounts."""

import contextlib
import re
import socket
import ssl
import subprocess
import time

import httpx
import pytest
from cryptography import x509

from clients.account import Account
from clients.browser import Browser
from clients.certificates import Authority
from clients.quickfix_client import QuickFixClient
from clients.raw import Connection, Disconnected, Message, encode, utc_timestamp
from decalog_server import PASSWORD, PASSWORD_HASH, Instrument, Server, Session, Unit, free_port, trading_unit
from fix_orders import BUY, NEW, check_report, new_id, new_order

DOOR = [Unit(0, [Instrument("AAA")], [Session("CAROL", "ACC-CAROL", "carol"), Session("DAVE", "ACC-DAVE", "dave")])]


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def secure(make_server, authority) -> Server:
    """A server that speaks TLS."""
    server = make_server([trading_unit(0, ["AAA"], ["ALICE"])], start=False)
    certificate, key = server.directory / "server.pem", server.directory / "server.key"
    authority.issue("first", certificate, key)
    tls = f'[http.tls]\ncertificate = "{certificate}"\nkey = "{key}"\nclient_authorities = "{authority.root}"\n'
    server.config.write_text(server.config.read_text() + "\n" + tls)
    server.authority = authority.root
    return server.start()


@pytest.fixture(scope="module")
def fix(make_server) -> Server:
    """A server whose FIX sessions ask for credentials, and that logs all it can: none of it may be secret."""
    server = make_server(DOOR, start=False)
    server.environment["RUST_LOG"] = "trace"
    return server.start()


def context(authority: Authority, **keys) -> ssl.SSLContext:
    """A client that believes this authority."""
    made = ssl.create_default_context(cafile=str(authority.root))
    for name, value in keys.items():
        setattr(made, name, value)
    return made


def served_serial(server: Server, authority: Authority) -> int:
    """The serial number of the certificate that a new connection is shown."""
    with socket.create_connection(("127.0.0.1", server.ports.http), timeout=10) as raw:
        with context(authority).wrap_socket(raw, server_hostname="localhost") as sock:
            return x509.load_der_x509_certificate(sock.getpeercert(binary_form=True)).serial_number


@pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])
def test_tls_serves_both_versions_and_says_so_to_browsers(secure, authority, http2):
    with httpx.Client(base_url=secure.url, verify=context(authority), http2=http2) as client:
        answer = client.get("/v1/instruments")
        assert answer.status_code == 200 and answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
        assert answer.headers["strict-transport-security"].startswith("max-age=")
    issuer = httpx.get(f"{secure.url}/.well-known/openid-configuration", verify=context(authority)).json()["issuer"]
    assert issuer == secure.url


def test_only_tls_1_3_and_only_tls(secure, authority):
    with pytest.raises(httpx.ConnectError):
        httpx.get(secure.url, verify=context(authority, maximum_version=ssl.TLSVersion.TLSv1_2))
    with pytest.raises(httpx.ConnectError):
        httpx.get(secure.url)  # an authority that nobody knows
    with pytest.raises(httpx.TransportError):
        httpx.get(secure.url.replace("https", "http"))


def test_a_new_certificate_is_served_without_a_restart_and_a_broken_one_is_not(secure, authority):
    before = served_serial(secure, authority)
    certificate, key = secure.directory / "server.pem", secure.directory / "server.key"
    with httpx.Client(base_url=secure.url, verify=context(authority)) as open_before:
        open_before.get("/healthz").raise_for_status()
        new = authority.issue("second", certificate, key)
        deadline = time.monotonic() + 40
        while (serial := served_serial(secure, authority)) != new:
            assert serial == before and time.monotonic() < deadline
            time.sleep(0.2)
        assert open_before.get("/healthz").status_code == 200, "an open connection goes on"
    certificate.write_text("nonsense")
    while "not reloaded" not in secure.output():
        assert time.monotonic() < deadline + 40
        time.sleep(0.2)
    assert served_serial(secure, authority) == new
    metric = re.search(r'^decalog_tls_certificate_not_after_seconds\{listener=\"http\"\} (\d+)', httpx.get(secure.metrics_url).text, re.M)
    days_left = (int(metric.group(1)) - time.time()) / 86_400
    assert 29 < days_left < 31


def test_a_client_certificate_of_another_authority_is_refused(secure, authority, tmp_path):
    mine, stranger = authority, Authority(tmp_path, "Stranger")
    for issuer, welcome in [(mine, True), (stranger, False)]:
        certificate, key = tmp_path / f"{welcome}.pem", tmp_path / f"{welcome}.key"
        issuer.issue("client", certificate, key, client=True)
        shown = context(authority)
        shown.load_cert_chain(certificate, key)
        # In TLS 1.3 the client hears of the refusal with its first read.
        with contextlib.ExitStack() as stack:
            if not welcome:
                stack.enter_context(pytest.raises(httpx.TransportError))
            answer = httpx.get(f"{secure.url}/v1/instruments", verify=shown)
            assert answer.status_code == 200


def test_who_asks_too_often_is_told_when_to_come_back(make_server):
    server = make_server([trading_unit(0, ["AAA"], ["ALICE"])], start=False, accounts=["alice"])
    limits = "[http.limits]\naddress_per_minute = 60\nsign_in_per_minute = 4\naccount_per_minute = 30\n"
    server.config.write_text(server.config.read_text() + "\n" + limits)
    server.start()
    with httpx.Client(base_url=server.url) as client:
        answers = (client.get("/v1/instruments") for _ in range(500))
        refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["type"] == "urn:decalog:problem:rate-limited"
    assert 1 <= int(refused.headers["retry-after"]) <= 2
    assert refused.headers["ratelimit-policy"] == '"ordinary-address";q=60;w=60'
    assert refused.headers["ratelimit"].startswith('"ordinary-address";r=0;t=')
    # Another class of routes has a limit of its own.
    tokens = [httpx.post(f"{server.url}/oauth/token", data={"grant_type": "x"}).status_code for _ in range(5)]
    assert tokens[:4] == [401] * 4 and tokens[4] == 429
    assert httpx.get(f"{server.url}/healthz").status_code in (200, 429)
    counted = re.search(r'refusals_total\{problem="rate-limited"\} (\d+)', httpx.get(server.metrics_url).text)
    assert int(counted.group(1)) >= 2


def test_a_proxys_word_counts_only_when_it_is_trusted(make_server):
    """What a session's owner sees as its address."""
    for trusted, expected in [(True, "198.51.100.7"), (False, "127.0.0.1")]:
        http = {"proxies": '["127.0.0.1"]', "client_address": '"x-forwarded-for"'} if trusted else {}
        server = make_server([trading_unit(0, ["AAA"], ["ALICE"])], http=http)
        admin = Account.admin(server)
        browser = Browser(server.url)
        browser.http.headers["x-forwarded-for"] = "10.9.9.9, 198.51.100.7"
        browser.open("/oauth/device")
        browser.submit(action="sign-in", username="admin", password=admin.password)
        seen = {entry["address"] for entry in admin.call("GET", "/v1/me/sessions").json()["sessions"]}
        assert expected in seen, seen


class FixClient:
    """A FIX connection that begins at number 1 and counts what it sends."""

    def __init__(self, server: Server, comp_id: str, username: str, password: str) -> None:
        self.comp_id, self.seq = comp_id, 0
        self.connection = Connection.open(server.fix_address)
        self.send("A", (98, "0"), (108, "30"), (141, "Y"), (553, username), (554, password))

    def send(self, kind: str, *fields: tuple[int, object]) -> None:
        """The next message."""
        self.seq += 1
        head = [(35, kind), (34, self.seq), (49, self.comp_id), (52, utc_timestamp()), (56, "DECALOG")]
        self.connection.send_bytes(encode(head + [field for field in fields if field[1] != ""]))

    def expect(self, kind: str, timeout: float = 10.0) -> Message:
        """The next message, which is of this type."""
        message = self.connection.receive(timeout)
        assert message.type == kind, message
        return message

    def place(self) -> None:
        """Places an order that is acknowledged."""
        order = new_id()
        self.send("D", *new_order(order, "AAA", BUY, 1, "1.00"))
        report = check_report(self.expect("8"))
        assert report[150] == NEW and report[11] == order

    def close(self) -> None:
        """Drops the connection."""
        self.connection.close()


def log_on(server: Server, comp_id: str, username: str, password: str) -> FixClient:
    """A FIX connection that is logged on. One that was dropped a moment ago may still hold the session."""
    deadline = time.monotonic() + 10
    while True:
        client = FixClient(server, comp_id, username, password)
        try:
            client.expect("A")
            return client
        except Disconnected:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def is_turned_away(server: Server, comp_id: str, username: str, password: str) -> bool:
    """Whether the connection is closed without an answer to its Logon."""
    client = FixClient(server, comp_id, username, password)
    return client.connection.wait_closed(15) == []


def test_fix_takes_the_password_of_its_account_and_of_no_other(fix):
    connection = log_on(fix, "CAROL", "carol", PASSWORD)
    connection.place()
    connection.close()
    for comp_id, username, password in [
        ("CAROL", "carol", "wrong"),
        ("CAROL", "dave", PASSWORD),
        ("DAVE", "carol", PASSWORD),
        ("DAVE", "nobody", PASSWORD),
        ("DAVE", "", ""),
    ]:
        assert is_turned_away(fix, comp_id, username, password), (comp_id, username)


def test_an_api_key_stands_in_the_passwords_place_within_its_scopes(fix):
    admin = Account.admin(fix)
    accounts = {entry["name"]: entry["id"] for entry in admin.call("GET", "/v1/admin/accounts").json()["accounts"]}
    key = admin.api_key(accounts["dave"], ["exchange:trade"])["key"]
    connection = log_on(fix, "DAVE", "dave", key)
    connection.place()
    connection.close()
    assert is_turned_away(fix, "CAROL", "carol", key), "a key opens its own account only"
    reader = admin.api_key(accounts["dave"], ["exchange:read"])["key"]
    assert is_turned_away(fix, "DAVE", "dave", reader), "reading is not trading"


def test_a_revoked_logon_is_logged_out_of_fix_within_a_second(fix):
    """The owner sees the FIX session in the list and ends it; so does an administrator who shuts the account out."""
    carol = Account(fix, "carol", PASSWORD)
    connection = log_on(fix, "CAROL", "carol", PASSWORD)
    connection.place()
    sessions = carol.call("GET", "/v1/me/sessions").json()["sessions"]
    of_fix = [entry for entry in sessions if entry["agent"] == "FIX CAROL"]
    assert len(of_fix) == 1 and of_fix[0]["address"] == "127.0.0.1"
    assert carol.call("DELETE", f"/v1/me/sessions/{of_fix[0]['id']}").status_code == 204
    revoked = time.monotonic()
    logout = connection.expect("5", timeout=5)
    assert "revoked" in logout[58] and time.monotonic() - revoked < 1.0
    admin = Account.admin(fix)
    connection = log_on(fix, "CAROL", "carol", PASSWORD)
    assert admin.call("PATCH", f"/v1/admin/accounts/{carol.id()}", json={"disabled": True}).status_code == 204
    connection.expect("5", timeout=5)
    assert is_turned_away(fix, "CAROL", "carol", PASSWORD)
    assert admin.call("PATCH", f"/v1/admin/accounts/{carol_id(admin)}", json={"disabled": False}).status_code == 204
    connection = log_on(fix, "CAROL", "carol", PASSWORD)
    connection.close()


def carol_id(admin: Account) -> str:
    accounts = admin.call("GET", "/v1/admin/accounts").json()["accounts"]
    return next(entry["id"] for entry in accounts if entry["name"] == "carol")


def test_an_erased_account_is_logged_out_of_fix_and_stays_out(make_server):
    server = make_server([Unit(0, [Instrument("AAA")], [Session("ERIN", "ACC-ERIN", "erin")])], start=False)
    declared = f'[[identity.accounts]]\nname = "erin"\npassword_hash = "{PASSWORD_HASH}"\n'
    config = server.config.read_text()
    assert declared in config, "an account of the configuration could not be erased"
    server.config.write_text(config.replace(declared, ""))
    admin = Account.admin(server.start())
    erin = admin.open("erin", PASSWORD)
    connection = log_on(server, "ERIN", "erin", PASSWORD)
    connection.place()
    assert admin.call("DELETE", f"/v1/admin/accounts/{erin}").status_code == 204
    connection.expect("5", timeout=5)
    assert is_turned_away(server, "ERIN", "erin", PASSWORD)
    server.restart()
    assert is_turned_away(server, "ERIN", "erin", PASSWORD)


def test_wrong_fix_passwords_lock_the_account_everywhere(make_server):
    server = make_server(DOOR)
    for _ in range(6):
        assert is_turned_away(server, "DAVE", "dave", "wrong")
    assert is_turned_away(server, "DAVE", "dave", PASSWORD), "locked, whatever the password"
    with pytest.raises(AssertionError):
        Account(server, "dave", PASSWORD)
    connection = log_on(server, "CAROL", "carol", PASSWORD)
    connection.close()


@pytest.fixture
def stunnel(tmp_path):
    """Starts stunnel as counterparties run it: plain FIX in, TLS out; answers its port."""
    processes = []

    def start(server: Server, authority: Authority) -> int:
        port, config = free_port(), tmp_path / "stunnel.conf"
        config.write_text(
            f"foreground = yes\nsyslog = no\npid =\n[fix]\nclient = yes\naccept = 127.0.0.1:{port}\n"
            f"connect = 127.0.0.1:{server.fix_port}\nCAfile = {authority.root}\nverifyChain = yes\n"
            "checkHost = localhost\nsslVersionMin = TLSv1.3\n"
        )
        with (tmp_path / "stunnel.log").open("wb") as output:
            processes.append(subprocess.Popen(["stunnel", config], stdout=output, stderr=subprocess.STDOUT))
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return port
            assert time.monotonic() < deadline
            time.sleep(0.05)

    yield start
    for process in processes:
        process.terminate()
        process.wait(20)


def test_quickfix_trades_over_tls_and_what_is_no_tls_gets_nothing(make_server, stunnel, authority, tmp_path):
    server = make_server(DOOR, start=False)
    certificate, key = server.directory / "fix.pem", server.directory / "fix.key"
    authority.issue("fix", certificate, key)
    tls = f'\n[exchange.fix.tls]\ncertificate = "{certificate}"\nkey = "{key}"\n'
    server.config.write_text(server.config.read_text() + tls)
    server.start()
    port = stunnel(server, authority)
    client = QuickFixClient(tmp_path / "carol", port, "CAROL", username="carol", password=PASSWORD)
    client.start().logged_on()
    order = new_id()
    client.send("D", *new_order(order, "AAA", BUY, 1, "1.00"))
    check_report(client.expect("8", t11=order, t150=NEW))
    carol = Account(server, "carol", PASSWORD)
    of_fix = [one for one in carol.call("GET", "/v1/me/sessions").json()["sessions"] if one["agent"] == "FIX CAROL"]
    assert [one["address"] for one in of_fix] == ["127.0.0.1"]
    assert is_turned_away(server, "DAVE", "dave", PASSWORD), "plain FIX is no TLS"
    carol.call("DELETE", f"/v1/me/sessions/{of_fix[0]['id']}").raise_for_status()
    client.wait(lambda: "revoked" in "".join(m.get(58, "") for m in client.received("5")), "the Logout")
    client.stop()
    expiry = re.search(r'not_after_seconds\{listener="fix"\} (\d+)', httpx.get(server.metrics_url).text)
    assert int(expiry.group(1)) > time.time()
