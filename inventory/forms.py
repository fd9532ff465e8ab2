"""Forms of the admin."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.utils import timezone

from inventory import drivers
from inventory.messages import ENTER_AGAIN, invalid_end
from inventory.models import AuthToken, Grant, Provider
from inventory.services import latest_end, parse_networks

#: The user and the password in a URL or a host.
_USERINFO = re.compile(r"^([^/]*//)?[^/?#]*@")


class WriteOnlyInput(forms.TextInput):
    """A text field whose value is never sent back, not even beside an error."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, None, attrs)


class AddressInput(forms.TextInput):
    """A text field for a URL or a host, which is sent back without a user and a password."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, value and _USERINFO.sub(r"\1", str(value)), attrs)


def clouds() -> list[tuple[str, str]]:
    """The vendors that have a driver, with the names of their clouds."""
    return [(vendor, drivers.driver_class(vendor).title) for vendor in settings.DRIVERS]


class AsTyped(forms.BaseForm):
    """A form that keeps the spaces around text, as the API does."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if isinstance(field, forms.CharField):
                field.strip = False


class LinesField(forms.CharField):
    """Text of several lines. Browsers send CRLF, so unchanged text would look changed."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> str | None:
        text = super().to_python(value)
        return text and text.replace("\r\n", "\n")


class ConnectionForm(AsTyped, forms.ModelForm[Provider]):
    """A connection to a cloud. Credentials can be set, but are never shown."""

    #: Why saving failed.
    refusal: str | None = None

    vendor = forms.ChoiceField(choices=clouds, label="Cloud")
    auth_type = forms.ChoiceField(
        choices=[("password", "User and password"), ("application_credential", "Application credential")],
        label="Kind",
        required=False,
        help_text="Application credentials are for OpenStack only.",
    )
    userid = forms.CharField(
        label="User id",
        required=False,
        widget=WriteOnlyInput(attrs={"autocomplete": "off", "class": "vTextField"}),
        help_text="Amazon: the access key id. OpenStack: the user name, or the id of the application credential. "
        "Files: leave blank.",
    )
    password = forms.CharField(
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "class": "vTextField"}),
        help_text="Amazon: the secret access key. OpenStack: password, or an application credential's secret.",
    )

    interface = forms.ChoiceField(
        choices=Provider.Interface.choices,
        required=False,
        help_text="The endpoints of the catalog to use (OpenStack only).",
    )

    class Meta:
        model = Provider
        fields = [
            "name",
            "vendor",
            "enabled",
            "provider_region",
            "url",
            "hostname",
            "port",
            "path",
            "security_protocol",
            "verify_ssl",
            "certificate_authority",
            "project",
            "uid_ems",
            "interface",
        ]
        field_classes = {"certificate_authority": LinesField}
        widgets = {name: AddressInput(attrs={"class": "vTextField"}) for name in ("url", "hostname")}
        help_texts = {
            "url": "The endpoint. Leave blank for the cloud's default. For an exported inventory, file:///NAME.",
        }

    def _get_validation_exclusions(self) -> set[str]:
        """Include `deleted_on`, or Django skips the constraint on names, because its condition uses it."""
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return excluded - {"deleted_on"}

    def clean(self) -> dict[str, Any]:
        cleaned_data = super().clean() or self.cleaned_data
        new_type = cleaned_data.get("vendor") if self.instance._state.adding else None
        if bool(cleaned_data.get("userid")) != bool(cleaned_data.get("password")):
            self.add_error("password", "Enter both the user id and the password.")
        elif new_type and drivers.driver_class(new_type).needs_credentials and not cleaned_data.get("password"):
            self.add_error("password", "This cloud requires a user id and a password.")
        elif not cleaned_data.get("password") and self.instance.sends_elsewhere(cleaned_data):
            self.add_error("password", ENTER_AGAIN)
        if self.refusal:
            self.add_error(None, self.refusal)
        return cleaned_data

    def clean_interface(self) -> str:
        """Keep the current value if the form lacks it."""
        return self.cleaned_data["interface"] or self.instance.interface

    def described(self) -> Provider:
        """The provider with the form's values. Without new credentials it keeps the stored ones."""
        cleaned_data = self.cleaned_data
        if cleaned_data["password"]:
            names = (
                "userid",
                "password",
                *(["auth_type"] if cleaned_data["auth_type"] == "application_credential" else []),
            )
            self.instance.credentials = {name: cleaned_data[name] for name in names}
        return self.instance


class ProviderForm(ConnectionForm):
    """A provider to be saved."""

    def full_clean(self) -> None:
        """Require the credentials again after any error, because they are not sent back."""
        super().full_clean()
        if self.errors and self.cleaned_data.get("password"):
            self.add_error(
                "password", "Enter the user id and the password again. They are not kept after an error."
            )

    def save(self, commit: bool = True) -> Provider:
        self.instance = self.described()
        return super().save(commit)

    def changes(self) -> dict[str, Any]:
        """The changed attributes, with their values."""
        names = {field.name for field in Provider._meta.fields} & {*self.changed_data}
        if self.cleaned_data["password"]:
            names.add("credentials")
        return {name: getattr(self.instance, name) for name in names}


class ProviderTestForm(ConnectionForm):
    """A provider to be tested. It needs no name, and may use one that is taken."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].required = False

    def _get_validation_exclusions(self) -> set[str]:
        """Skip the name, because nothing is saved."""
        return super()._get_validation_exclusions() | {"name"}


class TokenForm(forms.ModelForm[AuthToken]):
    """A new token of a user."""

    #: The owner; set by the page.
    user: ClassVar[Any]

    name = forms.CharField(max_length=255)
    addresses = LinesField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="The networks from which it can be used, one in each line. Leave blank for all.",
    )

    class Meta:
        model = AuthToken
        fields = ["name", "read_only", "group", "addresses", "ends_on"]
        help_texts = {
            "read_only": "It can't change anything.",
            "group": "It has the permissions of this group only. Leave blank for all of yours.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["group"].queryset = self.user.groups.all()  # type: ignore[attr-defined]
        self.fields["ends_on"].initial = latest_end()

    def clean_addresses(self) -> list[str]:
        try:
            return parse_networks((self.cleaned_data["addresses"] or "").split())
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error

    def clean_ends_on(self) -> datetime:
        ends_on: datetime = self.cleaned_data["ends_on"]
        latest = latest_end()
        if not timezone.now() < ends_on <= latest:
            raise forms.ValidationError(invalid_end(latest))
        return ends_on


class GrantForm(forms.ModelForm[Grant]):
    class Meta:
        model = Grant
        fields = ["group", "role", "provider", "cloud_tenant"]
        help_texts = {
            "provider": "Leave this and the tenant blank for everything.",
            "cloud_tenant": "Limits the grant to this tenant.",
        }
