"""Running the actions of a collection."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import cache, cached_property, partial
from http import HTTPStatus
from typing import Any, ClassVar, cast

from django.contrib.auth.models import User
from django.db import transaction
from rest_framework.exceptions import APIException
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSetMixin

from inventory.faults import seeing_others
from inventory.rest.actions.command import DEFAULT, Answer, Command, edited_attributes, result
from inventory.rest.errors import BadInput, NotFound, message_of
from inventory.rest.hrefs import ADDRESS, ids_in
from inventory.rest.http.conditional import IF_MATCH
from inventory.rest.http.views import ApiView
from inventory.rest.parameters import check_parameters
from inventory.rest.serializers import EmptyInput, without

#: What is said of a resource in a body that does not say which it is.
UNNAMED = "A resource must have an id or an href"

#: The methods that stand for an action on one resource, beside a POST that names it.
METHODS = {"edit": ("put", "patch"), "delete": ("delete",)}


class ActionViewSet(ViewSetMixin, ApiView):
    """What can be done to a collection: DRF's extra actions, and nothing else.

    One with `detail=False` is for the whole collection, one with `detail=True` for one resource, or for each that
    a POST to the collection names. Their `permission` is the Django permission that they ask, their
    `serializer_class` what the body may have.
    """

    collection: ClassVar[str]
    #: Which plain attributes, beside the id, tell one resource from the others.
    identified_by: ClassVar[tuple[str, ...]] = ()
    #: Whether this address is of one resource; the router says.
    detail: bool
    action_map: dict[str, str]
    #: The permission of the action that this request runs; DRF sets it from `@action(permission=...)`.
    permission: str | None = None
    #: Whether that action answers the resources themselves; else it says what became of each.
    shows: bool = False
    #: What else a body may call it.
    aliases: tuple[str, ...] = ()
    #: Whether it writes; one that does not may ask a cloud, and is run outside of any transaction.
    writes: bool = True

    @classmethod
    @cache
    def declared_actions(cls) -> tuple[Any, ...]:
        return tuple(cls.get_extra_actions())

    @property
    def user(self) -> User:
        """The caller, who is known: no view of the API answers anybody else."""
        return cast(User, self.request.user)

    @property
    def parent_collection(self) -> str | None:
        found = (name.removesuffix("_pk") for name in self.kwargs if name.endswith("_pk"))
        return next(found, None)

    def resource(self, pk: object) -> Any:
        """The row of an id, from what the caller may see here, else 404."""
        raise NotImplementedError

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if IF_MATCH in request.META and not self.detail and request.method not in SAFE_METHODS:
            raise BadInput("If-Match is understood at the address of one resource alone")

    @cached_property
    def command(self) -> Command:
        """What the request asks for: by its method, by its address, or by its body."""
        if self.request.method == "DELETE":
            return Command("delete", ({},), many=False)
        if self.request.stream is None:  # DRF makes an empty object of it
            raise BadInput("The request must have a body")
        if self.request.method in {"PUT", "PATCH"}:
            return Command("edit", (edited_attributes(self.request.data),), many=False)
        return Command.parse(self.request.data, None if self.action == "act" else self.running.url_path)

    @property
    def running(self) -> Any:
        """The declared action that this request runs, once that is known."""
        return getattr(type(self), str(self.action))

    @property
    def asked(self) -> Any:
        """The declared action that the request names; None if there is none."""
        name = self.command.action
        named = (a for a in self.declared_actions() if name in {a.url_path, *a.kwargs.get("aliases", ())})
        return next(named, None)

    def check_parameters(self, request: Request) -> None:
        """Those of the action, which of a POST is known only by its body: there it is asked anew."""
        if self.action not in {None, "act"}:
            check_parameters(request.query_params, self.understood(str(self.action)))

    @classmethod
    def understood(cls, action: str) -> Collection[str]:
        """The query parameters of an action."""
        return cls.parameters.get(action, ())

    def may_write(self) -> bool:
        if self.action != "act":
            return self.writes
        found = self.asked
        return found is None or bool(found.kwargs.get("writes", True))

    def authorize(self) -> None:
        """Who did it before may have lost the permission since."""
        try:
            found = self.asked if self.action == "act" else self.running
        except APIException:
            return  # a body that makes no sense asks for nothing
        if found:
            self._begin(found)

    def _begin(self, action: Any) -> None:
        """Take this for what the request does; 403 if the caller may not."""
        self.action, self.permission = action.__name__, action.kwargs.get("permission")
        self.check_permissions(self.request)
        self.check_parameters(self.request)

    def act(self, request: Request, **kwargs: Any) -> Response:
        """Run the action that the request names, if it is one of this address."""
        found = self.asked
        if found is None or (self.detail and not found.detail):
            kind = "resource" if self.detail else "subcollection" if self.parent_collection else "collection"
            raise BadInput(f"Unsupported Action {self.command.action} for the {self.collection} {kind} specified")
        self._begin(found)
        run: Callable[[], Response] = partial(getattr(self, found.__name__), request, **kwargs)
        if IF_MATCH not in request.META:
            return run()
        with transaction.atomic():
            self.require_unchanged()
            return run()

    def require_unchanged(self) -> None:
        """412 if the resource of this address is not as `If-Match` says; the transaction keeps it so."""
        raise NotImplementedError

    @property
    def allowed_methods(self) -> list[str]:
        """Those that `Allow` names: a POST only where there is an action."""
        possible = [action for action in self.declared_actions() if action.detail or not self.detail]
        return [method for method in super().allowed_methods if method != "POST" or possible]

    def offered(self, *, detail: bool, href: str) -> list[dict[str, str]]:
        """The actions that the caller may do here; on a collection also those of its resources."""
        return [
            {"name": action.url_path, "method": method, "href": href}
            for action in self.declared_actions()
            if (action.detail or not detail) and self._may(action)
            for method in ("post", *(METHODS.get(action.url_path, ()) if detail else ()))
            if method == "post" or method in self.action_map
        ]

    def _may(self, action: Any) -> bool:
        permission = action.kwargs.get("permission")
        return permission is None or bool(self.user.has_perm(permission))

    def actions_here(self) -> list[Any]:
        """The actions that the caller may do at exactly this address, for the forms of the browsable API."""
        if "get" not in self.action_map:
            return []
        return [a for a in self.declared_actions() if a.detail == self.detail and self._may(a)]

    # --- Answers ---

    def on_each(self, act: Callable[[Any, dict[str, Any]], Answer]) -> Response:
        """Run an action on the resource of this address, or on each that the body names."""
        if not self.detail:
            return self.for_each(lambda named: act(self.named(named), without(named, *self.identified_by)))
        [given] = self.command.resources
        row = self.resource(self.kwargs["pk"])
        self.check_keys(given)
        answer = seeing_others(act, row, given)
        return Response(answer, status=200 if answer.get("success", True) else 400)

    def for_each(self, act: Callable[[dict[str, Any]], Answer]) -> Response:
        """Run an action for each resource of the body; of many, one that is wrong does not hurt the others."""
        return self.results([self._attempt(act, resource) for resource in self.command.resources])

    def _attempt(self, act: Callable[[dict[str, Any]], Answer], resource: dict[str, Any]) -> Answer:
        try:
            self.check_keys(resource)
            return seeing_others(act, resource)
        except APIException as error:
            if not (self.command.many or isinstance(error, NotFound)):
                raise
            return result(False, message_of(error))

    def results(self, answers: Iterable[Answer]) -> Response:
        """The envelope of an action: a single one that is refused is 400, of many each says what became of it."""
        answered = list(answers)
        refused = not self.command.many and not all(answer.get("success", True) for answer in answered)
        return Response({"results": answered}, status=400 if refused else 200)

    # --- Resources of the body ---

    @classmethod
    def named_by(cls, action: Any) -> tuple[str, ...]:
        """How a resource of the body says which it is, for an action that asks that."""
        return (*ADDRESS, *cls.identified_by) if action.detail else ()

    def check_keys(self, resource: dict[str, Any]) -> None:
        """`BadInput` for what the action does not take, and at the address of a resource for another's name."""
        taken = self.running.kwargs.get("serializer_class", EmptyInput)
        creates = self.running.url_path == DEFAULT
        taken.check_keys(resource, *(ADDRESS if self.detail or creates else self.named_by(self.running)))
        if creates and not resource.keys().isdisjoint(ADDRESS):
            what = f"a new {self.collection}"
            raise BadInput(f"Resource id or href should not be specified for creating {what}")
        named = ids_in(resource, self.collection)
        if len({*named, *ids_in({"id": self.kwargs["pk"]}, self.collection)} if self.detail else named) > 1:
            raise BadInput("The request names several resources by its address, id and href")

    def named(self, resource: dict[str, Any]) -> Any:
        """The row that a resource of the body names, by `id` or `href`."""
        if resource.keys().isdisjoint(ADDRESS):
            raise BadInput(UNNAMED)
        address = resource.get("id", resource.get("href"))
        return self.resource(address)


class EditMixin(ActionViewSet):
    """PUT and PATCH are the action `edit`."""

    def update(self, request: Request, **kwargs: Any) -> Response:
        return self.act(request, **kwargs)

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        return self.act(request, **kwargs)


class DeleteMixin(ActionViewSet):
    """DELETE is the action `delete`, without an answer where there is nothing more to say."""

    def destroy(self, request: Request, **kwargs: Any) -> Response:
        answer = self.act(request, **kwargs)
        return Response(status=204) if answer.status_code == HTTPStatus.OK else answer
