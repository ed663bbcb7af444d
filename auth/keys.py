"""The signing key: one ES256 key in a file that only its owner reads, made on first use."""

from __future__ import annotations

import json
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from auth.errors import KeyUnusable

_LARGEST = 4096


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A P-256 key and its name, the JWK thumbprint (RFC 7638). The key itself never prints."""

    kid: str
    key: ECKey = field(repr=False, compare=False)


def new_signing_key() -> SigningKey:
    """A fresh key, kept nowhere."""
    return _named(ECKey.generate_key("P-256"))


def load_or_make(folder: Path, name: str = "signing-key.json") -> SigningKey:
    """The key kept in `folder/name` (mode 0600), made when missing. Blocking: call it before serving.

    Of several processes starting at once all get the same key: the file appears whole, by `link`,
    and only the first one's. Raises KeyUnusable when the file is damaged or others may read it.
    """
    path = folder / name
    if not path.exists():
        _make(path)
    return _load(path)


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(new_signing_key().key.as_dict(private=True), file)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return  # another process was first: its key is the key
    finally:
        draft.unlink(missing_ok=True)


def _load(path: Path) -> SigningKey:
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError as error:
        raise _unusable(path, "打不开", "cannot be opened") from error
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode) or stat.S_IMODE(mode) & 0o077:
            raise _unusable(path, "他人可读，请执行 chmod 600", "is open to others: chmod 600 it")
        content = file.read(_LARGEST + 1)
    return _parse(path, content)


def _parse(path: Path, content: bytes) -> SigningKey:
    damaged = _unusable(path, "已损坏，请移走后重启", "is damaged: move it away and start again")
    if len(content) > _LARGEST:
        raise damaged
    try:
        key = ECKey.import_key(json.loads(content))
        if not key.is_private or key.curve_name != "P-256":
            raise damaged
        return _named(key)
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        raise damaged from None  # the cause may quote the key


def _named(key: ECKey) -> SigningKey:
    return SigningKey(kid=key.thumbprint(), key=key)


def _unusable(path: Path, chinese: str, english: str) -> KeyUnusable:
    return KeyUnusable(f"签名密钥文件 {path.name} {chinese} / the signing key file {path.name} {english}")
