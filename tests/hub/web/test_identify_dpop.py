"""A token that is bound to a key opens the graph only together with a proof of that key (RFC 9449 §7)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import aiohttp
import pytest
from graphql import ExecutionResult
from starlette.applications import Starlette
from starlette.requests import Request

from auth.dpop import DPoP
from auth.errors import StoreDown
from auth.principal import Principal
from auth.proofs import INDEXES, Proofs, RememberedProofs, SteadyProofs, StoredProofs
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from hub.web.graphql import GraphQLEndpoint
from hub.web.identify import presented
from hub.web.limits import Limits
from hub.web.routes import routes
from tests.auth.proving import Holder
from tests.hub.web.served import SmallGraph, all_well, fresh_ring, gate, serving

GRAPH = "https://hub.test/graphql"
"""The graph as its clients know it, whatever port and host it listens on."""
ME = json.dumps({"query": "{ me { displayName } }"}).encode()


class Graph:
    """A running graph that knows proofs, and a pupil's application that holds a key."""

    def __init__(self, port: int, http: aiohttp.ClientSession) -> None:
        self.port, self.http = port, http
        self.holder, self.tokens = Holder(), gate(fresh_ring())

    def token(self, jkt: str | None = None) -> str:
        bound = self.holder.thumbprint if jkt is None else jkt
        return self.tokens.issue(Principal("https://hub.test", "county-teacher", "COUNTY", jkt=bound))

    def proof(self, token: str, **more: Any) -> str:
        return self.holder.proof("POST", GRAPH, token, **more)

    async def ask(
        self, authorization: str, *proofs: str, **headers: str
    ) -> tuple[int, dict[str, Any], Mapping[str, str]]:
        given = [("Authorization", authorization), *(("DPoP", proof) for proof in proofs), *headers.items()]
        url = f"http://127.0.0.1:{self.port}/graphql"
        given.append(("Content-Type", "application/json"))
        async with self.http.post(url, data=ME, headers=given) as answer:
            return answer.status, await answer.json(), answer.headers

    async def refused(self, authorization: str, *proofs: str, **headers: str) -> str:
        """The challenge of a refusal."""
        status, answer, told = await self.ask(authorization, *proofs, **headers)
        assert status == 401, answer
        assert set(answer) == {"errors"}
        return told["WWW-Authenticate"]


@pytest.fixture
async def graph() -> AsyncIterator[Graph]:
    async for running in graph_with(RememberedProofs(time.time)):
        yield running


async def graph_with(proofs: Proofs) -> AsyncIterator[Graph]:
    async with aiohttp.ClientSession() as http:
        found = Graph(0, http)

        def context(request: Request, viewer: Any) -> dict[str, Any]:
            return {"viewer": viewer}

        async def finish(_context: dict[str, Any], _result: ExecutionResult) -> None:
            return None

        identify = presented(found.tokens.verify, DPoP(proofs, time.time), GRAPH)
        endpoint = GraphQLEndpoint(SmallGraph(), identify, context, finish, Limits(), False)
        async with serving(Starlette(routes=routes(endpoint, all_well, sdl=None))) as port:
            found.port = port
            yield found


WELL = {"data": {"me": {"displayName": "county-teacher"}}}


async def test_token_and_proof_together_open_the_graph(graph: Graph) -> None:
    token = graph.token()
    for scheme in ("DPoP", "dpop", "DPOP"):
        status, answer, _ = await graph.ask(f"{scheme} {token}", graph.proof(token))
        assert (status, answer) == (200, WELL)


async def test_a_bearers_token_still_opens_it_without_a_proof(graph: Graph) -> None:
    status, answer, _ = await graph.ask(f"Bearer {graph.token(jkt='')}")
    assert (status, answer) == (200, WELL)


async def test_a_stolen_bound_token_opens_nothing_as_a_bearers(graph: Graph) -> None:
    token = graph.token()
    assert await graph.refused(f"Bearer {token}") == 'Bearer error="invalid_token"'
    assert await graph.refused(f"Bearer {token}", graph.proof(token)) == 'Bearer error="invalid_token"'


async def test_an_unbound_token_opens_nothing_under_the_dpop_scheme(graph: Graph) -> None:
    token = graph.token(jkt="")
    assert 'error="invalid_token"' in await graph.refused(f"DPoP {token}", graph.proof(token))


