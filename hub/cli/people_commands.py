"""`rongtong people` and `rongtong audit`: accounts of the hub's own, persons, and who read what."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.options import Config, Json

people = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None,
    help="本中心的账号，与各级账号背后的人 / accounts of this hub; persons across all levels.",
)  # fmt: skip
audit = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="访问记录 / who read what.")

Login = Annotated[str, typer.Argument(help="登录名 / login name.")]


@people.command("add")
def people_add(
    login: Login,
    name: Annotated[str, typer.Option(help="姓名 / name.")],
    role: Annotated[list[str], typer.Option(help="角色，可多个 / role; may be repeated.")],
    region: Annotated[str, typer.Option(help="区划代码 / region where it holds.")] = "",
    school: Annotated[str, typer.Option(help="学校标识码 / school where it holds.")] = "",
    config: Config = None,
    as_json: Json = False,
) -> None:
    """添加账号，密码从终端或标准输入读 / add an account; its password is asked for or piped in."""
    from hub.cli.config import of_a_hub
    from hub.cli.people import add

    add(login, name, role, region, school, of_a_hub(config), as_json)


@people.command("password")
def people_password(login: Login, config: Config = None, as_json: Json = False) -> None:
    """更换密码 / set another password."""
    from hub.cli.config import of_a_hub
    from hub.cli.people import password

    password(login, of_a_hub(config), as_json)


@people.command("close")
def people_close(login: Login, config: Config = None, as_json: Json = False) -> None:
    """停用账号 / close an account; it is kept."""
    from hub.cli.config import of_a_hub
    from hub.cli.people import close

    close(login, of_a_hub(config), as_json)


@people.command("reopen")
def people_reopen(login: Login, config: Config = None, as_json: Json = False) -> None:
    """恢复账号 / reopen a closed account."""
    from hub.cli.config import of_a_hub
    from hub.cli.people import reopen

    reopen(login, of_a_hub(config), as_json)


@people.command("list")
def people_list(config: Config = None, as_json: Json = False) -> None:
    """列出账号 / list the accounts."""
    from hub.cli.config import of_a_hub
    from hub.cli.people import show

    show(of_a_hub(config), as_json)


Person = Annotated[str, typer.Argument(help="人员编号 / person number.")]


@people.command("export")
def people_export(person: Person, config: Config = None, as_json: Json = False) -> None:
    """导出中心所存的一个人的全部信息 / all that the hub itself holds of a person, as JSON."""
    from hub.cli.config import of_a_hub
    from hub.cli.persons import export

    export(person, of_a_hub(config), as_json)


@people.command("erase")
def people_erase(
    person: Person,
    yes: Annotated[bool, typer.Option("--yes", help="确定 / do it: it cannot be undone.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """删除中心所存的一个人的信息，访问记录依法保留 / erase a person; the access log is kept by law."""
    from hub.cli.config import of_a_hub
    from hub.cli.persons import erase

    erase(person, yes, of_a_hub(config), as_json)


@people.command("candidates")
def people_candidates(config: Config = None, as_json: Json = False) -> None:
    """可能是同一人的，待人工认定 / who may be one person, for somebody to decide."""
    from hub.cli.config import of_a_hub
    from hub.cli.persons import candidates

    candidates(of_a_hub(config), as_json)


Pair = Annotated[str, typer.Argument(help="待定项编号 / the proposal.")]


@people.command("confirm")
def people_confirm(id: Pair, config: Config = None, as_json: Json = False) -> None:
    """认定为同一人 / they are one person."""
    from hub.cli.config import of_a_hub
    from hub.cli.persons import confirm

    confirm(id, of_a_hub(config), as_json)


@people.command("reject")
def people_reject(id: Pair, config: Config = None, as_json: Json = False) -> None:
    """认定为两个人，不再提示 / they are two, and are not proposed again."""
    from hub.cli.config import of_a_hub
    from hub.cli.persons import reject

    reject(id, of_a_hub(config), as_json)


@people.command("index")
def people_index(config: Config = None, as_json: Json = False) -> None:
    """走访一遍名册，更新证件号索引 / go through the rosters once: where each number is at home.

    只存证件号与姓名的密钥散列和记录键；运行中的中心按采集间隔自行更新。
    Keeps keyed hashes and record keys only; a running hub does it by itself at the harvests' pace.
    """
    from hub.cli.config import of_a_hub
    from hub.cli.persons import index

    index(of_a_hub(config), as_json)


@audit.command("verify")
def audit_verify(config: Config = None, as_json: Json = False) -> None:
    """离线校验访问记录，数据库应答时与副本比对 / check the journal offline, and against its copy.

    发现任何改动、缺失即以 1 退出。
    Anything altered or missing is exit code 1.
    """
    from hub.cli.audit import verify
    from hub.cli.config import of_a_hub

    verify(of_a_hub(config), as_json)


@audit.command("show")
def audit_show(
    about: Annotated[str, typer.Option(help="记录键，如 county:p1 / key of a person's record.")] = "",
    person: Annotated[str, typer.Option(help="人员编号 / person number.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="条数 / how many.")] = 100,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """谁看过此人，或此编号做过什么 / who read of a person, or what a person number did."""
    from hub.cli.audit import show
    from hub.cli.config import of_a_hub

    show(of_a_hub(config), about, person, limit, as_json)
