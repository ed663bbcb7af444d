"""A hub in its place among five levels, on real sockets: the city's, between a province and a county.

Nation, province and county are authorities of their own, the county's provider and a school's system hang
below the county; the hub knows the nation's keys, and vouches for the county. People sign in at the county.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import secrets
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import aiohttp
from starlette.applications import Starlette
from starlette.routing import Mount

from auth.provider.client_auth import ASSERTION_TYPE
from connectors.sandbox import oneroster
from connectors.sandbox.country import Country
from connectors.sandbox.federation import Entity, Federation, federation, paper, standing
from connectors.sandbox.frame import served
from connectors.sandbox.passport import PASSPORTS, demo_users, oidc
from hub.app import Hub, build, create_app
from hub.cli.listen import bound, serving
from hub.clock import Clock
from hub.mongo import Mongo
from hub.settings import Server, load
from tests.connectors.sandbox.browser import Browser, Seen

COUNTRY = Country()
LOGINS = {(each["persona"], each["provider"]): each for each in demo_users(COUNTRY)}
_SAID = ("metadata", "superiors", "subordinates", "marks", "mark_issuers", "issued", "faults")
RP, OP = "openid_relying_party", "openid_provider"
MINORS = "https://nation.example/marks/minors"
CHAIN_LIFE, REFUSALS, LEEWAY = 60, 10, 60
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
GRANTED = {"scope": {"subset_of": ["openid", "profile", "graph"]}, "purposes": {"subset_of": ["teaching"]}}
"""What the county vouches for about the school's system."""


class Turned(Clock):
    """The hub's clock and everybody's, which the story turns."""

    ahead = 0.0

    def epoch(self) -> float:
        return time.time() + self.ahead


