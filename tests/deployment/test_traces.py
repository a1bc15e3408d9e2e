"""Traces of `duragraph serve`: the context of clients, and spans at a collector that reads them strictly."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from collector import Collector, SeenSpan
from exposition import Scrape
from postgres import Database
from processes import Program, Project, ServeServer, WorkerProgram, until

USAGE = 2
TRACE, CLIENT_SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SERVER, INTERNAL = 2, 1


def traceparent(sampled: bool = True) -> str:
    return f"00-{TRACE}-{CLIENT_SPAN}-{'01' if sampled else '00'}"


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


def wait_span(collector: Collector, name: str, **attributes: object) -> SeenSpan:
    def found() -> SeenSpan | None:
        for span in collector.spans:
            if span.name == name and attributes.items() <= span.attributes.items():
                return span
        return None

    span = until(found, lambda: f"{name} {attributes} among {collector.spans}, {collector.problems}")
    assert span
    return span


def outcome(value: str) -> dict[str, object]:
    return {"duragraph.outcome": value}


def begin(server: ServeServer, graph: str, input: object, **headers: str) -> tuple[str, str]:
    thread = server.api.thread()
    asked = server.api.http.post(
        f"/threads/{thread}/runs", json={"assistant_id": graph, "input": input}, headers=headers
    )
    assert asked.status_code == 200, asked.text
    return thread, asked.json()["run_id"]


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
def test_a_run_belongs_to_its_clients_trace(
    project: Project, migrated: Database, collector: Collector, protocol: str
) -> None:
    server = ServeServer(
        project,
        migrated.url,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
        OTEL_EXPORTER_OTLP_HEADERS="x-api-key=a%20secret,x-tenant=t1",
        OTEL_SERVICE_NAME="agents",
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test,service.name=overruled",
    )
    server.wait_workers()
    thread, run = begin(server, "three_nodes", {"steps": []}, traceparent=traceparent(), tracestate="vendor=abc")
    server.api.join(thread, run)
    request = wait_span(collector, "POST /threads/{thread_id}/runs")
    attempt = wait_span(collector, "run three_nodes", **outcome("completed"))
    assert (request.trace_id, request.parent_id, request.kind) == (TRACE, CLIENT_SPAN, SERVER)
    assert (attempt.trace_id, attempt.parent_id, attempt.kind) == (TRACE, request.span_id, INTERNAL)
    assert request.trace_state == attempt.trace_state == "vendor=abc"
    assert request.attributes["url.path"] == f"/threads/{thread}/runs"
    assert request.attributes["http.response.status_code"] == 200
    assert attempt.attributes["duragraph.run.id"] == run and attempt.attributes["duragraph.attempt"] == 1
    assert not request.error and not attempt.error

    path, headers = collector.requests[0]
    assert path == "/v1/traces" and headers["x-api-key"] == "a secret" and headers["x-tenant"] == "t1"
    assert collector.resource["service.name"] == "agents"
    assert collector.resource["deployment.environment.name"] == "test"
    assert collector.resource["service.instance.id"] == server.api.get("/info")["metadata"]["instance"]
    assert collector.problems == []


def test_each_attempt_is_a_span_of_one_trace(project: Project, migrated: Database, collector: Collector) -> None:
    server = ServeServer(project, migrated.url, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    server.wait_workers()
    gate = project.gate()
    thread, run = begin(server, "slow", {"gate": str(gate)}, traceparent=traceparent())
    project.journal.wait(run, "second")
    worker = server.worker
    assert worker
    worker.kill()
    WorkerProgram(project, server.url, DURAGRAPH_WORKER_TOKEN="the-token-of-test-workers")
    project.journal.wait(run, "second", 2)
    gate.touch()
    server.api.wait_status(run, "success")
    lost = wait_span(collector, "run slow", **outcome("lost"))
    completed = wait_span(collector, "run slow", **outcome("completed"))
    assert (lost.attributes["duragraph.attempt"], completed.attributes["duragraph.attempt"]) == (1, 2)
    assert lost.trace_id == completed.trace_id == TRACE
    assert lost.parent_id == completed.parent_id and lost.span_id != completed.span_id
    assert lost.error and not completed.error


def test_ends_of_other_kinds(project: Project, migrated: Database, collector: Collector) -> None:
    server = ServeServer(project, migrated.url, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    server.wait_workers()
    _, failed = begin(server, "raises", {})
    server.api.wait_status(failed, "error")
    span = wait_span(collector, "run raises", **outcome("failed"))
    assert span.error and span.attributes["error.type"] == "CustomError"

    thread, held = begin(server, "slow", {"gate": str(project.gate())})
    project.journal.wait(held, "second")
    began = until(lambda: server.api.run(held)["updated_at"], "the time of its start")
    server.api.post(f"/threads/{thread}/runs/{held}/cancel", params={"wait": "true"})
    span = wait_span(collector, "run slow", **outcome("cancelled"))
    assert not span.error and span.seconds > 0 and began

    # A stream's span lasts as long as the stream.
    thread = server.api.thread()
    with server.api.http.stream(
        "POST", f"/threads/{thread}/runs/stream", json={"assistant_id": "three_nodes", "input": {"steps": []}}
    ) as answer:
        answer.read()
    stream = wait_span(collector, "POST /threads/{thread_id}/runs/stream")
    attempt = wait_span(collector, "run three_nodes")
    assert attempt.parent_id == stream.span_id and stream.parent_id == "" and stream.seconds >= attempt.seconds


def test_who_samples(project: Project, migrated: Database, collector: Collector) -> None:
    server = ServeServer(project, migrated.url, worker=False, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert server.api.http.get("/info", headers={"traceparent": traceparent(sampled=False)}).status_code == 200
    assert server.api.http.get("/assistants/" + TRACE, headers={"traceparent": traceparent()}).status_code >= 400
    # What is no trace context begins a trace of its own.
    assert server.api.http.get("/ok", headers={"traceparent": traceparent() + "-x"}).status_code == 200
    assert wait_span(collector, "GET /assistants/{assistant_id}").trace_id == TRACE
    assert wait_span(collector, "GET /ok").parent_id == ""
    assert not [span for span in collector.spans if span.name == "GET /info"]


def test_a_collector_that_is_busy_is_asked_again(project: Project, migrated: Database, collector: Collector) -> None:
    collector.answers = [503, 429]
    server = ServeServer(project, migrated.url, worker=False, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=collector.url + "/in")
    wait_span(collector, "GET /readyz")
    assert len(collector.requests) >= 3 and collector.requests[0][0] == "/in"

    def counted() -> bool:
        scrape = Scrape.read(server.api.http.get("/metrics").text)
        return scrape.values("duragraph_spans_exported_total")[0] > 0

    until(counted, "spans that are counted")
    collector.answers = [400]
    assert server.api.http.get("/info").status_code == 200
    until(
        lambda: Scrape.read(server.api.http.get("/metrics").text).values(
            "duragraph_spans_dropped_total", reason="not_delivered"
        )[0],
        "spans that are refused",
    )


def test_the_last_spans_are_sent_at_the_end(project: Project, migrated: Database, collector: Collector) -> None:
    server = ServeServer(project, migrated.url, worker=False, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert server.api.http.get("/info").status_code == 200
    server.stop()
    assert any(span.name == "GET /info" for span in collector.spans)


def test_a_collector_that_is_silent_does_not_hold_up_the_end(
    project: Project, migrated: Database, collector: Collector
) -> None:
    collector.answers = [0]
    server = ServeServer(
        project,
        migrated.url,
        worker=False,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_EXPORTER_OTLP_TIMEOUT="600000",
    )
    until(lambda: collector.requests, "a request that is not answered")
    server.signal(signal.SIGTERM)
    assert server.wait() == 0


@pytest.mark.parametrize(
    "off",
    [
        {"OTEL_SDK_DISABLED": "true"},
        {"OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_TRACES_SAMPLER": "always_off"},
        {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"},
    ],
)
def test_nothing_is_sent_where_that_is_said(
    project: Project, migrated: Database, collector: Collector, off: dict[str, str]
) -> None:
    server = ServeServer(project, migrated.url, worker=False, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **off)
    assert server.api.http.get("/info").status_code == 200
    server.stop()
    assert collector.requests == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=b%0d%0ac: d"),
    ],
)
def test_what_is_not_spoken_is_refused(project: Project, name: str, value: str) -> None:
    refused = Program(project, "serve", **{name: value})
    assert refused.wait() == USAGE and name in refused.output, refused.output
