"""`rongtong`: the hub for operators. Exit codes: 0 done, 1 refused or failed, 2 wrong usage.

Every command takes `--json`; progress is shown to people only; `NO_COLOR` is kept. Parts are imported when
a command needs them, so that `--help` is quick.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from hub.cli.options import Config, Json
from hub.cli.people_commands import audit, people
from hub.cli.trust_commands import trust

# Plain help: typer's coloured one costs three times the start-up of everything else together.
app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
    help="融通：五级教育系统的 GraphQL 联邦中心 / a GraphQL hub for five levels of education systems.",
)  # fmt: skip
sources = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="已接入的来源 / joined sources.")
app.add_typer(sources, name="sources")
app.add_typer(people, name="people")
policy = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="谁能看什么 / who may see what.")
app.add_typer(policy, name="policy")
keys = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="签名密钥 / signing keys.")
app.add_typer(keys, name="keys")
app.add_typer(audit, name="audit")
app.add_typer(trust, name="trust")

Url = Annotated[
    str, typer.Option(envvar="RONGTONG_URL", help="运行中的中心的地址 / address of a running hub.")
]
As = Annotated[str, typer.Option("--as", help="演示人物 / demo persona: teacher, pupil, guardian, officer …")]
Demonstration = Annotated[Path, typer.Option(help="演示的状态目录 / the demonstration's folder.")]
DEMO = Path(".rongtong/demo")
LOCAL = "http://127.0.0.1:8000"


@app.command()
def demo(
    port: Annotated[int, typer.Option(min=0, max=65535, help="端口，0 由系统选 / port; 0: any.")] = 8000,
    scale: Annotated[Literal["demo", "city"], typer.Option(help="规模 / size of the country.")] = "demo",
    folder: Annotated[Path, typer.Option(help="状态目录 / state folder.")] = DEMO,
    resources: Annotated[
        int | None, typer.Option(min=0, help="省级资源数 / resources of the province.")
    ] = None,
    as_json: Json = False,
) -> None:
    """启动演示：数据库、五级沙盒与中心 / a database, a country, the hub."""
    from hub.cli.demo import run

    run(port=port, scale=scale, folder=folder, resources=resources, as_json=as_json)


@app.command()
def serve(config: Config = None, as_json: Json = False) -> None:
    """按设置文件运行中心 / run the hub with a settings file."""
    from hub.cli.config import of_ours
    from hub.cli.serve import run

    run(of_ours(config), as_json)


@app.command()
def query(
    file: Annotated[str, typer.Argument(help="查询文件，- 为标准输入 / query file, - for standard input.")],
    variables: Annotated[str, typer.Option(help="JSON 变量 / variables as JSON.")] = "{}",
    url: Url = LOCAL,
    persona: As = "",
    token: Annotated[str, typer.Option(envvar="RONGTONG_TOKEN", help="访问令牌 / access token.")] = "",
    provenance: Annotated[bool, typer.Option(help="附来源说明 / with provenance.")] = False,
    folder: Demonstration = DEMO,
    as_json: Json = False,
) -> None:
    """向运行中的中心提问 / ask a running hub."""
    from hub.cli.query import run

    run(file, variables, url, persona, token, provenance, folder, as_json)


@app.command()
def explain(
    file: Annotated[str, typer.Argument(help="查询文件，- 为标准输入 / query file, - for standard input.")],
    variables: Annotated[str, typer.Option(help="JSON 变量 / variables as JSON.")] = "{}",
    config: Config = None,
    as_json: Json = False,
) -> None:
    """只说明会问谁、为何，并不提问 / who would be asked, and why."""
    from hub.cli.config import of_a_hub
    from hub.cli.explain import run

    run(file, variables, of_a_hub(config), as_json)


@app.command()
def harvest(
    source: Annotated[
        list[str] | None, typer.Argument(help="来源代码，缺省为全部 / sources; all by default.")
    ] = None,
    config: Config = None,
    from_start: Annotated[bool, typer.Option(help="从头采集 / from the start.")] = False,
    as_json: Json = False,
) -> None:
    """采集资源目录，可中断续采 / harvest resource metadata, resumable."""
    from hub.cli.config import of_a_hub
    from hub.cli.harvest import run

    run(source or [], of_a_hub(config), from_start, as_json)


@app.command()
def doctor(config: Config = None, as_json: Json = False) -> None:
    """体检，每项附办法 / look at everything, with a fix for each finding."""
    from hub.cli.config import of_a_hub
    from hub.cli.doctor import run

    run(of_a_hub(config), as_json)


@app.command()
def token(
    persona: Annotated[str, typer.Option("--as", help="演示人物 / demo persona.")],
    folder: Demonstration = DEMO,
    as_json: Json = False,
) -> None:
    """演示人物的令牌 / a token for a demo persona; development only."""
    from hub.cli.token import run

    run(persona, folder, as_json)


@policy.command("why")
def policy_why(
    id: Annotated[str, typer.Argument(help="全局标识 / global id of the record.")],
    persona: As = "",
    principal: Annotated[
        Path | None, typer.Option(help="提问者，JSON 文件 / who asks, as a JSON file.")
    ] = None,
    purpose: Annotated[list[str] | None, typer.Option(help="声明的用途 / declared purpose.")] = None,
    folder: Demonstration = DEMO,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """某人能看到某条记录的哪些字段，为何 / what somebody sees of a record, and by which rule."""
    from hub.cli.config import of_a_hub
    from hub.cli.policy import run

    run(id, persona, principal, purpose or [], folder, of_a_hub(config), as_json)


@app.command()
def login(url: Url = LOCAL, as_json: Json = False) -> None:
    """在浏览器中登录中心，并保存登录 / sign in at a hub with a browser, and keep the login."""
    from hub.cli.login import run

    run(url, as_json)


@app.command()
def logout(url: Url = LOCAL, as_json: Json = False) -> None:
    """注销并忘记登录 / give the login back and forget it."""
    from hub.cli.login import forget

    forget(url, as_json)


@app.command()
def sdl(as_json: Json = False) -> None:
    """打印图的 SDL / print the graph's SDL."""
    from hub.cli.say import dumps
    from schema.graph.build import sdl as text

    sys.stdout.write(dumps({"sdl": text()}) + "\n" if as_json else text())


