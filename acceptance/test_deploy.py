"""deploy/: the rules are sound, each alert is shown to fire and tells what to do, and Prometheus with Alertmanager beside a
real server notice when it is gone."""

import http.server
import json
import re
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from clients.certificates import Authority
from decalog_server import REPOSITORY, free_port, trading_unit

DEPLOY = REPOSITORY / "deploy"
RULES = sorted((DEPLOY / "prometheus/rules").glob("*.yml"))
RULE_TESTS = sorted((DEPLOY / "prometheus/tests").glob("*.yml"))
DASHBOARDS = sorted((DEPLOY / "grafana").glob("*.json"))
ALERTS = re.findall(r"^ *- alert: (\w+)$", (DEPLOY / "prometheus/rules/alerts.yml").read_text(), re.MULTILINE)


def run(*command: object) -> None:
    """Runs a checker to its end; what it prints is the failure."""
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr


def test_prometheus_takes_the_configuration_and_the_rules():
    run("promtool", "check", "config", DEPLOY / "prometheus/prometheus.yml")
    run("promtool", "check", "rules", *RULES)


def test_the_rules_do_what_their_tests_say():
    run("promtool", "test", "rules", *RULE_TESTS)


def test_alertmanager_takes_its_routes():
    run("amtool", "check-config", DEPLOY / "alertmanager/alertmanager.yml")


@pytest.mark.parametrize(
    ("severity", "receivers"), [("page", "pager,slack"), ("ticket", "mail")], ids=["a page", "a ticket"]
)
def test_alerts_reach_whom_they_are_for(severity, receivers):
    config = DEPLOY / "alertmanager/alertmanager.yml"
    run(
        "amtool", "config", "routes", "test", f"--config.file={config}", f"--verify.receivers={receivers}",
        f"severity={severity}", "alertname=DecalogX",
    )  # fmt: skip


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_is_tested_and_has_its_page(alert):
    fires = False
    for file in RULE_TESTS:
        for case in re.split(r"^ *- eval_time:", file.read_text(), flags=re.MULTILINE)[1:]:
            fires |= f"alertname: {alert}\n" in case and "exp_alerts" in case
    assert fires, f"no rule test shows that {alert} fires"
    pages = (REPOSITORY / "docs/operations.md").read_text()
    assert f"\n## {alert}\n" in pages, f"docs/operations.md says nothing about {alert}"
    rules = Path(DEPLOY / "prometheus/rules/alerts.yml").read_text()
    assert f"runbook: docs/operations.md#{alert.lower()}" in rules


RECORDED = re.compile(r"\w+:\w+:\w+")


def rules() -> str:
    """The rules without their comments."""
    return "".join(re.sub(r"#.*", "", file.read_text()) for file in RULES)


def expressions_of_dashboards() -> list[str]:
    """Everything that a dashboard asks Prometheus for."""
    dashboards = [json.loads(file.read_text()) for file in DASHBOARDS]
    panels = [panel for dashboard in dashboards for panel in dashboard["panels"]]
    variables = [entry for dashboard in dashboards for entry in dashboard["templating"]["list"]]
    asked = [entry["query"]["query"] for entry in variables if entry["type"] == "query"]
    return asked + [target["expr"] for panel in panels for target in panel["targets"]]


def named(text: str) -> set[str]:
    """Every metric of the server in an expression: the family's name."""
    names = set(re.findall(r"\bdecalog_\w+", RECORDED.sub("", text)))
    return {re.sub(r"_(bucket|count|sum|info)$", "", name) for name in names}


@pytest.fixture(scope="module")
def server(make_server):
    """A server to be watched, with all that there is to watch: TLS too, and calls to another server, which is not there."""
    server = make_server([trading_unit(0, ["AAA"], ["ALICE"])], start=False)
    authority = Authority(server.directory)
    certificate, key = server.directory / "server.pem", server.directory / "server.key"
    authority.issue("server", certificate, key)
    tls = f'\n[http.tls]\ncertificate = "{certificate}"\nkey = "{key}"\n'
    traces = f'\n[telemetry.traces]\nendpoint = "http://127.0.0.1:{free_port()}/v1/traces"\none_in = 1\n'
    server.config.write_text(server.config.read_text() + tls + traces)
    server.authority = authority.root
    return server.start()


def ask(server) -> None:
    """One request, to be counted."""
    verify = ssl.create_default_context(cafile=str(server.authority))
    httpx.get(f"{server.url}/v1/instruments", verify=verify).raise_for_status()


def test_what_dashboards_show_of_recorded_metrics_is_recorded():
    recorded = set(re.findall(r"- record: (\S+)", rules()))
    shown = {name for text in expressions_of_dashboards() for name in RECORDED.findall(text)}
    assert shown and shown <= recorded


def test_every_metric_that_a_rule_or_a_dashboard_asks_for_is_there(server):
    ask(server)
    asked = {name.removesuffix("_total") for text in (rules(), *expressions_of_dashboards()) for name in named(text)}
    assert len(asked) > 12, f"the rules or the dashboards were not read: {asked}"
    deadline = time.monotonic() + 30
    while True:
        answer = httpx.get(server.metrics_url)
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        missing = asked - set(re.findall(r"^# TYPE (\w+)", answer.text, re.MULTILINE))
        if not missing:
            return
        # Spans are sent every few seconds.
        assert time.monotonic() < deadline, f"asked for and not exported: {missing}"
        time.sleep(0.2)


