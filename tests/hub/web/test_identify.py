"""Nobody comes in with a bent token, and nobody learns why."""

from __future__ import annotations

import base64
import hmac
import json
import time

import pytest
from joserfc import jws, jwt

from tests.hub.web.served import Hub, fresh_ring, gate

ME = json.dumps({"query": "{ me { displayName } }"}).encode()


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def claims_of(token: str) -> dict[str, object]:
    content = token.split(".")[1]
    found: dict[str, object] = json.loads(base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)))
    return found


def tricks(demo: Hub) -> dict[str, list[str]]:
    """Cause -> Authorization headers."""
    good, kid = demo.token(), demo.key.kid
    public = demo.key.key.as_bytes("PEM", private=False)
    head = {"alg": "ES256", "kid": kid, "typ": "at+jwt"}
    strange_ring = fresh_ring()
    stranger, foreign = strange_ring.signing(), gate(strange_ring)

    def claims(**other: object) -> dict[str, object]:
        return claims_of(good) | other

    foreign_one = foreign.issue(demo.tokens.verify(good))

    def signed(header: dict[str, object], payload: dict[str, object]) -> str:
        registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
        return jwt.encode(head | header, payload, demo.key.key, registry=registry)

    unsigned = f"{segment(head | {'alg': 'HS256'})}.{segment(claims())}"
    mac = base64.urlsafe_b64encode(hmac.digest(public, unsigned.encode(), "sha256")).rstrip(b"=").decode()
    confused = f"{unsigned}.{mac}"
    embedded = stranger.key.as_dict(private=False)
    with_jwk = jwt.encode(
        {"alg": "ES256", "kid": kid, "typ": "at+jwt", "jwk": embedded},
        claims(),
        stranger.key,
        algorithms=["ES256"],
    )
    head_part, body_part, signature = good.split(".")
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
    return {
        "alg none": [f"Bearer {segment(head | {'alg': 'none'})}.{body_part}."],
        "alg None": [f"Bearer {segment(head | {'alg': 'None'})}.{body_part}.{signature}"],
        "HS256 with the public key": [f"Bearer {confused}"],
        "an embedded key": [f"Bearer {with_jwk}"],
        "a jku": [f"Bearer {signed({'jku': 'https://evil.example/jwks'}, claims())}"],
        "a crit": [f"Bearer {segment(head | {'crit': ['exp']})}.{body_part}.{signature}"],
        "a foreign key": [f"Bearer {jwt.encode(head, claims(), stranger.key, algorithms=['ES256'])}"],
        "a foreign kid": [f"Bearer {foreign_one}"],
        "kid an object": [f"Bearer {segment(head | {'kid': {'$ne': None}})}.{body_part}.{signature}"],
        "kid a path": [f"Bearer {segment(head | {'kid': '../../dev/null'})}.{body_part}.{signature}"],
        "an ID token": [f"Bearer {signed({'typ': 'JWT'}, claims())}"],
        "expired": [f"Bearer {signed({}, claims(exp=int(time.time()) - 61))}"],
        "never expiring": [f"Bearer {signed({}, {k: v for k, v in claims().items() if k != 'exp'})}"],
        "expiry a text": [f"Bearer {signed({}, claims(exp='9999999999'))}"],
        "from the future": [f"Bearer {signed({}, claims(iat=int(time.time()) + 120))}"],
        "of another issuer": [f"Bearer {signed({}, claims(iss='https://evil.example'))}"],
        "for another audience": [f"Bearer {signed({}, claims(aud='https://other.test'))}"],
        "without a subject": [f"Bearer {signed({}, claims(sub=''))}"],
        "a bent context": [f"Bearer {signed({}, claims(ctx=str(claims()['ctx'])[:-2] + 'AA'))}"],
        "a context sealed elsewhere": [f"Bearer {signed({}, claims(ctx=claims_of(foreign_one)['ctx']))}"],
        "no context": [f"Bearer {signed({}, {k: v for k, v in claims().items() if k != 'ctx'})}"],
        "a flipped letter": [f"Bearer {head_part}.{body_part}.{flipped}"],
        "cut off": [f"Bearer {good[:-10]}"],
        "four parts": [f"Bearer {good}.x"],
        "garbage": ["Bearer garbage"],
        "deep JSON": ["Bearer " + base64.urlsafe_b64encode(b"[" * 2900).decode() + ".x.x"],
        "nothing": ["Bearer "],
        "another scheme": ["Basic dGVhY2hlcjpwYXNz"],
        "two headers": [f"Bearer {good}", f"Bearer {good}"],
        "two in one": [f"Bearer {good}, Bearer {good}"],
        "long": ["Bearer " + "x" * 20_000],
    }  # fmt: skip


async def post(demo: Hub, authorizations: list[str]) -> tuple[bytes, bytes]:
    lines = "".join(f"Authorization: {each}\r\n" for each in authorizations)
    head = (
        "POST /graphql HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"{lines}Content-Length: {len(ME)}\r\n\r\n"
    )
    head_part, _, body = (await demo.raw(head.encode() + ME)).partition(b"\r\n\r\n")
    return head_part, body


async def test_every_trick_gets_the_same_401_byte_for_byte(demo: Hub) -> None:
    bodies = set()
    for name, authorizations in tricks(demo).items():
        head, body = await post(demo, authorizations)
        assert head.startswith(b"HTTP/1.1 401 "), name
        assert b'www-authenticate: Bearer error="invalid_token"' in head, name
        bodies.add(body)
    (only,) = bodies
    assert json.loads(only)["errors"][0]["extensions"] == {"code": "INVALID_TOKEN"}
    head, body = await post(demo, [f"Bearer {demo.token()}"])
    assert json.loads(body) == {"data": {"me": {"displayName": "county-teacher"}}}


@pytest.mark.timeout(30)
async def test_a_token_of_a_megabyte_is_turned_away(demo: Hub) -> None:
    head, _ = await post(demo, ["Bearer " + "x" * 1_000_000])
    assert head.split(b" ")[1] in (b"400", b"401", b"431")
    assert (await demo.ask("{ rare }"))[0] == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
async def test_the_scheme_may_be_written_in_any_case(demo: Hub, scheme: str) -> None:
    status, answer = await demo.ask(
        "{ me { displayName } }", headers={"Authorization": f"{scheme} {demo.token()}"}
    )
    assert (status, answer["data"]["me"]["displayName"]) == (200, "county-teacher")


async def test_without_a_token_one_is_nobody_also_with_one_in_the_address(demo: Hub) -> None:
    assert (await demo.ask("{ me { displayName } }"))[1] == {"data": {"me": None}}
    address = f"{demo.url}/graphql?query=%7Bme%7BdisplayName%7D%7D&access_token={demo.token()}"
    async with demo.http.get(address) as answer:
        assert await answer.json() == {"data": {"me": None}}
