"""A client proves itself by the one method it is registered for; everything else is 400 or 401, never 500."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from typing import Any
from urllib.parse import urlsplit

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from tests.auth.provider.browsing import (
    KEY,
    OTHER_KEY,
    OTHER_SECRET,
    SECRET,
    Answer,
    Application,
    assertion,
    basic,
    signed,
)
from tests.fakes.provider import Provider

GRANT = {"grant_type": "client_credentials", "scope": "graph"}
BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


async def ask(app: Application, authorization: str | list[str] = "", **form: str) -> Answer:
    given = [authorization] if isinstance(authorization, str) else authorization
    headers = [("Authorization", each) for each in given if each]
    return await app.send("POST", "/oauth/token", data={**GRANT, **form}, headers=headers)


async def asserted(app: Application, token: str, **form: str) -> Answer:
    return await ask(app, client_assertion_type=BEARER, client_assertion=token, **form)


async def test_a_client_with_its_own_secret_gets_a_token_for_itself(app: Application, gate: Provider) -> None:
    answer = await ask(app, basic("web", SECRET))
    assert answer.status == 200
    assert "refresh_token" not in answer.json
    assert "id_token" not in answer.json
    principal = gate.tokens.verify(answer.json["access_token"])
    assert (principal.subject, principal.person, principal.roles) == ("web", "", ())
    assert (await ask(app, basic("%77eb", SECRET), client_id="web")).status == 200


async def test_what_is_not_its_own_is_401_and_tells_an_unknown_client_from_nobody(app: Application) -> None:
    wrong = await ask(app, basic("web", OTHER_SECRET))
    unknown = await ask(app, basic("nobody", SECRET))
    assert wrong.status == unknown.status == 401
    assert wrong.text == unknown.text
    assert wrong.json["error"] == "invalid_client"
    assert wrong.headers["WWW-Authenticate"].startswith("Basic ")
    for header in (basic("third", OTHER_SECRET), basic("page", ""), basic("page", "x"), basic("signer", "x")):
        assert (await ask(app, header)).status == 401
    assert (await ask(app, client_id="web", client_secret=SECRET)).status == 401  # registered for Basic
    assert (await ask(app, client_id="web")).status == 401
    assert (await ask(app, client_id="page", client_secret=SECRET)).status == 401
    assert (await ask(app)).status == 401


async def test_malformed_authentication_is_400_or_401(app: Application) -> None:
    def encoded(raw: bytes) -> str:
        return "Basic " + base64.b64encode(raw).decode()

    for header in (
        "Basic", "Basic ", "Basic !!!", "Basic ====", encoded(b"\xff\xfe:x"), encoded(b"no colon"),
        encoded(b"web:\x00"), encoded("客户端:密钥".encode()), encoded(b"%ff%fe:x"), encoded(b":"),
        encoded(b"{'$ne':1}:x"), "Bearer abc", "DPoP abc", "Basic " + "A" * 6000, "Digest x",
        encoded(b"web:" + b"s" * 3000),
    ):  # fmt: skip
        answer = await ask(app, header)
        assert answer.status in (400, 401), header
        assert answer.json["error"] == "invalid_client", header
    assert await raw(app, b"Authorization: Basic \xff\xfe\r\n") == b"401"
    assert await raw(app, b"Authorization: \xe5\xae\xa2\r\n") == b"401"


async def raw(app: Application, header: bytes) -> bytes:
    """The status of a token request with bytes that no client library sends."""
    parts = urlsplit(app.at.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    body = b"grant_type=client_credentials"
    writer.write(
        b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + header
        + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )  # fmt: skip
    status = (await reader.readline()).split()[1]
    writer.close()
    return status


async def test_two_ways_at_once_are_refused(app: Application) -> None:
    own = basic("web", SECRET)
    assert (await ask(app, own, client_id="web", client_secret=SECRET)).status == 400
    assert (await ask(app, [own, own])).status == 400
    assert (await ask(app, own, client_id="page")).status == 401
    token = signed(assertion(app.at.issuer))
    assert (await ask(app, own, client_assertion_type=BEARER, client_assertion=token)).status == 400


async def test_a_client_with_a_key_signs_an_assertion_and_each_counts_once(
    app: Application, gate: Provider
) -> None:
    for audience in (gate.issuer, f"{gate.issuer}/oauth/token", [gate.issuer]):
        assert (await asserted(app, signed(assertion(gate.issuer, aud=audience)))).status == 200
    once = signed(assertion(gate.issuer))
    assert (await asserted(app, once, client_id="signer")).status == 200
    assert (await asserted(app, once)).status == 401
    assert (await asserted(app, signed(assertion(gate.issuer), OTHER_KEY, kid="k2"))).status == 200


async def test_assertions_that_are_wrong_are_refused(app: Application, gate: Provider) -> None:
    now = int(time.time())
    wrong: tuple[dict[str, Any], ...] = (
        {"iss": "web"}, {"sub": "web"}, {"sub": None}, {"iss": None}, {"aud": "https://evil.example"},
        {"aud": [gate.issuer, "https://evil.example"]}, {"aud": []}, {"aud": None}, {"aud": {"$ne": 1}},
        {"exp": now - 60}, {"exp": now + 3600}, {"exp": None}, {"exp": "soon"}, {"exp": True},
        {"exp": 10**400},
        {"nbf": now + 600}, {"iat": now + 600}, {"jti": None}, {"jti": ""}, {"jti": "j" * 1000},
        {"jti": {"$ne": 1}},
        {"sub": {"$ne": ""}}, {"iss": ["signer"]},
    )  # fmt: skip
    for claims in wrong:
        answer = await asserted(app, signed(assertion(gate.issuer, **claims)))
        assert (answer.status, answer.json["error"]) == (401, "invalid_client"), claims
    good = assertion(gate.issuer)
    assert (await asserted(app, signed(good), client_id="web")).status == 401
    assert (await ask(app, client_assertion=signed(good))).status == 400
    assert (await ask(app, client_assertion_type=BEARER)).status == 400
    assert (await ask(app, client_assertion_type="断言", client_assertion=signed(good))).status == 400
    assert (await asserted(app, signed(assertion(gate.issuer, "web")), client_id="web")).status == 401


async def test_algorithm_confusion_and_keys_inside_an_assertion_are_refused(
    app: Application, gate: Provider
) -> None:
    claims, evil = assertion(gate.issuer), ECKey.generate_key("P-256")
    for header in (
        {"kid": "unknown"}, {"kid": None}, {"kid": {"$ne": 1}}, {"kid": "../../k1"}, {"kid": "k1' OR '1'='1"},
        {"kid": "k2"}, {"typ": "at+jwt"}, {"typ": "dpop+jwt"}, {"typ": 1},
        {"jwk": evil.as_dict(private=False)},
        {"jku": "https://evil.example/jwks"}, {"x5u": "https://evil.example"}, {"crit": ["exp"]},
        {"b64": False},
    ):  # fmt: skip
        assert (await asserted(app, forged(header, claims, KEY))).status == 401, header
    assert (await asserted(app, signed(claims, evil))).status == 401
    head, body, _ = signed(claims).split(".")
    for broken in (
        f"{head}.{body}.",
        f"{head}.{body}.AAAA",
        "a.b.c",
        "...",
        "",
        "x" * 20000,
        f"{head}.{body}",
        "断.言.。",
    ):
        answer = await asserted(app, broken)
        assert answer.status in (400, 401), broken
    none = base64.urlsafe_b64encode(b'{"alg":"none","kid":"k1","typ":"JWT"}').rstrip(b"=").decode()
    assert (await asserted(app, f"{none}.{body}.")).status == 401
    mac_head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"k1"}').rstrip(b"=").decode()
    mac = hmac.digest(KEY.as_pem(private=False), f"{mac_head}.{body}".encode(), "sha256")
    assert (await asserted(app, f"{mac_head}.{body}.{base64.urlsafe_b64encode(mac).decode()}")).status == 401
    rsa = RSAKey.generate_key(2048)
    other = jws.serialize_compact({"alg": "RS256", "kid": "k1"}, b"{}", rsa, algorithms=["RS256"])
    assert (await asserted(app, other)).status == 401


async def test_a_public_client_and_scopes_about_persons_have_no_client_credentials(app: Application) -> None:
    assert (await ask(app, client_id="page")).json["error"] == "unauthorized_client"
    for scope in ("openid", "profile graph", "offline_access", "roles", "everything", "图"):
        answer = await ask(app, basic("web", SECRET), scope=scope)
        assert answer.json["error"] == "invalid_scope", scope
    assert (await ask(app, basic("legacy", SECRET))).json["error"] == "unauthorized_client"


def forged(header: dict[str, Any], claims: dict[str, Any], key: ECKey) -> str:
    """Whatever the header says, signed rightly with ES256."""

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    full = {k: v for k, v in ({"alg": "ES256", "kid": "k1", "typ": "JWT"} | header).items() if v is not None}
    signing = f"{part(full)}.{part(claims)}"
    signature = jws.JWSRegistry.algorithms["ES256"].sign(signing.encode(), key)
    return f"{signing}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
