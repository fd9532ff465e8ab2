"""Running the actions of a collection."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache, cached_property, partial
from http import HTTPStatus
from typing import Any, ClassVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction
from rest_framework.exceptions import APIException
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSetMixin

from inventory.faults import seeing_others
from inventory.rest import messages
from inventory.rest.actions.command import DEFAULT, Answer, Command, edited_attributes, result
from inventory.rest.errors import BadInput, NotFound, message_of
from inventory.rest.hrefs import ADDRESS, ids_in
from inventory.rest.http.conditional import IF_MATCH
from inventory.rest.http.idempotency import IDEMPOTENCY_KEY, answer_once
from inventory.rest.http.negotiation import is_form
from inventory.rest.http.views import ApiView
from inventory.rest.parameters import check_parameters
from inventory.rest.serializers import EmptyInput, without

#: The methods that stand for an action on one resource, beside a POST that names it.
METHODS = {"edit": ("put", "patch"), "delete": ("delete",)}
_BY_METHOD = {method.upper(): action for action, methods in METHODS.items() for method in methods}


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
    #: The collection of the resource that this address is below; the router says.
    parent_collection: str | None = None
    #: The action that the address names, of those that are for a whole collection; the router says.
    named_action: str | None = None

    @classmethod
    @cache
    def declared_actions(cls) -> tuple[Any, ...]:
        return tuple(cls.get_extra_actions())

    def resource(self, pk: object) -> Any:
        """The row of an id, from what the caller may see here, else 404."""
        raise NotImplementedError

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if IF_MATCH in request.META and not self.detail and request.method not in SAFE_METHODS:
            raise BadInput(messages.IF_MATCH_OF_ONE)

    @property
    def command(self) -> Command:
        """What the request asks for: by its method, its address or its body. `BadInput` for what is none."""
        if isinstance(self._command, APIException):
            raise self._command
        return self._command

    @cached_property
    def _command(self) -> Command | APIException:
        """Read once: after an error DRF takes the body to be empty."""
        try:
            return self._read_command()
        except APIException as error:
            return error

    def _read_command(self) -> Command:
        request = self.request
        self.check_length(request)
        if not is_form(request):
            request.body  # noqa: B018 - which can't be had any more once DRF has read it
        if request.stream is None:  # DRF makes an empty object of it
            if request.method == "DELETE":
                return Command("delete", ({},), many=False)
            raise BadInput(messages.NO_BODY)
        if request.method in {"PUT", "PATCH"}:
            return Command("edit", (edited_attributes(request.data),), many=False)
        command = Command.parse(request.data, self._addressed)
        if self.detail and len(command.resources) > 1:
            raise BadInput(messages.ONE_AT_ADDRESS)
        return command

    @property
    def is_action(self) -> bool:
        """Whether the request is to run an action: it is no reading, and its method can be used here."""
        method = str(self.request.method)
        return method not in SAFE_METHODS and method.lower() in self.action_map

    @cached_property
    def running(self) -> Any:
        """The declared action that the request runs; None for a reading, and for what asks for none."""
        if not self.is_action:
            return None
        return self._actions_at(self.detail).get(self._addressed or getattr(self._command, "action", None))

    @property
    def _addressed(self) -> str | None:
        """The action that the address or the method says, whatever is in the body."""
        return self.named_action or _BY_METHOD.get(str(self.request.method))

    @classmethod
    @cache
    def _actions_at(cls, detail: bool) -> Mapping[str | None, Any]:
        """By their names the actions at the address of one resource, or of the collection."""
        return {
            name: action
            for action in cls.declared_actions()
            if action.detail or not detail
            for name in (action.url_path, *action.kwargs.get("aliases", ()))
        }

    def check_parameters(self, request: Request) -> None:
        """Those of the action; of a request that names none its answer says what is wrong."""
        if self.running:
            check_parameters(request.query_params, self.understood(self.running.__name__))
        elif self.action and request.method in SAFE_METHODS:
            check_parameters(request.query_params, self.understood(self.action))

    @classmethod
    def understood(cls, action: str) -> Collection[str]:
        """The query parameters of an action."""
        return cls.parameters.get(action, ())

    def may_write(self) -> bool:
        """Whether this request may write to the database."""
        return self.running is None or bool(self.running.kwargs.get("writes", True))

    def require_parent(self) -> None:
        """404 if the address is below a resource that the caller does not see."""

    def act(self, request: Request, **kwargs: Any) -> Response:
        """Run the action that the request names, if it is one of this address."""
        run = partial(self._run, request, **kwargs)
        if request.method == "POST" and IDEMPOTENCY_KEY in request.META:
            return answer_once(request, self, run)
        return run()

    def _run(self, request: Request, **kwargs: Any) -> Response:
        name = self.command.action
        if self.running is None:
            kind = "resource" if self.detail else "subcollection" if self.parent_collection else "collection"
            raise BadInput(messages.unsupported_action(name, f"{self.collection} {kind}"))
        run: Callable[[], Response] = partial(getattr(self, self.running.__name__), request, **kwargs)
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

    def answer(
        self,
        act: Callable[[Any, dict[str, Any]], Any],
        *,
        refuse: Callable[[Any, dict[str, Any], APIException], Any] | None = None,
        finish: Callable[[list[Any]], list[Answer]] | None = None,
    ) -> Response:
        """Do to each resource of the body what an action does to one.

        `act` gets its row, None in an action on a whole collection, and what the body says of it. It returns what
        became of it. So does `refuse` of what is wrong: by default that is the answer if the body has one
        resource, and the result of this one if it has several.

        Where a service takes all of them together, `act` and `refuse` return what it is to get, and `finish` makes
        the results, in the same order.
        """
        outcomes = [self._outcome(act, refuse or self._refuse, payload) for payload in self.command.resources]
        answers = finish(outcomes) if finish else outcomes
        succeeded = all(answer.get("success", True) for answer in answers)
        if self.detail:
            return Response(answers[0], status=200 if succeeded else 400)
        return Response({"results": answers}, status=200 if succeeded or self.command.many else 400)

    def _outcome(self, act: Callable[..., Any], refuse: Callable[..., Any], payload: dict[str, Any]) -> Any:
        row: Any = self.resource(self.kwargs["pk"]) if self.detail else None
        try:
            self.check_keys(payload)
            if self.running.detail:
                row = row or self.named(payload)
                payload = without(payload, *self.identified_by)
            return seeing_others(act, row, payload)
        except APIException as error:
            return refuse(row, payload, error)
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
    def named_by(cls, action: Any) -> tuple[str, ...]:
        """How a resource of the body says which it is, for an action that asks that."""
        return (*ADDRESS, *cls.identified_by) if action.detail or action.kwargs.get("names_rows") else ()

    def check_keys(self, resource: dict[str, Any]) -> None:
        """`BadInput` for what the action does not take, and at the address of a resource for another's name."""
        taken = self.running.kwargs.get("serializer_class", EmptyInput)
        creates, named_by = self.running.url_path == DEFAULT, self.named_by(self.running)
        taken.check_keys(resource, *(ADDRESS if self.detail or creates else named_by))
        if creates and not resource.keys().isdisjoint(ADDRESS):
            raise BadInput(messages.address_in_creation(self.collection))
        here = ids_in({"id": self.kwargs["pk"]}, self.collection) if self.detail else set()
        if named_by and len(here | ids_in(resource, self.collection)) > 1:
            raise BadInput(messages.DIFFERENT_RESOURCES)

    def named(self, resource: dict[str, Any]) -> Any:
        """The row that a resource of the body names, by `id` or `href`."""
        if resource.keys().isdisjoint(ADDRESS):
            raise BadInput(messages.UNNAMED)
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
