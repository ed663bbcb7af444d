"""What the hub holds of somebody: handed to them whole, and taken out of it when they say so."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.applications import Starlette

from auth.broker import claims
from auth.broker.persons import COLLECTION as PERSONS
from auth.errors import StoreDown
from auth.pages import Pages
from auth.provider import consents, families
from auth.sessions import COLLECTION as SESSIONS
from hub.cli.listen import address, bound, serving
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from hub.people.access_log import AccessLog
from hub.people.consents import Consents
from hub.people.erasure import Erasure, NobodyErased
from hub.people.export import Export
from hub.people.holdings import SORTS
from hub.people.index import COLLECTION as INDEX
from hub.people.journal import Journal
from hub.people.pages import PersonalData
from hub.people.shipping import Shipping
from hub.people.sign_ons import SignOns
from hub.people.strands import entries
from hub.people.verifying import verified
from hub.settings import Server
from schema.graph.context import Read
from schema.model.privacy import Duty
from schema.model.viewer import Viewer
from schema.model.words import Kind
from tests.connectors.sandbox.browser import Browser, Seen
from tests.fakes.middle import Middle, middle, token_on

KEY = b"k" * 32


@dataclass
class World:
    hub: Middle
    url: str
    log: AccessLog
    kept: Consents
    export: Export
    erasure: Erasure
    mongo: Mongo

    async def ship(self) -> None:
        await Shipping(self.log.journal, self.mongo).ship()

    async def lived(self, browser: Browser, persona: str = "teacher") -> str:
        """Somebody signs in, uses an application, agrees, is looked at: their number."""
        await self.hub.enter(browser, persona)
        await self.hub.use(browser, "gradebook")
        person = (await self.hub.who(browser))["person"]
        await self.hub.consents.grant(person, self.hub.applications["gradebook"], ["openid", "profile"])
        (account,) = await self.hub.accounts.of_person(person)
        number = account.identifiers["match"]
        row = {"_id": f"roster:{persona}", "source": "roster", "match": number, "named": "n", "alike": ""}
        await self.mongo.collection(INDEX).insert_one(row)
        keys = [f"roster:{persona}", number]
        await self.kept.give(Viewer(persona, person=person), keys, "app", Duty.TEACHING, "v1")
        officer = Viewer("officer", person="the-officer-s-number", client="archive")
        other = Read(("roster:another", "m-another"), Kind.PERSON, ("phone",))
        await self.log.wrote(officer, [Read(tuple(keys), Kind.PERSON, ("birth_date",)), other], "r")
        await self.log.note("account.linked", person=person, account=account.id)
        await self.log.wrote(Viewer(persona, person=person), [other], "r")
        await self.ship()
        return person

    async def left(self, person: str) -> dict[str, int]:
        """What there is of somebody besides the journal's copy, by the numbers and keys they had."""
        of = {"person": {"$eq": person}}
        store = self.hub.store
        own = (claims.ACCOUNTS, SESSIONS, families.COLLECTION, consents.COLLECTION)
        places: dict[str, Any] = dict.fromkeys(own, of)
        places |= {claims.CLAIMS: {}, "people_consents": {}, INDEX: {}}
        return {name: await store.collection(name).count(where) for name, where in places.items()}


@asynccontextmanager
async def world_on(mongo: Mongo, folder: Path) -> AsyncIterator[World]:
    async with middle(MongoStore(mongo), folder) as hub:
        log = AccessLog(Journal(folder / "journal", KEY), mongo)
        sign_ons = SignOns(hub.sessions, hub.endings, hub.families)
        export = Export(hub.store, hub.accounts, hub.clock)
        erasure = Erasure(hub.store, hub.accounts, sign_ons, log, hub.clock)
        pages = Pages(hub.cookies, hub.ring.derived("forms"))
        data = PersonalData(pages, hub.sessions, export, erasure, hub.linking.recent)
        listening = bound(Server(port=0))
        url = address(Server(), listening.getsockname()[1])
        async with serving(Starlette(routes=data.routes()), Server(), listening):
            yield World(hub, url, log, Consents(mongo), export, erasure, mongo)
        await log.journal.aclose()


@pytest.fixture
async def world(mongo: Mongo, tmp_path: Path) -> AsyncIterator[World]:
    async with world_on(mongo, tmp_path) as found:
        yield found


@pytest.fixture
async def teacher() -> AsyncIterator[Browser]:
    async with Browser() as found:
        yield found


@pytest.fixture
async def pupil() -> AsyncIterator[Browser]:
    async with Browser() as found:
        yield found


