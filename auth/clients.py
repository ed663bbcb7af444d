"""Who may sign people in here: applications of the settings, registered ones, and those a trust chain admits.

Rule 1: an address is compared letter by letter; the one exception is the port on the person's own machine.
Rule 2: a client's key set is bounded, kept for a while and asked for anew at a bounded pace, whatever kids
its tokens name.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from auth.documents import Client, kept_as
from auth.errors import AuthError
from auth.fetch import Fetch, FetchFailed
from auth.sectors import sector_of
from auth.settings import ClientSettings
from auth.store import IndexSpec, Store, expiring, kept

COLLECTION = "auth_clients"
INDEXES: tuple[IndexSpec, ...] = (expiring(COLLECTION),)
LONGEST_ID = 255
SHORTEST_SECRET = 32
MOST_KEYS, KEY_SETS = 50, 256
KEYS_FRESH, KEYS_STALE, COOL_DOWN, COOL_DOWN_FIRST = 3600.0, 86400.0, 30.0, 3.0
"""Seconds that a fetched key set is used without asking; while its owner is silent; between two askings;
between two askings as long as nothing was had."""
ORIGINS_FRESH, MOST_ORIGINS = 10.0, 2000
_ID = re.compile(r"[\x21-\x7e]{1,255}\Z")  # RFC 6749 §A.1, without the blank
_LOOPBACK = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\])):([1-9][0-9]{0,4})(/.*)?\Z", re.DOTALL)
_PRIVATE_PARTS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_PUBLIC_PARTS = ("kty", "kid", "use", "alg", "crv", "x", "y", "n", "e")
_LONGEST_PART = 1400  # base64url of 8192 bits

Automatic = Callable[[str], Awaitable[Client | None]]


class ClientUnusable(AuthError):
    """A client of the settings cannot work as written; the text says what to write."""

    code = "CLIENT_UNUSABLE"


@dataclass(slots=True)
class _KeySet:
    keys: tuple[dict[str, Any], ...] = ()
    fetched: float | None = None
    asked: float | None = None


class Clients:
    """Finds clients by `client_id`. Whatever asks the store may raise `StoreDown`.

    `automatic` is asked about an entity identifier that nobody registered (OpenID Federation 12.1).
    Raises `ClientUnusable` for settings that contradict themselves.
    """

    def __init__(
        self,
        store: Store,
        settings_clients: Iterable[ClientSettings],
        fetch: Fetch,
        clock: Callable[[], float],
        automatic: Automatic | None = None,
    ) -> None:
        self._registered = store.collection(COLLECTION)
        self._configured = {each.id: client_from(each) for each in settings_clients}
        self._fetch, self._clock, self._automatic = fetch, clock, automatic
        self._key_sets: OrderedDict[str, _KeySet] = OrderedDict()
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._origins = _origins(self._configured.values())
        self._more_origins: frozenset[str] = frozenset()
        self._origins_read: float | None = None

    async def get(self, client_id: str) -> Client | None:
        """The client of this id, if it may be used now."""
        if not _ID.match(client_id):
            return None
        if found := self._configured.get(client_id):
            return found
        document = await self._registered.find_one({"_id": {"$eq": client_id}})
        if document is not None:
            registered = kept_as(Client, document)
            return registered if _lasts(registered, self._clock()) else None
        if self._automatic is not None and "://" in client_id:
            return await self._automatic(client_id)
        return None

    async def keys(self, client: Client, kid: str = "") -> list[dict[str, Any]]:
        """The client's public keys as JWKs, from its `jwks` or its `jwks_uri`.

        A `kid` that is not among those kept makes us ask again, if the last time is half a minute ago.
        Raises `FetchFailed` when none were ever had.
        """
        if client.jwks is not None or not client.jwks_uri:
            return list(public_keys(client.jwks or {"keys": []}))
        held = self._held(client.jwks_uri)
        if self._wants(held, kid):
            try:
                await self._asked(client.jwks_uri, held)
            except FetchFailed:
                if held.fetched is None or self._clock() - held.fetched > KEYS_STALE:
                    raise
        if held.fetched is None:
            raise FetchFailed("unavailable", "its key set was asked for a moment ago, in vain")
        return list(held.keys)

    async def refreshed(self) -> None:
        """Learn the origins of registered public clients; asks the store every ten seconds at most."""
        now = self._clock()
        if self._origins_read is not None and abs(now - self._origins_read) < ORIGINS_FRESH:
            return
        self._origins_read = now
        public = await self._registered.find({"auth_method": {"$eq": "none"}}, limit=MOST_ORIGINS)
        self._more_origins = _origins(kept_as(Client, each) for each in public)

    def origins(self) -> frozenset[str]:
        """Origins of public clients' pages, which may read our answers in a browser (CORS)."""
        return self._origins | self._more_origins

    def allows_redirect(self, client: Client, uri: str) -> bool:
        """Whether the answer may go to `uri`: registered letter by letter; on loopback, registered without
        a port, with any port (RFC 8252 §7.3)."""
        if uri in client.redirect_uris:
            return True
        found = _LOOPBACK.match(uri)
        if found is None or int(found[2]) > 65535:
            return False
        return f"{found[1]}{found[3] or ''}" in client.redirect_uris

    def _held(self, address: str) -> _KeySet:
        held = self._key_sets.setdefault(address, _KeySet())
        self._key_sets.move_to_end(address)
        if len(self._key_sets) > KEY_SETS:
            self._key_sets.popitem(last=False)
        return held

    def _wants(self, held: _KeySet, kid: str) -> bool:
        now = self._clock()
        pause = COOL_DOWN_FIRST if held.fetched is None else COOL_DOWN
        if held.asked is not None and abs(now - held.asked) < pause:
            return False
        if held.fetched is None or abs(now - held.fetched) >= KEYS_FRESH:
            return True
        return bool(kid) and all(each.get("kid") != kid for each in held.keys)

    async def _asked(self, address: str, held: _KeySet) -> None:
        """Ask once for all who wait for it."""
        task = self._asking.get(address)
        if task is None:
            task = self._asking[address] = asyncio.create_task(self._ask(address, held))
            task.add_done_callback(lambda done: self._told(address, done))
        await asyncio.shield(task)

    def _told(self, address: str, done: asyncio.Task[None]) -> None:
        self._asking.pop(address, None)
        if not done.cancelled():
            done.exception()  # those who waited have it; when all have gone, nobody need hear of it

    async def _ask(self, address: str, held: _KeySet) -> None:
        try:
            answer = await self._fetch("GET", address, headers={"Accept": "application/json"})
            held.keys = public_keys(answer.json())
            held.fetched = self._clock()
        finally:
            held.asked = self._clock()


