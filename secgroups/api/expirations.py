"""What is for a while, and its ends."""

from __future__ import annotations

from typing import Any

from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.rest.actions.command import Answer, result
from inventory.rest.resources import ToOne
from inventory.rest.serializers import IdField, ResourceSerializer
from secgroups import messages
from secgroups.api.edits import EditingViewSet
from secgroups.api.endings import EndingsMixin, EndInput
from secgroups.api.previews import PreviewOfChange
from secgroups.models import Expiration
from secgroups.previews import preview_ends
from secgroups.services import (
    EndNow,
    Refused,
    TooLate,
    decide_end,
    extend_expiration,
    keep_expiration,
    may_change_ends,
    request_ends,
    require_ending,
)

#: A decision with the address of its expiration, or the answer for a resource that is none.
Outcome = tuple[EndNow | Refused, str] | Answer


class ExpirationSerializer(ResourceSerializer):
    ems_id = IdField(source="provider_id")

    class Meta:
        model = Expiration
        fields = [
            "ems_id",
            "vm_id",
            "security_group_id",
            "firewall_rule_id",
            "expires_on",
            "reason",
            "userid",
            "task_id",
            "created_on",
        ]


class ExpirationViewSet(EndingsMixin, EditingViewSet):
    """When groups of instances, or firewall rules, are taken back. Changing that takes the right to the change."""

    collection = "expirations"
    queryset = (
        Expiration.objects.connected()
        .settled()
        .select_related("security_group", "vm")
        .defer("provider__credentials")
    )
    serializer_class = ExpirationSerializer
    relations = {
        "ext_management_system": ToOne("providers", "provider_id"),
        "vm": ToOne("vms", "vm_id"),
        "security_group": ToOne("security_groups", "security_group_id"),
        "firewall_rule": ToOne("firewall_rules", "firewall_rule_id"),
        "task": ToOne("tasks", "task_id"),
    }

    @action(detail=True, methods=["post"], permission=None, serializer_class=EndInput)
    def extend(self, request: Request, **kwargs: Any) -> Response:
        """Move the end to a later time: `for` so long from now, or `until` then."""

        def act(expiration: Expiration, payload: dict[str, Any]) -> Answer:
            attributes = EndInput.validated(payload)
            subject, href = self._called(expiration), self._href(expiration)
            expires_on = require_ending(self.now, duration=attributes.get("for"), until=attributes.get("until"))
            try:
                extend_expiration(expiration=expiration, expires_on=expires_on, user=self.user)
            except TooLate as error:
                return result(False, messages.cannot_extend(subject, str(error)), href=href)
            return result(True, messages.extended(subject, expires_on), href=href)

        return self.answer(act)

    @action(detail=True, methods=["post"], permission=None)
    def keep(self, request: Request, **kwargs: Any) -> Response:
        """Keep for good what would be taken back."""

        def act(expiration: Expiration, _: dict[str, Any]) -> Answer:
            subject, href = self._called(expiration), self._href(expiration)
            try:
                keep_expiration(expiration=expiration, user=self.user)
            except TooLate as error:
                return result(False, messages.cannot_keep(subject, str(error)), href=href)
            return result(True, messages.kept(subject), href=href)

        return self.answer(act)

    @action(detail=True, methods=["post"], permission=None, previews=(PreviewOfChange,))
    def end(self, request: Request, **kwargs: Any) -> Response:
        """Take it back now."""

        def act(expiration: Expiration, _: dict[str, Any]) -> Outcome:
            return decide_end(expiration=expiration, user=self.user), self._href(expiration)

        return self.answer(act, finish=self._finish)

    def _may(self, action: Any, pk: int | None = None) -> bool:
        """Offer to change ends to who may change any."""
        return (action.kwargs.get("writes") is False or may_change_ends(self.user)) and super()._may(action, pk)

    def _called(self, expiration: Expiration) -> str:
        return messages.expiration_called(expiration.pk)

    def _href(self, expiration: Expiration) -> str:
        return self.hrefs.resource(self.collection, expiration.pk)

    def _finish(self, outcomes: list[Outcome]) -> list[Answer]:
        decided = [outcome for outcome in outcomes if isinstance(outcome, tuple)]
        answers = iter(self._answers(decided))
        return [next(answers) if isinstance(outcome, tuple) else outcome for outcome in outcomes]

    def _answers(self, decided: list[tuple[EndNow | Refused, str]]) -> list[Answer]:
        decisions, hrefs = [decision for decision, _ in decided], [href for _, href in decided]
        if not self.dry_run:
            answers = request_ends(decisions, user=self.user)
            return [self.result_of(*each) for each in zip(answers, hrefs, strict=True)]
        previews = preview_ends(decisions, viewer=self.reader, ask_cloud=self.asks_cloud)
        each = zip(previews, hrefs, strict=True)
        return [answer for preview, href in each for answer in self.previews(preview, [href])]
