from __future__ import annotations

from rest_framework import serializers

from inventory.models import Group
from inventory.rest.classes import Classes
from inventory.rest.serializers import ResourceSerializer
from inventory.rest.viewsets import CollectionViewSet


class GroupSerializer(ResourceSerializer):
    description = serializers.CharField(source="name")

    class Meta:
        model = Group
        fields = ["description"]


class GroupViewSet(CollectionViewSet):
    """Groups of users, which grant permissions."""

    collection = "groups"
    identified_by = ("description",)
    queryset = Group.objects.all()
    serializer_class = GroupSerializer
    view_permissions = ()  # everybody may see their own groups
    classes = Classes(("MiqGroup",))
