"""An OpenID provider on a socket that is honest until it is given a mode, and then lies in that one way.

It signs with the bare primitives of `cryptography`, nothing of joserfc, so that a shared fault cannot hide.
The browser is `browse`; whoever comes to `/trap` was lured there, and is counted.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import hmac
import json
import secrets
from base64 import b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

import aiohttp
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.sandbox.frame import served

HOST = "county.test"
CLIENT_ID, CLIENT_SECRET = "rongtong", "a secret of 县 & hub: + 32 bytes"
SUB = "teacher-7"
BIG = 30 * 1024 * 1024

Json = dict[str, Any]
Change = Callable[[Json, "HostileProvider"], Any]
"""What is sent instead of an honest document: JSON, bytes as they are, or a whole response."""


@dataclass(frozen=True)
class Mode:
    """One way of lying, and the `kind` under which it must be refused. What is not named stays honest."""

    kind: str
    metadata: Change | None = None
    jwks: Change | None = None
    callback: Change | None = None
    token: Change | None = None
    userinfo: Change | None = None
    header: Change | None = None
    claims: Change | None = None
    sign: Callable[[Json, Any, HostileProvider], Any] | None = None
    """The whole ID token from its header and claims."""
    asked: Mapping[str, Any] = field(default_factory=dict)
    """What `begin` is asked for beside the usual."""
    slow: bool = False


HONEST = Mode("")


@cache
def rsa_key(bits: int = 2048, name: str = "") -> rsa.RSAPrivateKey:
    """A key made once; `name` tells several of one size apart."""
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key(curve: type[ec.EllipticCurve] = ec.SECP256R1, name: str = "") -> ec.EllipticCurvePrivateKey:
    """As `rsa_key`, on a curve."""
    return ec.generate_private_key(curve())


@cache
def ed_key() -> ed25519.Ed25519PrivateKey:
    """An Ed25519 key made once."""
    return ed25519.Ed25519PrivateKey.generate()


def b64(data: bytes | int) -> str:
    """base64url without padding; of a number its big-endian bytes."""
    raw = data.to_bytes((data.bit_length() + 7) // 8, "big") if isinstance(data, int) else data
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def jwk_of(key: Any, kid: str, **more: Any) -> Json:
    """The public JWK of a key, its `use` being signatures."""
    usual = {"kid": kid, "use": "sig"}
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        return {"kty": "RSA", "n": b64(numbers.n), "e": b64(numbers.e), **usual, **more}
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": b64(key.public_key().public_bytes_raw()),
            **usual,
            **more,
        }
    point = key.public_key().public_numbers()
    size = (key.key_size + 7) // 8
    x, y = (b64(each.to_bytes(size, "big")) for each in (point.x, point.y))
    return {"kty": "EC", "crv": f"P-{key.key_size}", "x": x, "y": y, **usual, **more}


def raw_signature(alg: str, key: Any, data: bytes) -> bytes:
    """The signature of JWS algorithm `alg` over `data`; for HS* `key` is the secret, for none it is empty."""
    if alg.lower() == "none":
        return b""
    if alg.startswith("HS"):
        return hmac.digest(key, data, f"sha{alg[2:]}")
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    sizes: dict[str, Any] = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
    digest = sizes[alg[-3:]]()
    if isinstance(key, rsa.RSAPrivateKey):
        pad: Any = padding.PKCS1v15()
        if alg.startswith("PS"):
            pad = padding.PSS(padding.MGF1(digest), digest.digest_size)
        return key.sign(data, pad, digest)
    r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(digest)))
    size = (key.key_size + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def compact(header: Any, claims: Any, key: Any, alg: str = "") -> str:
    """A compact JWS of `header` and `claims` (JSON, or bytes as they are)."""
    signed = f"{b64(written(header))}.{b64(written(claims))}"
    return f"{signed}.{b64(raw_signature(alg or header['alg'], key, signed.encode()))}"


def written(value: Any) -> bytes:
    """JSON as the standard library writes it: NaN and lone surrogates included."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()


