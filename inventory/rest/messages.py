"""Why the API refuses a request. Every sentence is here, so that they can be read together.

Many are ManageIQ's own words, and docs/contract.md promises them. What is wrong with one field of a body is at the
serializer field, what is wrong with a regular expression is in `query.regex`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime


def _list(names: Iterable[object]) -> str:
    return ", ".join(map(str, names))


# Addresses


def not_found(model: str, value: object, attribute: str = "id") -> str:
    return f"Couldn't find {model} with '{attribute}'={value}"


def differently_named(what: str) -> str:
    return f"{what}: its id and href name different resources"


def nothing_there(what: str, kind: str, address: object) -> str:
    return f"{what}: there is no {kind} {address or ''}".rstrip()


def unsupported_version(version: object) -> str:
    return f"Unsupported API Version {version} specified"


def unsupported_method(method: str, place: str) -> str:
    return f"Unsupported HTTP Method {method} for the {place} specified"


def unsupported_collection(name: str) -> str:
    return f"Unsupported Collection {name} specified"


def unsupported_subcollection(name: str) -> str:
    return f"Unsupported Sub-Collection {name} specified"


def unsupported_format(asked: str) -> str:
    return f"Invalid Response Format {asked} requested: use application/json or text/html"


UNKNOWN_HOST = "The service does not serve the host that the request names"
BODY_TOO_LARGE = "The body of the request is too large"
DATABASE_UNAVAILABLE = "The database is unavailable or overloaded. Retry in a moment"


# Who is asking

EMPTY_TOKEN = "Empty Authentication Token (X-Auth-Token)"  # nosec B105  # noqa: S105 - no token
INVALID_TOKEN = "Invalid Authentication Token (X-Auth-Token)"  # nosec B105  # noqa: S105 - as above
INVALID_LOGIN = "Invalid username/password."
BEYOND_GRANTS = "Your grants do not permit this here."
READ_ONLY_TOKEN = "This token can only read."  # nosec B105  # noqa: S105 - as above
TOKEN_BY_TOKEN = "A token can't create tokens. Log in with a password."  # nosec B105  # noqa: S105 - as above
NO_KEY_FOR_TOKENS = "The answer has a secret, which is not stored for an Idempotency-Key. Omit the key."
NO_TOKEN = "No token to revoke: the request has no X-Auth-Token"  # nosec B105  # noqa: S105 - as above


def invalid_group(name: str) -> str:
    return f"Invalid Authorization Group {name} specified"


def not_your_group(value: str) -> str:
    return f"You are not in group {value}, or limited to another one."


def unsupported_requester(name: str, supported: Iterable[str]) -> str:
    return f"Unsupported requester_type {name} specified: it must be one of {_list(supported)}"


# Parameters


def unknown_parameters(names: Iterable[str]) -> str:
    return f"Unknown parameter: {_list(sorted(names))}"


NOT_YET = "as_of is in the future"
NEVER_READ = "as_of: the provider has not been read yet"


def known_since(moment: datetime) -> str:
    return f"as_of: this is known since {moment.isoformat()}"


def not_of_the_past(names: Iterable[str]) -> str:
    return f"This can't be combined with as_of: {_list(names)}"


def repeated_parameters(names: Iterable[str]) -> str:
    return f"Parameter given several times: {_list(sorted(names))}"


def not_a_whole_number(parameter: str) -> str:
    return f"Non numeric parameter: {parameter}"


def invalid_attributes(names: Iterable[str]) -> str:
    return f"Invalid attributes specified: {_list(names)}"


def invalid_values(parameter: str, names: Iterable[str]) -> str:
    return f"Invalid {parameter} specified: {_list(names)}"


LIMIT_TOO_SMALL = "The parameter limit must be at least 1"
AFTER_WITH_SORT = "The parameter after can't be combined with sort_by"
VALUE_MISSING = "A value is missing."


# Filters and orders


def unknown_attribute(label: str, name: str) -> str:
    return f"attribute {label}-{name} does not exist"


def too_many_for(attribute: str, limit: int) -> str:
    return f"The attribute {attribute} is for at most {limit} resources a page. Set a limit of {limit} or less."


def not_a_scalar(label: str, name: str) -> str:
    return f"attribute {label}-{name} can't be used in filters: it is not a scalar"


def unknown_operator(text: str) -> str:
    return f"Unknown operator specified in filter {text}"


def invalid_operator(name: str, operator: str, kind: str) -> str:
    """`kind` is what the operator can't be used with: of its operand, or of the attribute."""
    return f"Invalid operator for {name}: {operator} can't be used with {kind}"


def not_a(kind: str, name: str, text: str) -> str:
    return f"Invalid value for {name}: {text} is not a {kind}"


