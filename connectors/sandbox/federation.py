"""The sandbox country's authorities: nation (anchor), province, city, county, and a school's system below.

Each is a real server with federation keys of its own (OpenID Federation 1.0). Addresses are known once all
are up; then they are told of each other. `POST /_federation/fault` with `{"thing": ..., "name": ...}` makes
an entity tamper with what it publishes: `thing` is `configuration`, `status`, `jwks` or the entity that a
statement is about, `name` one of `FAULTS`, "ok" mends it. Stands alone, so that a shared fault cannot hide.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from joserfc import jws
from joserfc.jwk import ECKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.sandbox.frame import Frame, served

STATEMENT = "entity-statement+jwt"
DAY = 86_400
Claims = dict[str, Any]


def _misplaced(claims: Claims) -> Claims:
    """A claim that belongs to the other kind of statement."""
    if claims["iss"] == claims["sub"]:
        return claims | {"constraints": {"max_path_length": 9}}
    return claims | {"authority_hints": ["https://stranger.example"]}


# Each fault changes claims, header or the finished paper.
_CLAIMS: dict[str, Callable[[Claims, float], Claims]] = {
    "wrong-iss": lambda claims, now: claims | {"iss": "https://stranger.example"},
    "wrong-sub": lambda claims, now: claims | {"sub": "https://stranger.example"},
    "wrong-aud": lambda claims, now: claims | {"aud": "https://stranger.example"},
    "expired": lambda claims, now: claims | {"iat": now - 2 * DAY, "exp": now - 120},
    "not-yet-valid": lambda claims, now: claims | {"iat": now + 600, "exp": now + DAY},
    "never-ends": lambda claims, now: claims | {"iat": now - 400 * DAY, "exp": now + 4000 * DAY},
    "no-exp": lambda claims, now: {name: value for name, value in claims.items() if name != "exp"},
    "unknown-crit": lambda claims, now: claims | {"crit": ["seal"], "seal": "red"},
    "no-jwks": lambda claims, now: {name: value for name, value in claims.items() if name != "jwks"},
    "private-jwks": lambda claims, now: claims | {"jwks": {"keys": [{"kty": "oct", "k": "AA", "kid": "a"}]}},
    "null-metadata": lambda claims, now: claims | {"metadata": {"openid_relying_party": {"scope": None}}},
    "misplaced": lambda claims, now: _misplaced(claims),
    "huge": lambda claims, now: claims | {"padding": "x" * 400_000},
}  # fmt: skip
_HEADER: dict[str, Callable[[Claims, ECKey], Claims]] = {
    "wrong-typ": lambda header, key: header | {"typ": "JWT"},
    "no-typ": lambda header, key: {name: value for name, value in header.items() if name != "typ"},
    "foreign-kid": lambda header, key: header | {"kid": "somebody-elses"},
    "no-kid": lambda header, key: {name: value for name, value in header.items() if name != "kid"},
    "key-in-header": lambda header, key: header | {"jwk": key.as_dict(private=False)},
    "key-address-in-header": lambda header, key: header | {"jku": "https://stranger.example/jwks"},
    "wrong-alg": lambda header, key: header | {"alg": "HS256"},
}
FAULTS = (
    "ok", "unlisted", "slow", "tampered", "alg-none", "stranger-signs", "garbage", *_CLAIMS, *_HEADER,
)  # fmt: skip


@dataclass
class Vouched:
    """What an authority says of a subordinate."""

    jwks: Claims
    metadata: Claims = field(default_factory=dict)
    policy: Claims = field(default_factory=dict)
    constraints: Claims = field(default_factory=dict)
    crit: list[str] = field(default_factory=list)
    types: tuple[str, ...] = ()


class Entity:
    """An entity of the federation: leaf or authority. `url` is its identifier, set once it is served."""

    def __init__(self, name: str, metadata: Mapping[str, Claims] | None = None, *, authority: bool) -> None:
        self.name, self.url, self.authority = name, "", authority
        self.key, self.stranger = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
        self.metadata: dict[str, Claims] = {kind: dict(said) for kind, said in (metadata or {}).items()}
        self.superiors: list[str] = []
        self.subordinates: dict[str, Vouched] = {}
        self.marks: list[tuple[str, str]] = []
        self.mark_issuers: dict[str, list[str]] = {}
        self.mark_owners: dict[str, Claims] = {}
        self.issued: dict[str, str] = {}
        self.faults: dict[str, str] = {}
        self.life = DAY
        self.clock: Callable[[], float] = time.time
        self.frame: Frame | None = None
        self.app = Starlette(routes=[
            Route("/.well-known/openid-federation", self._configuration),
            Route("/fetch", self._fetch),
            Route("/list", self._list),
            Route("/mark-status", self._mark_status, methods=["POST"]),
            Route("/jwks", self._jwks),
            Route("/signed-jwks", self._signed_jwks),
            Route("/_federation/fault", self._break, methods=["POST"]),
        ])  # fmt: skip
        self.app_key = ECKey.generate_key("P-256")

    @property
    def jwks(self) -> Claims:
        """Its federation keys, public."""
        return {"keys": [public(self.key)]}

    def vouch(self, entity: str, jwks: Claims, **said: Any) -> Vouched:
        """Take an entity as immediate subordinate; `said`: fields of `Vouched`."""
        self.subordinates[entity] = found = Vouched(jwks, **said)
        return found

    def take(self, other: Entity, **said: Any) -> Vouched:
        """The same for one of this country, which is told of its new superior."""
        other.superiors.append(self.url)
        return self.vouch(other.url, other.jwks, **said)

    def issue_mark(self, type: str, sub: str, *, life: float | None = DAY, delegation: str = "") -> str:
        """A trust mark; `life` None: it never ends."""
        now = int(self.clock())
        claims: Claims = {"iss": self.url, "sub": sub, "trust_mark_type": type, "iat": now}
        claims |= {"exp": now + int(life)} if life is not None else {}
        claims |= {"delegation": delegation} if delegation else {}
        token = paper(self.key, "trust-mark+jwt", claims)
        self.issued[token] = "active"
        return token

    def delegate(self, type: str, issuer: str) -> str:
        """The word of a trust mark's owner that `issuer` may issue it."""
        claims = {"iss": self.url, "sub": issuer, "trust_mark_type": type, "iat": int(self.clock())}
        return paper(self.key, "trust-mark-delegation+jwt", claims)

    async def _configuration(self, request: Request) -> Response:
        now = int(self.clock())
        claims: Claims = {
            "iss": self.url, "sub": self.url, "iat": now, "exp": now + self.life, "jwks": self.jwks,
            "metadata": self._metadata(),
        }  # fmt: skip
        optional = {
            "authority_hints": self.superiors, "trust_mark_issuers": self.mark_issuers,
            "trust_mark_owners": self.mark_owners,
            "trust_marks": [{"trust_mark_type": type, "trust_mark": token} for type, token in self.marks],
        }  # fmt: skip
        return await self._said("configuration", claims | _filled(optional))

    def _metadata(self) -> dict[str, Claims]:
        ends = {
            "federation_fetch_endpoint": f"{self.url}/fetch", "federation_list_endpoint": f"{self.url}/list",
            "federation_trust_mark_status_endpoint": f"{self.url}/mark-status",
        }  # fmt: skip
        stated = {"organization_name": self.name, **(ends if self.authority else {})}
        own = self.metadata.get("federation_entity", {})
        return {**self.metadata, "federation_entity": {**stated, **own}}

    async def _fetch(self, request: Request) -> Response:
        sub = request.query_params.get("sub", "")
        found = self.subordinates.get(sub)
        if found is None or not self.authority or self.faults.get(sub) == "unlisted":
            return JSONResponse({"error": "not_found", "error_description": "not a subordinate"}, 404)
        now = int(self.clock())
        claims: Claims = {"iss": self.url, "sub": sub, "iat": now, "exp": now + self.life, "jwks": found.jwks}
        optional = {
            "metadata": found.metadata, "metadata_policy": found.policy, "constraints": found.constraints,
            "metadata_policy_crit": found.crit,
        }  # fmt: skip
        return await self._said(sub, claims | _filled(optional))

    async def _list(self, request: Request) -> Response:
        wanted = request.query_params.getlist("entity_type")
        found = [name for name, said in self.subordinates.items() if all(one in said.types for one in wanted)]
        return JSONResponse(found)

    async def _mark_status(self, request: Request) -> Response:
        token = parse_qs((await request.body()).decode("ascii")).get("trust_mark", [""])[0]
        status = self.issued.get(token)
        if status is None:
            return JSONResponse({"error": "not_found", "error_description": "not issued here"}, 404)
        claims = {"iss": self.url, "iat": int(self.clock()), "trust_mark": token, "status": status}
        return await self._said("status", claims, "trust-mark-status-response+jwt")

    async def _jwks(self, request: Request) -> Response:
        return JSONResponse({"keys": [public(self.app_key)]})

    async def _signed_jwks(self, request: Request) -> Response:
        claims = {"iss": self.url, "sub": self.url, "iat": int(self.clock()), "keys": [public(self.app_key)]}
        return await self._said("jwks", claims, "jwk-set+jwt")

    async def _break(self, request: Request) -> Response:
        told = await request.json()
        if told.get("name") not in FAULTS:
            return JSONResponse({"error": f"name is one of {FAULTS}"}, 400)
        self.faults[str(told.get("thing"))] = told["name"]
        return JSONResponse(self.faults)

    async def _said(self, thing: str, claims: Claims, typ: str = STATEMENT) -> Response:
        fault = self.faults.get(thing, "ok")
        if fault == "slow":
            await asyncio.sleep(60)
        token = self._flawed(fault, claims, typ)
        return Response(token, media_type=f"application/{typ}", headers={"Cache-Control": "no-store"})

    def _flawed(self, fault: str, claims: Claims, typ: str) -> str:
        """The paper, with a fault in it or without."""
        claims = _CLAIMS[fault](claims, int(self.clock())) if fault in _CLAIMS else claims
        header = {"alg": "ES256", "kid": public(self.key)["kid"], "typ": typ}
        if fault == "key-in-header":
            return raw(self.stranger, _HEADER[fault](header, self.stranger), claims)
        if fault in _HEADER:
            return raw(self.key, _HEADER[fault](header, self.key), claims)
        if fault == "stranger-signs":
            return raw(self.stranger, header, claims)
        if fault == "alg-none":
            return f"{_part(header | {'alg': 'none'})}.{_part(claims)}."
        if fault == "garbage":
            return "not.a.statement at all"
        token = raw(self.key, header, claims)
        return _tampered(token) if fault == "tampered" else token


