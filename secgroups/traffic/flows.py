"""Flows: services together with the addresses at the other side. What rules let through is a union of boxes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from secgroups.traffic.ranges import NOTHING, Range, Ranges


@dataclass(frozen=True, slots=True)
class Box:
    """Every one of these services from or to every one of these addresses: what one rule lets through."""

    services: Range
    addresses: Ranges


@dataclass(frozen=True, slots=True)
class Flows:
    """A union of boxes. Its `slices` are sorted by service, don't overlap in services and are as few as possible.

    So equal flows are equal values.
    """

    slices: tuple[Box, ...] = ()

    @classmethod
    def of(cls, *boxes: Box) -> Self:
        """The union of these boxes, in any order."""
        return cls(_slices(boxes, lambda first: Ranges.union(box.addresses for box in boxes if _at(box, first))))

    def addresses(self, service: int) -> Ranges:
        """The addresses of one service."""
        return next((box.addresses for box in self.slices if _at(box, service)), NOTHING)

    def __bool__(self) -> bool:
        return bool(self.slices)

    def __or__(self, other: Flows) -> Flows:
        return self._combined(other, Ranges.__or__)

    def __and__(self, other: Flows) -> Flows:
        return self._combined(other, Ranges.__and__)

    def __sub__(self, other: Flows) -> Flows:
        return self._combined(other, Ranges.__sub__)

    def __le__(self, other: Flows) -> bool:
        """Whether `other` has all of it."""
        return not self - other

    def _combined(self, other: Flows, combine: Callable[[Ranges, Ranges], Ranges]) -> Flows:
        return Flows(
            _slices(
                (*self.slices, *other.slices),
                lambda service: combine(self.addresses(service), other.addresses(service)),
            )
        )


def _slices(boxes: Iterable[Box], addresses: Callable[[int], Ranges]) -> tuple[Box, ...]:
    """Slices that have these addresses, which only change where a box begins or ends."""
    slices: list[Box] = []
    for first, last in _parts(boxes):
        if not (present := addresses(first)):
            continue
        before = slices[-1] if slices else None
        if before and before.services[1] + 1 == first and before.addresses == present:
            slices[-1] = Box((before.services[0], last), present)
        else:
            slices.append(Box((first, last), present))
    return tuple(slices)


def _parts(boxes: Iterable[Box]) -> Iterator[Range]:
    """The services of these boxes, cut wherever one begins or ends."""
    cuts = sorted({cut for box in boxes for cut in (box.services[0], box.services[1] + 1)})
    return ((first, end - 1) for first, end in pairwise(cuts))


def _at(box: Box, service: int) -> bool:
    return box.services[0] <= service <= box.services[1]
