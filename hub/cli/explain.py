"""`rongtong explain`: the questions a query would make, each with who is asked, and why not the others."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from graphql import GraphQLError, parse, validate

from hub.app import Hub
from hub.cli.parts import built
from hub.cli.query import text_of, variables_of
from hub.cli.say import Refusal, dumps, printable
from hub.executor.run import SchemaExecutor
from hub.sources.explaining import Explained, Explaining, MadeUp
from hub.sources.routing import Asked, Passed
from schema.graph.build import build_schema
from schema.model.codes import LEVELS, Level
from schema.model.viewer import Viewer

WIDTH = 110


def run(file: str, variables: str, config: Path, as_json: bool) -> None:
    """The command."""
    found = asyncio.run(_explained(text_of(file), variables_of(variables), config))
    print(dumps([one.told() for one in found]) if as_json else printable(shown(found)))


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


def shown(found: Sequence[Explained]) -> str:
    """All questions as text, numbered; sources that share a reason share its line."""
    if not found:
        return "这个查询不问任何来源 / this query asks no source"
    return "\n\n".join(_question(number, one) for number, one in enumerate(found, 1))


def _question(number: int, one: Explained) -> str:
    question, route = one.question, one.route
    by = ", ".join(sorted(question.by)) or "全部 / all"
    lines = [f"{number}. {question.kind} ← {by}", *_wrapped("字段 / fields: ", sorted(question.fields))]
    lines += _asked(route.asked) or ["   ✗ 没有来源可问 / there is nobody to ask"]
    return "\n".join([*lines, *_passed(route.passed)])


def _asked(asked: Sequence[Asked]) -> list[str]:
    groups: dict[tuple[str, bool], list[Asked]] = {}
    for one in asked:
        groups.setdefault((one.why, one.resting), []).append(one)
    lines = []
    for (why, resting), group in groups.items():
        lines.append(f"   ✓ 询问 / asked: {why}{'；暂停中 / resting' if resting else ''}")
        lines += _by_level((one.level, one.source) for one in group)
    return lines


def _passed(passed: Sequence[Passed]) -> list[str]:
    groups: dict[str, list[Passed]] = {}
    for one in passed:
        groups.setdefault(one.why, []).append(one)
    lines = []
    for why, group in groups.items():
        lines.append(f"   – 不问 / not asked: {why}")
        lines += _by_level((one.level, one.source) for one in group)
    return lines


def _by_level(sources: Iterable[tuple[Level, str]]) -> list[str]:
    """Sources level by level, from the nation down, wrapped."""
    codes: dict[Level, list[str]] = {}
    for level, source in sources:
        codes.setdefault(level, []).append(source)
    return [
        line
        for level in LEVELS
        if level in codes
        for line in _wrapped(f"    {level.zh} ", codes[level], separator=" ")
    ]


def _wrapped(head: str, words: Sequence[str], separator: str = ", ") -> list[str]:
    return textwrap.wrap(
        separator.join(words), WIDTH, initial_indent=f"   {head}", subsequent_indent=" " * 10,
        break_on_hyphens=False, break_long_words=False,
    )  # fmt: skip
