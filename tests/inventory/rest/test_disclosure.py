"""Parts of stored JSON that are shown to whoever sees as much as the user for whom they were computed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User

from inventory import querysets
from inventory.rest.disclosure import ROOTLESS, Disclosure, disclosable, disclosed_to_nobody
from inventory.rest.hrefs import Hrefs
from inventory.rest.resources import Viewer
from inventory.restrictions import Restriction

COLLECTIONS = ("vms", "network_ports")
HREFS = Hrefs("http://host/api")
ALL = ("view_vm", "view_networkport")
Make = Callable[..., Viewer]


@pytest.fixture
def viewer(db: None, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes viewers with these permissions, restricted to these providers."""
    restrictions: dict[int, Restriction] = {}
    monkeypatch.setattr(querysets, "restriction_of", lambda user, *args: restrictions.get(user.pk))

    def make(name: str, *codenames: str, providers: tuple[int, ...] = ()) -> Viewer:
        user = User.objects.create_user(name)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        if providers:
            restrictions[user.pk] = Restriction(providers)
        return Viewer(user)

    return make


def stored(viewer: Viewer) -> dict[str, object]:
    lines = [{"group": {"href": ROOTLESS.resource("security_groups", 7), "id": "7"}}]
    return {"action": "add", "lines": disclosable({"appear": lines}, viewer, COLLECTIONS)}


def test_who_sees_everything_sees_every_part(viewer: Make) -> None:
    admin = viewer("admin", *ALL)
    for name, permissions, providers in (("own", ALL, ()), ("restricted", ALL, (1,)), ("blind", (), ())):
        shown = Disclosure(admin, HREFS)(stored(viewer(name, *permissions, providers=providers)))
        assert shown["lines"] == {"appear": [{"group": {"href": "http://host/api/security_groups/7", "id": "7"}}]}


@pytest.mark.parametrize(
    ("permissions", "providers", "sees"),
    [(ALL, (1,), True), (ALL, (2,), False), (ALL, (1, 2), False), (ALL[:1], (1,), False), ((), (), False)],
)
def test_others_see_a_part_if_they_see_exactly_as_much(
    viewer: Make, permissions: tuple[str, ...], providers: tuple[int, ...], sees: bool
) -> None:
    values = stored(viewer("owner", *ALL, providers=(1,)))
    reader = viewer("reader", *permissions, providers=providers)
    assert ("lines" in Disclosure(reader, HREFS)(values)) is sees


def test_what_was_computed_from_everything_is_not_for_who_sees_less(viewer: Make) -> None:
    values = stored(viewer("owner", *ALL))
    for reader in (viewer("restricted", *ALL, providers=(1,)), viewer("lacking", *ALL[:1])):
        assert Disclosure(reader, HREFS)(values) == {"action": "add"}
    assert disclosed_to_nobody(values) == {"action": "add"}


def test_who_saw_nothing_still_sees_that(viewer: Make) -> None:
    values = stored(viewer("owner"))
    assert "lines" in Disclosure(viewer("reader"), HREFS)(values)
