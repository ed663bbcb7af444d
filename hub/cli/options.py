"""Options that the words of several commands share; their help stands here once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", envvar="RONGTONG_CONFIG",
        help="设置文件，缺省为 ./rongtong.toml，再次为运行中的演示的 / settings file; by default "
        "./rongtong.toml, else the running demonstration's.",
    ),
]  # fmt: skip
Json = Annotated[bool, typer.Option("--json", help="输出一行 JSON / print one line of JSON.")]
