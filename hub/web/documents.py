"""Documents ready to run: parsed, measured and validated once, remembered by their hash.

Only good documents are remembered, so that nobody can fill the memory with refusals; entries and
bytes are bounded and the least recently used leaves first.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import DocumentNode, GraphQLError, GraphQLSchema, parse, validate

from hub.web.errors import MOST_ERRORS, Refusal
from hub.web.limits import Limits, Measured, measure, page_weights
from hub.web.merging import RULES, bound_merges

_OFF_LOOP = 300  # characters; the worst document of this length takes 3 ms, the worst of any 50 ms
_WEIGHT = 60  # bytes of syntax tree for a character of source, measured


@dataclass(frozen=True, slots=True)
class Ready:
    """A valid document with its measures."""

    document: DocumentNode
    measured: Measured


class InvalidDocument(Exception):
    """The document does not parse or does not validate; `errors` say why."""

    def __init__(self, errors: list[GraphQLError], code: str) -> None:
        super().__init__(code)
        self.errors = errors
        self.code = code


class Documents:
    """Makes documents ready for one schema. `entries` and `size` (bytes) bound what is remembered.

    Long documents not yet known are worked on one at a time (two threads would only share one
    interpreter, and take it from the loop); at most `pending` wait or are worked on, the rest is told
    to come back.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        limits: Limits,
        *,
        entries: int = 2000,
        size: int = 64 << 20,
        pending: int = 32,
    ) -> None:
        self._schema = schema
        self._limits = limits
        self._weights = page_weights(schema, limits)
        self._most = entries
        self._room = size
        self._used = 0
        self._known: OrderedDict[bytes, tuple[Ready, int]] = OrderedDict()
        self._turn = asyncio.Semaphore(1)
        self._pending = 0
        self._most_pending = pending

    def __len__(self) -> int:
        return len(self._known)

    async def ready(
        self, source: str, variables: Mapping[str, Any] | None, *, hide_suggestions: bool = False
    ) -> Ready:
        """The document, within the limits under these variables.

        Raises LimitExceeded, InvalidDocument; Refusal (503) when too many unknown ones wait.
        """
        key = hashlib.sha256(source.encode()).digest()
        if (known := self._recalled(key)) is not None:
            return self._measured_again(known, variables)
        if len(source) > _OFF_LOOP:
            return await self._made_aside(key, source, variables, hide_suggestions)
        ready = self._make(source, variables, hide_suggestions)
        self._remember(key, ready, len(source) * _WEIGHT)
        return ready

    async def _made_aside(
        self, key: bytes, source: str, variables: Mapping[str, Any] | None, hide: bool
    ) -> Ready:
        """The document, made in a thread when its turn comes, unless somebody had it made meanwhile."""
        if self._pending >= self._most_pending:
            raise Refusal(
                503, "OVERLOADED", "服务繁忙，请稍后再试 / busy: try again later", {"Retry-After": "1"}
            )
        self._pending += 1
        try:
            async with self._turn:
                if (known := self._recalled(key)) is not None:
                    return self._measured_again(known, variables)
                ready = await asyncio.to_thread(self._make, source, variables, hide)
                self._remember(key, ready, len(source) * _WEIGHT)
                return ready
        finally:
            self._pending -= 1

    def _recalled(self, key: bytes) -> Ready | None:
        known = self._known.get(key)
        if known is None:
            return None
        self._known.move_to_end(key)
        return known[0]

    def _measured_again(self, ready: Ready, variables: Mapping[str, Any] | None) -> Ready:
        if ready.measured.paged_by_variables:
            measure(ready.document, self._limits, variables, self._weights)
        return ready

    def _make(self, source: str, variables: Mapping[str, Any] | None, hide: bool) -> Ready:
        document = self._parse(source)
        measured = measure(document, self._limits, variables, self._weights)
        if measured.merges:
            bound_merges(document, self._limits)
        errors = validate(self._schema, document, RULES, max_errors=MOST_ERRORS - 1, hide_suggestions=hide)
        if errors:
            raise InvalidDocument(errors, "GRAPHQL_VALIDATION_FAILED")
        return Ready(document, measured)

    def _parse(self, source: str) -> DocumentNode:
        try:
            return parse(
                source,
                max_lexical_tokens=self._limits.tokens,
                max_comments=self._limits.comments,
                max_source_length=self._limits.source_length,
            )
        except GraphQLError as error:
            raise InvalidDocument([error], "GRAPHQL_PARSE_FAILED") from None

    def _remember(self, key: bytes, ready: Ready, weight: int) -> None:
        if key in self._known or weight > self._room:
            return
        self._known[key] = (ready, weight)
        self._used += weight
        while len(self._known) > self._most or self._used > self._room:
            _, (_, freed) = self._known.popitem(last=False)
            self._used -= freed
