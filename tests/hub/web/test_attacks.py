"""The attacks of the trust table that concern documents and HTTP, with an innocent client beside each."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.hub.web.served import Hub, codes

pytestmark = pytest.mark.timeout(30)


async def beside_an_innocent(demo: Hub, attack: Any) -> Any:
    """The attack's outcome; an innocent client asks at the same time and must be answered."""
    outcome, innocent = await asyncio.gather(attack, demo.ask("{ rare }"))
    assert innocent == (200, {"data": {"rare": "䶮𬭊𫘧𠮷"}})
    return outcome


def fan_out(levels: int, body: str) -> str:
    parts = [f"fragment f{i} on Query {{ {body.replace('%s', f'...f{i + 1}')} }}" for i in range(levels)]
    return " ".join(["{ ...f0 }", *parts, f"fragment f{levels} on Query {{ rare }}"])


NEIGHBOURS = "neighbours(first: 200) { nodes { %s } }"
DEEP = "{ school { classes {" + " school { classes {" * 25 + " name" + "}" * 53
CUBE = (
    "{ schools(first: 200) { nodes { " + NEIGHBOURS.replace("%s", NEIGHBOURS.replace("%s", "name")) + "} } }"
)
DOCUMENTS: dict[str, tuple[str, set[str | None]]] = {
    "depth of fifty": (DEEP, {"MAX_DEPTH_LIMIT"}),
    "depth through fragments": (fan_out(20, "a { %s }"), {"MAX_DEPTH_LIMIT"}),
    "introspection in circles": (
        "{ __schema { types {" + " fields { type {" * 8 + " name" + "}" * 19,
        {"MAX_DEPTH_LIMIT"},
    ),
    "101 aliases": ("{" + " ".join(f"a{i}: rare" for i in range(101)) + "}", {"MAX_ALIASES_LIMIT"}),
    "aliases times spreads": (fan_out(9, "x: school { %s } y: school { %s }"), {"MAX_ALIASES_LIMIT"}),
    "a thousand directives": ("{ rare" + " @skip(if: true)" * 1000 + "}", {"MAX_TOKENS_LIMIT"}),
    "two hundred directives": ("{ rare" + " @skip(if: true)" * 200 + "}", {"MAX_DIRECTIVES_LIMIT"}),
    "ten unknown directives": (
        "{" + " ".join(f"a{i}: rare @unknown{i}" for i in range(10)) + "}",
        {"GRAPHQL_VALIDATION_FAILED"},
    ),
    "5,000 duplicate fields": ("{" + "rare " * 5000 + "}", {"MAX_TOKENS_LIMIT"}),
    "900 duplicate fields": ("{" + "rare " * 900 + "}", {"MAX_DUPLICATES_LIMIT"}),
    "many pairs to merge": (
        "{ schools { nodes {" + " ".join(f"classes {{ name n{i}: name }}" for i in range(20)) + "} } }",
        {"MAX_COST_LIMIT", None},
    ),
    "a hundred times fifty inline fragments": (
        "{" + ("..." + "{ ..." * 5 + "{ rare }" + "}" * 5) * 50 + "}",
        {"MAX_DUPLICATES_LIMIT", None},
    ),
    "fragments in a circle": (
        "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
        {"GRAPHQL_VALIDATION_FAILED"},
    ),
    "a fan-out of 2^24": (fan_out(24, "%s %s"), {"MAX_COST_LIMIT"}),
    "a fan-out with fields": (fan_out(100, "school { %s } rare %s"), {"MAX_DEPTH_LIMIT", "MAX_COST_LIMIT"}),
    "20,000 tokens": ("{" + " a" * 20_000 + "}", {"MAX_TOKENS_LIMIT"}),
    "50,000 comments": ("#\n" * 50_000 + "{ rare }", {"MAX_SOURCE_LIMIT"}),
    "20,000 comments": ("#\n" * 20_000 + "{ rare }", {"MAX_COMMENTS_LIMIT"}),
    "10,000 brackets": ("{ echo(ids: " + "[" * 10_000 + ")}", {"MAX_DEPTH_LIMIT"}),
    "10,000 braces": ("{ rare " * 9_000, {"MAX_DEPTH_LIMIT", "MAX_TOKENS_LIMIT"}),
    "2,000 variables": (
        "query (" + " ".join(f"$v{i}:Int" for i in range(2000)) + ") { rare }",
        {"MAX_TOKENS_LIMIT"},
    ),
    "300 variables": (
        "query (" + " ".join(f"$v{i}:Int" for i in range(300)) + ") { rare }",
        {"MAX_VARIABLES_LIMIT"},
    ),
    "1,000 operations": (" ".join(f"query q{i} {{ rare }}" for i in range(1000)), {"MAX_TOKENS_LIMIT"}),
    "200 operations": (" ".join(f"query q{i} {{ rare }}" for i in range(200)), {"MAX_OPERATIONS_LIMIT"}),
    "a page of 10^9": ("{ schools(first: 1000000000) { totalCount } }", {"PAGE_SIZE_LIMIT"}),
    "a page of 1e9": ("{ schools(first: 1e9) { totalCount } }", {"PAGE_SIZE_LIMIT"}),
    "a page of -1": ("{ schools(first: -1) { totalCount } }", {"PAGE_SIZE_LIMIT"}),
    "200 by 200 by 200": (CUBE, {"MAX_COST_LIMIT"}),
}  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_a_hostile_document_is_refused_or_cheap(demo: Hub, name: str) -> None:
    query, expected = DOCUMENTS[name]
    status, answer = await beside_an_innocent(demo, demo.ask(query))
    errors = answer.get("errors", [])
    assert len(errors) <= 9
    assert len(json.dumps(errors, ensure_ascii=False).encode()) < 20_000
    if status == 200:
        assert None in expected
    else:
        assert status == 400
        assert set(codes(answer)) <= expected | {"TOO_MANY_ERRORS"}
        assert errors


