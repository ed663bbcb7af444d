"""How each source's part of the catalogue stands: held, how old, why not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from hub.clock import Clock
from hub.mongo import Collection, Document
from hub.sources.asking import Joined
from hub.sources.registry import Registry, rfc3339
from schema.graph.context import Account, Silence
from schema.model.words import Kind

NEVER = "NOT_HARVESTED"


def harvestable(registry: Registry) -> dict[str, Joined]:
    """The sources whose resources can be read whole, by code."""
    offers = ((source, source.connector.capabilities.offers.get(Kind.RESOURCE)) for source in registry)
    return {source.face.code: source for source, offer in offers if offer is not None and offer.harvest}


def offering(registry: Registry) -> list[Joined]:
    """All sources that have resources, harvestable or not."""
    return [source for source in registry if Kind.RESOURCE in source.connector.capabilities.offers]


def held(state: Mapping[str, Any]) -> bool:
    """Whether the catalogue holds anything of a source: a pass ended, or part of the first one is written."""
    return bool(state) and (state.get("finished_at") is not None or state.get("read", 0) > 0)


def stale(state: Mapping[str, Any], now: float, every: float) -> bool:
    """Whether a source's part is older than two harvests, or its last harvest broke off."""
    finished = state.get("finished_at")
    return finished is None or bool(state.get("error")) or now - finished > 2 * every


def account(
    sources: Iterable[Joined], states: Mapping[str, Mapping[str, Any]], now: float, every: float
) -> Account:
    """Who is in the catalogue's answer, who is not and why."""
    asked = sorted(sources, key=lambda source: source.face.code)
    own = {source.face.code: states.get(source.face.code, {}) for source in asked}
    return Account(
        tuple(own),
        tuple(code for code, state in own.items() if held(state)),
        tuple(_silence(source, own[source.face.code]) for source in asked if not held(own[source.face.code])),
        tuple(code for code, state in own.items() if held(state) and stale(state, now, every)),
    )


def _silence(source: Joined, state: Mapping[str, Any]) -> Silence:
    error = state.get("error") or {}
    reason = error.get("detail") or "目录尚未采集该来源 / not harvested into the catalogue yet"
    if not source.connector.capabilities.offers[Kind.RESOURCE].harvest:
        reason = "该来源不可采集，目录中没有 / cannot be harvested, so the catalogue has nothing of it"
    return Silence(source.face.code, source.face.level, error.get("code") or NEVER, reason)


async def status(
    kept: Collection, states: Mapping[str, Document], registry: Registry, clock: Clock, every: float
) -> list[dict[str, Any]]:
    """For each harvestable source: what the catalogue holds of it, how old that is, what went wrong.

    `checkpoint_age`: seconds since the last pass ended, None while none has; times RFC 3339.
    """
    rows = []
    for code, source in harvestable(registry).items():
        state = states.get(code, {})
        error, finished = state.get("error") or {}, state.get("finished_at")
        rows.append({
            "source": code,
            "level": source.face.level.value,
            "records": await kept.count({"source": code, "live": True}),
            "last_harvest": rfc3339(finished) if finished is not None else None,
            "checkpoint_age": round(clock.epoch() - finished, 3) if finished is not None else None,
            "interrupted": bool(state.get("open")),
            "harvesting": _running(state, clock),
            "stale": stale(state, clock.epoch(), every),
            "refused": state.get("refused", 0),
            "error": f"{error['code']}: {error['detail']}" if error else "",
        })  # fmt: skip
    return rows


def _running(state: Mapping[str, Any], clock: Clock) -> bool:
    until = (state.get("lease") or {}).get("until", datetime.min.replace(tzinfo=UTC))
    return bool(until > clock.now())
