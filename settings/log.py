"""The log, which goes to standard error."""

from typing import Any

from environ import Env

from inventory.logs import is_worth_a_line
from settings.checked import one_of

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def logging(env: Env, *, log_format: str, access_log: bool, events_log: str) -> dict[str, Any]:
    """`LOGGING` for `LOG_LEVEL`. `log_format` is `line` or `json`; `events_log` is as `EVENTS_LOG`."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "worth": {"()": "django.utils.log.CallbackFilter", "callback": is_worth_a_line},
            "context": {"()": "inventory.logs.ContextFilter"},
        },
        "formatters": {
            "line": {
                "()": "inventory.logs.SecretFreeFormatter",
                "format": "{asctime} {levelname} {name}{context}: {message}",
                "style": "{",
            },
            "json": {"()": "inventory.logs.SecretFreeJsonFormatter"},
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": log_format, "filters": ["context"]},
            "events": _events_handler(events_log),
        },
        "root": {"handlers": ["stderr"], "level": one_of(env, "LOG_LEVEL", LEVELS, default="WARNING")},
        "loggers": {
            # INFO for our own apps, which report recoveries. Libraries would be too noisy.
            **{name: {"level": env.str("LOG_LEVEL", default="") or "INFO"} for name in ("inventory", "secgroups")},
            "inventory.events": {"handlers": ["events"], "level": "INFO", "propagate": False},
            "inventory.access": {"level": "INFO" if access_log else "WARNING"},
            "django.request": {"filters": ["worth"]},
            "authlib": {"level": "WARNING"},  # below that it writes secrets of a login
            "waitress.queue": {"level": "ERROR"},  # it warns of every request that waits for a thread
        },
    }


def _events_handler(target: str) -> dict[str, Any]:
    """The handler for `EVENTS_LOG`. A file is opened for the first event, and may be moved away meanwhile."""
    if not target:
        return {"class": "logging.NullHandler"}
    scheme, separator, address = target.partition("syslog:")
    if scheme or not separator:
        return {"class": "inventory.logs.StrictFileHandler", "filename": target, "delay": True}
    host, _, port = address.rpartition(":")
    socket = (host, int(port)) if host and port.isdecimal() else address
    return {"class": "inventory.logs.StrictSyslogHandler", "address": socket}
