"""A province's and a school's repository, over real sockets against their twin: contract, traps, harvest."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest
from lxml import etree
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.base import Identity, Tools
from connectors.errors import Malformed, Overloaded, Refused, Unanswerable, Unavailable
from connectors.http import Http
from connectors.oai_pmh import OaiPmh, OaiPmhOptions, terms
from connectors.oai_pmh.answer import Told, opened
from connectors.oai_pmh.harvest import Mark, mark_of, stamp, written
from connectors.oai_pmh.lom import lom
from connectors.sandbox import oai_pmh as twin
from connectors.sandbox import oai_records
from connectors.sandbox.country import Country, Resource
from connectors.sandbox.frame import Served, served
from connectors.seal import Seal
from schema.model.codes import Level
from schema.model.record import Batch, Page, lookup
from schema.model.words import Kind
from tests.contracts.connector import WITHIN, ConnectorContract, HandClock, Joined

COUNTRY = Country(today=date(2026, 10, 15))
ROWS = COUNTRY.resources("PROVINCIAL")
LIVE = [row for row in ROWS if not row.deleted]
SETS = {"chapter_keys": "chapter:{}", "textbook_key": "book:{}", "subject_code": "subject:{}"}
PROVINCE = Identity("sd-repository", Level.PROVINCIAL, "370000")
SCHOOL = COUNTRY.schools[0]
FIELDS = ("title", "subject_code", "grade_code", "stage", "chapter_keys", "textbook_key", "content_hash")


@dataclass
class Setting:
    """A connector, its twin, and the twin's own state."""

    source: OaiPmh
    served: Served
    state: Any


@asynccontextmanager
async def joined_to(site: Starlette, identity: Identity = PROVINCE, **options: Any) -> AsyncIterator[Setting]:
    async with served(site) as up, Http(allowed=["127.0.0.0/8"]) as http:
        settings = OaiPmhOptions(base_url=f"{up.url}/oai", **{"sets": SETS, **options})
        source = OaiPmh(identity, settings, Tools(http, Seal(b"k" * 32), now=HandClock()))
        try:
            yield Setting(source, up, site.state)
        finally:
            await source.aclose()


@pytest.fixture
async def province() -> AsyncIterator[Setting]:
    async with joined_to(twin.app(COUNTRY)) as here:
        yield here


def key(row: Resource) -> str:
    return f"sd-repository:oai:sd.example:{row.id}"


def contract(here: Setting, questions: list[Any]) -> Joined:
    frame = here.served.frame

    async def break_with(mode: str) -> None:
        frame.mode = mode

    modes = frozenset({"hang", "error", "garbage", "html", "drip", "busy"})
    return Joined(here.source, questions, break_with, modes, lambda: frame.calls.total())


class TestProvince(ConnectorContract):
    @pytest.fixture
    async def joined(self) -> AsyncIterator[Joined]:
        async with joined_to(twin.app(COUNTRY)) as here:
            yield contract(here, [
                lookup(Kind.RESOURCE, ["title", "files"], {"chapter_keys": [LIVE[0].chapter_id]}),
                lookup(Kind.RESOURCE, ["title"], {"key": [key(row) for row in LIVE[:30]]}),
                lookup(Kind.RESOURCE, ["title"], {"subject_code": ["MATH"]}, page=Page(10, 30)),
            ])  # fmt: skip


class TestSchool(ConnectorContract):
    @pytest.fixture
    async def joined(self) -> AsyncIterator[Joined]:
        identity = Identity("s-repository", Level.SCHOOL, SCHOOL.unit_code, SCHOOL.code)
        site = twin.app(COUNTRY, level="SCHOOL", owner=SCHOOL.code, prefixes=["oai_dc"], domain="s1.example")
        async with joined_to(site, identity, prefixes=("oai_dc",)) as here:
            row = COUNTRY.resources("SCHOOL", SCHOOL.code)[0]
            yield contract(here, [
                lookup(Kind.RESOURCE, ["title"], {"chapter_keys": [row.chapter_id]}),
                lookup(Kind.RESOURCE, ["title"], {"key": [f"s-repository:oai:s1.example:{row.id}"]}),
            ])  # fmt: skip


