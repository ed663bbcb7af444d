"""`rongtong people export | erase | candidates | confirm | reject | index`: persons across all levels.

A person is named by their number, which `rongtong audit show` and tokens tell.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from auth.broker.accounts import Accounts
from hub.app import Hub
from hub.cli.parts import built
from hub.cli.say import Refusal, dumps, pretty, table
from hub.identity.gate import Gate
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from hub.people.candidates import PERSONS, Candidates, Proposal
from hub.people.erasure import Erasure
from hub.people.export import Export
from hub.people.index import Gathered
from hub.people.sign_ons import SignOns
from schema.model.privacy import Mask, masked

T = TypeVar("T")


def export(person: str, config: Path, as_json: bool) -> None:
    """The command: everything the hub itself holds of a person, as JSON on standard output."""
    document = _with_gate(config, lambda hub, gate, mongo: _export(hub, gate, mongo).of(person))
    if not any(document[name] for name in ("accounts", "what_happened", "read_by_you")):
        raise Refusal("没有这个人员编号 / there is no such person number", "NO_SUCH_PERSON")
    print(dumps(document) if as_json else pretty(document))


def erase(person: str, yes: bool, config: Path, as_json: bool) -> None:
    """The command: take a person out of what the hub itself holds; the journal stays."""
    if not yes:
        raise Refusal(
            "删除不能恢复；确定请加 --yes / erasing cannot be undone: add --yes to do it", "NOT_SURE"
        )
    erased = _with_gate(
        config, lambda hub, gate, mongo: _erasure(hub, gate, mongo).erase(person, by="operator")
    )
    if as_json:
        print(dumps({"person": erased.person, "before": erased.before, "gone": erased.gone}))
    elif erased.before:
        print("此前已删除，没有剩余 / erased before: nothing was left")
    else:
        gone = ", ".join(f"{name} {count}" for name, count in erased.gone.items() if count)
        print(f"已删除 / erased: {gone}")


def candidates(config: Path, as_json: bool) -> None:
    """The command: who may be one person, with reasons; proposals are gathered first."""

    async def work(hub: Hub, gate: Gate, mongo: Mongo) -> list[dict[str, Any]]:
        kept = _candidates(hub, gate, mongo)
        await kept.gather()
        return [await _shown(each, gate.accounts) for each in await kept.waiting()]

    found = _with_gate(config, work)
    if as_json:
        print(dumps(found))
        return
    rows = [
        (each["id"], f"{each['confidence']:.2f}", ", ".join(each["reasons"]), each["one"], each["other"],
         " | ".join(each["names"]))
        for each in found
    ]  # fmt: skip
    table("可能是同一人 / possibly one person", ("编号", "把握", "理由", "甲", "乙", "账号"), rows)


def confirm(id: str, config: Path, as_json: bool) -> None:
    """The command: they are one."""
    _decide(config, as_json, lambda kept: kept.confirm(id), "已认定为同一人 / they are one")


def reject(id: str, config: Path, as_json: bool) -> None:
    """The command: they are two."""
    _decide(config, as_json, lambda kept: kept.reject(id), "已认定为两个人 / they are two")


def index(config: Path, as_json: bool) -> None:
    """The command: go through the rosters once, and keep where each number is at home."""
    total, rosters = asyncio.run(_indexed(config, quiet=as_json or not sys.stderr.isatty()))
    if as_json:
        told = [{"source": one.source, "records": one.records, "whole": one.whole} for one in rosters]
        print(dumps({"records": total, "rosters": told}))
        return
    for one in rosters:
        end = "✓" if one.whole else "… 未完 / broke off"
        print(f"{one.source:<20}{one.records} 条 / records {end}")
    print(f"共 / in all: {total}")


async def _indexed(config: Path, *, quiet: bool) -> tuple[int, list[Gathered]]:
    rosters: dict[str, Gathered] = {}
    async with built(config) as hub:
        if hub.records.index is None:
            raise _no_database()
        with _line(quiet) as show:

            def told(gathered: Gathered) -> None:
                rosters[gathered.source] = gathered
                show(gathered)

            total = await hub.records.index.refresh(told)
    return total, list(rosters.values())


@contextlib.contextmanager
def _line(quiet: bool) -> Iterator[Callable[[Gathered], None]]:
    """One line that grows, on standard error, for people who look on."""
    if quiet:
        yield lambda _gathered: None
        return
    yield lambda gathered: print(
        f"\r{gathered.source}: {gathered.records} 条 / records\x1b[K", end="", file=sys.stderr, flush=True
    )
    print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _decide(
    config: Path, as_json: bool, decision: Callable[[Candidates], Awaitable[Proposal]], text: str
) -> None:
    async def work(hub: Hub, gate: Gate, mongo: Mongo) -> Proposal:
        return await decision(_candidates(hub, gate, mongo))

    decided = _with_gate(config, work)
    print(dumps({"id": decided.id, "state": decided.state}) if as_json else text)


async def _shown(each: Proposal, accounts: Accounts) -> dict[str, Any]:
    """A proposal with its accounts, names masked: enough to go and ask, too little to keep."""
    held = []
    for person in (each.one, each.other) if each.kind == PERSONS else ():
        for account in (await accounts.of_person(person))[:3]:
            held.append(f"{account.upstream}·{masked(account.display_name, Mask.NAME)}")
    return {
        "id": each.id, "kind": each.kind, "one": each.one, "other": each.other, "reasons": each.reasons,
        "confidence": each.confidence, "created": each.created, "names": held,
    }  # fmt: skip


def _with_gate(config: Path, work: Callable[[Hub, Gate, Mongo], Awaitable[T]]) -> T:
    async def run() -> T:
        async with _gate(config) as (hub, gate, mongo):
            return await work(hub, gate, mongo)

    return asyncio.run(run())


@contextlib.asynccontextmanager
async def _gate(config: Path) -> AsyncIterator[tuple[Hub, Gate, Mongo]]:
    async with built(config) as hub:
        if hub.mongo is None:
            raise _no_database()
        if hub.gate is None:
            raise Refusal(
                "未配置统一身份认证（identity.issuer）/ no sign-on is configured: set identity.issuer",
                "NO_SIGN_ON",
            )
        await hub.gate.declare()
        yield hub, hub.gate, hub.mongo


def _no_database() -> Refusal:
    return Refusal("没有数据库 / there is no database", "DATABASE_REQUIRED")


def _export(hub: Hub, gate: Gate, mongo: Mongo) -> Export:
    return Export(MongoStore(mongo), gate.accounts, hub.clock.epoch)


def _sign_ons(gate: Gate) -> SignOns:
    return SignOns(gate.sessions, gate.endings, gate.families)


def _erasure(hub: Hub, gate: Gate, mongo: Mongo) -> Erasure:
    return Erasure(MongoStore(mongo), gate.accounts, _sign_ons(gate), hub.records.log, hub.clock.epoch)


def _candidates(hub: Hub, gate: Gate, mongo: Mongo) -> Candidates:
    return Candidates(mongo, gate.accounts, _sign_ons(gate), gate.consents, hub.records.log, hub.clock)
