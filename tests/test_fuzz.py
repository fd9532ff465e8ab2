"""A little of `make fuzz`: a few good and bad requests to each operation of the schema, with every check."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from inventory.rest.http import waiting
from inventory.rest.schema.document import document
from settings.wsgi import application
from tests.fuzz import checks, steering  # noqa: F401  (registers them)
from tests.fuzz.offline import cut_off

pytestmark = pytest.mark.walk

config = SchemathesisConfig.from_path(Path(__file__).with_name("fuzz") / "schemathesis.toml")
schema = schemathesis.openapi.from_dict(deepcopy(document()), config=config)
schema.app = application
OPERATIONS = {found.ok().label: found.ok() for found in schema.get_all_operations()}


@pytest.fixture
def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the end of a task, which does not come here."""
    monkeypatch.setattr(waiting, "MAX_WAIT", 0)


@pytest.fixture
def one_connection(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction of the test is on it: the end of a request must not close it."""
    monkeypatch.setattr(connection, "close_if_unusable_or_obsolete", lambda: None)


@pytest.fixture
def no_clouds(monkeypatch: pytest.MonkeyPatch) -> None:
    cut_off(monkeypatch)


@pytest.mark.usefixtures("company", "nobody_waits", "no_clouds", "one_connection")
@pytest.mark.parametrize(
    ("label", "mode"),
    [
        pytest.param(label, mode, id=f"{mode.value} {label}")
        for label, operation in OPERATIONS.items()
        for mode in GenerationMode
        if mode.is_positive or operation.query or operation.body  # where nothing is taken nothing can be wrong
    ],
)
def test_an_operation_answers_as_the_schema_says(label: str, mode: GenerationMode, admin_client: Client) -> None:
    operation = OPERATIONS[label]

    @given(case=operation.as_strategy(mode, path_parameters=existing(admin_client, operation.path)))
    @settings(max_examples=2, derandomize=True, suppress_health_check=list(HealthCheck))
    def answers(case: Any) -> None:
        case.call_and_validate(auth=("admin", "password"))

    answers()


def existing(client: Client, path: str) -> dict[str, str]:
    """Ids for the parameters of a path, of the first resources there are."""
    ids: dict[str, str] = {}
    for part in path.split("/"):
        if part.startswith("{"):
            listed = path.partition(f"/{part}")[0].format(**ids)
            resources = client.get(listed, {"limit": 1}).json()["resources"]
            ids[part[1:-1]] = resources[0]["href"].rpartition("/")[2] if resources else "0"
    return ids
