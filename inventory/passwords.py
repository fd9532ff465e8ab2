"""The page on which users change their own password."""

from __future__ import annotations

from functools import partial
from typing import Any

from django import forms
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.models import User
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpResponse

from inventory.logins import Login
from inventory.services import on_behalf_of


class LimitedPasswordChangeForm(PasswordChangeForm):
    """A new password of the user, whose session can't try old ones without end: it may be stolen."""

    required_css_class = "required"

    def __init__(self, user: User, *args: Any, session_key: str, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        self._login = Login.of_session(user, session_key)

    def clean_old_password(self) -> str:
        password: str = self.cleaned_data["old_password"]
        if not self._login.limit(partial(self.user.check_password, password)):
            raise forms.ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        return password


class LimitedPasswordChangeView(PasswordChangeView):
    form_class = LimitedPasswordChangeForm

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"session_key": self.request.session.session_key}

    def form_valid(self, form: Any) -> HttpResponse:
        with on_behalf_of(self.request.user):  # the user's tokens end
            return super().form_valid(form)
