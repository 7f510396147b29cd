"""Traces: what a collector receives over OTLP, read with OpenTelemetry's own message types."""

import http.server
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from clients.account import Account
from decalog_server import Server, trading_unit

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector(http.server.ThreadingHTTPServer):
    """Keeps every span that comes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.spans: list[Span] = []
        self.services: set[str] = set()
        self.status = 200
        # Cleared: no export is answered until it is set again.
        self.answers = threading.Event()
        self.answers.set()

    def of(self, trace: str) -> dict[str, Span]:
        """The spans of a trace, by name."""
        return {span.name: span for span in list(self.spans) if span.trace_id.hex() == trace}


class Handler(http.server.BaseHTTPRequestHandler):
    """OTLP/HTTP with protobuf."""

    def do_POST(self) -> None:
        """Takes an export."""
        assert self.path == "/v1/traces" and self.headers["content-type"] == "application/x-protobuf"
        request = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["content-length"])))
        for resource in request.resource_spans:
            names = {a.key: a.value.string_value for a in resource.resource.attributes}
            self.server.services.add(names["service.name"])
            self.server.spans += [span for scope in resource.scope_spans for span in scope.spans]
        self.server.answers.wait(60)
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(self.server.status)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_) -> None:
        """Silence."""


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        yield collector
        collector.shutdown()


def serve(make_server, collector: Collector, more: str = "") -> Server:
    """A server that sends hardly any trace of its own accord."""
    server = make_server([trading_unit(0, ["AAA"], ["ALICE"])], start=False)
    endpoint = f"http://127.0.0.1:{collector.server_port}/v1/traces"
    traces = f'\n[telemetry.traces]\nendpoint = "{endpoint}"\none_in = 1000000\n'
    server.config.write_text(server.config.read_text() + traces + more)
    return server.start()


@pytest.fixture(scope="module")
def server(make_server, collector) -> Server:
    # A machine under load may see five exports fail; it shall not pause for the usual minute.
    return serve(make_server, collector, "\n[resilience]\nbreaker_seconds = 1\n")


def until(condition, what: str):
    """Polls: spans are sent in the background."""
    deadline = time.monotonic() + 30
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found


def call(account: Account, method: str, path: str, trace: str, flags: str = "01", **keys) -> httpx.Response:
    """A request that is part of a trace."""
    headers = {"authorization": f"Bearer {account.token}", "traceparent": f"00-{trace}-{PARENT}-{flags}"}
    return httpx.request(method, account.server.url + path, headers=headers, **keys)


def test_a_callers_trace_goes_from_the_request_to_the_apply(server, collector):
    admin = Account.admin(server)
    body = {"name": "traced", "roles": ["user"]}
    assert call(admin, "POST", "/v1/admin/service-accounts", TRACE, json=body).status_code == 201
    spans = until(lambda: found if len(found := collector.of(TRACE)) >= 3 else None, "three spans of the trace")
    request, submit, apply = spans["POST /v1/admin/service-accounts"], spans["submit"], spans["apply"]
    assert request.parent_span_id.hex() == PARENT and request.kind == Span.SPAN_KIND_SERVER
    assert submit.parent_span_id == request.span_id and apply.parent_span_id == submit.span_id
    times = [request.start_time_unix_nano, submit.start_time_unix_nano, apply.start_time_unix_nano]
    assert times == sorted(times) and apply.end_time_unix_nano <= submit.end_time_unix_nano <= request.end_time_unix_nano
    attributes = {a.key: a.value for a in request.attributes}
    assert attributes["status"].int_value == 201
    assert collector.services == {"decalog"}


def test_what_the_caller_does_not_sample_is_not_sent(server, collector):
    admin = Account.admin(server)
    silent, told = "1" * 32, "2" * 32
    call(admin, "GET", "/v1/me", silent, flags="00").raise_for_status()
    call(admin, "GET", "/v1/me", told).raise_for_status()
    until(lambda: collector.of(told), "the sampled trace")
    assert not collector.of(silent)


def test_nothing_secret_is_in_a_span(server, collector):
    admin = Account.admin(server)
    trace, secret = "3" * 32, "a-password-of-the-test"
    call(admin, "POST", "/v1/admin/accounts", trace, json={"name": "hush", "password": secret}).raise_for_status()
    until(lambda: "apply" in collector.of(trace), "the trace")
    for span in collector.spans:
        assert secret not in str(span) and admin.token not in str(span) and admin.password not in str(span)


def test_a_collector_that_is_gone_hurts_nobody(server, collector):
    collector.status = 503
    admin = Account.admin(server)
    for number in range(50):
        call(admin, "GET", "/v1/me", f"{number + 1:032x}").raise_for_status()
    collector.status = 200
    told = "4" * 32
    until(lambda: call(admin, "GET", "/v1/me", told).is_success and collector.of(told), "spans again")


HASTY = """
[resilience]
connect_timeout_milliseconds = 300
attempt_timeout_milliseconds = 300
timeout_milliseconds = 300
breaker_failures = 1
breaker_seconds = 1
"""


def test_a_collector_that_is_slow_is_left_alone_until_it_is_back(make_server):
    with Collector() as slow:
        threading.Thread(target=slow.serve_forever, daemon=True).start()
        slow.answers.clear()
        server = serve(make_server, slow, HASTY)
        admin = Account.admin(server)

        def metric(name: str) -> bool:
            return f"decalog_outbound_{name}" in httpx.get(server.metrics_url).text

        def asked(trace: str) -> bool:
            return call(admin, "GET", "/v1/me", trace).is_success

        traces = (f"{number:032x}" for number in range(1, 1 << 20))
        until(lambda: asked(next(traces)) and metric('calls_total{client="traces",outcome="timed_out"}'), "a time-out")
        until(lambda: asked(next(traces)) and metric('peers{client="traces",state="open"} 1'), "the open breaker")
        slow.answers.set()
        told = "5" * 32
        until(lambda: asked(told) and slow.of(told), "spans again")
        until(lambda: metric('peers{client="traces",state="closed"} 1'), "the closed breaker")
        slow.shutdown()
