"""Passkeys of own accounts: in Chromium with a virtual authenticator, and by hand where one lies."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData
from playwright.async_api import Browser, Page, async_playwright

from auth.local import LocalAccount
from auth.passkeys import LIFE, PasskeyRefused, Passkeys
from auth.principal import RoleClaim
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.fakes.gate import KEY, Gate, Visitor, gate

CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-sync", "--no-first-run"]
GOOD = "liao-cheng 7 bridges"
ADMIN = (RoleClaim("ADMIN", "371500"),)
MARK, OTHER = "m" * 43, "n" * 43
Flags = AuthenticatorData.FLAG
PRESENT_AND_VERIFIED = Flags.UP | Flags.UV


@dataclass
class Authenticator:
    """A device with one key, which may be made to lie."""

    origin: str
    rp_id: str = "localhost"
    flags: AuthenticatorData.FLAG = PRESENT_AND_VERIFIED
    count: int = 0
    kind: str = ""
    cross_origin: bool = False
    id: bytes = b"credential-of-a-test"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """Its answer to `navigator.credentials.create`."""
        public: Any = ES256.from_cryptography_key(self.key.public_key())  # type: ignore[no-untyped-call]
        credential = AttestedCredentialData.create(b"\0" * 16, self.id, public)
        data = self._data(Flags.AT, bytes(credential))
        told = {
            "clientDataJSON": websafe_encode(self._client_data("webauthn.create", options)),
            "attestationObject": websafe_encode(bytes(AttestationObject.create("none", data, {}))),
        }
        return self._answer(told)

    def get(self, options: dict[str, Any], handle: bytes) -> dict[str, Any]:
        """Its answer to `navigator.credentials.get`."""
        data, client = self._data(), self._client_data("webauthn.get", options)
        signature = self.key.sign(bytes(data) + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        told = {
            "clientDataJSON": websafe_encode(client),
            "authenticatorData": websafe_encode(bytes(data)),
            "signature": websafe_encode(signature),
            "userHandle": websafe_encode(handle),
        }
        return self._answer(told)

    def _data(self, more: AuthenticatorData.FLAG | int = 0, credential: bytes = b"") -> AuthenticatorData:
        host = hashlib.sha256(self.rp_id.encode()).digest()
        made: AuthenticatorData = AuthenticatorData.create(
            host, Flags(self.flags | more), self.count, credential
        )
        return made

    def _client_data(self, kind: str, options: dict[str, Any]) -> bytes:
        told = {
            "type": self.kind or kind,
            "challenge": options["publicKey"]["challenge"],
            "origin": self.origin,
            "crossOrigin": self.cross_origin,
        }
        return json.dumps(told).encode()

    def _answer(self, told: dict[str, str]) -> dict[str, Any]:
        id = websafe_encode(self.id)
        return {"id": id, "rawId": id, "type": "public-key", "response": told, "clientExtensionResults": {}}


@pytest.fixture
async def running(mongo: Mongo) -> AsyncIterator[Gate]:
    async with gate(MongoStore(mongo)) as found:
        yield found


async def admin(running: Gate, login: str = "city.admin") -> LocalAccount:
    return await running.accounts.add(login, GOOD, "市级管理员", ADMIN)


async def added(running: Gate, device: Authenticator) -> LocalAccount:
    account = await admin(running)
    options = _plain(await running.passkeys.adding(account, MARK))
    await running.passkeys.add(account, device.create(options), "办公室电脑", MARK)
    return account


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(options, default=dict))
    return found


async def cause(work: Any) -> str:
    with pytest.raises(PasskeyRefused) as refused:
        await work
    return refused.value.cause


async def test_a_passkey_once_added_proves_its_account(running: Gate) -> None:
    device = Authenticator(running.url)
    account = await added(running, device)
    for device.count in (1, 2, 9):
        answer = device.get(running.passkeys.asking(MARK), account.id.encode())
        assert await running.passkeys.proven(answer, MARK) == account.id
    (kept,) = await running.passkeys.of_account(account.id)
    assert (kept.count, kept.name) == (9, "办公室电脑")


async def test_an_authenticator_that_does_not_count_is_welcome_again_and_again(running: Gate) -> None:
    device = Authenticator(running.url)
    account = await added(running, device)
    for _ in range(3):
        answer = device.get(running.passkeys.asking(MARK), account.id.encode())
        assert await running.passkeys.proven(answer, MARK) == account.id


async def test_a_copied_key_is_noticed_by_its_counter(running: Gate) -> None:
    device = Authenticator(running.url, count=5)
    account = await added(running, device)
    for device.count in (5, 4, 0):
        answer = device.get(running.passkeys.asking(MARK), account.id.encode())
        assert await cause(running.passkeys.proven(answer, MARK)) == "counter"


LIES: dict[str, Callable[[Authenticator], None]] = {
    "another origin": lambda device: setattr(device, "origin", "https://hub.test.evil.example"),
    "another port": lambda device: setattr(device, "origin", "http://localhost:1"),
    "another party": lambda device: setattr(device, "rp_id", "evil.example"),
    "nobody verified": lambda device: setattr(device, "flags", Flags.UP),
    "nobody present": lambda device: setattr(device, "flags", Flags.UV),
    "inside a frame": lambda device: setattr(device, "cross_origin", True),
    "another ceremony": lambda device: setattr(device, "kind", "payment.get"),
    "another key": lambda device: setattr(device, "key", ec.generate_private_key(ec.SECP256R1())),
    "unknown credential": lambda device: setattr(device, "id", b"somebody else's"),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_sign_in_with_a_lie_proves_nothing(running: Gate, lie: str) -> None:
    device = Authenticator(running.url, count=1)
    account = await added(running, device)
    LIES[lie](device)
    device.count = 2
    answer = device.get(running.passkeys.asking(MARK), account.id.encode())
    assert await cause(running.passkeys.proven(answer, MARK))


@pytest.mark.parametrize("lie", [lie for lie in LIES if lie not in ("another key", "unknown credential")])
async def test_a_registration_with_a_lie_adds_nothing(running: Gate, lie: str) -> None:
    device, account = Authenticator(running.url), await admin(running)
    LIES[lie](device)
    answer = device.create(_plain(await running.passkeys.adding(account, MARK)))
    assert await cause(running.passkeys.add(account, answer, "x", MARK))
    assert await running.passkeys.of_account(account.id) == []


async def test_a_challenge_counts_once_in_its_own_browser_for_five_minutes(running: Gate) -> None:
    device = Authenticator(running.url)
    account = await added(running, device)
    handle = account.id.encode()
    answer = device.get(running.passkeys.asking(MARK), handle)
    assert await cause(running.passkeys.proven(answer, OTHER)) == "challenge"
    assert await running.passkeys.proven(answer, MARK) == account.id
    assert await cause(running.passkeys.proven(answer, MARK)) == "replayed"
    late = device.get(running.passkeys.asking(MARK), handle)
    running.clock.at += LIFE.total_seconds() + 1
    assert await cause(running.passkeys.proven(late, MARK)) == "late"


async def test_a_challenge_to_add_does_not_serve_to_sign_in_nor_one_of_another_account(running: Gate) -> None:
    device = Authenticator(running.url)
    account = await added(running, device)
    other = await admin(running, "county.admin")
    adding = _plain(await running.passkeys.adding(account, MARK))
    assert await cause(running.passkeys.proven(device.get(adding, account.id.encode()), MARK)) == "challenge"
    device.id = b"a second credential"
    foreign = running.passkeys.add(other, device.create(adding), "x", MARK)
    assert await cause(foreign) == "challenge"


async def test_a_challenge_nobody_gave_is_refused(running: Gate) -> None:
    device = Authenticator(running.url)
    account = await added(running, device)
    for made_up in (b"", b"x" * 16, b"\xff" * 56):
        options = {"publicKey": {"challenge": websafe_encode(made_up)}}
        answer = device.get(options, account.id.encode())
        assert await cause(running.passkeys.proven(answer, MARK)) == "challenge"


async def test_a_passkey_does_not_open_an_account_that_its_handle_names_wrongly(running: Gate) -> None:
    device = Authenticator(running.url)
    await added(running, device)
    other = await admin(running, "county.admin")
    answer = device.get(running.passkeys.asking(MARK), other.id.encode())
    assert await cause(running.passkeys.proven(answer, MARK)) == "foreign-handle"


async def test_a_credential_of_one_account_cannot_be_added_to_another(running: Gate) -> None:
    device = Authenticator(running.url)
    account = await added(running, device)
    other = await admin(running, "county.admin")
    answer = device.create(_plain(await running.passkeys.adding(other, MARK)))
    assert await cause(running.passkeys.add(other, answer, "mine now", MARK)) == "known"
    assert await running.passkeys.remove(other.id, websafe_encode(device.id)) is False
    assert len(await running.passkeys.of_account(account.id)) == 1


@pytest.mark.parametrize(
    "junk",
    ["", "null", "[]", "{}", '{"id":1}', '{"id":"a","rawId":"a","type":"public-key","response":{}}',
     '{"id":"YQ","rawId":"YQ","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AA",'
     '"signature":"AA"}}', "[" * 5000, "x" * 20_000],
)  # fmt: skip
async def test_a_malformed_answer_is_an_error_page_never_a_fault(running: Gate, junk: str) -> None:
    async with Visitor(running.url) as visitor:
        fields = (await visitor.get("/sign-in/local")).hidden
        page = await visitor.post("/sign-in/passkey", fields | {"credential": junk})
        assert page.status == 403
        assert "PASSKEY_REFUSED" in page.text


async def test_login_csrf_a_challenge_and_a_passkey_want_the_forms_token(running: Gate) -> None:
    async with Visitor(running.url) as visitor:
        for path in ("/sign-in/passkey/begin", "/sign-in/passkey", "/account/passkeys/begin"):
            assert (await visitor.post(path, {"i": "", "csrf": "0" * 64})).status == 403
        fields = (await visitor.get("/sign-in/local")).hidden
        assert (await visitor.post("/sign-in/passkey/begin", fields)).status == 200


async def test_passkeys_are_changed_only_shortly_after_a_sign_in_with_the_own_account(running: Gate) -> None:
    await admin(running)
    async with Visitor(running.url) as visitor:
        assert (await visitor.get("/account/passkeys")).location == "/sign-in/local"
        form = (await visitor.get("/sign-in/local")).hidden
        await visitor.post("/sign-in/local", form | {"login": "city.admin", "password": GOOD})
        page = await visitor.get("/account/passkeys")
        csrf = page.text.partition('name="csrf" value="')[2].partition('"')[0]
        assert (await visitor.post("/account/passkeys/begin", {"csrf": csrf})).status == 200
        running.clock.at += 601
        assert (await visitor.post("/account/passkeys/begin", {"csrf": csrf})).status == 403
        assert "重新登录" in (await visitor.get("/account/passkeys")).text


@pytest.mark.parametrize(
    ("issuer", "can"),
    [("https://hub.edu.example", True), ("http://localhost:8000", True), ("http://127.0.0.1:8000", False),
     ("https://192.0.2.1", False), ("http://hub.edu.example", False), ("https://[2001:db8::1]", False)],
)  # fmt: skip
async def test_there_are_passkeys_only_where_browsers_have_them(mongo: Mongo, issuer: str, can: bool) -> None:
    assert Passkeys(MongoStore(mongo), lambda: 0.0, KEY, issuer=issuer).available is can


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        await chromium.close()


async def with_authenticator(page: Page) -> None:
    """A device that verifies its user, keeps what it is asked to, and needs no finger."""
    tools = await page.context.new_cdp_session(page)
    await tools.send("WebAuthn.enable")
    await tools.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
                "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True,
            }
        },
    )  # fmt: skip


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")
async def test_in_chromium_an_administrator_adds_a_passkey_and_signs_in_with_it(
    running: Gate, browser: Browser
) -> None:
    account = await admin(running)
    page = await browser.new_page(locale="zh-CN")
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if "Security Policy" in said.text else None)
    await with_authenticator(page)
    await page.goto(f"{running.url}/sign-in/local")
    await page.get_by_label("登录名").fill("city.admin")
    await page.get_by_label("密码").fill(GOOD)
    await page.get_by_role("button", name="登录", exact=True).click()
    await page.wait_for_url("**/account")
    await page.goto(f"{running.url}/account/passkeys")
    await page.get_by_label("给它起个名字").fill("办公室电脑")
    await page.get_by_role("button", name="添加通行密钥").click()
    await page.get_by_text("办公室电脑").wait_for()
    await page.context.clear_cookies(name="rt-session")
    begun = await running.begin(next(each["value"] for each in await page.context.cookies()
                                     if each["name"] == "rt-browser"))  # fmt: skip
    await page.goto(f"{running.url}/sign-in?i={begun.id}")
    await page.get_by_role("button", name="使用通行密钥").click()
    await page.wait_for_url(f"**/oauth/authorize/resume?i={begun.id}")
    assertion, interaction, _ = running.broker.asked[-1]
    assert (assertion.sub, interaction) == (account.id, begun.id)
    assert (assertion.acr, assertion.amr) == ("urn:rongtong:acr:passkey", ("hwk", "user"))
    (kept,) = await running.passkeys.of_account(account.id)
    assert kept.used is not None
    assert faults == []
