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

    def __init__(self, directory, port: int, authority: Authority | None = None) -> None:
        self.authority = authority or Authority(directory, "Pebble")
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
        # Without the sleeps that it puts before each look, and one nonce in twenty refused: clients must ask again.
        environment = os.environ | {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "5"}
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

    def __enter__(self) -> "Pebble":
        return self

    def __exit__(self, *_) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()


def acme_server(make_server, directory_url: str, root):
    """A server that is to get its certificate there; not started."""
    server = make_server([trading_unit(0, ["AAA"], ["ALICE"])], start=False)
    server.config.write_text(server.config.read_text() + f"""
[http.acme]
directory = "{directory_url}"
names = ["{NAME}"]
contacts = ["mailto:operator@example.org"]
agree_to_terms = true
[exchange.fix.tls]
certificate = "{server.data}/acme/certificate.pem"
key = "{server.data}/acme/certificate.pem"
[outbound]
allow = ["127.0.0.0/8"]
""")
    server.environment["SSL_CERT_FILE"] = str(root)
    return server


def served(port: int) -> x509.Certificate:
    """The certificate that a new connection is shown."""
    unchecked = ssl._create_unverified_context()
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as raw,
        unchecked.wrap_socket(raw, server_hostname=NAME) as sock,
    ):
        return x509.load_der_x509_certificate(sock.getpeercert(binary_form=True))


def wait_for(server, what: str, condition) -> None:
    """Polls until the condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what}; {server.output()}"
        time.sleep(0.1)


def is_its_own(port: int) -> bool:
    """Whether what is shown there was signed by nobody else."""
    shown = served(port)
    return shown.issuer == shown.subject


def is_trusted(server, roots: str) -> bool:
    """Whether a client that knows these roots is served."""
    trust = ssl.create_default_context(cadata=roots)
    return httpx.get(f"https://{NAME}:{server.ports.http}/v1/instruments", verify=trust).status_code == 200


def test_a_certificate_is_obtained_by_tls_alpn_and_kept(make_server, tmp_path):
    server = acme_server(make_server, "unset", tmp_path / "Pebble.pem")
    with Pebble(tmp_path, server.ports.http) as pebble:
        server.config.write_text(server.config.read_text().replace('"unset"', f'"{pebble.directory_url}"'))
        server.start()
        wait_for(server, "nothing was issued", lambda: not is_its_own(server.ports.http))
        assert is_trusted(server, pebble.roots())
    issued = served(server.ports.http)
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NAME]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (server.data / "acme").iterdir()}
    assert modes == {"account.json": 0o600, "certificate.pem": 0o600}
    metric = re.search(
        r'^decalog_tls_certificate_not_after_seconds\{listener="http"\} (\d+)',
        httpx.get(server.metrics_url).text, re.M,
    )  # fmt: skip
    assert int(metric.group(1)) == int(issued.not_valid_after_utc.timestamp())
    # FIX uses the same file, and sees by itself that it changed.
    same = issued.serial_number
    wait_for(server, "FIX shows another", lambda: served(server.ports.fix).serial_number == same)
    # A restart asks nobody, and nobody is there: what is kept is good for months.
    assert server.stop() == 0
    server.start()
    assert served(server.ports.http).serial_number == served(server.ports.fix).serial_number == same
    # Another authority issues its own: an account is known to one of them only.
    (tmp_path / "other").mkdir()
    with Pebble(tmp_path / "other", server.ports.http, pebble.authority) as other:
        assert server.stop() == 0
        assert "no certificate was obtained" not in server.output()
        before, after = pebble.directory_url, other.directory_url
        server.config.write_text(server.config.read_text().replace(before, after))
        server.start()
        wait_for(server, "nothing was issued", lambda: served(server.ports.http).serial_number != same)
        assert is_trusted(server, other.roots())


def test_an_authority_that_is_gone_leaves_the_server_serving(make_server, tmp_path):
    root = Authority(tmp_path, "Pebble").root
    server = acme_server(make_server, f"https://{NAME}:{free_port()}/dir", root)
    server.start()
    wait_for(server, "it did not try", lambda: "no certificate was obtained" in server.output())
    assert is_its_own(server.ports.http)
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
    server = acme_server(make_server, "https://acme.example/dir", tmp_path / "none.pem")
    broken = {"agree_to_terms = true": "", f'names = ["{NAME}"]': "names = []", 'directory = "https': 'directory = "ftp'}
    server.config.write_text(server.config.read_text().replace(change, broken[change]))
    checked = decalog("check-config", server.config)
    assert checked.returncode != 0 and key in checked.stderr, checked.stderr
