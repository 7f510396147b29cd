"""What an operator meets: wrong configurations, a data directory in use, and stopping."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from decalog_server import REPOSITORY, Ports, StartFailed, configuration, decalog, trading_unit

UNITS = [trading_unit(0, ["AAA"], ["ALICE"])]
GOOD = configuration(UNITS, Ports(9878, 8080, 9464))


def refused(tmp_path: Path, text: str, **environment: str) -> str:
    """What `check-config` says about the text; it must refuse it."""
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    result = decalog("check-config", file, **environment)
    assert result.returncode != 0, f"accepted: {result.stdout}"
    assert "panicked" not in result.stderr
    return result.stderr


def test_the_documented_configuration_is_good():
    result = decalog("check-config", REPOSITORY / "decalog.example.toml")
    assert result.returncode == 0, result.stderr


def test_the_configurations_checked_in_here_are_good():
    for file in (REPOSITORY / "acceptance").rglob("*.toml"):
        result = decalog("check-config", file)
        assert result.returncode == 0, f"{file}: {result.stderr}"


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ('durability = "fsync"', 'durability = "maybe"', ["exchange.durability", "maybe", "fsync", "interval", "os"]),
        ('tick_size = "0.01"', 'tick_size = "-1"', ["tick_size", "-1"]),
        ('tick_size = "0.01"', 'tick_size = "abc"', ["tick_size", "abc"]),
        ("number = 0", "number = 5000", ["number", "5000", "1023"]),
        ("number = 0", "nummer = 0", ["nummer", "number"]),
        ('account = "ACC-ALICE"', 'account = "NOBODY"', ["account", "NOBODY", "ACC-ALICE"]),
        ('day_end = "23:59:59"', 'day_end = "25:00:00"', ["day_end", "25:00:00"]),
        ('comp_id = "ALICE"', 'comp_id = "DECALOG"', ["comp_id", "DECALOG"]),
        ('listen = "127.0.0.1:9878"', 'listen = "nowhere"', ["exchange.fix.listen", "nowhere"]),
        ("[http]", "[http", []),
    ],
    ids=lambda value: value if isinstance(value, str) and "\n" not in value else "",
)
def test_a_wrong_value_is_named_with_file_key_value_and_what_is_allowed(tmp_path, old, new, parts):
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    message = refused(tmp_path, text)
    line = GOOD[: GOOD.index(old)].count("\n") + 1
    assert re.search(rf"wrong\.toml:{line}\b", message), f"names file and line {line}: {message}"
    for part in parts:
        assert part in message, f"{part!r} is not named: {message}"


def test_a_wrong_variable_is_named(tmp_path):
    file = tmp_path / "good.toml"
    file.write_text(GOOD)
    result = decalog("check-config", file, DECALOG__HTTP__MAX_CONNECTIONS="many")
    assert result.returncode != 0
    assert "DECALOG__HTTP__MAX_CONNECTIONS" in result.stderr and "many" in result.stderr


def test_a_file_that_is_not_there_is_named(tmp_path):
    for command in ("check-config", "serve"):
        file = tmp_path / "missing.toml"
        result = decalog(*([command, file] if command == "check-config" else [command, "--config", file]))
        assert result.returncode != 0 and str(file) in result.stderr


def test_serve_refuses_what_check_config_refuses(tmp_path):
    file = tmp_path / "wrong.toml"
    file.write_text(GOOD.replace('durability = "fsync"', 'durability = "maybe"'))
    result = decalog("serve", "--config", file, "--data", tmp_path / "data")
    assert result.returncode != 0 and "exchange.durability" in result.stderr
    assert not (tmp_path / "data").exists(), "a refused configuration leaves nothing behind"


def test_a_data_directory_in_use_names_the_process(make_server):
    server = make_server(UNITS)
    file = server.directory / "second.toml"
    file.write_text(configuration(UNITS, Ports()))
    result = decalog("serve", "--config", file, "--data", server.data)
    assert result.returncode != 0
    assert str(server.process.pid) in result.stderr and str(server.data) in result.stderr, result.stderr
    assert server.process.poll() is None, "the first one goes on"
    server.stop()
    server.start()


def test_a_port_in_use_is_named(make_server):
    first = make_server(UNITS)
    second = make_server(UNITS, start=False)
    second.config.write_text(configuration(UNITS, replace(second.ports, fix=first.fix_port)))
    with pytest.raises(StartFailed) as failure:
        second.start()
    assert str(first.fix_port) in failure.value.output


def test_a_changed_configuration_is_taken_over_at_the_next_start(make_server):
    server = make_server(UNITS)
    server.stop()
    more = [trading_unit(0, ["AAA", "BBB"], ["ALICE", "BOB"])]
    server.config.write_text(configuration(more, server.ports))
    server.start()


def test_the_log_of_a_stopped_server_can_be_looked_at(make_server):
    server = make_server(UNITS)
    server.stop()
    for command in ("stat", "verify"):
        result = decalog("log", command, server.data)
        assert result.returncode == 0, result.stderr


def test_status_shows_the_server_on_one_page(make_server):
    server = make_server(UNITS)
    url = server.metrics_url.removesuffix("/metrics")
    shown = decalog("status", "--url", url)
    assert shown.returncode == 0 and ": ready" in shown.stdout, shown.stdout + shown.stderr
    assert re.search(r"^exchange/0 +\d+ +\d+ +\d+ +\d+ +running$", shown.stdout, re.MULTILINE)
    assert re.search(r"^identity/0 ", shown.stdout, re.MULTILINE)
    report = json.loads(decalog("status", "--url", url, "--json").stdout)
    assert report["not_ready"] is None and {part["health"] for part in report["partitions"]} == {"running"}
    server.kill()
    gone = decalog("status", "--url", url)
    assert gone.returncode == 1 and "is the server running?" in gone.stderr
    server.start()
