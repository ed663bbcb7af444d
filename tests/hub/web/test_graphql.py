"""GraphQL over HTTP keeps to its specification, and says Chinese first."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import quote

import pytest

from hub.web.errors import INTERNAL_TEXT
from hub.web.limits import Limits
from tests.hub.web.served import Hub, codes, hub

GRAPHQL = "application/graphql-response+json"


async def test_a_teacher_asks_by_post_and_is_answered_in_unescaped_chinese(demo: Hub) -> None:
    headers = {"Authorization": f"Bearer {demo.token()}"}
    query = {"query": '{ me { displayName } school(code: "1") { name } rare }'}
    async with demo.http.post(f"{demo.url}/graphql", json=query, headers=headers) as answer:
        body = await answer.read()
        assert answer.status == 200
        assert answer.headers["Content-Type"] == f"{GRAPHQL}; charset=utf-8"
        assert answer.headers["Cache-Control"] == "private, no-store"
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert "东昌府区龘小学".encode() in body
    assert "䶮𬭊𫘧𠮷".encode() in body
    assert json.loads(body)["data"]["me"] == {"displayName": "county-teacher"}


async def test_a_query_may_come_by_get(demo: Hub) -> None:
    address = f"{demo.url}/graphql?query={quote('query($t:String){echo(text:$t)}')}"
    async with demo.http.get(f"{address}&variables={quote(json.dumps({'t': '你好'}))}") as answer:
        assert answer.status == 200
        assert await answer.json() == {"data": {"echo": "你好"}}


async def test_a_mutation_by_get_is_refused_and_does_nothing(demo: Hub) -> None:
    mutation = quote('mutation { rename(name: "x") }')
    address = f"{demo.url}/graphql?query={mutation}"
    async with demo.http.get(address, headers={"X-HTTP-Method-Override": "POST"}) as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "POST"
    assert demo.graph.renamed == []
    assert (await demo.ask('mutation { rename(name: "x") }'))[0] == 200
    assert demo.graph.renamed == ["x"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"])
async def test_other_methods_are_told_which_ones_there_are(demo: Hub, method: str) -> None:
    async with demo.http.request(method, f"{demo.url}/graphql") as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET, POST"


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (None, GRAPHQL),
        ("*/*", GRAPHQL),
        (GRAPHQL, GRAPHQL),
        ("application/json", "application/json"),
        (f"{GRAPHQL}; charset=utf-8, application/json; charset=utf-8", GRAPHQL),
        (f"{GRAPHQL};q=0.5, application/json", "application/json"),
        (f"text/html, {GRAPHQL};q=0, */*;q=0.1", "application/json"),
    ],
)
async def test_the_answer_comes_in_the_type_the_client_likes_best(
    demo: Hub, accept: str | None, media: str
) -> None:
    headers = {"Accept": accept} if accept else {}
    skipped = [] if accept else ["Accept"]
    async with demo.http.post(
        f"{demo.url}/graphql", json={"query": "{ rare }"}, headers=headers, skip_auto_headers=skipped
    ) as answer:
        assert answer.headers["Content-Type"] == f"{media}; charset=utf-8"


async def test_a_client_that_likes_nothing_we_have_gets_406(demo: Hub) -> None:
    assert (await demo.ask("{ rare }", headers={"Accept": "text/html"}))[0] == 406


@pytest.mark.parametrize(
    ("query", "more", "code"),
    [
        ("{", {}, "GRAPHQL_PARSE_FAILED"),
        ("{ nothingOfTheKind }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("query ($n: Int) { echo(count: $n) }", {"variables": {"n": "many"}}, "BAD_USER_INPUT"),
        ("query ($n: Int) { echo(count: $n) }", {"variables": {"n": 10**15}}, "BAD_USER_INPUT"),
        ("query ($t: String) { echo(text: $t) }", {"variables": {"t": {"$ne": None}}}, "BAD_USER_INPUT"),
        ("query ($t: String) { echo(text: $t) }", {"variables": {"t": ["x"]}}, "BAD_USER_INPUT"),
        ("query A { rare } query B { rare }", {}, "OPERATION_RESOLUTION_FAILURE"),
        ("query A { rare }", {"operationName": "C"}, "OPERATION_RESOLUTION_FAILURE"),
        ("subscription { ticks }", {}, "OPERATION_NOT_SUPPORTED"),
    ],
)
async def test_a_request_error_is_400_for_new_clients_and_200_for_old_ones(
    demo: Hub, query: str, more: dict[str, object], code: str
) -> None:
    status, answer = await demo.ask(query, **more)
    assert (status, codes(answer)) == (400, [code])
    assert "data" not in answer
    assert " / " in answer["errors"][0]["message"]
    status, answer = await demo.ask(query, **more, headers={"Accept": "application/json"})
    assert (status, codes(answer)) == (200, [code])


async def test_a_guards_refusal_is_400_for_old_clients_too(demo: Hub) -> None:
    query = "{ schools(first: 501) { totalCount } }"
    status, answer = await demo.ask(query, headers={"Accept": "application/json"})
    assert (status, codes(answer)) == (400, ["PAGE_SIZE_LIMIT"])


async def test_a_fields_failure_leaves_the_other_fields_and_tells_nothing_internal(
    demo: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    status, answer = await demo.ask("{ rare broken refused }")
    assert status == 200
    assert answer["data"] == {"rare": "䶮𬭊𫘧𠮷", "broken": None, "refused": None}
    broken, refused = sorted(answer["errors"], key=lambda error: str(error["path"]))
    assert broken["message"] == INTERNAL_TEXT
    assert broken["extensions"]["code"] == "INTERNAL"
    assert refused["extensions"]["code"] == "CONSENT_MISSING"
    assert refused["message"].startswith("缺少监护人同意")
    assert broken["extensions"]["requestId"] in caplog.text
    assert "hunter2" not in json.dumps(answer) + caplog.text


async def test_an_answer_nulled_to_the_root_is_still_an_answer(demo: Hub) -> None:
    status, answer = await demo.ask("{ vanished }")
    assert (status, answer["data"], codes(answer)) == (200, None, ["CONSENT_MISSING"])


async def test_a_sources_broken_text_does_not_cost_the_whole_answer(demo: Hub) -> None:
    status, answer = await demo.ask("{ odd rare }")
    assert (status, answer["data"]) == (200, {"odd": "? bad", "rare": "䶮𬭊𫘧𠮷"})


async def test_an_overloaded_hub_says_when_to_come_back(demo: Hub) -> None:
    demo.graph.overloaded = True
    async with demo.http.post(f"{demo.url}/graphql", json={"query": "{ rare }"}) as answer:
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "2"
        assert codes(await answer.json()) == ["OVERLOADED"]


async def test_provenance_comes_by_extension_or_header_only(demo: Hub) -> None:
    assert "extensions" not in (await demo.ask("{ rare }"))[1]
    assert "extensions" not in (await demo.ask("{ rare }", extensions={"provenance": "yes"}))[1]
    by_body = await demo.ask("{ rare }", extensions={"provenance": True})
    by_header = await demo.ask("{ rare }", headers={"X-Rongtong-Provenance": "1"})
    assert by_body[1]["extensions"] == by_header[1]["extensions"] == {"provenance": {"me": "county"}}


async def test_the_anonymous_learn_nothing_of_the_schema_in_production(production: Hub) -> None:
    for query in ("{ __schema { queryType { name } } }", '{ __type(name: "School") { name } }'):
        assert codes((await production.ask(query))[1]) == ["INTROSPECTION_DISABLED"]
    suggestible: list[tuple[str, dict[str, object]]] = [
        ("{ schol { name } }", {}),
        ("{ rare @skipp }", {}),
        ("query ($x: Strin) { rare }", {}),
        ('{ school(cod: "1") { name } }', {}),
    ]
    for query, more in suggestible:
        assert "Did you mean" not in json.dumps(await production.ask(query, **more))
    assert (await production.ask("{ __typename }"))[1] == {"data": {"__typename": "Query"}}


async def test_a_signed_in_developer_gets_suggestions_and_the_schema(production: Hub) -> None:
    headers = {"Authorization": f"Bearer {production.token()}"}
    assert "Did you mean" in json.dumps(await production.ask("{ schol { name } }", headers=headers))
    status, _ = await production.ask("{ __schema { queryType { name } } }", headers=headers)
    assert status == 200
    assert codes((await production.ask("{ __schema { queryType { name } } }"))[1]) == [
        "INTROSPECTION_DISABLED"
    ]


async def test_good_documents_are_remembered_within_bounds_and_bad_ones_never(demo: Hub) -> None:
    await asyncio.gather(*(demo.ask("{ rare }") for _ in range(5)))
    assert len(demo.endpoint.documents) == 1
    await demo.ask("{ nothing }")
    await demo.ask("{")
    await demo.ask("{ schools(first: 501) { totalCount } }")
    assert len(demo.endpoint.documents) == 1
    for index in range(30):
        await demo.ask(f"{{ a{index}: rare }}")
    assert len(demo.endpoint.documents) == 31


async def test_a_remembered_document_is_measured_again_for_other_variables(demo: Hub) -> None:
    query = "query ($n: Int) { schools(first: $n) { totalCount } }"
    assert (await demo.ask(query, variables={"n": 5}))[0] == 200
    status, answer = await demo.ask(query, variables={"n": 10**9})
    assert (status, codes(answer)) == (400, ["PAGE_SIZE_LIMIT"])


async def test_a_body_that_drips_is_cut_off() -> None:
    async with hub(limits=Limits(body_seconds=0.2)) as slow:
        head = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        head += b"Content-Length: 99\r\n\r\n{"
        assert (await slow.raw(head)).startswith(b"HTTP/1.1 408 ")
