"""The roster of a county and of a school: over REST, as a bundle, and with the traps of the field."""

from __future__ import annotations

import zipfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from connectors.base import Identity, Tools
from connectors.credentials import ClientCredentials
from connectors.errors import Malformed, Refused, Unanswerable, Unavailable
from connectors.http import Http, Reply
from connectors.oneroster import OneRoster, OneRosterOptions
from connectors.oneroster.offers import ATTRIBUTES
from connectors.oneroster.roster import Ask, Remarks, batches
from connectors.oneroster.words import Around, Words
from connectors.sandbox.country import Country
from connectors.sandbox.frame import Served, served
from connectors.sandbox.oneroster import CLIENT_ID, CLIENT_SECRET, Terms, app, write_bundle
from connectors.seal import Seal
from schema.model.codes import Level
from schema.model.record import Answer, Lookup, Page, Record, lookup
from schema.model.words import Kind
from tests.contracts.connector import ConnectorContract, HandClock, Joined

COUNTY = "371502"
COUNTRY = Country(today=date(2026, 11, 20))
SCHOOLS = [school.code for school in COUNTRY.schools_of(COUNTY)]
SEAL = Seal(b"k" * 32)
WITHIN = 10.0
PUPIL = "u-0-9-0"


def questions(code: str) -> list[Lookup]:
    """One or more for each kind, about the personas' school."""

    def ask(kind: Kind, where: dict[str, Iterable[str]], *fields: str) -> Lookup:
        return lookup(kind, fields or sorted(ATTRIBUTES[kind])[:3], where)

    return [
        ask(Kind.PERSON, {"school_code": SCHOOLS[:1]}, "display_name", "roles", "person_key"),
        ask(Kind.CLASS_GROUP, {"school_code": SCHOOLS}, "name", "grade_code", "student_count"),
        ask(Kind.ENROLLMENT, {"class_key": [f"{code}:c-0-9"]}, "role", "person_key"),
        ask(Kind.SCHOOL, {}),
        ask(Kind.SCHOOL, {"key": SCHOOLS[:1]}),
        ask(Kind.ORGANIZATION, {}),
        ask(Kind.ENROLLMENT, {"person_key": [f"{code}:u-0-t9", f"{code}:{PUPIL}"]}),
        ask(Kind.GUARDIANSHIP, {"person_key": [f"{code}:{PUPIL}"]}, "guardian_name", "relation_code"),
        ask(Kind.PERSON, {"key": [f"{code}:{PUPIL}", f"{code}:{PUPIL}-g2", f"{code}:u-0-t9"]}, "gender"),
        ask(Kind.CLASS_GROUP, {"school_code": SCHOOLS[:1], "grade_code": ["G05"]}, "stage"),
    ]


def identity(code: str = "c371502-roster") -> Identity:
    return Identity(code, Level.COUNTY, COUNTY)


def options(url: str, **more: Any) -> OneRosterOptions:
    token = f"{url}/token"
    return OneRosterOptions(
        base_url=url, token_url=token, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, **more
    )


@asynccontextmanager
async def county(terms: Terms | None = None, **more: Any) -> AsyncIterator[tuple[OneRoster, Served]]:
    """A county's roster, joined over a socket."""
    async with served(app(COUNTRY, unit=COUNTY, terms=terms)) as twin, Http(["127.0.0.0/8"]) as http:
        roster = OneRoster(identity(), options(twin.url, **more), Tools(http, SEAL, now=HandClock()))
        yield roster, twin
        await roster.aclose()


def of(answer: Answer) -> dict[str, Record]:
    return {record.local_id: record for record in answer.records}


def people(*own: str, fields: Iterable[str] = ("display_name",)) -> Lookup:
    return lookup(Kind.PERSON, fields, {"key": [f"c371502-roster:{one}" for one in own]})


