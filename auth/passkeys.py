"""Passkeys of the hub's own accounts (WebAuthn Level 2), verified by Yubico's library.

Rule 1: a challenge is for one browser, one use and five minutes: made by HMAC, so that asking for one keeps
nothing, and used up in the store before anything else is looked at.
Rule 2: the origin is exactly the issuer's, the user is verified, credentials are discoverable.
Rule 3: a counter that does not grow is a copied key: refused, and the account is not told apart.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from fido2.server import Fido2Server
from fido2.utils import websafe_encode
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from auth.documents import Kept, kept_as
from auth.errors import AuthError, Taken
from auth.local import LocalAccount
from auth.ports import Audit
from auth.store import IndexSpec, Store, expiring, kept

COLLECTION, USED = "auth_passkeys", "auth_passkey_challenges"
INDEXES: tuple[IndexSpec, ...] = (IndexSpec(COLLECTION, (("account", 1),)), expiring(USED))
LIFE = timedelta(minutes=5)
MOST = 20
"""Passkeys of one account."""
_REQUIRED = UserVerificationRequirement.REQUIRED


class PasskeyRefused(AuthError):
    """The passkey proves nothing. One text for every cause; `cause` is for tests and logs, without values."""

    code = "PASSKEY_REFUSED"
    public = (
        "通行密钥无法确认，请重试或换一种方式 / "
        "the passkey could not be confirmed: try again, or use another way"
    )
    status = 403

    def __init__(self, cause: str) -> None:
        super().__init__()
        self.cause = cause


class Passkey(Kept, frozen=True, kw_only=True):
    """One credential: `id` as its authenticator chose it (base64url), `credential` its key (COSE)."""

    account: str
    name: str
    credential: bytes
    count: int
    created: datetime
    used: datetime | None = None


class Passkeys:
    """Keeps and checks them. `key` makes challenges. `available`: the issuer has a name and https (or is
    localhost), else there can be none (WebAuthn §5.1.3)."""

    def __init__(
        self, store: Store, clock: Callable[[], float], key: bytes, *, issuer: str,
        hub_name: str = "融通 Rongtong", audit: Audit | None = None,
    ) -> None:  # fmt: skip
        self._kept, self._used = store.collection(COLLECTION), store.collection(USED)
        self._clock, self._key, self._audit = clock, key, audit
        parts = urlsplit(issuer)
        host, origin = parts.hostname or "", f"{parts.scheme}://{parts.netloc}".lower()
        self.available = _can_have_any(parts.scheme, host)
        self._server = Fido2Server(
            PublicKeyCredentialRpEntity(name=hub_name, id=host or "none.invalid"),
            verify_origin=lambda claimed: claimed == origin,
        )

    async def adding(self, account: LocalAccount, mark: str) -> dict[str, Any]:
        """What the browser needs to make one: `{"publicKey": …}`."""
        held = [AttestedCredentialData(each.credential) for each in await self.of_account(account.id)]
        options, _ = self._server.register_begin(
            PublicKeyCredentialUserEntity(
                id=account.id.encode(), name=account.login, display_name=account.name or account.login
            ),
            held,
            resident_key_requirement=ResidentKeyRequirement.REQUIRED,
            user_verification=_REQUIRED,
            challenge=self._challenge(mark, f"add:{account.id}"),
        )
        return dict(options)

    async def add(self, account: LocalAccount, response: Mapping[str, Any], name: str, mark: str) -> Passkey:
        """Keep the one just made. Raises `PasskeyRefused`."""
        try:
            registration = RegistrationResponse.from_dict(response)
            client_data = registration.response.client_data
        except Exception as error:  # whatever a stranger's bytes do to the parser
            raise PasskeyRefused("malformed") from error
        await self._use_up(client_data.challenge, mark, f"add:{account.id}")
        made = self._checked(client_data, lambda state: self._server.register_complete(state, registration))
        assert made.credential_data is not None, "register_complete has seen it"
        if len(await self.of_account(account.id)) >= MOST:
            raise PasskeyRefused("too-many")
        passkey = Passkey(
            id=websafe_encode(made.credential_data.credential_id), account=account.id,
            name=name.strip()[:40] or "—", credential=bytes(made.credential_data), count=made.counter,
            created=self._now(),
        )  # fmt: skip
        try:
            await self._kept.insert_one(passkey.document())
        except Taken:  # also another account's: its owner keeps it
            raise PasskeyRefused("known") from None
        await self._note("passkey.added", account.id)
        return passkey

    def asking(self, mark: str) -> dict[str, Any]:
        """What the browser needs to use one, whosever it is: `{"publicKey": …}`."""
        options, _ = self._server.authenticate_begin(
            user_verification=_REQUIRED, challenge=self._challenge(mark, "use")
        )
        return dict(options)

    async def proven(self, response: Mapping[str, Any], mark: str) -> str:
        """The `sub` of the own account that the passkey proves. Raises `PasskeyRefused`."""
        try:
            answer = AuthenticationResponse.from_dict(response)
            client_data, data = answer.response.client_data, answer.response.authenticator_data
            id, handle = websafe_encode(answer.raw_id), answer.response.user_handle
        except Exception as error:  # whatever a stranger's bytes do to the parser
            raise PasskeyRefused("malformed") from error
        await self._use_up(client_data.challenge, mark, "use")
        found = await self._kept.find_one({"_id": {"$eq": id}})
        if found is None:
            raise PasskeyRefused("unknown")
        passkey = kept_as(Passkey, found)
        held = [AttestedCredentialData(passkey.credential)]
        self._checked(client_data, lambda state: self._server.authenticate_complete(state, held, answer))
        if handle != passkey.account.encode():
            raise PasskeyRefused("foreign-handle")
        await self._count(passkey, data.counter)
        return passkey.account

    async def of_account(self, account: str) -> list[Passkey]:
        """An account's passkeys, the oldest first."""
        found = await self._kept.find({"account": {"$eq": account}}, limit=MOST, order=[("created", 1)])
        return [kept_as(Passkey, each) for each in found]

    async def remove(self, account: str, id: str) -> bool:
        """Forget one of the account's own; whether there was one."""
        gone = await self._kept.delete_one({"_id": {"$eq": id}, "account": {"$eq": account}})
        if gone:
            await self._note("passkey.removed", account)
        return bool(gone)

    async def _count(self, passkey: Passkey, count: int) -> None:
        """WebAuthn §7.2 step 22: all zero means the authenticator does not count. One atomic step."""
        grown: dict[str, Any] = {"$lt": count} if count else {"$eq": 0}
        done = await self._kept.update_one(
            {"_id": {"$eq": passkey.id}, "count": grown}, {"$set": {"count": count, "used": self._now()}}
        )
        if not done:
            await self._note("passkey.copied", passkey.account)
            raise PasskeyRefused("counter")

    def _checked(self, client_data: Any, check: Callable[[dict[str, Any]], Any]) -> Any:
        state = {"challenge": websafe_encode(client_data.challenge), "user_verification": _REQUIRED}
        if client_data.cross_origin:
            raise PasskeyRefused("cross-origin")
        try:
            return check(state)
        except Exception as error:  # also what its parser and the cryptography below it raise
            raise PasskeyRefused("unproven") from error

    def _challenge(self, mark: str, purpose: str) -> bytes:
        until = int((self._now() + LIFE).timestamp())
        head = secrets.token_bytes(16) + until.to_bytes(8, "big")
        return head + self._mac(head, mark, purpose)

    async def _use_up(self, challenge: bytes, mark: str, purpose: str) -> None:
        head, mac = challenge[:24], challenge[24:]
        if not mark or not hmac.compare_digest(mac, self._mac(head, mark, purpose)):
            raise PasskeyRefused("challenge")
        until = datetime.fromtimestamp(int.from_bytes(head[16:], "big"), UTC)
        if until < self._now():
            raise PasskeyRefused("late")
        try:
            await self._used.insert_one({"_id": kept(challenge.hex()), "expires": until + LIFE})
        except Taken:
            raise PasskeyRefused("replayed") from None

    def _mac(self, head: bytes, mark: str, purpose: str) -> bytes:
        return hmac.digest(self._key, b"\0".join((head, purpose.encode(), mark.encode())), hashlib.sha256)

    async def _note(self, event: str, account: str) -> None:
        if self._audit is not None:
            await self._audit.note(event, account=account)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _can_have_any(scheme: str, host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return bool(host) and (scheme == "https" or host == "localhost")
    return False
