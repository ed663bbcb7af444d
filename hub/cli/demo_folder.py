"""The demonstration's folder: whose it is, the settings with everything filled in, the personas.

Rule 1: one demonstration at a time, and none in a folder that holds something else.
Rule 2: locks are held on directories, so that none can be left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from connectors.sandbox.country import Country
from connectors.sandbox.twins import FRONTENDS, ROSTER_COUNTIES
from hub.cli.say import dumps
from hub.cli.twin_processes import DemoFailed, Twin

LOCAL = "rongtong.local.toml"
"""The settings with everything filled in, while the demonstration runs; it holds passwords: 0600."""
PERSONAS = Path(".rongtong", "personas.json")
DATABASE = "mongo"
ORPHANS_LOOKS, ORPHANS_PAUSE = 400, 0.05


class FolderInUse(DemoFailed):
    """Another demonstration runs in the folder, or it is not a demonstration's."""

    code = "FOLDER_IN_USE"


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Have `folder` for ourselves, made when missing. What was made goes again if it stays empty.

    Raises `FolderInUse`.
    """
    made = [path for path in (folder / DATABASE, folder, *folder.parents) if not path.exists()]
    if folder.exists() and folder / DATABASE in made and any(folder.iterdir()):
        raise FolderInUse(
            f"{folder} 里有别的东西，不作演示之用；请用 --folder 另选 / it holds something else: "
            f"choose another with --folder"
        )
    (folder / DATABASE).mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with _opened(folder) as lock:
            if not _taken(lock):
                raise FolderInUse(
                    f"{folder} 里已有演示在运行；请先停掉它，或用 --folder 另选 / a demonstration runs there "
                    f"already: stop it, or choose another with --folder"
                )
            yield
    finally:
        with contextlib.suppress(OSError):
            for path in made:
                path.rmdir()


@contextlib.asynccontextmanager
async def deserted(folder: Path) -> AsyncIterator[int]:
    """Wait until what a killed demonstration has left behind is gone; yields the lock for our own twins."""
    with _opened(folder / DATABASE) as lock:
        for _ in range(ORPHANS_LOOKS):
            if _taken(lock):
                break
            await asyncio.sleep(ORPHANS_PAUSE)
        else:
            raise FolderInUse(
                f"{folder} 里上次演示的进程还没有结束；请停掉它们 / processes of the last "
                f"demonstration there have not ended: stop them"
            )
        yield lock


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def demo_files() -> Path:
    """The folder with the demonstration's settings and mappings, in the wheel or beside the sources."""
    inside = Path(__file__).with_name("demo_files")
    return inside if inside.is_dir() else Path(__file__).parents[2] / "docker" / "demo"


def furnish(folder: Path, people: Mapping[str, Mapping[str, Any]]) -> None:
    """Put the shipped settings, the mappings and the personas into the folder."""
    for file in demo_files().glob("*.toml"):
        shutil.copyfile(file, folder / file.name)
    (folder / PERSONAS).parent.mkdir(mode=0o700, exist_ok=True)
    _write_secret(folder / PERSONAS, dumps(people))


def personas_of(folder: Path) -> dict[str, dict[str, Any]] | None:
    """The personas of the demonstration in `folder`; None where there has been none."""
    try:
        people: dict[str, dict[str, Any]] = orjson.loads((folder / PERSONAS).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return people


@contextlib.contextmanager
def local_settings(
    folder: Path, twins: Mapping[str, Twin], country: Country, port: int, mongo_uri: str
) -> Iterator[Path]:
    """The shipped settings with addresses, port and database filled in, as a file for the other commands."""
    found = addresses(twins, country) | {"DEMO_HUB": f"http://127.0.0.1:{port}"}
    text = (folder / "rongtong.toml").read_text("utf-8")
    text = re.sub(r'"env:(DEMO_\w+)"', lambda name: dumps(found[name[1]]), text)
    head = "# 演示运行时生成，停止时删除 / made while the demonstration runs, removed when it stops.\n"
    tail = f"\n[server]\nport = {port}\n\n[storage]\nuri = {dumps(mongo_uri)}\n"
    path = folder / LOCAL
    _write_secret(path, head + text + tail)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def addresses(twins: Mapping[str, Twin], country: Country) -> dict[str, str]:
    """What the shipped settings leave open, by name."""
    found = {f"DEMO_{name.upper().replace('-', '_')}": twin.url for name, twin in twins.items()}
    found["DEMO_DATA_CENTRE_PASSWORD"] = twins["data-centre"].password
    for code in ROSTER_COUNTIES:
        found[f"DEMO_ROSTER_{code}"] = f"{twins['rosters'].url}/{code}"
        found[f"DEMO_ROSTER_{code}_TOKEN"] = f"{twins['rosters'].url}/{code}/token"
    for mirror in (1, 2, 3):
        found[f"DEMO_NATIONAL_{mirror}"] = f"{twins['national'].url}/m{mirror}"
    for name, path in (("repository", "oai"), ("school-repository", "oai"), ("school-lrs", "xapi")):
        found[f"DEMO_{name.upper().replace('-', '_')}"] += f"/{path}"
    found["DEMO_PROVINCE_PASSPORT_CAS"] = f"{twins['province-passport'].url}/cas"
    for word in ("login", "logout"):
        found[f"DEMO_NATION_PASSPORT_{word.upper()}"] = f"{twins['nation-passport'].url}/sso/{word}"
    for word in ("authorize", "token", "userinfo", "logout"):
        found[f"DEMO_CITY_PASSPORT_{word.upper()}"] = f"{twins['city-passport'].url}/oauth2/{word}"
    for name in FRONTENDS:
        for path in ("", "callback", "backchannel-logout"):
            word = f"DEMO_{name.upper()}_{path.upper().replace('-', '_')}".rstrip("_")
            found[word] = f"{twins[name].url}/{path}"
    found["DEMO_PLATFORM_TOKEN"] = f"{twins['platform'].url}/oauth/token"
    found["DEMO_SCHOOL_ROSTER_TOKEN"] = f"{twins['school-roster'].url}/token"
    found["DEMO_SCHOOL_0"] = country.schools[0].code
    found["DEMO_SCHOOL_1"] = country.schools_of("371502")[1].code
    return found


def _write_secret(path: Path, text: str) -> None:
    """Write a file whole, readable by nobody else from its first byte on."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)
