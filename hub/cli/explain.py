"""`rongtong explain`: the questions a query would make, each with who is asked, and why not the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graphql import GraphQLError, parse, validate

from hub.app import Hub
from hub.cli.parts import built
from hub.cli.query import text_of, variables_of
from hub.cli.say import Refusal, dumps
from hub.executor.run import SchemaExecutor
from hub.sources.explaining import Explained, Explaining, MadeUp
from schema.graph.build import build_schema
from schema.model.codes import Level
from schema.model.viewer import Viewer


def run(file: str, variables: str, config: Path, as_json: bool) -> None:
    """The command."""
    found = asyncio.run(_explained(text_of(file), variables_of(variables), config))
    print(dumps([one.told() for one in found]) if as_json else "\n\n".join(shown(one) for one in found))


async def _explained(query: str, variables: dict[str, Any], config: Path) -> Sequence[Explained]:
    async with built(config, remembering=False) as hub:
        return await explained(hub, query, variables)


async def explained(hub: Hub, query: str, variables: dict[str, Any]) -> Sequence[Explained]:
    """Every distinct question of `query`, in the order in which it would first be asked."""
    executor = SchemaExecutor(build_schema())
    try:
        document = parse(query, max_tokens=2000)
        faults = validate(executor.schema, document)
    except GraphQLError as error:
        faults = [error]
    if faults:
        raise Refusal("；".join(fault.message for fault in faults[:3]), "INVALID_QUERY")
    viewer = Viewer(subject="explain", person_keys=frozenset({_somebody(hub)}))
    context = hub.context(viewer)
    region = hub.loaded.settings.hub.region
    county = next(iter(hub.divisions.children(region)), region)
    home = {"region_code": county, "school_code": "0000000000", "match_key": "…"}
    directory = Explaining(
        hub.registry.joined, hub.specs, MadeUp(home, {}), viewer, hub.divisions, context.now.date(), home
    )
    context.directory, context.catalogue = directory, None
    await executor.execute(document, variables=variables, operation_name=None, context=context)
    return list(directory.explained.values())


def _somebody(hub: Hub) -> str:
    """A key of a person at some source that holds persons, so that `me` leads somewhere."""
    faces = [face for face in hub.registry.faces() if "Person" in face.kinds and face.level is Level.COUNTY]
    return f"{faces[0].code}:…" if faces else ""


def shown(one: Explained) -> str:
    """One question as text."""
    question, lines = one.question, []
    lines.append(f"{question.kind} ← {', '.join(sorted(question.by)) or '全部 / all'}")
    lines.append(f"  字段 / fields: {', '.join(sorted(question.fields))}")
    lines += [
        f"  ✓ {a.source} ({a.level}) {'暂停中 / resting; ' if a.resting else ''}{a.why}"
        for a in one.route.asked
    ]
    lines += [f"  – {p.source} ({p.level}) {p.why}" for p in one.route.passed if "不提供" not in p.why]
    return "\n".join(lines)
