"""What rooms of the gate ask of others, kept in lists for a story to read."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from auth.ports import Assertion


class Clock:
    """The real time, and what the story adds to it."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class AuditList:
    """The audit log as a list: (event, person, facts)."""

    notes: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    async def note(self, event: str, *, person: str = "", **facts: str) -> None:
        self.notes.append((event, person, facts))

    def events(self) -> list[str]:
        return [event for event, _, _ in self.notes]


def said(sub: str, iss: str = "https://id.county.example", **more: object) -> Assertion:
    """What the county says of an account, unless told otherwise."""
    told: dict[str, object] = {
        "upstream": "county", "level": "COUNTY", "region": "371502", "name": "县级教师甲",
        "assurance": "NAME_VERIFIED", "acr": "urn:rongtong:acr:name-verified", "amr": ("pwd",),
    }  # fmt: skip
    return Assertion(iss=iss, sub=sub, **{**told, **more})  # type: ignore[arg-type]
