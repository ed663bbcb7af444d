"""The words of `rongtong trust`; what they do is in `hub.cli.trust`, imported when one of them is used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hub.cli.options import Config, Json

trust = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="信任链 / trust along the five levels.")
vouched = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="所担保的下级 / subordinates.")
trust.add_typer(vouched, name="subordinate")
marks = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="信任标志 / trust marks.")
trust.add_typer(marks, name="mark")

Entity = Annotated[str, typer.Argument(help="实体标识，https 地址 / entity identifier, an https address.")]
MarkType = Annotated[str, typer.Argument(help="标志类型，https 地址 / type of the mark, an https address.")]


@trust.command("show")
def trust_show(
    entity: Entity,
    anchor: Annotated[str, typer.Option(help="信任锚，缺省为任一 / trust anchor; any by default.")] = "",
    config: Config = None,
    as_json: Json = False,
) -> None:
    """逐级显示信任链，或不可信的缘由 / the chain level by level, or why there is none."""
    from hub.cli.config import of_a_hub
    from hub.cli.trust import show

    show(entity, anchor, of_a_hub(config), as_json)


@vouched.command("add")
def trust_subordinate_add(
    entity: Entity,
    key: Annotated[str, typer.Option(help="核对过的公钥指纹 / thumbprint of its key, compared.")] = "",
    jwks: Annotated[Path | None, typer.Option(help="其公钥文件 / file with its keys (JWK Set).")] = None,
    type: Annotated[list[str] | None, typer.Option(help="实体类型 / entity type; repeatable.")] = None,
    authority: Annotated[bool, typer.Option(help="是机构，可担保他人 / it vouches for others.")] = False,
    region: Annotated[str, typer.Option(help="区划代码 / region it speaks for.")] = "",
    level: Annotated[str, typer.Option(help="级别 / its level.")] = "",
    policy: Annotated[Path | None, typer.Option(help="元数据策略文件 / metadata policy, JSON.")] = None,
    constraints: Annotated[Path | None, typer.Option(help="约束文件 / constraints, JSON.")] = None,
    metadata: Annotated[Path | None, typer.Option(help="元数据文件 / metadata stated for it, JSON.")] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """为下级担保 / vouch for a subordinate."""
    from hub.cli.config import of_a_hub
    from hub.cli.trust import add

    add(
        entity, key, jwks, type or [], authority, region, level, policy, constraints, metadata,
        of_a_hub(config), as_json,
    )  # fmt: skip


@vouched.command("withdraw")
def trust_subordinate_withdraw(entity: Entity, config: Config = None, as_json: Json = False) -> None:
    """撤销担保 / vouch for it no longer."""
    from hub.cli.config import of_a_hub
    from hub.cli.trust import withdraw

    withdraw(entity, of_a_hub(config), as_json)


@vouched.command("list")
def trust_subordinate_list(
    withdrawn: Annotated[bool, typer.Option(help="含已撤销的 / also the withdrawn.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """列出所担保的下级 / list the subordinates."""
    from hub.cli.config import of_a_hub
    from hub.cli.trust import subordinates

    subordinates(withdrawn, of_a_hub(config), as_json)


@marks.command("issue")
def trust_mark_issue(
    type: MarkType,
    entity: Entity,
    days: Annotated[int, typer.Option(min=1, max=3650, help="有效天数 / days that it is valid.")] = 365,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """签发信任标志，交由对方公布 / issue a mark, for the entity to publish."""
    from hub.cli.config import of_a_hub
    from hub.cli.trust import issue

    issue(type, entity, days, of_a_hub(config), as_json)


@marks.command("revoke")
def trust_mark_revoke(type: MarkType, entity: Entity, config: Config = None, as_json: Json = False) -> None:
    """吊销信任标志 / revoke its marks of this type."""
    from hub.cli.config import of_a_hub
    from hub.cli.trust import revoke

    revoke(type, entity, of_a_hub(config), as_json)