class TestCountyOverRest(ConnectorContract):
    @pytest.fixture
    async def joined(self) -> Any:
        async with served(app(COUNTRY, unit=COUNTY)) as twin, Http(["127.0.0.0/8"]) as http:

            async def break_with(mode: str) -> None:
                twin.frame.mode = "ok" if mode == "dead" else mode
                if mode == "dead":
                    await http.aclose()

            roster = OneRoster(identity(), options(twin.url), Tools(http, SEAL, now=HandClock()))
            yield Joined(
                roster, questions(roster.identity.code), break_with, calls=lambda: twin.frame.calls.total()
            )
            await roster.aclose()


class TestCountyAsBundle(ConnectorContract):
    @pytest.fixture
    async def joined(self, tmp_path: Path) -> Any:
        write_bundle(tmp_path / "roster.zip", COUNTRY, COUNTY)
        whole = (tmp_path / "roster.zip").read_bytes()

        async def break_with(mode: str) -> None:
            path = tmp_path / "roster.zip"
            path.unlink(missing_ok=True)
            if mode != "dead":
                path.write_bytes(whole if mode == "ok" else b"<html>" if mode == "html" else whole[:999])

        async with Http() as http:
            code = "c371502-bundle"
            roster = OneRoster(
                identity(code),
                OneRosterOptions(bundle="roster.zip"),
                Tools(http, SEAL, tmp_path, HandClock()),
            )
            yield Joined(roster, questions(code), break_with, frozenset({"garbage", "html", "dead"}))
            await roster.aclose()


# What it says


async def test_the_pupil_is_told_as_the_county_knows_her() -> None:
    pupil = COUNTRY.person(PUPIL)
    assert pupil is not None
    async with county() as (roster, _):
        found = of(await roster.look_up(people(PUPIL, fields=ATTRIBUTES[Kind.PERSON]), WITHIN))[PUPIL]
    told = found.values
    assert told["display_name"] == pupil.name
    assert (told["grade_code"], told["stage"], told["school_code"]) == ("G05", "PRIMARY", SCHOOLS[0])
    assert (told["gender"], told["birth_date"]) == (pupil.sex, pupil.birth_date)
    assert told["match_key"] == SEAL.match_key(pupil.resident_id)
    assert told["class_keys"] == ["c371502-roster:c-0-9"]
    assert told["guardian_keys"] == [f"c371502-roster:{PUPIL}-g{n}" for n in (1, 2)]
    assert "resident_id_masked" not in told
    assert found.updated_at == "2026-09-01T00:00:00+00:00"


async def test_rest_and_bundle_of_one_county_say_the_same(tmp_path: Path) -> None:
    write_bundle(tmp_path / "roster", COUNTRY, COUNTY)
    async with county() as (rest, _), Http() as http:
        bundle = OneRoster(identity(), OneRosterOptions(bundle="roster"), Tools(http, SEAL, tmp_path))
        for question in questions("c371502-roster"):
            full = lookup(question.kind, ATTRIBUTES[question.kind], dict(question.where))
            over_rest, from_files = [of(await one.look_up(full, WITHIN)) for one in (rest, bundle)]
            assert {own: record.values for own, record in over_rest.items()} == {
                own: record.values for own, record in from_files.items()
            }
        await bundle.aclose()


async def test_the_older_profile_says_the_same_of_people() -> None:
    wanted = people(PUPIL, "u-0-t9", f"{PUPIL}-g1", fields=ATTRIBUTES[Kind.PERSON])
    async with county() as (new, _), county(version="1.1") as (old, twin):
        expected, found = [of(await one.look_up(wanted, WITHIN)) for one in (new, old)]
        school = await old.look_up(lookup(Kind.PERSON, ["roles"], {"school_code": SCHOOLS[:1]}), WITHIN)
        assert all(path.startswith(("/ims/oneroster/v1p1/", "/token")) for path in twin.frame.calls)
    assert {own: record.values for own, record in expected.items()} == {
        own: record.values for own, record in found.items()
    }
    own = COUNTRY.schools[0]
    assert len(school.records) == own.student_count + own.staff_count


