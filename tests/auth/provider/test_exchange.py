"""A level's token for a hub token: for whom the level vouches, to whom it may be given, and nothing more."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from auth.broker.oidc import Oidc
from auth.provider.exchange import ACCESS_TOKEN, GRANT_TYPE, ID_TOKEN, AccessTokensOf, IdTokensOf, Verifier
from auth.settings import UpstreamSettings
from connectors.http import Http
from hub.identity.fetch import HttpFetch
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.auth.proving import Holder
from tests.fakes.gate import Clock
from tests.fakes.granting import AUDIENCE, CLI, Granting, bare, granting
from tests.fakes.hostile_modes import MODES
from tests.fakes.hostile_provider import (
    CLIENT_ID,
    HONEST,
    HOST,
    SUB,
    HostileProvider,
    compact,
    failing,
)

PORTAL = bare(
    id="county-portal", grant_types=(GRANT_TYPE,), scopes=("openid", "profile", "graph", "offline_access"),
    purposes=("teaching",),
)  # fmt: skip
OTHER = bare(id="not-for-exchange", scopes=("openid", "graph"))
PUBLIC = bare(id="public", secret="", grant_types=(GRANT_TYPE,), scopes=("graph",))
BOUND = bare(id="bound", grant_types=(GRANT_TYPE,), scopes=("graph",), dpop_bound=True)


class Keyed:
    """Stands for the connectors' seal."""

    def match_key(self, number: str) -> str:
        return f"keyed:{len(number)}"


@dataclass
class Bureau:
    """The county's provider, and the hub that takes its tokens."""

    gate: Granting
    county: HostileProvider

    def token(
        self, *, header: dict[str, Any] | None = None, without: tuple[str, ...] = (), **claims: Any
    ) -> str:
        """An ID token that the county made for the hub."""
        body = self.county.claims({}, "") | claims
        for name in ("nonce", "at_hash", *without):
            body.pop(name, None)
        head = {"alg": "ES256", "kid": self.county.kid, "typ": "JWT"} | (header or {})
        return compact(head, body, self.county.key())

    async def exchange(
        self, token: str, client: str = PORTAL.id, *, proof: str = "", **form: str
    ) -> tuple[int, dict[str, Any]]:
        given = {
            "grant_type": GRANT_TYPE, "subject_token": token, "subject_token_type": ID_TOKEN,
        } | form  # fmt: skip
        basic = base64.b64encode(f"{client}:{'s' * 32}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}"} | ({"DPoP": proof} if proof else {})
        fields = {name: value for name, value in given.items() if value}
        return await self.gate.post("/oauth/token", fields, headers=headers)

    async def refused(self, token: str, client: str = PORTAL.id, **form: str) -> str:
        status, answer = await self.exchange(token, client, **form)
        assert status == 400, answer
        assert token not in str(answer) or not token
        return str(answer["error"])


async def loopback(_host: str) -> list[str]:
    return ["127.0.0.1"]


@asynccontextmanager
async def bureau_of(mongo: Mongo, folder: Path) -> AsyncIterator[Bureau]:
    county = HostileProvider(Clock())
    async with county.serving(), Http([HOST], lookup=loopback) as http:
        settings = UpstreamSettings(
            code="county", kind="oidc", name="某县", level="COUNTY", region="371502", issuer=county.url,
            client_id=CLIENT_ID, client_secret="x", algorithms=("ES256",), options={"plain_http": True},
            assurance={"real-name": "NAME_VERIFIED"},
        )  # fmt: skip
        upstream = Oidc(settings, HttpFetch(http), Keyed(), lambda: county.clock())

        def id_tokens(_issuer: str) -> dict[str, Verifier]:
            return {county.url: IdTokensOf(upstream, CLIENT_ID)}

        def access_tokens(issuer: str) -> dict[str, Verifier]:
            return {county.url: AccessTokensOf(upstream, issuer)}

        clients = (PORTAL, OTHER, PUBLIC, BOUND, CLI)
        async with granting(MongoStore(mongo), folder / "keys", clients, id_tokens, access_tokens) as gate:
            county.clock = gate.clock
            yield Bureau(gate, county)


@pytest.fixture
async def bureau(mongo: Mongo, tmp_path: Path) -> AsyncIterator[Bureau]:
    async with bureau_of(mongo, tmp_path) as running:
        yield running


