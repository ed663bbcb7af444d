"""The federation endpoints: configuration, fetch, list, resolve, trust mark status, historical keys (§8, §9).

Rule 1: whoever asks is nobody: no endpoint authenticates, none tells more than the papers it publishes.
Rule 2: a stranger's question makes us ask nobody else (§18.1): `resolve` tells what is remembered, and works
out chains only of those whom we vouch for ourselves.
Rule 3: errors are JSON with a code of §8.9 and plain ASCII; without the store 503 with Retry-After.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from auth.browser import MOST_FIELDS, form
from auth.errors import Denied, StoreDown
from auth.trust.authority import Authority
from auth.trust.chains import Chain, Metadata
from auth.trust.errors import Distrusted
from auth.trust.identifiers import WELL_KNOWN, is_entity
from auth.trust.marks import STATUS, Mark, Marks
from auth.trust.statements import STATEMENT
from auth.trust.subordinates import Subordinate

RESOLVED, KEY_SET = "resolve-response+jwt", "jwk-set+jwt"
_TRUE, _FALSE = "true", "false"


class Finding(Protocol):
    """What a resolution gives: `auth.trust.federation.Resolved`."""

    @property
    def chain(self) -> Chain: ...
    @property
    def metadata(self) -> Metadata: ...
    @property
    def marks(self) -> tuple[Mark, ...]: ...
    @property
    def ends(self) -> float: ...


class Finds(Protocol):
    """Resolves entities: `auth.trust.federation.Federation`."""

    @property
    def anchors(self) -> frozenset[str]: ...

    def known(self, entity_id: str, anchor: str = "") -> Finding | None: ...

    async def resolve(self, entity_id: str, anchor: str = "", types: Sequence[str] = ()) -> Finding: ...


class Refused(Exception):
    """An error answer: a code of §8.9, words in ASCII, a status."""

    def __init__(self, error: str, words: str, status: int = 400) -> None:
        super().__init__(words)
        self.error, self.words, self.status = error, words, status


Answer = Callable[[Request], Awaitable[Response]]


class Endpoints:
    """Answers for one authority."""

    def __init__(self, authority: Authority, marks: Marks, finds: Finds) -> None:
        self._authority, self._marks, self._finds = authority, marks, finds

    def routes(self) -> list[BaseRoute]:
        """All of them."""
        return [
            Route(WELL_KNOWN, _guarded(self._configuration)),
            Route("/federation/fetch", _guarded(self._fetch)),
            Route("/federation/list", _guarded(self._list)),
            Route("/federation/resolve", _guarded(self._resolve)),
            Route("/federation/trust_mark_status", _guarded(self._mark_status), methods=["POST"]),
            Route("/federation/historical_keys", _guarded(self._historical_keys)),
        ]

    async def _configuration(self, request: Request) -> Response:
        with contextlib.suppress(StoreDown):  # keys are noted again within the hour
            await self._authority.note_keys()
        return _paper(await self._authority.configuration(), STATEMENT)

    async def _fetch(self, request: Request) -> Response:
        sub = _one(_asked(request), "sub")
        if sub == self._authority.entity:
            raise Refused("invalid_request", "sub is the issuer itself: see its configuration")
        found = await self._authority.statement(sub) if is_entity(sub) else None
        if found is None:
            raise Refused("not_found", "not a subordinate of this entity", 404)
        return _paper(found, STATEMENT)

    async def _list(self, request: Request) -> Response:
        asked = _asked(request)
        marked, type = _flag(asked, "trust_marked"), _optional(asked, "trust_mark_type")
        wanted = [_has_types(asked.get("entity_type", ())), _is_intermediate(_flag(asked, "intermediate"))]
        if marked or type:
            holders = await self._marks.holders(type)
            wanted.append(lambda one: one.id in holders)
        found = await self._authority.subordinates.all()
        return JSONResponse([one.id for one in found if all(good(one) for good in wanted)])

    async def _resolve(self, request: Request) -> Response:
        asked = _asked(request)
        sub, types = _one(asked, "sub"), asked.get("entity_type", ())
        anchors = [each for each in asked.get("trust_anchor", ()) if each in self._finds.anchors]
        if not asked.get("trust_anchor"):
            raise Refused("invalid_request", "trust_anchor is required")
        if not anchors:
            raise Refused("invalid_trust_anchor", "no such trust anchor here", 404)
        found = await self._resolution(sub, anchors[0])
        return _paper(self._authority.signed(RESOLVED, _resolution(sub, found, types)), RESOLVED)

    async def _resolution(self, sub: str, anchor: str) -> Finding:
        known = self._finds.known(sub, anchor) or self._finds.known(sub)
        if known is not None and known.chain.anchor == anchor:
            return known
        ours = is_entity(sub) and (
            sub == self._authority.entity or await self._authority.subordinates.get(sub) is not None
        )
        if not ours:
            raise Refused("not_found", "not known here: only subordinates are looked up", 404)
        return await self._finds.resolve(sub, anchor)

    async def _mark_status(self, request: Request) -> Response:
        token = (await form(request)).get("trust_mark", "")
        if not token:
            raise Refused("invalid_request", "trust_mark is required")
        status = await self._marks.status(token)
        if status is None:
            raise Refused("not_found", "not a trust mark of this issuer", 404)
        return _paper(self._authority.signed(STATUS, {"trust_mark": token, "status": status}), STATUS)

    async def _historical_keys(self, request: Request) -> Response:
        keys = await self._authority.historical_keys()
        return _paper(self._authority.signed(KEY_SET, {"keys": keys}), KEY_SET)


def _resolution(sub: str, found: Finding, types: Sequence[str]) -> dict[str, Any]:
    """The claims of a resolve response (§8.3.2)."""
    chosen = {kind: said for kind, said in found.metadata.items() if not types or kind in types}
    marks = [{"trust_mark_type": mark.type, "trust_mark": mark.token} for mark in found.marks]
    claims = {"sub": sub, "exp": int(found.ends), "metadata": chosen, "trust_chain": found.chain.tokens}
    return claims | ({"trust_marks": marks} if marks else {})


def _has_types(types: Sequence[str]) -> Callable[[Subordinate], bool]:
    return lambda one: all(type in one.types for type in types)


def _is_intermediate(wanted: bool | None) -> Callable[[Subordinate], bool]:
    return lambda one: wanted is None or one.intermediate == wanted


def _asked(request: Request) -> dict[str, list[str]]:
    """Parameters, each with its values; at most as many as a form may have."""
    pairs = request.query_params.multi_items()
    if len(pairs) > MOST_FIELDS:
        raise Refused("invalid_request", "too many parameters")
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        if value:
            found.setdefault(name, []).append(value)
    return found


def _one(asked: Mapping[str, list[str]], name: str) -> str:
    value = _optional(asked, name)
    if not value:
        raise Refused("invalid_request", f"{name} is required")
    return value


def _optional(asked: Mapping[str, list[str]], name: str) -> str:
    values = asked.get(name, [""])
    if len(values) > 1:
        raise Refused("invalid_request", f"{name} is given twice")
    return values[0]


def _flag(asked: Mapping[str, list[str]], name: str) -> bool | None:
    value = _optional(asked, name)
    if value not in ("", _TRUE, _FALSE):
        raise Refused("invalid_request", f"{name} is true or false")
    return None if not value else value == _TRUE


def _paper(token: str, typ: str) -> Response:
    return Response(token, media_type=f"application/{typ}", headers=_PLAIN)


_PLAIN = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_CODES = {"no-anchor": ("invalid_trust_anchor", 404), "not-an-entity": ("invalid_subject", 404)}


def _refusal(reason: Distrusted) -> Refused:
    code, status = _CODES.get(reason.reason, ("invalid_trust_chain", 400))
    if reason.reason.startswith("policy-") or reason.reason == "unfit-metadata":
        code = "invalid_metadata"
    if reason.retry_after is not None:
        code, status = "temporarily_unavailable", 503
    return Refused(code, f"{reason.reason}: {reason.entity}", status)


def _guarded(answer: Answer) -> Answer:
    """Whatever is refused becomes an error answer (§8.9)."""

    async def guarded(request: Request) -> Response:
        try:
            return await answer(request)
        except Refused as refused:
            return _error(refused)
        except Distrusted as reason:
            return _error(_refusal(reason))
        except Denied as denied:
            return _error(Refused("invalid_request", denied.public.partition(" / ")[2], denied.status))
        except StoreDown as down:
            return _error(Refused("temporarily_unavailable", "try again soon", 503), down.retry_after)

    return guarded


def _error(refused: Refused, retry_after: float = 10.0) -> JSONResponse:
    words = "".join(char if " " <= char <= "~" and char not in '"\\' else "?" for char in refused.words)
    headers = {**_PLAIN, "Retry-After": str(max(1, round(retry_after)))} if refused.status == 503 else _PLAIN
    return JSONResponse({"error": refused.error, "error_description": words}, refused.status, headers)