async def test_a_foreign_key_opens_nothing(graph: Graph) -> None:
    token, thief = graph.token(), Holder()
    challenge = await graph.refused(f"DPoP {token}", thief.proof("POST", GRAPH, token))
    assert challenge.startswith('DPoP error="invalid_token", algs="ES256 ')


async def test_a_replayed_proof_opens_nothing(graph: Graph) -> None:
    token = graph.token()
    proof = graph.proof(token)
    assert (await graph.ask(f"DPoP {token}", proof))[0] == 200
    assert 'error="invalid_dpop_proof"' in await graph.refused(f"DPoP {token}", proof)


async def test_a_proof_for_another_token_method_or_address_opens_nothing(graph: Graph) -> None:
    token, other = graph.token(), graph.token()
    here = f"http://127.0.0.1:{graph.port}/graphql"
    proofs = {
        "another token": graph.proof(other),
        "no token": graph.holder.proof("POST", GRAPH),
        "another method": graph.holder.proof("GET", GRAPH, token),
        "the address it listens on": graph.holder.proof("POST", here, token),
        "the token endpoint": graph.holder.proof("POST", "https://hub.test/oauth/token", token),
        "too old": graph.proof(token, iat=int(time.time()) - 90),
    }
    for cause, proof in proofs.items():
        assert 'error="invalid_dpop_proof"' in await graph.refused(f"DPoP {token}", proof), cause


async def test_a_forged_host_header_moves_no_address(graph: Graph) -> None:
    token = graph.token()
    lured = graph.holder.proof("POST", "http://evil.example/graphql", token)
    forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    assert 'error="invalid_dpop_proof"' in await graph.refused(f"DPoP {token}", lured, **forged)


async def test_no_proof_and_two_proofs_open_nothing(graph: Graph) -> None:
    token = graph.token()
    proofs: Sequence[str] = [graph.proof(token), graph.proof(token)]
    assert 'error="invalid_dpop_proof"' in await graph.refused(f"DPoP {token}")
    assert 'error="invalid_dpop_proof"' in await graph.refused(f"DPoP {token}", *proofs)


async def test_an_id_token_or_a_proof_is_no_access_token(graph: Graph) -> None:
    key = Holder()
    id_token = key.sign({"alg": "ES256", "kid": "x", "typ": "JWT"}, b'{"iss":"https://hub.test","sub":"x"}')
    for shown in (id_token, graph.proof(graph.token()), "garbage", ""):
        assert "DPoP" in await graph.refused(f"DPoP {shown}", graph.proof(shown))
    for shown in (id_token, graph.proof(graph.token())):
        assert await graph.refused(f"Bearer {shown}") == 'Bearer error="invalid_token"'


async def test_who_has_no_token_does_not_fill_the_memory_of_proofs() -> None:
    memory = RememberedProofs(time.time, most=3)
    async for graph in graph_with(memory):
        for _ in range(10):
            assert 'error="invalid_token"' in await graph.refused("DPoP x.y.z", graph.proof("x.y.z"))
        token = graph.token()
        assert (await graph.ask(f"DPoP {token}", graph.proof(token)))[0] == 200


async def test_of_32_uses_of_one_proof_at_once_one_is_answered(mongo: Mongo) -> None:
    store = MongoStore(mongo)
    await store.declare(INDEXES)
    async for graph in graph_with(StoredProofs(store)):
        token = graph.token()
        proof = graph.proof(token)
        answers = await asyncio.gather(*(graph.ask(f"DPoP {token}", proof) for _ in range(32)))
        assert sorted(status for status, _, _ in answers) == [200] + [401] * 31


class Away:
    """A store that does not answer."""

    async def first(self, proof: str, until: float) -> bool:
        raise StoreDown


async def test_while_the_store_is_away_a_valid_token_and_proof_go_on_working() -> None:
    async for graph in graph_with(SteadyProofs(Away(), RememberedProofs(time.time))):
        token = graph.token()
        proof = graph.proof(token)
        assert (await graph.ask(f"DPoP {token}", proof))[0] == 200
        assert (await graph.ask(f"DPoP {token}", proof))[0] == 401


async def test_when_nobody_can_say_whether_a_proof_is_new_the_graph_says_503() -> None:
    async for graph in graph_with(Away()):
        token = graph.token()
        status, answer, told = await graph.ask(f"DPoP {token}", graph.proof(token))
        assert (status, told["Retry-After"]) == (503, "2")
        assert answer["errors"][0]["extensions"]["code"] == "STORE_UNAVAILABLE"
