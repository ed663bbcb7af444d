"""`rongtong keys`: the signing keys, and their rotation, which every running process takes up by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from auth.keys import KeyRing, Slot
from auth.provider.discovery import KEYS_AGE
from hub.app import key_ring
from hub.cli.say import dumps, table
from hub.settings import load

PUBLISHED_FOR = 2.0 * KEYS_AGE
"""Seconds that a key is published before it signs: twice as long as others may keep our key set."""


def show(config: Path, as_json: bool) -> None:
    """`rongtong keys list`: every key that still verifies; private parts are never shown."""
    _tell(key_ring(load(config)), as_json)


def rotate(config: Path, now: bool, as_json: bool) -> None:
    """`rongtong keys rotate`: raises `RotationRefused` while the next key is too young, unless `now`."""
    ring = key_ring(load(config))
    ring.rotate(published_for=0.0 if now else PUBLISHED_FOR)
    _tell(ring, as_json)


def _tell(ring: KeyRing, as_json: bool) -> None:
    slots = ring.slots()
    if as_json:
        print(dumps({"keys": [_values(slot) for slot in slots]}))
        return
    rows = [(s.kid, s.alg, STATES[s.state], _at(s.made), _at(s.since), _at(s.until)) for s in slots]
    table("签名密钥 / signing keys", ("kid", "alg", "状态", "生成", "启用", "验证至"), rows)


STATES = {"next": "待用 / next", "current": "在用 / current", "retired": "已停用 / retired"}


def _values(slot: Slot) -> dict[str, str]:
    times = {"made": slot.made, "signs_since": slot.since, "verifies_until": slot.until}
    said = {"kid": slot.kid, "alg": slot.alg, "state": slot.state}
    return said | {name: _at(time) for name, time in times.items() if time}


def _at(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds") if time else ""
