"""Forms of the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings

from inventory import drivers
from inventory.models import Provider
from inventory.models.provider import ENTER_AGAIN


class WriteOnlyInput(forms.TextInput):
    """A text field that is never sent back, not even beside an error."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, None, attrs)


def clouds() -> list[tuple[str, str]]:
    """Each vendor that has a driver, and the name of its cloud."""
    return [(vendor, drivers.driver_class(vendor).title) for vendor in settings.DRIVERS]


class AsTyped(forms.BaseForm):
    """A form that takes text as it is, with the blanks around it, as the API does."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if isinstance(field, forms.CharField):
                field.strip = False


class LinesField(forms.CharField):
    """Text of several lines, which a browser ends in its own way: what nobody changed reads as it was."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> str | None:
        text = super().to_python(value)
        return text and text.replace("\r\n", "\n")


class ConnectionForm(AsTyped, forms.ModelForm[Provider]):
    """How a cloud is reached, with credentials that can be set and never seen."""

    #: Why what was typed could not be saved a moment ago.
    refusal: str | None = None

    vendor = forms.ChoiceField(choices=clouds, label="Cloud")
    auth_type = forms.ChoiceField(
        choices=[("password", "User and password"), ("application_credential", "Application credential")],
        label="Kind",
        required=False,
        help_text="Only OpenStack has application credentials.",
    )
    userid = forms.CharField(
        label="User id",
        required=False,
        widget=WriteOnlyInput(attrs={"autocomplete": "off", "class": "vTextField"}),
        help_text="On Amazon the access key id, on OpenStack the user's name or the application credential's id. "
        "A file has none.",
    )
    password = forms.CharField(
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "class": "vTextField"}),
        help_text="On Amazon the secret access key, of an application credential its secret.",
    )

    interface = forms.ChoiceField(
        choices=Provider.Interface.choices,
        required=False,
        help_text="Which endpoints of the catalog are used. Only OpenStack has several.",
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
        help_texts = {
            "url": "Of the endpoint; empty for the cloud's own. Of a file, file:///NAME with its name among the "
            "exported inventories.",
        }

    def _get_validation_exclusions(self) -> set[str]:
        """Django checks no constraint whose condition names what has no field, and that of names does."""
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return excluded - {"deleted_on"}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        connecting = cleaned.get("vendor") if self.instance._state.adding else None
        if bool(cleaned.get("userid")) != bool(cleaned.get("password")):
            self.add_error("password", "Give the user id and the password together.")
        elif connecting and drivers.driver_class(connecting).needs_credentials and not cleaned.get("password"):
            self.add_error("password", "This cloud needs a user id and a password.")
        elif not cleaned.get("password") and self.instance.sends_elsewhere(cleaned):
            self.add_error("password", ENTER_AGAIN)
        if self.refusal:
            self.add_error(None, self.refusal)
        return cleaned

    def clean_interface(self) -> str:
        """As it is, where a form is sent without it."""
        return self.cleaned_data["interface"] or self.instance.interface

    def described(self) -> Provider:
        """The provider with what was typed; without new credentials it keeps those that are stored."""
        typed = self.cleaned_data
        if typed["password"]:
            names = (
                "userid",
                "password",
                *(["auth_type"] if typed["auth_type"] == "application_credential" else []),
            )
            self.instance.credentials = {name: typed[name] for name in names}
        return self.instance


class ProviderForm(ConnectionForm):
    """A provider to be saved."""

    def full_clean(self) -> None:
        """Whoever then corrects another field must not save without the credentials, which are not sent back."""
        super().full_clean()
        if self.errors and self.cleaned_data.get("password"):
            self.add_error("password", "Enter user id and password again: they are not kept with an error.")

    def save(self, commit: bool = True) -> Provider:
        self.instance = self.described()
        return super().save(commit)

    def changes(self) -> dict[str, Any]:
        """The attributes that were changed, with their values."""
        names = {field.name for field in Provider._meta.fields} & {*self.changed_data}
        if self.cleaned_data["password"]:
            names.add("credentials")
        return {name: getattr(self.instance, name) for name in names}


class ProviderTestForm(ConnectionForm):
    """A provider to be tested: it needs no name, and one that is taken does not hinder."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].required = False

    def _get_validation_exclusions(self) -> set[str]:
        """It is not to be saved, so its name is nobody's business."""
        return super()._get_validation_exclusions() | {"name"}
