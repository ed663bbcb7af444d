"""Whom this hub vouches for: its immediate subordinates, entered and withdrawn by the operator.

Rule: a withdrawn one stays on record, so that who was vouched for, when and by whom can be told later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from auth.documents import Kept, kept_as
from auth.errors import AuthError, Taken
from auth.store import IndexSpec, Store
from auth.trust import constraints, policy
from auth.trust.constraints import ConstraintBroken
from auth.trust.identifiers import is_entity
from auth.trust.keys import published
from auth.trust.policy import PolicyFlaw

COLLECTION = "federation_subordinates"
INDEXES: tuple[IndexSpec, ...] = (IndexSpec(COLLECTION, (("active", 1), ("_id", 1))),)
MOST_LISTED = 10_000


class Unfit(AuthError):
    """The operator's input about a subordinate cannot be used; the text says which part."""

    code = "SUBORDINATE_UNFIT"


class Subordinate(Kept, frozen=True, kw_only=True):
    """An entity right below us. `id` is its identifier; `jwks` its federation keys as it handed them over.

    `types`: entity types that it has. `metadata`, `policy`, `constraints`: what we state about it (§3.1.3).
    `region` and `level`: which division it speaks for, when it is an authority itself (`intermediate`).
    """

    jwks: dict[str, Any]
    types: tuple[str, ...] = ()
    intermediate: bool = False
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    policy: dict[str, Any] = msgspec.field(default_factory=dict)
    constraints: dict[str, Any] = msgspec.field(default_factory=dict)
    region: str = ""
    level: str = ""
    active: bool = True
    added: datetime
    by: str = ""
    withdrawn: datetime | None = None
    withdrawn_by: str = ""


class Subordinates:
    """Keeps them. `clock` gives seconds since 1970. Every method may raise `StoreDown`."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._kept, self._clock = store.collection(COLLECTION), clock

    async def add(
        self,
        entity: str,
        jwks: Mapping[str, Any],
        *,
        types: tuple[str, ...] = (),
        intermediate: bool = False,
        metadata: Mapping[str, Any] | None = None,
        policy: Mapping[str, Any] | None = None,
        constraints: Mapping[str, Any] | None = None,
        region: str = "",
        level: str = "",
        by: str = "",
    ) -> Subordinate:
        """Vouch for an entity from now on, or state something new about it. Raises `Unfit`."""
        found = Subordinate(
            id=entity, jwks=dict(jwks), types=types, intermediate=intermediate, metadata=dict(metadata or {}),
            policy=dict(policy or {}), constraints=dict(constraints or {}), region=region, level=level,
            added=self._now(), by=by,
        )  # fmt: skip
        _check(found)
        document = found.document()
        document.pop("_id")
        try:
            await self._kept.update_one({"_id": {"$eq": entity}}, {"$set": document}, upsert=True)
        except Taken:  # two operators at once: the later one's word counts
            await self._kept.update_one({"_id": {"$eq": entity}}, {"$set": document})
        return found

    async def withdraw(self, entity: str, by: str = "") -> bool:
        """Vouch for it no longer; False if we did not."""
        done = {"active": False, "withdrawn": self._now(), "withdrawn_by": by}
        return bool(await self._kept.update_one(_active(entity), {"$set": done}))

    async def get(self, entity: str) -> Subordinate | None:
        """The subordinate, if we vouch for it."""
        found = await self._kept.find_one(_active(entity))
        return kept_as(Subordinate, found) if found else None

    async def all(self, *, withdrawn: bool = False) -> list[Subordinate]:
        """All that we vouch for, in order of their identifiers; `withdrawn`: also those of the past."""
        where: dict[str, Any] = {} if withdrawn else {"active": {"$eq": True}}
        found = await self._kept.find(where, limit=MOST_LISTED, order=[("_id", 1)])
        return [kept_as(Subordinate, document) for document in found]

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _active(entity: str) -> dict[str, Any]:
    return {"_id": {"$eq": entity}, "active": {"$eq": True}}


def _check(found: Subordinate) -> None:
    """What would make every chain through it fall is refused at the door."""
    if not is_entity(found.id):
        raise Unfit(f"不是实体标识 / not an entity identifier: {found.id!r}")
    try:
        published(found.jwks)
        policy.checked(found.policy)
        constraints.check(found.constraints, 0, ())
        constraints.allowed_types(found.constraints)
    except PolicyFlaw as flaw:
        raise Unfit(f"元数据策略有误 / the metadata policy is flawed: {flaw}") from None
    except ConstraintBroken:
        raise Unfit("约束格式有误 / the constraints are malformed") from None
    except ValueError as flaw:
        raise Unfit(f"公钥集不可用 / the keys cannot be used: {flaw}") from None
    if not all(isinstance(each, dict) for each in found.metadata.values()):
        raise Unfit("元数据应按实体类型分组 / metadata is grouped by entity type")
