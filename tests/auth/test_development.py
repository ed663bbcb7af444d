"""The stand-in for sign-on says what it is, and stays out of production."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

import pytest

from auth.development import DevelopmentIdentity, DevelopmentIdentityWarning
from auth.errors import InvalidToken, ProductionRefused, UnknownPersona
from auth.keys import KeyRing
from auth.tokens import NO_CLIENT, AccessTokens

PERSONAS: dict[str, dict[str, Any]] = {
    "teacher": {
        "subject": "demo-teacher",
        "level": "COUNTY",
        "roles": [{"role": "TEACHER", "region_code": "371502", "class_keys": ["c-301"]}],
        "person_keys": ["p-7"],
    },
    "stranger": {"subject": "demo-stranger", "level": "MUNICIPAL"},
}


def gate() -> AccessTokens:
    with tempfile.TemporaryDirectory() as folder:
        ring = KeyRing.open(Path(folder))
    return AccessTokens(ring, issuer="https://demo.test", audience="https://demo.test/graphql")


def build() -> DevelopmentIdentity:
    with pytest.warns(DevelopmentIdentityWarning, match="开发身份"):
        return DevelopmentIdentity(PERSONAS, gate(), production=False)


def test_it_warns_and_logs_when_it_is_built(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="auth.development"):
        build()
    assert "开发身份" in caplog.text


def test_it_refuses_to_start_in_production() -> None:
    with pytest.raises(ProductionRefused, match="production"):
        DevelopmentIdentity(PERSONAS, gate(), production=True)


def test_the_teachers_token_is_the_teachers() -> None:
    identity = build()
    assert identity.names == ("teacher", "stranger")
    principal = identity.verify(identity.token("teacher"))
    assert principal == identity.principal("teacher")
    assert principal.issuer == "https://demo.test"
    assert principal.client_id == NO_CLIENT
    assert principal.roles[0].class_keys == ("c-301",)


def test_another_demos_token_is_refused() -> None:
    with pytest.raises(InvalidToken):
        build().verify(build().token("teacher"))


def test_a_misspelt_persona_is_met_with_the_right_spelling() -> None:
    with pytest.raises(UnknownPersona, match="did you mean teacher"):
        build().token("techer")


@pytest.mark.parametrize(
    "wrong",
    [{"level": "COUNTY"}, {"subject": "x", "level": "C", "admin": True}, {"subject": 1, "level": "C"},
     {"subject": "x", "level": "C", "roles": ["TEACHER"]}, {"subject": "x", "level": "C", "scopes": "a"}],
)  # fmt: skip
def test_a_persona_with_wrong_data_is_refused_at_once(wrong: dict[str, object]) -> None:
    with pytest.warns(DevelopmentIdentityWarning), pytest.raises(ValueError):
        DevelopmentIdentity({"x": wrong}, gate(), production=False)
