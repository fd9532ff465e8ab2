"""The site of the admin: whichever view asks a service, it tells the operator what that refuses."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from inventory.services import QueueFull

View = Callable[..., HttpResponse]


class AdminSite(admin.AdminSite):
    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        return super().admin_view(telling(view), cacheable)


def telling(view: View) -> View:
    """A view of the admin that meets what others do meanwhile.

    Where somebody else was first it is asked again: then it sees what they did, and says so itself. What a view
    does it does in one transaction, of which nothing is left.
    """

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except QueueFull as error:
            messages.error(request, f"Nothing was done: {error}.")
            return redirect(request.get_full_path())
        except ObjectDoesNotExist as error:
            messages.error(request, f"It was deleted meanwhile: {error}.")
        except IntegrityError:
            pass
        return view(request, *args, **kwargs)

    return answer
