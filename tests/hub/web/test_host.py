"""Host and X-Forwarded-* injection: no address of the hub's is made of what a request calls it."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from hub.app import build, create_app
from hub.cli.listen import serving
from hub.settings import Hub as HubSettings
from hub.settings import Loaded, Server, Settings

POISON = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}


@pytest.mark.parametrize("path", ["/graphql/", "/readyz/", "/schema.graphql/", "//evil.example/", "/graphql"])
async def test_host_injection_an_address_with_a_slash_too_many_leads_nowhere(
    tmp_path: Path, path: str
) -> None:
    settings = Settings(hub=HubSettings(environment="development", state=str(tmp_path)))
    hub = await build(Loaded(settings, tmp_path / "rongtong.toml"))
    async with serving(create_app(hub), Server(port=0)) as url, aiohttp.ClientSession() as http:
        for method in ("GET", "POST"):
            async with http.request(method, url + path, headers=POISON, allow_redirects=False) as answer:
                assert answer.status in (400, 404, 405, 415)
                assert "Location" not in answer.headers
                assert "evil.example" not in await answer.text()
