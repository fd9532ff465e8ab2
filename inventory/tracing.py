"""Traces for OpenTelemetry: requests, statements, tasks and calls of clouds are spans.

OpenTelemetry's packages are optional, and imported only if the settings ask for traces. Its instrumentation of
Celery carries a trace from the request into the worker, in the message. Statements are traced by Django's hook for
them: the instrumentation of psycopg replaces cursors, and would miss those of `inventory.db`.

Spans of this module have no values and no texts of errors, which may be secret. The log has the latter.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from celery.signals import worker_init
from django.conf import settings
from django.db import connections
from django.db.backends.signals import connection_created

from inventory.logs import running_tasks

#: Addresses that nobody wants to see in traces.
_EXCLUDED = "/healthz$,/readyz$,/metrics$"
#: Maximum length of a statement in a span.
_LONGEST_STATEMENT = 2000

#: OpenTelemetry's tracer, or None if nobody asked for traces.
_tracer: Any = None


def start() -> None:
    """Trace this process, if the settings ask for it. Call it before the handler of requests is made."""
    if settings.OTEL_TRACES:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        _trace(BatchSpanProcessor(OTLPSpanExporter()))


def _trace(processor: Any) -> None:
    from opentelemetry.instrumentation.celery import CeleryInstrumentor
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    global _tracer
    name = os.environ.get("OTEL_SERVICE_NAME", "portcullis")
    resource = Resource.create({"service.name": name, "service.version": settings.VERSION})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(processor)
    _tracer = provider.get_tracer(__name__)
    DjangoInstrumentor().instrument(
        tracer_provider=provider, excluded_urls=_EXCLUDED, response_hook=_note_request_id
    )
    CeleryInstrumentor().instrument(tracer_provider=provider)  # type: ignore[no-untyped-call]
    connection_created.connect(_trace_connection)
    for connection in connections.all(initialized_only=True):
        _trace_connection(connection)


@worker_init.connect
def start_in_worker(**kwargs: Any) -> None:
    start()


def span_of_call(vendor: str, action: str) -> AbstractContextManager[None]:
    """A span for a call of a cloud."""
    if _tracer is None:
        return nullcontext()
    return _span(f"{vendor} {action}", {"cloud.provider": vendor, "rpc.method": action}, kind="CLIENT")


def span_of_tasks() -> AbstractContextManager[None]:
    """A span for the tasks that this thread runs together."""
    if _tracer is None:
        return nullcontext()
    tasks = running_tasks.get()
    queue = str(tasks[0].queue)
    attributes = {
        "queue": queue,
        "tasks": [int(task.pk) for task in tasks],
        "request_ids": sorted({task.request_id for task in tasks if task.request_id}),
    }
    return _span(f"run {queue.partition('/')[0]}", attributes)


@contextmanager
def _span(name: str, attributes: Mapping[str, Any], *, kind: str = "INTERNAL") -> Iterator[None]:
    from opentelemetry.trace import SpanKind, StatusCode

    quietly = {"record_exception": False, "set_status_on_exception": False}
    with _tracer.start_as_current_span(name, kind=SpanKind[kind], attributes=attributes, **quietly) as span:
        try:
            yield
        except BaseException as error:
            span.set_status(StatusCode.ERROR, type(error).__name__)
            raise


def _note_request_id(span: Any, request: Any, response: Any) -> None:
    if span.is_recording():
        span.set_attribute("request_id", getattr(request, "request_id", ""))


def _trace_connection(connection: Any, **kwargs: Any) -> None:
    if _traced not in connection.execute_wrappers:
        connection.execute_wrappers.append(_traced)


def _traced(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Execute a statement in a span, which has its text without its values."""
    text, connection = str(sql), context["connection"]
    attributes = {
        "db.system": connection.vendor,
        "db.name": str(connection.settings_dict["NAME"]),
        "db.statement": text[:_LONGEST_STATEMENT],
    }
    name = (text.split(maxsplit=1) or ["statement"])[0].upper()
    with _span(name, attributes, kind="CLIENT"):
        return execute(sql, params, many, context)
