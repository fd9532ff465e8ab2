"""Running the actions of a collection."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache, cached_property, partial
from http import HTTPStatus
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.core.exceptions import PermissionDenied as Forbidden
from django.db import transaction
from rest_framework.exceptions import APIException, PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSetMixin

from inventory.faults import seeing_others
from inventory.rest import messages
from inventory.rest.actions.command import DEFAULT, Answer, Command, DryRun, at_most, edit_command, result
from inventory.rest.errors import BadInput, NotFound, message_of
from inventory.rest.hrefs import ADDRESS, id_in, ids_in
from inventory.rest.http.conditional import IF_MATCH
from inventory.rest.http.idempotency import IDEMPOTENCY_KEY, answer_once
from inventory.rest.http.negotiation import is_form
from inventory.rest.http.views import ApiView
from inventory.rest.parameters import check_parameters
from inventory.rest.serializers import EmptyInput, without

#: The HTTP methods that run an action on one resource, in addition to POST.
METHODS = {"edit": ("put", "patch"), "delete": ("delete",)}
_BY_METHOD = {method.upper(): action for action, methods in METHODS.items() for method in methods}


class ActionViewSet(ViewSetMixin, ApiView):
    """Runs the actions of a collection, which are DRF's extra actions.

    An action with `detail=False` is for the whole collection. An action with `detail=True` is for one resource, or
    for each resource that a POST to the collection names. `permission` is the Django permission that an action
    requires. It has to reach the resource; in an action on a whole collection the parent, or everything. With
    `checks_reach`, the action itself sees to that, because its input says what it is about. `serializer_class`
    declares its input. `previews` are the types of its previews, if it takes `dry_run`. `at_most` is the setting
    that says how many resources it takes at once, if that is not the one for pages.
    """

    collection: ClassVar[str]
    #: The plain attributes that identify a resource, in addition to its id.
    identified_by: ClassVar[tuple[str, ...]] = ()
    #: Whether this is the address of one resource; set by the router.
    detail: bool
    action_map: dict[str, str]
    #: The collection of the parent resource, below a parent; set by the router.
    parent_collection: str | None = None
    #: The collection's action that the address names, if it does; set by the router.
    named_action: str | None = None

    @classmethod
    @cache
    def declared_actions(cls) -> tuple[Any, ...]:
        return tuple(cls.get_extra_actions())

    def resource(self, pk: object) -> Any:
        """The row with this id, if the caller may see it here. Otherwise 404."""
        raise NotImplementedError

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if IF_MATCH in request.META and not self.detail and request.method not in SAFE_METHODS:
            raise BadInput(messages.IF_MATCH_OF_ONE)
        if self.requested_action and not self._may_write(self.requested_action):
            raise PermissionDenied(messages.READ_ONLY_TOKEN)

    @property
    def command(self) -> Command:
        """The command from the request's method, address or body. Raises `BadInput` for an invalid one."""
        if isinstance(self._command, APIException):
            raise self._command
        return self._command

    @cached_property
    def _command(self) -> Command | APIException:
        """Cached with its error, because DRF treats the body as empty after one."""
        try:
            return self._read_command()
        except APIException as error:
            return error

    def _read_command(self) -> Command:
        request = self.request
        self.check_length(request)
        if not is_form(request):
            request.body  # noqa: B018 - it is not available after DRF has read the stream
        if request.stream is None:  # no body, for which DRF would return an empty object
            if request.method == "DELETE":
                return Command("delete", ({},), many=False)
            raise BadInput(messages.NO_BODY)
        if request.method in {"PUT", "PATCH"}:
            return edit_command(request.data)
        command = Command.parse(request.data, self._addressed)
        if len(command.resources) > (limit := self._limit(command.action)):
            raise BadInput(messages.too_many_resources(limit))
        if self.detail and len(command.resources) > 1:
            raise BadInput(messages.ONE_AT_ADDRESS)
        return command

    def _limit(self, action: str) -> int:
        """How many resources an action takes at once."""
        declared = self._actions_at(self.detail).get(action)
        return at_most(declared) if declared else settings.API_PAGE_LIMIT

    @property
    def is_action(self) -> bool:
        """Whether the request runs an action: it does not just read, and its method is allowed here."""
        method = str(self.request.method)
        return method not in SAFE_METHODS and method.lower() in self.action_map

    @cached_property
    def requested_action(self) -> Any:
        """The declared action that the request runs; None if it only reads or names no action of this address."""
        if not self.is_action:
            return None
        return self._actions_at(self.detail).get(self._addressed or getattr(self._command, "action", None))

    @property
    def _addressed(self) -> str | None:
        """The action that the address or the method implies, whatever the body says."""
        return self.named_action or _BY_METHOD.get(str(self.request.method))

    @classmethod
    @cache
    def _actions_at(cls, detail: bool) -> Mapping[str | None, Any]:
        """The actions at the address of a resource or of the collection, by name."""
        return {
            name: action
            for action in cls.declared_actions()
            if action.detail or not detail
            for name in (action.url_path, *action.kwargs.get("aliases", ()))
        }

    def check_parameters(self, request: Request) -> None:
        """Check the parameters of the action. If the request names none, it is refused later."""
        if self.requested_action:
            check_parameters(request.query_params, self._allowed(self.requested_action.__name__))
        elif self.action and request.method in SAFE_METHODS:
            check_parameters(request.query_params, self._allowed(self.action))

    def _allowed(self, action: str) -> Collection[str]:
        return self.allowed_parameters(action, self.parent_collection)

    @classmethod
    def allowed_parameters(cls, action: str, parent: str | None = None) -> Collection[str]:  # noqa: ARG003 - for collections
        """The query parameters of an action, below a parent of this collection or of its own."""
        return cls.parameters.get(action, ())

    def may_write(self) -> bool:
        """Whether this request may write to the database."""
        return self.requested_action is None or (
            bool(self.requested_action.kwargs.get("writes", True)) and not self.dry_run
        )

    @property
    def dry_run(self) -> DryRun:
        """Whether the action is only previewed."""
        return getattr(self._command, "dry_run", None) or False

    def require_parent(self) -> None:
        """Raise 404 if the address is below a resource that the caller may not see."""

    def act(self, request: Request, **kwargs: Any) -> Response:
        """Run the action that the request names, if this address has it."""
        run = partial(self._run, request, **kwargs)
        if request.method == "POST" and IDEMPOTENCY_KEY in request.META:
            return answer_once(request, self, run)
        return run()

    def _run(self, request: Request, **kwargs: Any) -> Response:
        name = self.command.action
        if self.requested_action is None:
            kind = "resource" if self.detail else "subcollection" if self.parent_collection else "collection"
            raise BadInput(messages.unsupported_action(name, f"{self.collection} {kind}"))
        if not self.requested_action.detail:
            self.require_reach()
        if self.command.dry_run is not None and not self.requested_action.kwargs.get("previews"):
            raise BadInput(messages.unknown_body_keys(["dry_run"]))
        run: Callable[[], Response] = partial(getattr(self, self.requested_action.__name__), request, **kwargs)
        if IF_MATCH not in request.META:
            return run()
        with transaction.atomic():
            self.require_unchanged()
            if not self.dry_run:
                return run()
        return run()  # it writes nothing, and may wait for a cloud

    def reaches(self, action: Any, pk: int | None = None) -> bool:
        """Whether the caller's permission for an action reaches a resource, or else what the address names."""
        return True

    def require_reach(self, pk: int | None = None) -> None:
        """Raise 403 if the caller may not run the action of the request on this resource, or here."""
        if not self.reaches(self.requested_action, pk):
            self.require_parent()
            raise PermissionDenied(messages.BEYOND_GRANTS)

    def require_again(self, answer: Any) -> None:
        """Raise 404 or 403 if the caller may not send this request any more, whose answer was kept."""
        self.require_parent()
        if self.requested_action and self.detail == self.requested_action.detail:
            self.require_reach(id_in(self.kwargs["pk"], self.collection) if self.detail else None)

    def require_unchanged(self) -> None:
        """Raise 412 if the resource no longer matches `If-Match`. Locks it for the rest of the transaction."""
        raise NotImplementedError

    @property
    def allowed_methods(self) -> list[str]:
        """The methods for `Allow`. POST is only included if there is an action."""
        possible = [action for action in self.declared_actions() if action.detail or not self.detail]
        return [method for method in super().allowed_methods if method != "POST" or possible]

    def available_actions(self, *, href: str, pk: int | None = None) -> list[dict[str, str]]:
        """The actions that the caller may run on a resource, or on the collection and any of its resources."""
        detail = pk is not None
        return [
            {"name": action.url_path, "method": method, "href": href}
            for action in self.declared_actions()
            if (action.detail or not detail) and self._may(action, pk)
            for method in ("post", *(METHODS.get(action.url_path, ()) if detail else ()))
            if method == "post" or method in self.action_map
        ]

    def _may(self, action: Any, pk: int | None = None) -> bool:
        permission = action.kwargs.get("permission")
        if not self._may_write(action) or (permission is not None and not self.user.has_perm(permission)):
            return False
        return (action.detail and pk is None) or self.reaches(action, pk)

    def _may_write(self, action: Any) -> bool:
        """Whether the caller's token allows this action, which may write. Some actions require no permission."""
        return not (getattr(self.user, "read_only", False) and action.kwargs.get("writes", True))

    def actions_here(self) -> list[Any]:
        """The actions that the caller may run at exactly this address, for the forms of the browsable API."""
        if "get" not in self.action_map:
            return []
        pk = id_in(self.kwargs["pk"], self.collection) if self.detail else None
        return [a for a in self.declared_actions() if a.detail == self.detail and self._may(a, pk)]

    # --- Answers ---

    def answer(
        self,
        act: Callable[[Any, dict[str, Any]], Any],
        *,
        refuse: Callable[[Any, dict[str, Any], APIException], Any] | None = None,
        finish: Callable[[list[Any]], list[Answer]] | None = None,
    ) -> Response:
        """Run an action on each resource of the body, and answer with the outcomes.

        `act` takes the row (None in an action on the whole collection) and the attributes from the body, and
        returns the outcome. `refuse` also takes the error of an invalid resource. By default the error is raised
        if the body has one resource, and becomes a failed result if it has a list.

        If a service takes all resources together, `act` and `refuse` return its input, and `finish` turns the list
        of them into results in the same order.
        """
        outcomes = [self._outcome(act, refuse or self._refuse, payload) for payload in self.command.resources]
        answers = finish(outcomes) if finish else outcomes
        succeeded = all(answer.get("success", True) for answer in answers)
        if self.detail:
            return Response(answers[0], status=200 if succeeded else 400)
        return Response({"results": answers}, status=200 if succeeded or self.command.many else 400)

    def _outcome(self, act: Callable[..., Any], refuse: Callable[..., Any], payload: dict[str, Any]) -> Any:
        row: Any = self.resource(self.kwargs["pk"]) if self.detail else None
        if row:
            self.require_reach(row.pk)
        try:
            if self.requested_action.detail and not row:
                row = self.row_named(payload)
                self.require_reach(row.pk)
            self.check_keys(payload)
            if self.requested_action.detail:
                payload = without(payload, *self.identified_by)
            return seeing_others(act, row, payload)
        except APIException as error:
            return refuse(row, payload, error)
        except Forbidden as error:
            return refuse(row, payload, PermissionDenied(str(error)))
        except ValidationError as error:
            return refuse(row, payload, BadInput(" ".join(error.messages)))
        except ObjectDoesNotExist as error:
            if not isinstance(error, getattr(row, "DoesNotExist", ())):
                raise
            return refuse(row, payload, NotFound(type(row).__name__, row.pk))

    def _refuse(self, row: Any, payload: dict[str, Any], error: APIException) -> Answer:
        if self.detail or not (self.command.many or isinstance(error, NotFound)):
            raise error
        return result(False, message_of(error))

    # --- Resources of the body ---

    @classmethod
    @cache
    def identifying_keys(cls, action: Any) -> tuple[str, ...]:
        """The keys by which a resource of the body is identified, if the action needs that."""
        return (*ADDRESS, *cls.identified_by) if action.detail or action.kwargs.get("names_rows") else ()

    def check_keys(self, resource: dict[str, Any]) -> None:
        """Raise `BadInput` for unknown keys, or if the body and the address name different resources."""
        taken = self.requested_action.kwargs.get("serializer_class", EmptyInput)
        creates, keys = self.requested_action.url_path == DEFAULT, self.identifying_keys(self.requested_action)
        taken.check_keys(resource, *(ADDRESS if self.detail or creates else keys))
        if creates and not resource.keys().isdisjoint(ADDRESS):
            raise BadInput(messages.address_in_creation(self.collection))
        here = ids_in({"id": self.kwargs["pk"]}, self.collection) if self.detail else set()
        if keys and len(here | ids_in(resource, self.collection)) > 1:
            raise BadInput(messages.DIFFERENT_RESOURCES)

    def row_named(self, resource: dict[str, Any]) -> Any:
        """The row that a resource of the body names by `id` or `href`."""
        if resource.keys().isdisjoint(ADDRESS):
            raise BadInput(messages.UNNAMED)
        address = resource.get("id", resource.get("href"))
        return self.resource(address)


class EditMixin(ActionViewSet):
    """Makes PUT and PATCH run the action `edit`."""

    def update(self, request: Request, **kwargs: Any) -> Response:
        return self.act(request, **kwargs)

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        return self.act(request, **kwargs)


class DeleteMixin(ActionViewSet):
    """Makes DELETE run the action `delete`, and answer 204 if it is done."""

    def destroy(self, request: Request, **kwargs: Any) -> Response:
        answer = self.act(request, **kwargs)
        is_done = answer.status_code == HTTPStatus.OK and not self.dry_run
        return Response(status=204) if is_done else answer
