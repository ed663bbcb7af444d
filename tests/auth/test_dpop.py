"""Whoever shows a token shows that they hold its key; a proof that is bent, late or used proves nothing."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
import warnings
from collections.abc import AsyncIterator

import aiohttp
import pytest
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from auth.dpop import ALGORITHMS, DPoP, InvalidDPoP
from auth.errors import StoreDown
from auth.proofs import INDEXES, RememberedProofs, SteadyProofs, StoredProofs
from connectors.sandbox.frame import served
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.auth.proving import Holder, PrivateKey, b64

ISSUER = "https://hub.example"
TOKEN_URL = f"{ISSUER}/oauth/token"
TOKEN = "the-access-token"


class Endpoint:
    """A token endpoint that wants a proof, on a real socket."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self._url, self._http = f"{url}/oauth/token", http

    async def send(self, *proofs: str, **headers: str) -> tuple[int, str]:
        given = [("DPoP", proof) for proof in proofs] + list(headers.items())
        async with self._http.post(self._url, headers=given) as answer:
            return answer.status, (await answer.json())["told"]


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    dpop = DPoP(RememberedProofs(time.time), time.time)

    async def answer(request: Request) -> JSONResponse:
        try:
            told = await dpop.thumbprint(request.method, TOKEN_URL, request.headers)
        except InvalidDPoP as refused:
            return JSONResponse({"told": refused.error}, refused.status)
        return JSONResponse({"told": told})

    app = Starlette(routes=[Route("/oauth/token", answer, methods=["POST"])])
    async with served(app) as at, aiohttp.ClientSession() as http:
        yield Endpoint(at.url, http)


def holders() -> list[tuple[PrivateKey, str]]:
    ed = OKPKey.generate_key("Ed25519")
    return [
        (ECKey.generate_key("P-256"), "ES256"), (RSAKey.generate_key(2048), "PS256"),
        (ed, "Ed25519"), (ed, "EdDSA"),
    ]  # fmt: skip


async def test_a_proof_of_every_listed_algorithm_names_its_key(endpoint: Endpoint) -> None:
    for key, alg in holders():
        holder = Holder(key, alg)
        assert await endpoint.send(holder.proof("POST", TOKEN_URL)) == (200, holder.thumbprint), alg
    assert {alg for _, alg in holders()} == set(ALGORITHMS)


async def test_a_proof_counts_once(endpoint: Endpoint) -> None:
    proof = Holder().proof("POST", TOKEN_URL)
    assert (await endpoint.send(proof))[0] == 200
    assert await endpoint.send(proof) == (400, "invalid_dpop_proof")


async def test_two_clients_may_name_their_proofs_alike_and_neither_uses_up_the_others(
    endpoint: Endpoint,
) -> None:
    for _ in range(2):
        assert (await endpoint.send(Holder().proof("POST", TOKEN_URL, jti="first")))[0] == 200


async def test_a_bent_proof_does_not_use_up_the_name_of_a_good_one(endpoint: Endpoint) -> None:
    holder = Holder()
    bent = holder.proof("POST", "https://elsewhere.example/oauth/token", jti="mine")
    assert (await endpoint.send(bent))[0] == 400
    assert (await endpoint.send(holder.proof("POST", TOKEN_URL, jti="mine")))[0] == 200


async def test_a_proof_for_the_address_of_a_forged_host_header_is_refused(endpoint: Endpoint) -> None:
    proof = Holder().proof("POST", "https://evil.example/oauth/token")
    told = await endpoint.send(proof, Host="evil.example", **{"X-Forwarded-Host": "evil.example"})
    assert told == (400, "invalid_dpop_proof")
    good = Holder().proof("POST", TOKEN_URL)
    assert (await endpoint.send(good, Host="evil.example"))[0] == 200, "Host does not count either way"


@pytest.mark.parametrize(
    "htu",
    [TOKEN_URL.upper().replace("/OAUTH/TOKEN", "/oauth/token"), f"{TOKEN_URL}?x=1", f"{TOKEN_URL}#x",
     "https://hub.example:443/oauth/token"],
)  # fmt: skip
async def test_an_address_written_otherwise_is_the_same(endpoint: Endpoint, htu: str) -> None:
    assert (await endpoint.send(Holder().proof("POST", htu)))[0] == 200


@pytest.mark.parametrize(
    "htu",
    ["http://hub.example/oauth/token", "https://hub.example:8443/oauth/token", "https://hub.example/oauth/par",
     "https://hub.example/oauth/token/", "https://hub.example@evil.example/oauth/token",
     "https://x@hub.example/oauth/token", "https://hub.example.evil.example/oauth/token", "/oauth/token",
     "https://hub.example/oauth/x/../token", "https://hub.example:port/oauth/token", "", 7, None, [TOKEN_URL],
     "https://hub.example/oauth/token\n", "https://hub.example\\oauth/token", "https://höb.example/oauth/token"],
)  # fmt: skip
async def test_a_proof_for_another_address_is_refused(endpoint: Endpoint, htu: object) -> None:
    assert await endpoint.send(Holder().proof("POST", TOKEN_URL, htu=htu)) == (400, "invalid_dpop_proof")


