"""Messages for people are in one place a topic, where they can be read together, and follow a few rules."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_architecture import ROOT, sources

#: Where messages are. What only one cloud says is in its driver's folder.
PLACES = (
    "inventory/messages.py",
    "inventory/findings.py",
    "inventory/drivers/boundary.py",
    "inventory/drivers/ec2/",
    "inventory/drivers/file/",
    "inventory/drivers/limits.py",
    "inventory/drivers/messages.py",
    "inventory/drivers/openstack/",
    "inventory/drivers/values.py",
    "inventory/rest/messages.py",
    "inventory/rest/query/regex.py",
    "inventory/oidc/messages.py",
    "secgroups/messages.py",
    "secgroups/analysis/messages.py",
    "secgroups/previews/messages.py",
    "secgroups/reverting/messages.py",
)
#: What may stay where it is, and why.
EXEMPT = {
    "inventory/api/connections.py": "says what is wrong with one field, beside that field",
    "inventory/api/provider_forms.py": "as above",
    "inventory/api/provider_inputs.py": "as above",
    "inventory/forms.py": "as above",
    "inventory/validators.py": "as above",
    "secgroups/api/group_firewall_rules.py": "as above",
    "secgroups/api/provider_security_groups.py": "as above",
    "secgroups/api/edits.py": "as above",
    "inventory/rest/serializers.py": "as above",
    "inventory/checks.py": "is for who writes settings",
    "inventory/rest/shapes.py": "describes the API, as do the next two",
    "inventory/rest/schema/": "as above",
    "inventory/api/connection_shapes.py": "as above",
    "inventory/demo/": "prints how to try the demonstration",
    "inventory/db/event_guard.py": "is what the database says, whoever asks it",
    "inventory/db/events.py": "describes an operation of a migration",
    "inventory/db/marks.py": "describes an operation of a migration",
    "inventory/db/stamps.py": "as above",
    "inventory/db/tallies.py": "as above",
    "inventory/db/triggers.py": "has SQL",
    "inventory/drivers/protocols.py": "has IANA's table",
    "inventory/drivers/readonly.py": "names a check",
    "inventory/leases.py": "names a thread",
    "inventory/metrics/": "describes the metrics",
    "inventory/standalone/programs.py": "ignores a warning of Celery's",
}
#: Keyword arguments, attributes and keys that describe something, and are no message.
DESCRIBING = {"description", "help", "help_text", "index_title", "permissions", "search_help_text", "title"}
#: What takes words for the log, or for programmers.
UNREAD = {"LookupError", "TypeError", "logger", "unforeseen"}
#: Three words in a row, or a capitalized beginning of a sentence.
PROSE = re.compile(r"[A-Za-z']+ [a-z']+ [a-z'{]+|^[A-Z][a-z]+ .*([.:]$|: {)")


def text_of(node: ast.AST) -> str | None:
    """The text of a literal; `{}` stands for what is put into it."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)
    return None


def texts(node: ast.AST) -> Iterator[tuple[int, str]]:
    """The literals that people might read, with their lines: no docstring, no line of the log, no description."""
    match node:
        case ast.Expr(value=ast.Constant()):
            return
        case ast.Call(func=ast.Attribute(value=ast.Name(id=called)) | ast.Name(id=called)) if called in UNREAD:
            return
        case ast.keyword(arg=name) | ast.Assign(targets=[ast.Name(id=name) | ast.Attribute(attr=name)]):
            if name in DESCRIBING:
                return
        case ast.Dict(keys=keys, values=values):
            described = {
                id(value) for key, value in zip(keys, values, strict=True) if key and text_of(key) in DESCRIBING
            }
            yield from (found for value in values if id(value) not in described for found in texts(value))
            return
    if (text := text_of(node)) is not None:
        yield getattr(node, "lineno", 0), text
    if not isinstance(node, ast.Constant):
        for child in ast.iter_child_nodes(node):
            if not (isinstance(node, ast.JoinedStr) and isinstance(child, ast.Constant)):
                yield from texts(child)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


IN_PLACE = [path for path in sources() if named(path).startswith(PLACES)]
ELSEWHERE = [path for path in sources() if not named(path).startswith((*PLACES, *EXEMPT, "settings/"))]


@pytest.mark.parametrize("path", ELSEWHERE, ids=named)
def test_messages_are_in_their_place(path: Path) -> None:
    assert [found for found in texts(ast.parse(path.read_text())) if PROSE.search(found[1])] == []


@pytest.mark.parametrize("path", IN_PLACE, ids=named)
def test_messages_read_well(path: Path) -> None:
    for line, text in texts(ast.parse(path.read_text())):
        assert "  " not in text.strip(), line
        assert not re.search(r"\b(any more|meanwhile)\b", text), line


@pytest.mark.parametrize("name", ["messages.py", "ec2/errors.py", "openstack/errors.py"])
def test_sentences_of_drivers_end(name: str) -> None:
    """Tasks show them; what a cloud said may follow."""
    found = [text for _, text in texts(ast.parse((ROOT / "inventory/drivers" / name).read_text()))]
    sentences = [text for text in found if re.match(r"[A-Z]\w+( \S+){5}", text)]
    assert [text for text in sentences if not re.search(r"\.$|\.? \{\}$|: \{\}$", text)] == []


def test_what_is_exempt_is_there() -> None:
    assert all((ROOT / name).exists() for name in (*PLACES, *EXEMPT))