@sources.command("list")
def sources_list(config: Config = None, as_json: Json = False) -> None:
    """列出来源及其所供 / list the sources and what they offer."""
    from hub.cli.config import of_a_hub
    from hub.cli.sources import show

    show(of_a_hub(config), as_json)


@sources.command("check")
def sources_check(config: Config = None, as_json: Json = False) -> None:
    """逐一探测来源 / ask every source the cheapest question."""
    from hub.cli.config import of_a_hub
    from hub.cli.sources import check

    check(of_a_hub(config), as_json)


@sources.command("add")
def sources_add(
    code: Annotated[str, typer.Argument(help="来源代码 / code.")],
    protocol: Annotated[str, typer.Option(help="协议 / tongue.")],
    level: Annotated[str, typer.Option(help="级别 / level.")],
    region: Annotated[str, typer.Option(help="区划代码 / region code.")],
    name: Annotated[str, typer.Option(help="名称 / name.")],
    option: Annotated[
        list[str] | None, typer.Option(help="协议设置 key=value / option of the tongue.")
    ] = None,
    school: Annotated[str, typer.Option(help="学校标识码 / school code.")] = "",
    config: Config = None,
    write: Annotated[
        bool, typer.Option(help="写入设置文件；缺省只试 / write; by default only tried.")
    ] = False,
    as_json: Json = False,
) -> None:
    """接入来源：先试答，再写入 / join a source: tried first, written with --write."""
    from hub.cli.config import to_be_written
    from hub.cli.join import add

    config = to_be_written(config, write)
    add(code, protocol, level, region, name, option or [], school, config, write, as_json)


@keys.command("list")
def keys_list(config: Config = None, as_json: Json = False) -> None:
    """列出签名密钥及其状态 / list the signing keys and their states."""
    from hub.cli.config import of_a_hub
    from hub.cli.keys import show

    show(of_a_hub(config), as_json)


@keys.command("rotate")
def keys_rotate(
    now: Annotated[
        bool, typer.Option("--now", help="立即轮换，即使下一把密钥刚公布 / though the next is young.")
    ] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """轮换签名密钥，旧密钥在重叠期内仍可验证 / rotate the keys; old ones verify for the overlap."""
    from hub.cli.config import of_a_hub
    from hub.cli.keys import rotate

    rotate(of_a_hub(config), now, as_json)


def main() -> None:
    """Console entry: known refusals become one line and exit code 1, never a traceback."""
    try:
        app()
    except BrokenPipeError:
        # Whoever read us has had enough; without this the interpreter complains once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except Exception as error:
        from hub.cli.say import refusal_of

        found = refusal_of(error)
        if found is None:
            raise
        found.show()


if __name__ == "__main__":
    main()
