"""Somebody signs in from a terminal, with any browser, and what comes of it stays theirs alone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import stat
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from auth.tokens import AccessTokens
from connectors.sandbox.frame import served
from hub.cli.login import forget, issuer_of, kept_token, signed_in
from hub.cli.logins import FILE, Login, Logins, config_folder
from hub.cli.say import Refusal
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from hub.web.identify import presented
from tests.fakes.gate import Visitor
from tests.fakes.granting import Granting, granting


def graph(tokens: AccessTokens) -> Sequence[BaseRoute]:
    """A graph that tells for which application somebody asks."""
    identify = presented(tokens.verify, None, "")

    async def answer(request: Request) -> Response:
        principal = await identify(request)
        return JSONResponse({"data": {"me": principal.client_id if principal else None}})

    return [Route("/graphql", answer, methods=["POST"])]


@pytest.fixture
async def gate(mongo: Mongo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Granting]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    async with granting(MongoStore(mongo), tmp_path / "keys", beside=graph) as running:
        yield running


class Teacher(Visitor):
    """The county teacher's browser, signed in."""

    def __init__(self, gate: Granting) -> None:
        super().__init__(gate.url)
        self.gate = gate

    async def __aenter__(self) -> Teacher:
        await self.get("/device")
        await self.gate.sign_in(self)
        return self

    async def answer(self, code: str, decision: str = "allow") -> None:
        """Type the code and press a button."""
        entry = await self.get("/device")
        page = await self.get((await self.post("/device", entry.hidden | {"user_code": code})).location)
        done = await self.post("/device", page.hidden | {"decision": decision})
        assert done.status == 200, done.text


