"""
What a process tells of itself: one log line and one span per command, and its metrics.

A span costs more than most commands, so there is none until a tracer is set; the caller's `traceparent` goes into the
events all the same.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, BinaryIO, Final

import msgspec
import structlog
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

# The names of what is logged and measured: dashboards and alerts know them, so they are changed with care.

LOG_COMMAND: Final = "command"
LOG_REFUSED_CALLER: Final = "caller_refused"
LOG_FAILED: Final = "call_failed"

REGISTRY: Final = CollectorRegistry()

HTTP_SECONDS: Final = Histogram(
    "fieldloop_http_seconds",
    "Time to answer a call, by route",
    ["service", "method", "route", "status"],
    registry=REGISTRY,
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
HTTP_BEGUN: Final = Gauge("fieldloop_http_begun", "Calls that are not answered yet", registry=REGISTRY)
SIGN_INS: Final = Counter("fieldloop_sign_ins_total", "Attempts to sign in", ["outcome"], registry=REGISTRY)
HELD_COMMANDS: Final = Counter(
    "fieldloop_gateway_repeated_total", "Commands that the gateway sent again", ["service"], registry=REGISTRY
)

_TRACE_PARENT = re.compile("00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_ZERO = re.compile("00-0{32}|.{36}0{16}")
_CONTEXT = TraceContextTextMapPropagator()
_tracer: trace.Tracer | None = None


def exposition() -> bytes:
    """All metrics in Prometheus' text format."""
    return generate_latest(REGISTRY)


def log_as_json(out: BinaryIO | None = None, level: int = logging.INFO) -> None:
    """One JSON object per line. Control characters are escaped, so that no text can forge a line."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _as_json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(out or sys.stdout.buffer),
        cache_logger_on_first_use=False,
    )


def _as_json(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)


def trace_to(exporter: SpanExporter, process: str, share: float = 0.01) -> TracerProvider:
    """Send this share of the spans to an exporter from now on; a caller that samples its trace samples ours too."""
    global _tracer
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(share)),
        resource=Resource.create({"service.name": f"fieldloop-{process}"}),
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = provider.get_tracer("fieldloop")
    return provider


def do_not_trace() -> None:
    """No spans from now on."""
    global _tracer
    _tracer = None


def traced() -> bool:
    return _tracer is not None


def trace_parent_of(header: str) -> str:
    """The caller's `traceparent`, or the empty string where it is none."""
    return header if _TRACE_PARENT.fullmatch(header) and not _ZERO.match(header) else ""


@contextmanager
def span(name: str, trace_parent: str) -> Iterator[tuple[trace.Span, str]]:
    """
    A span that continues a trace, and the `traceparent` with which others continue it.

    Raises RuntimeError where nothing is traced: ask `traced` first.
    """
    if _tracer is None:
        raise RuntimeError("nothing is traced in this process: ask `traced` first")
    parent = _CONTEXT.extract({"traceparent": trace_parent}) if trace_parent else None
    with _tracer.start_as_current_span(name, context=parent, kind=trace.SpanKind.SERVER) as begun:
        carrier: dict[str, str] = {}
        _CONTEXT.inject(carrier)
        yield begun, carrier.get("traceparent", trace_parent)
