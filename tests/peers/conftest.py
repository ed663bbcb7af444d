"""Started once for all stories here: the foreign applications, then the hub that knows them."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from auth.settings import ClientSettings
from tests.peers.talk import Peer, talking
from tests.peers.town import Browser, Town, browser, town

SECRET = "p" * 43
BACK, HOME = "https://school.test/back", "https://school.test/home"
OLD = "https://old.test/back"
PAGE = "https://page.test"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
SCOPES = ("openid", "profile", "roles", "offline_access", "graph", "introspect")


@dataclass
class Abroad:
    """The foreign applications; no Apache is up yet, only two ports are chosen."""

    openid_client: Peer
    oauth4webapi: Peer
    apache: tuple[int, int]


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def abroad() -> AsyncIterator[Abroad]:
    """npm's openid-client and oauth4webapi, each a process."""
    async with talking("openid-client.mjs") as first, talking("oauth4webapi.mjs") as second:
        yield Abroad(first, second, (free_port(), free_port()))


def clients(abroad: Abroad) -> tuple[ClientSettings, ...]:
    """How the hub's settings know them."""
    peer, sites = abroad.openid_client.url, [f"http://127.0.0.1:{port}" for port in abroad.apache]
    notices = f"{peer}/backchannel"
    full = ("authorization_code", "refresh_token", "client_credentials")
    return (
        ClientSettings(
            id="office", name="教务系统", name_en="School office", secret=SECRET, redirect_uris=(BACK,),
            post_logout_redirect_uris=(HOME,), backchannel_logout_uri=f"{notices}/office", grant_types=full,
            scopes=SCOPES, purposes=("teaching",),
        ),
        ClientSettings(
            id="old-office", name="老教务系统", secret=SECRET, auth_method="client_secret_post",
            redirect_uris=(BACK, OLD), post_logout_redirect_uris=(HOME,), id_token_alg="RS256",
            backchannel_logout_uri=f"{notices}/old-office", scopes=SCOPES, first_party=True,
        ),
        ClientSettings(
            id="notebook", name="错题本", name_en="Notebook", secret=SECRET, redirect_uris=(BACK,),
            scopes=("openid", "roles"),
        ),
        ClientSettings(
            id="keyed-office", name="持钥教务系统", auth_method="private_key_jwt", jwks_uri=f"{peer}/jwks",
            redirect_uris=(BACK,), grant_types=full, scopes=SCOPES, first_party=True,
        ),
        ClientSettings(
            id="page", name="网页应用", auth_method="none", redirect_uris=(f"{PAGE}/back",),
            scopes=("openid", "profile", "graph"), first_party=True, dpop_bound=True,
        ),
        ClientSettings(
            id="television", name="教室大屏", auth_method="none", grant_types=(DEVICE, "refresh_token"),
            scopes=SCOPES,
        ),
        ClientSettings(
            id="web-office", name="服务器应用", secret=SECRET, redirect_uris=(BACK,), scopes=SCOPES,
            first_party=True,
        ),
        ClientSettings(
            id="apache", name="学校网站", secret=SECRET, first_party=True,
            redirect_uris=tuple(f"{site}/inside/redirect" for site in sites),
            post_logout_redirect_uris=tuple(f"{site}/" for site in sites),
            scopes=("openid", "profile", "roles"),
            backchannel_logout_uri=f"{sites[0]}/inside/redirect?logout=backchannel",
        ),
    )  # fmt: skip


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def hub(
    abroad: Abroad, mongo_uri: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Town]:
    """The hub."""
    folder: Path = tmp_path_factory.mktemp("hub")
    async with town(mongo_uri, folder, clients(abroad)) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def officer() -> AsyncIterator[Browser]:
    """A browser of the city officer's."""
    async with browser() as fresh:
        yield fresh