def client_from(settings: ClientSettings) -> Client:
    """A client of the settings. Raises `ClientUnusable` where they contradict themselves."""
    method = settings.auth_method
    if not settings.secret and method.startswith("client_secret"):
        method = "none"  # as the settings say: without a secret it is a public client
    _check(settings, method)
    return Client(
        id=settings.id,
        name=settings.name,
        name_en=settings.name_en,
        origin="settings",
        redirect_uris=settings.redirect_uris,
        post_logout_redirect_uris=settings.post_logout_redirect_uris,
        grant_types=settings.grant_types,
        auth_method=method,
        secret_kept=kept(settings.secret) if settings.secret and method.startswith("client_secret") else "",
        jwks_uri=settings.jwks_uri,
        scopes=settings.scopes,
        purposes=settings.purposes,
        sector=sector_of(settings.id, settings.redirect_uris),
        id_token_alg=settings.id_token_alg,
        require_pkce=settings.require_pkce,
        dpop_bound=settings.dpop_bound,
        backchannel_logout_uri=settings.backchannel_logout_uri,
        first_party=settings.first_party,
        minors=settings.minors,
    )


def _check(settings: ClientSettings, method: str) -> None:
    faults = {
        "client_id 须为 1–255 个可见 ASCII 字符 / the id is 1 to 255 visible ASCII characters": not _ID.match(
            settings.id
        ),
        "密钥须至少 32 字节 / the secret has 32 bytes or more": method.startswith("client_secret")
        and len(settings.secret.encode()) < SHORTEST_SECRET,
        "private_key_jwt 须有 jwks_uri / private_key_jwt needs jwks_uri": method == "private_key_jwt"
        and not settings.jwks_uri,
        "公开客户端不得使用 client_credentials / a public client has no client_credentials": method == "none"
        and "client_credentials" in settings.grant_types,
        "公开客户端必须使用 PKCE / a public client must use PKCE": method == "none"
        and not settings.require_pkce,
    }
    for fault, found in faults.items():
        if found:
            raise ClientUnusable(f"客户端 {settings.id[:100]!r}：{fault}")


def public_keys(document: Any) -> tuple[dict[str, Any], ...]:
    """The asymmetric keys of a JWK Set (RFC 7517 §5), reduced to what verifying needs.

    Raises `FetchFailed("malformed")` unless it is one; a set with a private or symmetric key in it is refused
    whole: that key is no secret any more.
    """
    keys = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(keys, list) or len(keys) > MOST_KEYS or not all(isinstance(key, dict) for key in keys):
        raise FetchFailed("malformed", "not a key set")
    if any(_PRIVATE_PARTS & key.keys() for key in keys):
        raise FetchFailed("malformed", "a private key in a public set")
    return tuple(_reduced(key) for key in keys if key.get("kty") in ("EC", "RSA", "OKP"))


def _reduced(key: Mapping[str, Any]) -> dict[str, Any]:
    parts = ((name, key.get(name)) for name in _PUBLIC_PARTS)
    return {name: part for name, part in parts if isinstance(part, str) and len(part) <= _LONGEST_PART}


def _lasts(client: Client, now: float) -> bool:
    ends = [moment for moment in (client.expires, client.chain_expires) if moment is not None]
    return all(moment > datetime.fromtimestamp(now, UTC) for moment in ends)


def _origins(clients: Iterable[Client]) -> frozenset[str]:
    """Origins (RFC 6454) of the web pages of public clients."""
    found: set[str] = set()
    for client in clients:
        if client.auth_method == "none":
            parts = (urlsplit(uri) for uri in client.redirect_uris)
            found |= {f"{part.scheme}://{part.netloc}".lower() for part in parts if part.scheme in _WEB}
    return frozenset(found)


_WEB = frozenset({"https", "http"})
