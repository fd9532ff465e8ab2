"""What holds the house together and no linter sees."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from inventory.rest.permissions import ModelPermissions
from tests.cast import Cast

ROOT = Path(__file__).parent.parent
#: The room for what rests on Django's private parts.
SEAM = ROOT / "inventory" / "db"
PRIVATE = re.compile(
    r"get_compiler|get_converters|apply_converters|execute_sql|setup_query|get_select|alias_refcount"
    r"|\.where\.children|\.query\.selected|ServerBindingCursor|prepare_threshold|type: ignore\[method-assign"
)


def sources() -> list[Path]:
    paths = [path for app in ("inventory", "secgroups", "settings") for path in (ROOT / app).rglob("*.py")]
    return [path for path in paths if "migrations" not in path.parts]


def test_private_parts_of_django_are_touched_in_one_place() -> None:
    """No method of it is replaced elsewhere either: mypy would have to be told."""
    touching = {path for path in sources() if PRIVATE.search(path.read_text())}
    assert {path for path in touching if SEAM not in path.parents} == set()


def for_types_alone(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from (part.module or "" for part in ast.walk(node) if isinstance(part, ast.ImportFrom))


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_import_of_our_own_is_for_types_alone(path: Path) -> None:
    """It would hide a circle. A driver may name its client so, which imports an SDK: it is loaded for its use."""
    names = [*for_types_alone(ast.parse(path.read_text()))]
    own = [name for name in names if name.split(".")[0] in {"inventory", "secgroups", "settings"}]
    assert [name for name in own if not re.fullmatch(r"inventory\.drivers\.\w+\.client", name)] == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("get", "/api/instances", None),
        ("get", "/api/instances/{vm}/security_groups", None),
        ("post", "/api/instances/{vm}/security_groups", {"action": "add", "name": "web"}),
        ("post", "/api/instances/{vm}/security_groups/add", {"name": "web"}),
        ("post", "/api/instances", {"action": "query", "resources": [{"id": 1}]}),
        ("patch", "/api/providers/{provider}", {"provider_region": "here"}),
        ("delete", "/api/providers/{provider}", None),
    ],
)
def test_permissions_are_asked_once_a_request(
    admin_client: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch, method: str, path: str, body: Any
) -> None:
    times = []
    has_permission = ModelPermissions.has_permission

    def counted(self: ModelPermissions, request: Any, view: Any) -> bool:
        times.append(view)
        return has_permission(self, request, view)

    monkeypatch.setattr(ModelPermissions, "has_permission", counted)
    url = path.format(vm=cast.production.single.pk, provider=cast.acme.pk)
    sent = {} if body is None else {"data": body}
    answer = getattr(admin_client, method)(url, **sent, content_type="application/json")
    assert answer.status_code < HTTPStatus.BAD_REQUEST, answer.content
    assert len(times) == 1
