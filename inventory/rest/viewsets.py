"""The base class of all collections, which answers requests from their declarations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, NoReturn

from django.db.models import QuerySet
from django.http import QueryDict
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.db.conditions import EVERYTHING, compare
from inventory.db.lookups import Numbers
from inventory.rest import messages
from inventory.rest.actions.naming import Named
from inventory.rest.declared import DeclaredViewSet
from inventory.rest.errors import BadInput, NotFound
from inventory.rest.filtersets import parameters_of
from inventory.rest.hrefs import ADDRESS, id_in, ids_in
from inventory.rest.http.conditional import conditional_response, ensure_unchanged
from inventory.rest.parameters import AS_OF
from inventory.rest.query import order, where
from inventory.rest.reading.paging import Page
from inventory.rest.reading.past import Past
from inventory.rest.reading.projection import Resource
from inventory.rest.reading.rows import Parent, RowQuery, Total
from inventory.rest.reading.selection import Selection
from inventory.rest.resources import (
    get_resource_type,
)


class CollectionViewSet(DeclaredViewSet):
    """A collection of the API, or a subcollection below a parent, that answers requests."""

    @cached_property
    def row_query(self) -> RowQuery:
        """The rows that the caller may see here; below a parent, only those that belong to it."""
        return self.reader.row_query(self.resource_type, self.parent)

    def rows(self) -> QuerySet[Any]:
        """`row_query` as a queryset."""
        return self.row_query.rows()

    def of_class(self, rows: RowQuery) -> RowQuery:
        """Restrict rows to the `collection_class` of the request, if it has one."""
        name = self.request.query_params.get("collection_class")
        if name is None:
            return rows
        condition = self.resource_type.classes.get(name)
        if condition is None:
            raise BadInput(messages.invalid_class(name, self.collection))
        return replace(rows, scope=rows.scope & condition)

    def filtered(self, rows: RowQuery) -> RowQuery:
        """Apply the request's filters. Returns the same object if there are none."""
        query = self.request.query_params
        condition = parameters_of(self.resource_type, self.filterset(), query, self.reader)
        filters = [text for text in query.getlist("filter[]") if text.strip()]
        if not filters:
            return rows if condition is EVERYTHING else rows.filter(condition)
        return rows.filter(condition & where(self.resource_type, filters, self.reader))

    def resource(self, pk: object) -> Any:
        return _named(self.row_query, pk).first() or self._not_found(pk)

    @action(detail=False, methods=["post"], permission=None, shows=True, writes=False, names_rows=True)
    def query(self, request: Request, **kwargs: Any) -> Response:
        """Read the resources that the body names."""
        self.require_parent()
        selection = Selection.of_request(request.query_params, self.resource_type)
        names = Named(self.resource_type, self._identifiable(), self.command.resources)
        rows = self.rows().filter(pk__among=Numbers(names.pks()))
        resources = self.reader.read(self.resource_type, rows, selection, self.resource_hrefs)
        by_id = {int(resource["id"]): resource for resource in resources}
        return self.answer(lambda _, payload: by_id.get(names.pk(payload)) or self._no_row(payload))

    def _identifiable(self) -> QuerySet[Any]:
        """The rows that can be found by `identified_by`: not those of which only the name is shown."""
        return self.rows().filter(self.reader.whole(self.resource_type).q())

    def referenced(self, collection: str, reference: object, what: str) -> Any:
        """The row of another collection that a value names, of those that the caller may see; None for none."""
        if reference is None:
            return None
        if isinstance(reference, dict) and len(ids_in(reference, collection)) > 1:
            raise BadInput(messages.differently_named(what))
        address = reference.get("id", reference.get("href")) if isinstance(reference, dict) else reference
        rows = self.reader.visible(get_resource_type(collection))
        row = rows.filter(pk=id_in(address, collection)).first()
        if row is None:
            raise BadInput(messages.nothing_there(what, str(rows.model._meta.verbose_name), address))
        return row

    def row_named(self, resource: dict[str, Any]) -> Any:
        if not {*self.identified_by} & resource.keys():
            return super().row_named(resource)
        pk = Named(self.resource_type, self._identifiable(), [resource]).pk(resource)
        return self.row_query.filter(compare("pk", pk)).first() or self._no_row(resource)

    def _no_row(self, resource: dict[str, Any]) -> NoReturn:
        for name in (*self.identified_by, *ADDRESS):
            if name in resource:
                raise NotFound(self.resource_type.label, resource[name], "id" if name == "href" else name)
        raise BadInput(messages.UNNAMED)

    def shown(self, row: Any, selection: Selection | None = None) -> Resource:
        """The resource of a row that the caller has just created or changed, even without permission to view it.

        Raises 404 if somebody else has deleted it since.
        """
        selection = selection or Selection(tuple(self.resource_type.columns))
        rows = RowQuery(self.resource_type, EVERYTHING).filter(compare("pk", row.pk))
        for resource in self.reader.read(self.resource_type, rows, selection, self.resource_hrefs):
            return resource
        raise NotFound(self.resource_type.label, row.pk)

    def list(self, request: Request, **kwargs: Any) -> Response:
        """One page of the collection."""
        query = request.query_params
        if self.parent and AS_OF in query:
            return self._list_past(query, self.parent)
        page, everything = Page.of_request(query), self.of_class(self.row_query)
        filtered, total_of_all = self.filtered(everything), Total(everything)
        ordered = replace(filtered, order=order(self.resource_type, query, self.reader), total=total_of_all)
        selection = Selection.of_request(query, self.resource_type)
        ids, resources = self._shown(page.of(ordered), selection)
        if not ids:
            self.require_parent()
        is_filtered, total = filtered is not everything, page.total(ids)
        if total is None:
            total = filtered.count() if is_filtered else total_of_all.number()
        counts = {"count": total_of_all.number(), "subquery_count": total} if is_filtered else {"count": total}
        resources = resources[: page.limit]
        answer: dict[str, Any] = {"name": self.collection, **counts, "subcount": len(resources)}
        answer["pages"] = page.pages(total)
        if not selection.hidden:
            answer["resources"] = resources
        href = self.resource_hrefs.collection(self.collection)
        answer["actions"] = self.available_actions(href=href)
        answer["links"] = page.links(href, query, total, page.following(ids, total))
        return Response(answer)

    def _list_past(self, query: QueryDict, parent: Parent) -> Response:
        """One page of the subcollection as it was. It tells what events tell, and requires the same permission."""
        if not self.user.has_perm("inventory.view_eventstream"):
            raise PermissionDenied
        self.require_parent()
        past = Past.of_request(query, self.reader, parent)
        return Response(past.answer(self.resource_hrefs, query))

    def retrieve(self, request: Request, pk: str, **kwargs: Any) -> Response:
        """One resource."""
        return conditional_response(
            request, self._alone(pk, Selection.of_request(request.query_params, self.resource_type))
        )

    def _alone(self, pk: object, selection: Selection) -> Resource:
        """A single resource with its actions. Raises 404 if there is none."""
        resources = self.reader.read(
            self.resource_type, _named(self.row_query, pk), selection, self.resource_hrefs
        )
        if not resources:
            self._not_found(pk)
        resource = resources[0]
        href, key = resource["href"], int(resource["id"])
        actions = self.available_actions(href=href, pk=key) if selection.actions else []
        return resource | ({"actions": actions} if actions else {})

    def require_unchanged(self) -> None:
        pk = self.kwargs["pk"]
        row = self.queryset.model._base_manager.filter(pk=id_in(pk, self.collection) or 0).order_by()
        list(row.select_for_update().values_list("pk"))
        ensure_unchanged(self.request, self._alone(pk, Selection.of_request(QueryDict(), self.resource_type)))

    def _shown(self, rows: RowQuery, selection: Selection) -> tuple[Sequence[int], Sequence[Resource]]:
        """The ids and the resources of a page."""
        if selection.expanded:
            resources = self.reader.read(self.resource_type, rows, selection, self.resource_hrefs)
            return [int(resource["id"]) for resource in resources], resources
        hrefs, ids = self.resource_hrefs, rows.ids()
        return ids, [{"href": hrefs.resource(self.collection, pk)} for pk in ids]


def _named(rows: RowQuery, pk: object) -> RowQuery:
    """The row with this id or address, if it is among these rows."""
    return rows.filter(compare("pk", id_in(pk, rows.resource_type.name) or 0))
