"""The admin site, which shows the refusals of services to the user."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from traceback import walk_tb
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib import messages as notices
from django.core.exceptions import ObjectDoesNotExist
from django.db import DataError, IntegrityError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from inventory import messages
from inventory.guarded_lookups import GuardedLookups
from inventory.passwords import LimitedPasswordChangeView
from inventory.services import LoginEnded, QueueFull, TooManyTokens

logger = logging.getLogger(__name__)

View = Callable[..., HttpResponse]
#: Errors of fields and databases for values that no row can have: a number that is too large, NUL, text.
IMPOSSIBLE = (DataError, OverflowError, ValueError, AttributeError, TypeError)


class AdminSite(admin.AdminSite):
    login_template = "oidc/admin_login.html" if settings.OIDC else None

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Guard the lookups of every list, also of Django's own."""
        base = admin_class or admin.ModelAdmin
        guarded = type(base.__name__, (GuardedLookups, base), {"__module__": base.__module__})
        super().register(model_or_iterable, guarded, **options)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Like Django's, with a form that limits wrong passwords."""
        request.current_app = self.name
        view = LimitedPasswordChangeView.as_view(
            success_url=reverse("admin:password_change_done", current_app=self.name),
            extra_context={**self.each_context(request), **(extra_context or {})},
        )
        return view(request)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        return super().admin_view(telling(view), cacheable)


def telling(view: View) -> View:
    """Wraps an admin view to handle full queues, too many tokens, concurrent changes and impossible values.

    After a conflict with another user it runs the view again, which then sees their change. A view runs in one
    transaction, so nothing is left of the first run.
    """

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except (LoginEnded, QueueFull, TooManyTokens) as error:
            notices.error(request, messages.nothing_done(error))
            return redirect(request.get_full_path())
        except ObjectDoesNotExist as error:
            notices.error(request, messages.deleted_meanwhile(error))
        except IntegrityError:
            pass
        except IMPOSSIBLE as error:
            if not _is_of_a_value(error):
                raise
            logger.info("%s %s names what no row can be: %r", request.method, request.get_full_path(), error)
            return _nothing_there(request)
        try:
            return view(request, *args, **kwargs)
        except ObjectDoesNotExist as error:
            raise Http404(str(error)) from error

    return answer


def _is_of_a_value(error: Exception) -> bool:
    """Whether a field or the database refused a value. Any other error of these types is a bug."""
    *_, (frame, _) = walk_tb(error.__traceback__)
    return isinstance(error, DataError) or frame.f_globals["__name__"].startswith(("django.db.", "django.utils."))


def _nothing_there(request: HttpRequest) -> HttpResponse:
    """Return to the page of the form, to the list without its filters, or 404."""
    if request.method == "POST":
        notices.error(request, messages.NO_SUCH_CHOICE)
        return redirect(request.get_full_path())
    if request.GET:
        notices.error(request, messages.NO_SUCH_FILTER)
        return redirect(request.path)
    raise Http404(messages.NO_SUCH_KEY)
