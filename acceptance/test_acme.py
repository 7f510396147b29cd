"""Certificates from an ACME authority: Pebble, which Let's Encrypt's people made to test clients against."""

import contextlib
import json
import os
import re
import shutil
import socket
import ssl
import stat
import subprocess
import time

import httpx
import pytest
from cryptography import x509

from clients.certificates import Authority
from decalog_server import decalog, free_port, trading_unit

NAME = "localhost"
PATIENCE = 60


class Pebble:
    """The authority, listening on ports of its own; `port` is where it looks whether a name is somebody's."""

    def __init__(self, directory, port: int) -> None:
        self.authority = Authority(directory, "Pebble")
        self.authority.issue("pebble", directory / "pebble.pem", directory / "pebble.key")
        self.acme, self.management = free_port(), free_port()
        self.directory_url = f"https://{NAME}:{self.acme}/dir"
        config = directory / "pebble.json"
        config.write_text(json.dumps({"pebble": {
            "listenAddress": f"127.0.0.1:{self.acme}", "managementListenAddress": f"127.0.0.1:{self.management}",
            "certificate": str(directory / "pebble.pem"), "privateKey": str(directory / "pebble.key"),
            "httpPort": free_port(), "tlsPort": port, "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
        }}))  # fmt: skip
        # Without the sleeps that it puts before each look, and every fifth nonce refused: clients must ask again.
        environment = os.environ | {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "20"}
        self.log = (directory / "pebble.log").open("w")
        command = [shutil.which("pebble"), "-config", str(config), "-strict"]
        self.process = subprocess.Popen(command, env=environment, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.acme), timeout=1):
                break
            assert time.monotonic() < deadline and self.process.poll() is None, "pebble does not start"
            time.sleep(0.05)

    def roots(self) -> str:
        """The root that its certificates go back to: another at each start."""
        # This listener signs for itself.
        url = f"https://{NAME}:{self.management}/roots/0"
        return httpx.get(url, verify=False).raise_for_status().text

    def stop(self) -> None:
        """Ends it."""
        self.process.kill()
        self.process.wait()
        self.log.close()


def acme_server(make_server, tmp_path, directory_url: str, root):
    """A server that is to get its certificate there; not started."""
    server = make_server([trading_unit(0, ["AAA"], ["ALICE"])], start=False)
    server.config.write_text(server.config.read_text() + f"""
[http.acme]
directory = "{directory_url}"
names = ["{NAME}"]
contacts = ["mailto:operator@example.org"]
agree_to_terms = true
[outbound]
allow = ["127.0.0.0/8"]
""")
    server.environment["SSL_CERT_FILE"] = str(root)
    server.authority = None
    return server


def served(port: int) -> x509.Certificate:
    """The certificate that a new connection is shown."""
    unchecked = ssl._create_unverified_context()
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as raw,
        unchecked.wrap_socket(raw, server_hostname=NAME) as sock,
    ):
        return x509.load_der_x509_certificate(sock.getpeercert(binary_form=True))


def wait_for_issued(server) -> x509.Certificate:
    """Waits until it serves a certificate that it did not sign itself."""
    deadline = time.monotonic() + PATIENCE
    while (shown := served(server.ports.http)).issuer == shown.subject:
        assert time.monotonic() < deadline, server.output()
        time.sleep(0.1)
    return shown


def test_a_certificate_is_obtained_by_tls_alpn_and_kept(make_server, tmp_path):
    pebble = None
    server = acme_server(make_server, tmp_path, "unset", tmp_path / "Pebble.pem")
    try:
        pebble = Pebble(tmp_path, server.ports.http)
        server.config.write_text(server.config.read_text().replace('"unset"', f'"{pebble.directory_url}"'))
        server.start()
        issued = wait_for_issued(server)
        names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == [NAME]
        trust = ssl.create_default_context(cadata=pebble.roots())
        answer = httpx.get(f"https://{NAME}:{server.ports.http}/v1/instruments", verify=trust)
        assert answer.status_code == 200
        folder = server.data / "acme"
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
        assert modes == {"account.json": 0o600, "certificate.pem": 0o600}
        metric = re.search(
            r'^decalog_tls_certificate_not_after_seconds\{listener="http"\} (\d+)',
            httpx.get(server.metrics_url).text, re.M,
        )  # fmt: skip
        assert int(metric.group(1)) == int(issued.not_valid_after_utc.timestamp())
        # A restart asks nobody: what is kept is good for months.
        pebble.stop()
        pebble = None
        server.stop()
        server.start()
        assert served(server.ports.http).serial_number == issued.serial_number
    finally:
        if pebble:
            pebble.stop()


def test_an_authority_that_is_gone_leaves_the_server_serving(make_server, tmp_path):
    root = Authority(tmp_path, "Pebble").root
    server = acme_server(make_server, tmp_path, f"https://{NAME}:{free_port()}/dir", root)
    server.start()
    deadline = time.monotonic() + PATIENCE
    while "no certificate was obtained" not in server.output():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert served(server.ports.http).issuer == served(server.ports.http).subject
    assert httpx.get(f"https://{NAME}:{server.ports.http}/v1/instruments", verify=False).status_code == 200


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("agree_to_terms = true", "http.acme.agree_to_terms"),
        (f'names = ["{NAME}"]', "http.acme.names"),
        ('directory = "https', "http.acme.directory"),
    ],
)
def test_what_is_missing_is_named(make_server, tmp_path, change, key):
    server = acme_server(make_server, tmp_path, "https://acme.example/dir", tmp_path / "none.pem")
    broken = {"agree_to_terms = true": "", f'names = ["{NAME}"]': "names = []", 'directory = "https': 'directory = "ftp'}
    server.config.write_text(server.config.read_text().replace(change, broken[change]))
    checked = decalog("check-config", server.config)
    assert checked.returncode != 0 and key in checked.stderr, checked.stderr
