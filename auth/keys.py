"""The key ring: keys that sign, that will, that still verify; and secrets derived from one that stays.

Rule 1: a key is published before it signs (`next`), and verifies for the overlap after it has signed.
Rule 2: the ring's file appears whole and changes under a lock among processes only; 0600 in a 0700 folder.
Rule 3: the master secret is made once and never rotated: pairwise subjects and sealed values rest on it.
Rule 4: a key in memory is looked up by its exact `kid`; nothing of a token ever becomes a path or an address.
"""

from __future__ import annotations

import asyncio
import secrets
import stat
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from auth.errors import AuthError, KeyUnusable
from auth.key_files import LARGEST, Stamp, contents, damaged, locked, stamp, unusable, write

Algorithm = Literal["ES256", "RS256"]
RING, MASTER = "ring.json", "master.key"
MOST_KEYS = 200
"""Keys in a ring; a rotation that would need more waits for the overlap of older ones to end."""
LOOK_EVERY = 1.0
NOTICED_WITHIN = 5.0
"""Seconds after which every process has noticed a rotation; added to the overlap."""
_MOST_DERIVED = 512


class RotationRefused(AuthError):
    """The ring is not rotated now; the text says why and what to do."""

    code = "ROTATION_REFUSED"


class SealBroken(AuthError):
    """A sealed value is not ours, is another label's, or was changed."""

    code = "SEAL_BROKEN"
    public = "密封内容无效 / the sealed value is not valid"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and its name, the JWK thumbprint (RFC 7638). The key itself never prints."""

    kid: str
    key: ECKey | RSAKey = field(repr=False, compare=False)
    alg: Algorithm = "ES256"


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """A key's place in the ring; times in seconds since 1970. `until`: when a retired one ends."""

    kid: str
    alg: Algorithm
    state: Literal["next", "current", "retired"]
    made: float
    since: float = 0.0
    until: float = 0.0
    jwk: dict[str, Any]

    def __repr__(self) -> str:
        return f"Slot({self.kid}, {self.alg}, {self.state})"

    def verifies(self, now: float) -> bool:
        """Whether tokens of this key are still accepted."""
        return self.state != "retired" or now < self.until


