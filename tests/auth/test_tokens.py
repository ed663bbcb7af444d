"""A token says who its holder is, for as long as it says, and to whom it was written."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from auth.errors import InvalidToken, TokenTooLarge
from auth.keys import new_signing_key
from auth.principal import Principal, RoleClaim
from auth.tokens import AccessTokens

ISSUER, AUDIENCE = "https://hub.test", "https://hub.test/graphql"
KEY = new_signing_key()
TEACHER = Principal(
    issuer=ISSUER,
    subject="county-teacher",
    level="COUNTY",
    roles=(RoleClaim("TEACHER", "371502", "3137000001", ("c-301", "c-302")), RoleClaim("GUARDIAN")),
    person_keys=("p-7",),
    children_keys=("p-8",),
    scopes=("roster.read", "activity.read"),
    purposes=("teaching",),
)


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


def tokens(**other: object) -> AccessTokens:
    settings: dict[str, object] = {"issuer": ISSUER, "audience": AUDIENCE} | other
    return AccessTokens(KEY, **settings)  # type: ignore[arg-type]


def test_a_principal_comes_back_as_it_went() -> None:
    assert tokens().verify(tokens().issue(TEACHER)) == TEACHER


def test_a_principal_prints_no_keys_of_persons() -> None:
    assert "p-7" not in repr(TEACHER)
    assert "p-8" not in repr(TEACHER)
    assert "BEGIN" not in repr(KEY)


def test_a_minute_of_clock_skew_is_forgiven_and_no_more() -> None:
    clock = Clock()
    gate = tokens(clock=clock)
    token = gate.issue(TEACHER, timedelta(minutes=5))
    clock.now += 300 + 55
    assert gate.verify(token) == TEACHER
    clock.now += 10
    with pytest.raises(InvalidToken):
        gate.verify(token)
    clock.now -= 300 + 55 + 10 + 70
    with pytest.raises(InvalidToken):
        gate.verify(token)


def test_a_token_for_another_hub_or_from_another_issuer_is_refused() -> None:
    token = tokens().issue(TEACHER)
    for other in (tokens(audience="https://other.test"), tokens(issuer="https://evil.example")):
        with pytest.raises(InvalidToken):
            other.verify(token)


def test_after_a_rotation_old_tokens_are_good_while_the_old_key_is_trusted() -> None:
    old = tokens().issue(TEACHER)
    new = new_signing_key()
    rotated = AccessTokens(new, issuer=ISSUER, audience=AUDIENCE, trusted=[KEY])
    assert rotated.verify(old) == TEACHER
    assert rotated.verify(rotated.issue(TEACHER)) == TEACHER
    with pytest.raises(InvalidToken):
        AccessTokens(new, issuer=ISSUER, audience=AUDIENCE).verify(old)


def test_a_principal_with_too_many_classes_gets_no_token_that_cannot_be_read() -> None:
    many = RoleClaim("TEACHER", class_keys=tuple(f"class-{i:05}" for i in range(400)))
    with pytest.raises(TokenTooLarge, match="4 kB"):
        tokens().issue(Principal(ISSUER, "x", "SCHOOL", (many,)))


@pytest.mark.parametrize(
    "token", ["", ".", "..", "a.b.c", "龘.龘.龘", "x" * 5000, "\x00.\x00.\x00", "e30.e30.e30"]
)
def test_garbage_is_an_invalid_token_and_nothing_else(token: str) -> None:
    with pytest.raises(InvalidToken) as refused:
        tokens().verify(token)
    assert refused.value.__cause__ is None
    assert refused.value.public == InvalidToken.public
