"""A browser and an application's back end, as the stories of the provider have them: over real sockets."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
from joserfc import jwt
from joserfc.jwk import ECKey

from auth.documents import Client
from auth.settings import ClientSettings
from auth.store import kept
from tests.fakes.provider import TEACHER, Provider

SECRET, OTHER_SECRET = "s" * 40, "t" * 40
BACK = "https://app.example/back"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
KEY, OTHER_KEY = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")


def jwk(key: ECKey, kid: str = "k1") -> dict[str, Any]:
    """The public half, with a name."""
    return {**key.as_dict(private=False), "kid": kid, "use": "sig"}


WEB = ClientSettings(
    id="web", name="教务系统", name_en="School office", secret=SECRET, redirect_uris=(BACK, "https://app.example/back?tenant=1"),
    scopes=("openid", "profile", "roles", "offline_access", "graph"), purposes=("teaching",),
    first_party=True, minors=True,
    grant_types=("authorization_code", "refresh_token", "client_credentials"),
)  # fmt: skip
PAGE = ClientSettings(
    id="page", name="教师门户", redirect_uris=("https://page.example/back",), first_party=True,
    auth_method="none", scopes=("openid", "profile", "graph"),
)  # fmt: skip
THIRD = ClientSettings(
    id="third", name="错题本", secret=OTHER_SECRET, redirect_uris=("https://third.example/back",),
    scopes=("openid", "profile"), auth_method="client_secret_post",
)  # fmt: skip
LEGACY = ClientSettings(
    id="legacy", name="老系统", secret=SECRET, redirect_uris=("https://legacy.example/back",),
    first_party=True, require_pkce=False, id_token_alg="RS256", grant_types=("authorization_code",),
)  # fmt: skip
BOUND = ClientSettings(
    id="bound", name="持钥应用", redirect_uris=("https://bound.example/back",), first_party=True,
    auth_method="none", dpop_bound=True,
)  # fmt: skip
SIGNER = Client(
    id="signer", name="区域平台", redirect_uris=("https://signer.example/back",), first_party=True,
    auth_method="private_key_jwt", jwks={"keys": [jwk(KEY), jwk(OTHER_KEY, "k2")]},
    scopes=("openid", "profile", "graph"),
    grant_types=("authorization_code", "refresh_token", "client_credentials"),
)  # fmt: skip
STRICT = Client(
    id="strict", name="只收签名请求", redirect_uris=("https://strict.example/back",), first_party=True,
    auth_method="client_secret_basic", secret_kept=kept(SECRET), jwks={"keys": [jwk(KEY)]},
    require_signed_request=True,
)  # fmt: skip
PUSHER = Client(
    id="pusher", name="只收推送请求", redirect_uris=("https://pusher.example/back",), first_party=True,
    secret_kept=kept(SECRET), require_par=True,
)  # fmt: skip
CLIENTS: Sequence[ClientSettings] = (WEB, PAGE, THIRD, LEGACY, BOUND)
REGISTERED: Sequence[Client] = (SIGNER, STRICT, PUSHER)


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str = field(repr=False)

    @property
    def location(self) -> str:
        return self.headers.get("Location", "")

    @property
    def said(self) -> dict[str, str]:
        """The parameters of the address that the browser was sent to, each once."""
        pairs = parse_qsl(urlsplit(self.location).query, keep_blank_values=True, strict_parsing=True)
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    @property
    def json(self) -> dict[str, Any]:
        assert self.headers["Cache-Control"] == "no-store"
        found: dict[str, Any] = json.loads(self.text)
        return found

    def is_page(self, code: str) -> bool:
        """An error page with this code, and nobody is sent anywhere."""
        return self.status in (400, 403, 404, 413) and not self.location and code in self.text


class Web:
    """Sends requests to one process of the provider; keeps cookies as one browser does."""

    def __init__(self, http: aiohttp.ClientSession, at: Provider) -> None:
        self.http, self.at = http, at

    async def send(self, method: str, url: str, **how: Any) -> Answer:
        """One request, no redirect followed. `url` may be of the issuer: it is sent to this process."""
        if url.startswith(self.at.issuer):
            url = url[len(self.at.issuer) :]
        address = f"{self.at.url}{url}"
        async with self.http.request(method, address, allow_redirects=False, **how) as answer:
            return Answer(answer.status, answer.headers.copy(), await answer.text())

    async def get(self, url: str, **how: Any) -> Answer:
        return await self.send("GET", url, **how)


class Browser(Web):
    """A person's browser."""

    async def ask(self, client: str = "web", /, **params: str | None) -> Answer:
        """`/oauth/authorize` with usual parameters; None leaves one out."""
        return await self.get(f"/oauth/authorize?{urlencode(usual(client, **params))}")

    async def sign_in(self, sent: Answer, who: str = TEACHER, **how: str) -> Answer:
        """Where the sign-in page leads."""
        assert "/sign-in?i=" in sent.location, sent
        at_door = await self.get(f"{sent.location}&{urlencode({'as': who, **how})}")
        return await self.get(at_door.location)

    async def signed_in(self, client: str = "web", /, who: str = TEACHER, **params: str | None) -> Answer:
        """Ask, sign in, and be answered."""
        return await self.sign_in(await self.ask(client, **params), who)

    async def code(self, client: str = "web", /, who: str = TEACHER, **params: str | None) -> str:
        """A code, by whatever way it takes."""
        answer = await self.ask(client, **params)
        if "/sign-in?" in answer.location:
            answer = await self.sign_in(answer, who)
        if "/consent?" in answer.location:
            answer = await self.agree(answer)
        return answer.said["code"]

    async def agree(self, sent: Answer, decision: str = "allow", *, onward: bool = True) -> Answer:
        """Answer the consent page, and go on."""
        page = await self.get(sent.location)
        assert page.status == 200, page.text
        given = {"i": urlsplit(sent.location).query.removeprefix("i="), "decision": decision,
                 "csrf": re.findall(r'name="csrf" value="([0-9a-f]+)"', page.text)[0]}  # fmt: skip
        done = await self.send("POST", "/consent", data=given)
        return await self.get(done.location) if onward else done


