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


def test_the_words_of_manageiq_are_of_the_dialect_alone() -> None:
    dialect = {ROOT / "inventory" / "rest", ROOT / "inventory" / "api", ROOT / "secgroups" / "api"}
    apps = [path for path in sources() if ROOT / "settings" not in path.parents]
    speaking = [path for path in apps if "ManageIQ" in path.read_text() and dialect.isdisjoint(path.parents)]
    assert speaking == []


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


#: Modules that answer to users. What they read starts from `visible_to` or `scope_of`.
ON_BEHALF = [f"inventory/{name}" for name in ("rest", "api", "admin")]
ON_BEHALF += [f"secgroups/{name}" for name in ("api", "services", "admin")]
MANAGERS = {"objects", "_default_manager", "_base_manager"}
#: The reads there that start elsewhere, with the reason. Exports and commands are the operator's own.
ELSEWHERE = {
    "inventory/admin/accounts.py": {"User.groups.through.objects.exclude": "whether a group has such members"},
    "inventory/admin/columns.py": {
        "model._default_manager.all": "`visible_rows` itself, and `sees_all`, which asks for their scope",
    },
    "inventory/api/provider_inputs.py": {
        "Provider.objects.connected": "no two providers share a name, whoever sees them",
        "Zone.objects.filter": "zones are everybody's",
    },
    "secgroups/api/group_instances.py": {
        "SecurityGroup.objects.select_related": "the parent, which was read by scope",
    },
    "secgroups/services/bulk.py": {
        "SecurityGroup.objects.holders_of": "a condition for the instances that were read by scope",
        "Vm.objects.filter": "among the instances that were read by scope",
    },
    "inventory/rest/classes.py": {
        "Provider.objects.alias": "which vendors a filter means; the rows that have them are read by scope",
        "Provider.objects.all": "how vendors are sorted",
    },
    "inventory/rest/declared.py": {
        "self.queryset.model._base_manager.filter": "whether a row is there at all; it is then read by scope",
    },
    "inventory/rest/http/authentication.py": {
        "AuthToken.objects.filter": "who is asking is not known yet, or their own token",
        "LoginFailure.objects.filter": "who is asking is not known yet",
        "User.objects.filter": "who is asking is not known yet",
        "LimitedUser.objects.filter": "the user who is asking",
        "Permission.objects.order_by": "permissions are everybody's",
    },
    "inventory/rest/http/idempotency.py": {
        "IdempotencyKey.objects.filter": "the requests of the user who is asking, and what is too old",
        "IdempotencyKey.objects.bulk_create": "a write",
    },
    "inventory/rest/http/views.py": {
        "AuthToken.objects.filter": "the token of the request",
    },
    "inventory/rest/query/lists.py": {"texts.model._default_manager.filter": "it filters by the scope too"},
    "inventory/rest/resources.py": {"self._target._default_manager.filter": "it filters by the scope that it has"},
    "inventory/rest/viewsets.py": {
        "self.queryset.model._base_manager.filter": "locks a row and shows nothing; it is then read by scope",
    },
    "secgroups/api/endings.py": {
        "TemporaryMembership.objects.filter": "the ends of memberships that the user sees",
    },
    "secgroups/api/firewall_rules.py": {"Expiration.objects.filter": "the ends of rules that the user sees"},
    "secgroups/services/due.py": {
        "Expiration.objects.due": "what is due, whoever asked for it",
        "TemporaryMembership.objects.filter": "where that is now",
        "Task.objects.bulk_create": "a write",
    },
    "secgroups/services/expirations.py": {
        "Expiration.objects.filter": "a write, and a row that the user sees with the place of its ports",
        "Expiration.objects.select_for_update": "locks a row that the user sees",
        "Task.objects.unfinished": "whether its task is at work",
        "Vm.objects.get": "the instance that has its ports",
    },
    "secgroups/services/changes.py": {"SecurityGroup.objects.filter": "it filters by the scope"},
    "secgroups/services/group_work.py": {"Task.objects.filter": "the parts that were just queued"},
    "secgroups/services/groups_in_use.py": {
        "FirewallRule.objects.filter": "whatever names a group is in the way, and not named if it is not seen",
        "SecurityGroup.objects.filter": "the groups of these rules, and those of them that are seen",
    },
    "secgroups/services/members_in_use.py": {
        "Membership.objects.filter": "the groups of ports that a group has to leave, seen or not",
        "NetworkPort.objects.filter": "these ports, of which those that are not seen are in the way and not named",
        "SecurityGroup.objects.filter": "the groups of these ports, by their ems_refs",
        "Vm.objects.filter": "the instances of these ports",
        "model._default_manager.filter": "it filters by the scope",
    },
    "secgroups/forms.py": {"SecurityGroup.objects.none": "no rows"},
}


def reads_of(path: Path) -> set[str]:
    """What a module calls of managers, but `visible_to`, and declared querysets, which the reader filters."""
    tree = ast.parse(path.read_text())
    declared = [
        node.value
        for owner in ast.walk(tree)
        if isinstance(owner, ast.ClassDef)
        for node in owner.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "queryset"
    ]
    of_declared = {id(node) for value in declared for node in ast.walk(value)}
    return {
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and id(node) not in of_declared and node.attr != "visible_to"
        if isinstance(node.value, ast.Attribute) and node.value.attr in MANAGERS
    }


def test_what_is_read_on_behalf_of_a_user_starts_from_what_they_may_see() -> None:
    """`tests/test_scope.py` looks at the statements; here is what no request there may reach."""
    modules = {path for place in ON_BEHALF for path in (ROOT / place).rglob("*.py")} | {
        ROOT / "secgroups/forms.py"
    }
    reads = {str(path.relative_to(ROOT)): reads_of(path) for path in modules}
    assert {path: calls for path, calls in reads.items() if calls} == {
        path: set(reasons) for path, reasons in ELSEWHERE.items()
    }