@dataclass
class Realm:
    """The running hub with everybody around it."""

    hub: Hub
    issuer: str
    levels: Federation
    provider: Entity
    clock: Turned
    config: Path
    http: aiohttp.ClientSession = field(repr=False)

    @property
    def school(self) -> Entity:
        """The school's system."""
        return self.levels.school

    def wait(self, seconds: float = CHAIN_LIFE + 1) -> None:
        """Turn the clock: until every chain has to be worked out anew."""
        self.clock.ahead += seconds

    @asynccontextmanager
    async def as_it_was(self) -> AsyncIterator[None]:
        """The hub vouches for the county; after the block all are as they were before it."""
        assert self.hub.gate is not None
        await self.hub.gate.federation.subordinates.add(
            self.levels.county.url, self.levels.county.jwks, types=("federation_entity",), intermediate=True,
            region="371502", level="COUNTY",
        )  # fmt: skip
        entities = (*self.levels.entities, self.provider)
        before = [{name: deepcopy(getattr(one, name)) for name in _SAID} for one in entities]
        key = self.school.app_key
        try:
            yield
        finally:
            for one, values in zip(entities, before, strict=True):
                for name, value in values.items():
                    setattr(one, name, value)
                assert one.frame is not None
                one.frame.mode = "ok"
            self.school.app_key = key
            self.hub.gate.federation.forget()

    # The school's system

    def asked(self, **params: str) -> dict[str, Any]:
        """What the school's system asks for."""
        return {
            "client_id": self.school.url, "redirect_uri": f"{self.school.url}/callback",
            "response_type": "code", "scope": "openid profile graph", "state": "s-1", "nonce": "n-1",
            "code_challenge": CHALLENGE, "code_challenge_method": "S256", **params,
        }  # fmt: skip

    def by_value(self, **params: str) -> str:
        """Its request, signed, as the address for a browser."""
        claims = {**self.asked(**params), **self._proof(), "aud": self.issuer}
        token = paper(self.school.app_key, "oauth-authz-req+jwt", claims)
        return f"{self.issuer}/oauth/authorize?{urlencode({'client_id': self.school.url, 'request': token})}"

    async def pushed(self, **params: str) -> str:
        """Its request, pushed, as the address for a browser."""
        status, told = await self.posts("/oauth/par", **self.asked(**params))
        assert status == 201, told
        query = {"client_id": self.school.url, "request_uri": told["request_uri"]}
        return f"{self.issuer}/oauth/authorize?{urlencode(query)}"

    async def posts(self, path: str, **form: str) -> tuple[int, dict[str, Any]]:
        """It calls an endpoint, proving itself with its key."""
        claims = {**self._proof(), "sub": self.school.url, "aud": self.issuer}
        proof = {
            "client_id": self.school.url, "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": paper(self.school.app_key, "JWT", claims),
        }  # fmt: skip
        async with self.http.post(f"{self.issuer}{path}", data={**form, **proof}) as answer:
            told: dict[str, Any] = await answer.json()
            return answer.status, told

    async def tokens(self, code: str) -> dict[str, Any]:
        """A code becomes tokens."""
        status, told = await self.posts(
            "/oauth/token", grant_type="authorization_code", code=code, code_verifier=VERIFIER,
            redirect_uri=f"{self.school.url}/callback",
        )  # fmt: skip
        assert status == 200, told
        return told

    async def refreshes(self, tokens: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """A refresh token is used."""
        return await self.posts(
            "/oauth/token", grant_type="refresh_token", refresh_token=tokens["refresh_token"]
        )

    async def userinfo(self, tokens: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """What it is told of the person."""
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        async with self.http.get(f"{self.issuer}/oauth/userinfo", headers=headers) as answer:
            told: dict[str, Any] = await answer.json()
            return answer.status, told

    async def graph(
        self, tokens: Mapping[str, Any], query: str, purpose: str = ""
    ) -> tuple[int, dict[str, Any]]:
        """What the graph answers it."""
        headers = {"Authorization": f"Bearer {tokens['access_token']}", "X-Rongtong-Purpose": purpose}
        async with self.http.post(f"{self.issuer}/graphql", json={"query": query}, headers=headers) as answer:
            told: dict[str, Any] = await answer.json()
            return answer.status, told

    def _proof(self) -> dict[str, Any]:
        now = int(self.clock.epoch())
        return {"iss": self.school.url, "iat": now, "exp": now + 60, "jti": secrets.token_urlsafe(12)}

    # People

    async def signs_in(
        self, browser: Browser, url: str, persona: str = "teacher", at: str = "county"
    ) -> Seen:
        """Somebody goes to `url`, chooses the provider `at`, signs in there, agrees; where that ends."""
        for _ in range(15):
            if url.startswith(f"{self.school.url}/callback"):
                return Seen(303, "", url)
            seen = await self._step(browser, url, persona, at)
            if not (onward := seen.location or _onward(seen.text)):
                return seen
            url = urljoin(url, onward)
        raise AssertionError("going round in circles")

    async def _step(self, browser: Browser, url: str, persona: str, at: str) -> Seen:
        if f"{self.issuer}/sign-in?i=" in url:
            return Seen(303, "", f"/sign-in/{at}/start?{urlsplit(url).query}")
        seen = await browser.open(url)
        if 'name="username"' in seen.text:
            who = LOGINS[persona, f"{at}-passport"]
            return await browser.send(url, username=who["login"], password=who["password"])
        if 'name="decision"' in seen.text:
            hidden = dict(re.findall(r'name="(csrf|i)" value="([^"]+)"', seen.text))
            return await browser.send(f"{self.issuer}/consent", **hidden, decision="allow")
        return seen

    async def code(self, url: str, persona: str = "teacher", at: str = "county") -> str:
        """The code that the school's system gets for somebody who signs in."""
        async with Browser() as browser:
            seen = await self.signs_in(browser, url, persona, at)
        assert seen.to == f"{self.school.url}/callback", re.findall(r"<p.*?</p>", seen.text)
        assert "error" not in seen.said, seen.said
        assert (seen.said["state"], seen.said["iss"]) == ("s-1", self.issuer)
        return seen.said["code"]

    # The operator

    async def operator(self, *words: str) -> Any:
        """What `rongtong trust …` answers."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hub.cli.main", "trust", *words, "-c", str(self.config), "--json",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        said, complaints = await process.communicate()
        assert process.returncode == 0, (said + complaints).decode()
        return json.loads(said)


def _onward(text: str) -> str:
    found = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', text)
    return unescape(found[1]) if found else ""


@asynccontextmanager
async def realm(mongo_uri: str, folder: Path) -> AsyncIterator[Realm]:
    """Everybody up, each level vouching for the one below; the database goes with it."""
    database = f"trust_{secrets.token_hex(8)}"
    async with AsyncExitStack() as stack:
        levels = await stack.enter_async_context(federation())
        clock = Turned()
        provider = await stack.enter_async_context(_provider(clock))
        roster = await stack.enter_async_context(served(oneroster.app(COUNTRY, unit="371502")))
        campus = await stack.enter_async_context(served(_passport("school-passport", clock)))
        listening = bound(server := Server(host="127.0.0.1", port=0))
        issuer = f"http://127.0.0.1:{listening.getsockname()[1]}"
        config = folder / "rongtong.toml"
        config.write_text(
            _settings(issuer, levels, provider.url, roster.url, campus.url, mongo_uri, database), "utf-8"
        )
        for entity in (*levels.entities, provider):
            entity.clock = clock.epoch
        hub = await build(load(config), mongo_uri=mongo_uri, clock=clock)
        assert hub.gate is not None
        await hub.gate.declare()
        _introduce(levels, provider, issuer, hub.gate.federation.authority.keys.public())
        stack.push_async_callback(_dropped, mongo_uri, database)
        await stack.enter_async_context(serving(create_app(hub), server, listening))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        made = Realm(hub, issuer, levels, provider, clock, config, http)
        yield made


async def _dropped(mongo_uri: str, database: str) -> None:
    connection = Mongo.connect(mongo_uri, database)
    await connection.drop()
    await connection.close()


def _passport(name: str, clock: Turned) -> Starlette:
    return oidc.app(COUNTRY, PASSPORTS[name], now=clock.epoch)


@asynccontextmanager
async def _provider(clock: Turned) -> AsyncIterator[Entity]:
    """The county's provider: an OpenID provider that is an entity, both at one address."""
    entity = Entity("区教育统一身份认证", authority=False)
    entity.app = Starlette(routes=[entity.app.routes[0], Mount("/", app=_passport("county-passport", clock))])
    async with standing(entity):
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{entity.url}/.well-known/openid-configuration") as told:
                metadata = await told.json()
            async with http.get(metadata["jwks_uri"]) as told:
                jwks = await told.json()
        entity.metadata[OP] = {**metadata, "jwks": jwks}
        yield entity


def _introduce(levels: Federation, provider: Entity, issuer: str, keys: dict[str, Any]) -> None:
    """The hub takes the city's place; the county says what the school's system may have."""
    place = {"education_region": "371500", "education_level": "MUNICIPAL"}
    levels.province.vouch(issuer, keys, metadata={"federation_entity": place})
    levels.county.superiors[:] = [issuer]
    levels.county.take(provider, types=(OP,))
    levels.school.metadata[RP] |= {
        "scope": "openid profile graph roles", "purposes": ["teaching", "roll"],
        "grant_types": ["authorization_code", "refresh_token"],
    }  # fmt: skip
    levels.county.subordinates[levels.school.url].policy = {RP: deepcopy(GRANTED)}
    levels.nation.mark_issuers = {MINORS: [levels.county.url]}


def _settings(
    issuer: str, levels: Federation, provider: str, roster: str, campus: str, mongo_uri: str, database: str
) -> str:
    """The hub's settings file."""
    key = ", ".join(f'{name} = "{value}"' for name, value in levels.nation.jwks["keys"][0].items())
    return f"""[hub]
level = "MUNICIPAL"
region = "371500"
environment = "development"
allowed_networks = ["127.0.0.0/8"]
[storage]
uri = "{mongo_uri}"
database = "{database}"
[catalogue]
harvest_every = "0s"
[identity]
issuer = "{issuer}"
allowed_networks = ["127.0.0.0/8"]
[trust]
authority_hints = ["{levels.province.url}"]
chain_lifetime = "{CHAIN_LIFE}s"
minors_mark = "{MINORS}"
[trust.anchors."{levels.nation.url}"]
keys = [{{ {key} }}]
[[upstreams]]
code = "county"
kind = "oidc"
name = "区教育统一身份认证"
level = "COUNTY"
region = "371502"
issuer = "{provider}"
client_id = "rongtong-hub"
client_secret = "sandbox-county-passport-secret-01"
trusted_by = "{levels.nation.url}"
authoritative = ["roster:c371502-roster"]
claims = {{ name = "name", roster = "roster_id" }}
assurance = {{ "urn:sandbox:loa:password" = "SELF_ASSERTED", "urn:sandbox:loa:realname" = "NAME_VERIFIED" }}
[[upstreams]]
code = "school"
kind = "oidc"
name = "校园统一身份认证"
level = "SCHOOL"
region = "371502"
school = "{COUNTRY.schools[0].code}"
issuer = "{campus}"
client_id = "rongtong-hub"
client_secret = "sandbox-school-passport-secret-01"
claims = {{ name = "name", role = "role" }}
roles = {{ school-admin = "PRINCIPAL" }}
[[sources]]
code = "c371502-roster"
name = "东昌府区花名册"
level = "COUNTY"
region = "371502"
protocol = "oneroster"
[sources.options]
base_url = "{roster}"
token_url = "{roster}/token"
client_id = "rongtong"
client_secret = "sandbox-roster-secret"
"""
