"""What this hub publishes as an authority: its own configuration, and a statement about each subordinate.

Rule: everything is made anew when it is asked for and signed with the current key; withdrawing somebody
therefore works for everyone who asks from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from auth.store import Store
from auth.trust.chains import LEVEL, REGION
from auth.trust.keys import FederationKeys
from auth.trust.statements import STATEMENT, written
from auth.trust.subordinates import Subordinate, Subordinates

KEYS = "federation_keys"
_NOTED_AGAIN = 3600.0
_MOST_KEYS = 500


@dataclass(frozen=True, slots=True)
class Published:
    """What stands in our configuration beside keys and endpoints.

    `metadata`: gives `openid_provider`, `openid_relying_party` and so on, by entity type. `superiors`: those
    right above us; none for an anchor, which may name `mark_issuers` and `mark_owners` (§3.1.2).
    """

    metadata: Callable[[], Mapping[str, Mapping[str, Any]]]
    name: str = "融通 / Rongtong"
    superiors: tuple[str, ...] = ()
    marks: tuple[tuple[str, str], ...] = ()
    """Trust marks that others issued to us: type and token."""
    mark_issuers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    mark_owners: Mapping[str, Any] = field(default_factory=dict)


class Authority:
    """We as an authority: `entity` is our identifier, the issuer. Methods may raise `StoreDown`."""

    def __init__(
        self,
        entity: str,
        keys: FederationKeys,
        subordinates: Subordinates,
        store: Store,
        published: Published,
        clock: Callable[[], float],
        *,
        lifetime: float,
    ) -> None:
        self.entity, self.keys, self.subordinates = entity, keys, subordinates
        self._published, self._clock, self._lifetime = published, clock, lifetime
        self._history, self._noted = store.collection(KEYS), dict[str, float]()

    def signed(self, typ: str, claims: Mapping[str, Any]) -> str:
        """A paper of ours: `iss` and `iat` are added."""
        return written(self.keys.signing(), typ, {"iss": self.entity, "iat": self._now(), **claims})

    async def configuration(self) -> str:
        """What we say of ourselves (§3, §9)."""
        await self.keys.refreshed()
        said = self._published
        metadata = {kind: dict(values) for kind, values in said.metadata().items()}
        metadata["federation_entity"] = {**metadata.get("federation_entity", {}), **self._endpoints()}
        optional = {
            "authority_hints": list(said.superiors),
            "trust_marks": [{"trust_mark_type": type, "trust_mark": mark} for type, mark in said.marks],
            "trust_mark_issuers": {type: list(who) for type, who in said.mark_issuers.items()},
            "trust_mark_owners": dict(said.mark_owners),
        }
        claims = {
            "sub": self.entity, "exp": self._now() + int(self._lifetime), "jwks": self.keys.public(),
            "metadata": metadata,
        }  # fmt: skip
        return self.signed(STATEMENT, claims | {name: value for name, value in optional.items() if value})

    def _endpoints(self) -> dict[str, str]:
        base = f"{self.entity}/federation"
        return {
            "organization_name": self._published.name,
            "federation_fetch_endpoint": f"{base}/fetch",
            "federation_list_endpoint": f"{base}/list",
            "federation_resolve_endpoint": f"{base}/resolve",
            "federation_trust_mark_status_endpoint": f"{base}/trust_mark_status",
            "federation_historical_keys_endpoint": f"{base}/historical_keys",
        }

    async def statement(self, sub: str) -> str | None:
        """What we say of a subordinate; None: we do not vouch for it (§3.1.3, §8.1)."""
        found = await self.subordinates.get(sub)
        if found is None:
            return None
        await self.keys.refreshed()
        optional = {
            "metadata": _stated(found), "metadata_policy": found.policy, "constraints": found.constraints,
        }  # fmt: skip
        claims = {
            "sub": sub, "exp": self._now() + int(self._lifetime), "jwks": found.jwks,
            "source_endpoint": f"{self.entity}/federation/fetch",
        }  # fmt: skip
        return self.signed(STATEMENT, claims | {name: value for name, value in optional.items() if value})

    async def note_keys(self) -> None:
        """Keep on record which keys we sign with, for when they are gone (§8.7); at most hourly a key."""
        now = self._clock()
        for key in self.keys.public()["keys"]:
            if now - self._noted.get(key["kid"], -_NOTED_AGAIN) >= _NOTED_AGAIN:
                seen = {"jwk": key, "seen": datetime.fromtimestamp(now, UTC)}
                first = {"first": datetime.fromtimestamp(now, UTC)}
                await self._history.update_one(
                    {"_id": {"$eq": key["kid"]}}, {"$set": seen, "$setOnInsert": first}, upsert=True
                )
                self._noted[key["kid"]] = now

    async def historical_keys(self) -> list[dict[str, Any]]:
        """Keys that we signed with and publish no longer, each with `iat` and `exp` (§8.7.2)."""
        await self.note_keys()
        current = {key["kid"] for key in self.keys.public()["keys"]}
        found = await self._history.find({}, limit=_MOST_KEYS, order=[("first", 1)])
        return [
            {
                **document["jwk"],
                "iat": int(document["first"].timestamp()),
                "exp": int(document["seen"].timestamp() + _NOTED_AGAIN + self._lifetime),
            }
            for document in found
            if document["_id"] not in current
        ]

    def _now(self) -> int:
        return int(self._clock())


def _stated(found: Subordinate) -> dict[str, Any]:
    """The metadata that we state about it; for an authority also its division and level."""
    stated = {kind: dict(values) for kind, values in found.metadata.items()}
    ours = {name: value for name, value in ((REGION, found.region), (LEVEL, found.level)) if value}
    if found.intermediate and ours:
        stated["federation_entity"] = {**stated.get("federation_entity", {}), **ours}
    return stated
