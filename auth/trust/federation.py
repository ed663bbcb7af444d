"""Trust along the five levels, as the rest of the gate sees it: who somebody is by their chain.

Rule: one chain is worked out once for all who ask, and holds until its first statement ends, `chain_lifetime`
at most, so that a withdrawal is seen after that at the latest. Refusals are remembered for seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.routing import BaseRoute

from auth.documents import Client
from auth.fetch import Fetch, FetchFailed
from auth.settings import TrustSettings
from auth.store import IndexSpec, Store
from auth.trust import marks, subordinates
from auth.trust.authority import Authority, Published
from auth.trust.automatic import OP, RP, SCOPES, client_of, required, usable_keys
from auth.trust.chains import Chain, Metadata
from auth.trust.endpoints import Endpoints
from auth.trust.errors import Distrusted
from auth.trust.identifiers import is_address, is_entity
from auth.trust.keys import FederationKeys
from auth.trust.marks import Judge, Judged, Mark, Marks
from auth.trust.memory import Memory
from auth.trust.resolver import Limits, Resolver
from auth.trust.statements import LARGEST, signed, valid_until
from auth.trust.subordinates import Subordinates

INDEXES: tuple[IndexSpec, ...] = (*subordinates.INDEXES, *marks.INDEXES)
REFUSALS = 10.0
"""Seconds that a refusal is remembered."""
KEYS_HOLD = 300.0
"""Seconds that fetched keys of an application are used at most."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """What is known of an entity by its chain: `metadata` by type after all policies, `marks` that count,
    `refused` marks with the reason. `ends`: when the chain or a mark ends; `expires`: when we ask again."""

    chain: Chain
    metadata: Metadata = field(repr=False)
    marks: tuple[Mark, ...]
    refused: tuple[tuple[str, str], ...]
    ends: float
    expires: float

    def has_mark(self, type: str) -> bool:
        """Whether a mark of that type counts."""
        return any(mark.type == type for mark in self.marks)


class Federation:
    """The hub in its federation. `entity`: our identifier (the issuer); `keys`: a ring of their own, apart
    from the OIDC keys; `published`: what our configuration says beside; `purposes`: those this hub knows.

    Have `INDEXES` declared before the first use. Close with `aclose`.
    """

    def __init__(
        self,
        entity: str,
        settings: TrustSettings,
        store: Store,
        fetch: Fetch,
        keys: FederationKeys,
        published: Published,
        clock: Callable[[], float],
        *,
        scopes: Sequence[str] = SCOPES,
        purposes: Sequence[str] = (),
        limits: Limits | None = None,
    ) -> None:
        self.entity, self._settings, self._fetch, self._clock = entity, settings, fetch, clock
        self._scopes, self._purposes = tuple(scopes), tuple(purposes)
        self.subordinates = Subordinates(store, clock)
        self.marks = Marks(store, keys, entity, clock)
        lifetime = float(settings.statement_lifetime)
        self.authority = Authority(
            entity, keys, self.subordinates, store, published, clock, lifetime=lifetime
        )
        self.resolver = Resolver(
            fetch, settings.anchors, limits or limits_of(settings), clock, self.authority
        )
        self._judge = Judge(self.resolver, fetch, clock, self.marks)
        self._resolved: Memory[Resolved] = Memory(clock, refusals=REFUSALS)
        self._clients: Memory[Client] = Memory(clock, refusals=REFUSALS)
        self._jwks: Memory[dict[str, Any]] = Memory(clock, refusals=REFUSALS)
        self._endpoints = Endpoints(self.authority, self.marks, self)

    @property
    def anchors(self) -> frozenset[str]:
        """The anchors that we know."""
        return frozenset(self.resolver.anchors)

    def routes(self) -> list[BaseRoute]:
        """`/.well-known/openid-federation` and `/federation/*`."""
        return self._endpoints.routes()

    async def resolve(self, entity_id: str, anchor: str = "", types: Sequence[str] = ()) -> Resolved:
        """What is known of an entity by its chain to `anchor` ("": any of ours), if it has all of `types`.

        Raises `Distrusted`; `StoreDown` where our own subordinates must be asked for.
        """
        if not is_entity(entity_id):
            raise Distrusted("not-an-entity", entity_id, 0)
        found = await self._resolved.get(f"{anchor} {entity_id}", lambda: self._found(entity_id, anchor))
        required(found.chain, types)
        return found

    def known(self, entity_id: str, anchor: str = "") -> Resolved | None:
        """What is remembered of an entity; nothing is asked."""
        return self._resolved.known(f"{anchor} {entity_id}")

    async def client(self, client_id: str) -> Client | None:
        """The client of automatic registration (§12.1): None when the name is no entity's or we have no
        anchor. Raises `Distrusted` with the reason when nobody vouches for it."""
        if not self.resolver.anchors or not is_entity(client_id) or client_id == self.entity:
            return None
        return await self._clients.get(client_id, lambda: self._registered(client_id))

    async def provider(self, entity_id: str, anchor: str = "") -> Mapping[str, Any]:
        """A level's OpenID provider by its chain: its metadata after all policies, `issuer` being itself, and
        always `jwks`. Ask each time: it is remembered. Raises `Distrusted`."""
        found = await self.resolve(entity_id, anchor, (OP,))
        said = found.metadata[OP]
        if said.get("issuer") != entity_id:
            raise Distrusted("unfit-metadata", entity_id, 0, detail="issuer")
        return {**said, "jwks": await self._keys_of(found, OP)}

    def forget(self) -> None:
        """Forget all chains, so that everything is asked anew."""
        for memory in (self._resolved, self._clients, self._jwks):
            memory.forget()

    async def aclose(self) -> None:
        """End what is under way."""
        for memory in (self._resolved, self._clients, self._jwks):
            await memory.aclose()

    async def _found(self, entity_id: str, anchor: str) -> tuple[Resolved, float]:
        chain = await self.resolver.chain(entity_id, anchor)
        judged: Judged = await self._judge.judged(chain)
        ends = min([chain.ends, *(mark.ends for mark in judged.marks)])
        # What is valid by leeway alone holds for this once.
        expires = max(min(ends, self._clock() + float(self._settings.chain_lifetime)), self._clock() + 1)
        return Resolved(chain, chain.metadata, judged.marks, judged.refused, ends, expires), expires

    async def _registered(self, client_id: str) -> tuple[Client, float]:
        found = await self.resolve(client_id, "", (RP,))
        said, minors_mark = found.metadata[RP], self._settings.minors_mark
        by_word = "jwks" not in said and "signed_jwks_uri" in said
        ends = min(found.expires, self._clock() + KEYS_HOLD) if by_word else found.expires
        client = client_of(
            found.chain, jwks=await self._keys_of(found, RP) if by_word else None,
            minors=bool(minors_mark) and found.has_mark(minors_mark), now=self._clock(),
            ends=found.expires, scopes=self._scopes, purposes=self._purposes,
        )  # fmt: skip
        return client, ends

    async def _keys_of(self, found: Resolved, type: str) -> dict[str, Any]:
        """An application's keys: by value, signed by its federation key, or from an address (§5.2.1)."""
        said, chain = found.metadata[type], found.chain
        if "jwks" in said:
            return usable_keys(chain, said["jwks"])
        address = said.get("signed_jwks_uri") or said.get("jwks_uri")
        if not is_address(address):
            raise Distrusted("no-keys", chain.entity, 0)
        sealed = "signed_jwks_uri" in said

        async def asked() -> tuple[dict[str, Any], float]:
            jwks = await self._fetched(str(address), chain, sealed)
            return usable_keys(chain, jwks), min(found.expires, self._clock() + KEYS_HOLD)

        return await self._jwks.get(f"{chain.anchor} {chain.entity} {address}", asked)

    async def _fetched(self, address: str, chain: Chain, sealed: bool) -> object:
        try:
            answer = await self._fetch("GET", address, within=4.0, max_bytes=LARGEST)
            if not sealed:
                return answer.json()
        except FetchFailed:
            raise Distrusted("no-keys", chain.entity, 0) from None
        paper = signed(answer.body, "jwk-set+jwt", chain.entity, 0)
        paper.verify(chain.keys, chain.entity, 0)
        valid_until({"iat": 0, **paper.claims}, self._clock(), 1e11, chain.entity, 0, endless=True)
        if paper.claims.get("iss") != chain.entity or paper.claims.get("sub") != chain.entity:
            raise Distrusted("wrong-issuer", chain.entity, 0)
        return {"keys": paper.claims.get("keys")}


def limits_of(settings: TrustSettings) -> Limits:
    """The limits of a resolution as the settings have them."""
    return Limits(
        depth=settings.max_depth, fetches=settings.max_fetches, lifetime=float(settings.statement_lifetime)
    )