async def test_a_guardianship_is_found_from_either_end() -> None:
    fields = ATTRIBUTES[Kind.GUARDIANSHIP]
    async with county() as (roster, _):
        child, mother = roster.key(PUPIL), roster.key(f"{PUPIL}-g2")
        from_child = await roster.look_up(lookup(Kind.GUARDIANSHIP, fields, {"person_key": [child]}), WITHIN)
        from_her = await roster.look_up(lookup(Kind.GUARDIANSHIP, fields, {"guardian_key": [mother]}), WITHIN)
    assert len(from_child.records) == 2
    (told,) = from_her.records
    assert told.values in [record.values for record in from_child.records]
    assert (told.values["relation_code"], told.values["relation_name"]) == ("52", "母亲")
    assert told.values["is_legal_guardian"] is True


async def test_a_person_is_found_by_match_key_within_a_school() -> None:
    pupil = COUNTRY.person(PUPIL)
    assert pupil is not None
    where = {"match_key": [SEAL.match_key(pupil.resident_id)], "school_code": SCHOOLS[:1]}
    async with county() as (roster, _):
        found = await roster.look_up(lookup(Kind.PERSON, ["display_name"], where), WITHIN)
        assert [record.local_id for record in found.records] == [PUPIL]
        del where["school_code"]
        with pytest.raises(Unanswerable):
            await roster.look_up(lookup(Kind.PERSON, ["display_name"], where), WITHIN)


async def test_a_school_can_join_its_own_roster() -> None:
    async with served(app(COUNTRY, school=SCHOOLS[1])) as twin, Http(["127.0.0.0/8"]) as http:
        own = Identity("s-roster", Level.SCHOOL, COUNTY, SCHOOLS[1])
        roster = OneRoster(own, options(twin.url), Tools(http, SEAL))
        schools = await roster.look_up(lookup(Kind.SCHOOL, ["name"]), WITHIN)
        assert [record.key for record in schools.records] == [SCHOOLS[1]]
        await roster.aclose()


@pytest.mark.parametrize(
    ("stated", "kind", "expected", "remarks"),
    [
        ("AUDIO_VISUAL_CENTRE", "department", "CENTRE", 0),
        ("DEPARTMENT", "state", "BUREAU", 0),
        ("committee", "local", "COMMITTEE", 0),
        ("", "district", "BUREAU", 0),
        ("", "department", "OFFICE", 0),
        ("SOMETHING_ELSE", "district", "BUREAU", 1),
    ],
)
def test_what_a_body_is_is_told_in_the_words_of_the_hub(
    stated: str, kind: str, expected: str, remarks: int
) -> None:
    noted = Remarks()
    words = Words(lambda own: own, SEAL, Around({}, COUNTY), noted)
    told = words.organization({"sourcedId": "o", "type": kind, "metadata": {"cn.orgKind": stated}})
    assert told["org_kind"] == expected
    assert len(noted.told()) == remarks


# How it asks


async def test_classes_of_many_schools_are_one_request_and_one_for_what_references_mean() -> None:
    async with county() as (roster, twin):
        for _ in range(2):
            wanted = lookup(Kind.CLASS_GROUP, ["name", "school_code"], {"school_code": SCHOOLS})
            assert len((await roster.look_up(wanted, WITHIN)).records) == sum(
                school.class_count for school in COUNTRY.schools_of(COUNTY)
            )
        calls = {path.rsplit("/", 1)[1]: number for path, number in twin.frame.calls.items()}
    assert calls == {"token": 1, "orgs": 1, "classes": 2}