@pytest.mark.parametrize("prefix", ["lom", "oai_dc"])
async def test_every_record_means_the_same_in_either_format_and_either_habit(prefix: str) -> None:
    rows = [row for row in LIVE[:120] if row.grade_code] + [row for row in LIVE if not row.grade_code][:5]
    assert any(map(oai_records.celts, rows))
    async with joined_to(twin.app(COUNTRY), prefixes=(prefix,)) as here:
        offered = here.source.capabilities.offers[Kind.RESOURCE].fields
        question = lookup(Kind.RESOURCE, offered, {"key": [key(row) for row in rows[:100]]})
        records = {record.key: record for record in (await here.source.look_up(question, WITHIN)).records}
    for row in rows[:100]:
        values = records[key(row)].values
        assert values["title"] == row.title
        assert values["summary"] == row.summary
        assert (values["stage"], values["subject_code"]) == (row.stage, row.subject_code)
        assert values.get("grade_code", "") == row.grade_code
        assert (values["textbook_key"], values["chapter_keys"]) == (row.textbook_id, [row.chapter_id])
        assert values["content_hash"] == row.md5
        assert values["providers"] == [row.provider]
        assert values["contributor_name"] == row.contributor
        assert values["licence"] == row.licence
        assert values["published_on"] == row.published_on
        assert values["landing_url"] == oai_records.landing(row)
        assert values["level"] == "PROVINCIAL"
        if prefix == "lom":
            assert (values["version_name"], values["volume"]) == (row.version_name, row.volume)
            assert values["knowledge_points"] == list(row.knowledge_points)
            assert values["files"][0]["size"] == row.size


async def test_no_telephone_number_and_no_mail_address_of_a_contributor_travels(province: Setting) -> None:
    batch = await anext(province.source.harvest(Kind.RESOURCE, "", WITHIN))
    told = orjson.dumps([record.values for record in batch.records]).decode()
    assert "@" not in told
    assert "0000-" not in re.sub(r'"(?:landing_url|content_hash|chapter_keys|textbook_key)":[^,]+,', "", told)
    assert "样例路" not in told


async def test_resources_of_a_chapter_come_from_its_set_and_are_all_of_them(province: Setting) -> None:
    chapter = LIVE[0].chapter_id
    question = lookup(Kind.RESOURCE, ["title"], {"chapter_keys": [chapter]})
    answer = await province.source.look_up(question, WITHIN)
    assert {record.key for record in answer.records} == {key(r) for r in LIVE if r.chapter_id == chapter}
    assert province.served.frame.calls.total() == 2  # the formats, the list
    await province.source.look_up(question, WITHIN)
    assert province.served.frame.calls.total() == 3


async def test_several_filters_at_once_all_hold(province: Setting) -> None:
    where = {"textbook_key": [LIVE[0].textbook_id], "chapter_keys": [r.chapter_id for r in LIVE[:9]],
             "subject_code": ["MATH"]}  # fmt: skip
    answer = await province.source.look_up(lookup(Kind.RESOURCE, FIELDS, where), WITHIN)
    expected = {key(row) for row in LIVE if row.textbook_id == LIVE[0].textbook_id
                and row.chapter_id in where["chapter_keys"]}  # fmt: skip
    assert {record.key for record in answer.records} == expected


async def test_a_value_that_cannot_stand_in_a_set_is_never_sent(province: Setting) -> None:
    for strange in ("a b", "x:y", "{}", "%s", "章", "a&verb=Identify", ""):
        question = lookup(Kind.RESOURCE, ["title"], {"chapter_keys": [strange]})
        assert (await province.source.look_up(question, WITHIN)).records == ()
    assert not any("chapter" in path for path in province.served.frame.calls)
    assert province.served.frame.calls.total() == 0


