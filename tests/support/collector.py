"""A collector of OpenTelemetry over HTTP, which reads what it is sent strictly by the protocol's definition."""

from __future__ import annotations

import base64
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class SeenSpan:
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    attributes: dict[str, Any]
    error: bool
    seconds: float
    trace_state: str


@dataclass
class Collector:
    """Answers with the next of `answers`, and 200 when none is left; 0 is no answer until it is closed."""

    answers: list[int] = field(default_factory=list)
    spans: list[SeenSpan] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    resource: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        collector = self
        self._closed = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status = collector.take(self.path, headers, body)
                if not status:
                    collector._closed.wait()
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        self.requests.append((path, headers))
        if self.answers:
            return self.answers.pop(0)
        try:
            self._read(headers["content-type"], body)
        except Exception as problem:  # noqa: BLE001 - the test is to see it
            self.problems.append(repr(problem))
            return 400
        return 200

    def _read(self, content_type: str, body: bytes) -> None:
        message = ExportTraceServiceRequest()
        if content_type == "application/json":
            ParseDict(_with_base64_ids(json.loads(body)), message)
        else:
            assert content_type == "application/x-protobuf"
            message.ParseFromString(body)
            assert message.SerializeToString(deterministic=True) and not _unknown(message)
        for resource in message.resource_spans:
            self.resource = {a.key: _value(a.value) for a in resource.resource.attributes}
            for scope in resource.scope_spans:
                assert scope.scope.name == "duragraph" and scope.scope.version
                self.spans += [_seen(span) for span in scope.spans]


def _with_base64_ids(node: Any) -> Any:
    """OTLP's JSON has ids in hexadecimal digits, where that of Protocol Buffers has base64."""
    if isinstance(node, list):
        return [_with_base64_ids(one) for one in node]
    if not isinstance(node, dict):
        return node
    ids = {"traceId", "spanId", "parentSpanId"}
    return {
        key: base64.b64encode(bytes.fromhex(value)).decode() if key in ids else _with_base64_ids(value)
        for key, value in node.items()
    }


def _unknown(message: ExportTraceServiceRequest) -> bool:
    kept = ExportTraceServiceRequest()
    kept.CopyFrom(message)
    kept.DiscardUnknownFields()
    return kept.ByteSize() != message.ByteSize()


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    assert kind in {"string_value", "int_value"}
    return getattr(value, kind)


def _seen(span: Any) -> SeenSpan:
    assert len(span.trace_id) == 16 and len(span.span_id) == 8 and len(span.parent_span_id) in {0, 8}
    assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano and span.flags & 1
    return SeenSpan(
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.kind,
        {a.key: _value(a.value) for a in span.attributes},
        span.status.code == 2,
        (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
        span.trace_state,
    )
