"""`rongtong demo`: a database, a country of five levels and the hub, all real, in one command.

Whatever is started is a child of this process and ends with it; the state folder stays, so that a second
start is quick.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auth.development import DevelopmentIdentityWarning
from connectors.sandbox.country import Country
from connectors.sandbox.passport import demo_users
from hub.app import Hub, build, create_app
from hub.cli.demo_folder import claimed, deserted, furnish, local_settings
from hub.cli.demo_sign_on import sign_on
from hub.cli.ending import until_told
from hub.cli.listen import bound, serving
from hub.cli.say import dumps
from hub.cli.twin_processes import PROCESSES, Twin, Twins
from hub.cli.welcome import welcome
from hub.embedded import EmbeddedMongo
from hub.settings import Loaded, Server, Settings, load
from schema.model.privacy import Duty


@dataclass(slots=True)
class Demo:
    """Everything that runs, once it runs; `config` is the settings file with everything filled in."""

    hub: Hub
    url: str
    twins: dict[str, Twin]
    mongo: EmbeddedMongo
    folder: Path
    config: Path
    users: list[dict[str, str]]

    def told(self) -> dict[str, Any]:
        """What `--json` prints: addresses, sources with level, protocol and pid, a token a demo viewer; and
        how to sign in: issuer, providers, clients, applications, users with their passwords."""
        identity = self.hub.identity
        assert identity is not None, "a demonstration has its personas"
        return {
            "pid": os.getpid(),
            "graph": f"{self.url}/graphql",
            "page": f"{self.url}/",
            "schema": f"{self.url}/schema.graphql",
            "config": str(self.config),
            "mongo": {"pid": self.mongo.pid},
            "sources": self._sources(),
            "tokens": {name: identity.token(name) for name in identity.names},
            **sign_on(self.hub.loaded.settings, self.twins, self.users),
        }

    def _sources(self) -> list[dict[str, Any]]:
        by_source = {code: twin for name, twin in self.twins.items() for code in PROCESSES[name]}
        options = {source.code: source.options for source in self.hub.loaded.settings.sources}
        shown = []
        for face in self.hub.registry.faces():
            twin, own = by_source.get(face.code), options[face.code]
            address = own.get("base_url") or own.get("url") or (twin.url if twin else None)
            shown.append(
                {
                    "code": face.code,
                    "name": face.name,
                    "level": face.level.value,
                    "protocol": face.protocol,
                    "address": address or str(self.folder / (own.get("bundle") or own["folder"])),
                    "pid": twin.pid if twin else None,
                }
            )
        return shown


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
            "person_keys": [f"{roster}:{persona.person_id}"],
            "children_keys": [f"{roster}:{child}" for child in persona.children_ids],
            "first_party": True,
            "scopes": ["openid", "profile", "graph"],
            "purposes": [duty.value for duty in Duty],
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

    Without `folder` the state goes with the demonstration. Raises `FolderInUse`, `PortTaken`, `DemoFailed`.
    """
    async with contextlib.AsyncExitStack() as stack:
        own = stack.enter_context(_folder()) if folder is None else Path.cwd() / folder
        stack.enter_context(claimed(own))
        listening = bound(Server(port=port))
        stack.callback(listening.close)
        lock = await stack.enter_async_context(deserted(own))
        country = Country(scale)
        people = personas(country)
        furnish(own, people)
        mongo = EmbeddedMongo(own / "mongo")
        taken = listening.getsockname()[1]
        starting = Twins(own, scale, lock, f"http://127.0.0.1:{taken}", resources)
        twins, uri = await _started(stack, mongo, starting)
        config = stack.enter_context(local_settings(own, twins, country, taken, uri))
        filled = load(config)
        loaded = Loaded(adjust(filled.settings), filled.file)
        hub = await build(loaded, mongo_uri=uri, personas=people)
        url = await stack.enter_async_context(serving(create_app(hub), Server(port=taken), listening))
        yield Demo(hub, url, twins, mongo, own, config, demo_users(country))


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A folder of its own for a demonstration that shall leave nothing."""
    own = Path(tempfile.mkdtemp(prefix="rongtong-demo-"))
    try:
        yield own
    finally:
        shutil.rmtree(own, ignore_errors=True)


async def _started(
    stack: contextlib.AsyncExitStack, mongo: EmbeddedMongo, twins: Twins
) -> tuple[dict[str, Twin], str]:
    """The database and all twins, side by side; if one does not start, the other is not waited for."""
    starts = (
        asyncio.create_task(stack.enter_async_context(twins.started())),
        asyncio.create_task(stack.enter_async_context(mongo)),
    )
    try:
        return await asyncio.gather(*starts)
    except BaseException:
        for start in starts:
            start.cancel()
        await asyncio.gather(*starts, return_exceptions=True)
        raise


def run(*, port: int, scale: str, folder: Path, resources: int | None, as_json: bool) -> None:
    """The command: until SIGTERM or Ctrl-C; a second signal does not hurry it."""
    # The identity's own log line stays: one warning is read, two are not.
    warnings.simplefilter("ignore", DevelopmentIdentityWarning)
    if not as_json:
        print("正在启动数据库与五级沙盒……/ starting the database and the sandbox country …", flush=True)
    work = running(port=port, scale=scale, folder=folder, resources=resources)
    asyncio.run(until_told(work, lambda demo: _ready(demo, folder, as_json)))
    if not as_json:
        print("已停止 / stopped.")


def _ready(demo: Demo, folder: Path, as_json: bool) -> None:
    told = demo.told()
    if as_json:
        print(dumps(told), flush=True)
    else:
        welcome(told, folder)
