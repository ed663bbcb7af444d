"""The store the gate asks for: documents in MongoDB's query language, handed in by whoever owns the driver.

Rule 1: a caller's value is only ever compared with `{"$eq": value}`; filters come from our own code.
Rule 2: what may happen once is taken by one atomic step (`find_one_and_update`, a unique `_id`), never by
a read and a write.
Rule 3: secrets (codes, tokens, cookies) are kept as SHA-256 only: `kept(secret)`.
Rule 4: dates are aware datetimes in UTC; `expires` has a TTL index, and is checked on reading all the same.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Document = dict[str, Any]
Filter = Mapping[str, Any]
Update = Mapping[str, Any]
Order = Sequence[tuple[str, int]]


class Documents(Protocol):
    """One collection. Every method raises `StoreDown` when no server answers, and nothing was done then
    (or nobody can say that it was); `insert_one` and upserts raise `Taken` when a unique key exists."""

    async def find_one(self, where: Filter) -> Document | None: ...

    async def find(self, where: Filter, *, limit: int, order: Order | None = None) -> list[Document]: ...

    def stream(self, where: Filter, *, order: Order | None = None) -> AsyncIterator[Document]: ...

    async def count(self, where: Filter, *, limit: int | None = None) -> int: ...

    async def insert_one(self, document: Document) -> None: ...

    async def update_one(self, where: Filter, update: Update, *, upsert: bool = False) -> int:
        """Change the first match; how many were matched or inserted."""
        ...

    async def update_many(self, where: Filter, update: Update) -> int: ...

    async def find_one_and_update(
        self, where: Filter, update: Update, *, upsert: bool = False, before: bool = False
    ) -> Document | None: ...

    async def find_one_and_delete(self, where: Filter) -> Document | None: ...

    async def delete_one(self, where: Filter) -> int: ...

    async def delete_many(self, where: Filter) -> int: ...


class Store(Protocol):
    """Hands out collections by name; `declare` makes their indexes (called once, before the first use)."""

    def collection(self, name: str) -> Documents: ...

    async def declare(self, indexes: Sequence[IndexSpec]) -> None: ...


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """An index: `keys` as (field, 1 | -1); `ttl`: documents go when the (one) date field has passed."""

    collection: str
    keys: tuple[tuple[str, int], ...]
    unique: bool = False
    ttl: bool = False
    partial: tuple[tuple[str, Any], ...] = ()
    """Only documents that match this filter are indexed (for uniqueness among some)."""


def expiring(collection: str, field: str = "expires") -> IndexSpec:
    """The TTL index of a collection whose documents go when `field` has passed."""
    return IndexSpec(collection, ((field, 1),), ttl=True)


def secret(bits: int = 256) -> str:
    """A fresh random secret, URL-safe, without padding."""
    return secrets.token_urlsafe(bits // 8)


def kept(value: str) -> str:
    """How a secret is kept and looked up: hexadecimal SHA-256. Only for secrets of 128 bits or more."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
