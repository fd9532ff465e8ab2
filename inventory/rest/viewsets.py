"""The base class of all collections, which answers requests from their declarations."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from typing import Any, ClassVar, NoReturn

from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.functional import classproperty
from django.utils.text import capfirst
from django_filters.filters import Filter
from django_filters.rest_framework import FilterSet
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from inventory.db.conditions import EVERYTHING, compare
from inventory.db.lookups import Numbers
from inventory.querysets import reaches
from inventory.rest import messages
from inventory.rest.actions.naming import Named
from inventory.rest.actions.viewset import ActionViewSet
from inventory.rest.classes import TYPE, Classes
from inventory.rest.errors import BadInput, NotFound
from inventory.rest.filtersets import filterset_of, parameters_of
from inventory.rest.hrefs import ADDRESS, Hrefs, id_in, ids_in
from inventory.rest.http.conditional import conditional_response, ensure_unchanged
from inventory.rest.parameters import AS_OF, LISTING, SELECTING
from inventory.rest.permissions import view_permission
from inventory.rest.query import order, where
from inventory.rest.reading.paging import Page
from inventory.rest.reading.past import Past
from inventory.rest.reading.projection import Resource
from inventory.rest.reading.reader import Reader
from inventory.rest.reading.rows import Parent, RowQuery, Total
from inventory.rest.reading.selection import Selection
from inventory.rest.resources import (
    Computed,
    Relation,
    ResourceType,
    Scoped,
    Subcollection,
    TextList,
    get_resource_type,
)
from inventory.rest.serializers import columns_of
from inventory.restrictions import restriction_of


class CollectionViewSet(ActionViewSet):
    """A collection of the API, or a subcollection below a parent. Subclasses declare it.

    `settings.COLLECTIONS` and the parents' `subcollections` give its addresses. Its actions are DRF's extra
    actions: `POST {"action": "refresh"}` runs the one whose `url_path` is `refresh`.
    """

    queryset: ClassVar[Any]
    serializer_class: ClassVar[type[Serializer[Any]]]
    #: ManageIQ's class names for the resources; None if it uses the model's name.
    classes: ClassVar[Classes | None] = None
    computed: ClassVar[Mapping[str, Computed]] = {}
    #: The filter parameters besides those of the plain attributes. A dotted path names a class of the app above.
    filters: ClassVar[Mapping[str, Filter | str]] = {}
    #: The computed attributes that are lists of texts, for filters.
    lists: ClassVar[Mapping[str, TextList]] = {}
    relations: ClassVar[Mapping[str, Relation]] = {}
    subcollections: ClassVar[Mapping[str, Subcollection]] = {}
    #: The attributes of a resource that users see who may only see a part of it; None if nobody does.
    shown_if_named: ClassVar[tuple[str, ...] | None] = None
    #: What columns that count everything show to users who see only some of it.
    scoped: ClassVar[Mapping[str, Scoped]] = {}
    #: Whether lists begin with the latest resources.
    newest_first = False
    #: The permissions to see any of the resources; None means the model's view permission.
    view_permissions: ClassVar[tuple[str, ...] | None] = None
    lookup_value_regex = "[^/]+"
    parameters = {"list": LISTING, "retrieve": SELECTING, "query": SELECTING}

    @classproperty
    @cache
    def resource_type(cls) -> ResourceType:
        """The type of its resources, from its declarations."""
        model, permissions = cls.queryset.model, cls.view_permissions
        columns = columns_of(cls.serializer_class())
        class_names = columns[TYPE].class_names if TYPE in columns else None
        return ResourceType(
            name=cls.collection,
            label=model.__name__,
            description=cls.__doc__ or "",
            queryset=cls.queryset,
            serializer_class=cls.serializer_class,
            columns=columns,
            computed=cls.computed,
            lists=cls.lists,
            relations=cls.relations,
            subcollections=cls.subcollections,
            identified_by=cls.identified_by,
            classes=(cls.classes or Classes((model.__name__,))).conditions(class_names),
            view_permissions=(view_permission(model),) if permissions is None else permissions,
            shown_if_named=frozenset({"id", "href_slug", *cls.shown_if_named}) if cls.shown_if_named else None,
            scoped=cls.scoped,
            newest_first=cls.newest_first,
        )

    @classmethod
    @cache
    def filterset(cls) -> type[FilterSet]:
        """The ordinary filter parameters."""
        return filterset_of(cls.serializer_class(), cls.filters)

    def get_view_name(self) -> str:
        return str(capfirst(self.queryset.model._meta.verbose_name_plural))

    @classmethod
    @cache
    def allowed_parameters(cls, action: str, parent: str | None = None) -> Collection[str]:
        """The query parameters of an action. A list also has one for each filterable attribute."""
        parameters = cls.parameters.get(action, ())
        if action != "list":
            return parameters
        has_past = parent and get_resource_type(parent).subcollections[cls.collection].history
        return {*parameters, *cls.filterset().base_filters, *([AS_OF] if has_past else ())}

    def metadata(self) -> dict[str, Any]:
        """Additional entries for the answer to OPTIONS."""
        return {}

    # --- Addresses and permissions ---

    @cached_property
    def parent(self) -> Parent | None:
        """The parent that the address names, if any. It may not exist: see `require_parent`."""
        name = self.parent_collection
        if name is None:
            return None
        parent = get_resource_type(name)
        pk = id_in(self.kwargs[f"{name}_pk"], name) or 0
        return Parent(parent, self.reader.scope(parent), parent.subcollections[self.collection], pk)

    def require_parent(self) -> None:
        if self.parent and not self._parent_query(self.parent).ids():
            raise self._no_parent(self.parent)

    def _not_found(self, pk: object) -> NoReturn:
        """Raise a 404 that names the missing resource: the parent or this one."""
        self.require_parent()
        raise NotFound(self.resource_type.label, pk)

    @cached_property
    def parent_row(self) -> Any:
        """The parent's row, for viewsets that are only used below a parent. Raises 404 if there is none."""
        if self.parent is None:
            raise LookupError(f"{type(self).__name__} stands below nothing")
        row = self._parent_query(self.parent).first()
        if row is None:
            raise self._no_parent(self.parent)
        return row

    def _parent_query(self, parent: Parent) -> RowQuery:
        return self.reader.row_query(parent.resource_type).filter(compare("pk", parent.pk))

    def _no_parent(self, parent: Parent) -> NotFound:
        return NotFound(parent.resource_type.label, self.kwargs[f"{self.parent_collection}_pk"])

    @property
    def error_subject(self) -> str:  # type: ignore[override]
        return f"{'Sub-Collection' if self.parent_collection else 'Collection'} {self.collection}"

    @cached_property
    def reader(self) -> Reader:
        return Reader(self.user, self.hrefs)

    @cached_property
    def resource_hrefs(self) -> Hrefs:
        """The root for addresses of this collection's resources, which is below the parent if there is one."""
        if self.parent is None:
            return self.hrefs
        return self.hrefs.within(self.parent.resource_type.name, self.parent.pk)

    def reaches(self, action: Any, pk: int | None = None) -> bool:
        permission = action.kwargs.get("permission")
        if permission is None or action.kwargs.get("checks_reach"):
            return True
        if pk is not None:
            return reaches(self.user, permission, self.queryset.model, pk, is_seen=True)
        if self.parent is None:
            return restriction_of(self.user, permission) is None
        # Whether the parent is seen is asked before or after this.
        model = self.parent.resource_type.queryset.model
        return reaches(self.user, permission, model, self.parent.pk, is_seen=True)

    def require_again(self, answer: Any) -> None:
        """Also where the resource is gone: deleting it may have been what was permitted."""
        pk = id_in(self.kwargs["pk"], self.collection) if self.detail else None
        if pk is None:
            super().require_again(answer)
            for named in self._answered(answer):
                self.resource(named)
                if self.requested_action.detail:
                    self.require_reach(named)
        elif self.queryset.model._base_manager.filter(pk=pk).exists():
            self.resource(pk)
            super().require_again(answer)

    def _answered(self, answer: Any) -> Iterable[int]:
        """The ids of the resources of the body about which an answer says more than that there is no such one."""
        if not (self.requested_action and self.identifying_keys(self.requested_action)):
            return ()
        pairs = zip(self.command.resources, answer.get("results", ()), strict=False)
        named = (payload if ids_in(payload, self.collection) else said for payload, said in pairs if _says(said))
        pks = {pk for each in named for pk in ids_in(each, self.collection) if pk}
        return sorted(self.queryset.model._base_manager.filter(pk__in=pks).values_list("pk", flat=True))

    def needed_permissions(self) -> tuple[str, ...]:
        """The permissions to see the parent, then those for the action or for reading."""
        of_parent = get_resource_type(self.parent_collection).view_permissions if self.parent_collection else ()
        if self.requested_action and (permission := self.requested_action.kwargs.get("permission")):
            return (*of_parent, permission)
        if self.is_action and not self.requested_action:
            return of_parent
        return of_parent + self.resource_type.view_permissions

    # --- Reading ---

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


def _says(result: Any) -> bool:
    return isinstance(result, dict) and bool(result.get("success", True))


def _named(rows: RowQuery, pk: object) -> RowQuery:
    """The row with this id or address, if it is among these rows."""
    return rows.filter(compare("pk", id_in(pk, rows.resource_type.name) or 0))
