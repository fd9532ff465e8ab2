"""Turning a filter on one attribute into a condition."""

from __future__ import annotations

from dataclasses import replace

from django.db.models import Q
from django.db.models.lookups import Exact, GreaterThan, GreaterThanOrEqual, In, IsNull, LessThan, LessThanOrEqual

from inventory.db.conditions import EVERYTHING, NOTHING, Condition, any_of, compare_by, fixed
from inventory.db.expressions import ByCodePoint, Like, Regex
from inventory.rest import messages
from inventory.rest.errors import BadInput
from inventory.rest.query import regex
from inventory.rest.query.attributes import Attribute, Kind
from inventory.rest.query.grammar import Filter, ListOperand, Null, Operator, Text, pieces
from inventory.rest.query.lists import list_condition
from inventory.rest.query.parsing import IntegerBounds, TimeSpan, parse_bool, parse_integer, parse_time, parse_uuid
from inventory.rest.resources import ForViewer, RelatedCount, Viewer

_ORDERS = {
    Operator.LESS: LessThan,
    Operator.AT_MOST: LessThanOrEqual,
    Operator.GREATER: GreaterThan,
    Operator.AT_LEAST: GreaterThanOrEqual,
}
#: The names in messages for values of kinds that not every operator takes.
_CALLED = {Kind.NUMBER: "a number", Kind.TRUTH: "a boolean", Kind.TIME: "a time", Kind.UUID: "a UUID"}


def compared(attribute: Attribute, filter_: Filter, viewer: Viewer) -> Condition:
    """The condition of a filter. Raises `BadInput` if it makes no sense for the attribute.

    `!=`, `!==` and `!~` are the complements of `=`, `==` and `=~`. So null, which equals no value, is unequal to
    each.
    """
    if attribute.kind is Kind.LIST:
        return list_condition(attribute.name, attribute.expression, filter_, viewer)
    condition = _compared(attribute, filter_)
    expression = attribute.expression
    if isinstance(expression, ForViewer) or (isinstance(expression, RelatedCount) and expression.scope.values):
        # The ids of a restriction are in its shape, which no other user's filter has.
        return replace(condition, recurs=False)
    return condition if attribute.class_names is None else attribute.class_names.settled(condition)


def _compared(attribute: Attribute, filter_: Filter) -> Condition:
    opposite = filter_.operator.opposite
    condition = _positive(attribute, opposite or filter_.operator, filter_.operand)
    if not opposite:
        return condition
    return ~condition if _has_null(filter_) else ~condition | compare_by(IsNull, attribute.expression, True)


def holds_for_null(filter_: Filter) -> bool:
    """Whether the filter matches null."""
    return _has_null(filter_) != bool(filter_.operator.opposite)


def _has_null(filter_: Filter) -> bool:
    operand = filter_.operand
    return isinstance(operand, Null) or (isinstance(operand, ListOperand) and Null() in operand.items)


def _positive(attribute: Attribute, operator: Operator, operand: Null | Text | ListOperand) -> Condition:
    if operator in {Operator.EQUAL, Operator.EXACT}:
        items = operand.items if isinstance(operand, ListOperand) else (operand,)
        return _any_of(attribute, operator, items)
    if not isinstance(operand, Text):
        operand_name = "null" if isinstance(operand, Null) else "a list"
        raise BadInput(messages.invalid_operator(attribute.name, operator.value, operand_name))
    if operator is Operator.MATCHES:
        return _matching(attribute, operand.value)
    return _in_order(attribute, operator, operand.value)


def _any_of(attribute: Attribute, operator: Operator, items: tuple[Null | Text, ...]) -> Condition:
    texts = [item.value for item in items if isinstance(item, Text)]
    conditions = []
    if Null() in items:
        conditions.append(compare_by(IsNull, attribute.expression, True))
    if attribute.kind is Kind.TEXT and operator is Operator.EQUAL:
        patterns = {text for text in texts if "*" in text or "%" in text}
        texts = [text for text in texts if text not in patterns]
        for pattern in sorted(patterns):
            conditions.append(compare_by(Like, attribute.expression, pieces(pattern)))
    if attribute.kind is Kind.TIME:
        return any_of(conditions + [_within(attribute, parse_time(text)) for text in texts])
    values = [value for text in texts if (value := _value(attribute, text)) is not None]
    if len(values) == 1:
        conditions.append(compare_by(Exact, attribute.expression, values[0]))
    elif values:
        conditions.append(fixed(Q(In(attribute.expression, values))))
    return any_of(conditions)


def _value(attribute: Attribute, text: str) -> object:
    """The value of a text; None for a number that no row can have."""
    match attribute.kind:
        case Kind.NUMBER:
            return parse_integer(attribute.name, text).exactly
        case Kind.TRUTH:
            return parse_bool(attribute.name, text)
        case Kind.UUID:
            return parse_uuid(attribute.name, text)
    return text


def _in_order(attribute: Attribute, operator: Operator, text: str) -> Condition:
    lookup = _ORDERS[operator]
    match attribute.kind:
        case Kind.NUMBER:
            return _number_in_order(attribute, operator, parse_integer(attribute.name, text))
        case Kind.TIME:
            return _time_in_order(attribute, operator, parse_time(text))
        case Kind.TEXT:
            return compare_by(lookup, ByCodePoint(attribute.expression), text)
    raise BadInput(messages.invalid_operator(attribute.name, operator.value, _CALLED[attribute.kind]))


def _within(attribute: Attribute, span: TimeSpan) -> Condition:
    value = attribute.expression
    return compare_by(GreaterThanOrEqual, value, span.first) & compare_by(LessThanOrEqual, value, span.last)


def _time_in_order(attribute: Attribute, operator: Operator, span: TimeSpan) -> Condition:
    """After a day means after its last moment."""
    edge = span.last if operator in {Operator.GREATER, Operator.AT_MOST} else span.first
    return compare_by(_ORDERS[operator], attribute.expression, edge)


def _number_in_order(attribute: Attribute, operator: Operator, number: IntegerBounds) -> Condition:
    """Also handles numbers between two integers, or beyond the database's range."""
    if number.exactly is not None:
        return compare_by(_ORDERS[operator], attribute.expression, number.exactly)
    wants_less = operator in {Operator.LESS, Operator.AT_MOST}
    if number.below is None:
        condition = EVERYTHING if not wants_less else NOTHING
    elif number.above is None:
        condition = EVERYTHING if wants_less else NOTHING
    elif wants_less:
        return compare_by(LessThanOrEqual, attribute.expression, number.below)
    else:
        return compare_by(GreaterThanOrEqual, attribute.expression, number.above)
    return condition & compare_by(IsNull, attribute.expression, False)


def _matching(attribute: Attribute, literal: str) -> Condition:
    if attribute.kind is not Kind.TEXT:
        raise BadInput(messages.invalid_operator(attribute.name, Operator.MATCHES.value, _CALLED[attribute.kind]))
    return compare_by(Regex, attribute.expression, regex.translated(literal))
