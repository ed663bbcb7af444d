"""A school's record store: what happened, by whom and when; nothing more than that."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.base import Identity, Tools
from connectors.errors import Forbidden, Malformed, Refused, Unanswerable
from connectors.http import Http
from connectors.sandbox.country import Country
from connectors.sandbox.frame import Served, served
from connectors.sandbox.xapi import CLASS_IRI, HOME, LOGIN, LOGIN_SECRET, VOCABULARY, app
from connectors.seal import Seal
from connectors.xapi import Meaning, Xapi, XapiOptions
from schema.model.codes import Level, LoopStep, Scene
from schema.model.record import Answer, Lookup, Record, lookup
from schema.model.words import Kind
from tests.contracts.connector import ConnectorContract, HandClock, Joined

TODAY = date(2026, 11, 20)
COUNTRY = Country(today=TODAY)
SCHOOL = COUNTRY.schools[0]
EVENTS = [event for back in range(7) for event in COUNTRY.statements(SCHOOL, TODAY - timedelta(days=back))]
WITHIN = 10.0
ROSTER = "c371502-roster"
EVENT = Kind.ACTIVITY_EVENT
ME = Identity("s-lrs", Level.SCHOOL, SCHOOL.unit_code, SCHOOL.code)
TEACHER = f"{ROSTER}:u-0-t9"
HEADERS = {
    "X-Experience-API-Version": "1.0.3",
    "Authorization": "Basic " + base64.b64encode(f"{LOGIN}:{LOGIN_SECRET}".encode()).decode(),
}


def options(url: str, **more: Any) -> XapiOptions:
    told: dict[str, Any] = {
        "base_url": f"{url}/xapi", "login": LOGIN, "login_secret": LOGIN_SECRET, "actors": {HOME: ROSTER},
        "classes": ROSTER, "class_iri": CLASS_IRI,
    }  # fmt: skip
    return msgspec.convert(told | more, XapiOptions)


@asynccontextmanager
async def store(twin: Starlette | None = None, **more: Any) -> AsyncIterator[tuple[Xapi, Served, Http]]:
    async with served(twin or app(COUNTRY, SCHOOL.code)) as up, Http(["127.0.0.0/8"]) as http:
        yield Xapi(ME, options(up.url, **more), Tools(http, Seal(b"k" * 32), now=HandClock())), up, http


async def put(http: Http, up: Served, *statements: dict[str, Any]) -> list[str]:
    reply = await http.post(
        f"{up.url}/xapi/statements", json=list(statements), headers=HEADERS, within=WITHIN
    )
    ids: list[str] = reply.json()
    return ids


def said(actor: dict[str, Any] | None = None, verb: str = "read", **more: Any) -> dict[str, Any]:
    """A statement as some platform may write it."""
    known = {"account": {"homePage": HOME, "name": "u-0-t9"}}
    iri = verb if ":" in verb else f"http://activitystrea.ms/schema/1.0/{verb}"
    thing = {"id": "https://hub.example.invalid/x/1"}
    return {"actor": actor or known, "verb": {"id": iri}, "object": thing, **more}


def by_id(answer: Answer) -> dict[str, Record]:
    return {record.local_id: record for record in answer.records}


async def one(source: Xapi, own: str) -> dict[str, Any]:
    fields = source.capabilities.offers[EVENT].fields
    answer = await source.look_up(lookup(EVENT, fields, {"key": [source.key(own)]}), WITHIN)
    return by_id(answer)[own].values


QUESTIONS: list[Lookup] = [
    lookup(EVENT, ["verb", "occurred_at", "scene"], {"school_code": [SCHOOL.code]}),
    lookup(EVENT, ["verb", "object_name"], {"person_key": [TEACHER, f"{ROSTER}:u-0-t1"]}),
    lookup(EVENT, ["verb", "class_key"], {"class_key": [f"{ROSTER}:c-0-9"]}),
    lookup(EVENT, ["verb"], since="2026-11-19", until="2026-11-20"),
    lookup(EVENT, ["score_scaled"], {"key": [f"s-lrs:{event.id}" for event in EVENTS[-20:]]}),
]


class TestSchoolStore(ConnectorContract):
    @pytest.fixture
    async def joined(self) -> Any:
        async with store(page_size=50) as (source, up, http):

            async def break_with(mode: str) -> None:
                up.frame.mode = "ok" if mode == "dead" else mode
                if mode == "dead":
                    await http.aclose()

            yield Joined(source, QUESTIONS, break_with, calls=lambda: up.frame.calls.total())


# What it says


async def test_every_event_of_the_week_is_told_as_it_happened() -> None:
    async with store() as (source, _, _http):
        answer = await source.look_up(QUESTIONS[0], WITHIN)
    assert sorted(by_id(answer)) == sorted(event.id for event in EVENTS)
    told = by_id(answer)
    for event in EVENTS:
        values = told[event.id].values
        assert (values["occurred_at"], values["scene"]) == (event.timestamp, event.scene)
    assert not answer.more


async def test_a_day_is_the_day_in_china_and_excludes_the_next() -> None:
    async with store() as (source, _, _http):
        answer = await source.look_up(QUESTIONS[3], WITHIN)
    expected = [event.id for event in EVENTS if event.timestamp.startswith("2026-11-19")]
    assert sorted(by_id(answer)) == sorted(expected)


async def test_what_happened_then_but_was_stored_later_belongs_to_its_day() -> None:
    async with store() as (source, up, http):
        (late,) = await put(http, up, said(timestamp="2026-11-19T23:59:59+08:00"))
        (next_day,) = await put(http, up, said(timestamp="2026-11-19T16:00:00Z"))
        told = by_id(await source.look_up(QUESTIONS[3], WITHIN))
    assert late in told
    assert next_day not in told


async def test_one_question_about_two_teachers_is_two_requests_and_only_theirs() -> None:
    async with store() as (source, up, _http):
        answer = await source.look_up(
            lookup(EVENT, ["person_key", "actor_role"], dict(QUESTIONS[1].where)), WITHIN
        )
        assert up.frame.calls.total() == 2
    assert sorted(by_id(answer)) == sorted(e.id for e in EVENTS if e.actor_id in ("u-0-t9", "u-0-t1"))
    assert {record.values["actor_role"] for record in answer.records} == {"TEACHER"}


async def test_the_events_of_a_class_are_asked_for_by_the_class() -> None:
    async with store() as (source, up, _http):
        answer = await source.look_up(QUESTIONS[2], WITHIN)
        assert up.frame.calls.total() == 1
    assert sorted(by_id(answer)) == sorted(event.id for event in EVENTS if event.class_key == "c-0-9")


async def test_another_school_is_not_asked_about_here() -> None:
    async with store() as (source, up, _http):
        other = lookup(EVENT, ["verb"], {"school_code": [COUNTRY.schools[1].code]})
        assert (await source.look_up(other, WITHIN)).records == ()
        assert up.frame.calls.total() == 0


async def test_nothing_of_an_actor_leaves_but_a_key() -> None:
    async with store() as (source, up, http):
        statements = [
            said({"mbox": "mailto:someone@example.invalid", "name": "样例人"}),
            said({"account": {"homePage": "https://foreign.example.invalid", "name": "样例人"}}),
            said({"objectType": "Group", "member": [{"name": "样例人"}], "name": "样例组"}),
            said(result={"response": "样例人 mailto:someone@example.invalid", "score": {"scaled": 0.5}}),
            said(object={"objectType": "Agent", "name": "样例人", "mbox": "mailto:someone@example.invalid"}),
        ]
        ids = await put(http, up, *statements)
        fields = source.capabilities.offers[EVENT].fields
        keys = {"key": [source.key(own) for own in ids]}
        answer = await source.look_up(lookup(EVENT, fields, keys), WITHIN)
    told = by_id(answer)
    assert [own for own in ids if "person_key" in told[own].values] == [ids[3], ids[4]]
    packed = orjson.dumps([[r.values for r in answer.records], answer.remarks]).decode()
    assert "样例" not in packed
    assert "mailto" not in packed
    assert "u-0-t9" in packed


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        ({"scaled": 1.7}, 1.0),
        ({"scaled": -1}, 0.0),
        ({"scaled": 0.25}, 0.25),
        ({"raw": 30, "min": 0, "max": 40}, 0.75),
        ({"raw": 30}, None),
        ({"scaled": "all"}, None),
    ],
)
async def test_scores_lie_between_nothing_and_all(score: dict[str, Any], expected: float | None) -> None:
    async with store() as (source, up, http):
        (own,) = await put(http, up, said(result={"score": score}))
        assert (await one(source, own)).get("score_scaled") == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-11-20T00:00:00Z", "2026-11-20T00:00:00+00:00"),
        ("2026-11-20T08:00:00.123+0800", "2026-11-20T08:00:00.123000+08:00"),
        ("2026-11-19T14:00:00-10:00", "2026-11-19T14:00:00-10:00"),
    ],
)
async def test_times_with_any_offset_are_told_in_one_form(written: str, expected: str) -> None:
    async with store() as (source, up, http):
        (own,) = await put(http, up, said(timestamp=written))
        assert (await one(source, own))["occurred_at"] == expected


async def test_verbs_mean_what_the_statement_says_then_the_owner_then_the_table() -> None:
    exam, mine = "http://adlnet.gov/expapi/verbs/passed", "https://school.example.invalid/verbs/drill"
    verbs = {mine: {"scene": "LEARN", "loop_step": "PRACTICE"}}
    context = {"extensions": {VOCABULARY + "scene": "NURTURE", VOCABULARY + "loop-step": "NO-SUCH"}}
    async with store(verbs=verbs) as (source, up, http):
        ids = await put(http, up, said(verb=exam), said(verb=mine), said(verb=mine, context=context))
        told = [await one(source, own) for own in ids]
    meanings = [(values["scene"], values.get("loop_step")) for values in told]
    assert meanings == [("EVALUATE", "TEST"), ("LEARN", "PRACTICE"), ("NURTURE", "PRACTICE")]
    assert options("https://x.example.invalid", verbs=verbs).verbs[mine] == Meaning(
        Scene.LEARN, LoopStep.PRACTICE
    )


# Voiding, harvest


def voiding(own: str) -> dict[str, Any]:
    return said(
        verb="http://adlnet.gov/expapi/verbs/voided", object={"objectType": "StatementRef", "id": own}
    )


async def test_a_voided_statement_is_gone_and_so_is_what_voided_it() -> None:
    async with store() as (source, up, http):
        own = EVENTS[0].id
        (void,) = await put(http, up, voiding(own))
        keys = lookup(EVENT, ["verb"], {"key": [source.key(own), source.key(void)]})
        assert (await source.look_up(keys, WITHIN)).records == ()
        week = by_id(await source.look_up(QUESTIONS[0], WITHIN))
        assert not {own, void} & set(week)
        assert len(week) == len(EVENTS) - 1


async def test_a_harvest_goes_on_where_it_stopped_and_tells_what_was_voided() -> None:
    async with store(page_size=40) as (source, up, http):
        first = [batch async for batch in source.harvest(EVENT, "", WITHIN)]
        assert len(first) == -(-len(EVENTS) // 40)
        stored = [record.values["stored_at"] for batch in first for record in batch.records]
        assert stored == sorted(stored)
        (new, _void) = await put(http, up, said(), voiding(EVENTS[0].id))
        later = [batch async for batch in source.harvest(EVENT, first[-1].checkpoint, WITHIN)]
    told = [record.local_id for batch in later for record in batch.records]
    assert new in told
    assert len(told) < 5
    assert [key for batch in later for key in batch.deleted] == [source.key(EVENTS[0].id)]


async def test_a_checkpoint_that_is_no_moment_is_our_own_fault() -> None:
    async with store() as (source, _, _http):
        with pytest.raises(Unanswerable):
            await anext(aiter(source.harvest(EVENT, "yesterday", WITHIN)))


async def test_a_checkpoint_waits_for_what_the_store_does_not_vouch_for_yet() -> None:
    through = "2026-11-20T01:00:00+00:00"

    async def endpoint(_: Request) -> Response:
        statement = said(id=EVENTS[0].id, stored="2026-11-20T02:00:00Z")
        headers = {"X-Experience-API-Consistent-Through": through}
        return JSONResponse({"statements": [statement], "more": ""}, headers=headers)

    async with store(Starlette(routes=[Route("/xapi/statements", endpoint)])) as (source, _, _http):
        (batch,) = [batch async for batch in source.harvest(EVENT, "", WITHIN)]
    assert datetime.fromisoformat(batch.checkpoint) == datetime.fromisoformat(through)


# Traps


async def test_many_pages_are_followed_to_the_end_and_a_bound_says_so() -> None:
    async with store(page_size=17) as (source, up, _http):
        assert len((await source.look_up(QUESTIONS[0], WITHIN)).records) == len(EVENTS)
        assert up.frame.calls.total() == -(-len(EVENTS) // 17)
    async with store(page_size=17, most=40) as (source, _, _http):
        answer = await source.look_up(QUESTIONS[0], WITHIN)
        assert (len(answer.records), answer.more) == (40, True)


@pytest.mark.parametrize(
    "more", ["https://foreign.example.invalid/xapi/more", "//127.0.0.1:1/more", "http://user@127.0.0.1/more"]
)
async def test_a_more_link_to_another_host_is_refused(more: str) -> None:
    asked: list[str] = []

    async def endpoint(request: Request) -> Response:
        asked.append(str(request.url))
        return JSONResponse({"statements": [], "more": more})

    async with store(Starlette(routes=[Route("/{rest:path}", endpoint)])) as (source, _, _http):
        with pytest.raises(Forbidden):
            await source.look_up(QUESTIONS[0], WITHIN)
        with pytest.raises(Forbidden):
            await anext(aiter(source.harvest(EVENT, "", WITHIN)))
    assert len(asked) == 2


async def test_more_links_that_go_in_a_circle_end() -> None:
    async def endpoint(_: Request) -> Response:
        return JSONResponse({"statements": [said(id=EVENTS[0].id)], "more": "/xapi/statements?page=2"})

    async with store(Starlette(routes=[Route("/xapi/statements", endpoint)])) as (source, _, _http):
        with pytest.raises(Malformed):
            await source.look_up(QUESTIONS[0], WITHIN)


async def test_a_harvest_in_a_circle_ends_too() -> None:
    async def endpoint(_: Request) -> Response:
        return JSONResponse({"statements": [], "more": "/xapi/statements?page=2"})

    async with store(Starlette(routes=[Route("/xapi/statements", endpoint)])) as (source, up, _http):
        with pytest.raises(Malformed):
            [batch async for batch in source.harvest(EVENT, "", WITHIN)]
        assert up.frame.calls.total() == 2


async def test_a_store_that_does_not_know_us_refuses_and_no_secret_prints() -> None:
    async with store(login_secret="not-the-secret") as (source, _, _http):
        with pytest.raises(Refused) as caught:
            await source.look_up(QUESTIONS[0], WITHIN)
        assert "not-the-secret" not in caught.value.detail + repr(source.settings)


async def test_the_twin_insists_on_a_version_as_real_stores_do() -> None:
    async with store() as (_, up, http):
        with pytest.raises(Refused, match="400"):
            await http.get(
                f"{up.url}/xapi/statements",
                headers={"Authorization": HEADERS["Authorization"]},
                within=WITHIN,
            )


async def test_without_a_map_of_accounts_nobody_is_named_and_nobody_can_be_asked_for() -> None:
    async with store(actors={}, classes="", class_iri="") as (source, _, _http):
        offer = source.capabilities.offers[EVENT]
        assert not {"person_key", "class_key"} & (offer.fields | offer.by)
        with pytest.raises(Unanswerable):
            await source.look_up(QUESTIONS[1], WITHIN)


def test_settings_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(ValueError, match="class_iri"):
        options("https://x.example.invalid", class_iri="")
    with pytest.raises(ValueError, match="one way"):
        options("https://x.example.invalid", bearer_secret="x")
