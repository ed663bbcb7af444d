"""`rongtong demo`: a database, a country of five levels and the hub, all real, in one command.

Whatever is started is a child of this process and ends with it; the state folder stays, so that a second
start is quick. `--fresh` begins with an empty one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from connectors.sandbox.country import Country
from connectors.sandbox.twins import ROSTER_COUNTIES
from hub.app import Hub, build, create_app
from hub.cli.listen import serving
from hub.cli.say import dumps
from hub.embedded import EmbeddedMongo
from hub.settings import Loaded, Settings, load

PROCESSES: dict[str, tuple[str, ...]] = {
    "national": ("smartedu",),
    "repository": ("sd-repository",),
    "data-centre": ("sd-data",),
    "exchange": ("lc-exchange",),
    "platform": ("lc-platform",),
    "rosters": tuple(f"c{code}-roster" for code in ROSTER_COUNTIES),
    "school-roster": ("s-roster",),
    "school-lrs": ("s-lrs",),
    "school-repository": ("s-repository",),
}
"""Twin process -> the sources that it speaks for."""

PATIENCE = 60.0


class DemoFailed(RuntimeError):
    """The demonstration cannot start; the message says which part, and what it said."""


@dataclass(slots=True)
class Twin:
    """A twin's process, once it is ready; `url` its address, `pid` who to kill to silence it."""

    name: str
    process: asyncio.subprocess.Process
    url: str
    pid: int
    password: str = field(default="", repr=False)


@dataclass(slots=True)
class Demo:
    """Everything that runs, once it runs."""

    hub: Hub
    url: str
    twins: dict[str, Twin]
    mongo: EmbeddedMongo
    folder: Path
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """What `--json` prints: addresses, sources with level, protocol and pid, a token a demo viewer."""
        by_source = {code: twin for name, twin in self.twins.items() for code in PROCESSES[name]}
        identity = self.hub.identity
        assert identity is not None, "a demonstration has its personas"
        return {
            "pid": os.getpid(),
            "graph": f"{self.url}/graphql",
            "page": f"{self.url}/",
            "schema": f"{self.url}/schema.graphql",
            "mongo": {"pid": self.mongo.pid},
            "sources": [
                {
                    "code": face.code,
                    "name": face.name,
                    "level": face.level.value,
                    "protocol": face.protocol,
                    "address": by_source[face.code].url if face.code in by_source else str(self.folder),
                    "pid": by_source[face.code].pid if face.code in by_source else None,
                }
                for face in self.hub.registry.faces()
            ],
            "tokens": {name: identity.token(name) for name in identity.names},
        }


def demo_files() -> Path:
    """The folder with the demonstration's settings and mappings, in the wheel or beside the sources."""
    inside = Path(__file__).with_name("demo_files")
    return inside if inside.is_dir() else Path(__file__).parents[2] / "docker" / "demo"


def personas(country: Country) -> dict[str, dict[str, Any]]:
    """The country's fixed people as principals of the development identity."""
    people = {}
    for name, persona in country.personas().items():
        roster = f"c{persona.region_code}-roster"
        home = country.person(persona.children_ids[0]) if persona.children_ids else None
        classes = persona.class_keys or (home.class_keys if home else ())
        school = persona.school_code or (home.school_code if home else "")
        people[name] = {
            "subject": name,
            "level": persona.level,
            "person_key": f"{roster}:{persona.person_id}",
            "children_keys": [f"{roster}:{child}" for child in persona.children_ids],
            "roles": [
                {
                    "role": ROLES.get(persona.role, "STAFF"),
                    "region_code": persona.region_code,
                    "school_code": school or None,
                    "class_keys": [f"{roster}:{key}" for key in classes],
                }
            ],
        }
    return people


ROLES = {
    "teacher": "TEACHER",
    "student": "STUDENT",
    "guardian": "GUARDIAN",
    "principal": "PRINCIPAL",
    "officer": "ADMIN",
}


@contextlib.asynccontextmanager
async def running(
    *,
    port: int = 8000,
    scale: str = "demo",
    folder: Path | None = None,
    resources: int | None = None,
    adjust: Callable[[Settings], Settings] = lambda settings: settings,
) -> AsyncIterator[Demo]:
    """Start everything, yield it, stop everything; `adjust` changes the shipped settings before they count.

    Without `folder` the state goes with the demonstration.
    """
    own = Path(tempfile.mkdtemp(prefix="rongtong-demo-")) if folder is None else folder
    own.mkdir(mode=0o700, parents=True, exist_ok=True)
    async with contextlib.AsyncExitStack() as stack:
        if folder is None:
            stack.callback(shutil.rmtree, own, ignore_errors=True)
        for file in demo_files().glob("*.toml"):
            shutil.copy(file, own / file.name)
        mongo = EmbeddedMongo(own / "mongo")
        twins, uri = await _started(stack, mongo, own, scale, resources)
        shipped = _settings(own, twins, port)
        loaded = Loaded(adjust(shipped.settings), shipped.file)
        hub = await build(loaded, mongo_uri=uri, personas=personas(Country(scale)))
        url = await stack.enter_async_context(serving(create_app(hub), loaded.settings.server))
        yield Demo(hub, url, twins, mongo, own)


