"""Erasure in an unsealed directory with a window of seconds: what is found in the files before is in no file after, through
kill -9, and when an older backup is restored."""

import random
import shutil
import threading
import time
from pathlib import Path

import httpx
import pytest

from clients.account import Account, audit
from clients.browser import Browser
from decalog_server import Server, decalog, trading_unit

NAME, LABEL, AGENT = "a-name-like-no-other", "a label like no other", "an agent like no other/1.0"
GUEST = "guest password"
PATIENCE = 90.0


@pytest.fixture
def server(make_server) -> Server:
    """A running server that forgets within seconds; one account is the configuration's."""
    server = make_server([trading_unit(0, ["ACME"], ["ALICE"])], start=False, accounts=["declared"])
    config = server.config.read_text()
    server.config.write_text(f'[server]\nerasure_window = "8s"\nsegment_mebibytes = 1\n{config}')
    return server.start()


@pytest.fixture
def admin(server: Server) -> Account:
    """The administrator that the first start made."""
    return Account.admin(server)


def wait_for(what: str, condition) -> None:
    """Polls until the condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come within {PATIENCE} s"
        time.sleep(0.05)


def holding(server: Server, word: str) -> set[str]:
    """The files of a server, its output and its ledger included, that hold a text; but for its configuration."""
    found = set()
    for path in server.directory.rglob("*"):
        try:
            if path.is_file() and path != server.config and word.encode() in path.read_bytes():
                found.add(str(path.relative_to(server.directory)))
        except FileNotFoundError:
            pass  # It was dropped meanwhile.
    return found


def parts(server: Server, word: str) -> set[str]:
    """The parts of the data directory that hold a text."""
    return {Path(path).parts[1] for path in holding(server, word) if path.startswith("data/")}


def settle(server: Server, admin: Account, name: str) -> tuple[str, str]:
    """Opens an account, with an API key and a session of a browser; answers its id and the key."""
    account = admin.open(name, GUEST)
    body = {"account": account, "label": LABEL, "scopes": ["identity:self"]}
    key = admin.call("POST", "/v1/admin/api-keys", json=body).raise_for_status().json()["key"]
    browser = Browser(server.url)
    browser.http.headers["user-agent"] = AGENT
    browser.open("/oauth/device")
    assert browser.submit(action="sign-in", username=name, password=GUEST).status_code == 200
    return account, key


def names(admin: Account) -> set[str]:
    """The names of all accounts."""
    return {one["name"] for one in admin.call("GET", "/v1/admin/accounts").raise_for_status().json()["accounts"]}


def me(server: Server, key: str) -> int:
    """How somebody with this API key is answered."""
    return httpx.get(f"{server.url}/v1/me", headers={"x-api-key": key}).status_code


def ledger(server: Server) -> set[str]:
    """The ids that the erasure ledger lists."""
    return {line.split()[1] for line in Path(f"{server.data}.erasures").read_text().splitlines()}


def trail(admin: Account, *filters: object) -> list[dict]:
    """The audit trail of the files."""
    return audit(admin.server, admin.call("GET", "/v1/admin/audit"), *filters)


def test_what_is_erased_is_in_no_file_and_no_backup_brings_it_back(server, admin, tmp_path):
    account, key = settle(server, admin, NAME)
    for word in (NAME, LABEL, AGENT):
        wait_for(f"{word} in the files", lambda: {"journal", "events", "audit"} <= parts(server, word))
    assert me(server, key) == 200
    assert server.stop() == 0
    backup = shutil.copytree(server.data, tmp_path / "backup")
    server.start()

    guest = Account(server, NAME, GUEST)
    wrong = guest.call("DELETE", "/v1/me/account", json={"password": "not this one"})
    assert wrong.status_code == 403 and wrong.json()["type"].endswith("wrong-password")
    assert guest.call("DELETE", "/v1/me/account", json={"password": GUEST}).status_code == 204
    server.restart()
    assert account in ledger(server)
    assert me(server, key) == 401 and guest.call("GET", "/v1/me").status_code == 401
    assert NAME not in names(admin)
    for word in (NAME, LABEL, AGENT):
        wait_for(f"no file with {word}", lambda: not holding(server, word))
    assert server.stop() == 0

    shutil.rmtree(server.data)
    shutil.copytree(backup, server.data)
    assert all(parts(server, word) for word in (NAME, LABEL, AGENT)), "the backup has it"
    server.start()
    assert me(server, key) == 401, "it is gone before anybody is served"
    assert NAME not in names(admin)
    for word in (NAME, LABEL, AGENT):
        wait_for(f"no file with {word} after the restore", lambda: not holding(server, word))
    kinds = [line["event"] for line in trail(admin, "--account", account)]
    assert kinds.count("account-opened") == 1 and kinds[-1] == "account-erased", kinds
    assert admin.open(NAME, GUEST) != account, "the name is free"


def test_a_kill_at_any_moment_leaves_an_erasure_done_or_not_and_the_trail_whole(server, admin):
    seed = random.randrange(1 << 30)
    dice = random.Random(seed)
    opened, acknowledged = {}, set()
    for number in range(8):
        name = f"guest-{number}"
        opened[name] = admin.open(name, GUEST)
        path = f"/v1/admin/accounts/{opened[name]}"

        def erase(path=path, name=name):
            try:
                if admin.call("DELETE", path).status_code == 204:
                    acknowledged.add(name)
            except httpx.TransportError:
                pass

        request = threading.Thread(target=erase)
        request.start()
        request.join(dice.choice([0.0, 0.001, 0.002, 0.004, 0.01]))
        server.restart()
        request.join()
        there = names(admin)
        assert not acknowledged & there, f"acknowledged and there: {acknowledged & there}, seed {seed}"
        gone = {account for name, account in opened.items() if name not in there}
        assert gone == ledger(server) & set(opened.values()), f"seed {seed}"
    lines = trail(admin)
    places = [(line["offset"], line["index"]) for line in lines]
    assert places == sorted(set(places)), f"each once and in order, seed {seed}"
    for name, account in opened.items():
        kinds = [line["event"] for line in lines if line["account"] == int(account)]
        assert kinds.count("account-opened") == 1, f"{name}: {kinds}, seed {seed}"
        assert kinds.count("account-erased") == int(account in ledger(server)), f"{name}: {kinds}, seed {seed}"


def test_who_must_stay_stays_and_is_told_why(server, admin):
    ids = {one["name"]: one["id"] for one in admin.call("GET", "/v1/admin/accounts").json()["accounts"]}
    declared = admin.call("DELETE", f"/v1/admin/accounts/{ids['declared']}")
    assert declared.status_code == 409 and "identity.accounts" in declared.json()["detail"]
    last = admin.call("DELETE", f"/v1/admin/accounts/{ids['admin']}")
    assert last.status_code == 409 and "last-administrator" in last.json()["detail"]
    assert admin.call("DELETE", "/v1/admin/accounts/7").status_code == 404
    assert admin.call("DELETE", "/v1/me/account", json={}).status_code == 422
    assert {"declared", "admin"} <= names(admin)


def test_the_audit_command_filters(server, admin):
    account, _ = settle(server, admin, "somebody-else")
    lines = trail(admin, "--account", "somebody-else")
    assert {line["event"] for line in lines} >= {"account-opened", "api-key-created", "session-started"}
    assert lines == trail(admin, "--account", account)
    opened = [line for line in lines if line["event"] == "account-opened"]
    moment = opened[0]["time"]
    iso = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment // 10**9)) + f".{moment % 10**9:09}Z"
    assert trail(admin, "--account", account, "--until", iso) == []
    assert trail(admin, "--account", account, "--since", iso, "--event", "account-opened") == opened
    shown = decalog("audit", server.data)
    assert "account-opened account somebody-else by admin" in shown.stdout, shown.stdout
    unknown = decalog("audit", server.data, "--account", "nobody-at-all")
    assert unknown.returncode == 1 and "by its id" in unknown.stderr
