"""What happened, for those who may see it. Nobody may change it."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from inventory.admin.base import ReadOnly
from inventory.admin.columns import visible
from inventory.models import EventStream


@admin.register(EventStream)
class EventStreamAdmin(ReadOnly, admin.ModelAdmin[EventStream]):
    list_display = ["timestamp", "event_type", "message", "username", "address", "source", "count"]
    list_display_links = ["timestamp", "event_type"]
    list_filter = ["timestamp", "source"]
    search_fields = ["event_type__startswith", "username__exact", "request_id__exact"]
    search_help_text = "The beginning of a type, a user or the id of a request"
    exclude = ["counted_as"]
    ordering = ["-id"]
    show_full_result_count = False  # it would count all rows again on each filtered page
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[EventStream]:
        return visible(super().get_queryset(request), request)
