"""Which settings file a command means: the one named, ./rongtong.toml, or a running demonstration's."""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

from hub.cli.say import Refusal

DEFAULT = Path("rongtong.toml")
DEMO = Path(".rongtong/demo")
RUNNING = DEMO / "rongtong.local.toml"
"""What a demonstration writes while it runs: `hub.cli.demo_folder.LOCAL`."""


def of_a_hub(named: Path | None) -> Path:
    """The settings of a hub that is looked at; raises `Refusal` where there are none."""
    if named is not None:
        return named
    if DEFAULT.exists():
        return DEFAULT
    if RUNNING.exists() and _held(DEMO):
        _tell_people(f"使用演示的设置 / the demonstration's settings: {RUNNING}")
        return RUNNING
    raise Refusal(
        f"这里没有 {DEFAULT}，也没有演示在运行；请先运行 make demo，或写明 -c 设置文件 / "
        f"no {DEFAULT} here, and no demonstration runs: run make demo first, or name a file with -c FILE",
        "NO_SETTINGS",
    )


def of_ours(named: Path | None) -> Path:
    """The settings of a hub to be run; a demonstration's are in use already."""
    if named is not None or DEFAULT.exists():
        return named or DEFAULT
    raise Refusal(
        f"这里没有 {DEFAULT}；请以 docker/rongtong.toml 为样本写一份，或写明 -c 设置文件 / "
        f"no {DEFAULT} here: write one after docker/rongtong.toml, or name a file with -c FILE",
        "NO_SETTINGS",
    )


def to_be_written(named: Path | None, write: bool) -> Path:
    """The settings that a source is tried with, or added to; a file may be begun with its first source."""
    found = named or (DEFAULT if write and not DEFAULT.exists() and not RUNNING.exists() else of_a_hub(None))
    if write and found.name == RUNNING.name:
        raise Refusal(
            f"{found} 在演示停止时删除，不能写入；请写明自己的设置文件，如 -c {DEFAULT} / it goes when the "
            f"demonstration stops: name a file of your own, such as -c {DEFAULT}",
            "DEMO_SETTINGS",
        )
    return found


def _held(folder: Path) -> bool:
    """Whether a demonstration holds the lock on its folder: a killed one leaves its settings behind."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _tell_people(text: str) -> None:
    if "--json" not in sys.argv:
        print(text, file=sys.stderr)
