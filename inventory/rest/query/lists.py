"""Attributes that are lists of texts, such as the addresses of a VM: of a filter one of the texts has to fit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import or_

from django.db.models import F, JSONField, Model, Q

from inventory.db.expressions import Has, HasLike, Like
from inventory.rest.errors import BadInput
from inventory.rest.query.grammar import Condition, Null, Operator, Several, Text, pieces
from inventory.rest.query.related import few

#: A pattern of anything.
_ANYTHING = ("", "")


@dataclass(frozen=True, slots=True)
class Texts:
    """A list of the texts that stand in a column, each row of which has an array or one of them.

    It is a column of the resource's own rows, or of a `model` whose foreign key `owner` leads to them.
    """

    column: str
    model: type[Model] | None = None
    owner: str = "pk"

    def like(self, pattern: tuple[str, ...]) -> Q:
        """Where one of the texts is these pieces with anything between them."""
        column = F(self.column)
        if self.model and not isinstance(self.model._meta.get_field(self.column), JSONField):
            fits = Q(Like(column, pattern))
        else:
            fits = Q(HasLike(column, pattern) if len(pattern) > 1 else Has(column, pattern))
        if self.model is None:
            return fits
        rows = self.model._default_manager.filter(fits, **{f"{self.owner}__isnull": False})
        ids = few(rows, self.owner)
        return Q(pk__in=rows.values(self.owner) if ids is None else ids)


def holding(name: str, texts: Texts, condition: Condition) -> Q:
    """Where one of the texts fits; null is the list without any. `BadInput` for what can't be asked of a list."""
    operator = condition.operator.opposite or condition.operator
    if operator not in {Operator.EQUAL, Operator.EXACT}:
        raise BadInput(f"{name} is a list: {condition.operator.value} can't be used with it")
    operand = condition.operand
    items = operand.items if isinstance(operand, Several) else (operand,)
    found = reduce(or_, (_one(texts, item, operator) for item in items))
    return ~found if condition.operator.opposite else found


def _one(texts: Texts, item: Null | Text, operator: Operator) -> Q:
    if isinstance(item, Null):
        return ~texts.like(_ANYTHING)
    return texts.like(pieces(item.value) if operator is Operator.EQUAL else (item.value,))
