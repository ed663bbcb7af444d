"""A day in progress: what is still to come is not told yet, and nothing of it changes when it comes."""

from __future__ import annotations

import base64
from datetime import UTC, date, datetime, timedelta
from typing import Any

from connectors.http import Http
from connectors.sandbox.country import Country
from connectors.sandbox.frame import Served, served
from connectors.sandbox.xapi import LOGIN, LOGIN_SECRET, app

TODAY = date(2026, 11, 20)
HEADERS = {
    "X-Experience-API-Version": "1.0.3",
    "Authorization": "Basic " + base64.b64encode(f"{LOGIN}:{LOGIN_SECRET}".encode()).decode(),
}


class Clock:
    """A clock that stands until it is turned."""

    def __init__(self, start: str) -> None:
        self.moment = datetime.fromisoformat(start)

    def __call__(self) -> datetime:
        return self.moment


async def read(http: Http, up: Served, **asked: str) -> list[dict[str, Any]]:
    reply = await http.get(f"{up.url}/xapi/statements", params=asked, headers=HEADERS, within=10.0)
    found: list[dict[str, Any]] = reply.json()["statements"]
    return found


async def test_at_ten_in_the_morning_the_afternoon_has_not_happened() -> None:
    country, clock = Country(today=TODAY), Clock("2026-11-20T10:00:00+08:00")
    school = country.schools[0]
    day = list(country.statements(school, TODAY))
    twin = app(country, school.code, days=1, most=10_000, now=clock)
    async with served(twin) as up, Http(["127.0.0.0/8"]) as http:
        morning = await read(http, up)
        clock.moment += timedelta(hours=14)
        evening = await read(http, up)
    assert 0 < len(morning) < len(evening)
    assert max(one["timestamp"] for one in morning) < "2026-11-20T10:00"
    assert {one["id"] for one in evening} == {event.id for event in day}
    assert evening[-len(morning) :] == morning
    stored = [one["stored"] for one in evening]
    assert stored == sorted(stored, reverse=True)


async def test_a_statement_to_come_is_not_found_by_its_id_either() -> None:
    country, clock = Country(today=TODAY), Clock("2026-11-20T00:00:00+08:00")
    school = country.schools[0]
    event = country.statements(school, TODAY)[0]
    async with served(app(country, school.code, days=1, now=clock)) as up, Http(["127.0.0.0/8"]) as http:
        assert await read(http, up) == []
        assert await read(http, up, verb="https://w3id.org/xapi/adl/verbs/logged-in") == []
        clock.moment += timedelta(days=1)
        url = f"{up.url}/xapi/statements"
        reply = await http.get(url, params={"statementId": event.id}, headers=HEADERS, within=10.0)
    assert reply.json()["id"] == event.id


def test_a_country_without_a_chosen_day_goes_with_the_clock() -> None:
    before = datetime.now(UTC)
    moment = Country().now()
    assert before <= moment <= datetime.now(UTC)
    assert moment.utcoffset() == timedelta(hours=8)


def test_a_chosen_day_is_over() -> None:
    assert Country(today=TODAY).now().isoformat() == "2026-11-21T00:00:00+08:00"
