"""`rongtong trust`: who is trusted by which chain, whom this hub vouches for, which marks it issues."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import orjson

from auth.keys import KeyRing
from auth.settings import TrustSettings
from auth.trust.authority import Authority, Published
from auth.trust.chains import LEVEL, REGION, Chain, Metadata
from auth.trust.errors import Distrusted
from auth.trust.federation import INDEXES, limits_of
from auth.trust.identifiers import configuration_address, is_entity
from auth.trust.keys import thumbprints
from auth.trust.marks import Judge, Judged, Marks
from auth.trust.resolver import Resolver
from auth.trust.statements import LARGEST, Statement, statement
from auth.trust.subordinates import Subordinate, Subordinates
from connectors.errors import SourceError
from connectors.http import Http
from hub.app import state_folder
from hub.cli.parts import database
from hub.cli.say import Refusal, console, dumps, plain, pretty, table
from hub.identity.fetch import HttpFetch
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from hub.settings import Loaded, load

T = TypeVar("T")
KEYS = "federation-keys"
"""Folder of the federation keys inside the state folder, apart from the OIDC keys."""
_LARGEST_FILE = 1 << 20


def federation_ring(loaded: Loaded) -> KeyRing:
    """The ring of federation keys in the state folder, made when missing. Blocking."""
    return KeyRing.open(state_folder(loaded) / KEYS, overlap=loaded.settings.identity.key_overlap)


def show(entity: str, anchor: str, config: Path, as_json: bool) -> None:
    """The command: the chain of an entity level by level, or why there is none (exit code 1)."""
    loaded = load(config)
    try:
        chain, judged = asyncio.run(_resolved(loaded, entity, anchor))
    except Distrusted as refused:
        others = "".join(f"\n· {also}" for also in refused.also)
        raise Refusal(f"{refused.public}（{refused.reason}）{others}", refused.code) from None
    if as_json:
        print(dumps(_told(chain, judged)))
        return
    rows = [_level(place, chain) for place in range(len(chain.entities))]
    columns = ("级", "实体 / entity", "名称 / name", "级别 / level", "区划 / region", "有效至 / until")
    table(f"信任链 / chain of trust: {entity}", columns, rows)
    console().print(plain(f"元数据 / metadata: {pretty(_without_keys(chain.metadata))}"))
    for mark in judged.marks:
        console().print(plain(f"✓ 信任标志 / trust mark: {mark.type} ← {mark.issuer}"))
    for type, reason in judged.refused:
        console().print(plain(f"✗ 信任标志不计 / mark does not count: {type} ({reason})"))


async def _resolved(loaded: Loaded, entity: str, anchor: str) -> tuple[Chain, Judged]:
    trust = loaded.settings.trust
    async with _way_out(loaded) as fetch:
        resolver = _resolver(fetch, trust, loaded)
        chain = await resolver.chain(entity, anchor)
        return chain, await Judge(resolver, fetch, time.time).judged(chain)


def _resolver(fetch: HttpFetch, trust: TrustSettings, loaded: Loaded) -> Resolver:
    try:
        return Resolver(fetch, trust.anchors, limits_of(trust), time.time)
    except ValueError as flaw:
        raise Refusal(
            f"{loaded.file}：trust.anchors 不可用（{flaw}）/ cannot be used: an anchor is an https address "
            "with its JWK Set",
            "ANCHORS_UNUSABLE",
        ) from None


@contextlib.asynccontextmanager
async def _way_out(loaded: Loaded) -> AsyncIterator[HttpFetch]:
    async with Http(loaded.settings.hub.allowed_networks) as http:
        yield HttpFetch(http)


def _level(place: int, chain: Chain) -> tuple[str, ...]:
    entity = chain.entities[place]
    about = [each for each in chain.statements if each.sub == entity]
    stated = next((each.entity() for each in about if each.iss != each.sub), {})
    until = min(each.until for each in about)
    return (
        str(place), entity, _name(about), str(stated.get(LEVEL, "")), str(stated.get(REGION, "")),
        datetime.fromtimestamp(until, UTC).astimezone().isoformat(timespec="minutes"),
    )  # fmt: skip


def _without_keys(metadata: Metadata) -> Metadata:
    """For people: keys say nothing to them."""
    return {kind: {n: v for n, v in said.items() if n != "jwks"} for kind, said in metadata.items()}


def _name(about: Sequence[Statement]) -> str:
    """What its superior calls an entity, else what it calls itself."""
    said = [each.entity().get("organization_name") for each in reversed(about)]
    return next((name[:40] for name in said if isinstance(name, str) and name), "")


def _told(chain: Chain, judged: Judged) -> dict[str, Any]:
    levels = [_level(place, chain) for place in range(len(chain.entities))]
    return {
        "entity": chain.entity, "anchor": chain.anchor, "ends": datetime.fromtimestamp(chain.ends, UTC),
        "region": chain.region, "metadata": chain.metadata,
        "chain": [dict(zip(("depth", "entity", "name", "level", "region", "until"), level, strict=True))
                  for level in levels],
        "marks": [{"type": mark.type, "issuer": mark.issuer} for mark in judged.marks],
        "refused_marks": [{"type": type, "reason": reason} for type, reason in judged.refused],
    }  # fmt: skip


def add(
    entity: str, key: str, jwks: Path | None, types: list[str], authority: bool, region: str, level: str,
    policy: Path | None, constraints: Path | None, metadata: Path | None, config: Path, as_json: bool,
) -> None:  # fmt: skip
    """The command: vouch for an entity, whose keys were handed over in `jwks`, or whose own published keys
    the operator knows by the thumbprint `key`."""
    loaded = load(config)
    keys = _file(jwks) if jwks else asyncio.run(_compared(loaded, entity, key))
    rules, bounds, stated = _file(policy), _file(constraints), _file(metadata)
    found = _with(
        loaded,
        lambda all: all.add(
            entity, keys, types=tuple(types), intermediate=authority, metadata=stated, policy=rules,
            constraints=bounds, region=region, level=level, by=getpass.getuser(),
        ),
    )  # fmt: skip
    print(dumps(_listed(found)) if as_json else f"✓ 已担保 / vouched for: {entity}")


async def _compared(loaded: Loaded, entity: str, key: str) -> dict[str, Any]:
    """The keys an entity publishes itself, if one has the thumbprint that the operator was told."""
    if not is_entity(entity):
        raise Refusal(f"不是实体标识 / not an entity identifier: {entity}", "NOT_AN_ENTITY")
    try:
        async with Http(loaded.settings.hub.allowed_networks) as http:
            reply = await http.get(configuration_address(entity), within=5.0, max_bytes=LARGEST)
    except SourceError as error:
        raise Refusal(f"{entity} 没有可用的应答 / gave no usable answer: {error}", "UNREACHABLE") from None
    said = statement(reply.body, entity, entity, now=time.time(), lifetime=86_400.0, depth=0)
    said.verify(said.keys, entity, 0)
    keys = dict(said.claims["jwks"])
    prints = thumbprints(keys)
    if key not in prints:
        raise Refusal(
            f"请另行（如电话）与对方核对公钥指纹，再加 --key 指纹 / compare its key's thumbprint by another "
            f"way, such as by telephone, then add --key THUMBPRINT: {', '.join(prints)}",
            "KEY_NOT_CONFIRMED",
        )
    return keys


def _file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    with path.open("rb") as file:
        content = file.read(_LARGEST_FILE)
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise Refusal(f"{path} 不是 JSON 对象 / is no JSON object", "FILE_UNUSABLE")
    return found


def withdraw(entity: str, config: Path, as_json: bool) -> None:
    """The command: vouch for an entity no longer; others see it when their chains end."""
    loaded = load(config)
    if not _with(loaded, lambda all: all.withdraw(entity, getpass.getuser())):
        raise Refusal(f"本中心未为它担保 / not vouched for by this hub: {entity}", "NOT_A_SUBORDINATE")
    within = int(loaded.settings.trust.chain_lifetime)
    text = f"✓ 已撤销，至迟 {within} 秒后处处生效 / withdrawn, everywhere within {within} s: {entity}"
    print(dumps({"entity": entity, "withdrawn": True, "within": within}) if as_json else text)


def subordinates(withdrawn: bool, config: Path, as_json: bool) -> None:
    """The command: whom this hub vouches for."""
    found = _with(load(config), lambda all: all.all(withdrawn=withdrawn))
    if as_json:
        print(dumps([_listed(each) for each in found]))
        return
    rows = [
        (each.id, ", ".join(each.types), each.region, "✓" if each.active else "已撤销 / withdrawn")
        for each in found
    ]
    table("所担保的下级 / subordinates", ("实体 / entity", "类型 / types", "区划", "状态"), rows)


def _listed(found: Subordinate) -> dict[str, Any]:
    return {
        "entity": found.id, "types": found.types, "intermediate": found.intermediate, "region": found.region,
        "level": found.level, "active": found.active, "added": found.added, "withdrawn": found.withdrawn,
        "keys": thumbprints(found.jwks),
    }  # fmt: skip


def issue(type: str, entity: str, days: int, config: Path, as_json: bool) -> None:
    """The command: a trust mark, to be handed to the entity, which publishes it."""
    token = _with_marks(
        load(config), lambda marks: marks.issue(type, entity, life=days * 86_400.0, by=getpass.getuser())
    )
    print(dumps({"trust_mark_type": type, "sub": entity, "trust_mark": token}) if as_json else token)


def revoke(type: str, entity: str, config: Path, as_json: bool) -> None:
    """The command: revoke every mark of a type that an entity holds from us."""
    gone = _with_marks(load(config), lambda marks: marks.revoke(type, entity, getpass.getuser()))
    if not gone:
        raise Refusal(f"没有这样的有效标志 / no such active mark: {type} {entity}", "NO_SUCH_MARK")
    print(dumps({"revoked": gone}) if as_json else f"✓ 已吊销 / revoked: {gone}")


def _with(loaded: Loaded, work: Callable[[Subordinates], Awaitable[T]]) -> T:
    async def run() -> T:
        async with _store(loaded) as store:
            return await work(Subordinates(store, time.time))

    return asyncio.run(run())


def _with_marks(loaded: Loaded, work: Callable[[Marks], Awaitable[T]]) -> T:
    entity = loaded.settings.identity.issuer
    if not entity:
        raise Refusal("请设置 identity.issuer / set identity.issuer: a mark names its issuer", "NO_ISSUER")
    ring = federation_ring(loaded)

    async def run() -> T:
        async with _store(loaded) as store:
            authority = Authority(
                entity, ring, Subordinates(store, time.time), store, Published(dict), time.time,
                lifetime=float(loaded.settings.trust.statement_lifetime),
            )  # fmt: skip
            await authority.note_keys()  # so that the signature can be explained when the key is gone
            return await work(Marks(store, ring, entity, time.time))

    return asyncio.run(run())


@contextlib.asynccontextmanager
async def _store(loaded: Loaded) -> AsyncIterator[MongoStore]:
    storage = loaded.settings.storage
    async with database(loaded) as uri:
        mongo = Mongo.connect(uri, storage.database, storage.driver)
        try:
            store = MongoStore(mongo)
            await store.declare(INDEXES)
            yield store
        finally:
            await mongo.close()
