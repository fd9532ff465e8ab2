"""Forms of the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings

from inventory import drivers
from inventory.models import Provider


class WriteOnlyInput(forms.TextInput):
    """A text field that is never sent back, not even beside an error."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, None, attrs)


def clouds() -> list[tuple[str, str]]:
    """Each provider type that has a driver, and the name of its cloud."""
    return [(name, drivers.driver_class(name).namespace) for name in settings.DRIVERS]


class ProviderForm(forms.ModelForm[Provider]):
    """A provider, whose credentials can be set and never seen."""

    type = forms.ChoiceField(choices=clouds, label="Cloud")
    userid = forms.CharField(
        label="User id",
        required=False,
        widget=WriteOnlyInput(attrs={"autocomplete": "off", "class": "vTextField"}),
        help_text="On Amazon the access key id, on OpenStack the name of the user.",
    )
    password = forms.CharField(
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "class": "vTextField"}),
        help_text="On Amazon the secret access key.",
    )

    class Meta:
        model = Provider
        fields = [
            "name",
            "type",
            "enabled",
            "provider_region",
            "url",
            "hostname",
            "port",
            "security_protocol",
            "verify_ssl",
            "certificate_authority",
            "project",
            "uid_ems",
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if bool(cleaned.get("userid")) != bool(cleaned.get("password")):
            self.add_error("password", "Give the user id and the password together.")
        return cleaned

    def full_clean(self) -> None:
        """Whoever then corrects another field must not save without the credentials, which are not sent back."""
        super().full_clean()
        if self.errors and self.cleaned_data.get("password"):
            self.add_error("password", "Enter user id and password again: they are not kept with an error.")

    def save(self, commit: bool = True) -> Provider:
        """No new credentials keep those that are stored."""
        if self.cleaned_data["password"]:
            self.instance.credentials = {name: self.cleaned_data[name] for name in ("userid", "password")}
        return super().save(commit)