async def page(world: World, browser: Browser) -> Seen:
    return await browser.open(f"{world.url}/account/data")


async def test_the_export_holds_every_sort_of_thing_and_nothing_that_opens_anything(
    world: World, teacher: Browser
) -> None:
    person = await world.lived(teacher)
    told = orjson.loads(orjson.dumps(await world.export.of(person)))
    for name in ("accounts", "sessions", "grants", "consents_to_applications", "consents_to_third_parties",
                 "records_known_by_number", "read_of_you", "what_happened", "read_by_you"):  # fmt: skip
        assert len(told[name]) == 1, name
    assert told["person"] == person
    assert told["more"] == []
    assert "roster:teacher" in told["record_keys"]
    assert told["sessions"][0]["clients"][0]["client_id"] == "gradebook"
    assert told["read_of_you"][0]["reads"][0]["fields"] == ["birth_date"]
    text = str(told)
    raw = await world.hub.store.collection(SESSIONS).find({}, limit=9)
    family = await world.hub.store.collection(families.COLLECTION).find({}, limit=9)
    for secret in (raw[0]["cookie_kept"], raw[0]["upstreams"][0]["hint"], raw[0]["browser"],
                   family[0]["root"], family[0]["current"][0]):  # fmt: skip
        assert secret
        assert secret not in text


async def test_the_export_names_nobody_else(world: World, teacher: Browser, pupil: Browser) -> None:
    person = await world.lived(teacher)
    another = await world.lived(pupil, "pupil")
    text = str(await world.export.of(person))
    for theirs in ("the-officer-s-number", "roster:another", "m-another", another, "roster:pupil"):
        assert theirs not in text, theirs


async def test_erased_is_what_the_hub_holds_and_of_nobody_else(
    world: World, teacher: Browser, pupil: Browser
) -> None:
    person = await world.lived(teacher)
    another = await world.lived(pupil, "pupil")
    before = await world.left(another)
    gone = await world.erasure.erase(person, by="operator")
    assert gone.gone["sign_ons"] == 1
    assert all(gone.gone[sort.name] == 1 for sort in SORTS if sort.name in ("accounts", "sessions", "grants"))
    left, theirs = await world.left(person), await world.left(another)
    assert {name: count for name, count in left.items() if count} == {
        claims.CLAIMS: 1, "people_consents": 1, INDEX: 1
    }  # fmt: skip
    assert {**before, claims.CLAIMS: 1, "people_consents": 1, INDEX: 1} == theirs
    assert await world.hub.session(teacher) is None
    assert await world.hub.session(pupil) is not None
    tomb = await world.hub.store.collection(PERSONS).find_one({"_id": person})
    assert tomb is not None
    assert tomb.keys() == {"_id", "created", "merged_into", "erased", "noted"}


async def test_its_applications_are_told_and_its_tokens_are_void(world: World, teacher: Browser) -> None:
    await world.hub.enter(teacher)
    _, refresh = await world.hub.use(teacher, "gradebook")
    person = (await world.hub.who(teacher))["person"]
    await world.erasure.erase(person, by="operator")
    outbox = await world.hub.store.collection("auth_notices").find({}, limit=9)
    assert [one["client_id"] for one in outbox] == ["gradebook"]
    with pytest.raises(families.Unknown):
        await world.hub.families.redeem(refresh, "gradebook")


async def test_the_journal_stays_holds_tells_of_the_erasure_once_and_names_nobody(
    world: World, teacher: Browser
) -> None:
    person = await world.lived(teacher)
    (account,) = await world.hub.accounts.of_person(person)
    for _ in range(3):
        await world.erasure.erase(person, by="operator")
    found = [entry.values for entry in entries(world.log.journal.file)]
    assert [one["event"] for one in found] == ["read", "account.linked", "read", "person.erased"]
    assert (found[-1]["person"], found[-1]["facts"]["erased_by"]) == (person, "operator")
    content = world.log.journal.file.read_text()
    assert account.display_name
    assert account.display_name not in content
    assert account.sub not in content
    assert verified(world.log.journal.folder, KEY).faults == ()
    await world.ship()
    assert await world.mongo.collection("audit").count({"person": person}) == 2


async def test_whoever_signs_in_afterwards_is_a_new_person(world: World, teacher: Browser) -> None:
    person = await world.lived(teacher)
    assert not (await world.erasure.erase(person, by="operator")).before
    assert (await world.erasure.erase(person, by="operator")).before
    await world.hub.enter(teacher)
    fresh = (await world.hub.who(teacher))["person"]
    assert fresh != person
    assert (await world.export.of(fresh))["what_happened"] == []


