"""A device shows a code; somebody reads who asks for what, and lets it in or not. Nobody else decides."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from starlette.applications import Starlette

from auth.clients import client_from
from auth.errors import StoreDown
from auth.provider.device import GRANT_TYPE, DeviceAuthorization
from auth.provider.device_codes import ALPHABET, DeviceCodes, written
from connectors.sandbox.frame import served
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.auth.proving import Holder
from tests.fakes.gate import Clock, Page, Visitor
from tests.fakes.granting import CLI, Granting, bare, granting

SHOUTING = bare(
    id="shouting", name="<script>alert(1)</script>", grant_types=(GRANT_TYPE,), scopes=("openid", "graph")
)
STRANGER = bare(id="stranger", grant_types=(GRANT_TYPE,), scopes=("openid",))
NOT_FOR_DEVICES = bare(id="web-only", scopes=("openid",))
SECRET = "s" * 32


@pytest.fixture
async def gate(mongo: Mongo, tmp_path: Path) -> AsyncIterator[Granting]:
    clients = (CLI, SHOUTING, STRANGER, NOT_FOR_DEVICES)
    async with granting(MongoStore(mongo), tmp_path / "keys", clients) as running:
        yield running


@pytest.fixture
async def teacher(gate: Granting) -> AsyncIterator[Visitor]:
    """The county teacher's browser, signed in."""
    async with browser(gate) as visitor:
        await gate.sign_in(visitor)
        yield visitor


class Browser(Visitor):
    """A browser that has been at the device page."""

    async def __aenter__(self) -> Visitor:
        await self.get("/device")
        return self


def browser(gate: Granting) -> Browser:
    return Browser(gate.url)


async def type_code(visitor: Visitor, code: str) -> Page:
    hidden = (await visitor.get("/device")).hidden
    return await visitor.post("/device", hidden | {"user_code": code})


async def confirm_page(visitor: Visitor, code: str) -> Page:
    typed = await type_code(visitor, code)
    assert typed.status == 303, typed.text
    return await visitor.get(typed.location)


async def let_in(visitor: Visitor, code: str, decision: str = "allow") -> Page:
    page = await confirm_page(visitor, code)
    return await visitor.post("/device", page.hidden | {"decision": decision})


async def error_of(gate: Granting, code: str, client_id: str = CLI.id) -> str:
    status, answer = await gate.poll(code, client_id)
    assert status == 400, answer
    return str(answer["error"])


async def test_a_device_is_let_in_by_the_county_teacher(gate: Granting, teacher: Visitor) -> None:
    begun = await gate.begin(scope="openid graph offline_access")
    assert begun["verification_uri"] == f"{gate.url}/device"
    assert begun["verification_uri_complete"] == f"{gate.url}/device?user_code={begun['user_code']}"
    assert (begun["expires_in"], begun["interval"]) == (600, 5)
    assert re.fullmatch(rf"[{ALPHABET}]{{4}}-[{ALPHABET}]{{4}}", begun["user_code"])
    assert await error_of(gate, begun["device_code"]) == "authorization_pending"
    page = await confirm_page(teacher, begun["user_code"])
    for shown in ("融通命令行", begun["user_code"], "合成教师甲", "教学", "三类数据", "离开之后"):
        assert shown in page.text
    done = await teacher.post("/device", page.hidden | {"decision": "allow"})
    assert done.status == 200
    assert "已允许" in done.text
    status, tokens = await gate.poll(begun["device_code"])
    assert status == 200, tokens
    assert (tokens["token_type"], tokens["scope"]) == ("Bearer", "openid graph offline_access")
    principal = gate.tokens.verify(tokens["access_token"])
    assert (principal.client_id, principal.level, principal.purposes) == (CLI.id, "COUNTY", ("teaching",))
    assert principal.acr == "urn:rongtong:acr:name-verified"
    assert tokens["id_token"]
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": CLI.id}
    assert (await gate.post("/oauth/token", form))[0] == 200
    assert {"device.allowed", "consent.given"} <= set(gate.paper.named())