def not_a_boolean(name: str, text: str) -> str:
    return f"Invalid value for {name}: {text} is neither true nor false"


def bad_time(text: str) -> str:
    return f"Bad format for datetime: {text}"


def empty_list(text: str) -> str:
    return f"The list is empty in filter {text}"


def filter_too_long(most: int) -> str:
    return f"A filter may have at most {most} characters"


def too_many_filters(most: int) -> str:
    return f"Too many filters specified: at most {most}"


NUL_IN_FILTER = "A filter must not contain NUL characters"
TOO_FAR = "Filtering of attributes with more than one association away is not supported"


def invalid_sort(label: str, name: str) -> str:
    return f"{name} is not a valid attribute for {label}"


def not_sortable(label: str, name: str) -> str:
    return f"{label} cannot be sorted by {name}"


def unsupported_value(parameter: str, word: str, supported: Iterable[str]) -> str:
    return f"Unsupported {parameter} {word}: it must be one of {_list(sorted(supported))}"


TOO_MANY_DIRECTIONS = "sort_order has more directions than sort_by has attributes"


# Bodies of actions

NO_OBJECT = "The body must be a JSON object"
NO_ACTION_NAME = "The action must be a string"
RESOURCE_AND_RESOURCES = "The body must have either a resource or resources, not both"
NO_LIST = "The resources must be a list"
NO_RESOURCES = "No resources specified"
NO_RESOURCE_OBJECT = "A resource must be a JSON object"
UNNAMED = "A resource must have an id or an href"
DIFFERENT_RESOURCES = "The request names several resources by its address, id and href"
ONE_IN_PATCH = "A PUT or PATCH changes only the resource of its address"
ONE_AT_ADDRESS = "The address is of one resource, but the body has several"
NO_BODY = "The request must have a body"
IF_MATCH_OF_ONE = "If-Match is only supported at the address of one resource"
REPEATED_CHANGE = "A PATCH can change an attribute only once"
NO_PATH = "A change in a PATCH must name an attribute in its path"


def unsupported_action(action: object, place: str) -> str:
    return f"Unsupported Action {action} for the {place} specified"


def unsupported_change(action: object) -> str:
    return f"Unsupported Action {action} in a PATCH: it must be edit, add or remove"


def different_actions(addressed: str, named: str) -> str:
    return f"The address is of the action {addressed}, but the body names {named}"


DRY_RUN = "Only preview it: true from the inventory, cloud from what the cloud has now."
INVALID_DRY_RUN = "The value of dry_run must be true, false or cloud"


def unknown_body_keys(names: Iterable[str]) -> str:
    return f"Unknown key in the body: {_list(names)}"


def unknown_change_keys(names: Iterable[str]) -> str:
    return f"Unknown key in a change of a PATCH: {_list(names)}"


def value_in_change(path: str, *, needed: bool) -> str:
    return f"The change of {path} in a PATCH {'must have a value' if needed else 'can have no value'}"


def too_many_resources(most: int) -> str:
    return f"Too many resources specified: at most {most} in one request"


def several_named(collection: str, ids: Iterable[int]) -> str:
    return f"Several {collection} have this name. Choose one by its id: {_list(ids)}"


def address_in_creation(collection: str) -> str:
    return f"Resource id or href should not be specified for creating a new {collection}"


def invalid_class(name: str, collection: str) -> str:
    return f"Invalid collection_class {name} specified for the {collection} collection"


NUL_IN_BODY = "The body must not contain NUL characters"
TOO_DEEP = "The body is nested too deeply"


def not_json(error: object) -> str:
    return f"The body is not valid JSON: {error}"


def repeated_keys(names: Iterable[str]) -> str:
    return f"Key given several times: {_list(names)}"


# Conditional and repeated requests

CHANGED = "The resource has changed since it was read (If-Match). Read it again."


def invalid_key(header: str, longest: int) -> str:
    return f"{header} must have from 1 to {longest} printable characters"


def key_of_other_request(header: str, key: str) -> str:
    return f"{header} {key} was already used for a different request"


def key_in_progress(header: str, key: str) -> str:
    return f"A request with the {header} {key} is still in progress"


def key_taken_over(header: str, key: str) -> str:
    return f"Another request with the {header} {key} has taken over"


def too_many_keys(header: str, number: int) -> str:
    return f"Too many requests with an {header}: {number} are stored already. Retry later"


def too_many_requests(most: int) -> str:
    return f"You have sent more than {most:,} requests in a minute, which is the limit. Retry in the next minute."


def answer_too_long(header: str) -> str:
    return f"The response is too long to be stored for the {header}. Send fewer resources in one request."
