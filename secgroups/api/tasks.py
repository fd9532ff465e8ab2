"""Tasks, whose changes to memberships, groups and rules can be reverted."""

from __future__ import annotations

from typing import Any

from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.tasks import TaskViewSet
from inventory.models import Task
from inventory.rest.actions.command import Answer
from secgroups.api.edits import EditingViewSet
from secgroups.api.previews import PreviewOfChange
from secgroups.api.previews_of_many import PreviewOfMany, shown_preview
from secgroups.previews import ManyPreview, Previews, preview_reverts
from secgroups.services import decide_revert, may_revert, request_reverts
from secgroups.services.reverts import Decision

#: A decision with the address of its task, or the answer for a resource that is none.
Outcome = tuple[Decision, str] | Answer


class RevertibleTaskViewSet(EditingViewSet, TaskViewSet):
    """Accepted changes and their outcome."""

    @action(detail=True, methods=["post"], permission=None, previews=(PreviewOfChange, PreviewOfMany))
    def revert(self, request: Request, **kwargs: Any) -> Response:
        """Bring back what was before a finished task. It takes the right to make the reverse change."""

        def act(task: Task, _: dict[str, Any]) -> Outcome:
            return decide_revert(task, user=self.user), self.hrefs.resource(self.collection, task.pk)

        return self.answer(act, finish=self._finish)

    def _may(self, action: Any, pk: int | None = None) -> bool:
        """Offer a revert to who may make any."""
        return (action.url_path != "revert" or may_revert(self.user)) and super()._may(action, pk)

    def _finish(self, outcomes: list[Outcome]) -> list[Answer]:
        results: dict[int, Answer] = {}
        decided: dict[int, tuple[Decision, str]] = {}
        for key, outcome in enumerate(outcomes):
            if isinstance(outcome, tuple):
                decided[key] = outcome
            else:
                results[key] = outcome
        results |= zip(decided, self._answers([*decided.values()]), strict=True)
        return [results[key] for key in range(len(outcomes))]

    def _answers(self, decided: list[tuple[Decision, str]]) -> list[Answer]:
        decisions = [decision for decision, _ in decided]
        hrefs = [href for _, href in decided]
        if not self.dry_run:
            answers = request_reverts(decisions, user=self.user)
            return [self.result_of(*each) for each in zip(answers, hrefs, strict=True)]
        previews = preview_reverts(decisions, viewer=self.reader, ask_cloud=self.asks_cloud)
        return [self._previewed(*each) for each in zip(previews, hrefs, strict=True)]

    def _previewed(self, preview: Previews | ManyPreview, href: str) -> Answer:
        if isinstance(preview, ManyPreview):
            return shown_preview(preview, self.hrefs, href)
        [answer] = self.previews(preview, [href])
        return answer