async def test_the_device_code_race_32_polls_after_the_approval_give_one_token(
    gate: Granting, teacher: Visitor
) -> None:
    begun = await gate.begin()
    await let_in(teacher, begun["user_code"])
    answers = await asyncio.gather(*(gate.poll(begun["device_code"]) for _ in range(32)))
    won = [answer for status, answer in answers if status == 200]
    assert len(won) == 1
    assert {answer["error"] for status, answer in answers if status != 200} == {"invalid_grant"}
    person = gate.tokens.verify(won[0]["access_token"]).person
    assert len(await gate.families.of_person(person)) == 1
    form = {"grant_type": "refresh_token", "refresh_token": won[0]["refresh_token"], "client_id": CLI.id}
    assert (await gate.post("/oauth/token", form))[0] == 200, "its one token lives"


async def test_who_polls_too_fast_is_told_to_slow_down_ever_more(gate: Granting) -> None:
    begun = await gate.begin()
    code = begun["device_code"]
    assert await error_of(gate, code) == "authorization_pending"
    gate.clock.at += 4
    assert await error_of(gate, code) == "slow_down"
    gate.clock.at += 6
    assert await error_of(gate, code) == "slow_down", "five seconds more since then"
    gate.clock.at += 15
    assert await error_of(gate, code) == "authorization_pending"


async def test_a_refused_device_hears_so_and_gets_nothing(gate: Granting, teacher: Visitor) -> None:
    begun = await gate.begin()
    assert "没有得到任何东西" in (await let_in(teacher, begun["user_code"], "deny")).text
    assert await error_of(gate, begun["device_code"]) == "access_denied"
    assert "device.refused" in gate.paper.named()


async def test_after_ten_minutes_the_codes_are_over(gate: Granting, teacher: Visitor) -> None:
    begun = await gate.begin()
    page = await confirm_page(teacher, begun["user_code"])
    gate.clock.at += 601
    assert (await teacher.post("/device", page.hidden | {"decision": "allow"})).status == 410
    assert (await type_code(teacher, begun["user_code"])).status == 400
    assert await error_of(gate, begun["device_code"]) == "expired_token"


async def test_a_device_that_was_let_in_and_slept_gets_nothing_later(
    gate: Granting, teacher: Visitor
) -> None:
    begun = await gate.begin()
    await let_in(teacher, begun["user_code"])
    gate.clock.at += 601
    assert await error_of(gate, begun["device_code"]) == "expired_token"


async def test_a_strangers_client_cannot_use_or_burn_a_device_code(gate: Granting, teacher: Visitor) -> None:
    begun = await gate.begin()
    await let_in(teacher, begun["user_code"])
    form = {"grant_type": GRANT_TYPE, "device_code": begun["device_code"], "client_id": STRANGER.id}
    status, answer = await gate.post("/oauth/token", form | {"client_secret": SECRET})
    assert (status, answer["error"]) == (401, "invalid_client"), "its method is basic"
    basic = {"headers": {"Authorization": "Basic " + _base64(f"{STRANGER.id}:{SECRET}")}}
    status, answer = await gate.post("/oauth/token", form, **basic)
    assert (status, answer["error"]) == (400, "invalid_grant")
    assert (await gate.poll(begun["device_code"]))[0] == 200


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def test_a_code_may_be_typed_small_wide_with_blanks_or_without_the_hyphen(
    gate: Granting, teacher: Visitor
) -> None:
    code = (await gate.begin())["user_code"]
    wide = "".join(chr(ord(char) + 0xFEE0) for char in code)
    for typed in (code.lower(), code.replace("-", ""), wide, f" {code.replace('-', ' — ')} "):
        assert (await type_code(teacher, typed)).status == 303, typed


async def test_what_is_no_code_is_none() -> None:
    for typed in (
        "",
        "BCDF-GHJ",
        "BCDF-GHJKL",
        "AEIO-UAEI",
        "BCDF-GHJ1",
        "б" * 8,
        "B" * 10_000,
        "\ud800" * 8,
    ):
        assert written(typed) == ""


async def test_guessing_user_codes_ends_after_twenty_tries_also_for_the_right_one(
    gate: Granting, teacher: Visitor
) -> None:
    right = (await gate.begin())["user_code"]
    tries = await asyncio.gather(*(type_code(teacher, "BBBB-BBBB") for _ in range(60)))
    statuses = [page.status for page in tries]
    assert statuses.count(400) <= 21, "also at once"
    assert set(statuses) == {400, 429}
    page = await type_code(teacher, right)
    assert page.status == 429
    assert int(page.headers["Retry-After"]) >= 1
    gate.clock.at += 599  # its code still counts; the wait is over
    assert (await type_code(teacher, right)).status == 303


