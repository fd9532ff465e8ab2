from __future__ import annotations

from inventory.models import Zone
from inventory.rest.serializers import ResourceSerializer
from inventory.rest.viewsets import CollectionViewSet


class ZoneSerializer(ResourceSerializer):
    class Meta:
        model = Zone
        fields = ["name", "description", "created_on", "updated_on"]


class ZoneViewSet(CollectionViewSet):
    """The zone of all providers."""

    collection = "zones"
    queryset = Zone.objects.all()
    serializer_class = ZoneSerializer
    view_permissions = ()  # it reveals nothing