async def test_500_people_are_ten_requests_of_a_server_that_takes_fifty_terms() -> None:
    own = [pupil.id for group in COUNTRY.classes(COUNTRY.schools[0]) for pupil in COUNTRY.pupils(group)]
    own += [person.id for school in COUNTRY.schools_of(COUNTY) for person in COUNTRY.teachers(school)]
    own += [f"u-1-1-{seat}" for seat in range(15)] + [f"nobody-{n}" for n in range(500)]
    async with county(ors=50) as (roster, twin):
        found = await roster.look_up(people(*own[:500]), WITHIN)
        known = [one for one in own[:500] if COUNTRY.person(one)]
        assert sorted(of(found)) == sorted(known)
        calls = {path.rsplit("/", 1)[1]: number for path, number in twin.frame.calls.items()}
    assert calls == {"token": 1, "users": 10}


async def test_dates_of_birth_and_classes_are_fetched_only_when_wanted() -> None:
    async with county() as (roster, twin):
        await roster.look_up(people(PUPIL), WITHIN)
        assert not any(path.endswith(("demographics", "enrollments")) for path in twin.frame.calls)
        await roster.look_up(people(PUPIL, fields=["birth_date", "class_keys"]), WITHIN)
        calls = {path.rsplit("/", 1)[1]: number for path, number in twin.frame.calls.items()}
    assert (calls["demographics"], calls["enrollments"], calls.get("orgs", 0)) == (1, 1, 0)


async def test_schools_come_in_pages_with_their_total() -> None:
    async with county() as (roster, _):
        page = lookup(Kind.SCHOOL, ["name"], {"region_code": [COUNTY]}, page=Page(1, 2))
        answer = await roster.look_up(page, WITHIN)
    assert [record.key for record in answer.records] == SCHOOLS[1:3]
    assert (answer.total, answer.more) == (len(SCHOOLS), True)


# Traps


@pytest.mark.parametrize("totals", ["all", "page", "none"])
async def test_a_server_that_caps_pages_in_silence_shortens_no_list(totals: str) -> None:
    async with county(Terms(cap=37, totals=totals)) as (roster, _):
        where = {"school_code": SCHOOLS[:1]}
        answer = await roster.look_up(lookup(Kind.PERSON, ["display_name"], where), WITHIN)
    school = COUNTRY.schools[0]
    assert len(answer.records) == school.student_count + school.staff_count
    assert not answer.more
    assert answer.remarks == ()


async def test_a_total_that_does_not_fit_is_remarked() -> None:
    async with county(Terms(totals="wrong")) as (roster, _):
        where = {"school_code": SCHOOLS[:1]}
        answer = await roster.look_up(lookup(Kind.CLASS_GROUP, ["name"], where), WITHIN)
    assert len(answer.records) == COUNTRY.schools[0].class_count
    assert any("total" in remark for remark in answer.remarks)


async def test_a_bound_of_the_look_up_says_that_there_is_more() -> None:
    async with county(Terms(cap=37), most=100) as (roster, _):
        where = {"school_code": SCHOOLS[:1]}
        answer = await roster.look_up(lookup(Kind.PERSON, ["display_name"], where), WITHIN)
    assert answer.more
    assert 90 <= len(answer.records) <= 100


async def test_what_is_to_be_deleted_is_gone() -> None:
    async with county() as (roster, _):
        gone = {"key": [roster.key(f"{letter}-0-left") for letter in "uce"]}
        for kind in (Kind.PERSON, Kind.CLASS_GROUP, Kind.ENROLLMENT):
            assert (await roster.look_up(lookup(kind, [], gone), WITHIN)).records == ()
        listed = await roster.look_up(lookup(Kind.CLASS_GROUP, [], {"school_code": SCHOOLS[:1]}), WITHIN)
        assert "c-0-left" not in of(listed)
        assert len(listed.records) == COUNTRY.schools[0].class_count


@pytest.mark.parametrize(
    "attack", ["x' OR sourcedId!='x", "u-0-9-0' OR status='active", "\\' OR role~'", "a\nb", "'"]
)
async def test_a_quote_in_a_key_widens_no_filter(attack: str) -> None:
    async with county() as (roster, twin):
        answer = await roster.look_up(people(attack), WITHIN)
        assert answer.records == ()
        assert not any(path.endswith("/users") for path in twin.frame.calls)
        assert (await roster.look_up(people(attack, PUPIL), WITHIN)).records


