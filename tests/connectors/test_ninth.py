"""A ninth tongue takes two files and one line: shown on a copy of the tongues, under the same contract."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import connectors

ROOT = Path(connectors.__file__).resolve().parents[1]
LAST = '    "xapi": "connectors.xapi:Xapi",\n'
LINE = '    "json_lines": "connectors.json_lines:JsonLines",\n'

TONGUE = '''\
"""Speaks JSON lines over HTTP: a bureau's list of its schools, one a line."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from connectors.base import Capabilities, Connector, Offer, Options, filters, meets, only, window
from connectors.deadline import in_time
from connectors.errors import Malformed
from schema.model.record import Answer, Lookup
from schema.model.words import Kind

MOST = 20_000
OFFER = Offer(
    frozenset({"name", "region_code"}), frozenset({"key", "region_code"}), batch=500, pages=True, totals=True,
    search=True,
)


class JsonLinesOptions(Options, frozen=True):
    """`base_url`: where the list is served."""

    base_url: str


class Line(msgspec.Struct):
    """A school as the bureau writes it."""

    code: str
    name: str
    region: str


class JsonLines(Connector):
    """A bureau's list."""

    protocol: ClassVar[str] = "json_lines"
    options: ClassVar[type[Options]] = JsonLinesOptions

    @property
    def capabilities(self) -> Capabilities:
        """Schools."""
        return Capabilities({Kind.SCHOOL: OFFER})

    async def look_up(self, lookup: Lookup, within: float) -> Answer:
        """See Connector; regions are chosen by the bureau, keys and names here."""
        self.offer(lookup)
        async with in_time(within):
            found = [one for one in await self._lines(lookup, within) if lookup.text in one.name]
        where = filters(lookup)
        kept = [one for one in found if meets({"region_code": one.region}, where, one.code)]
        shown, more = window(kept, lookup.page, MOST)
        return Answer(tuple(self._record(one, lookup) for one in shown), len(kept), more)

    async def _lines(self, lookup: Lookup, within: float) -> list[Line]:
        url = f"{self.settings.base_url}/schools.jsonl"
        params = [("region", code) for code in lookup.values("region_code")]
        reply = await self.tools.http.get(url, params=params, within=within)
        try:
            return msgspec.json.Decoder(Line).decode_lines(reply.body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise Malformed("a line that is no school") from None

    def _record(self, one: Line, lookup: Lookup) -> Any:
        values = {"name": one.name, "region_code": one.region}
        return self.record(Kind.SCHOOL, one.code, one.code, only(values, lookup.fields))
'''

TWIN = '''\
"""A bureau that serves its schools as JSON lines, all or those of some regions."""

from __future__ import annotations

import json

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox.country import Country


def app(country: Country) -> Starlette:
    """The bureau of a country."""

    async def schools(request: Request) -> Response:
        regions = set(request.query_params.getlist("region"))
        lines = (
            json.dumps({"code": one.code, "name": one.name, "region": one.unit_code}, ensure_ascii=False)
            for one in country.schools
            if not regions or one.unit_code in regions
        )
        return Response("\\n".join(lines), media_type="application/jsonl")

    return Starlette(routes=[Route("/schools.jsonl", schools)])
'''

CONTRACT = '''\
"""The ninth tongue under the contract of all, and joined by the hub."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

import connectors
from connectors.base import Identity, Tools
from connectors.catalog import tongue
from connectors.http import Http
from connectors.sandbox.country import Country
from connectors.sandbox.frame import served
from connectors.sandbox.json_lines import app
from connectors.seal import Seal
from hub.settings import load
from hub.sources.registry import build_connector
from schema.model.codes import Level
from schema.model.record import lookup
from schema.model.words import Kind
from tests.contracts.connector import ConnectorContract, HandClock, Joined

COUNTRY = Country()
SOURCE = """
[[sources]]
code = "lc-lines"
name = "市教育局名单"
level = "MUNICIPAL"
region = "371500"
protocol = "json_lines"
options = { base_url = "http://127.0.0.1:9" }
"""


class TestJsonLines(ConnectorContract):
    @pytest.fixture
    async def joined(self):
        async with Http(allowed=["127.0.0.0/8"]) as http, AsyncExitStack() as server:
            twin = await server.enter_async_context(served(app(COUNTRY)))
            kind = tongue("json_lines")
            tools = Tools(http, Seal(b"k" * 32), now=HandClock())
            identity = Identity("lc-lines", Level.MUNICIPAL, "371500")
            connector = kind(identity, kind.options(base_url=twin.url), tools)

            async def break_with(mode):
                if mode == "dead":
                    await server.aclose()
                else:
                    twin.frame.mode = mode

            questions = [
                lookup(Kind.SCHOOL, ["name"], {"region_code": ["371502", "371503"]}),
                lookup(Kind.SCHOOL, ["name", "region_code"], {"key": [COUNTRY.schools[0].code]}),
            ]
            yield Joined(connector, questions, break_with, calls=twin.frame.calls.total)


async def test_the_hub_joins_it(tmp_path):
    assert Path(connectors.__file__).is_relative_to(Path(__file__).parent)
    file = tmp_path / "rongtong.toml"
    file.write_text(SOURCE, "utf-8")
    loaded = load(file)
    async with Http() as http:
        joined = build_connector(file, loaded.settings.sources[0], Tools(http, Seal(b"k" * 32)))
        assert joined.capabilities.kinds == {Kind.SCHOOL}
'''


def files(folder: Path) -> dict[str, str]:
    """Every file below a folder, by its path there."""
    return {str(path.relative_to(folder)): path.read_text("utf-8") for path in folder.rglob("*.py")}


def join(folder: Path) -> None:
    """Put the ninth tongue into a copy."""
    (folder / "connectors" / "json_lines.py").write_text(TONGUE, "utf-8")
    (folder / "connectors" / "sandbox" / "json_lines.py").write_text(TWIN, "utf-8")
    catalog = folder / "connectors" / "catalog.py"
    before = catalog.read_text("utf-8")
    assert before.count(LAST) == 1
    catalog.write_text(before.replace(LAST, LAST + LINE), "utf-8")


def test_a_ninth_tongue_takes_two_files_and_one_line(tmp_path: Path) -> None:
    leave = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "connectors", tmp_path / "connectors", ignore=leave)
    eight = files(tmp_path / "connectors")
    join(tmp_path)
    nine = files(tmp_path / "connectors")
    (tmp_path / "test_json_lines.py").write_text(CONTRACT, "utf-8")
    path = os.pathsep.join((str(tmp_path), str(ROOT)))
    told = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path),
            "-p", "no:cacheprovider", "-rsf", str(tmp_path / "test_json_lines.py"),
        ],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout[-4000:] + told.stderr[-1000:]
    assert nine.keys() - eight.keys() == {"json_lines.py", "sandbox/json_lines.py"}
    assert [name for name, text in eight.items() if nine[name] != text] == ["catalog.py"]
    lines = nine["catalog.py"].splitlines(keepends=True)
    lines.remove(LINE)
    assert "".join(lines) == eight["catalog.py"]
