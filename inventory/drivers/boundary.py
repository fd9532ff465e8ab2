"""Checks what drivers return, before it is used or written.

`values` declares what fits. In an inventory, text that is only displayed is cut. A list that may be unknown
becomes so, never shorter. Any other value that does not fit leaves its row as it was. `Inventory.misfits` has all
of them. In any other answer such a value is an error (`Unfit`): a port's list of groups must not be written back
incompletely.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from operator import attrgetter
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from inventory.drivers.base import Driver
from inventory.drivers.exceptions import Unfit
from inventory.drivers.limits import Flag, Limit, OneOf, Shown, storable
from inventory.drivers.values import (
    AddressList,
    Group,
    Instance,
    Inventory,
    Misfit,
    Network,
    Port,
    Ref,
    Rule,
    Tenant,
)

#: The parts of an inventory with the types of their values, and the names of these for people.
PARTS: dict[str, type[Any]] = {
    "tenants": Tenant,
    "networks": Network,
    "groups": Group,
    "rules": Rule,
    "instances": Instance,
    "ports": Port,
    "address_lists": AddressList,
}
CALLED: dict[type[Any], str] = {
    Tenant: "cloud tenant",
    Network: "cloud network",
    Group: "security group",
    Rule: "firewall rule",
    Instance: "instance",
    Port: "network port",
    AddressList: "address list",
}
#: How many rows to check together: as many as fit into the processor's cache.
BATCH = 1000
#: The methods of a driver that write.
WRITES = frozenset({"change_groups", "create_group", "edit_group", "delete_group", "create_rule", "delete_rule"})
#: The methods that return something without a ref, because it does not exist yet.
PLANS = frozenset({"placed"})


def fitted(inventory: Inventory) -> Inventory:
    """The inventory with the values that fit; the same object if all do."""
    parts: dict[str, Any] = {}
    misfits: list[Misfit] = []
    for part, kind in PARTS.items():
        shape, rows = _SHAPES[kind], getattr(inventory, part)
        if not all(map(shape.fits_all, _batches(rows))):
            parts[part] = tuple(shape.fitted(rows, misfits))
    return replace(inventory, **parts, misfits=tuple(misfits)) if misfits else inventory


class Checked:
    """A proxy for a driver that checks its answers."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """`isinstance` sees the driver, as with `unittest.mock` and a spec."""
        return type(self._driver)

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._driver, name)
        return self._checking(name, attribute) if callable(attribute) and name not in PLANS else attribute

    @staticmethod
    def _checking(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def checked(*args: Any, **kwargs: Any) -> Any:
            result = method(*args, **kwargs)
            return fitted(result) if isinstance(result, Inventory) else _answered(result, name in WRITES)

        return checked


def _batches(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))


def _answered(result: Any, is_write: bool) -> Any:
    """The answer of a driver, one value or several. Raises `Unfit` if a relevant value does not fit."""
    if type(result) is tuple:
        return tuple(_answered(value, is_write) for value in result)
    if type(result) not in CALLED:
        return result
    misfits: list[Misfit] = []
    for value in _SHAPES[type(result)].fitted([result], misfits):
        return value
    [misfit] = misfits
    raise Unfit(f"The {misfit.attribute} of {misfit.resource} {misfit.problem}.", done=is_write)


@dataclass(frozen=True)
class _Attribute:
    """One attribute of a value, as its type declares it."""

    name: str
    limit: Limit
    optional: bool = False
    many: bool = False

    @property
    def may_be_unknown(self) -> bool:
        """Whether it is a list that is None if it is not known."""
        return self.many and self.optional

    @property
    def decides(self) -> bool:
        """Whether a row with a value that does not fit is left out."""
        return not (isinstance(self.limit, Shown) or self.may_be_unknown)

    def mended(self, value: Any, ref: str) -> str | None:
        """A value that does not fit, as the row has it."""
        if self.may_be_unknown:
            return None
        assert isinstance(self.limit, Shown)  # nosec B101  # noqa: S101 - for mypy
        return self.limit.cut(ref if value is None else value)

    def problem(self, value: Any) -> str | None:
        if value is None and self.optional:
            return None
        if not self.many:
            return self.limit.problem(value)
        if type(value) is not tuple:
            return "is missing" if value is None else f"is not a list but of type {type(value).__name__}"
        return next(
            (f"has an entry that {problem}" for problem in map(self.limit.problem, value) if problem), None
        )

    def fits_all(self, values: Iterable[Any]) -> bool:
        """The same for many values, in a fraction of the time."""
        column = list(map(attrgetter(self.name), values))
        try:
            distinct = set(column)
            if self.optional:
                distinct.discard(None)
            if self.many:
                return set(map(type, distinct)) <= {tuple} and self.limit.fits_all(set(chain(*distinct)))
            # Texts are equal to texts alone, but True is equal to 1.
            if self.limit.type is not str and not set(map(type, column)) <= {self.limit.type, NoneType}:
                return False
            return self.limit.fits_all(distinct)
        except TypeError:  # a list among them, or a number among texts
            return False


class _Shape:
    """The attributes of a type of value."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        hints = get_type_hints(kind, include_extras=True)
        self.attributes = [_attribute(name, hints[name]) for name in kind.__dataclass_fields__]

    def fits_all(self, values: Sequence[Any]) -> bool:
        return all(attribute.fits_all(values) for attribute in self.attributes)

    def fitted(self, values: Iterable[Any], misfits: list[Misfit]) -> Iterator[Any]:
        """The values that fit, mended if necessary. Adds to `misfits`."""
        for value in values:
            problems = self._problems(value)
            left_out = any(attribute.decides for attribute in problems)
            ref = value.ref if isinstance(value.ref, str) else None
            misfits.extend(
                Misfit(self.kind, ref, called(value), attribute.name, problem, left_out, attribute.may_be_unknown)
                for attribute, problem in problems.items()
            )
            if not left_out:
                mended = {one.name: one.mended(getattr(value, one.name), value.ref) for one in problems}
                yield replace(value, **mended)

    def _problems(self, value: Any) -> dict[_Attribute, str]:
        """What does not fit. If something leaves the row out, only that, because the others don't matter."""
        problems = {
            attribute: problem
            for attribute in self.attributes
            if (problem := attribute.problem(getattr(value, attribute.name)))
        }
        decisive = next((attribute for attribute in problems if attribute.decides), None)
        return {decisive: problems[decisive]} if decisive else problems


def _attribute(name: str, hint: Any) -> _Attribute:
    """`Name`, `Name | None`, `tuple[Name, ...]`, a literal or a flag."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        [inner] = [argument for argument in arguments if argument is not NoneType]
        return replace(_attribute(name, inner), optional=True)
    if origin is tuple:
        return replace(_attribute(name, arguments[0]), many=True)
    if origin is Annotated:
        return _Attribute(name, next(argument for argument in arguments if isinstance(argument, Limit)))
    if origin is Literal:
        return _Attribute(name, OneOf(arguments))
    return _Attribute(name, Flag()) if hint is bool else _attribute(name, {str: Ref}[hint])


def called(value: Any) -> str:
    """`firewall rule sgr-1 of security group sg-1`."""
    resource = f"{CALLED[type(value)]} {_short(value.ref)}"
    return f"{resource} of {CALLED[Group]} {_short(value.group_ref)}" if isinstance(value, Rule) else resource


def _short(ref: object) -> str:
    """Any ref, shortened for a message."""
    text = storable(str(ref))
    return text if len(text) <= 64 else f"{text[:63]}…"


_SHAPES = {kind: _Shape(kind) for kind in CALLED}
