"""What an answer says of itself: where each part came from, how old it is, who is silent.

Paths leave list positions out and sources are numbered, so that the account stays small beside the data.
"""

from __future__ import annotations

from typing import Any

from schema.graph.context import Context, Diary, Silence, Sources

MOST_PATHS = 200


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
    """`sources`: those that took part, numbered by place. `paths`: path -> [[number, records, age in s]].

    A fourth item `true` marks a remembered copy past its freshness. `account`: asked, answered, stale.
    `pathsLeftOut` counts those beyond `MOST_PATHS`, if there are any.
    """
    numbers: dict[str, int] = {}
    paths = {
        path: [
            [numbers.setdefault(source, len(numbers)), count, max(0, round(now - oldest, 1))]
            + ([True] if stale else [])
            for source, (count, oldest, stale) in origins.items()
        ]
        for path, origins in list(diary.origins.items())[:MOST_PATHS]
    }
    left_out = len(diary.origins) - len(paths)
    return {
        "sources": [_named(code, sources) for code in numbers],
        "paths": paths,
        "account": {
            "asked": len(diary.account.asked),
            "answered": len(diary.account.answered),
            "stale": list(diary.account.stale),
        },
        **({"pathsLeftOut": left_out} if left_out else {}),
    }


def _named(code: str, sources: Sources) -> dict[str, str]:
    face = sources.face(code)
    if face is None:
        return {"code": code, "level": "NATIONAL", "protocol": "hub"}
    return {"code": code, "name": face.name, "level": face.level.value, "protocol": face.protocol}


def _silent(diary: Diary, silence: Silence, sources: Sources) -> dict[str, Any]:
    face = sources.face(silence.source)
    return {
        "source": silence.source,
        "name": face.name if face else silence.source,
        "level": silence.level.value,
        "code": silence.code,
        "reason": silence.reason,
        "remembered": silence.source in diary.account.stale,
        "paths": sorted(path for path, source in diary.gaps if source == silence.source)[:9],
    }