async def test_the_countys_portal_exchanges_its_teachers_token_for_one_of_the_hub(bureau: Bureau) -> None:
    status, answer = await bureau.exchange(bureau.token(), scope="graph")
    assert status == 200, answer
    assert set(answer) == {"access_token", "token_type", "expires_in", "scope", "issued_token_type"}
    assert (answer["issued_token_type"], answer["token_type"]) == (ACCESS_TOKEN, "Bearer")
    principal = bureau.gate.tokens.verify(answer["access_token"])
    assert (principal.client_id, principal.scopes, principal.session) == (PORTAL.id, ("graph",), "")
    accounts = await bureau.gate.accounts.of_person(principal.person)
    assert [(each.iss, each.sub) for each in accounts] == [(bureau.county.url, SUB)]
    assert principal.subject not in (SUB, principal.person)
    (noted,) = [facts for event, facts in bureau.gate.paper.events if event == "token.exchanged"]
    assert noted == {"client": PORTAL.id, "upstream": "county", "scopes": "graph"}


async def test_an_access_token_that_the_county_made_for_the_hub_is_exchanged_too(bureau: Bureau) -> None:
    token = bureau.token(header={"typ": "at+jwt"}, aud=bureau.gate.url)
    status, answer = await bureau.exchange(token, subject_token_type=ACCESS_TOKEN)
    assert status == 200, answer
    person = bureau.gate.tokens.verify(answer["access_token"]).person
    accounts = await bureau.gate.accounts.of_person(person)
    assert [(each.iss, each.sub) for each in accounts] == [(bureau.county.url, SUB)]


async def test_token_type_confusion_an_access_token_for_somebody_else_or_of_another_type_is_refused(
    bureau: Bureau,
) -> None:
    for token in (
        bureau.token(header={"typ": "at+jwt"}),  # for our client there, not for the hub as a resource
        bureau.token(header={"typ": "at+jwt"}, aud="https://elsewhere.test"),
        bureau.token(aud=bureau.gate.url),  # an ID token by its type
        bureau.token(header={"typ": "logout+jwt"}, aud=bureau.gate.url),
    ):
        assert await bureau.refused(token, subject_token_type=ACCESS_TOKEN) == "invalid_request"


async def test_16_exchanges_at_once_are_of_one_person(bureau: Bureau) -> None:
    answers = await asyncio.gather(*(bureau.exchange(bureau.token()) for _ in range(16)))
    assert {status for status, _ in answers} == {200}
    tokens = [bureau.gate.tokens.verify(answer["access_token"]) for _, answer in answers]
    assert len({each.person for each in tokens}) == 1


async def test_there_is_no_refresh_token_no_id_token_and_no_offline_scope(bureau: Bureau) -> None:
    _, answer = await bureau.exchange(bureau.token())
    assert answer["scope"] == "profile graph"
    assert await bureau.refused(bureau.token(), scope="graph offline_access") == "invalid_scope"


async def test_scopes_are_never_wider_than_the_clients(bureau: Bureau) -> None:
    for scope in ("roles", "graph roles", "admin", "introspect"):
        assert await bureau.refused(bureau.token(), scope=scope) == "invalid_scope", scope


async def test_only_a_client_that_is_registered_for_it_and_proves_itself_exchanges(bureau: Bureau) -> None:
    assert await bureau.refused(bureau.token(), OTHER.id) == "unauthorized_client"
    form = {"grant_type": GRANT_TYPE, "subject_token": bureau.token(), "subject_token_type": ID_TOKEN}
    status, answer = await bureau.gate.post("/oauth/token", form | {"client_id": PUBLIC.id})
    assert (status, answer["error"]) == (400, "unauthorized_client")
    status, answer = await bureau.gate.post("/oauth/token", form | {"client_id": PORTAL.id})
    assert (status, answer["error"]) == (401, "invalid_client")


async def test_audience_and_resource_name_the_graph_or_nothing_is_given(bureau: Bureau) -> None:
    for target in (AUDIENCE, f"{bureau.gate.url}/graphql"):
        assert (await bureau.exchange(bureau.token(), audience=target, resource=target))[0] == 200
    for name in ("audience", "resource"):
        assert await bureau.refused(bureau.token(), **{name: "https://evil.example"}) == "invalid_target"


@pytest.mark.parametrize(
    "form",
    [
        {"actor_token": "x.y.z", "actor_token_type": ID_TOKEN},
        {"actor_token_type": ID_TOKEN},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        {"requested_token_type": ID_TOKEN},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        {"subject_token_type": ""},
        {"subject_token": ""},
    ],
)
async def test_what_is_not_done_here_is_refused_clearly(bureau: Bureau, form: dict[str, str]) -> None:
    status, answer = await bureau.exchange(bureau.token(), **form)
    assert (status, answer["error"]) == (400, "invalid_request")
    assert len(answer["error_description"]) > 10


