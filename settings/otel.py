"""Whether the environment asks for traces, and whether it can have them. Any contradiction stops the start."""

from importlib.util import find_spec

from django.core.exceptions import ImproperlyConfigured
from environ import Env

#: What `requirements-otel.txt` installs, as far as it is imported.
_MODULES = (
    "opentelemetry.sdk.trace",
    "opentelemetry.exporter.otlp.proto.http",
    "opentelemetry.instrumentation.django",
    "opentelemetry.instrumentation.celery",
)
_ASKING = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER")


def traces(env: Env) -> bool:
    """Whether to send traces: OpenTelemetry's own variables say so, and name the receiver."""
    exporter = env.str("OTEL_TRACES_EXPORTER", default="") or "otlp"
    is_off = exporter == "none" or env.str("OTEL_SDK_DISABLED", default="").lower() == "true"
    if is_off or not any(env.str(name, default="") for name in _ASKING):
        return False
    if exporter != "otlp":
        raise ImproperlyConfigured(f"OTEL_TRACES_EXPORTER must be otlp or none, but is {exporter!r}")
    for name in ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"):
        if (protocol := env.str(name, default="") or "http/protobuf") != "http/protobuf":
            raise ImproperlyConfigured(f"{name} must be http/protobuf, but is {protocol!r}")
    if missing := [name for name in _MODULES if not _is_there(name)]:
        raise ImproperlyConfigured(
            f"OTEL_* asks for traces, but {missing[0]} is missing. Install requirements-otel.txt, or unset OTEL_*"
        )
    return True


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even what it is in
        return False