async def test_errors_never_grow_beyond_twenty_kilobytes(demo: Hub) -> None:
    name = "龘" * 3000
    query = "query ($t: Int) { " + " ".join(f"a{i}: echo(count: $t)" for i in range(20)) + " }"
    _, answer = await demo.ask(query, variables={"t": name})
    assert len(json.dumps(answer, ensure_ascii=False).encode()) < 20_000
    long = "{" + " ".join(f"{'x' * 2500}{i}" for i in range(20)) + "}"
    status, answer = await demo.ask(long)
    assert status == 400
    assert len(answer["errors"]) == 9
    assert len(json.dumps(answer, ensure_ascii=False).encode()) < 20_000


async def drip(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 65536):
        yield b" " * 65536


async def test_a_ten_megabyte_body_is_too_large_declared_or_not(demo: Hub) -> None:
    status, body = await beside_an_innocent(demo, demo.send(io.BytesIO(b" " * 10_000_000)))
    assert (status, codes(json.loads(body))) == (413, ["BODY_TOO_LARGE"])

    async def chunked() -> int:
        headers = {"Content-Type": "application/json"}
        async with demo.http.post(f"{demo.url}/graphql", data=drip(10_000_000), headers=headers) as answer:
            return answer.status

    assert await beside_an_innocent(demo, chunked()) == 413


async def test_a_string_of_a_megabyte_is_too_large(demo: Hub) -> None:
    query = '{ echo(text: "' + "x" * 1_000_000 + '") }'
    assert (await beside_an_innocent(demo, demo.ask(query)))[0] == 413


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "x"])
async def test_compressed_bodies_are_never_unpacked(demo: Hub, encoding: str) -> None:
    bomb = gzip.compress(b" " * 1_000_000)
    status, body = await beside_an_innocent(demo, demo.send(bomb, Content_Encoding=encoding))
    assert (status, codes(json.loads(body))) == (415, ["UNSUPPORTED_ENCODING"])


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
     "application/graphql", "application/json; charset=utf-16", "application/jsonx", ""],
)  # fmt: skip
async def test_types_that_a_strangers_form_can_send_are_refused(demo: Hub, kind: str) -> None:
    body = b'{"query": "mutation { rename(name: \\"x\\") }"}'
    assert (await demo.send(body, Content_Type=kind))[0] == 415
    assert demo.graph.renamed == []


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example", "http://[", ""]
)
async def test_a_strangers_page_gets_403_and_no_permission(demo: Hub, origin: str) -> None:
    headers = {"Origin": origin}
    async with demo.http.post(f"{demo.url}/graphql", json={"query": "{ rare }"}, headers=headers) as answer:
        assert answer.status == 403
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert (await demo.ask("{ rare }", headers={"Origin": demo.url}))[0] == 200


