"""Traces: who asks for them, and what their spans have. `tests/e2e` follows one from a request to the cloud."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection
from django.db.backends.signals import connection_created
from django.test import Client
from environ import Env
from kombu import Producer
from opentelemetry import trace
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from inventory import tracing
from inventory.drivers.exceptions import CloudRefused
from inventory.models import Provider
from inventory.rate_limit import SharedRateLimiter
from inventory.services.queueing import wake
from settings import otel
from tests import cast as actors
from tests.cast import Cast

VARIABLES = [*otel._ASKING, "OTEL_SDK_DISABLED", "OTEL_EXPORTER_OTLP_PROTOCOL"]


class TestAsking:
    @pytest.fixture(autouse=True)
    def clean(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in VARIABLES:
            monkeypatch.delenv(name, raising=False)

    @pytest.mark.parametrize(
        ("variables", "asks"),
        [
            ({}, False),
            ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
            ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
            ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
            ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
            ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1"}, False),
            ({"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"}, False),
        ],
    )
    def test_the_variables_of_opentelemetry_ask(
        self, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], asks: bool
    ) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert otel.traces(Env()) is asks

    @pytest.mark.parametrize("module", ["opentelemetry.sdk.trace", "opentelemetry.instrumentation.celery"])
    def test_without_the_packages_the_start_stops(self, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
        def find_spec(name: str) -> object:
            if name == module:
                raise ModuleNotFoundError
            return object()

        monkeypatch.setattr(otel, "find_spec", find_spec)
        assert otel.traces(Env()) is False
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
        with pytest.raises(ImproperlyConfigured, match=f"{module} is missing. Install requirements-otel.txt"):
            otel.traces(Env())

    @pytest.mark.parametrize(
        ("name", "value"), [("OTEL_TRACES_EXPORTER", "zipkin"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]
    )
    def test_what_is_not_supported_stops_it_too(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
        monkeypatch.setenv(name, value)
        with pytest.raises(ImproperlyConfigured, match=f"{name} must be .* but is '{value}'"):
            otel.traces(Env())


def test_by_default_nothing_is_traced(cast: Cast, client: Client) -> None:
    client.get("/api/ping")
    assert tracing._tracer is None
    assert tracing._traced not in connection.execute_wrappers


class TestSpans:
    @pytest.fixture
    def exporter(self, db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
        exporter = InMemorySpanExporter()
        settings.MIDDLEWARE = [*settings.MIDDLEWARE]
        monkeypatch.setattr(tracing, "_tracer", None)
        tracing._trace(SimpleSpanProcessor(exporter))
        yield exporter
        DjangoInstrumentor().uninstrument()
        CeleryInstrumentor().uninstrument()
        connection_created.disconnect(tracing._trace_connection)
        connection.execute_wrappers.remove(tracing._traced)

    @staticmethod
    def spans(exporter: InMemorySpanExporter) -> list[ReadableSpan]:
        return list(exporter.get_finished_spans())

    def test_a_request_and_its_statements_are_one_trace(
        self, exporter: InMemorySpanExporter, admin_user: Any
    ) -> None:
        client = Client()
        client.handler = type(client.handler)()  # which has the middleware
        client.force_login(admin_user)
        exporter.clear()
        client.get("/api/providers?name=s3cret", headers={"X-Request-Id": "mine"})
        spans = self.spans(exporter)
        [request] = [span for span in spans if span.parent is None]
        assert request.attributes is not None
        assert request.attributes["request_id"] == "mine"
        statements = [span for span in spans if span.name == "SELECT"]
        assert statements
        assert {span.context.trace_id for span in statements} == {request.context.trace_id}
        texts = [str(span.attributes and span.attributes["db.statement"]) for span in statements]
        assert not any("s3cret" in text for text in texts)

    def test_probes_are_not_traced(self, exporter: InMemorySpanExporter) -> None:
        client = Client()
        client.handler = type(client.handler)()
        exporter.clear()
        client.get("/healthz")
        assert self.spans(exporter) == []

    def test_a_statement_that_fails_shows_no_value(self, exporter: InMemorySpanExporter) -> None:
        actors.provider("s3cret")
        exporter.clear()
        with pytest.raises(DatabaseError):
            Provider.objects.create(name="s3cret", vendor="amazon")
        [span] = [span for span in self.spans(exporter) if span.name == "INSERT"]
        assert span.status.description == "IntegrityError"
        assert "s3cret" not in span.to_json()

    def test_a_worker_that_is_woken_continues_the_trace(
        self, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sent: list[dict[str, str]] = []
        monkeypatch.setattr(Producer, "publish", lambda self, body, headers, **options: sent.append(headers))
        wake("vms/1")
        [span] = self.spans(exporter)
        assert sent[0]["traceparent"].split("-")[1] == trace.format_trace_id(span.context.trace_id)

    def test_a_call_of_a_cloud_is_a_span(self, exporter: InMemorySpanExporter) -> None:
        def call() -> None:
            raise CloudRefused("a secret reason")

        with pytest.raises(CloudRefused):
            SharedRateLimiter(actors.provider("acme")).send("describe_things", call)
        [span] = [span for span in self.spans(exporter) if span.name == "amazon describe_things"]
        assert span.status.description == "CloudRefused"
        assert "a secret reason" not in span.to_json()
