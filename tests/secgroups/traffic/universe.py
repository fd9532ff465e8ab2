"""Small universes, in which sets can be compared member by member."""

from __future__ import annotations

from hypothesis import strategies as st

from secgroups.traffic.flows import Box
from secgroups.traffic.ranges import Range, Ranges

NUMBERS = range(12)
SERVICES = range(6)


def _ranges(universe: range) -> st.SearchStrategy[Range]:
    number = st.sampled_from(universe)
    return st.tuples(number, number).map(lambda ends: (min(ends), max(ends)))


range_lists = st.lists(_ranges(NUMBERS), max_size=4)
sets = range_lists.map(lambda ranges: Ranges.of(*ranges))
boxes = st.lists(st.builds(Box, _ranges(SERVICES), sets), max_size=4)
