"""Error pages with `DEBUG`."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, QueryDict
from django.views.debug import SafeExceptionReporterFilter

from inventory.logs import USERINFO


class SecretFreeReporterFilter(SafeExceptionReporterFilter):
    """Shows the types of variables and the names of form fields. Django would show their values with `DEBUG`."""

    def cleanse_setting(self, key: Any, value: Any) -> Any:
        cleansed = super().cleanse_setting(key, value)
        return USERINFO.sub("***@", cleansed) if isinstance(cleansed, str) else cleansed

    def get_post_parameters(self, request: HttpRequest | None) -> Any:
        parameters = QueryDict(mutable=True)
        for name in request.POST if request else ():
            parameters[name] = self.cleansed_substitute
        return parameters

    def get_traceback_frame_variables(self, request: Any, tb_frame: Any) -> Any:
        return [(name, f"<{type(value).__name__}>") for name, value in tb_frame.f_locals.items()]
