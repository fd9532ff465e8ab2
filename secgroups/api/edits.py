"""Common code of the actions that edit groups and rules. Each resource is accepted as a task or refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.response import Response

from inventory.api.tasks import task_links
from inventory.rest.actions.command import Answer, result
from inventory.rest.errors import message_of
from inventory.rest.serializers import StrictSerializer
from inventory.rest.viewsets import CollectionViewSet
from secgroups.api.previews import PreviewResults
from secgroups.api.previews_of_many import shown_preview
from secgroups.messages import Verb, cannot
from secgroups.previews import Previews, preview_edits, preview_group_work
from secgroups.services import Accepted, Edit, GroupWork, Refused, request_edits

#: What is decided of one resource.
Decision: TypeAlias = Edit | GroupWork | Refused


class ReferenceInput(StrictSerializer):
    """Another resource, by its id or address."""

    id = serializers.CharField(required=False)
    href = serializers.CharField(required=False)


class EditingViewSet(CollectionViewSet):
    """A collection whose actions run on the cloud, as tasks."""

    @property
    def asks_cloud(self) -> bool:
        """Whether a preview asks the cloud."""
        return self.dry_run == "cloud"

    def edits(
        self,
        verb: Verb,
        subject: str,
        decide: Callable[[Any, dict[str, Any]], Decision],
        href_of: Callable[[Any], str | None],
    ) -> Response:
        """Queue the edits of all resources of the body together.

        `subject` is the name of a resource in messages. `href_of` takes its row, or None, and returns the address
        for its result.
        """

        def act(row: Any, payload: dict[str, Any]) -> tuple[Decision, str | None]:
            return decide(row, payload), href_of(row)

        def refuse(row: Any, payload: dict[str, Any], error: APIException) -> tuple[Refused, str | None]:
            name = row or payload.get("name", payload.get("id", payload.get("href")))
            about = f"{subject} {name}" if row or isinstance(name, str | int) else f"a {subject}"
            return Refused(cannot(verb, about, message_of(error))), href_of(row)

        def finish(decided: list[tuple[Decision, str | None]]) -> list[Answer]:
            if self.dry_run:
                return self._previews_of(decided)
            answers = request_edits([edit for edit, _ in decided], user=self.user)
            return [self.result_of(answer, href) for answer, (_, href) in zip(answers, decided, strict=True)]

        return self.answer(act, refuse=refuse, finish=finish)

    def _previews_of(self, decided: Sequence[tuple[Decision, str | None]]) -> list[Answer]:
        """The previews of these decisions, in their order."""
        edits = [(edit, href) for edit, href in decided if not isinstance(edit, GroupWork)]
        answers: Iterator[Answer] = iter(())
        if edits:
            single, hrefs = zip(*edits, strict=True)
            answers = iter(
                self.previews(preview_edits(single, viewer=self.reader, ask_cloud=self.asks_cloud), hrefs)
            )
        return [
            shown_preview(preview_group_work(edit, viewer=self.reader), self.hrefs, str(href))
            if isinstance(edit, GroupWork)
            else next(answers)
            for edit, href in decided
        ]

    def previews(self, previews: Previews, hrefs: Sequence[str | None]) -> list[Answer]:
        """The results with these previews, of resources with these addresses."""
        results = PreviewResults(previews, self.hrefs)
        return [results.answer(*each) for each in zip(previews.changes, hrefs, strict=True)]

    def result_of(self, answer: Accepted | Refused, href: str | None) -> Answer:
        """Turn a service's answer into the result of an action on the resource with this address."""
        links = task_links(self.hrefs, answer.task) if isinstance(answer, Accepted) else {}
        if href:
            links["href"] = href
        return result(isinstance(answer, Accepted), answer.message, **links)
