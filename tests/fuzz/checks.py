"""Checks that stand in for schemathesis' own where the contract says otherwise."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import schemathesis
from schemathesis.core.transport import Response
from schemathesis.generation.meta import CoveragePhaseData, CoverageScenario
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance, use_after_free

UNKNOWABLE = (
    b"already exists",
    b"No token to revoke",
    b"is connected as",
    b"can't be combined with sort_by",
    b"more directions than",
    b"names several resources",
    b"id and href name different",
    b"an attribute only once",
    b"not appear to be an IPv4 or IPv6 network",
    b"has host bits set",
    b"It must be a time between",
    b"You are not in group",
    b"_id: there is no ",
    b"At least one of from and to",
    b"One of the parameters from and to is required",
)
#: What must fit together of a provider, each of which is good alone.
DEPENDENT = (
    b"the role default",
    b"is given twice",
    b"The parameter port needs a protocol",
    b"of the parameter port is not a port",  # of ICMP, it is a type
    b"several kinds",
    b"requires a hostname",
    b"requires one",
    b"no zone",
    b"Enter them again",
    b"credentials: This field is required",  # where the authentications are those of other roles
)
#: When something ends: it depends on the time, and takes one of two keys.
ENDS = (b"this time is over", b"the longest time is", b"Specify for or until", b"it goes with for or until")
#: What a worker deletes on its cloud, later: a DELETE accepts that.
DELETED_LATER = re.compile(r"(security_groups|firewall_rules)/{")


@schemathesis.check
def unsupported_method_is_refused(ctx: Any, response: Response, case: Any) -> bool | None:
    """An unsupported method is 400 and says so (§6), not 405."""
    if case.meta is None or not isinstance(case.meta.phase.data, CoveragePhaseData):
        return None
    if case.meta.phase.data.scenario != CoverageScenario.UNSPECIFIED_HTTP_METHOD or case.method == "OPTIONS":
        return None
    said = response.json()["error"]["message"]
    assert response.status_code == HTTPStatus.BAD_REQUEST, f"{case.method} answered {response.status_code}"
    assert said.startswith(("Unsupported HTTP Method", "Unsupported Action", "The request must have a body")), said
    return None


@schemathesis.check
def good_data_is_accepted(ctx: Any, response: Response, case: Any) -> bool | None:
    """A single action that is refused is 400 with `success` false (§3).

    No schema knows the grammar of `filter[]`, which names are taken, which type a provider has, that there is no
    token to forget, that two parameters don't go together, or that two names are of different resources.
    """
    unknowable = "filter[]" in (case.query or {}) or any(
        words in response.content for words in UNKNOWABLE + DEPENDENT + ENDS
    )
    if response.status_code == HTTPStatus.BAD_REQUEST and (unknowable or not _succeeded(response)):
        return None
    return positive_data_acceptance(ctx, response, case)


@schemathesis.check
def bad_data_is_rejected(ctx: Any, response: Response, case: Any) -> bool | None:
    """Many resources are answered with 200, and each that is wrong with `success` false (§3).

    An empty parameter is as none. What `connection_configurations` has is hidden by a provider's own attributes.
    """
    ignored = any(map(_says_nothing, (case.query or {}).values())) or "connection_configurations" in str(case.body)
    if ignored or (response.status_code == HTTPStatus.OK and not _succeeded(response)):
        return None
    return negative_data_rejection(ctx, response, case)


@schemathesis.check
def what_is_deleted_is_gone(ctx: Any, response: Response, case: Any) -> bool | None:
    """What a cloud deletes is still there until it has (§3)."""
    return None if DELETED_LATER.search(case.path) else use_after_free(ctx, response, case)


def _says_nothing(value: Any) -> bool:
    """Whether a parameter is empty, or a list of nothing."""
    return not (",".join(map(str, value)) if isinstance(value, list) else str(value)).strip(", ")


def _succeeded(response: Response) -> bool:
    """Whether no result of an action says otherwise."""
    if "json" not in response.headers.get("content-type", [""])[0]:
        return True
    answer = response.json()
    results = answer.get("results", [answer])
    return all(result.get("success", True) for result in results)
