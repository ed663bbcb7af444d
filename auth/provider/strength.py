"""How surely somebody was recognised, and whether that is enough for what was asked (acr; amr: RFC 8176)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

PASSWORD = "urn:rongtong:acr:password"  # noqa: S105 - a name, not a secret
NAME_VERIFIED = "urn:rongtong:acr:name-verified"
FACE_VERIFIED = "urn:rongtong:acr:face-verified"
PASSKEY = "urn:rongtong:acr:passkey"
KNOWN = (PASSWORD, NAME_VERIFIED, FACE_VERIFIED, PASSKEY)
_RANK = {PASSWORD: 1, PASSKEY: 1, NAME_VERIFIED: 2, FACE_VERIFIED: 3}


def satisfies(acr: str, amr: Collection[str], wanted: Sequence[str]) -> bool:
    """Whether one of the wanted levels is reached; nothing wanted: yes.

    A passkey is a password's level plus a proof that cannot be phished (`hwk`): it is reached only by it,
    while a level of names and faces is reached by every level above it. A level unknown here: by itself.
    """
    return not wanted or any(_reaches(acr, amr, each) for each in wanted)


def _reaches(acr: str, amr: Collection[str], wanted: str) -> bool:
    if acr and acr == wanted:
        return True
    if wanted == PASSKEY:
        return "hwk" in amr
    return wanted in _RANK and _RANK.get(acr, 0) >= _RANK[wanted]
