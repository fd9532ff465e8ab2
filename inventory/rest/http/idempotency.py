"""`Idempotency-Key`: a POST that can be repeated safely.

A key is claimed first, in its own transaction, so that a concurrent repeat is detected. Then one transaction
writes both the changes and the stored answer, so a crash leaves neither, and the claim expires. A request that
writes nothing runs without a transaction, because it may wait for a cloud.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from hmac import compare_digest
from http import HTTPStatus
from typing import Any, Protocol, cast

import orjson
from django.conf import settings
from django.db import transaction
from django.http import QueryDict
from django.http.request import HttpHeaders
from django.utils import timezone
from django.utils.crypto import salted_hmac
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.models import IdempotencyKey
from inventory.rest import messages
from inventory.rest.errors import BadInput, Conflict
from inventory.rest.http.negotiation import is_form
from inventory.rest.http.renderers import dumped

HEADER = "Idempotency-Key"
IDEMPOTENCY_KEY = HttpHeaders.to_wsgi_name(HEADER)
REPLAYED = "Idempotency-Replayed"
MAX_KEY_LENGTH = 255
#: How long a stored answer is returned.
KEPT = timedelta(hours=24)
#: How long a claim lasts without an answer. A slower request notices before it commits, and does nothing.
CLAIM = timedelta(seconds=30)


class View(Protocol):
    """What this module needs from a view."""

    def may_write(self) -> bool:
        """Whether the request may write to the database."""

    def require_again(self, answer: Any) -> None:
        """Raises 404 or 403 if the caller may not send the request any more, which was answered so."""

    def handle_exception(self, exc: Exception) -> Response:
        """The answer to an expected error, which is stored too."""


class TooManyKeys(APIException):
    status_code = 429

    def __init__(self, until: datetime) -> None:
        super().__init__(messages.too_many_keys(HEADER, settings.IDEMPOTENCY_KEYS))
        self.wait = max((until - timezone.now()).total_seconds(), 1)


class TooLongAnswer(APIException):
    status_code = 413
    default_detail = messages.answer_too_long(HEADER)


def answer_once(request: Request, view: View, handle: Callable[[], Response]) -> Response:
    """Answer a request that has a key: only the first with this key is handled."""
    claim = _claim(request)
    if claim.status is not None:
        answer = orjson.loads(claim.answer)
        view.require_again(answer)
        return Response(answer, status=claim.status, headers={REPLAYED: "true"})
    try:
        return _answered(claim, view, handle)
    except BaseException:
        IdempotencyKey.objects.filter(pk=claim.pk, attempt=claim.attempt, status=None).delete()
        raise


def _answered(claim: IdempotencyKey, view: View, handle: Callable[[], Response]) -> Response:
    writes = view.may_write()
    atomic = transaction.atomic if writes else nullcontext
    with atomic():
        return _kept(claim, _attempt(handle, view.handle_exception, atomic), writes)


def forget_old_keys() -> None:
    """Delete expired keys."""
    IdempotencyKey.objects.filter(claimed_on__lt=timezone.now() - KEPT).delete()


def _claim(request: Request) -> IdempotencyKey:
    """The row of the request's key: one that is answered, or one that is now ours to answer."""
    key = request.META[IDEMPOTENCY_KEY]
    if not (0 < len(key) <= MAX_KEY_LENGTH and key.isprintable()):
        raise BadInput(messages.invalid_key(HEADER, MAX_KEY_LENGTH))
    now, user = timezone.now(), cast(int, request.user.pk)
    fresh = IdempotencyKey(user_id=user, key=key, fingerprint=_fingerprint(request), claimed_on=now)
    rows = IdempotencyKey.objects.filter(user=user, key=key)
    rows.filter(claimed_on__lt=now - KEPT).delete()
    rows.filter(status=None, claimed_on__lt=now - CLAIM).update(attempt=fresh.attempt, claimed_on=now)
    if not rows.exists():
        _ensure_room(user, now)
        IdempotencyKey.objects.bulk_create([fresh], ignore_conflicts=True)
    claim = rows.first()
    if claim and not _is_of(claim, request):
        raise BadInput(messages.key_of_other_request(HEADER, key))
    if claim is None or (claim.status is None and claim.attempt != fresh.attempt):  # None: it has just ended
        raise Conflict(messages.key_in_progress(HEADER, key))
    return claim


def _ensure_room(user: int, now: datetime) -> None:
    """Raises `TooManyKeys` if the user has the maximum number of keys. None is dropped early, because its request
    could then be done twice."""
    keys, last = IdempotencyKey.objects.filter(user=user), settings.IDEMPOTENCY_KEYS - 1
    if keys[last : last + 1].exists():
        keys.filter(claimed_on__lt=now - KEPT).delete()
        if keys[last : last + 1].exists():
            raise TooManyKeys(keys.earliest("claimed_on").claimed_on + KEPT)


def _fingerprint(request: Request, secret: str | None = None) -> str:
    """A digest that needs the key of the installation, because a body may have a password that can be guessed."""
    text = request.get_full_path().encode() + b"\0" + _body(request)
    return salted_hmac(__name__, text, secret=secret, algorithm="sha256").hexdigest()


def _is_of(claim: IdempotencyKey, request: Request) -> bool:
    """Whether the claim is of the same request, by the key of the installation or an earlier one."""
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return any(compare_digest(claim.fingerprint, _fingerprint(request, secret)) for secret in secrets)


def _body(request: Request) -> bytes:
    """The body; for a form its fields, because the boundaries differ each time."""
    if not is_form(request):
        return bytes(request._request.body)
    form = cast(QueryDict, request.data)
    return dumped(sorted((name, values) for name, values in form.lists() if name != "csrfmiddlewaretoken"))


def _attempt(
    handle: Callable[[], Response],
    on_error: Callable[[Exception], Response],
    atomic: Callable[[], AbstractContextManager[object]],
) -> Response:
    """Run the handler in a transaction. An error rolls it back, and is answered by `on_error`."""
    try:
        with atomic():
            return handle()
    except Exception as error:
        return on_error(error)


def _kept(claim: IdempotencyKey, response: Response, writes: bool) -> Response:
    """Store the answer for repeats, unless it tells the client to retry.

    If it is too long, the changes are rolled back. If the request writes nothing, a repeat runs it again.
    """
    status, body = response.status_code, dumped(response.data)
    too_long = len(body) > settings.IDEMPOTENCY_ANSWER
    if too_long and writes:
        raise TooLongAnswer
    rows = IdempotencyKey.objects.filter(pk=claim.pk, attempt=claim.attempt)
    if too_long or status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        rows.delete()
    elif not rows.update(status=status, answer=body.decode()):
        raise Conflict(messages.key_taken_over(HEADER, claim.key))
    return response
