"""Subcollections as they were at a time (`as_of`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from django.http import QueryDict
from django.utils import timezone
from django.utils.module_loading import import_string

from inventory.db.conditions import Condition
from inventory.rest import messages
from inventory.rest.errors import BadInput
from inventory.rest.hrefs import Hrefs
from inventory.rest.parameters import AS_OF, IGNORED, PAST
from inventory.rest.query.parsing import parse_time
from inventory.rest.reading.paging import Page
from inventory.rest.reading.projection import Resource
from inventory.rest.reading.reader import Reader
from inventory.rest.reading.rows import Parent
from inventory.rest.reading.selection import Selection
from inventory.rest.resources import ResourceType, Viewer

#: What an event tells of a row, by the names of its columns. Ids are text.
Attributes = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Then:
    """The resources of a subcollection at a time. `existing` is the condition for those that are still there.

    `gone` are by id the attributes of the others, `changed` those of existing ones that have changed since.
    """

    existing: Condition
    gone: Mapping[int, Attributes] = field(default_factory=dict)
    changed: Mapping[int, Attributes] = field(default_factory=dict)


#: Reads the resources of a type below a parent (its id) at a time. Raises `BadInput` if they are not known.
History = Callable[[int, datetime, ResourceType, Viewer], Then]


@dataclass(frozen=True, slots=True)
class Past:
    """One page of a subcollection at a time: those that still exist by id, and then those that are gone."""

    reader: Reader
    resource_type: ResourceType
    page: Page
    selection: Selection
    then: Then

    @classmethod
    def of_request(cls, query: QueryDict, reader: Reader, parent: Parent) -> Self:
        """Raises `BadInput` for a time that is not known, and for what can't be read of the past."""
        resource_type = parent.subcollection.resource_type
        if others := [name for name in query if name not in PAST | IGNORED]:
            raise BadInput(messages.not_of_the_past(others))
        selection = Selection.of_request(query, resource_type)
        if others := [*selection.computed, *selection.relations, *selection.embedded]:
            raise BadInput(messages.not_of_the_past(others))
        page, moment = Page.of_request(query), parse_time(query.get(AS_OF, "")).first
        if moment > timezone.now():
            raise BadInput(messages.NOT_YET)
        history: History = import_string(str(parent.subcollection.history))
        return cls(reader, resource_type, page, selection, history(parent.pk, moment, resource_type, reader))

    def answer(self, hrefs: Hrefs, query: QueryDict) -> dict[str, Any]:
        """The page in the envelope of a list. Nobody can act on the past."""
        existing = self.reader.row_query(self.resource_type).filter(self.then.existing)
        first, limit = self.page.offset, self.page.limit
        rows = self.reader.read(self.resource_type, self.page.of(existing), self.selection, hrefs)
        resources = self._as_then(rows)
        there = self.page.total([int(row["id"]) for row in rows])
        if there is None:
            there = existing.count()
        total = there + len(self.then.gone)
        gone = sorted(self.then.gone)[max(first - there, 0) : max(first + limit - there, 0)]
        resources += (self._gone(pk, hrefs) for pk in gone)
        name = self.resource_type.name
        answer: dict[str, Any] = {"name": name, "count": total, "subcount": len(resources)}
        answer["pages"] = self.page.pages(total)
        if not self.selection.hidden:
            shown = resources if self.selection.expanded else [{"href": each["href"]} for each in resources]
            answer["resources"] = shown
        answer["actions"] = []
        links = self.page.links(hrefs.collection(name), query, total, self.page.following((), total))
        answer["links"] = links
        return answer

    def _as_then(self, rows: Iterable[Resource]) -> list[Resource]:
        changed = self.then.changed
        return [row | self._attributes(changed.get(int(row["id"]), {}), known=True) for row in rows]

    def _gone(self, pk: int, hrefs: Hrefs) -> Resource:
        address = {"href": hrefs.resource(self.resource_type.name, pk), "id": str(pk)}
        return address | self._attributes(self.then.gone[pk])

    def _attributes(self, attributes: Attributes, *, known: bool = False) -> Resource:
        """The selected attributes; null if events don't have them, or without those if only the `known` count."""
        columns = {name: self.resource_type.columns[name] for name in self.selection.plain}
        shown = {
            name: attributes.get(column.source)
            for name, column in columns.items()
            if not known or column.source in attributes
        }
        for name in shown:
            if (names := columns[name].class_names) is not None:
                shown[name] = names[str(shown[name])]
        return shown
