"""`Idempotency-Key`: a POST that may be repeated without being done twice.

A key is claimed first, in a transaction of its own, so that a repeat meanwhile can be told. Then one transaction
holds both what the request does and the answer that is kept for repeats: a crash leaves neither, and the claim of
one that crashed ends by itself. A request that writes nothing needs none: it may ask a cloud, and take its time.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from functools import partial, wraps
from hashlib import sha256
from http import HTTPStatus
from typing import Any

import orjson
from django.db import transaction
from django.http.request import HttpHeaders
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.models import IdempotencyKey
from inventory.rest.errors import BadInput, Conflict
from inventory.rest.renderers import dumped

HEADER = "Idempotency-Key"
_META = HttpHeaders.to_wsgi_name(HEADER)
REPLAYED = "Idempotency-Replayed"
LONGEST = 255
#: For how long a repeat gets the first answer.
KEPT = timedelta(hours=24)
#: After how long a claim that nobody answered is another's. A request that takes longer finds that out before it
#: commits, and has then done nothing.
CLAIM = timedelta(seconds=30)

Handler = Callable[..., Response]


def once(handler: Handler, on_error: Callable[[Exception], Response], writes: Callable[[], bool]) -> Handler:
    """A handler that does each key once.

    `on_error` makes the answers of foreseen errors, which count too; `writes` says whether the request may write.
    """

    @wraps(handler)
    def answer(request: Request, *args: Any, **kwargs: Any) -> Response:
        key = _key(request)
        if key is None:
            return handler(request, *args, **kwargs)
        claim = _claim(request, key)
        if claim.status is not None:
            return Response(orjson.loads(claim.answer), status=claim.status, headers={REPLAYED: "true"})
        try:
            together = transaction.atomic if writes() else nullcontext
            attempt = partial(_attempt, partial(handler, request, *args, **kwargs), on_error, together)
            with together():
                return _kept(claim, attempt())
        except BaseException:
            IdempotencyKey.objects.filter(pk=claim.pk, attempt=claim.attempt, status=None).delete()
            raise

    return answer


def forget_old_keys() -> None:
    """Delete the keys whose time is over."""
    IdempotencyKey.objects.filter(claimed_on__lt=timezone.now() - KEPT).delete()


def _key(request: Request) -> str | None:
    key: str | None = request.META.get(_META)
    if key is None:
        return None
    if not (0 < len(key) <= LONGEST and key.isprintable()):
        raise BadInput(f"{HEADER} must have from 1 to {LONGEST} printable characters")
    return key


def _claim(request: Request, key: str) -> IdempotencyKey:
    """The row of this key: one that is answered, or one that is now ours to answer."""
    now, user = timezone.now(), request.user.pk
    fresh = IdempotencyKey(user_id=user, key=key, fingerprint=_fingerprint(request), claimed_on=now)
    mine = IdempotencyKey.objects.filter(user=user, key=key)
    mine.filter(claimed_on__lt=now - KEPT).delete()
    mine.filter(status=None, claimed_on__lt=now - CLAIM).update(attempt=fresh.attempt, claimed_on=now)
    if not mine.exists():
        IdempotencyKey.objects.bulk_create([fresh], ignore_conflicts=True)
    claim = mine.get()
    if claim.fingerprint != fresh.fingerprint:
        raise BadInput(f"{HEADER} {key} was used for another request")
    if claim.status is None and claim.attempt != fresh.attempt:
        raise Conflict(f"The first request with the {HEADER} {key} is still being answered")
    return claim


def _fingerprint(request: Request) -> str:
    digest = sha256(request.get_full_path().encode())
    digest.update(b"\0")
    digest.update(request._request.body)
    return digest.hexdigest()


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


def _kept(claim: IdempotencyKey, response: Response) -> Response:
    """The answer, for repeats as well, unless it says to ask again."""
    status = response.status_code
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        IdempotencyKey.objects.filter(pk=claim.pk, attempt=claim.attempt).delete()
    else:
        kept = {"status": status, "answer": dumped(response.data).decode()}
        if not IdempotencyKey.objects.filter(pk=claim.pk, attempt=claim.attempt).update(**kept):
            raise Conflict(f"Another request with the {HEADER} {claim.key} has taken over")
    return response