async def test_an_unknown_chapter_is_an_empty_answer_and_a_deleted_record_is_none(province: Setting) -> None:
    unknown = lookup(Kind.RESOURCE, ["title"], {"chapter_keys": ["no-such-chapter"]})
    assert (await province.source.look_up(unknown, WITHIN)).records == ()
    dead = next(row for row in ROWS if row.deleted)
    gone = lookup(Kind.RESOURCE, ["title"], {"key": [key(dead)]})
    assert (await province.source.look_up(gone, WITHIN)).records == ()


async def test_a_repository_without_sets_is_asked_by_key_only() -> None:
    async with joined_to(twin.app(COUNTRY), sets={}) as here:
        with pytest.raises(Unanswerable):
            await here.source.look_up(lookup(Kind.RESOURCE, ["title"], {"chapter_keys": ["x"]}), WITHIN)
        with pytest.raises(Unanswerable):
            await here.source.look_up(lookup(Kind.RESOURCE, ["title"]), WITHIN)


async def test_a_repository_that_speaks_neither_format_needs_a_human() -> None:
    async with joined_to(twin.app(COUNTRY, prefixes=["oai_dc"]), prefixes=("marcxml",)) as here:
        with pytest.raises(Refused):
            await here.source.look_up(lookup(Kind.RESOURCE, ["title"], {"key": [key(LIVE[0])]}), WITHIN)


async def test_a_repository_that_asks_for_patience_says_for_how_long(province: Setting) -> None:
    province.served.frame.mode = "busy"
    with pytest.raises(Overloaded) as caught:
        await anext(province.source.harvest(Kind.RESOURCE, "", WITHIN))
    assert caught.value.retry_after == 2.0


# Harvest


def _told(batches: list[Batch]) -> dict[str, Any]:
    return {record.key: record.values for batch in batches for record in batch.records}


def _deleted(batches: list[Batch]) -> set[str]:
    return {gone for batch in batches for gone in batch.deleted}


async def _whole(source: OaiPmh, checkpoint: str = "") -> list[Batch]:
    return [batch async for batch in source.harvest(Kind.RESOURCE, checkpoint, WITHIN)]


async def _until(source: OaiPmh, count: int) -> list[Batch]:
    """What is read until the reader dies after `count` batches."""
    got: list[Batch] = []

    async def dying() -> None:
        async for batch in source.harvest(Kind.RESOURCE, "", WITHIN):
            got.append(batch)
            if len(got) == count:
                raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        await dying()
    return got


async def test_five_thousand_resources_read_by_two_lives_are_the_whole(province: Setting) -> None:
    first = await _until(province.source, 12)
    rest = await _whole(province.source, first[-1].checkpoint)
    assert {batch.total for batch in (*first, *rest)} == {len(ROWS)} == {5000}
    both = [record.key for batch in (*first, *rest) for record in batch.records]
    assert len(both) == len(set(both)) == len(LIVE)
    assert set(both) == {key(row) for row in LIVE}
    assert _deleted([*first, *rest]) == {key(row) for row in ROWS if row.deleted}
    assert len(first) + len(rest) == 25


async def test_what_is_read_in_two_lives_is_told_as_in_one() -> None:
    country = Country(today=date(2026, 10, 15), resources=900)
    async with joined_to(twin.app(country)) as here:
        whole = await _whole(here.source)
        first = await _until(here.source, 2)
        assert _told([*first, *await _whole(here.source, first[-1].checkpoint)]) == _told(whole)


