"""Applications are who they are registered as; their addresses and keys are theirs to the letter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc.jwk import ECKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from auth.clients import INDEXES, Clients, ClientUnusable
from auth.documents import Client
from auth.fetch import FetchFailed
from auth.settings import ClientSettings
from auth.store import kept
from connectors.http import Http
from connectors.sandbox.frame import Served, served
from hub.identity.fetch import HttpFetch
from hub.identity.store import MongoStore
from hub.mongo import Mongo

SECRET = "s" * 43
GRADEBOOK = ClientSettings(
    id="gradebook", name="成绩册", secret=SECRET, redirect_uris=("https://gradebook.test/cb?tab=1",)
)
PAGE = ClientSettings(
    id="page", name="网页", redirect_uris=("https://page.test:8443/cb", "http://127.0.0.1/cb")
)


class Clock:
    """A clock that the story turns."""

    def __init__(self) -> None:
        self.now = 1_900_000_000.0

    def __call__(self) -> float:
        return self.now


async def nowhere(*_: Any, **__: Any) -> Any:
    raise FetchFailed("unavailable")


async def known(mongo: Mongo, *settings: ClientSettings, **more: Any) -> Clients:
    store = MongoStore(mongo)
    await store.declare(INDEXES)
    return Clients(store, settings, nowhere, Clock(), more.get("automatic"))


async def test_a_client_of_the_settings_is_known_by_its_id_and_its_secret_only_by_its_hash(
    mongo: Mongo,
) -> None:
    found = await (await known(mongo, GRADEBOOK, PAGE)).get("gradebook")
    assert found is not None
    assert (found.auth_method, found.secret_kept) == ("client_secret_basic", kept(SECRET))
    assert found.sector == "gradebook.test"
    public = await (await known(mongo, PAGE)).get("page")
    assert public is not None
    assert (public.auth_method, public.secret_kept, public.sector) == ("none", "", "client:page")


async def test_a_registered_client_is_found_until_it_expires(mongo: Mongo) -> None:
    clients, store = await known(mongo), MongoStore(mongo)
    now = datetime.fromtimestamp(Clock().now, UTC)
    for id, ends in (("lasting", None), ("young", now + timedelta(hours=1)), ("old", now)):
        client = Client(id=id, name=id, origin="registered", expires=ends)
        await store.collection("auth_clients").insert_one(client.document())
    assert [bool(await clients.get(id)) for id in ("lasting", "young", "old", "absent")] == [1, 1, 0, 0]


async def test_the_settings_win_over_a_registration_of_the_same_name(mongo: Mongo) -> None:
    clients = await known(mongo, GRADEBOOK)
    usurper = Client(id="gradebook", name="x", first_party=True, redirect_uris=("https://evil.example/cb",))
    await MongoStore(mongo).collection("auth_clients").insert_one(usurper.document())
    found = await clients.get("gradebook")
    assert found is not None
    assert found.name == "成绩册"


async def test_only_an_entity_identifier_that_nobody_registered_goes_to_the_trust_chain(mongo: Mongo) -> None:
    asked: list[str] = []

    async def automatic(client_id: str) -> Client | None:
        asked.append(client_id)
        return Client(id=client_id, name="校本系统", origin="federation")

    clients = await known(mongo, GRADEBOOK, automatic=automatic)
    assert await clients.get("unknown") is None
    found = await clients.get("https://school.test")
    assert (found and found.origin, asked) == ("federation", ["https://school.test"])


@pytest.mark.parametrize("id", ["", "a b", "x" * 256, "\0", "龘", "\ud800", "a\n", '{"$ne": null}'])
async def test_what_cannot_be_a_client_id_is_nobody(mongo: Mongo, id: str) -> None:
    assert await (await known(mongo, GRADEBOOK)).get(id) is None


@pytest.mark.parametrize(
    "settings",
    [ClientSettings(id="x", name="x", secret="short"), ClientSettings(id="", name="x"),
     ClientSettings(id="x", name="x", auth_method="private_key_jwt"),
     ClientSettings(id="x", name="x", require_pkce=False),
     ClientSettings(id="x", name="x", grant_types=("client_credentials",)),
     ClientSettings(id="a b", name="x", secret=SECRET)],
)  # fmt: skip
async def test_settings_that_contradict_themselves_are_refused_without_their_secret(
    mongo: Mongo, settings: ClientSettings
) -> None:
    with pytest.raises(ClientUnusable) as refused:
        await known(mongo, settings)
    assert "short" not in str(refused.value).replace("较短", "")


@pytest.mark.parametrize(
    "uri",
    ["https://gradebook.test/cb", "https://gradebook.test/cb?tab=1&x=2", "https://gradebook.test/cb?tab=1#",
     "https://gradebook.test/cb?tab=1/", "https://GRADEBOOK.test/cb?tab=1", "https://gradebook.test:443/cb?tab=1",
     "http://gradebook.test/cb?tab=1", "https://gradebook.test/%63b?tab=1", "https://a@gradebook.test/cb?tab=1",
     "https://gradebook.test.evil.example/cb?tab=1", "https://gradebook.test/../cb?tab=1",
     "javascript:alert(1)", "https://gradebook.test/cb?tab=1\n", "", "*"],
)  # fmt: skip
async def test_redirect_uri_tricks_nothing_but_the_registered_letters_is_an_address(
    mongo: Mongo, uri: str
) -> None:
    clients = await known(mongo, GRADEBOOK)
    client = await clients.get("gradebook")
    assert client is not None
    assert clients.allows_redirect(client, "https://gradebook.test/cb?tab=1")
    assert not clients.allows_redirect(client, uri)


async def test_on_the_persons_own_machine_any_port_will_do_and_nothing_else_may_differ(mongo: Mongo) -> None:
    clients = await known(mongo, PAGE)
    page = await clients.get("page")
    assert page is not None
    for port in ("1", "51004", "65535"):
        assert clients.allows_redirect(page, f"http://127.0.0.1:{port}/cb")
    for uri in (
        "http://127.0.0.1:0/cb", "http://127.0.0.1:65536/cb", "http://127.0.0.1:80/other", "http://127.0.0.1:/cb",
        "http://127.0.0.1:80@evil.example/cb", "https://127.0.0.1:80/cb", "http://localhost:80/cb",
        "http://127.0.0.2:80/cb", "http://127.0.0.1:80/cb/", "https://page.test:9999/cb", "http://[::1]:80/cb",
        "http://127.0.0.1:٣/cb",
    ):  # fmt: skip
        assert not clients.allows_redirect(page, uri), uri


async def test_the_origins_of_public_clients_pages_may_read_answers_and_no_others(mongo: Mongo) -> None:
    clients = await known(mongo, GRADEBOOK, PAGE)
    assert clients.origins() == {"https://page.test:8443", "http://127.0.0.1"}
    for id, method in (("spa", "none"), ("server", "client_secret_basic")):
        client = Client(id=id, name=id, auth_method=method, redirect_uris=(f"https://{id}.test/cb",))
        await MongoStore(mongo).collection("auth_clients").insert_one(client.document())
    await clients.refreshed()
    assert clients.origins() == {"https://page.test:8443", "http://127.0.0.1", "https://spa.test"}


class KeyServer:
    """Where a client publishes its keys; `document` is what it says."""

    def __init__(self) -> None:
        self.document: Any = {"keys": []}

    def app(self) -> Starlette:
        async def show(request: Request) -> JSONResponse:
            await asyncio.sleep(0.05)
            return JSONResponse(self.document)

        return Starlette(routes=[Route("/jwks", show)])

    def publish(self, *keys: ECKey) -> None:
        self.document = {"keys": [key.as_dict(private=False) | {"kid": key.thumbprint()} for key in keys]}


class Asking:
    """Clients whose keys come over a real socket."""

    def __init__(self, clients: Clients, client: Client, clock: Clock, there: Served) -> None:
        self.clients, self.client, self.clock, self.there = clients, client, clock, there

    async def kids(self, kid: str = "") -> list[str]:
        return [key["kid"] for key in await self.clients.keys(self.client, kid)]

    @property
    def calls(self) -> int:
        return self.there.frame.calls["/jwks"]


@asynccontextmanager
async def asking(
    mongo: Mongo, server: KeyServer, allowed: Sequence[str] = ("127.0.0.1/32",)
) -> AsyncIterator[Asking]:
    clock = Clock()
    async with served(server.app()) as there, Http(allowed) as http:
        settings = ClientSettings(
            id="archive", name="档案", auth_method="private_key_jwt", jwks_uri=f"{there.url}/jwks"
        )
        clients = Clients(MongoStore(mongo), [settings], HttpFetch(http), clock, None)
        client = await clients.get("archive")
        assert client is not None
        yield Asking(clients, client, clock, there)


def new_key() -> ECKey:
    return ECKey.generate_key("P-256")


async def test_a_clients_keys_are_fetched_once_for_all_who_wait_and_kept(mongo: Mongo) -> None:
    server, key = KeyServer(), new_key()
    server.publish(key)
    async with asking(mongo, server) as archive:
        found = await asyncio.gather(*(archive.kids() for _ in range(20)))
        assert found == [[key.thumbprint()]] * 20
        archive.clock.now += 3599
        await archive.kids()
        assert archive.calls == 1
        archive.clock.now += 2
        await archive.kids()
        assert archive.calls == 2


async def test_an_unknown_kid_flood_asks_the_client_once_in_half_a_minute(mongo: Mongo) -> None:
    server, old, new = KeyServer(), new_key(), new_key()
    server.publish(old)
    async with asking(mongo, server) as archive:
        await archive.kids()
        server.publish(old, new)
        for number in range(100):
            await archive.kids(f"unknown-{number}")
        assert archive.calls == 1
        archive.clock.now += 31
        assert new.thumbprint() in await archive.kids(new.thumbprint())
        for number in range(100):
            await archive.kids(f"unknown-{number}")
        assert archive.calls == 2


@pytest.mark.parametrize("mode", ["error", "garbage", "html", "busy"])
async def test_while_a_clients_key_server_is_broken_the_last_keys_count_and_it_recovers(
    mongo: Mongo, mode: str
) -> None:
    server, old, new = KeyServer(), new_key(), new_key()
    server.publish(old)
    async with asking(mongo, server) as archive:
        await archive.kids()
        server.publish(new)
        archive.there.frame.mode = mode
        archive.clock.now += 3601
        assert await archive.kids() == [old.thumbprint()]
        archive.there.frame.mode = "ok"
        archive.clock.now += 31
        assert await archive.kids() == [new.thumbprint()]
        archive.there.frame.mode = mode
        archive.clock.now += 86401
        with pytest.raises(FetchFailed):
            await archive.kids()


async def test_a_key_server_broken_from_the_start_is_asked_again_soon_and_not_by_everybody(
    mongo: Mongo,
) -> None:
    server, key = KeyServer(), new_key()
    server.publish(key)
    async with asking(mongo, server) as archive:
        archive.there.frame.mode = "html"
        for _ in range(10):
            with pytest.raises(FetchFailed):
                await archive.kids()
        assert archive.calls == 1
        archive.there.frame.mode = "ok"
        archive.clock.now += 4
        assert await archive.kids() == [key.thumbprint()]


@pytest.mark.parametrize(
    "document",
    [[], {}, {"keys": {}}, {"keys": ["x"]}, {"keys": [{"kty": "EC"}] * 51},
     {"keys": [{"kty": "oct", "k": "AAAA"}]},
     {"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA"}]},
     {"keys": [{"kty": "EC", "x": "A" * 300_000}]}],
)  # fmt: skip
async def test_what_is_no_set_of_public_keys_is_refused_whole(mongo: Mongo, document: Any) -> None:
    server = KeyServer()
    server.document = document
    async with asking(mongo, server) as archive:
        with pytest.raises(FetchFailed):
            await archive.kids()


async def test_of_a_published_key_only_what_verifying_needs_is_taken(mongo: Mongo) -> None:
    server, key = KeyServer(), new_key()
    server.publish(key)
    server.document["keys"][0] |= {"x5u": "https://evil.example", "a\0b": 1, "alg": ["ES256"]}
    server.document["keys"].append({"kty": "unknown", "kid": "u"})
    async with asking(mongo, server) as archive:
        (taken,) = await archive.clients.keys(archive.client)
        assert taken.keys() == {"kty", "crv", "x", "y", "kid"}


async def test_ssrf_by_jwks_uri_a_private_address_that_nobody_allowed_is_not_asked(mongo: Mongo) -> None:
    server = KeyServer()
    async with asking(mongo, server, allowed=()) as archive:
        with pytest.raises(FetchFailed) as refused:
            await archive.kids()
        assert refused.value.kind == "forbidden"
        assert archive.calls == 0


async def test_keys_that_a_client_gave_at_registration_are_its_keys_without_asking(mongo: Mongo) -> None:
    server = KeyServer()
    given = {"keys": [new_key().as_dict(private=False) | {"kid": "given"}]}
    async with asking(mongo, server) as archive:
        client = Client(id="given", name="x", jwks=given, jwks_uri=archive.client.jwks_uri)
        assert [key["kid"] for key in await archive.clients.keys(client)] == ["given"]
        assert archive.calls == 0
