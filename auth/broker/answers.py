"""What a provider answers, read so strictly that two readers cannot read two things.

Rule 1: one JSON object (RFC 8259, I-JSON RFC 7493): UTF-8, no NaN, no lone surrogates, no member twice, and
not nested deeper than any honest answer.
Rule 2: the deadline covers asking and reading; a body past its bound is never held.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson

from auth.broker.upstream import UpstreamRefused, unanswered
from auth.fetch import Fetch, Fetched, FetchFailed

DEEPEST = 16
LARGEST = 262_144


async def answered(
    fetch: Fetch,
    method: str,
    url: str,
    *,
    within: float,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    max_bytes: int = LARGEST,
) -> Fetched:
    """The provider's 2xx answer. Raises `UpstreamRefused`."""
    try:
        return await fetch(
            method, url, headers=headers, params=params, form=form, within=within, max_bytes=max_bytes
        )
    except FetchFailed as error:
        raise unanswered(error) from None


def object_of(body: bytes | str) -> dict[str, Any]:
    """The JSON object that `body` is. Raises `UpstreamRefused("answer-unusable")` with status 502."""
    try:
        orjson.loads(body)  # strict about UTF-8, surrogates and NaN, where the standard library is not
        value = json.loads(body, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise UpstreamRefused("answer-unusable", "not one strict JSON object", status=502) from None
    if not isinstance(value, dict) or _deeper(value, DEEPEST):
        raise UpstreamRefused("answer-unusable", "not a JSON object, or nested too deep", status=502)
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is given twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _deeper(value: Any, most: int) -> bool:
    level = [value]
    for _ in range(most):
        level = [child for each in level for child in _children(each)]
        if not level:
            return False
    return True


def _children(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [each for each in inner if isinstance(each, dict | list)]
