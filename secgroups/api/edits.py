"""What the actions that edit groups and rules share: each resource is accepted as a task or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.response import Response

from inventory.api.tasks import task_links
from inventory.rest.actions.command import Answer, result
from inventory.rest.errors import BadInput, message_of
from inventory.rest.hrefs import id_in, ids_in
from inventory.rest.resources import get_resource_type
from inventory.rest.serializers import StrictSerializer
from inventory.rest.viewsets import CollectionViewSet
from secgroups.messages import Verb, cannot
from secgroups.services import Accepted, Edit, Refused, request_edits

#: The decision about one resource of the body, and the address in its result.
Decided = tuple[Edit | Refused, str | None]


class ReferenceInput(StrictSerializer):
    """Another resource, by its id or address."""

    id = serializers.CharField(required=False)
    href = serializers.CharField(required=False)


class EditingViewSet(CollectionViewSet):
    """A collection whose actions run on the cloud, as tasks."""

    def edits(
        self, verb: Verb, subject: str, decide: Callable[[dict[str, Any]], Decided], *, href: str | None = None
    ) -> Response:
        """Accept or refuse each resource of the body; `subject` and `href` are of one that makes no sense."""

        def decided(resource: dict[str, Any]) -> Decided:
            try:
                if not self.running.detail:  # else with the row that it is about
                    self.check_keys(resource)
                return decide(resource)
            except APIException as error:
                name = resource.get("name", resource.get("id", resource.get("href")))
                about = f"{subject} {name}" if isinstance(name, str | int) else f"a {subject}"
                return Refused(cannot(verb, about, message_of(error))), href

        every, hrefs = zip(*map(decided, self.command.resources), strict=True)
        answers = request_edits(every, user=self.user)
        return self._answered([self._result(*one) for one in zip(answers, hrefs, strict=True)])

    def edits_of_each(
        self,
        verb: Verb,
        subject: str,
        decide: Callable[[Any, dict[str, Any]], Edit | Refused],
        href_of: Callable[[Any], str],
    ) -> Response:
        """The same for the resource of this address, or for each that the body names."""
        here = self.resource(self.kwargs["pk"]) if self.detail else None

        def decided(given: dict[str, Any]) -> Decided:
            row = here or self.named(given)
            try:
                self.check_keys(given)
                return decide(row, given), href_of(row)
            except APIException as error:
                return Refused(cannot(verb, f"{subject} {row}", message_of(error))), href_of(row)

        return self.edits(verb, subject, decided)

    def referenced(self, collection: str, named: object, what: str) -> Any:
        """The row of another collection that a value names, of those that the caller may see; None for none."""
        if named is None:
            return None
        if isinstance(named, dict) and len(ids_in(named, collection)) > 1:
            raise BadInput(f"{what}: its id and href name different resources")
        address = named.get("id", named.get("href")) if isinstance(named, dict) else named
        rows = self.reader.visible(get_resource_type(collection))
        found = rows.filter(pk=id_in(address, collection)).first()
        if found is None:
            raise BadInput(f"{what}: there is no {rows.model._meta.verbose_name} {address or ''}".rstrip())
        return found

    def _answered(self, results: list[Answer]) -> Response:
        if not self.detail:
            return self.results(results)
        return Response(results[0], status=200 if results[0]["success"] else 400)

    def _result(self, answer: Accepted | Refused, href: str | None) -> Answer:
        links = task_links(self.hrefs, answer.task) if isinstance(answer, Accepted) else {}
        if href:
            links["href"] = href
        return result(isinstance(answer, Accepted), answer.message, **links)