class Notes(http.server.BaseHTTPRequestHandler):
    """Takes what Alertmanager sends to a webhook."""

    def do_POST(self) -> None:
        """Notes the alerts' names and states."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.noted += [(alert["labels"]["alertname"], alert["status"]) for alert in body["alerts"]]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_) -> None:
        """Silence."""


@pytest.fixture
def webhook() -> Iterator[http.server.ThreadingHTTPServer]:
    """A webhook that remembers."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Notes) as hook:
        hook.noted = []
        threading.Thread(target=hook.serve_forever, daemon=True).start()
        yield hook
        hook.shutdown()


@pytest.fixture
def watchers(server, webhook, tmp_path) -> Iterator[str]:
    """Prometheus with the rules of deploy/ and Alertmanager beside the server; the address of Prometheus. Everything is as
    deployed but the pauses (scraped each second, no alert waits to be sure) and the alerts about the disk, which may be true of
    the machine that tests."""
    prometheus, alertmanager = free_port(), free_port()
    rules = tmp_path / "rules"
    rules.mkdir()
    for file in RULES:
        text = re.sub(r"for: \w+", "for: 0s", file.read_text())
        (rules / file.name).write_text(text.replace("decalog_data_free_bytes", "absent_of_a_test"))
    config = (DEPLOY / "prometheus/prometheus.yml").read_text()
    config = config.replace("15s", "1s").replace("127.0.0.1:9464", f"127.0.0.1:{server.ports.operators}")
    config = config.replace("127.0.0.1:9093", f"127.0.0.1:{alertmanager}")
    (tmp_path / "prometheus.yml").write_text(config)
    hook = f"http://127.0.0.1:{webhook.server_port}/"
    (tmp_path / "alertmanager.yml").write_text(
        "route: { receiver: hook, group_wait: 0s, group_interval: 1s }\n"
        f'receivers: [{{ name: hook, webhook_configs: [{{ url: "{hook}" }}] }}]\n'
    )
    commands = [
        [
            "prometheus",
            f"--config.file={tmp_path}/prometheus.yml",
            f"--storage.tsdb.path={tmp_path}/tsdb",
            f"--web.listen-address=127.0.0.1:{prometheus}",
        ],
        [
            "prometheus-alertmanager",
            f"--config.file={tmp_path}/alertmanager.yml",
            f"--storage.path={tmp_path}/alerts",
            f"--web.listen-address=127.0.0.1:{alertmanager}",
            "--cluster.listen-address=",
        ],
    ]
    with (tmp_path / "watchers.log").open("wb") as output:
        processes = [subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) for command in commands]
    try:
        yield f"http://127.0.0.1:{prometheus}"
    finally:
        for process in processes:
            process.terminate()
            process.wait(30)


def until(what: str, condition: Callable[[], object], timeout: float = 60.0):
    """Polls until the condition gives something true, and returns it."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            if found := condition():
                return found
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, f"still waiting: {what}"
        time.sleep(0.05)


def query(prometheus: str, expression: str) -> list[dict]:
    """What an expression gives now."""
    answer = httpx.get(f"{prometheus}/api/v1/query", params={"query": expression})
    # Until it has started, it answers with something else.
    return answer.json()["data"]["result"] if answer.status_code == 200 else []


def test_latencies_are_native_histograms_for_who_asks_for_them(server, tmp_path):
    """Prometheus with the feature scrapes the binary form and computes quantiles without buckets of its own choosing."""
    port = free_port()
    scrape = f'[{{ job_name: decalog, static_configs: [{{ targets: ["127.0.0.1:{server.ports.operators}"] }}] }}]'
    config = f"global: {{ scrape_interval: 1s }}\nscrape_configs: {scrape}\n"
    (tmp_path / "prometheus.yml").write_text(config)
    command = [
        "prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/tsdb",
        f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=native-histograms",
    ]  # fmt: skip
    ask(server)
    with (tmp_path / "prometheus.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        median = 'histogram_quantile(0.5, decalog_http_request_duration_seconds{route="/v1/instruments"}) > 0'
        found = until("a quantile", lambda: query(f"http://127.0.0.1:{port}", median))
        assert 1e-7 < float(found[0]["value"][1]) < 10
    finally:
        process.terminate()
        process.wait(30)


def test_prometheus_reads_a_real_server_and_somebody_hears_when_it_is_gone(server, watchers, webhook):
    until("a scrape", lambda: query(watchers, 'up{job="decalog"} == 1'))
    until("the partition's state", lambda: query(watchers, 'decalog_partition_running{system="exchange"} == 1'))
    until("a rule's result", lambda: query(watchers, "instance:decalog_log_sync_duration_seconds:p99_rate5m"))
    assert query(watchers, 'ALERTS{alertstate="firing"}') == [], "a healthy server raises no alert"
    assert webhook.noted == []
    server.kill()
    until("the alert", lambda: ("DecalogDown", "firing") in webhook.noted)
    server.start()
    until("the all-clear", lambda: ("DecalogDown", "resolved") in webhook.noted)
    assert {name for name, _ in webhook.noted} == {"DecalogDown"}, "and nothing else"