async def test_bent_proofs_are_refused_all_alike(endpoint: Endpoint) -> None:
    for cause, proof in bent().items():
        assert await endpoint.send(proof) == (400, "invalid_dpop_proof"), cause


def bent() -> dict[str, str]:
    holder, rsa, now = Holder(), Holder(RSAKey.generate_key(2048), "PS256"), int(time.time())
    good = holder.proof("POST", TOKEN_URL)
    head, body, mark = good.split(".")
    stranger = Holder()
    mac = OctKey.generate_key(256).as_dict()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        small = Holder(RSAKey.generate_key(1024), "PS256")
    p384 = ECKey.generate_key("P-384").as_dict(private=False)

    unsigned = json.dumps({"typ": "dpop+jwt", "alg": "none", "jwk": holder.public}).encode()
    odd = rsa.public | {"e": "Aw"}

    def with_head(**members: object) -> str:
        return holder.proof("POST", TOKEN_URL, header=members)

    def hs256(key: bytes) -> str:
        signing = (
            f"{b64(json.dumps({'typ': 'dpop+jwt', 'alg': 'HS256', 'jwk': holder.public}).encode())}.{body}"
        )
        return f"{signing}.{b64(hmac.digest(key, signing.encode(), 'sha256'))}"

    claims = json.dumps({"jti": "x", "htm": "POST", "htu": TOKEN_URL, "iat": now})[:-1]
    return {
        "empty": "",
        "garbage": "garbage",
        "two parts": f"{head}.{body}",
        "four parts": f"{good}.x",
        "long": holder.proof("POST", TOKEN_URL, padding="x" * 4000),
        "unsigned": f"{b64(unsigned)}.{body}.",
        "HS256 with the public key": hs256(holder.key.as_bytes("PEM", private=False)),
        "HS256 with its own secret": with_head(alg="HS256", jwk=mac),
        "RS256, not on our list": Holder(rsa.key, "RS256").proof("POST", TOKEN_URL),
        "algorithm unknown": with_head(alg="ES999"),
        "algorithm a list": with_head(alg=["ES256"]),
        "algorithm of another kind of key": with_head(alg="PS256"),
        "signed by a stranger's key": f"{head}.{body}.{stranger.proof('POST', TOKEN_URL).split('.')[2]}",
        "another's key in the header": with_head(jwk=stranger.public),
        "a private key in the header": with_head(jwk=holder.key.as_dict(private=True)),
        "a private RSA part": rsa.proof("POST", TOKEN_URL, header={"jwk": rsa.public | {"d": "AQAB"}}),
        "a symmetric part": with_head(jwk=holder.public | {"k": "AQAB"}),
        "a key with an address": with_head(jwk=holder.public | {"x5u": "https://evil.example"}),
        "no key": holder.sign({"typ": "dpop+jwt", "alg": "ES256"}, b"{}"),
        "key a text": with_head(jwk="key"),
        "key null": with_head(jwk=None),
        "key incomplete": with_head(jwk={"kty": "EC", "crv": "P-256", "x": holder.public["x"]}),
        "key not on the curve": with_head(jwk=holder.public | {"y": holder.public["x"]}),
        "key of another curve": with_head(jwk=p384),
        "key's parts a number": with_head(jwk=holder.public | {"x": 7}),
        "an RSA key too small": small.proof("POST", TOKEN_URL),
        "an RSA key with an odd exponent": rsa.proof("POST", TOKEN_URL, header={"jwk": odd}),
        "typ missing": holder.sign({"alg": "ES256", "jwk": holder.public}, claims.encode() + b"}"),
        "typ of an access token": with_head(typ="at+jwt"),
        "typ of any token": with_head(typ="JWT"),
        "kid beside the key": with_head(kid="x"),
        "crit": with_head(crit=["iat"]),
        "jku": with_head(jku="https://evil.example/keys"),
        "header member twice": holder.sign(
            json.dumps({"typ": "dpop+jwt", "alg": "ES256", "jwk": holder.public})[:-1].encode()
            + b',"typ":"dpop+jwt"}', claims.encode() + b"}"),
        "claim twice": holder.sign(
            {"typ": "dpop+jwt", "alg": "ES256", "jwk": holder.public}, f'{claims},"htm":"POST"}}'.encode()),
        "claims a list": holder.sign({"typ": "dpop+jwt", "alg": "ES256", "jwk": holder.public}, b"[]"),
        "claims deep": holder.sign({"typ": "dpop+jwt", "alg": "ES256", "jwk": holder.public}, b"[" * 2000),
        "claims not UTF-8": holder.sign({"typ": "dpop+jwt", "alg": "ES256", "jwk": holder.public}, b"\xff"),
        "another method": holder.proof("GET", TOKEN_URL),
        "method in small letters": holder.proof("post", TOKEN_URL),
        "no method": holder.proof("POST", TOKEN_URL, without=("htm",)),
        "no address": holder.proof("POST", TOKEN_URL, without=("htu",)),
        "no name": holder.proof("POST", TOKEN_URL, without=("jti",)),
        "empty name": holder.proof("POST", TOKEN_URL, jti=""),
        "name too long": holder.proof("POST", TOKEN_URL, jti="x" * 257),
        "name an object": holder.proof("POST", TOKEN_URL, jti={"$ne": None}),
        "no time": holder.proof("POST", TOKEN_URL, without=("iat",)),
        "too old": holder.proof("POST", TOKEN_URL, iat=now - 63),
        "from the future": holder.proof("POST", TOKEN_URL, iat=now + 63),
        "time a text": holder.proof("POST", TOKEN_URL, iat=str(now)),
        "time true": holder.proof("POST", TOKEN_URL, iat=True),
        "time endless": holder.proof("POST", TOKEN_URL, iat=float("inf")),
        "time no number": holder.proof("POST", TOKEN_URL, iat=float("nan")),
        "time of 400 digits": holder.proof("POST", TOKEN_URL, iat=10**400),
        "two joined": f"{good}, {good}",
        "padded": f"{head}=.{body}.{mark}",
    }  # fmt: skip


