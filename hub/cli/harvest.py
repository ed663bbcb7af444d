"""`rongtong harvest`: read the resource catalogues of the sources into the hub's own."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from hub.catalogue.catalogue import Progress
from hub.cli.parts import built
from hub.cli.say import Refusal, dumps


def run(sources: list[str], config: Path, from_start: bool, as_json: bool) -> None:
    """The command; exit code 1 if a source could not be read to its end."""
    done = asyncio.run(_harvested(sources, config, from_start, quiet=as_json or not sys.stderr.isatty()))
    for progress in done:
        print(dumps(_told(progress)) if as_json else _line(progress))
    if any(progress.error for progress in done):
        raise SystemExit(1)


async def _harvested(sources: list[str], config: Path, from_start: bool, *, quiet: bool) -> list[Progress]:
    async with built(config) as hub:
        if hub.catalogue is None:
            raise Refusal("没有数据库，不能采集 / no database, nothing to harvest into", "DATABASE_REQUIRED")
        known = hub.catalogue.harvestable()
        if unknown := set(sources) - set(known):
            raise Refusal(
                f"不可采集：{', '.join(unknown)}；可采集 / can be: {', '.join(known)}", "UNKNOWN_SOURCE"
            )

        def show(progress: Progress) -> None:
            if not quiet:
                sys.stderr.write(f"\r{_line(progress)}\x1b[K")

        return [
            await hub.catalogue.harvest(source, show, from_start=from_start) for source in sources or known
        ]


def _told(progress: Progress) -> dict[str, object]:
    return {
        name: getattr(progress, name)
        for name in ("source", "records", "deleted", "total", "finished", "error")
    }


def _line(progress: Progress) -> str:
    of = f" / {progress.total}" if progress.total else ""
    end = f"✗ {progress.error}" if progress.error else "✓" if progress.finished else "…"
    return (
        f"{progress.source:<20}{progress.records}{of} 条 / records, {progress.deleted} 删除 / deleted {end}"
    )