class Application(Web):
    """An application's back end."""

    async def token(self, client: str = "web", /, **form: str) -> Answer:
        """`/oauth/token`, authenticated as the client is registered."""
        return await self.post("/oauth/token", client, None, **form)

    async def post(
        self, path: str, client: str = "web", headers: Mapping[str, str] | None = None, /, **form: str
    ) -> Answer:
        """A form with the client's authentication."""
        more, extra = authentication(client)
        return await self.send("POST", path, data={**extra, **form}, headers={**more, **(headers or {})})

    async def redeem(self, code: str, client: str = "web", /, **form: str) -> Answer:
        """The code grant, with usual parameters."""
        usual_form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back_of(client),
                      "code_verifier": VERIFIER}  # fmt: skip
        return await self.token(client, **{k: v for k, v in (usual_form | form).items() if v})

    async def refresh(self, token: str, client: str = "web", /, **form: str) -> Answer:
        """The refresh grant."""
        return await self.token(client, grant_type="refresh_token", refresh_token=token, **form)


def back_of(client: str) -> str:
    """A client's first redirect_uri."""
    every: Sequence[ClientSettings | Client] = (*CLIENTS, *REGISTERED)
    return next(each.redirect_uris[0] for each in every if each.id == client)


def usual(client: str = "web", **params: str | None) -> dict[str, str]:
    """Usual parameters of an authorization request."""
    values: dict[str, str | None] = {
        "client_id": client, "response_type": "code", "redirect_uri": back_of(client), "scope": "openid",
        "state": "状态 1", "nonce": "n-1", "code_challenge": CHALLENGE, "code_challenge_method": "S256",
    }  # fmt: skip
    return {name: value for name, value in (values | params).items() if value is not None}


def authentication(client: str) -> tuple[dict[str, str], dict[str, str]]:
    """(headers, form fields) by which a client proves itself."""
    if client in ("page", "bound"):
        return {}, {"client_id": client}
    if client == "third":
        return {}, {"client_id": client, "client_secret": OTHER_SECRET}
    return {"Authorization": basic(client, SECRET)}, {}


def basic(name: str, secret: str) -> str:
    """A Basic header."""
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


def signed(claims: Mapping[str, Any], key: ECKey = KEY, **header: Any) -> str:
    """A JWT of a client; None in `header` leaves a member out."""
    full = {"alg": "ES256", "kid": "k1", "typ": "JWT"} | header
    return jwt.encode(
        {k: v for k, v in full.items() if v is not None},
        {k: v for k, v in claims.items() if v is not None}, key, algorithms=["ES256"],
    )  # fmt: skip


def assertion(issuer: str, client: str = "signer", **claims: Any) -> dict[str, Any]:
    """Claims of a client assertion."""
    now = int(time.time())
    return {"iss": client, "sub": client, "aud": issuer, "iat": now, "exp": now + 60,
            "jti": secrets.token_urlsafe(16)} | claims  # fmt: skip


def request_object(issuer: str, client: str = "signer", **claims: Any) -> dict[str, Any]:
    """Claims of a request object."""
    now = int(time.time())
    return {"iss": client, "aud": issuer, "iat": now, "exp": now + 60, "jti": secrets.token_urlsafe(16),
            **usual(client)} | claims  # fmt: skip


def claims_of(token: str) -> dict[str, Any]:
    """What a JWT says, unverified."""
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found
