from __future__ import annotations

import pytest

from inventory.rest.hrefs import id_in


@pytest.mark.parametrize(
    "value",
    [
        7,
        "7",
        "http://host/api/security_groups/7",
        "https://host:8443/api/v1.0.0/security_groups/7",
        "/api/security_groups/7",
        "security_groups/7",
        "/api/security_groups/7/",
        "/api/instances/3/security_groups/7",
        "/api/security_groups/7?expand=vms",
    ],
)
def test_an_id_is_read_from_every_form_of_it(value: object) -> None:
    assert id_in(value, "security_groups") == 7


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        "-7",
        "7x",
        "\N{ARABIC-INDIC DIGIT SEVEN}",
        "1" * 19,
        2**63,
        -1,
        True,
        None,
        [7],
        {"id": 7},
        7.0,
        "vms/7",
        "/api/vms/7",
    ],
)
def test_what_is_no_id_of_the_collection_is_none(value: object) -> None:
    assert id_in(value, "security_groups") is None
