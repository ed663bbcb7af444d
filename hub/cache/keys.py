"""The name of a remembered look-up: one name for one question by one audience, and for nothing else.

Rule 1: everything that can change the answer is in the name, so one viewer's answer can never serve another.
Rule 2: no two different questions have the same canonical form; types and lengths are written down.
Rule 3: this file does no I/O. It cannot be async.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from typing import Any

PUBLIC = "public"  # the audience of what anybody may see
_DEPTH = 32
_DIGEST = 24  # bytes: 192 bits, so that nobody finds two questions with one name


def key(
    *,
    version: str,
    source: str,
    kind: str,
    audience: str,
    where: Any = None,
    fields: Iterable[str] = (),
    page: Any = None,
    text: str | None = None,
) -> str:
    """The name of one look-up: 32 characters of base64url.

    `version` changes with our own meaning of the answer (mapping, model), `where` holds keys or filters,
    `fields` the wanted fields in any order, `page` the part asked for, `text` the words searched for.
    `audience` is `PUBLIC` for public data, else everything about the viewer that the answer depends on.
    Raises `TypeError` for a value without a canonical form, `ValueError` for one too deep or not a number.
    """
    parts = (version, source, kind, audience, where, frozenset(fields), page, text)
    digest = blake2b(canonical(parts), digest_size=_DIGEST, person=b"rongtong-cache")
    return base64.urlsafe_b64encode(digest.digest()).decode("ascii")


def canonical(value: Any, depth: int = _DEPTH) -> bytes:
    """One byte string for one value: a type letter, the length, the content. Mappings and sets are sorted."""
    if depth == 0:
        raise ValueError(f"a look-up nests deeper than {_DEPTH}")
    letter, content = _content(value, depth - 1)
    return b"%b%d:%b" % (letter, len(content), content)


def _content(value: Any, depth: int) -> tuple[bytes, bytes]:
    match value:
        case None:
            return b"n", b""
        case Enum():
            return b"e", canonical(value.value, depth)
        case bool():
            return b"b", b"1" if value else b"0"
        case str():
            return b"s", value.encode("utf-8", "surrogatepass")
        case bytes():
            return b"y", value
        case int():
            return b"i", b"%d" % value
        case Decimal():
            return b"m", _number(str(value), value.is_finite())
        case float():
            return b"f", _number(repr(value), math.isfinite(value))
        case datetime():
            return b"t", _moment(value)
        case date():
            return b"d", value.isoformat().encode()
        case Mapping():
            pairs = (canonical(k, depth) + canonical(v, depth) for k, v in value.items())
            return b"o", b"".join(sorted(pairs))
        case Set():
            return b"u", b"".join(sorted(canonical(item, depth) for item in value))
        case Sequence():
            return b"l", b"".join(canonical(item, depth) for item in value)
        case _:
            raise TypeError(f"no canonical form for {type(value).__name__}")


def _number(text: str, finite: bool) -> bytes:
    if not finite:
        raise ValueError("a look-up holds something that is not a number")
    return text.encode("ascii")


def _moment(value: datetime) -> bytes:
    if value.tzinfo is None:
        raise ValueError("a moment without a time zone means different moments")
    return repr(value.timestamp()).encode("ascii")