async def test_an_erasure_that_broke_off_is_completed_by_asking_again(
    world: World, teacher: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await world.lived(teacher)

    class Torn(MongoStore):
        """Loses its server when the consents are to go."""

        def collection(self, name: str) -> Any:
            if name == consents.COLLECTION:
                raise StoreDown
            return super().collection(name)

    monkeypatch.setattr(world.erasure, "_store", Torn(world.mongo))
    with pytest.raises(StoreDown):
        await world.erasure.erase(person, by="self")
    assert (await world.left(person))[claims.ACCOUNTS] == 1
    assert await world.hub.session(teacher) is None
    monkeypatch.undo()
    await world.erasure.erase(person, by="self")
    assert not any((await world.left(person)).values())


async def test_merged_numbers_go_together(world: World, teacher: Browser, pupil: Browser) -> None:
    one, other = await world.lived(teacher), await world.lived(pupil, "pupil")
    kept = await world.hub.accounts.merge(one, other)
    told = await world.export.of(other)
    assert (told["person"], len(told["accounts"])) == (kept, 2)
    await world.erasure.erase(other, by="operator")
    assert not any((await world.left(one)).values())
    assert not any((await world.left(other)).values())


async def test_a_number_that_nobody_has_is_refused(world: World) -> None:
    with pytest.raises(NobodyErased):
        await world.erasure.erase("nobody", by="operator")


# -- the page ----------------------------------------------------------------------------------------------


async def test_a_person_reads_downloads_and_erases_on_their_own_page(world: World, teacher: Browser) -> None:
    person = await world.lived(teacher)
    seen = await page(world, teacher)
    assert seen.status == 200
    assert "全部下载" in seen.text
    csrf = token_on(seen)
    file = await teacher.send(f"{world.url}/account/data/export", csrf=csrf)
    assert orjson.loads(file.text)["person"] == person
    refused = await teacher.send(f"{world.url}/account/data/erase", csrf=csrf)
    assert "NOT_SURE" in refused.text
    done = await teacher.send(f"{world.url}/account/data/erase", csrf=csrf, sure="yes")
    assert (done.status, "已删除" in done.text) == (200, True)
    assert not any((await world.left(person)).values())
    assert (await page(world, teacher)).location == "/sign-in"
    (*_, last) = entries(world.log.journal.file)
    assert last.values["facts"]["erased_by"] == "self"


@pytest.mark.parametrize("what", ["export", "erase"])
async def test_nothing_happens_without_the_form_of_this_very_session(
    world: World, teacher: Browser, pupil: Browser, what: str
) -> None:
    person = await world.lived(teacher)
    await world.lived(pupil, "pupil")
    theirs = token_on(await page(world, pupil))
    for csrf in ("", "0" * 64, theirs):
        fields = {"csrf": csrf, "sure": "yes"} if csrf else {"sure": "yes"}
        seen = await teacher.send(f"{world.url}/account/data/{what}", None, **fields)
        assert (seen.status, "FORM_EXPIRED" in seen.text) == (403, True)
    assert (await world.left(person))[claims.ACCOUNTS] == 1


async def test_erasing_wants_a_sign_in_of_the_last_five_minutes(world: World, teacher: Browser) -> None:
    person = await world.lived(teacher)
    csrf = token_on(await page(world, teacher))
    world.hub.clock.ahead = 301.0
    assert "/account/data/erase" not in (await page(world, teacher)).text
    seen = await teacher.send(f"{world.url}/account/data/erase", csrf=csrf, sure="yes")
    assert (seen.status, seen.location) == (303, "/account/again")
    assert (await world.left(person))[claims.ACCOUNTS] == 1


async def test_who_is_not_signed_in_is_sent_to_sign_in(world: World, teacher: Browser) -> None:
    assert (await page(world, teacher)).location == "/sign-in"
    for what in ("export", "erase"):
        seen = await teacher.send(f"{world.url}/account/data/{what}", csrf="0" * 64, sure="yes")
        assert (seen.status, seen.location) == (303, "/sign-in")


async def test_the_page_speaks_both_languages_and_runs_nothing_inline(world: World, teacher: Browser) -> None:
    await world.lived(teacher)
    english = (await teacher.open(f"{world.url}/account/data?lang=en")).text
    assert "Erase all of it" in english
    assert not re.search(r"<script>|style=|onclick", english)
