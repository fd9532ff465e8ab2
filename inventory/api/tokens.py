from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from inventory import messages
from inventory.models import AuthToken
from inventory.rest import messages as refusals
from inventory.rest.actions.command import Answer, result
from inventory.rest.actions.viewset import DeleteMixin
from inventory.rest.errors import BadInput
from inventory.rest.hrefs import id_in
from inventory.rest.http.idempotency import IDEMPOTENCY_KEY
from inventory.rest.resources import TextList
from inventory.rest.serializers import IdField, ResourceSerializer, StrictSerializer
from inventory.rest.viewsets import CollectionViewSet
from inventory.services import TokenLogin, create_token, latest_end, parse_networks, revoke_token


class TokenSerializer(ResourceSerializer):
    userid = serializers.CharField(source="user.username")
    created_on = serializers.DateTimeField(source="created")
    expires_on = serializers.DateTimeField(source="expiry")
    group_id = IdField(allow_null=True)

    class Meta:
        model = AuthToken
        fields = ["name", "userid", "read_only", "group_id", "created_on", "last_used_on", "expires_on", "ends_on"]


@extend_schema_field({"type": "string", "minLength": 1, "maxLength": 43, "examples": ["192.0.2.0/24"]})
class NetworkField(serializers.CharField):
    """An address or a network in CIDR notation."""


class TokenInput(StrictSerializer):
    """A new token. Without limits it may do what its user may."""

    name = serializers.CharField(max_length=255)
    read_only = serializers.BooleanField(default=False)  # type: ignore[assignment]
    group_id = serializers.CharField(required=False, allow_null=True, help_text="One of your groups.")
    addresses = serializers.ListField(
        child=NetworkField(max_length=43),
        required=False,
        help_text="The networks from which it can be used.",
    )
    ends_on = serializers.DateTimeField(required=False, allow_null=True)

    def validate_addresses(self, value: list[str]) -> list[str]:
        try:
            return parse_networks(value)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error

    def validate_ends_on(self, value: Any) -> Any:
        latest = latest_end()
        if value is not None and not timezone.now() < value <= latest:
            raise serializers.ValidationError(messages.invalid_end(latest))
        return value


class TokenViewSet(DeleteMixin, CollectionViewSet):
    """Tokens of the API: your own, or all with the permission to view them."""

    collection = "tokens"
    queryset = AuthToken.objects.all()
    serializer_class = TokenSerializer
    view_permissions = ()  # everybody has their own
    computed = {"addresses": F("addresses")}
    lists = {"addresses": TextList("addresses")}

    @action(detail=False, methods=["post"], permission=None, serializer_class=TokenInput)
    def create(self, request: Request, **kwargs: Any) -> Response:
        """Create a token for scripts. Only this answer shows it."""
        if isinstance(request.auth, TokenLogin):
            raise PermissionDenied(refusals.TOKEN_BY_TOKEN)
        if IDEMPOTENCY_KEY in request.META:
            raise BadInput(refusals.NO_KEY_FOR_TOKENS)
        with transaction.atomic():  # all or none: nobody would see the tokens before the one that is refused
            response = self.answer(lambda _, payload: self._create(payload))
        response.headers["Cache-Control"] = "no-store"
        return response

    @action(detail=True, methods=["post"], url_path="delete", permission=None)
    def delete_token(self, request: Request, **kwargs: Any) -> Response:
        """Revoke the token."""
        return self.answer(self._delete)

    def _create(self, payload: dict[str, Any]) -> Answer:
        attributes = TokenInput.validated(payload)
        group = self._group(attributes.pop("group_id", None))
        token, text = create_token(user=self.user, group=group, **attributes)
        href = self.hrefs.resource(self.collection, token.pk)
        return result(True, messages.token_created(str(token)), auth_token=text, href=href)

    def _group(self, value: str | None) -> Group | None:
        """The group of the request, or one of the user's."""
        limit: Group | None = getattr(self.user, "group", None)
        if value is None:
            return limit
        group = self.user.groups.filter(pk=id_in(value, "groups") or 0).first()
        if group is None or limit not in (None, group):
            raise BadInput(refusals.not_your_group(value))
        return group

    def _delete(self, token: AuthToken, payload: dict[str, Any]) -> Answer:
        href = self.hrefs.resource(self.collection, token.pk)
        revoke_token(token=token, user=self.user)
        return result(True, messages.token_revoked(str(token)), href=href)
