"""How commands speak: tables for people, one line of JSON for scripts, refusals that say what to do."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import orjson

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

WIDE = 160
"""Columns of a table that goes into a file or a pipe."""


class Refusal(Exception):
    """A command ends here: a message for people, a code for scripts, exit code 1."""

    def __init__(self, message: str, code: str = "FAILED") -> None:
        super().__init__(message)
        self.code = code

    def show(self) -> NoReturn:
        """Print and end: to standard output for scripts, to standard error for people."""
        if "--json" in sys.argv:
            print(dumps({"error": {"code": self.code, "message": str(self)}}))
        else:
            print(f"✗ {printable(str(self))}  [{self.code}]", file=sys.stderr)
        raise SystemExit(1)


def refusal_of(error: Exception) -> Refusal | None:
    """The refusal that a known error is; None for a fault of ours, which keeps its traceback."""
    code = getattr(error, "code", None)
    if isinstance(code, str):
        return Refusal(str(error), code)
    if flaws := getattr(error, "flaws", ()):  # of a mapping file: as many as one line can tell
        more = f"（共 {len(flaws)} 处 / {len(flaws)} in all）" if len(flaws) > 1 else ""
        return Refusal(f"{flaws[0]}{more}", "MAPPING_REFUSED")
    if isinstance(error, OSError) and error.filename:
        return Refusal(f"{error.filename}：{error.strerror} / cannot be used", "FILE_UNUSABLE")
    return None


def dumps(value: Any) -> str:
    """One line of JSON, Chinese unescaped."""
    return orjson.dumps(value, default=str).decode()


def pretty(value: Any) -> str:
    """Indented JSON, Chinese unescaped."""
    return orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2).decode()


def printable(text: str) -> str:
    """Text that cannot steer a terminal, wherever it came from."""
    return "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text)


def plain(text: str) -> Text:
    """Text of a table's cell: brackets in it are brackets, not markup."""
    from rich.text import Text

    return Text(printable(text))


def console() -> Console:
    """Standard output; colours only on a terminal that wants them (NO_COLOR), wide where nobody looks."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table for people."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    shown = Table(title=title, box=SIMPLE_HEAD, title_justify="left", title_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*map(plain, row))
    console().print(shown)
