"""No tongue's options tell a secret, however they are shown."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from connectors.base import SECRET, Options
from connectors.catalog import TONGUES, tongue

SOUND = {"base_url": "https://source.example.invalid", "url": "postgresql://reader@db.example.invalid/data"}
HIDDEN = "not-to-be-seen"
PLAIN = frozenset({"api_key_header", "token_url", "token_life"})


def options_of(protocol: str) -> type[Options]:
    return tongue(protocol).options


def filled(protocol: str) -> Options:
    """Options with every secret set, and whatever else cannot be left out."""
    told: dict[str, Any] = {}
    for field in msgspec.structs.fields(options_of(protocol)):
        if field.name.endswith(SECRET):
            told[field.name] = f"{HIDDEN}-{field.name}"
        elif field.required or field.name == "base_url":
            told[field.name] = SOUND.get(field.name, "plain")
    return msgspec.convert(told, options_of(protocol))


@pytest.mark.parametrize("protocol", TONGUES)
def test_a_secret_is_told_by_no_way_of_showing_options(protocol: str) -> None:
    options = filled(protocol)
    shown = [repr(options), str(options), f"{options}", f"{[options]!r}", repr(options.__rich_repr__())]
    assert not any(HIDDEN in one for one in shown)
    assert all(type(options).__name__ in one for one in shown[:4])


@pytest.mark.parametrize("protocol", TONGUES)
def test_what_is_no_secret_is_shown_and_a_secret_that_is_missing_too(protocol: str) -> None:
    options = filled(protocol)
    told = dict(options.shown())
    for name in options.__struct_fields__:
        assert told[name] == ("…" if name.endswith(SECRET) else getattr(options, name))
        if name.endswith(SECRET) and name != "app_key":
            assert dict(msgspec.structs.replace(options, **{name: ""}).shown())[name] == ""


@pytest.mark.parametrize("protocol", TONGUES)
def test_every_option_that_sounds_like_a_secret_is_named_as_one(protocol: str) -> None:
    sounding = re.compile(r"secret|passw|token|credential|(^|_)key")
    for name in options_of(protocol).__struct_fields__:
        if sounding.search(name) and name not in PLAIN:
            assert name.endswith(SECRET), name
