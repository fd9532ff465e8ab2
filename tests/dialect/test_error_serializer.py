"""What `spec/lib/services/api/error_serializer_spec.rb` asks: an error has a message, and no SQL."""

from __future__ import annotations

import pytest
from django.db import DatabaseError
from django.test import Client

from inventory.api import VmViewSet
from tests.dialect.asking import get, refusal

pytestmark = pytest.mark.django_db


def test_what_is_no_error_of_the_database_is_said(admin_client: Client) -> None:
    assert refusal(admin_client, "/nowhere") == "Unsupported Collection nowhere specified"


@pytest.mark.parametrize("statement", ["SeLeCt", "UpDate", "Insert", "dEleTe"])
def test_a_statement_is_never_shown(client: Client, admin_client: Client, statement: str) -> None:
    def failing(*args: object, **kwargs: object) -> None:
        raise DatabaseError(f'ERROR: {statement} "users".* FROM "users"')

    admin_client.raise_request_exception = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VmViewSet, "list", failing)
        error = get(admin_client, "/vms", status=500)["error"]
    assert error["kind"] == "internal_server_error"
    assert "users" not in error["message"]