def _filled(optional: Claims) -> Claims:
    return {name: said for name, said in optional.items() if said}


def public(key: ECKey) -> Claims:
    """A key's public part, named by its thumbprint."""
    return {**key.as_dict(private=False), "kid": key.thumbprint(), "alg": "ES256", "use": "sig"}


def paper(key: ECKey, typ: str, claims: Claims) -> str:
    """A signed paper of the right form."""
    return raw(key, {"alg": "ES256", "kid": public(key)["kid"], "typ": typ}, claims)


def raw(key: ECKey, header: Claims, claims: Claims) -> str:
    """Signed with ES256, whatever the header says."""
    message = f"{_part(header)}.{_part(claims)}"
    signature = jws.JWSRegistry.algorithms["ES256"].sign(message.encode(), key)
    return f"{message}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def _part(value: Claims) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _tampered(token: str) -> str:
    """Another claim under the same signature."""
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return f"{head}.{_part(claims | {'exp': claims.get('exp', 0) + 1})}.{signature}"


@dataclass(frozen=True)
class Federation:
    """Five levels that are up: each vouches for the one below."""

    nation: Entity
    province: Entity
    city: Entity
    county: Entity
    school: Entity

    @property
    def entities(self) -> tuple[Entity, ...]:
        """From the top."""
        return self.nation, self.province, self.city, self.county, self.school

    @property
    def anchors(self) -> dict[str, Claims]:
        """What is handed over out of band: the nation's keys."""
        return {self.nation.url: self.nation.jwks}


