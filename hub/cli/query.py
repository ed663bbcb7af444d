"""`rongtong query`: ask a running hub, as its clients do."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from hub.cli.say import Refusal, dumps, pretty

LARGEST = 64 * 1024 * 1024


def text_of(file: str) -> str:
    """The query in `file`, or on standard input for `-`."""
    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "不是 UTF-8 / not UTF-8"
        raise Refusal(f"读不到 {file}：{cause} / cannot read it", "NO_FILE") from None


def variables_of(text: str) -> dict[str, Any]:
    """Variables given as JSON text."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise Refusal("变量须是 JSON 对象 / variables must be a JSON object", "BAD_VARIABLES")
    return found


def run(
    file: str,
    variables: str,
    url: str,
    persona: str,
    token: str,
    provenance: bool,
    folder: Path,
    as_json: bool,
) -> None:
    """The command; exit code 1 when the answer has errors."""
    if persona and not token:
        from hub.cli.token import made

        token = made(persona, folder)
    elif not token:
        from hub.cli.login import kept_token

        token = kept_token(url)
    body = {"query": text_of(file), "variables": variables_of(variables)}
    if provenance:
        body["extensions"] = {"provenance": True}
    answer = asyncio.run(_asked(f"{url.rstrip('/')}/graphql", body, token))
    print(dumps(answer) if as_json else pretty(answer))
    if answer.get("errors"):
        raise SystemExit(1)


async def _asked(url: str, body: dict[str, Any], token: str) -> dict[str, Any]:
    headers = {"Accept": "application/graphql-response+json, application/json;q=0.9"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        async with (
            aiohttp.ClientSession(trust_env=False) as session,
            session.post(url, json=body, headers=headers, timeout=aiohttp.ClientTimeout(total=60)) as reply,
        ):
            answer = orjson.loads(await _whole(reply.content))
    except (aiohttp.ClientError, aiohttp.InvalidURL, TimeoutError) as error:
        raise Refusal(
            f"{url} 没有回答（{type(error).__name__}）：中心在运行吗？/ no answer: is the hub running?",
            "NO_HUB",
        ) from None
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict):
        raise Refusal(f"{url} 的回答不是 GraphQL / it answers, but not with GraphQL: check --url", "NO_GRAPH")
    return answer


async def _whole(content: aiohttp.StreamReader) -> bytes:
    """The whole answer: one read gives no more than what has arrived."""
    parts = bytearray()
    async for part in content.iter_any():
        parts += part
        if len(parts) > LARGEST:
            raise Refusal("回答过大 / the answer is larger than 64 MB", "TOO_LARGE")
    return bytes(parts)
