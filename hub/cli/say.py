"""How commands speak: tables for people, one line of JSON for scripts, refusals that say what to do."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import orjson


class Refusal(Exception):
    """A command ends here: a message for people, a code for scripts, exit code 1."""

    def __init__(self, message: str, code: str = "FAILED") -> None:
        super().__init__(message)
        self.code = code

    def show(self) -> NoReturn:
        """Print to standard error and end."""
        if "--json" in sys.argv:
            print(dumps({"error": {"code": self.code, "message": str(self)}}))
        else:
            print(f"✗ {self}  [{self.code}]", file=sys.stderr)
        raise SystemExit(1)


def refusal_of(error: Exception) -> Refusal | None:
    """The refusal that a known error is; None for a fault of ours, which keeps its traceback."""
    code = getattr(error, "code", None)
    known = isinstance(code, str) or type(error).__name__ in ("PortTaken", "DemoFailed", "StorageDown")
    return Refusal(str(error), code if isinstance(code, str) else type(error).__name__) if known else None


def dumps(value: Any) -> str:
    """One line of JSON, Chinese unescaped."""
    return orjson.dumps(value, default=str).decode()


def pretty(value: Any) -> str:
    """Indented JSON, Chinese unescaped."""
    return orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2).decode()


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table for people; colours only on a terminal that wants them."""
    from rich.console import Console
    from rich.table import Table

    shown = Table(title=title)
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*row)
    Console().print(shown)


def out(value: Mapping[str, Any] | Sequence[Any], as_json: bool, otherwise: str = "") -> None:
    """JSON for scripts, text for people."""
    print(dumps(value) if as_json else otherwise or pretty(value))
