"""The hub in the place of the sandbox's city, served, between province and county."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from starlette.applications import Starlette

from auth.keys import KeyRing
from auth.settings import TrustSettings
from auth.trust.authority import Published
from auth.trust.errors import Distrusted
from auth.trust.federation import INDEXES, Federation
from connectors.sandbox.federation import Federation as Country
from hub.cli.listen import bound, serving
from hub.identity.fetch import HttpFetch
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from hub.settings import Server
from tests.fakes.recorded import Clock

RP, OP = "openid_relying_party", "openid_provider"
MINORS = "https://nation.example/marks/minors"


@dataclass
class City:
    """The hub as it stands between province and county."""

    url: str
    federation: Federation
    keys: KeyRing
    country: Country
    clock: Clock

    async def get(self, path: str, **params: str | list[str]) -> tuple[int, str, str]:
        """Status, content type and body."""
        pairs = [
            (name, one)
            for name, value in params.items()
            for one in (value if isinstance(value, list) else [value])
        ]
        return await got("GET", f"{self.url}{path}", params=pairs)

    async def post(self, path: str, **form: str) -> tuple[int, str, str]:
        """The same for a form."""
        return await got("POST", f"{self.url}{path}", data=form)


async def got(method: str, url: str, **told: Any) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.request(method, url, **told) as answer:
        return answer.status, answer.content_type, await answer.text()


@pytest_asyncio.fixture(loop_scope="module")
async def city(
    country: Country, out: HttpFetch, mongo: Mongo, clock: Clock, tmp_path: Path
) -> AsyncIterator[City]:
    """The hub, served, in the place of the sandbox's city."""
    for entity in country.entities:
        entity.clock = clock
    store, server = MongoStore(mongo), Server(host="127.0.0.1", port=0)
    await store.declare(INDEXES)
    keys = KeyRing.open(tmp_path / "federation", clock=clock)
    sock = bound(server)
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    settings = TrustSettings(anchors=country.anchors, minors_mark=MINORS)
    said = Published(lambda: {OP: {"issuer": url}}, superiors=(country.province.url,))
    federation = Federation(url, settings, store, out, keys, said, clock, purposes=("teaching",))
    place = {"education_region": "371500", "education_level": "MUNICIPAL"}
    country.province.vouch(url, keys.public(), metadata={"federation_entity": place})
    country.county.superiors[:] = [url]
    await federation.subordinates.add(
        country.county.url, country.county.jwks, types=("federation_entity",), intermediate=True,
        region="371502", level="COUNTY", by="operator",
    )  # fmt: skip
    async with serving(Starlette(routes=federation.routes()), server, sock):
        yield City(url, federation, keys, country, clock)
    await federation.aclose()


def claims_of(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


async def refused(work: Any) -> Distrusted:
    with pytest.raises(Distrusted) as caught:
        await work
    return caught.value