async def test_a_server_that_ignores_filters_widens_no_answer() -> None:
    async with county(Terms(deaf=True)) as (roster, _):
        answer = await roster.look_up(people(PUPIL), WITHIN)
    assert list(of(answer)) == [PUPIL]
    assert any("ignored the filter" in remark for remark in answer.remarks)


async def test_wrong_credentials_are_refused_and_do_not_print() -> None:
    async with served(app(COUNTRY, unit=COUNTY)) as twin, Http(["127.0.0.0/8"]) as http:
        wrong = msgspec.structs.replace(options(twin.url), client_secret="not-the-secret")
        roster = OneRoster(identity(), wrong, Tools(http, SEAL))
        with pytest.raises(Refused) as caught:
            await roster.look_up(people(PUPIL), WITHIN)
        assert "not-the-secret" not in caught.value.detail + repr(wrong) + repr(roster)
        await roster.aclose()


async def test_several_counties_stand_on_one_server() -> None:
    async with served(app(COUNTRY, units=[COUNTY, "371581"])) as twin, Http(["127.0.0.0/8"]) as http:
        url = f"{twin.url}/371581"
        roster = OneRoster(Identity("c371581", Level.COUNTY, "371581"), options(url), Tools(http, SEAL))
        schools = await roster.look_up(lookup(Kind.SCHOOL, ["region_code"]), WITHIN)
        assert {record.values["region_code"] for record in schools.records} == {"371581"}
        await roster.aclose()


async def test_settings_that_name_two_places_are_refused() -> None:
    with pytest.raises(ValueError, match="base_url"):
        OneRosterOptions(base_url="https://roster.example.invalid", bundle="roster.zip")
    with pytest.raises(ValueError, match="token_url"):
        OneRosterOptions(base_url="https://roster.example.invalid", client_id="x")


async def test_the_twin_answers_as_the_specification_says() -> None:
    prefix = "/ims/oneroster/rostering/v1p2"
    async with served(app(COUNTRY, unit=COUNTY)) as twin, Http(["127.0.0.0/8"]) as http:
        settings = options(twin.url)
        account = (settings.token_url, CLIENT_ID, CLIENT_SECRET)
        header = await ClientCredentials(http, *account).header(WITHIN)

        async def get(filter_: str, path: str = f"{prefix}/classes", **more: str) -> Reply:
            params = {"filter": filter_, **more}
            return await http.get(twin.url + path, params=params, headers=header, within=WITHIN)

        fifth = await get("title~'五年级' AND school.sourcedId='sch-0'", limit="1", fields="sourcedId,title")
        assert fifth.json() == {"classes": [{"sourcedId": "c-0-10", "title": "五年级2班"}]}
        assert fifth.headers["X-Total-Count"] == "2"
        assert 'rel="next"' in fifth.headers["Link"]
        others = await get("sourcedId!='c-0-9' AND sourcedId!='c-0-10'", limit="1000")
        assert not {"c-0-9", "c-0-10"} & {item["sourcedId"] for item in others.json()["classes"]}
        for wrong in ("nonsense", "title='it's'", "nofield='x'"):
            with pytest.raises(Refused, match="400"):
                await get(wrong)
        with pytest.raises(Refused, match="400"):
            await get("title='x'", fields="nofield")


# Bundles


