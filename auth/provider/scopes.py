"""Which scopes there are, and which cover which."""

from __future__ import annotations

import re
from collections.abc import Iterable

_FAMILIES = ("graph.resources", "graph.identities", "graph.activity")
SCOPES = ("openid", "profile", "offline_access", "roles", "graph", *_FAMILIES)
"""`graph` stands for its three families of data."""
OF_A_PERSON = frozenset({"openid", "profile", "offline_access", "roles"})
"""Scopes that mean nothing without a person (client credentials)."""
LONGEST = 1000
_WORD = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,100}")


def parsed(scope: str) -> tuple[str, ...] | None:
    """The scopes a parameter names, each once, in its order; None if it is malformed (RFC 6749 §3.3)."""
    if len(scope) > LONGEST:
        return None
    words = tuple(dict.fromkeys(scope.split(" "))) if scope else ()
    return words if all(_WORD.fullmatch(word) for word in words) else None


def covered(wanted: Iterable[str], granted: Iterable[str]) -> bool:
    """Whether every wanted scope is within the granted ones."""
    have = set(granted)
    if "graph" in have:
        have.update(_FAMILIES)
    elif have.issuperset(_FAMILIES):
        have.add("graph")
    return have.issuperset(wanted)


def allowed(wanted: Iterable[str], registered: Iterable[str]) -> bool:
    """Whether a client may ask for all of them: they exist and are registered for it."""
    words = tuple(wanted)
    return all(word in SCOPES for word in words) and covered(words, registered)


def within(granted: Iterable[str], registered: Iterable[str]) -> tuple[str, ...]:
    """What of a grant is left, when the client may ask for less than it once might."""
    known = tuple(registered)
    return tuple(word for word in granted if allowed((word,), known))