MALFORMED = {
    "nothing": b"",
    "no JSON": b"NONSENSE",
    "cut off": b'{"query":',
    "NaN": b'{"query": "{ rare }", "variables": {"t": NaN}}',
    "Infinity": b'{"query": "{ rare }", "variables": {"t": Infinity}}',
    "bad UTF-8": b'{"query": "{ rare }\xff"}',
    "UTF-16": '{"query": "{ rare }"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"query": "{ rare }"}',
    "a lone surrogate": b'{"query": "{ rare }", "variables": {"t": "\\ud800"}}',
    "fifty thousand deep": b'{"query": "{ rare }", "variables": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "a deep object": b'{"query": "{ rare }", "variables": ' + b'{"a":' * 20_000 + b"1" + b"}" * 20_001,
    "null": b"null",
    "a text": b'"{ rare }"',
    "a batch": b'[{"query": "{ rare }"}]',
    "a batch of a hundred": b"[" + b",".join([b'{"query": "{ rare }"}'] * 100) + b"]",
    "a typo": b'{"qeury": "{ rare }"}',
    "query a number": b'{"query": 1}',
    "query a list": b'{"query": ["{ rare }"]}',
    "query null": b'{"query": null}',
    "variables a list": b'{"query": "{ rare }", "variables": [7]}',
    "variables a text": b'{"query": "{ rare }", "variables": "{}"}',
    "operationName an object": b'{"query": "{ rare }", "operationName": {"$ne": null}}',
    "extensions a list": b'{"query": "{ rare }", "extensions": [1]}',
    "a persisted query": b'{"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "abc"}}}',
    "a persisted query to store": b'{"query": "{ rare }", "extensions": {"persistedQuery": {}}}',
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_a_malformed_body_is_400_for_every_client(demo: Hub, name: str) -> None:
    for accept in ("application/graphql-response+json", "application/json"):
        status, body = await beside_an_innocent(demo, demo.send(MALFORMED[name], Accept=accept))
        assert status == 400, body
        assert len(codes(json.loads(body))) == 1
    assert len(demo.endpoint.documents) == 1  # the innocent's, nobody else's


@pytest.mark.parametrize(
    "string",
    ["query=%ff", "query={rare}&query={me}", "query={rare}&variables={", "query={rare}&variables=[1]",
     "query={rare}&extensions=1", "", "&".join(f"a{i}=1" for i in range(50))],
)  # fmt: skip
async def test_a_malformed_query_string_is_400(demo: Hub, string: str) -> None:
    answer = await demo.raw(
        f"GET /graphql?{string} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    )
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_odd_members_and_huge_numbers_are_only_data(demo: Hub) -> None:
    body = b'{"query": "{ rare }", "__proto__": {"x": 1}, "variables": {"__proto__": {"y": 2}, "n": 1e400}}'
    assert (await demo.send(body.replace(b', "n": 1e400', b"")))[0] == 200
    assert (await demo.send(body))[0] in (200, 400)
    status, _ = await demo.ask("query ($n: Int) { echo(count: $n) }", variables={"n": 10**60})
    assert status == 400


async def test_a_poisoned_host_and_foreign_request_ids_are_never_echoed(demo: Hub) -> None:
    body = b'{"query":"{ broken }"}'
    head = f"POST /graphql HTTP/1.1\r\nHost: evil.example\r\nX-Request-Id: forged-id\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"  # noqa: E501
    answer = await demo.raw(head.encode() + body)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"evil" not in answer
    assert b"forged" not in answer


async def test_the_addresses_own_path_is_not_redirected(demo: Hub) -> None:
    body = b'{"query":"{ rare }"}'
    async with demo.http.post(
        f"{demo.url}/graphql", data=body, headers={"Content-Type": "application/json"}, allow_redirects=False
    ) as answer:
        assert answer.status == 200


async def test_a_client_that_leaves_in_the_middle_harms_nobody(demo: Hub) -> None:
    head = (
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
    )

    async def leave() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", demo.port)
        writer.write(head)
        await writer.drain()
        writer.transport.abort()

    await beside_an_innocent(demo, asyncio.gather(*(leave() for _ in range(20))))
