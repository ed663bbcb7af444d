"""The doctor looks at sign-on: address, clocks, keys, providers and anchors; each flaw has its remedy."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from connectors.sandbox.federation import Federation, federation
from connectors.sandbox.frame import served
from hub.app import key_ring, state_folder
from hub.cli.doctor_sign_on import DISCOVERY, ROTATE_AFTER, sign_on
from hub.cli.finding import Finding
from hub.settings import Loaded, load

DAY = 86_400.0


@pytest.fixture
async def county() -> AsyncIterator[str]:
    """A server that is an OpenID provider, a hub, or a login page, as one asks."""

    async def discovery(request: Request) -> Response:
        return JSONResponse({"issuer": str(request.base_url).rstrip("/")})

    async def login(_request: Request) -> Response:
        return RedirectResponse("/elsewhere")

    routes = [Route(DISCOVERY, discovery), Route("/login", login)]
    async with served(Starlette(routes=routes)) as up:
        yield up.url


@pytest.fixture
def settings(tmp_path: Path) -> Callable[[str], Loaded]:
    """Settings with these tables."""

    def loaded(text: str) -> Loaded:
        file = tmp_path / "rongtong.toml"
        hub = '[hub]\nenvironment = "development"\nallowed_networks = ["127.0.0.0/8"]\n'
        file.write_text(hub + text, "utf-8")
        return load(file)

    return loaded


def upstream(code: str, issuer: str, more: str = "", kind: str = "oidc") -> str:
    return (
        f'[[upstreams]]\ncode = "{code}"\nkind = "{kind}"\nname = "县"\nlevel = "COUNTY"\nregion = "371502"\n'
        f'issuer = "{issuer}"\nclient_id = "hub"\n{more}\n'
    )


def of(found: list[Finding], word: str) -> Finding:
    """The finding about something."""
    (one,) = [finding for finding in found if word in finding.what]
    assert one.well != bool(one.remedy), one
    return one


async def test_a_hub_without_sign_on_is_told_so_and_is_well(settings: Callable[[str], Loaded]) -> None:
    (one,) = await sign_on(settings(""), running=False)
    assert one.well
    assert "identity.issuer" in one.seen


async def test_all_that_is_well_is_said_to_be(settings: Callable[[str], Loaded], county: str) -> None:
    text = f'[identity]\nissuer = "{county}"\n' + upstream("c1", county)
    text += upstream("c2", county, f'[upstreams.options]\nlogin_url = "{county}/login"', "ticket")
    loaded = settings(text)
    key_ring(loaded)
    found = await sign_on(loaded, running=True)
    assert [one for one in found if not one.well] == []
    assert "0 days" in of(found, "signing keys").seen
    assert "answers" in of(found, "issuer").seen
    assert {"身份源 / provider c1", "身份源 / provider c2"} < {one.what for one in found}


async def test_an_address_at_which_somebody_else_answers_is_found(
    settings: Callable[[str], Loaded], county: str
) -> None:

    async def other(_request: Request) -> Response:
        return JSONResponse({"issuer": "https://other.example"})

    async with served(Starlette(routes=[Route(DISCOVERY, other)])) as up:
        found = await sign_on(
            settings(f'[identity]\nissuer = "{up.url}"\n' + upstream("c1", up.url)), running=True
        )
    assert "somebody else" in of(found, "issuer").seen
    assert "letter by letter" in of(found, "c1").remedy


async def test_who_does_not_answer_is_found_and_a_hub_that_is_down_is_not_asked(
    settings: Callable[[str], Loaded],
) -> None:
    text = '[identity]\nissuer = "http://127.0.0.1:1"\n' + upstream("c1", "http://127.0.0.1:1")
    text += upstream("c2", "http://127.0.0.1:1/cas", kind="cas")
    found = await sign_on(settings(text), running=True)
    assert [of(found, word).well for word in ("issuer", "c1", "c2")] == [False, False, False]
    assert of(await sign_on(settings(text), running=False), "issuer").well


async def test_clocks_that_differ_are_found(settings: Callable[[str], Loaded], county: str) -> None:
    loaded = settings(f'[identity]\nissuer = "{county}"\n' + upstream("c1", county))
    found = await sign_on(loaded, running=True, clock=lambda: time.time() + 120)
    for word in ("issuer", "c1"):
        assert "NTP" in of(found, word).remedy
        assert "120" in of(found, word).seen or "119" in of(found, word).seen or "121" in of(found, word).seen


async def test_keys_that_have_signed_for_long_are_due_and_broken_ones_are_told(
    settings: Callable[[str], Loaded], county: str
) -> None:
    loaded = settings(f'[identity]\nissuer = "{county}"\n')
    assert "first start" in of(await sign_on(loaded, running=False), "signing keys").seen
    key_ring(loaded)
    late = time.time() + (ROTATE_AFTER + 1.5) * DAY
    due = of(await sign_on(loaded, running=False, clock=lambda: late), "signing keys")
    assert "rongtong keys rotate" in due.remedy
    assert "91" in due.seen
    (state_folder(loaded) / "keys" / "ring.json").write_text("{}")
    assert not of(await sign_on(loaded, running=False), "signing keys").well


@contextlib.asynccontextmanager
async def levels() -> AsyncIterator[tuple[Federation, str]]:
    """Five levels, and the settings of a hub that knows the nation."""
    async with federation() as made:
        key = ", ".join(f'{name} = "{value}"' for name, value in made.nation.jwks["keys"][0].items())
        yield made, f'[trust.anchors."{made.nation.url}"]\nkeys = [{{ {key} }}]\n'


async def test_anchors_and_providers_by_chain_are_followed(
    settings: Callable[[str], Loaded], county: str
) -> None:
    async with levels() as (made, text):
        own = f'[identity]\nissuer = "{county}"\n'
        text = own + text + upstream("c1", made.school.url, f'trusted_by = "{made.nation.url}"')
        found = await sign_on(settings(text), running=False)
        assert "holds" in of(found, "anchor").seen
        assert "holds" in of(found, "c1").seen
        assert of(found, "federation keys").well
        made.city.faults[made.county.url] = "unlisted"
        broken = of(await sign_on(settings(text), running=False), "c1")
        assert broken.seen.startswith("not-vouched: ")
        assert made.school.url in broken.remedy
        made.nation.faults["configuration"] = "stranger-signs"
        broken = of(await sign_on(settings(text), running=False), "anchor")
        assert broken.seen.startswith("bad-signature: ")


async def test_a_chain_by_way_of_this_hub_is_not_looked_at_while_it_is_down(
    settings: Callable[[str], Loaded],
) -> None:
    async with levels() as (made, text):
        made.county.superiors[:] = ["http://127.0.0.1:1"]
        text = '[identity]\nissuer = "http://127.0.0.1:1"\n' + text
        text += upstream("c1", made.school.url, f'trusted_by = "{made.nation.url}"')
        assert "not looked at" in of(await sign_on(settings(text), running=False), "c1").seen
        assert not of(await sign_on(settings(text), running=True), "c1").well
