"""Filters on lists of texts, such as the addresses of a VM: one of the texts must match."""

from __future__ import annotations

from django.db.models import F, JSONField, Q

from inventory.db.conditions import Condition, any_of, compare_by, fixed
from inventory.db.expressions import Has, HasLike, Like
from inventory.querysets import scope_of
from inventory.rest import messages
from inventory.rest.errors import BadInput
from inventory.rest.query.grammar import Filter, ListOperand, Null, Operator, Text, pieces
from inventory.rest.query.related import few
from inventory.rest.resources import TextList, Viewer

#: A pattern that matches anything.
_ANYTHING = ("", "")


def list_condition(name: str, texts: TextList, filter_: Filter, viewer: Viewer) -> Condition:
    """One of the texts must match; null is an empty list. Raises `BadInput` for other operators."""
    operator = filter_.operator.opposite or filter_.operator
    if operator not in {Operator.EQUAL, Operator.EXACT}:
        raise BadInput(messages.invalid_operator(name, filter_.operator.value, "a list"))
    operand = filter_.operand
    items = operand.items if isinstance(operand, ListOperand) else (operand,)
    condition = any_of([_one(texts, item, operator, viewer) for item in items])
    return ~condition if filter_.operator.opposite else condition


def _one(texts: TextList, item: Null | Text, operator: Operator, viewer: Viewer) -> Condition:
    if isinstance(item, Null):
        return ~_like(texts, _ANYTHING, viewer)
    return _like(texts, pieces(item.value) if operator is Operator.EQUAL else (item.value,), viewer)


def _like(texts: TextList, pattern: tuple[str, ...], viewer: Viewer) -> Condition:
    """The condition that one of the texts consists of these pieces, with anything between them."""
    column = F(texts.column)
    if texts.model and not isinstance(texts.model._meta.get_field(texts.column), JSONField):
        condition = compare_by(Like, column, pattern)
    else:
        condition = compare_by(HasLike if len(pattern) > 1 else Has, column, pattern)
    if texts.model is None:
        return condition
    visible = condition & scope_of(viewer.user, texts.model)
    rows = texts.model._default_manager.filter(visible.q(), **{f"{texts.owner}__isnull": False})
    ids = few(rows, texts.owner)
    return fixed(Q(pk__in=rows.values(texts.owner) if ids is None else ids))