class HostileProvider:
    """One level's provider. `mode` is how it lies; `calls` counts its endpoints, `trapped` its victims."""

    def __init__(self, clock: Callable[[], float], alg: str = "ES256") -> None:
        self.clock, self.alg, self.mode, self.url = clock, alg, HONEST, ""
        self.port = 0
        self.kid = "k1"
        self.pkce = True
        self.cache_control = ""
        self.calls: Counter[str] = Counter()
        self.codes: dict[str, Json] = {}
        self.access_tokens: set[str] = set()

    @property
    def trapped(self) -> int:
        """How often somebody was lured to the trap."""
        return self.calls["trap"]

    @property
    def trap(self) -> str:
        """Where the trap is: at loopback, which the asker's address guard does not open."""
        return f"http://127.0.0.1:{self.port}/trap"

    def key(self) -> Any:
        """The key it signs with."""
        if self.alg == "EdDSA":
            return ed_key()
        return rsa_key() if self.alg[0] in "RP" else ec_key()

    @asynccontextmanager
    async def serving(self, host: str = HOST) -> AsyncIterator[HostileProvider]:
        """Up, under the name `host`, until the block ends."""
        async with served(self.app()) as server:
            self.port = urlsplit(server.url).port or 0
            self.url = f"http://{host}:{self.port}"
            yield self

    def app(self) -> Starlette:
        """Its endpoints."""
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._metadata),
                Route("/jwks", self._jwks),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/userinfo", self._userinfo),
                Route("/trap", self._trap, methods=["GET", "POST"]),
            ]
        )

    def metadata(self) -> Json:
        """Its honest discovery document."""
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/jwks",
            "end_session_endpoint": f"{self.url}/logout",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": [self.alg],
            "authorization_response_iss_parameter_supported": True,
        }

    def claims(self, code: Json, access_token: str) -> Json:
        """The claims of its honest ID token."""
        now = int(self.clock())
        half = hashlib.new("sha512" if self.alg == "EdDSA" else "sha256", access_token.encode()).digest()
        return {
            "iss": self.url, "sub": SUB, "aud": CLIENT_ID, "iat": now, "exp": now + 300,
            "auth_time": now - 5, "nonce": code.get("nonce"), "at_hash": b64(half[: len(half) // 2]),
            "sid": "s-1", "acr": "real-name", "amr": ["pwd"], "name": "合成教师甲",
        }  # fmt: skip

    def id_token(self, code: Json, access_token: str) -> Any:
        """Its ID token, in its mode."""
        mode = self.mode
        header: Json = {"alg": self.alg, "kid": self.kid, "typ": "JWT"}
        claims: Any = self.claims(code, access_token)
        if mode.header:
            header = mode.header(header, self)
        if mode.claims:
            claims = mode.claims(claims, self)
        return mode.sign(header, claims, self) if mode.sign else compact(header, claims, self.key())

    async def _metadata(self, request: Request) -> Response:
        return self._answer("metadata", self.metadata())

    async def _jwks(self, request: Request) -> Response:
        other = jwk_of(ec_key(ec.SECP384R1), "other")
        return self._answer("jwks", {"keys": [jwk_of(self.key(), self.kid), other]})

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT_ID
        assert asked.get("code_challenge_method") == ("S256" if self.pkce else None)
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        answer = {"code": code, "state": asked["state"], "iss": self.url}
        if self.mode.callback:
            answer = self.mode.callback(answer, self)
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(answer)}", 302)

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode("ascii"), strict_parsing=True))
        code = self.codes.pop(str(form.get("code")), None)
        if code is None or not _redeems(code, form, request.headers.get("authorization", "")):
            return Response(b'{"error":"invalid_grant"}', 400, media_type="application/json")
        access_token = secrets.token_urlsafe(24)
        self.access_tokens.add(access_token)
        tokens = {"access_token": access_token, "token_type": "Bearer", "expires_in": 300}
        return self._answer("token", tokens | {"id_token": self.id_token(code, access_token)})

    async def _userinfo(self, request: Request) -> Response:
        by_header = request.headers.get("authorization", "").removeprefix("Bearer ")
        token = by_header or request.query_params.get("access_token", "")
        if token not in self.access_tokens:
            return Response(status_code=401)
        return self._answer("userinfo", {"sub": SUB, "roster_id": "t-301", "name": "另一个名字"})

    async def _trap(self, request: Request) -> Response:
        return self._answer("trap", self.metadata())

    def _answer(self, place: str, honest: Json) -> Response:
        self.calls[place] += 1
        change: Change | None = getattr(self.mode, place, None)
        said = change(honest, self) if change else honest
        if isinstance(said, Response):
            return said
        aged = {"Cache-Control": self.cache_control} if self.cache_control else {}
        return Response(written(said), media_type="application/json", headers=aged)