async def test_a_guesser_who_drops_its_cookies_is_known_by_its_address(gate: Granting) -> None:
    statuses = []
    for _ in range(25):
        async with browser(gate) as fresh:
            statuses.append((await type_code(fresh, "CCCC-CCCC")).status)
    assert statuses[0] == 400
    assert statuses[-1] == 429


async def test_right_codes_do_not_count_as_guesses(gate: Granting, teacher: Visitor) -> None:
    for _ in range(25):
        assert (await type_code(teacher, (await gate.begin())["user_code"])).status == 303


async def test_a_wrong_a_used_and_a_late_code_read_the_same(gate: Granting, teacher: Visitor) -> None:
    used, late = await gate.begin(), await gate.begin()
    await let_in(teacher, used["user_code"])
    gate.clock.at += 1
    pages = [await type_code(teacher, code) for code in ("DDDD-DDDD", used["user_code"])]
    gate.clock.at += 601
    pages.append(await type_code(teacher, late["user_code"]))
    texts = {re.sub(r'value="[^"]*"', "", page.text) for page in pages}
    assert {page.status for page in pages} == {400}
    assert len(texts) == 1


async def test_who_is_not_signed_in_signs_in_first_and_then_reads_and_decides(gate: Granting) -> None:
    begun = await gate.begin()
    async with browser(gate) as visitor:
        typed = await type_code(visitor, begun["user_code"])
        assert typed.location.startswith("/sign-in?i=")
        i = typed.location.partition("=")[2]
        assert (await visitor.get(f"/device?i={i}")).location == typed.location
        await gate.sign_in(visitor)
        page = await visitor.get(f"/device?i={i}")
        assert (await visitor.post("/device", page.hidden | {"decision": "allow"})).status == 200
    assert (await gate.poll(begun["device_code"]))[0] == 200


async def test_after_signing_in_the_browser_comes_back_to_the_device(gate: Granting) -> None:
    begun = await gate.begin()
    async with browser(gate) as visitor:
        i = (await type_code(visitor, begun["user_code"])).location.partition("=")[2]
        await gate.sign_in(visitor)
        back = await visitor.get(f"/oauth/authorize/resume?i={i}")  # where every sign-in leads
        assert back.location in (f"/device?i={i}", f"{gate.url}/device?i={i}")


async def test_a_link_with_the_code_grants_nothing_by_itself(gate: Granting, teacher: Visitor) -> None:
    begun = await gate.begin()
    page = await teacher.get(f"/device?user_code={begun['user_code']}")
    assert begun["user_code"] in page.text
    assert await error_of(gate, begun["device_code"]) == "authorization_pending"


async def test_another_browser_cannot_press_the_button(gate: Granting, teacher: Visitor) -> None:
    begun = await gate.begin()
    page = await confirm_page(teacher, begun["user_code"])
    i = page.hidden["i"]
    async with browser(gate) as other:
        await gate.sign_in(other, "stranger")
        assert (await other.get(f"/device?i={i}")).status == 410
        assert (await other.post("/device", page.hidden | {"decision": "allow"})).status == 403
    assert await error_of(gate, begun["device_code"]) == "authorization_pending"


async def test_a_forged_form_counts_for_nothing(gate: Granting, teacher: Visitor) -> None:
    begun = await gate.begin()
    page = await confirm_page(teacher, begun["user_code"])
    entry = (await teacher.get("/device")).hidden["csrf"]
    for csrf in ("", "x", entry):
        forged = page.hidden | {"csrf": csrf, "decision": "allow"}
        assert (await teacher.post("/device", forged)).status == 403
    assert (await teacher.post("/device", {"user_code": begun["user_code"]})).status == 403
    assert await error_of(gate, begun["device_code"]) == "authorization_pending"


