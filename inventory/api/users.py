from __future__ import annotations

from rest_framework import serializers

from inventory.models import User
from inventory.rest.resources import Subcollection, ToMany
from inventory.rest.serializers import IdField, ResourceSerializer
from inventory.rest.viewsets import CollectionViewSet


class UserSerializer(ResourceSerializer):
    userid = serializers.CharField(source="username")
    name = serializers.CharField(source="full_name")
    email = serializers.CharField(source="address", allow_null=True)
    lastlogon = serializers.DateTimeField(source="last_login", allow_null=True)
    current_group_id = IdField(source="current_group", allow_null=True)

    class Meta:
        model = User
        fields = ["userid", "name", "email", "lastlogon", "current_group_id"]


class UserViewSet(CollectionViewSet):
    """Users of this service."""

    collection = "users"
    identified_by = ("userid", "name")
    queryset = User.objects.described()
    serializer_class = UserSerializer
    view_permissions = ()  # everybody may see themselves
    relations = {"groups": ToMany("groups", "user", few=True)}
    subcollections = {"groups": Subcollection("inventory.api.GroupViewSet", "user", few=True)}
