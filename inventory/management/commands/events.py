"""Export events."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

import orjson
from django.core.management.base import BaseCommand

from inventory import messages
from inventory.forwarding import shown
from inventory.models import EventStream


def moment(text: str) -> datetime:
    """A date or a time in ISO 8601, of UTC unless it says otherwise."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(messages.not_a_time(text)) from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


class Command(BaseCommand):
    help = "Lists events, the oldest first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--since", type=moment, metavar="TIME", help="2026-11-30, or 2026-11-30T12:00:00Z")
        parser.add_argument("--until", type=moment, metavar="TIME", help="as above; events before it")
        parser.add_argument("--type", dest="event_type", metavar="TYPE", help="only events of this type")
        parser.add_argument("--json", action="store_true", help="JSON: an event in each line with its attributes")

    def handle(
        self,
        *,
        since: datetime | None,
        until: datetime | None,
        event_type: str | None,
        json: bool,
        **options: Any,
    ) -> None:
        conditions = {"timestamp__gte": since, "timestamp__lt": until, "event_type": event_type}
        events = EventStream.objects.filter(**{name: value for name, value in conditions.items() if value})
        for event in shown(events.order_by("timestamp", "pk")):
            self.stdout.write(orjson.dumps(event).decode() if json else _line(event))


def _line(event: dict[str, Any]) -> str:
    who = " ".join(filter(None, [event["username"], event["address"]])) or "-"
    often = f" (x{event['count']})" if event["count"] > 1 else ""
    return (
        f"{event['timestamp']:%Y-%m-%dT%H:%M:%SZ}  {event['event_type']:24}  {who:24}  {event['message']}{often}"
    )