def _redeems(code: Json, form: Mapping[str, Any], authorization: str) -> bool:
    """RFC 6749 §4.1.3 and RFC 7636 §4.6, as an honest provider checks them."""
    challenge = b64(hashlib.sha256(str(form.get("code_verifier")).encode()).digest())
    pair = b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
    return (
        form.get("grant_type") == "authorization_code"
        and code.get("code_challenge", challenge) == challenge
        and code["redirect_uri"] == form.get("redirect_uri")
        and (unquote_plus(pair[0]), unquote_plus(pair[2])) == (CLIENT_ID, CLIENT_SECRET)
    )


async def browse(url: str) -> dict[str, str]:
    """What the browser brings back to the callback: it follows one redirect, names leading to loopback."""
    local = urlsplit(url)._replace(netloc=f"127.0.0.1:{urlsplit(url).port}").geturl()
    async with aiohttp.ClientSession() as browser, browser.get(local, allow_redirects=False) as answer:
        assert answer.status == 302, answer.status
        return dict(parse_qsl(urlsplit(answer.headers["Location"]).query, keep_blank_values=True))


# --- How any endpoint may break, whatever it should have said ---


def failing(status: int) -> Change:
    """Answers with that status and a page."""
    return lambda _honest, _provider: Response("<h1>boom</h1>", status, media_type="text/html")


def html(_honest: Json, _provider: HostileProvider) -> Response:
    """A maintenance page with status 200."""
    return Response("<html><body>维护中</body></html>", media_type="text/html")


def redirecting(_honest: Json, provider: HostileProvider) -> Response:
    """To the trap."""
    return RedirectResponse(provider.trap, 307)


def huge(_honest: Json, _provider: HostileProvider) -> Response:
    """Thirty megabytes of a string that never ends."""

    async def body() -> AsyncIterator[bytes]:
        yield b'{"sub":"'
        for _ in range(BIG // 65536):
            yield b"a" * 65536

    return StreamingResponse(body(), media_type="application/json")


def bomb(_honest: Json, _provider: HostileProvider) -> Response:
    """Thirty megabytes that travel as thirty kilobytes."""
    return Response(_bomb(), media_type="application/json", headers={"Content-Encoding": "gzip"})


@cache
def _bomb() -> bytes:
    return gzip.compress(b'{"sub":"' + b"a" * BIG + b'"}')


class _Hanging(Response):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app: ASGIApp = _hang
        await app(scope, receive, send)


async def _hang(_scope: Scope, receive: Receive, _send: Send) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def hanging(_honest: Json, _provider: HostileProvider) -> Response:
    """Never a word."""
    return _Hanging()


def dripping(_honest: Json, _provider: HostileProvider) -> Response:
    """A blank now and then, for ever."""

    async def body() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.05)

    return StreamingResponse(body(), media_type="application/json")


def with_raw(text: bytes) -> Change:
    """The honest document with `text` (such as `"x":NaN`) as its last member, however wrong that is."""
    return lambda honest, _provider: written(honest)[:-1] + b"," + text + b"}"


def instead(value: Any) -> Change:
    """That value, whatever was asked."""
    return lambda _honest, _provider: value


def put(**values: Any) -> Change:
    """The honest document, some members changed."""
    return lambda honest, _provider: {**honest, **values}


def without(*names: str) -> Change:
    """The honest document, some members missing."""
    return lambda honest, _provider: {name: value for name, value in honest.items() if name not in names}