async def test_who_changed_the_session_between_reading_and_pressing_is_asked_anew(
    gate: Granting, teacher: Visitor
) -> None:
    begun = await gate.begin()
    page = await confirm_page(teacher, begun["user_code"])
    await gate.sign_in(teacher, "provincial-officer")
    assert (await teacher.post("/device", page.hidden | {"decision": "allow"})).status == 403
    assert await error_of(gate, begun["device_code"]) == "authorization_pending"


async def test_32_answers_at_once_decide_once(gate: Granting, teacher: Visitor) -> None:
    begun = await gate.begin()
    pages = [await confirm_page(teacher, begun["user_code"]) for _ in range(8)]
    answers = await asyncio.gather(
        *(teacher.post("/device", page.hidden | {"decision": "allow"}) for page in pages * 4)
    )
    assert sorted(page.status for page in answers)[:1] == [200]
    assert [page.status for page in answers].count(200) == 1
    assert {page.status for page in answers} <= {200, 410}


async def test_a_session_that_ended_before_the_device_came_gives_it_nothing(
    gate: Granting, teacher: Visitor
) -> None:
    begun = await gate.begin(scope="graph")
    async with browser(gate) as visitor:
        session = await gate.sign_in(visitor)
        await let_in(visitor, begun["user_code"])
        await gate.sessions.end(session)
    assert await error_of(gate, begun["device_code"]) == "invalid_grant"


async def test_withdrawing_consent_ends_the_devices_tokens(gate: Granting, teacher: Visitor) -> None:
    begun = await gate.begin(scope="graph offline_access")
    await let_in(teacher, begun["user_code"])
    _, tokens = await gate.poll(begun["device_code"])
    person = gate.tokens.verify(tokens["access_token"]).person
    assert await gate.consents.withdraw(person, CLI.id) == 1
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": CLI.id}
    assert (await gate.post("/oauth/token", form))[0] == 400


async def test_a_devices_tokens_are_bound_to_the_key_it_proves(gate: Granting, teacher: Visitor) -> None:
    begun = await gate.begin()
    await let_in(teacher, begun["user_code"])
    holder, url = Holder(), f"{gate.url}/oauth/token"
    status, tokens = await gate.poll(begun["device_code"], DPoP=holder.proof("POST", url))
    assert (status, tokens["token_type"]) == (200, "DPoP")
    assert gate.tokens.verify(tokens["access_token"]).jkt == holder.thumbprint
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": CLI.id}
    assert (await gate.post("/oauth/token", form))[0] == 400, "without the key"
    stranger = {"headers": {"DPoP": Holder().proof("POST", url)}}
    assert (await gate.post("/oauth/token", form, **stranger))[0] == 400, "with a foreign key"
    own = {"headers": {"DPoP": holder.proof("POST", url)}}
    assert (await gate.post("/oauth/token", form, **own))[0] == 200


async def test_a_bent_proof_at_the_token_endpoint_is_refused_and_burns_nothing(
    gate: Granting, teacher: Visitor
) -> None:
    begun = await gate.begin()
    await let_in(teacher, begun["user_code"])
    elsewhere = Holder().proof("POST", "https://evil.example/oauth/token")
    status, answer = await gate.poll(begun["device_code"], DPoP=elsewhere)
    assert (status, answer["error"]) == (400, "invalid_dpop_proof")
    assert (await gate.poll(begun["device_code"]))[0] == 200


async def test_addresses_shown_come_from_the_issuer_never_from_host(gate: Granting) -> None:
    status, told = await gate.post(
        "/oauth/device_authorization", {"client_id": CLI.id}, headers={"Host": "evil.example"}
    )
    assert (status, told["verification_uri"]) == (200, f"{gate.url}/device")


async def test_an_applications_name_is_text_on_the_page(gate: Granting, teacher: Visitor) -> None:
    headers = {"Authorization": "Basic " + _base64(f"{SHOUTING.id}:{SECRET}")}
    _, begun = await gate.post("/oauth/device_authorization", {}, headers=headers)
    page = await confirm_page(teacher, begun["user_code"])
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;" in page.text