async def _started(
    stack: contextlib.AsyncExitStack, mongo: EmbeddedMongo, folder: Path, scale: str, resources: int | None
) -> tuple[dict[str, Twin], str]:
    """The database and all twins, side by side."""
    uri = asyncio.create_task(stack.enter_async_context(mongo))
    extra = [] if resources is None else ["--resources", str(resources)]
    starts = [asyncio.create_task(_twin(stack, name, folder, scale, extra)) for name in PROCESSES]
    files = asyncio.create_task(_twin(stack, "files", folder, scale, []))
    try:
        twins = await asyncio.gather(*starts)
        await files
        return {twin.name: twin for twin in twins}, await uri
    except BaseException:
        for task in (uri, files, *starts):
            task.cancel()
        await asyncio.gather(uri, files, *starts, return_exceptions=True)
        raise


async def _twin(
    stack: contextlib.AsyncExitStack, name: str, folder: Path, scale: str, extra: list[str]
) -> Twin:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "connectors.sandbox", name, "--scale", scale, "--folder", str(folder), *extra,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    stack.push_async_callback(_stop, process)
    assert process.stdout is not None, "asked for a pipe"
    try:
        async with asyncio.timeout(PATIENCE):
            line = await process.stdout.readline()
        said = json.loads(line)
    except (TimeoutError, ValueError):
        raise DemoFailed(
            f"沙盒 {name} 未能启动 / sandbox twin {name} did not start: see its error above"
        ) from None
    return Twin(name, process, said["url"], said.get("server") or said["pid"], said.get("password", ""))


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Ask it to end, and end it if it does not."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGCONT)
        process.terminate()
    try:
        async with asyncio.timeout(8):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _settings(folder: Path, twins: Mapping[str, Twin], port: int) -> Loaded:
    """The demonstration's settings: the shipped file, with the twins' addresses put in by environment."""
    environ = {f"DEMO_{name.upper().replace('-', '_')}": twin.url for name, twin in twins.items()}
    environ["DEMO_DATA_CENTRE_PASSWORD"] = twins["data-centre"].password
    for code in ROSTER_COUNTIES:
        environ[f"DEMO_ROSTER_{code}"] = f"{twins['rosters'].url}/{code}"
        environ[f"DEMO_ROSTER_{code}_TOKEN"] = f"{twins['rosters'].url}/{code}/token"
    for mirror in (1, 2, 3):
        environ[f"DEMO_NATIONAL_{mirror}"] = f"{twins['national'].url}/m{mirror}"
    for name, path in (("repository", "oai"), ("school-repository", "oai"), ("school-lrs", "xapi")):
        environ[f"DEMO_{name.upper().replace('-', '_')}"] += f"/{path}"
    environ["DEMO_PLATFORM_TOKEN"] = f"{twins['platform'].url}/oauth/token"
    environ["DEMO_SCHOOL_ROSTER_TOKEN"] = f"{twins['school-roster'].url}/token"
    country = Country()
    environ["DEMO_SCHOOL_0"] = country.schools[0].code
    environ["DEMO_SCHOOL_1"] = country.schools_of("371502")[1].code
    loaded = load(folder / "rongtong.toml", {**os.environ, **environ})
    server = msgspec.structs.replace(loaded.settings.server, port=port)
    return Loaded(msgspec.structs.replace(loaded.settings, server=server), loaded.file)


def run(*, port: int, scale: str, folder: Path, resources: int | None, as_json: bool) -> None:
    """The command: until SIGTERM or Ctrl-C; a second signal does not hurry it."""
    asyncio.run(_until_told(port, scale, folder, resources, as_json))


async def _until_told(port: int, scale: str, folder: Path, resources: int | None, as_json: bool) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if not as_json:
        print("正在启动数据库与五级沙盒……/ starting the database and the sandbox country …", flush=True)
    async with running(port=port, scale=scale, folder=folder, resources=resources) as demo:
        told = demo.told()
        print(dumps(told) if as_json else _shown(told), flush=True)
        await ended.wait()
    if not as_json:
        print("已停止 / stopped.")


def _shown(told: Mapping[str, Any]) -> str:
    """What a person is told: where to look first."""
    rows = "\n".join(
        f"  {source['level']:<11}{source['protocol']:<13}{source['code']:<19}{source['name']}"
        for source in told["sources"]
    )
    return (
        f"\n融通已就绪 / Rongtong is ready\n\n"
        f"  查询页 / query page   {told['page']}\n"
        f"  图 / graph            {told['graph']}\n"
        f"  SDL                   {told['schema']}\n\n"
        f"五级来源 / sources of five levels\n{rows}\n\n"
        f"演示人物 / demo viewers: {', '.join(told['tokens'])}\n"
        f"令牌 / token: rongtong token --as teacher\n"
        f"停止 / stop: Ctrl-C\n"
    )