class _File(msgspec.Struct, frozen=True, kw_only=True):
    keys: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What one reading of the file gave; replaced as a whole, so that no reader sees half of it."""

    stamp: Stamp
    slots: dict[str, Slot]
    keys: dict[str, SigningKey]

    def verifying(self, kid: str, now: float) -> SigningKey | None:
        slot = self.slots.get(kid)
        return self.keys[kid] if slot is not None and slot.verifies(now) else None

    def current(self, alg: str) -> SigningKey | None:
        signs = (s.kid for s in self.slots.values() if s.alg == alg and s.state == "current")
        return next((self.keys[kid] for kid in signs), None)

    def alive(self, now: float) -> tuple[Slot, ...]:
        order = ("next", "current", "retired")
        alive = [slot for slot in self.slots.values() if slot.verifies(now)]
        return tuple(sorted(alive, key=lambda slot: (slot.alg, order.index(slot.state), -slot.since)))


class KeyRing:
    """The ring in one folder, shared by all processes of the hub.

    What is loaded answers at once, without waiting: `signing`, `find`, `public`, `derived`, `seal`. Other
    processes' rotations are noticed by `refreshed` (or `watch`), and by `find` when a kid is not known.
    """

    def __init__(self, folder: Path, master: bytes, *, overlap: float, clock: Callable[[], float]) -> None:
        """Use `KeyRing.open`."""
        self._folder, self._path, self._master = folder, folder / RING, master
        self._overlap, self._clock = overlap, clock
        self._derived: dict[tuple[str, int], bytes] = {}
        self._looked, self._failed = time.monotonic(), -LOOK_EVERY
        self._loaded = _read(self._path, {})

    @classmethod
    def open(
        cls, folder: Path, *, overlap: float = 86400.0, clock: Callable[[], float] = time.time
    ) -> KeyRing:
        """The ring in `folder`, made when missing. Blocking: call it before serving, or in a thread.

        `overlap`: seconds that a retired key verifies. Of several processes starting at once all get the
        same keys. Raises `KeyUnusable` when a file is damaged, or others may read or replace it.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if stat.S_IMODE(folder.stat().st_mode) & 0o022:
            raise unusable(folder, "他人可写，请执行 chmod 700", "can be written by others: chmod 700 it")
        with locked(folder):
            if not (folder / RING).exists():
                if not (folder / MASTER).exists():
                    write(folder / MASTER, secrets.token_hex(32).encode("ascii"))
                _save(folder / RING, _founded("ES256", clock()))
        return cls(folder, _master(folder / MASTER), overlap=overlap, clock=clock)

    def slots(self) -> tuple[Slot, ...]:
        """What is loaded: every key that verifies, next and current first."""
        return self._loaded.alive(self._clock())

    def signing(self, alg: Algorithm = "ES256") -> SigningKey:
        """The key that signs now. The first RS256 key is made here when nobody made it: that takes a
        moment, so have `ensured` make it where a loop runs."""
        found = self._loaded.current(alg)
        if found is None:
            self.make(alg)
            found = self._loaded.current(alg)
            assert found is not None, "made a moment ago"
        return found

    async def ensured(self, alg: Algorithm) -> SigningKey:
        """The key that signs now; made in a thread if this algorithm has none."""
        if self._loaded.current(alg) is None:
            await asyncio.to_thread(self.make, alg)
        return self.signing(alg)

    def find(self, kid: str) -> SigningKey | None:
        """The key of this name, if its signatures are accepted. One that is not known makes us look whether
        the file has changed (a `stat`); it is read again only if so, hence no flood of names reads it."""
        found = self._loaded.verifying(kid, self._clock())
        if found is None and kid not in self._loaded.slots and self._changed():
            self._reload()
            found = self._loaded.verifying(kid, self._clock())
        return found

    def public(self) -> dict[str, Any]:
        """The JWK Set to publish (RFC 7517): next, current and still verifying keys, public parts only."""
        loaded = self._loaded
        return {"keys": [_public(loaded.keys[slot.kid]) for slot in loaded.alive(self._clock())]}

    async def refreshed(self) -> None:
        """Take over what other processes did; looks at most once a second. A damaged file changes nothing."""
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY:
            return
        self._looked = now
        if self._changed():
            await asyncio.to_thread(self._reload)

    async def watch(self) -> None:
        """Call `refreshed` every second until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self.refreshed()

    def make(self, alg: Algorithm) -> None:
        """Have keys of this algorithm in the ring. Blocking; once, however many processes ask."""
        with locked(self._folder):
            self._load()
            if self._loaded.current(alg) is None:
                _save(self._path, (*self._loaded.slots.values(), *_founded(alg, self._clock())))
                self._load()

    def rotate(self, *, published_for: float = 0.0) -> None:
        """Next becomes current, current retires for the overlap, and a new next is published. Blocking.

        Raises `RotationRefused` when a next key has been published for less than `published_for` seconds,
        or the ring is full of keys that must still verify.
        """
        with locked(self._folder):
            self._load()
            now = self._clock()
            kept = [slot for slot in self._loaded.slots.values() if slot.verifies(now)]
            _check_ripe(kept, now, published_for)
            turned = [_turned(slot, now, now + self._overlap + NOTICED_WITHIN) for slot in kept]
            fresh = [_slot(slot.alg, "next", now) for slot in kept if slot.state == "next"]
            _save(self._path, (*fresh, *turned))
            self._load()

    def derived(self, label: str, length: int = 32) -> bytes:
        """A secret of `length` bytes for one purpose, the same in every process and for ever (RFC 5869)."""
        found = self._derived.get((label, length))
        if found is None:
            if len(self._derived) >= _MOST_DERIVED:
                self._derived.clear()
            kdf = HKDF(algorithm=SHA256(), length=length, salt=None, info=b"rongtong:" + label.encode())
            found = self._derived[label, length] = kdf.derive(self._master)
        return found

    def seal(self, label: str, value: bytes) -> str:
        """`value` encrypted and authenticated for one label (AES-256-GCM, random nonce), as URL-safe text."""
        nonce = secrets.token_bytes(12)
        sealed = nonce + AESGCM(self.derived(f"seal:{label}")).encrypt(nonce, value, label.encode())
        return urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii")

    def open_sealed(self, label: str, text: str) -> bytes:
        """What was sealed under this label. Raises `SealBroken` for anything else."""
        try:
            sealed = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
            return AESGCM(self.derived(f"seal:{label}")).decrypt(sealed[:12], sealed[12:], label.encode())
        except (ValueError, InvalidTag):
            raise SealBroken from None

    def _reload(self) -> None:
        try:
            self._load()
        except KeyUnusable:
            self._failed = time.monotonic()

    def _changed(self) -> bool:
        """Whether there is something new to read; what was damaged is tried again after a second."""
        if time.monotonic() - self._failed < LOOK_EVERY:
            return False
        try:
            return stamp(self._path.stat()) != self._loaded.stamp
        except OSError:
            return False

    def _load(self) -> None:
        self._loaded = _read(self._path, self._loaded.keys)


def _founded(alg: Algorithm, now: float) -> tuple[Slot, Slot]:
    return _slot(alg, "next", now), msgspec.structs.replace(_slot(alg, "current", now), since=now)


def _slot(alg: Algorithm, state: Literal["next", "current"], now: float) -> Slot:
    key = ECKey.generate_key("P-256") if alg == "ES256" else RSAKey.generate_key(2048)
    return Slot(kid=key.thumbprint(), alg=alg, state=state, made=now, jwk=dict(key.as_dict(private=True)))


def _turned(slot: Slot, now: float, until: float) -> Slot:
    if slot.state == "next":
        return msgspec.structs.replace(slot, state="current", since=now)
    if slot.state == "current":
        return msgspec.structs.replace(slot, state="retired", until=until)
    return slot


def _check_ripe(slots: Sequence[Slot], now: float, published_for: float) -> None:
    youngest = max((slot.made for slot in slots if slot.state == "next"), default=now)
    if (wait := youngest + published_for - now) > 0:
        raise RotationRefused(
            f"下一把密钥公布不久，依赖方可能还不认识它：请 {wait:.0f} 秒后再来，或用 --now / the next key "
            f"was published a moment ago and peers may not know it: come back in {wait:.0f} s, or use --now"
        )
    if len(slots) + 2 > MOST_KEYS:
        raise RotationRefused(
            "仍须验证的旧密钥过多，请等其重叠期结束 / too many keys must still verify: wait for their overlap"
        )


def _public(key: SigningKey) -> dict[str, Any]:
    return {**key.key.as_dict(private=False), "kid": key.kid, "alg": key.alg, "use": "sig"}


def _imported(path: Path, slot: Slot) -> SigningKey:
    try:
        kind = ECKey if slot.alg == "ES256" else RSAKey
        key = kind.import_key(slot.jwk)
        fits = key.curve_name == "P-256" if isinstance(key, ECKey) else slot.alg == "RS256"
        if fits and key.is_private and key.thumbprint() == slot.kid:
            return SigningKey(slot.kid, key, slot.alg)
    except (JoseError, ValueError, TypeError, KeyError):
        pass  # the cause may quote the key
    raise damaged(path)


def _read(path: Path, known: Mapping[str, SigningKey]) -> _Loaded:
    """The ring as its file has it. Keys that are known by name already are not imported again."""
    seen, content = contents(path)
    try:
        slots = {slot.kid: slot for slot in msgspec.json.decode(content, type=_File).keys}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise damaged(path) from None  # the cause may quote the key
    signs = [slot for slot in slots.values() if slot.alg == "ES256" and slot.state == "current"]
    if len(content) > LARGEST or len(signs) != 1:
        raise damaged(path)
    keys = {kid: known.get(kid) or _imported(path, slot) for kid, slot in slots.items()}
    return _Loaded(seen, slots, keys)


def _master(path: Path) -> bytes:
    text = contents(path)[1]
    try:
        master = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        raise damaged(path) from None
    if len(master) != 32:
        raise damaged(path)
    return master


def _save(path: Path, slots: Sequence[Slot]) -> None:
    write(path, msgspec.json.encode(_File(keys=tuple(slots))))