async def test_a_finished_harvest_costs_little_and_brings_only_what_changed(province: Setting) -> None:
    whole = await _whole(province.source)
    province.served.frame.calls.clear()
    assert await _whole(province.source, whole[-1].checkpoint) == []
    assert province.served.frame.calls.total() == 2  # Identify for the granularity, one empty list
    since = ROWS[4700].updated_at
    moment = datetime.fromisoformat(since).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    news = await _whole(province.source, written(Mark(since=moment)))
    assert set(_told(news)) | _deleted(news) == {key(row) for row in ROWS[4700:]}


async def test_a_repository_that_counts_in_days_is_asked_in_days() -> None:
    country = Country(today=date(2026, 10, 15), resources=900)
    rows = country.resources("PROVINCIAL")
    async with joined_to(twin.app(country, granularity="YYYY-MM-DD")) as here:
        news = await _whole(here.source, written(Mark(since="2025-06-01T09:00:00Z")))
    expected = {key(row) for row in rows if row.updated_at >= "2025-06-01T08:00:00+08:00"}
    assert set(_told(news)) | _deleted(news) == expected
    assert 0 < len(expected) < 900


async def test_a_stale_token_starts_again_where_the_date_stamps_had_come_to(province: Setting) -> None:
    first = await _until(province.source, 12)
    province.state.generation += 1
    province.served.frame.calls.clear()
    rest = await _whole(province.source, first[-1].checkpoint)
    assert set(_told([*first, *rest])) == {key(row) for row in LIVE}
    assert _deleted([*first, *rest]) == {key(row) for row in ROWS if row.deleted}
    again = set(_told(first)) & set(_told(rest))
    assert len(again) <= 1  # the last date-stamp is asked for again, not the twelve pages


async def test_tokens_that_go_stale_all_the_time_end_in_an_error_and_not_in_a_circle() -> None:
    said = []

    async def forgetful(request: Request) -> Response:
        said.append(request.query_params["verb"])
        if "resumptionToken" in request.query_params:
            return _oai('<error code="badResumptionToken">stale</error>')
        if request.query_params["verb"] != "ListRecords":
            return _oai(FORMATS + "<Identify/>")
        return _oai(f"<ListRecords>{RECORD}<resumptionToken>t{len(said)}</resumptionToken></ListRecords>")

    async with joined_to(Starlette(routes=[Route("/oai", forgetful)])) as here:
        with pytest.raises(Unavailable):
            await _whole(here.source)
    assert len(said) < 40


async def test_a_token_that_leads_to_itself_is_malformed() -> None:
    async def circling(request: Request) -> Response:
        if request.query_params["verb"] == "ListMetadataFormats":
            return _oai(FORMATS)
        return _oai(f"<ListRecords>{RECORD}<resumptionToken>same</resumptionToken></ListRecords>")

    async with joined_to(Starlette(routes=[Route("/oai", circling)])) as here:
        with pytest.raises(Malformed):
            await _whole(here.source)


@pytest.mark.parametrize("strange", ["", "nonsense", "[]", '{"since":3}', "\ud800"])
def test_a_checkpoint_nobody_can_read_means_a_fresh_start(strange: str) -> None:
    assert mark_of(strange) == Mark()


def test_a_date_stamp_is_written_in_the_granularity_of_the_repository_or_not_at_all() -> None:
    assert stamp("2026-01-02T03:04:05Z", "YYYY-MM-DD") == "2026-01-02"
    assert stamp("2026-01-02", "YYYY-MM-DDThh:mm:ssZ") == "2026-01-02T00:00:00Z"
    assert stamp("2026-01-02T03:04:05Z", "") == ""
    assert stamp("yesterday", "YYYY-MM-DD") == ""


# What a repository may say


FORMATS = ("<ListMetadataFormats><metadataFormat><metadataPrefix>lom</metadataPrefix></metadataFormat>"
           "</ListMetadataFormats>")  # fmt: skip
RECORD = ("<record><header><identifier>oai:x:1</identifier><datestamp>2026-01-01</datestamp></header>"
          "<metadata><lom/></metadata></record>")  # fmt: skip


