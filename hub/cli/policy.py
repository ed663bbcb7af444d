"""`rongtong policy why`: what somebody sees of one record, field by field, and the rule that says so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from auth.principal import Principal, principal_from
from hub.app import Hub
from hub.cli.demo_folder import personas_of
from hub.cli.parts import built
from hub.cli.say import Refusal, console, dumps, plain, printable
from hub.sources.auditing import Judgement
from hub.web.sight import viewer_of
from schema.graph.ids import Ref, decode
from schema.model.policy import Sight, Ties

NAMES = {Sight.SHOWN: "显示 / shown", Sight.MASKED: "脱敏 / masked", Sight.HIDDEN: "隐藏 / hidden"}
_TIES = (
    ("own", "本人或子女 / own"),
    ("belongs", "所属 / belongs"),
    ("serves", "任职范围内 / serves"),
    ("taught", "任课 / taught"),
)


def run(id: str, persona: str, principal: Path | None, purposes: list[str], folder: Path, config: Path,
        as_json: bool) -> None:  # fmt: skip
    """The command. The record's values are never printed: an auditor needs the rule, not the datum."""
    asking = _principal(persona, principal, folder)
    told = asyncio.run(_told(id, asking, purposes, config))
    print(dumps(told)) if as_json else _show(told)


def _principal(persona: str, file: Path | None, folder: Path) -> Principal | None:
    """Who would ask: a demo persona, or plain data in a file; None: nobody."""
    if file is not None:
        try:
            return principal_from(orjson.loads(file.read_bytes()), issuer="audit")
        except (OSError, ValueError) as error:
            raise Refusal(f"读不懂 {file}：{error} / cannot read it", "BAD_PRINCIPAL") from None
    if not persona:
        return None
    people = personas_of(folder) or {}
    if persona not in people:
        raise Refusal(f"没有这个演示人物 / no such persona: {', '.join(people)}", "UNKNOWN_PERSONA")
    return principal_from(people[persona], issuer="audit")


async def _told(
    id: str, principal: Principal | None, purposes: Iterable[str], config: Path
) -> dict[str, Any]:
    # What was agreed to for a third party stands in the database.
    async with built(config, remembering=principal is not None and not principal.first_party) as hub:
        return await why(hub, id, principal, purposes)


async def why(hub: Hub, id: str, principal: Principal | None, purposes: Iterable[str]) -> dict[str, Any]:
    """The judgement on one record as plain data. Raises `Refusal` for what is no id, or not found."""
    ref = decode(id, hub.registry)
    if ref is None:
        raise Refusal("不是本中心的全局标识 / not a global id of this hub", "BAD_ID")
    viewer = viewer_of(principal, purposes)
    directory = hub.auditing(replace(viewer, consented=await hub.records.consented(viewer)))
    _, account = await directory.get(ref.kind, ref.key, hub.specs[ref.kind].values())
    if not directory.judgements:
        silent = ", ".join(silence.source for silence in account.silent) or "-"
        raise Refusal(f"没有找到；未应答 / not found; silent: {silent}", "NOT_FOUND")
    return {"id": id, **_judged(ref, directory.judgements[-1])}


def _judged(ref: Ref, judged: Judgement) -> dict[str, Any]:
    fields = (field for field in judged.spec.fields.values() if not field.hidden)
    return {
        "type": ref.kind.value,
        "there": judged.decision.there,
        "minor": judged.minor,
        "ties": _tied(judged.ties),
        "fields": [
            {
                "field": field.name,
                "class": field.privacy.value,
                "duties": sorted(field.duties),
                "sight": judged.decision.rulings[field.name].sight.name,
                "logged": field.name in judged.decision.logged,
                "reason": list(judged.decision.rulings[field.name].reason.value),
            }
            for field in fields
        ],
    }


def _tied(tie: Ties) -> list[str]:
    return [name for name, _ in _TIES if getattr(tie, name)] + [f"duty:{duty}" for duty in sorted(tie.duties)]


def _show(told: dict[str, Any]) -> None:
    from rich.table import Table

    screen = console()
    words = dict(_TIES)
    tied = "、".join(words.get(name, name) for name in told["ties"]) or "无 / none"
    screen.print(f"{told['type']}  关系 / ties: {printable(tied)}")
    if told["minor"]:
        screen.print("未满 14 周岁或年龄不明：个人信息按敏感信息处理 / under 14, or of unknown age")
    if not told["there"]:
        screen.print("对提问者而言该记录不存在 / to who asks, the record looks absent")
    table = Table("字段 / field", "类别 / class", "结果 / result", "留痕 / logged", "理由 / reason", box=None)
    for row in told["fields"]:
        logged = "是 / yes" if row["logged"] else ""
        reason = f"{row['reason'][0]} / {row['reason'][1]}"
        table.add_row(row["field"], row["class"], NAMES[Sight[row["sight"]]], logged, plain(reason))
    screen.print(table)
