"""Renderers: JSON for programs, a page for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from django.template.loader import render_to_string
from django.urls import get_script_prefix
from rest_framework import renderers
from rest_framework.request import Request
from rest_framework.serializers import ChoiceField, ListField, Serializer

from inventory.rest import messages

_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC | orjson.OPT_NON_STR_KEYS


def dumped(data: Any, option: int = 0) -> bytes:
    """Dump JSON, with times in UTC with `Z` and UUIDs as text."""
    return orjson.dumps(data, default=str, option=_OPTIONS | option)


class JSONRenderer(renderers.BaseRenderer):
    """Compact JSON, indented in the browsable API."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        if data is None:
            return b""
        return dumped(data, orjson.OPT_INDENT_2 if (renderer_context or {}).get("indent") else 0)


class DryRunField(ChoiceField):
    """Whether a form only previews its action."""

    def __init__(self) -> None:
        super().__init__(choices=["true", "cloud"], allow_blank=True, required=False, help_text=messages.DRY_RUN)


class BrowsableAPIRenderer(renderers.BrowsableAPIRenderer):
    """DRF's page, with a form for each allowed action at this address."""

    template = "rest/api.html"

    def get_context(
        self, data: Any, accepted_media_type: str | None, renderer_context: Mapping[str, Any]
    ) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(data, accepted_media_type, renderer_context)
        view = renderer_context["view"]
        actions = view.actions_here() if hasattr(view, "actions_here") else []
        return context | {
            "code_style": None,  # for documents that no view has
            "filters": context["filter_form"],
            "filter_form": None,  # whose button has a style of its own
            "post_form": None,
            "extra_actions": None,
            "raw_data_post_form": None,
            "raw_action_form": context["raw_data_post_form"] if actions else None,
            "action_forms": [
                {"name": action.url_path, "help": action.__doc__, "html": self._form(action)} for action in actions
            ],
        }

    def get_filter_form(self, data: Any, view: Any, request: Request) -> str:
        """The form of a list's filters, one for each attribute. The schema has all parameters."""
        if not hasattr(view, "filterset") or getattr(view, "action", None) != "list":
            return ""
        filterset = view.filterset()
        form = filterset(request.query_params, queryset=view.queryset).form
        context = {
            "fields": [form[name] for name in filterset.in_form],
            "filter": request.query_params.get("filter[]", ""),
        }
        return render_to_string("rest/filters.html", context)

    def get_breadcrumbs(self, request: Request) -> list[tuple[str, str]]:
        """The parts of the path, each of which is an address too."""
        parts = request.path_info.strip("/").split("/")
        return [(part, get_script_prefix() + "/".join(parts[: n + 1])) for n, part in enumerate(parts)]

    def _form(self, action: Any) -> str:
        """The fields of an action's input that a form can have."""
        serializer_class = action.kwargs.get("serializer_class")
        if serializer_class is None and "previews" not in action.kwargs:
            return ""
        serializer: Serializer[Any] = (serializer_class or Serializer)()
        if "previews" in action.kwargs:
            serializer.fields["dry_run"] = DryRunField()
        for name in [name for name, field in serializer.fields.items() if isinstance(field, ListField)]:
            del serializer.fields[name]
        return str(self.render_form_for_serializer(serializer))
