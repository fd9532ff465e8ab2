"""What leads a run further than chance would: to what there is, and past what refuses everything."""

from __future__ import annotations

import random
import re
from collections import defaultdict, deque
from itertools import count
from typing import Any

import schemathesis
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import StatefulPhaseData

from tests.fuzz import checks  # noqa: F401  (registers them)

LONGEST_KEY = 255
NOWHERE = re.compile("X-MIQ-Group|If-Match|(.+_)?id(__.+)?")
_HREF = re.compile(r'"href":"https?://[^/"]+(/api/[a-z0-9_/]+)"')
_ID = re.compile(r"\b[0-9]+\b")
_numbers = count()
#: The addresses in the latest answers, by what they are of: `/api/vms/#/security_groups/#`.
_seen: defaultdict[str, deque[str]] = defaultdict(lambda: deque(maxlen=50))


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Leave out parameters that lead nowhere.

    A made-up X-MIQ-Group is 401 whatever else is asked, a made-up If-Match 412. Filters by id would be linked with
    each answer that has ids, 20,000 times.
    """
    for operation in (one for operations in raw_schema["paths"].values() for one in operations.values()):
        operation["parameters"] = [
            parameter
            for parameter in operation.get("parameters", [])
            if parameter["in"] == "path" or not NOWHERE.fullmatch(parameter["name"])
        ]


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Ask for what there is, where the request was not to follow from another or to be wrong in its path.

    A good Idempotency-Key becomes a new one, because another request with the same key is refused.
    """
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and 0 < len(key) <= LONGEST_KEY:
        case.headers["Idempotency-Key"] = f"key-{next(_numbers)}"
    follows = case.meta is None or isinstance(case.meta.phase.data, StatefulPhaseData)
    if case.path_parameters and not follows and not case.meta.is_negative_at(ParameterLocation.PATH):
        case.path_parameters.update(_existing(case.path))


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    for href in _HREF.findall(response.text):
        _seen[_ID.sub("#", href)].append(href)


def _existing(path: str) -> dict[str, str]:
    """The ids of something that this path leads to, of what the latest answers named."""
    names = re.findall(r"{(\w+)}", path)
    known = _seen[re.sub(r"{\w+}", "#", path[: path.rindex("}") + 1])]
    return dict(zip(names, _ID.findall(random.choice(known)), strict=True)) if known else {}  # noqa: S311  (no secret)