class Terminal:
    """What the person at the terminal sees and how time passes there; `then` happens at the n-th wait."""

    def __init__(self, gate: Granting) -> None:
        self.gate, self.shown, self.waits = gate, list[tuple[str, str]](), list[float]()
        self.then: dict[int, Any] = {}

    def tell(self, address: str, code: str) -> None:
        self.shown.append((address, code))

    async def pause(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.gate.clock.at += seconds
        if action := self.then.get(len(self.waits)):
            await action()

    async def login(self) -> Login:
        return await signed_in(self.gate.url, self.tell, pause=self.pause, clock=self.gate.clock)


async def logged_in(gate: Granting) -> Login:
    """A login that is kept."""
    terminal = Terminal(gate)
    async with Teacher(gate) as teacher:
        terminal.then[1] = lambda: teacher.answer(terminal.shown[0][1])
        login = await terminal.login()
    Logins(config_folder()).keep(login)
    return login


async def test_the_teacher_signs_in_from_the_terminal(gate: Granting) -> None:
    terminal = Terminal(gate)
    async with Teacher(gate) as teacher:
        terminal.then[3] = lambda: teacher.answer(terminal.shown[0][1])
        login = await terminal.login()
    assert terminal.shown[0][0] == f"{gate.url}/device"
    assert terminal.waits == [5.0, 5.0, 5.0]
    assert gate.tokens.verify(login.access_token).client_id == "rongtong-cli"
    assert login.refresh_token
    assert login.expires == gate.clock() + 300


async def test_a_refusal_in_the_browser_ends_the_login(gate: Granting) -> None:
    terminal = Terminal(gate)
    async with Teacher(gate) as teacher:
        terminal.then[1] = lambda: teacher.answer(terminal.shown[0][1], "deny")
        with pytest.raises(Refusal, match="access_denied"):
            await terminal.login()


async def test_when_nobody_agrees_the_login_ends_by_itself(gate: Granting) -> None:
    terminal = Terminal(gate)
    with pytest.raises(Refusal) as told:
        await terminal.login()
    assert told.value.code in ("LOGIN_TIMED_OUT", "LOGIN_REFUSED")
    assert 100 <= len(terminal.waits) <= 121, "at the hub's pace"


async def test_the_kept_login_is_readable_for_its_owner_alone(gate: Granting) -> None:
    await logged_in(gate)
    folder = config_folder()
    assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert sorted(each.name for each in folder.iterdir()) == [FILE]
    assert "refresh_token" not in repr(Logins(folder).of(gate.url))
    (folder / FILE).chmod(0o644)
    with pytest.raises(Refusal) as told:
        Logins(folder).of(gate.url)
    assert told.value.code == "LOGIN_EXPOSED"


async def test_a_fresh_login_is_used_as_it_is_and_only_at_its_own_hub(gate: Granting) -> None:
    login = await logged_in(gate)
    assert await asyncio.to_thread(kept_token, f"{gate.url}/") == login.access_token
    assert await asyncio.to_thread(kept_token, "http://127.0.0.1:1") == ""
    assert await asyncio.to_thread(kept_token, gate.url.replace("127.0.0.1", "localhost")) == ""


async def test_16_commands_at_once_renew_an_old_login_once(gate: Granting) -> None:
    login = await logged_in(gate)
    old = {name: getattr(login, name) for name in Login.__struct_fields__} | {"expires": 0.0}
    Logins(config_folder()).keep(Login(**old))
    tokens = await asyncio.gather(*(asyncio.to_thread(kept_token, gate.url) for _ in range(16)))
    assert len(set(tokens)) == 1
    assert tokens[0] != login.access_token
    assert "refresh.replayed" not in gate.paper.named()
    Logins(config_folder()).keep(_aged(Logins(config_folder()).of(gate.url)))
    assert await asyncio.to_thread(kept_token, gate.url), "the family lives"


def _aged(login: Login | None) -> Login:
    assert login is not None
    return Login(**({name: getattr(login, name) for name in Login.__struct_fields__} | {"expires": 0.0}))


async def test_a_login_that_the_hub_ended_is_forgotten_and_says_what_to_do(gate: Granting) -> None:
    login = await logged_in(gate)
    person = gate.tokens.verify(login.access_token).person
    await gate.families.revoke_person(person)
    Logins(config_folder()).keep(_aged(login))
    with pytest.raises(Refusal, match="rongtong login") as told:
        await asyncio.to_thread(kept_token, gate.url)
    assert told.value.code == "LOGIN_EXPIRED"
    assert Logins(config_folder()).of(gate.url) is None


async def test_a_silent_hub_costs_no_login(gate: Granting) -> None:
    login = await logged_in(gate)
    gone = Login(
        **(
            {name: getattr(login, name) for name in Login.__struct_fields__}
            | {"expires": 0.0, "issuer": "http://127.0.0.1:1", "token_endpoint": "http://127.0.0.1:1/t"}
        )
    )
    Logins(config_folder()).keep(gone)
    with pytest.raises(Refusal) as told:
        await asyncio.to_thread(kept_token, "http://127.0.0.1:1")
    assert told.value.code == "NO_HUB"
    assert Logins(config_folder()).of("http://127.0.0.1:1") == gone


async def test_logout_revokes_at_the_hub_and_forgets_here(
    gate: Granting, capsys: pytest.CaptureFixture[str]
) -> None:
    login = await logged_in(gate)
    person = gate.tokens.verify(login.access_token).person
    await asyncio.to_thread(forget, gate.url, True)
    assert json.loads(capsys.readouterr().out) == {"issuer": gate.url, "forgotten": True, "revoked": True}
    assert Logins(config_folder()).of(gate.url) is None
    assert await gate.families.of_person(person) == []
    await asyncio.to_thread(forget, gate.url, True)
    assert json.loads(capsys.readouterr().out)["forgotten"] is False


async def test_logout_forgets_also_when_nobody_answers(
    gate: Granting, capsys: pytest.CaptureFixture[str]
) -> None:
    login = _aged(await logged_in(gate))
    values = {name: getattr(login, name) for name in Login.__struct_fields__}
    Logins(config_folder()).keep(Login(**(values | {"revocation_endpoint": "http://127.0.0.1:1/r"})))
    await asyncio.to_thread(forget, gate.url, True)
    assert json.loads(capsys.readouterr().out) == {"issuer": gate.url, "forgotten": True, "revoked": False}


async def test_a_damaged_file_is_no_login_and_the_next_one_mends_it(gate: Granting) -> None:
    login = await logged_in(gate)
    (config_folder() / FILE).write_text("[{")
    assert await asyncio.to_thread(kept_token, gate.url) == ""
    Logins(config_folder()).keep(login)
    assert Logins(config_folder()).of(gate.url) == login


@pytest.mark.parametrize(
    "url", ["http://hub.example", "ftp://hub.example", "hub.example", "http://127.0.0.1.evil.example"]
)
def test_codes_and_tokens_travel_encrypted_or_not_at_all(url: str) -> None:
    with pytest.raises(Refusal) as told:
        issuer_of(url)
    assert told.value.code == "NOT_SAFE"


def test_a_relative_config_home_does_not_count() -> None:
    assert config_folder({"XDG_CONFIG_HOME": "here"}).is_absolute()
    assert config_folder({"XDG_CONFIG_HOME": "/some/where"}) == Path("/some/where/rongtong")


@contextlib.asynccontextmanager
async def lying(**lies: Any) -> AsyncIterator[str]:
    """A hub that lies in its metadata, its device answer or its token answer."""
    at: dict[str, str] = {}

    async def metadata(_request: Request) -> Response:
        url = at["url"]
        said = {
            "issuer": url, "token_endpoint": f"{url}/token",
            "device_authorization_endpoint": f"{url}/device_authorization",
        }  # fmt: skip
        return JSONResponse(said | lies.get("metadata", {}))

    async def device(_request: Request) -> Response:
        url = at["url"]
        told = {"device_code": "d", "user_code": "BCDF-GHJK", "verification_uri": f"{url}/device"}
        return JSONResponse(told | lies.get("device", {}))

    async def token(_request: Request) -> Response:
        found: Response = (
            lies["token"]() if "token" in lies else JSONResponse({"error": "access_denied"}, 400)
        )
        return found

    app = Starlette(
        routes=[
            Route("/.well-known/oauth-authorization-server", metadata),
            Route("/device_authorization", device, methods=["POST"]),
            Route("/token", token, methods=["POST"]),
        ]
    )
    async with served(app) as server:
        at["url"] = server.url
        yield server.url


async def met(url: str) -> str:
    """The code under which the login at a lying hub ends."""
    passed = [0.0]

    async def pause(seconds: float) -> None:
        passed[0] += seconds

    with pytest.raises(Refusal) as told:
        await signed_in(url, lambda address, code: None, pause=pause, clock=lambda: passed[0])
    return told.value.code


@pytest.mark.parametrize(
    ("lies", "code"),
    [
        ({"metadata": {"issuer": "https://evil.example"}}, "WRONG_ISSUER"),
        ({"metadata": {"token_endpoint": "https://evil.example/token"}}, "FOREIGN_ENDPOINT"),
        ({"metadata": {"device_authorization_endpoint": "http://127.0.0.1:1/x"}}, "FOREIGN_ENDPOINT"),
        ({"metadata": {"revocation_endpoint": "https://evil.example/r"}}, "FOREIGN_ENDPOINT"),
        ({"metadata": {"device_authorization_endpoint": 7}}, "FOREIGN_ENDPOINT"),
        ({"device": {"verification_uri": "https://evil.example/device"}}, "BAD_ANSWER"),
        ({"device": {"user_code": "\x1b[2Jhaha"}}, "BAD_ANSWER"),
        ({"device": {"user_code": 12345678}}, "BAD_ANSWER"),
        ({"device": {"device_code": ""}}, "BAD_ANSWER"),
        ({"device": {"interval": -5, "expires_in": 1e300}}, "LOGIN_REFUSED"),
        ({"token": lambda: JSONResponse({})}, "BAD_ANSWER"),
        ({"token": lambda: JSONResponse({"access_token": 7})}, "BAD_ANSWER"),
        ({"token": lambda: Response("<html>", 200)}, "BAD_ANSWER"),
        ({"token": lambda: JSONResponse({"error": "server_error"}, 500)}, "LOGIN_TIMED_OUT"),
        ({"token": lambda: JSONResponse({"error": "slow_down"}, 400)}, "LOGIN_TIMED_OUT"),
        ({"token": lambda: RedirectResponse("https://evil.example/")}, "LOGIN_REFUSED"),
        ({"token": lambda: Response(b" " * 200_000, 200)}, "LOGIN_TIMED_OUT"),
    ],
)  # fmt: skip
async def test_a_lying_hub_gets_and_shows_nothing(lies: dict[str, Any], code: str) -> None:
    async with lying(**lies) as url:
        assert await met(url) == code


async def test_where_there_is_no_sign_on_the_terminal_says_so() -> None:
    async with served(Starlette()) as server:
        assert await met(server.url) == "NO_SIGN_ON"
    assert await met("http://127.0.0.1:1") == "NO_HUB"


async def test_the_commands_login_query_and_logout_work_together(gate: Granting, tmp_path: Path) -> None:
    login = await command("login", "--url", gate.url, "--json")
    assert login.stdout is not None
    shown = orjson.loads(await login.stdout.readline())
    assert shown["verification_uri"] == f"{gate.url}/device"
    async with Teacher(gate) as teacher:
        await teacher.answer(shown["user_code"])
    assert orjson.loads(await login.stdout.readline())["issuer"] == gate.url
    assert await login.wait() == 0
    question = tmp_path / "me.graphql"
    question.write_text("{ me }")
    asked = await command("query", str(question), "--url", gate.url, "--json")
    answer, _ = await asked.communicate()
    assert orjson.loads(answer) == {"data": {"me": "rongtong-cli"}}
    left = await command("logout", "--url", gate.url, "--json")
    assert orjson.loads((await left.communicate())[0])["revoked"] is True
    asked = await command("query", str(question), "--url", gate.url, "--json")
    assert orjson.loads((await asked.communicate())[0]) == {"data": {"me": None}}


async def command(*words: str) -> asyncio.subprocess.Process:
    """`rongtong`, as people call it."""
    environ = {"XDG_CONFIG_HOME": os.environ["XDG_CONFIG_HOME"], "PATH": os.environ["PATH"]}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub.cli.main", *words, env=environ, stdout=asyncio.subprocess.PIPE
    )
