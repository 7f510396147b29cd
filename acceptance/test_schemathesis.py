"""Schemathesis reads the API's description and asks everything that it allows, and much that it does not."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from clients.account import Account
from decalog_server import Server, trading_unit

CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "ignored_auth",
]


@pytest.fixture(scope="module")
def server(make_server) -> Server:
    """A server with everything open that can be, and no limit on how often one asks."""
    server = make_server([trading_unit(0, ["AAA"], ["ALICE"])], start=False)
    limits = "[http.limits]\naddress_per_minute = 0\naccount_per_minute = 0\nsign_in_per_minute = 0\n"
    server.config.write_text(server.config.read_text() + f"\n[identity]\nopen_registration = true\n{limits}")
    return server.start()


def robot(server: Server) -> str:
    """A token of an administrator that is a program: nothing that is tried on people's sessions ends it."""
    admin = Account.admin(server)
    made = admin.call("POST", "/v1/admin/service-accounts", json={"name": "robot", "roles": ["admin"]}).json()
    client = {
        "id": "robot", "name": "Robot", "scopes": ["identity:admin", "identity:self", "exchange:read", "openid"],
        "grant_types": ["client_credentials"], "confidential": True, "account": made["id"],
    }  # fmt: skip
    secret = admin.call("POST", "/v1/admin/clients", json=client).raise_for_status().json()["client_secret"]
    asked = {"grant_type": "client_credentials", "scope": " ".join(client["scopes"])}
    answer = httpx.post(f"{server.url}/oauth/token", data=asked, auth=("robot", secret))
    assert answer.raise_for_status().json()["scope"] == "exchange:read identity:admin identity:self openid"
    return answer.json()["access_token"]


def test_what_is_described_holds_and_nothing_breaks_the_server(server, tmp_path):
    token = robot(server)
    description = httpx.get(f"{server.url}/openapi.json").json()
    # It shows a credential of each kind that may be shown, and two are one too many.
    for item in description["paths"].values():
        for operation in item.values():
            operation["security"] = [way for way in operation["security"] if "bearer" in way]
    del description["components"]["securitySchemes"]["apiKey"]
    (tmp_path / "openapi.json").write_text(json.dumps(description))
    command = [
        Path(sys.executable).with_name("schemathesis"), "run", tmp_path / "openapi.json", "--url", server.url,
        "--header", f"Authorization: Bearer {token}", "--checks", ",".join(CHECKS),
        "--max-examples", "25", "--seed", "20261125", "--no-color",
        # It would remove the client whose token it uses.
        "--exclude-operation-id", "removeClient",
    ]  # fmt: skip
    result = subprocess.run(list(map(str, command)), cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout[-8_000:] + result.stderr[-2_000:]
    assert httpx.get(f"{server.url}/v1/me", headers={"authorization": f"Bearer {token}"}).status_code == 200
    metrics = httpx.get(server.metrics_url).text
    failed = [line for line in metrics.splitlines() if "http_requests_total" in line and 'status="500"' in line]
    assert not failed, failed