async def test_a_delegated_token_is_refused_and_says_why(bureau: Bureau) -> None:
    somebody = {"sub": "somebody"}
    for token in (bureau.token(act=somebody), bureau.token(may_act=somebody)):
        status, answer = await bureau.exchange(token)
        assert (status, answer["error"]) == (400, "invalid_request")
        assert "delegation" in answer["error_description"]


async def test_token_types_are_not_confused(bureau: Bureau) -> None:
    access_shaped = bureau.token(header={"typ": "at+jwt"})
    logout_shaped = bureau.token(header={"typ": "logout+jwt"})
    assert await bureau.refused(access_shaped) == "invalid_request", "an access token as ID token"
    assert await bureau.refused(logout_shaped) == "invalid_request"
    id_as_access = await bureau.refused(bureau.token(), subject_token_type=ACCESS_TOKEN)
    assert id_as_access == "invalid_request", "an ID token as access token"
    proof = Holder().proof("POST", f"{bureau.gate.url}/oauth/token")
    assert await bureau.refused(proof) == "invalid_request", "a DPoP proof as ID token"


async def test_the_hubs_own_tokens_are_no_levels_tokens(bureau: Bureau) -> None:
    _, answer = await bureau.exchange(bureau.token())
    own = answer["access_token"]
    assert await bureau.refused(own, subject_token_type=ACCESS_TOKEN) == "invalid_request"
    assert await bureau.refused(own) == "invalid_request"


async def test_a_token_made_for_another_application_of_the_level_is_refused(bureau: Bureau) -> None:
    for aud in ("another-application", ["another-application"], "", None, [], {"$ne": CLIENT_ID}):
        assert await bureau.refused(bureau.token(aud=aud)) == "invalid_request", aud


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"}, {"iss": ""}, {"iss": None}, {"iss": ["x"]}, {"iss": {"$ne": ""}},
        {"exp": 1}, {"exp": "never"}, {"sub": ""}, {"sub": "x" * 5000}, {"sub": 7}, {"iat": 9999999999},
    ],
)  # fmt: skip
async def test_tokens_with_wrong_claims_are_refused(bureau: Bureau, claims: dict[str, Any]) -> None:
    assert await bureau.refused(bureau.token(**claims)) == "invalid_request"


@pytest.mark.parametrize(
    "token",
    ["", "x", "a.b", "a.b.c.d", "..", "e30.e30.", "bnVsbA.bnVsbA.x", "W10.W10.x", "\xff.\xff.\xff",
     "x" * 16_001 + ".a.b", "W1tbW1tbW1tb" * 200 + ".e30.x"],
)  # fmt: skip
async def test_what_is_no_token_is_refused(bureau: Bureau, token: str) -> None:
    assert await bureau.refused(token) == "invalid_request"


@pytest.mark.parametrize(
    "name", [name for name, mode in MODES.items() if mode.sign or (mode.header and not mode.slow)]
)
async def test_a_hostile_countys_token_is_refused_without_a_5xx(bureau: Bureau, name: str) -> None:
    bureau.county.mode = MODES[name]
    lie = bureau.county.id_token({}, "")
    assert isinstance(lie, str), "a mode that signs or heads a token makes one"
    status, answer = await bureau.exchange(lie)
    assert status in (400, 503), answer
    bureau.county.mode = HONEST
    bureau.gate.clock.at += 11
    assert (await bureau.exchange(bureau.token()))[0] == 200


async def test_while_the_county_is_silent_the_portal_is_told_to_come_again(bureau: Bureau) -> None:
    bureau.county.mode = type(HONEST)("", metadata=failing(500), jwks=failing(500))
    status, answer = await bureau.exchange(bureau.token())
    assert (status, answer["error"]) == (503, "temporarily_unavailable")


async def test_an_exchanged_token_is_bound_to_the_key_that_was_proven(bureau: Bureau) -> None:
    holder = Holder()
    proof = holder.proof("POST", f"{bureau.gate.url}/oauth/token")
    status, answer = await bureau.exchange(bureau.token(), BOUND.id, proof=proof)
    assert (status, answer["token_type"]) == (200, "DPoP")
    assert bureau.gate.tokens.verify(answer["access_token"]).jkt == holder.thumbprint
    assert await bureau.refused(bureau.token(), BOUND.id) == "invalid_dpop_proof"