async def test_no_proof_and_two_proofs_are_refused(endpoint: Endpoint) -> None:
    holder = Holder()
    assert (await endpoint.send())[0] == 400
    assert (await endpoint.send(*[holder.proof("POST", TOKEN_URL) for _ in range(2)]))[0] == 400


async def test_a_proof_within_a_minute_of_our_clock_is_good(endpoint: Endpoint) -> None:
    for iat in (time.time() - 55, int(time.time()) + 55):
        assert (await endpoint.send(Holder().proof("POST", TOKEN_URL, iat=iat)))[0] == 200


async def test_with_a_token_the_proof_must_be_about_that_token() -> None:
    dpop, holder = DPoP(RememberedProofs(time.time), time.time), Holder()
    proof = holder.proof("GET", TOKEN_URL, TOKEN)
    assert await dpop.thumbprint("GET", TOKEN_URL, {"dpop": proof}, TOKEN) == holder.thumbprint
    for ath in ("another", "", 7, None):
        with pytest.raises(InvalidDPoP):
            await dpop.thumbprint("GET", TOKEN_URL, {"DPoP": holder.proof("GET", TOKEN_URL, ath=ath)}, TOKEN)
    with pytest.raises(InvalidDPoP):
        await dpop.thumbprint("GET", TOKEN_URL, {"DPoP": holder.proof("GET", TOKEN_URL)}, TOKEN)


async def test_of_64_uses_of_one_proof_at_once_in_two_processes_one_counts(mongo: Mongo) -> None:
    store = MongoStore(mongo)
    await store.declare(INDEXES)
    processes = [DPoP(StoredProofs(store), time.time) for _ in range(2)]
    headers = {"DPoP": Holder().proof("POST", TOKEN_URL)}
    told = await asyncio.gather(
        *(processes[n % 2].thumbprint("POST", TOKEN_URL, headers) for n in range(64)), return_exceptions=True
    )
    assert len([each for each in told if isinstance(each, str)]) == 1
    assert len([each for each in told if isinstance(each, InvalidDPoP)]) == 63


async def test_the_memory_of_proofs_forgets_what_is_too_old_anyway_and_is_bounded() -> None:
    now = [1000.0]
    proofs = RememberedProofs(lambda: now[0], most=2)
    assert await proofs.first("a", 1120)
    assert await proofs.first("b", 1130)
    with pytest.raises(StoreDown):
        await proofs.first("c", 1120)
    assert not await proofs.first("a", 1120)
    now[0] = 1125
    assert await proofs.first("c", 1240)
    assert not await proofs.first("b", 1240)


class Away:
    """A store that does not answer."""

    async def first(self, proof: str, until: float) -> bool:
        raise StoreDown


async def test_while_the_store_is_away_a_process_still_takes_a_proof_once() -> None:
    dpop = DPoP(SteadyProofs(Away(), RememberedProofs(time.time)), time.time)
    holder = Holder()
    headers = {"DPoP": holder.proof("POST", TOKEN_URL)}
    assert await dpop.thumbprint("POST", TOKEN_URL, headers) == holder.thumbprint
    with pytest.raises(InvalidDPoP):
        await dpop.thumbprint("POST", TOKEN_URL, headers)


async def test_a_proof_used_at_one_process_is_used_for_all(mongo: Mongo) -> None:
    stored = StoredProofs(MongoStore(mongo))
    one, other = (DPoP(SteadyProofs(stored, RememberedProofs(time.time)), time.time) for _ in range(2))
    headers = {"DPoP": Holder().proof("POST", TOKEN_URL)}
    await one.thumbprint("POST", TOKEN_URL, headers)
    with pytest.raises(InvalidDPoP):
        await other.thumbprint("POST", TOKEN_URL, headers)
