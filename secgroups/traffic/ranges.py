"""Sets of integers, kept as sorted ranges."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

#: The first and the last integer.
Range = tuple[int, int]
#: So few ranges are put into a larger set one by one.
FEW = 8


@dataclass(frozen=True)
class Ranges:
    """A set of integers. Its `ranges` are sorted and have gaps between them, so equal sets are equal values.

    Use `of` for ranges that may overlap.
    """

    ranges: tuple[Range, ...] = ()

    @classmethod
    def of(cls, *ranges: Range) -> Self:
        """The set of these ranges, in any order."""
        merged: list[Range] = []
        for first, last in sorted(ranges):
            if merged and first <= merged[-1][1] + 1:
                if last > merged[-1][1]:
                    merged[-1] = merged[-1][0], last
            else:
                merged.append((first, last))
        return cls(tuple(merged))

    @classmethod
    def union(cls, sets: Iterable[Ranges]) -> Self:
        return cls.of(*(part for each in sets for part in each.ranges))

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(self.ranges)

    @cached_property
    def size(self) -> int:
        """The number of integers."""
        return sum(last - first + 1 for first, last in self.ranges)

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __contains__(self, number: int) -> bool:
        return any(True for _ in self.within((number, number)))

    def __or__(self, other: Ranges) -> Ranges:
        few, many = (self, other) if len(self.ranges) <= len(other.ranges) else (other, self)
        if not few.ranges:
            return many
        if len(few.ranges) > FEW:
            return Ranges.of(*self.ranges, *other.ranges)
        ranges = list(many.ranges)
        for first, last in few.ranges:
            start = bisect_left(ranges, (first,))
            if start and ranges[start - 1][1] + 1 >= first:
                start -= 1  # reaches up to this one
            end = start
            while end < len(ranges) and ranges[end][0] <= last + 1:
                first, last = min(first, ranges[end][0]), max(last, ranges[end][1])
                end += 1
            ranges[start:end] = [(first, last)]
        return Ranges(tuple(ranges))

    def __and__(self, other: Ranges) -> Ranges:
        # Looks up each range of the smaller set in the larger one, which may have half a million.
        for each, bounds in ((self, other), (other, self)):
            if len(bounds.ranges) <= FEW and any(map(each._is_within, bounds.ranges)):
                return each
        few, many = (self, other) if len(self.ranges) <= len(other.ranges) else (other, self)
        return Ranges(tuple(part for each in few.ranges for part in many.within(each)))

    def __sub__(self, other: Ranges) -> Ranges:
        rest: list[Range] = []
        for first, last in self.ranges:
            start = first
            for cut_first, cut_last in other.within((first, last)):
                if start < cut_first:
                    rest.append((start, cut_first - 1))
                start = cut_last + 1
            if start <= last:
                rest.append((start, last))
        return Ranges(tuple(rest))

    def __le__(self, other: Ranges) -> bool:
        """Whether `other` has all of it."""
        if len(other.ranges) <= 1:
            return not self.ranges or any(map(self._is_within, other.ranges))
        return all(next(other.within(each), None) == each for each in self.ranges)

    def _is_within(self, bounds: Range) -> bool:
        """Whether these bounds have all of it."""
        return not self.ranges or (bounds[0] <= self.ranges[0][0] and self.ranges[-1][1] <= bounds[1])

    def within(self, bounds: Range) -> Iterator[Range]:
        """The parts of this set within these bounds."""
        first, last = bounds
        index = bisect_left(self.ranges, (first,))
        if index and self.ranges[index - 1][1] >= first:
            index -= 1  # begins before the bounds, and reaches into them
        while index < len(self.ranges) and self.ranges[index][0] <= last:
            start, end = self.ranges[index]
            yield max(start, first), min(end, last)
            index += 1


NOTHING = Ranges()