def _xml(body: str, before: str = "") -> bytes:
    return f'{before}<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">{body}</OAI-PMH>'.encode()


def _oai(body: str) -> Response:
    return Response(_xml(body), media_type="text/xml")


STEPS = "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 10))
BOMB = f"<!DOCTYPE b [<!ENTITY a0 'lol'>{STEPS}]>"
THIEF = '<!DOCTYPE b [<!ENTITY x SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-7"])
@pytest.mark.parametrize("before", [BOMB, THIEF, "<!DOCTYPE b SYSTEM 'http://127.0.0.1/x.dtd'>"])
def test_a_bomb_is_refused_unread_in_any_encoding(before: str, encoding: str) -> None:
    entity = "&a9;" if before == BOMB else "&x;"
    text = _xml(f"<Identify>{entity}</Identify>", before).decode()
    with pytest.raises(Malformed):
        opened(f'<?xml version="1.0" encoding="{encoding}"?>{text}'.encode(encoding))


@pytest.mark.parametrize("body", [b"<a", b"", b"<html/>", b"\xff\xfe", _xml("<Identify>\x01</Identify>")])
def test_what_is_no_oai_answer_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        opened(body)


def test_an_answer_deeper_than_any_record_is_malformed() -> None:
    with pytest.raises(Malformed):
        opened(_xml("<a>" * 5000 + "</a>" * 5000))


async def test_an_answer_past_all_bounds_is_refused() -> None:
    async def endless(request: Request) -> Response:
        return _oai(FORMATS + "<x/>" * 100_000)

    async with joined_to(Starlette(routes=[Route("/oai", endless)]), max_bytes=50_000) as here:
        with pytest.raises(Malformed):
            await here.source.probe(WITHIN)


@pytest.mark.parametrize("code", ["badVerb", "badArgument", "cannotDisseminateFormat", "noSetHierarchy"])
def test_an_error_told_with_status_200_is_an_error(code: str) -> None:
    with pytest.raises(Told) as caught:
        opened(_xml(f'<error code="{code}">样例机密 0000-1</error>'))
    assert isinstance(caught.value, Refused)
    assert caught.value.reason == code
    assert "样例机密" not in caught.value.detail


def test_an_error_of_no_known_code_is_malformed() -> None:
    with pytest.raises(Malformed):
        opened(_xml('<error code="whatever"/>'))


async def test_a_set_that_is_refused_as_argument_needs_a_human() -> None:
    async def setless(request: Request) -> Response:
        listing = request.query_params["verb"] == "ListMetadataFormats"
        return _oai(FORMATS if listing else '<error code="noSetHierarchy"/>')

    async with joined_to(Starlette(routes=[Route("/oai", setless)])) as here:
        with pytest.raises(Refused):
            await here.source.look_up(lookup(Kind.RESOURCE, ["title"], {"chapter_keys": ["x"]}), WITHIN)


# Words


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("BEGIN:VCARD\r\nFN:样例教师甲\r\nTEL:0000-1234567\r\nEMAIL:a@b.cn\r\nEND:VCARD", "样例教师甲"),
        ("BEGIN:VCARD\nN:样例;教师乙;;;\nTEL;TYPE=CELL:00001234567\nEND:VCARD", "样例教师乙"),
        ("BEGIN:VCARD\nitem1.FN;CHARSET=UTF-8:样例\n 教师丙\nEND:VCARD", "样例教师丙"),
        ("BEGIN:VCARD\nFN:样例教师丁 00001234567\nEND:VCARD", "样例教师丁"),
        ("样例教师戊（电话：0000-1234567，邮箱 a.b@c.cn）", "样例教师戊"),
        ("BEGIN:VCARD\nTEL:00001234567\nEND:VCARD", ""),
        ("begin:vcard\nfn:样例教师己\\, 甲\nend:vcard", "样例教师己, 甲"),
    ],
)
def test_of_a_card_only_the_name_is_read(told: str, expected: str) -> None:
    assert terms.name(told) == expected


