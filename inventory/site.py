"""The site of the admin: whichever view asks a service, it tells the operator what that refuses."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from traceback import walk_tb
from typing import Any

from django.contrib import admin
from django.contrib import messages as notices
from django.core.exceptions import ObjectDoesNotExist
from django.db import DataError, IntegrityError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from inventory import messages
from inventory.services import QueueFull

logger = logging.getLogger(__name__)

View = Callable[..., HttpResponse]
#: What fields and databases make of a value that no row can have: too long a number, NUL, a word for a number.
IMPOSSIBLE = (DataError, OverflowError, ValueError, AttributeError, TypeError)


class AdminSite(admin.AdminSite):
    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        return super().admin_view(telling(view), cacheable)


def telling(view: View) -> View:
    """A view of the admin that meets what others do meanwhile, and what was asked for and can't be.

    Where somebody else was first it is asked again: then it sees what they did, and says so itself. What a view
    does it does in one transaction, of which nothing is left.
    """

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except QueueFull as error:
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
    """Whether a field or a database refused a value; any other error of these types is a fault of ours."""
    *_, (frame, _) = walk_tb(error.__traceback__)
    return isinstance(error, DataError) or frame.f_globals["__name__"].startswith(("django.db.", "django.utils."))


def _nothing_there(request: HttpRequest) -> HttpResponse:
    """Back to the page where it was chosen, to the list without what narrowed it, or nowhere."""
    if request.method == "POST":
        notices.error(request, messages.NO_SUCH_CHOICE)
        return redirect(request.get_full_path())
    if request.GET:
        notices.error(request, messages.NO_SUCH_FILTER)
        return redirect(request.path)
    raise Http404(messages.NO_SUCH_KEY)