def application(url: str, key: ECKey, **said: Any) -> Claims:
    """Metadata of a school's system as relying party."""
    return {
        "client_name": "学校作业系统", "client_name#en": "School homework system",
        "redirect_uris": [f"{url}/callback"], "client_registration_types": ["automatic"],
        "token_endpoint_auth_method": "private_key_jwt", "scope": "openid profile graph roles",
        "jwks": {"keys": [public(key)]}, **said,
    }  # fmt: skip


@contextlib.asynccontextmanager
async def standing(entity: Entity, port: int = 0, host: str = "127.0.0.1") -> AsyncIterator[Entity]:
    """Serve an entity on loopback until the block ends; `host`: another name in its address."""
    async with served(entity.app, port) as twin:
        entity.url, entity.frame = twin.url.replace("127.0.0.1", host), twin.frame
        yield entity


@contextlib.asynccontextmanager
async def federation(
    *, school: str = "学校作业系统", hosts: Mapping[str, str] | None = None
) -> AsyncIterator[Federation]:
    """The five levels, up and vouching. `hosts`: level -> the name that its address has, if not 127.0.0.1."""
    made = Federation(
        nation=Entity("国家教育数字化中心", authority=True),
        province=Entity("省教育厅", authority=True),
        city=Entity("市教育和体育局", authority=True),
        county=Entity("区教育和体育局", authority=True),
        school=Entity(school, authority=False),
    )  # fmt: skip
    names = ("nation", "province", "city", "county", "school")
    places = [(hosts or {}).get(name, "127.0.0.1") for name in names]
    async with _all_standing(made.entities, places):
        introduce(made)
        yield made


