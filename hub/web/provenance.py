"""What an answer says of itself: where each part came from, how old it is, who is silent.

`extensions.provenance`, on request:

    {"sources": ["c371502-roster C oneroster 12", "sd-data P sql 0", "regions N hub 360"],
     "paths": {"me": {"": 0, "school.county": 2, "studentRoll": [0, [1, 86400]], "accounts": {"3": [0, 1]}}},
     "account": {"asked": 3, "answered": 2, "stale": ["sd-data"]}, "pathsLeftOut": 4}

sources  one line each: code, level (N P M C S), protocol, age in whole seconds of the oldest part of it here;
         names are in `platforms`
paths    a tree of response keys, an only way down written with dots; "" is what stands at that very path.
         List positions and `nodes` are left out; so is whatever comes from just whom the path above it does
origins  places in `sources`: one by itself, several as a list, each of which gave one record there; where
         somebody gave more, an object from how many to who. [place, age] in place of a place marks a
         remembered copy past its freshness, with its own age in seconds
account  how many were asked; how many answered, unless all did; `stale` and `pathsLeftOut` if there are any

`extensions.silent`, always: one entry a source that gave nothing usable, so that no list is silently short.
`remembered`: a copy stood in everywhere; `missing`: the paths where none did.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schema.graph.context import HUB, Context, Diary, Silence, Sources

MOST_PATHS = 200
MOST_NAMED = 9
"""Most paths that are named for one silent source."""

Origins = dict[str, tuple[int, float, bool]]
"""By source: records, the oldest fetch in seconds since 1970, whether one is past its freshness."""


def extensions(context: Context, *, wanted: bool) -> dict[str, Any] | None:
    """`provenance` when `wanted`; `silent` always when somebody is: a short list never looks whole."""
    said: dict[str, Any] = {}
    if wanted:
        said["provenance"] = provenance(context.diary, context.sources, context.now.timestamp())
    if context.diary.account.silent:
        said["silent"] = [
            _silent(context.diary, silence, context.sources) for silence in context.diary.account.silent
        ]
    return said or None


def provenance(diary: Diary, sources: Sources, now: float) -> dict[str, Any]:
    """The account of an answer, in the shape above; `now` in seconds since 1970."""
    kept = dict(list(diary.origins.items())[:MOST_PATHS])
    numbers: dict[str, int] = {}
    oldest: dict[str, float] = {}
    for origins in kept.values():
        for source, (_, fetched, _) in origins.items():
            numbers.setdefault(source, len(numbers))
            oldest[source] = min(oldest.get(source, fetched), fetched)
    told = {path: _origins(origins, numbers, now) for path, origins in _steps(kept).items()}
    account, left_out = diary.account, len(diary.origins) - len(kept)
    return {
        "sources": [_line(code, sources, _age(now, oldest[code])) for code in numbers],
        "paths": _tree(told),
        "account": {
            "asked": len(account.asked),
            **({"answered": len(account.answered)} if len(account.answered) < len(account.asked) else {}),
            **({"stale": list(account.stale)} if account.stale else {}),
        },
        **({"pathsLeftOut": left_out} if left_out else {}),
    }


def _steps(paths: Mapping[str, Origins]) -> dict[tuple[str, ...], Origins]:
    """Paths as steps without `nodes`; those that are one path then are one."""
    found: dict[tuple[str, ...], Origins] = {}
    for path, origins in paths.items():
        steps = tuple(path.split("."))
        here = found.setdefault(tuple(step for step in steps if step != "nodes") or steps, {})
        for source, (count, oldest, stale) in origins.items():
            before, old, was = here.get(source, (0, oldest, False))
            here[source] = (before + count, min(old, oldest), was or stale)
    return found


def _origins(origins: Origins, numbers: Mapping[str, int], now: float) -> Any:
    """One path's origins, as short as they can be told."""
    by_count: dict[str, list[Any]] = {}
    for source, (count, oldest, stale) in origins.items():
        who = [numbers[source], _age(now, oldest)] if stale else numbers[source]
        by_count.setdefault(str(count), []).append(who)
    told = {count: who if who[1:] or isinstance(who[0], list) else who[0] for count, who in by_count.items()}
    return told["1"] if told.keys() == {"1"} else told


def _tree(told: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    """Paths that begin alike share their beginning."""
    root: dict[str, Any] = {}
    for steps, origins in told.items():
        node = root
        for step in steps:
            node = node.setdefault(step, {})
        node[""] = origins
    return _packed(root, None) or {}


def _packed(node: Mapping[str, Any], above: Any) -> Any:
    """What a branch tells beyond `above`, the origins of the path it hangs from; None: nothing."""
    own = node.get("", above)
    said: dict[str, Any] = {} if own == above else {"": own}
    for step, branch in node.items():
        below = _packed(branch, own) if step else None
        if isinstance(below, dict) and len(below) == 1 and not next(iter(below)).isdecimal():
            ((way, below),) = below.items()
            step = f"{step}.{way}"
        if below is not None:
            said[step] = below
    return said[""] if said.keys() == {""} else said or None


def _age(now: float, fetched: float) -> int:
    return max(0, round(now - fetched))


def _line(code: str, sources: Sources, age: int) -> str:
    face = sources.face(code)
    return f"{code} {face.level.value[0]} {face.protocol} {age}" if face else f"{code} N {HUB} {age}"


def _silent(diary: Diary, silence: Silence, sources: Sources) -> dict[str, Any]:
    face = sources.face(silence.source)
    gaps = {path: gap for (path, source), gap in diary.gaps.items() if source == silence.source}
    return {
        "source": silence.source,
        "name": face.name if face else "融通" if silence.source == HUB else silence.source,
        "level": silence.level.value,
        "code": silence.code,
        "reason": silence.reason,
        "remembered": silence.remembered,
        "paths": sorted(gaps)[:MOST_NAMED],
        "missing": sorted(path for path, gap in gaps.items() if not gap.remembered)[:MOST_NAMED],
    }
