"""`rongtong harvest`: read the resource catalogues of the sources into the hub's own."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from hub.catalogue.catalogue import Progress
from hub.cli.parts import built
from hub.cli.say import Refusal, dumps, printable


def run(sources: list[str], config: Path, from_start: bool, as_json: bool) -> None:
    """The command; exit code 1 if a source could not be read to its end."""
    done = asyncio.run(_harvested(sources, config, from_start, quiet=as_json or not sys.stderr.isatty()))
    print(dumps([_told(one) for one in done]) if as_json else printable("\n".join(map(_line, done))))
    if any(progress.error for progress in done):
        raise SystemExit(1)


async def _harvested(sources: list[str], config: Path, from_start: bool, *, quiet: bool) -> list[Progress]:
    async with built(config) as hub:
        if hub.catalogue is None:
            raise Refusal("没有数据库，不能采集 / no database, nothing to harvest into", "DATABASE_REQUIRED")
        known = hub.catalogue.harvestable()
        if unknown := sorted(set(sources) - set(known)):
            raise Refusal(
                f"不可采集：{', '.join(unknown)}；可采集 / can be: {', '.join(known)}", "UNKNOWN_SOURCE"
            )
        with _bars(quiet) as show:
            return [
                await hub.catalogue.harvest(source, show, from_start=from_start)
                for source in dict.fromkeys(sources or known)
            ]


@contextlib.contextmanager
def _bars(quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """A progress bar a source, on standard error, for people who look on."""
    if quiet:
        yield lambda _progress: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description:<20}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, int] = {}

        def show(progress: Progress) -> None:
            if progress.source not in tasks:
                tasks[progress.source] = bars.add_task(progress.source, total=None)
            task = bars.tasks[tasks[progress.source]].id
            bars.update(task, completed=progress.records, total=progress.total)

        yield show


def _told(progress: Progress) -> dict[str, object]:
    names = ("source", "records", "deleted", "refused", "total", "finished", "error")
    return {name: getattr(progress, name) for name in names}


def _line(progress: Progress) -> str:
    of = f" / {progress.total}" if progress.total else ""
    end = f"✗ {progress.error}" if progress.error else "✓" if progress.finished else "…"
    refused = f", {progress.refused} 未收 / refused" if progress.refused else ""
    return (
        f"{progress.source:<20}{progress.records}{of} 条 / records, {progress.deleted} 删除 / deleted"
        f"{refused} {end}"
    )
