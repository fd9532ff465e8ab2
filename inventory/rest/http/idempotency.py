"""`Idempotency-Key`: a POST that may be repeated without being done twice.

A key is claimed first, in a transaction of its own, so that a repeat meanwhile can be told. Then one transaction
holds both what the request does and the answer that is kept for repeats: a crash leaves neither, and the claim of
one that crashed ends by itself. A request that writes nothing needs none: it may ask a cloud, and take its time.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from typing import Protocol, cast

import orjson
from django.conf import settings
from django.db import transaction
from django.http import QueryDict
from django.http.request import HttpHeaders
from django.utils import timezone
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.models import IdempotencyKey
from inventory.rest.errors import BadInput, Conflict
from inventory.rest.http.negotiation import is_form
from inventory.rest.http.renderers import dumped

HEADER = "Idempotency-Key"
IDEMPOTENCY_KEY = HttpHeaders.to_wsgi_name(HEADER)
REPLAYED = "Idempotency-Replayed"
MAX_KEY_LENGTH = 255
#: For how long a repeat gets the first answer.
KEPT = timedelta(hours=24)
#: After how long a claim that nobody answered is another's. A request that takes longer finds that out before it
#: commits, and has then done nothing.
CLAIM = timedelta(seconds=30)


class View(Protocol):
    """What a view knows of its request."""

    def may_write(self) -> bool:
        """Whether it may write to the database."""

    def require_parent(self) -> None:
        """404 if its address is below what the caller does not see by now."""

    def handle_exception(self, exc: Exception) -> Response:
        """The answer to a foreseen error, which counts too."""


class TooManyKeys(APIException):
    status_code = 429

    def __init__(self, until: datetime) -> None:
        super().__init__(f"{settings.IDEMPOTENCY_KEYS} requests with an {HEADER} are kept already")
        self.wait = max((until - timezone.now()).total_seconds(), 1)


class TooLongAnswer(APIException):
    status_code = 413
    default_detail = f"The answer is too long to be kept for the {HEADER}. Send fewer resources in one request."


def answer_once(request: Request, view: View, handle: Callable[[], Response]) -> Response:
    """Answer a request that has a key: only the first with this key is handled."""
    claim = _claim(request)
    if claim.status is not None:
        view.require_parent()
        return Response(orjson.loads(claim.answer), status=claim.status, headers={REPLAYED: "true"})
    try:
        return _answered(claim, view, handle)
    except BaseException:
        IdempotencyKey.objects.filter(pk=claim.pk, attempt=claim.attempt, status=None).delete()
        raise


def _answered(claim: IdempotencyKey, view: View, handle: Callable[[], Response]) -> Response:
    writes = view.may_write()
    together = transaction.atomic if writes else nullcontext
    with together():
        return _kept(claim, _attempt(handle, view.handle_exception, together), writes)


def forget_old_keys() -> None:
    """Delete the keys whose time is over."""
    IdempotencyKey.objects.filter(claimed_on__lt=timezone.now() - KEPT).delete()


def _claim(request: Request) -> IdempotencyKey:
    """The row of the request's key: one that is answered, or one that is now ours to answer."""
    key = request.META[IDEMPOTENCY_KEY]
    if not (0 < len(key) <= MAX_KEY_LENGTH and key.isprintable()):
        raise BadInput(f"{HEADER} must have from 1 to {MAX_KEY_LENGTH} printable characters")
    now, user = timezone.now(), cast(int, request.user.pk)
    fresh = IdempotencyKey(user_id=user, key=key, fingerprint=_fingerprint(request), claimed_on=now)
    mine = IdempotencyKey.objects.filter(user=user, key=key)
    mine.filter(claimed_on__lt=now - KEPT).delete()
    mine.filter(status=None, claimed_on__lt=now - CLAIM).update(attempt=fresh.attempt, claimed_on=now)
    if not mine.exists():
        _ensure_room(user, now)
        IdempotencyKey.objects.bulk_create([fresh], ignore_conflicts=True)
    claim = mine.first()
    if claim and claim.fingerprint != fresh.fingerprint:
        raise BadInput(f"{HEADER} {key} was used for another request")
    if claim is None or (claim.status is None and claim.attempt != fresh.attempt):  # None: it has just ended
        raise Conflict(f"A request with the {HEADER} {key} is still in progress")
    return claim


def _ensure_room(user: int, now: datetime) -> None:
    """Raises `TooManyKeys` where as many as may be are kept of a user. None is forgotten for another: it would be
    done twice."""
    kept, last = IdempotencyKey.objects.filter(user=user), settings.IDEMPOTENCY_KEYS - 1
    if kept[last : last + 1].exists():
        kept.filter(claimed_on__lt=now - KEPT).delete()
        if kept[last : last + 1].exists():
            raise TooManyKeys(kept.earliest("claimed_on").claimed_on + KEPT)


def _fingerprint(request: Request) -> str:
    digest = sha256(request.get_full_path().encode())
    digest.update(b"\0")
    digest.update(_body(request))
    return digest.hexdigest()


def _body(request: Request) -> bytes:
    """What the body says: of a form its fields, which no client sends twice between the same boundaries."""
    if not is_form(request):
        return bytes(request._request.body)
    form = cast(QueryDict, request.data)
    return dumped(sorted((name, values) for name, values in form.lists() if name != "csrfmiddlewaretoken"))


def _attempt(
    handle: Callable[[], Response],
    on_error: Callable[[Exception], Response],
    together: Callable[[], AbstractContextManager[object]],
) -> Response:
    """The handler's answer, or that of the error which undid it."""
    try:
        with together():
            return handle()
    except Exception as error:
        return on_error(error)


def _kept(claim: IdempotencyKey, response: Response, writes: bool) -> Response:
    """The answer, for repeats as well, unless it says to ask again.

    One that is too long to be kept undoes what was written; where nothing was a repeat may do it again.
    """
    status, answer = response.status_code, dumped(response.data)
    too_long = len(answer) > settings.IDEMPOTENCY_ANSWER
    if too_long and writes:
        raise TooLongAnswer
    mine = IdempotencyKey.objects.filter(pk=claim.pk, attempt=claim.attempt)
    if too_long or status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        mine.delete()
    elif not mine.update(status=status, answer=answer.decode()):
        raise Conflict(f"Another request with the {HEADER} {claim.key} has taken over")
    return response
