"""Trust marks: issued and revoked by us, and judged when others show them (Federation 1.0 §7, §8.4).

Rule 1: a mark counts only for a type that the anchor lists, from an issuer that it lists for it, whose own
chain leads to the same anchor; where the type has an owner, with the owner's delegation.
Rule 2: a mark must be active by its issuer's word, asked now; one that nobody can be asked about counts only
if it ends by itself within a month. In doubt it does not count.
Rule 3: a mark that does not count is left out and the reason told; it never makes a chain fall.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from auth.errors import AuthError, Taken
from auth.fetch import Fetch, FetchFailed
from auth.store import Document, IndexSpec, Store, expiring, kept
from auth.trust.chains import Chain
from auth.trust.errors import Distrusted
from auth.trust.identifiers import is_address, is_entity
from auth.trust.keys import FederationKeys, published
from auth.trust.statements import LARGEST, LEEWAY, Signed, signed, valid_until, written

MARK, DELEGATION, STATUS = "trust-mark+jwt", "trust-mark-delegation+jwt", "trust-mark-status-response+jwt"
COLLECTION = "federation_marks"
INDEXES: tuple[IndexSpec, ...] = (
    IndexSpec(COLLECTION, (("type", 1), ("sub", 1))), expiring(COLLECTION, "forget"),
)  # fmt: skip
MOST_MARKS = 8
"""Marks of one entity that are looked at."""
MOST_LISTED = 10_000
_FOREVER = 1e11
_UNASKED = 31 * 86_400.0
_REMEMBERED = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark that counts: `issuer` says that `sub` meets what `type` stands for, until `ends`."""

    type: str
    issuer: str
    sub: str
    ends: float
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Judged:
    """An entity's marks that count, and why the others do not: type and reason."""

    marks: tuple[Mark, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()

    def has(self, type: str) -> bool:
        """Whether a mark of that type counts."""
        return any(mark.type == type for mark in self.marks)


class Chains(Protocol):
    """Finds chains: `auth.trust.resolver.Resolver`."""

    async def chain(self, entity: str, anchor: str = "") -> Chain: ...


class OwnMarks(Protocol):
    """The marks that we issue ourselves, so that we need not ask ourselves over the network."""

    entity: str

    async def status(self, token: str) -> str | None: ...


class MarkRefused(Exception):
    """This mark does not count, for `reason`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Judge:
    """Judges the marks that an entity shows in its configuration."""

    def __init__(
        self, chains: Chains, fetch: Fetch, clock: Callable[[], float], own: OwnMarks | None = None,
        *, within: float = 4.0,
    ) -> None:  # fmt: skip
        self._chains, self._fetch, self._clock, self._own, self._within = chains, fetch, clock, own, within

    async def judged(self, chain: Chain, types: Sequence[str] | None = None) -> Judged:
        """Which of its marks count; `types`: only these are looked at. Never raises `Distrusted`."""
        marks: list[Mark] = []
        refused: list[tuple[str, str]] = []
        for type, token in _shown(chain, types):
            try:
                marks.append(await self._one(chain, type, token))
            except MarkRefused as refusal:
                refused.append((type, refusal.reason))
            except Distrusted as refusal:
                refused.append((type, refusal.reason))
        return Judged(tuple(marks), tuple(refused))

    async def _one(self, chain: Chain, type: str, token: str) -> Mark:
        paper = signed(token, MARK, chain.entity, 0)
        if paper.claims.get("sub") != chain.entity:
            raise MarkRefused("wrong-subject")
        if paper.claims.get("trust_mark_type") != type:
            raise MarkRefused("wrong-type")
        ends = valid_until(paper.claims, self._clock(), _FOREVER, chain.entity, 0, endless=True)
        anchor = chain.statements[-1]
        issuer = _accepted_issuer(anchor.of("trust_mark_issuers"), type, paper.claims.get("iss"))
        vouched = chain if issuer == chain.entity else await self._chains.chain(issuer, chain.anchor)
        paper.verify(vouched.keys, issuer)
        if type in anchor.of("trust_mark_owners") or "delegation" in paper.claims:
            self._delegated(anchor.of("trust_mark_owners").get(type), type, issuer, paper)
        await self._active(vouched, paper, ends)
        return Mark(type, issuer, chain.entity, ends, token)

    def _delegated(self, owner: object, type: str, issuer: str, paper: Signed) -> None:
        """Raises unless the type's owner has entrusted this issuer with it (§7.2.2)."""
        if not isinstance(owner, dict) or not isinstance(owner.get("sub"), str):
            raise MarkRefused("unknown-owner")
        if not isinstance(token := paper.claims.get("delegation"), str):
            raise MarkRefused("no-delegation")
        word = signed(token, DELEGATION, issuer)
        valid_until(word.claims, self._clock(), _FOREVER, issuer, endless=True)
        said = (word.claims.get("iss"), word.claims.get("sub"), word.claims.get("trust_mark_type"))
        if said != (owner["sub"], issuer, type):
            raise MarkRefused("foreign-delegation")
        try:
            word.verify(published(owner.get("jwks")), issuer)
        except ValueError:
            raise MarkRefused("unknown-owner") from None

    async def _active(self, issuer: Chain, paper: Signed, ends: float) -> None:
        """Raises unless the issuer says that the mark is active, now (§8.4)."""
        if self._own is not None and issuer.entity == self._own.entity:
            state: object = await self._own.status(paper.token)
        else:
            endpoint = issuer.statements[0].entity().get("federation_trust_mark_status_endpoint")
            if not is_address(endpoint):
                if ends > self._clock() + _UNASKED:
                    raise MarkRefused("nobody-to-ask")
                return
            state = await self._asked(str(endpoint), issuer, paper)
        if state != "active":
            raise MarkRefused(str(state) if state in ("revoked", "expired", "invalid") else "not-active")

    async def _asked(self, endpoint: str, issuer: Chain, paper: Signed) -> object:
        try:
            answer = await self._fetch(
                "POST", endpoint, form={"trust_mark": paper.token}, within=self._within, max_bytes=LARGEST
            )
        except FetchFailed:
            raise MarkRefused("status-unknown") from None
        word = signed(answer.body, STATUS, issuer.entity)
        word.verify(issuer.keys, issuer.entity)
        claims, issued = word.claims, word.claims.get("iat")
        fresh = isinstance(issued, int | float) and abs(issued - self._clock()) <= 2 * LEEWAY
        if claims.get("iss") != issuer.entity or claims.get("trust_mark") != paper.token or not fresh:
            raise MarkRefused("status-unknown")
        return claims.get("status")


def _shown(chain: Chain, types: Sequence[str] | None) -> list[tuple[str, str]]:
    """Type and token of each mark in the entity's configuration that is of a type the anchor knows."""
    known = chain.statements[-1].of("trust_mark_issuers")
    found = []
    for entry in chain.statements[0].claims.get("trust_marks") or ():
        type, token = entry.get("trust_mark_type"), entry.get("trust_mark")
        named = isinstance(type, str) and isinstance(token, str)
        if named and type in known and (types is None or type in types):
            found.append((type, token))
    return found[:MOST_MARKS]


def _accepted_issuer(issuers: Mapping[str, Any], type: str, issuer: object) -> str:
    listed = issuers.get(type)
    if not isinstance(issuer, str) or not is_entity(issuer) or not isinstance(listed, list):
        raise MarkRefused("foreign-issuer")
    if listed and issuer not in listed:  # an empty list: anybody may (§3.1.2)
        raise MarkRefused("foreign-issuer")
    return issuer


class UnfitMark(AuthError):
    """A mark cannot be issued as asked."""

    code = "MARK_UNFIT"


class Marks:
    """The marks that we issue. `clock` gives seconds since 1970. Every method may raise `StoreDown`."""

    def __init__(self, store: Store, keys: FederationKeys, entity: str, clock: Callable[[], float]) -> None:
        self._kept, self._keys, self.entity, self._clock = store.collection(COLLECTION), keys, entity, clock

    async def issue(
        self, type: str, sub: str, *, life: float, ref: str = "", delegation: str = "", by: str = ""
    ) -> str:
        """A mark for `sub` to publish in its configuration, valid for `life` seconds. Raises `UnfitMark`."""
        if not is_entity(sub) or not is_entity(type):
            raise UnfitMark("主体与标志类型都应是 https 地址 / subject and type are https addresses")
        now = int(self._clock())
        claims = {
            "iss": self.entity, "sub": sub, "trust_mark_type": type, "iat": now, "exp": now + int(life),
        } | {name: value for name, value in (("ref", ref), ("delegation", delegation)) if value}  # fmt: skip
        token = written(self._keys.signing(), MARK, claims)
        ends = datetime.fromtimestamp(now + int(life), UTC)
        document: Document = {
            "_id": kept(token), "type": type, "sub": sub, "issued": datetime.fromtimestamp(now, UTC),
            "ends": ends, "forget": ends + _REMEMBERED, "revoked": None, "by": by,
        }  # fmt: skip
        with contextlib.suppress(Taken):  # the same mark within one second
            await self._kept.insert_one(document)
        return token

    async def revoke(self, type: str, sub: str, by: str = "") -> int:
        """Revoke all marks of a type that an entity holds; how many were active."""
        where = {"type": {"$eq": type}, "sub": {"$eq": sub}, "revoked": {"$eq": None}}
        now = datetime.fromtimestamp(self._clock(), UTC)
        return await self._kept.update_many(where, {"$set": {"revoked": now, "revoked_by": by}})

    async def status(self, token: str) -> str | None:
        """active | expired | revoked | invalid; None for what we did not issue (§8.4.2)."""
        found = await self._kept.find_one({"_id": {"$eq": kept(token)}})
        if found is None:
            return self._unknown(token)
        if found["revoked"] is not None:
            return "revoked"
        return "active" if found["ends"].timestamp() > self._clock() else "expired"

    def _unknown(self, token: str) -> str | None:
        """A paper in our name that we never issued is invalid, unless it is really signed by us."""
        try:
            paper = signed(token, MARK, self.entity)
        except Distrusted:
            return None
        if paper.claims.get("iss") != self.entity:
            return None
        try:
            paper.verify(published(self._keys.public()), self.entity)
        except Distrusted:
            return "invalid"
        return None

    async def holders(self, type: str = "") -> frozenset[str]:
        """Who holds an active mark; `type`: of that type."""
        where: dict[str, Any] = {
            "revoked": {"$eq": None}, "ends": {"$gt": datetime.fromtimestamp(self._clock(), UTC)},
        }  # fmt: skip
        if type:
            where["type"] = {"$eq": type}
        return frozenset(found["sub"] for found in await self._kept.find(where, limit=MOST_LISTED))