@pytest.mark.parametrize(
    ("field", "word", "code"),
    [
        ("subject_code", "语文", "CHINESE"), ("subject_code", "14", "MATH"), ("subject_code", "MATH", "MATH"),
        ("subject_code", "生物", "BIOLOGY"), ("stage", "小学（五•四学制）", "PRIMARY"),
        ("stage", "初中教育", "JUNIOR"), ("stage", "Primary Education", "PRIMARY"),
        ("grade_code", "五年级", "G05"), ("grade_code", "初一", "G07"),
        ("subject_code", "炼金术", None), ("stage", "school", None), ("subject_code", "99-数", "MATH"),
    ],
)  # fmt: skip
def test_words_of_a_repository_become_codes(field: str, word: str, code: str | None) -> None:
    assert terms.code(field, word, {"subject_code": {"99-数": "MATH"}}) == code


def test_a_word_outside_of_the_code_tables_is_remarked_and_no_code() -> None:
    path = "<taxonPath><source><string>学科</string></source><taxon><id>x</id></taxon></taxonPath>"
    root = etree.fromstring(f"<lom><classification>{path}</classification></lom>")
    values = lom(root, OaiPmhOptions(base_url="http://sd.example/oai"))
    assert values["odd"] is True
    assert "subject_code" not in values


def test_settings_that_could_never_work_are_refused_when_read() -> None:
    for wrong in ({"chapter_keys": "chapter:"}, {"chapter_keys": "章:{}"}, {"title": "t:{}"}):
        with pytest.raises(ValueError, match="sets"):
            OaiPmhOptions(base_url="http://sd.example/oai", sets=wrong)
    with pytest.raises(ValueError, match="prefixes"):
        OaiPmhOptions(base_url="http://sd.example/oai", prefixes=())


# The twin keeps the protocol itself


async def _ask(here: Setting, **asked: str) -> str:
    reply = await here.source.tools.http.get(f"{here.served.url}/oai", params=asked, within=WITHIN)
    return reply.body.decode()


async def test_the_twin_answers_all_six_verbs_and_every_error(province: Setting) -> None:
    assert "<protocolVersion>2.0" in await _ask(province, verb="Identify")
    assert "<setSpec>subject:MATH" in await _ask(province, verb="ListSets")
    assert "<header>" in await _ask(province, verb="ListIdentifiers", metadataPrefix="lom")
    for code, asked in {
        "badVerb": {"verb": "Nothing"},
        "badArgument": {"verb": "ListRecords"},
        "badResumptionToken": {"verb": "ListRecords", "resumptionToken": "x"},
        "cannotDisseminateFormat": {"verb": "ListRecords", "metadataPrefix": "marc"},
        "idDoesNotExist": {"verb": "GetRecord", "metadataPrefix": "lom", "identifier": "oai:sd.example:0"},
        "noRecordsMatch": {"verb": "ListRecords", "metadataPrefix": "lom", "from": "2099-01-01"},
    }.items():
        assert f'code="{code}"' in await _ask(province, **asked), code


async def test_six_million_resources_are_listed_from_the_middle_without_being_made() -> None:
    country = Country(today=date(2026, 10, 15), resources=6_000_000)
    rows = country.resources("PROVINCIAL")
    async with joined_to(twin.app(country)) as here:
        moment = datetime.fromisoformat(rows[3_000_000].updated_at).astimezone(UTC)
        since = written(Mark(since=moment.strftime("%Y-%m-%dT%H:%M:%SZ")))
        batch = await anext(here.source.harvest(Kind.RESOURCE, since, WITHIN))
    assert batch.total == 6_000_000 - country.resources_since("PROVINCIAL", rows[3_000_000].updated_at)
    assert len(batch.records) + len(batch.deleted) == 200
