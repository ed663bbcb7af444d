"""What a person is told when the demonstration is ready: where to look first."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from hub.app import TITLES
from hub.cli.demo_folder import LOCAL
from hub.cli.say import console, plain
from schema.model.codes import Level

NAME = "rongtong"
USUAL_PORT, USUAL_FOLDER = ":8000", Path(".rongtong/demo")


def welcome(told: Mapping[str, Any], folder: Path) -> None:
    """Print it: addresses, sources from the nation down, personas, and commands to go on with."""
    screen = console()
    screen.print()
    screen.print("[bold green]融通已就绪[/] / Rongtong is ready")
    sections = (
        ("地址 / addresses", _addresses(told)),
        ("五级来源 / sources of five levels", _sources(told)),
        ("演示人物 / demo personas", _people(told)),
        ("登录试用的应用 / applications to sign in to", _applications(told)),
        ("任一级的演示账号，均为合成 / demo accounts of every level, synthetic", _users(told)),
        ("接着试 / go on with", _commands(told, folder)),
    )
    for title, rows in sections:
        screen.print()
        screen.print(f"[bold]{title}[/]")
        screen.print(_grid(rows))
    screen.print()
    screen.print("按 Ctrl-C 停止 / Ctrl-C stops it.")


def _grid(rows: list[tuple[str, ...]]) -> Any:
    from rich.padding import Padding
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    for _ in rows[0]:
        grid.add_column(overflow="fold")
    for row in rows:
        grid.add_row(*map(plain, row))
    return Padding(grid, (0, 0, 0, 2), expand=False)


def _addresses(told: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [
        ("查询页 / query page", told["page"]),
        ("GraphQL", told["graph"]),
        ("SDL", told["schema"]),
    ]


def _sources(told: Mapping[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for level, group in groupby(told["sources"], lambda source: source["level"]):
        for number, source in enumerate(group):
            pid = str(source["pid"] or "文件 / files")
            title = "" if number else Level(level).zh
            rows.append((title, source["name"], source["code"], source["protocol"], pid))
    return [("级别", "名称", "代码 / code", "协议 / tongue", "进程 / pid"), *rows]


def _people(told: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [(name, *TITLES.get(name, (name, name))) for name in told["tokens"]]


def _applications(told: Mapping[str, Any]) -> list[tuple[str, ...]]:
    rows = [(each["name"], each["name_en"], each["address"]) for each in told["applications"]]
    return [*rows, ("我的账号", "my account", f"{told['issuer']}/account")]


def _users(told: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """One line a person: login and password, the same wherever they have an account, and at which levels."""
    people: dict[tuple[str, str, str], list[str]] = {}
    for each in told["users"]:
        people.setdefault((each["persona"], each["login"], each["password"]), []).append(each["level"])
    rows = [
        (TITLES.get(persona, (persona,))[0], login, password, "、".join(Level(level).zh for level in levels))
        for (persona, login, password), levels in people.items()
    ]
    return [("人物 / persona", "用户名 / login", "密码 / password", "级别 / levels"), *rows]


def _program() -> str:
    """How this person can start us: by name if it is on the path, else as they did."""
    typed = sys.argv[0]
    return typed if Path(typed).name == NAME and not shutil.which(NAME) else NAME


def _commands(told: Mapping[str, Any], folder: Path) -> list[tuple[str, ...]]:
    us = shlex.quote(_program())
    config = shlex.quote(str(folder / LOCAL))
    url = told["page"].rstrip("/")
    more = "" if url.endswith(USUAL_PORT) else f" --url {url}"
    more += "" if folder == USUAL_FOLDER else f" --folder {shlex.quote(str(folder))}"
    return [
        ("提问 / ask", f"{us} query q.graphql --as teacher{more}"),
        ("会问谁 / who is asked", f"{us} explain q.graphql -c {config}"),
        ("探测来源 / probe", f"{us} sources check -c {config}"),
        ("采集目录 / harvest", f"{us} harvest -c {config}"),
        ("体检 / examine", f"{us} doctor -c {config}"),
    ]