async def test_pages_cannot_be_framed_and_run_no_foreign_script(gate: Granting, teacher: Visitor) -> None:
    begun = await gate.begin()
    for page in (await teacher.get("/device"), await confirm_page(teacher, begun["user_code"])):
        policy = page.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy
        assert "'unsafe-inline'" not in policy


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({}, 401, "invalid_client"),
        ({"client_id": STRANGER.id}, 401, "invalid_client"),
        ({"client_id": CLI.id, "scope": "graph admin"}, 400, "invalid_scope"),
        ({"client_id": CLI.id, "scope": "roles"}, 400, "invalid_scope"),
        ({"client_id": CLI.id, "scope": 'graph"'}, 400, "invalid_scope"),
        ({"client_id[$ne]": "x"}, 401, "invalid_client"),
        (b"client_id=rongtong-cli&client_id=rongtong-cli", 400, "invalid_request"),
        (b"client_id=%ff", 400, "invalid_request"),
        (b"client_id=" + b"x" * 70_000, 413, "invalid_request"),
    ],
)  # fmt: skip
async def test_bent_requests_for_codes_are_refused(
    gate: Granting, form: Any, status: int, error: str
) -> None:
    found, answer = await gate.post("/oauth/device_authorization", form)
    assert (found, answer["error"]) == (status, error)


async def test_a_client_that_is_not_registered_for_devices_gets_no_codes_and_no_tokens(
    gate: Granting, teacher: Visitor
) -> None:
    headers = {"Authorization": "Basic " + _base64(f"{NOT_FOR_DEVICES.id}:{SECRET}")}
    status, answer = await gate.post("/oauth/device_authorization", {}, headers=headers)
    assert (status, answer["error"]) == (400, "unauthorized_client")
    form = {"grant_type": GRANT_TYPE, "device_code": "x"}
    status, answer = await gate.post("/oauth/token", form, headers=headers)
    assert (status, answer["error"]) == (400, "unauthorized_client")


@pytest.mark.parametrize("code", ["", "x", "x" * 129, "\x00", '{"$ne":null}', "../../x"])
async def test_what_is_no_device_code_gets_no_token(gate: Granting, code: str) -> None:
    assert await error_of(gate, code) in ("invalid_request", "invalid_grant")


async def test_an_access_token_is_no_device_code_and_a_device_code_no_access_token(
    gate: Granting, teacher: Visitor
) -> None:
    begun = await gate.begin()
    await let_in(teacher, begun["user_code"])
    _, tokens = await gate.poll(begun["device_code"])
    for token in (tokens["refresh_token"], tokens["access_token"][:128]):
        assert await error_of(gate, token) in ("invalid_request", "invalid_grant")
    form = {"grant_type": "refresh_token", "refresh_token": begun["device_code"], "client_id": CLI.id}
    assert (await gate.post("/oauth/token", form))[0] == 400


class Away:
    """A store that does not answer."""

    def collection(self, name: str) -> Any:
        return self

    async def insert_one(self, document: Any) -> None:
        raise StoreDown

    async def declare(self, indexes: Any) -> None:
        raise StoreDown


async def test_while_the_store_is_away_a_device_is_told_to_come_again() -> None:
    class Anybody:
        async def authenticate(self, headers: Any, form: Any, endpoint_url: str) -> Any:
            return client_from(CLI)

    codes = DeviceCodes(Away(), Clock(), b"k" * 32)
    app = Starlette(routes=DeviceAuthorization("https://hub.example", Anybody(), codes).routes())
    form = {"client_id": CLI.id}
    async with (
        served(app) as at,
        aiohttp.ClientSession() as http,
        http.post(f"{at.url}/oauth/device_authorization", data=form) as answer,
    ):
        assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
        assert (await answer.json())["error"] == "temporarily_unavailable"


async def test_two_devices_never_wait_under_one_code(gate: Granting, monkeypatch: pytest.MonkeyPatch) -> None:
    letters = iter("BBBBBBBBBBBBBBBBCCCCCCCC")
    monkeypatch.setattr("secrets.choice", lambda _: next(letters))
    assert (await gate.begin())["user_code"] == "BBBB-BBBB"
    assert (await gate.begin())["user_code"] == "CCCC-CCCC"


async def test_nothing_that_opens_something_is_kept_as_it_is(gate: Granting, mongo: Mongo) -> None:
    begun = await gate.begin()
    kept = str(await mongo.collection("auth_devices").find({}, limit=5))
    assert begun["device_code"] not in kept
    assert begun["user_code"].replace("-", "") not in kept.replace("-", "")
