"""Whether an answer shows something of what lies outside."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from tests.reach.model import Reach
from tests.reach.world import TOKEN

#: The address of a resource, perhaps below another one.
RESOURCE = re.compile(r"/api/([a-z_]+)/(\d+)(?:/([a-z_]+)/(\d+))?")


def assert_nothing_outside(reach: Reach, url: str, response: Any) -> None:
    """No name of anything outside is in the answer, and no address in it leads there."""
    asked = unquote(url)
    text = response.content.decode() + "".join(f"{name}: {value}\n" for name, value in response.headers.items())
    known = set(TOKEN.findall(asked))
    outside = {
        token
        for token in set(TOKEN.findall(text)) - known
        if token in reach.world.tokens and not reach.sees_token(token)
    }
    assert not outside, (
        reach.providers,
        reach.tenants,
        url,
        {token: reach.world.tokens[token] for token in outside},
        text,
    )
    own = {(parent, parent_pk) for parent, parent_pk, *_ in RESOURCE.findall(asked)}
    for parent, parent_pk, below, pk in RESOURCE.findall(text):
        for collection, key in ((parent, parent_pk), (below, pk)):
            if collection in reach.world.rows and (collection, key) not in own:
                assert reach.sees(collection, int(key)), (url, collection, key, text)
