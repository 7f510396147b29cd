"""deploy/: the rules are sound, each alert is shown to fire, and each tells what to do."""

import re
import subprocess
from pathlib import Path

import pytest

from decalog_server import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
RULES = sorted((DEPLOY / "prometheus/rules").glob("*.yml"))
RULE_TESTS = sorted((DEPLOY / "prometheus/tests").glob("*.yml"))
ALERTS = re.findall(r"^ *- alert: (\w+)$", (DEPLOY / "prometheus/rules/alerts.yml").read_text(), re.MULTILINE)


def run(*command: object) -> None:
    """Runs a checker to its end; what it prints is the failure."""
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60)
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