def rewritten(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / name
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8", newline="")


@asynccontextmanager
async def bundled(root: Path, bundle: str = "roster", **more: Any) -> AsyncIterator[OneRoster]:
    async with Http() as http:
        settings = OneRosterOptions(bundle=bundle, **more)
        roster = OneRoster(identity(), settings, Tools(http, SEAL, root))
        yield roster
        await roster.aclose()


@pytest.mark.parametrize(
    ("name", "old", "new", "complaint"),
    [
        ("users.csv", "givenName", "firstName", "givenName"),
        ("enrollments.csv", "userSourcedId", "user", "userSourcedId"),
        ("manifest.csv", "file.users,bulk", "file.users,delta", "file.users"),
        ("manifest.csv", "file.orgs,bulk", "file.orgs,absent", "file.orgs"),
        ("manifest.csv", "oneroster.version,1.2", "oneroster.version,9", "oneroster.version"),
        ("manifest.csv", "propertyName", "name", "propertyName"),
        ("classes.csv", "c-0-1,active,", "c-0-1,active,,,", "classes.csv"),
    ],
)
async def test_a_bundle_that_breaks_the_rules_is_malformed_and_says_where(
    tmp_path: Path, name: str, old: str, new: str, complaint: str
) -> None:
    write_bundle(tmp_path / "roster", COUNTRY, school=SCHOOLS[0])
    rewritten(tmp_path / "roster", name, old, new)
    async with bundled(tmp_path) as roster:
        with pytest.raises(Malformed, match=complaint):
            await roster.look_up(people(PUPIL), WITHIN)


async def test_a_new_export_is_read_again_and_a_mended_one_too(tmp_path: Path) -> None:
    write_bundle(tmp_path / "roster", COUNTRY, school=SCHOOLS[0])
    pupil = COUNTRY.person(PUPIL)
    assert pupil is not None
    async with bundled(tmp_path) as roster:
        assert of(await roster.look_up(people(PUPIL), WITHIN))[PUPIL].values["display_name"] == pupil.name
        rewritten(tmp_path / "roster", "users.csv", f",{pupil.given_name},{pupil.family_name},", ",改,样例,")
        rewritten(tmp_path / "roster", "users.csv", f"{PUPIL},active", f"{PUPIL},tobedeleted")
        assert (await roster.look_up(people(PUPIL), WITHIN)).records == ()


@pytest.mark.parametrize("bundle", ["../outside", "/etc", "link"])
async def test_a_bundle_outside_the_files_root_is_refused(tmp_path: Path, bundle: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    write_bundle(tmp_path / "outside", COUNTRY, school=SCHOOLS[0])
    (root / "link").symlink_to(tmp_path / "outside")
    async with bundled(root, bundle) as roster:
        with pytest.raises(Refused):
            await roster.look_up(people(PUPIL), WITHIN)


async def test_a_missing_file_and_a_missing_bundle_are_told_apart(tmp_path: Path) -> None:
    write_bundle(tmp_path / "roster", COUNTRY, school=SCHOOLS[0])
    (tmp_path / "roster" / "users.csv").unlink()
    async with bundled(tmp_path) as roster, bundled(tmp_path, "nowhere.zip") as nowhere:
        with pytest.raises(Malformed, match=r"users\.csv"):
            await roster.look_up(people(PUPIL), WITHIN)
        with pytest.raises(Unavailable):
            await nowhere.look_up(people(PUPIL), WITHIN)


async def test_a_packed_bomb_is_not_unpacked(tmp_path: Path) -> None:
    write_bundle(tmp_path / "roster.zip", COUNTRY, school=SCHOOLS[0])
    with zipfile.ZipFile(tmp_path / "roster.zip") as packed:
        texts = {name: packed.read(name) for name in packed.namelist()}
    with zipfile.ZipFile(tmp_path / "roster.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in texts.items():
            packed.writestr(name, text + b"\n" * 30_000_000 if name == "users.csv" else text)
    async with bundled(tmp_path, "roster.zip", largest=1_000_000) as roster:
        with pytest.raises(Malformed, match="larger"):
            await roster.look_up(people(PUPIL), WITHIN)


# How often it asks


SIGHT = ("display_name", "birth_date", "class_keys", "match_key", "school_code")


def asked(twin: Served) -> dict[str, int]:
    """Requests by collection since the count was last taken."""
    found = {path.rsplit("/", 1)[-1]: number for path, number in twin.frame.calls.items()}
    twin.frame.calls.clear()
    return found


async def test_a_thousand_people_are_three_collections_in_as_few_requests_as_lines_hold_keys() -> None:
    async with county() as (roster, twin):
        await roster.look_up(people(PUPIL, fields=["school_code"]), WITHIN)
        groups = [group for school in COUNTRY.schools_of(COUNTY) for group in COUNTRY.classes(school)]
        pupils = [pupil for group in groups for pupil in COUNTRY.pupils(group)]
        keys = [pupil.id for pupil in pupils[:700]] + [f"nobody-{n}" for n in range(300)]
        asked(twin)
        answer = await roster.look_up(people(*keys, fields=SIGHT), WITHIN)
        assert len(answer.records) == min(len(pupils), 700)
        counts = asked(twin)
        assert counts.keys() == {"users", "enrollments", "demographics"}
        assert max(counts.values()) <= 7, counts
        await roster.look_up(people(*keys[:100], fields=SIGHT), WITHIN)
        assert asked(twin) == {"users": 1, "enrollments": 1, "demographics": 1}


async def test_a_filter_of_long_keys_stays_below_the_line_that_servers_refuse() -> None:
    own = tuple(f"{n:08d}-{'f' * 27}" for n in range(1000))
    ask = Ask("users", frozenset(), "primaryOrg.sourcedId", own)
    groups = batches(ask, 200)
    assert [value for group in groups for value in group] == list(ask.values)
    lines = [quote(" OR ".join(f"{ask.path}='{value}'" for value in group), safe="") for group in groups]
    assert max(map(len, lines)) < 7_500
    assert len(groups) == 10


async def test_classes_of_forty_schools_and_members_of_many_classes_take_few_requests() -> None:
    async with served(app(COUNTRY, units=[COUNTY])) as twin, Http(["127.0.0.0/8"]) as http:
        roster = OneRoster(identity(), options(f"{twin.url}/{COUNTY}"), Tools(http, SEAL))
        codes = [school.code for school in COUNTRY.schools[:40]]
        fields = ["name", "grade_code", "school_code", "homeroom_teacher_key", "student_count"]
        classes = await roster.look_up(lookup(Kind.CLASS_GROUP, fields, {"school_code": codes}), WITHIN)
        assert asked(twin) == {"token": 1, "orgs": 1, "classes": 1, "enrollments": 1}
        keys = [record.key for record in classes.records]
        keys += [f"c371502-roster:c-none-{n}" for n in range(250 - len(keys))]
        members = await roster.look_up(
            lookup(Kind.ENROLLMENT, ["person_key", "role"], {"class_key": keys[:250]}), WITHIN
        )
        assert len(members.records) > 500
        assert asked(twin) == {"enrollments": 2}
        await roster.aclose()


# How old it is


async def test_a_place_told_from_memory_makes_a_person_as_old_as_the_list_of_organisations() -> None:
    async with county() as (roster, _):
        clock = roster.tools.now
        assert isinstance(clock, HandClock)
        await roster.look_up(people(PUPIL, fields=["school_code"]), WITHIN)
        read = clock()
        clock.ahead += 50.0
        placed = await roster.look_up(people(PUPIL, fields=["display_name", "school_code"]), WITHIN)
        named = await roster.look_up(people(PUPIL, fields=["display_name"]), WITHIN)
        assert placed.records[0].fetched_at <= read
        assert named.records[0].fetched_at >= read + 49.0


async def test_a_bundle_is_as_fresh_as_the_last_look_at_its_files(tmp_path: Path) -> None:
    write_bundle(tmp_path / "roster.zip", COUNTRY, COUNTY)
    async with Http() as http:
        clock = HandClock()
        settings = OneRosterOptions(bundle="roster.zip")
        roster = OneRoster(identity(), settings, Tools(http, SEAL, tmp_path, clock))
        await roster.look_up(people(PUPIL), WITHIN)
        clock.ahead += 50.0
        before = clock()
        (again,) = (await roster.look_up(people(PUPIL), WITHIN)).records
        assert again.fetched_at >= before
        await roster.aclose()
