"""What a collection declares, where it stands, and who may see and change it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cache, cached_property
from typing import Any, ClassVar, NoReturn

from django.utils.functional import classproperty
from django.utils.text import capfirst
from django_filters.filters import Filter
from django_filters.rest_framework import FilterSet
from rest_framework.serializers import Serializer

from inventory.db.conditions import compare
from inventory.querysets import reaches
from inventory.rest.actions.viewset import ActionViewSet
from inventory.rest.classes import TYPE, Classes
from inventory.rest.errors import NotFound
from inventory.rest.filtersets import filterset_of
from inventory.rest.hrefs import Hrefs, id_in, ids_in
from inventory.rest.parameters import AS_OF, LISTING, SELECTING
from inventory.rest.permissions import view_permission
from inventory.rest.reading.reader import Reader
from inventory.rest.reading.rows import Parent, RowQuery
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


class DeclaredViewSet(ActionViewSet):
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
    #: What the API's description calls a resource, if it has other attributes than elsewhere.
    schema_name: ClassVar[str | None] = None
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
            schema_name=cls.schema_name or model.__name__,
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


def _says(result: Any) -> bool:
    return isinstance(result, dict) and bool(result.get("success", True))