@contextlib.asynccontextmanager
async def _all_standing(entities: Sequence[Entity], hosts: Sequence[str]) -> AsyncIterator[None]:
    """Serve all; they come up and go down together, not one after the other."""
    done = asyncio.Event()
    up = [asyncio.Event() for _ in entities]

    async def stand(entity: Entity, host: str, ready: asyncio.Event) -> None:
        async with standing(entity, host=host):
            ready.set()
            await done.wait()

    each = zip(entities, hosts, up, strict=True)
    tasks = [asyncio.create_task(stand(entity, host, ready)) for entity, host, ready in each]
    try:
        await asyncio.gather(*(ready.wait() for ready in up))
        yield
    finally:
        done.set()
        await asyncio.gather(*tasks)


def introduce(made: Federation) -> None:
    """Each level vouches for the one below; divisions and levels are said from above."""
    places = (("370000", "PROVINCIAL"), ("371500", "MUNICIPAL"), ("371502", "COUNTY"))
    above = made.entities[:3]
    for superior, lower, (region, level) in zip(above, made.entities[1:4], places, strict=True):
        said = {"education_region": region, "education_level": level, "organization_name": lower.name}
        superior.take(lower, metadata={"federation_entity": said}, types=("federation_entity",))
    made.school.metadata["openid_relying_party"] = application(made.school.url, made.school.app_key)
    made.county.take(made.school, types=("openid_relying_party",))


def endless() -> Starlette:
    """A chain without end: each of its entities names another above it, and all vouch for everybody."""
    key = ECKey.generate_key("P-256")

    def said(request: Request, sub: str | None) -> Response:
        place, now = int(request.path_params["place"]), int(time.time())
        base = str(request.base_url).rstrip("/")
        url = f"{base}/e/{place}"
        claims: Claims = {"iss": url, "sub": sub or url, "iat": now, "exp": now + DAY}
        claims["jwks"] = {"keys": [public(key)]}
        if sub is None:
            claims["authority_hints"] = [f"{base}/e/{place + 1}"]
            claims["metadata"] = {"federation_entity": {"federation_fetch_endpoint": f"{url}/fetch"}}
        return Response(paper(key, STATEMENT, claims), media_type=f"application/{STATEMENT}")

    async def configuration(request: Request) -> Response:
        return said(request, None)

    async def fetch(request: Request) -> Response:
        return said(request, request.query_params["sub"])

    return Starlette(routes=[
        Route("/e/{place:int}/.well-known/openid-federation", configuration),
        Route("/e/{place:int}/fetch", fetch),
    ])  # fmt: skip
