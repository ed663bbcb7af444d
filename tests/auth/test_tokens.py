"""A token says who its holder is, for as long as it says, to whom it was written, and nothing besides."""

from __future__ import annotations

import base64
import json
import time
import uuid
import zlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from joserfc import jws, jwt

from auth.errors import InvalidToken, TokenTooLarge
from auth.keys import KeyRing
from auth.principal import Principal, RoleClaim
from auth.tokens import AccessTokens

ISSUER, AUDIENCE = "https://hub.test", "https://hub.test/graphql"
TEACHER = Principal(
    issuer=ISSUER,
    subject="pairwise-of-the-county-teacher",
    level="COUNTY",
    roles=(RoleClaim("TEACHER", "371502", "3137000001", ("c-301", "c-302")), RoleClaim("GUARDIAN")),
    person="P-1",
    person_keys=("roster:p-7", f"roster:{uuid.UUID(int=7)}", f"UPPER:{str(uuid.UUID(int=10**38)).upper()}"),
    children_keys=("roster:p-8",),
    scopes=("openid", "graph.activity"),
    purposes=("teaching",),
    client_id="gradebook",
    first_party=True,
    session="S-1",
    jkt="thumbprint",
    acr="urn:rongtong:acr:face-verified",
    auth_time=1_800_000_000,
)


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing.open(tmp_path / "keys")


def gate(ring: KeyRing, **other: Any) -> AccessTokens:
    settings: dict[str, Any] = {"issuer": ISSUER, "audience": AUDIENCE} | other
    return AccessTokens(ring, **settings)


def payload(token: str) -> dict[str, Any]:
    content = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)))
    return found


def resigned(ring: KeyRing, header: dict[str, Any], claims: dict[str, Any], alg: str = "ES256") -> str:
    """A token whose signature is right, whatever it says."""
    key = ring.signing("RS256" if alg == "RS256" else "ES256")
    registry = jws.JWSRegistry(algorithms=[alg], strict_check_header=False)
    return jwt.encode(
        {"alg": alg, "kid": key.kid, "typ": "at+jwt"} | header, claims, key.key, registry=registry
    )


def test_a_principal_comes_back_as_it_went_also_from_memory(ring: KeyRing) -> None:
    token = gate(ring).issue(TEACHER)
    reader = gate(ring)
    assert reader.verify(token) == TEACHER
    assert reader.verify(token) == TEACHER


def test_whoever_reads_a_token_learns_nothing_about_the_person(ring: KeyRing) -> None:
    token = gate(ring).issue(TEACHER, family="F-1")
    claims = payload(token)
    assert claims.keys() == {
        "iss", "sub", "aud", "client_id", "iat", "exp", "jti", "scope", "acr", "auth_time", "cnf", "ctx",
    }  # fmt: skip
    assert (claims["sub"], claims["scope"]) == ("pairwise-of-the-county-teacher", "openid graph.activity")
    assert claims["cnf"] == {"jkt": "thumbprint"}
    text = base64.urlsafe_b64decode(claims["ctx"] + "==") + json.dumps(claims).encode()
    for secret in (b"P-1", b"S-1", b"F-1", b"p-7", b"p-8", b"c-301", b"TEACHER", b"371502", b"teaching"):
        assert secret not in text


def test_a_token_tells_introspection_its_family_number_and_times(ring: KeyRing) -> None:
    clock = Clock()
    keeper = gate(ring, clock=clock)
    token = keeper.issue(TEACHER, timedelta(minutes=5), family="F-1")
    opened, claims = keeper.opened(token), payload(token)
    assert (opened.family, opened.jti, opened.expires) == ("F-1", claims["jti"], claims["exp"])
    assert (opened.issued, opened.kid) == (int(clock.now), ring.signing().kid)
    assert "F-1" not in repr(opened)


def test_a_principal_prints_no_keys_of_persons(ring: KeyRing) -> None:
    assert "p-7" not in repr(TEACHER)
    assert "p-8" not in repr(TEACHER)
    assert "BEGIN" not in repr(ring.signing())


@pytest.mark.parametrize("remembered", [False, True])
def test_a_minute_of_clock_skew_is_forgiven_and_no_more(ring: KeyRing, remembered: bool) -> None:
    clock = Clock()
    reader = gate(ring, clock=clock)
    token = reader.issue(TEACHER, timedelta(minutes=5))
    if remembered:
        assert reader.verify(token) == TEACHER
    clock.now += 300 + 55
    assert reader.verify(token) == TEACHER
    clock.now += 10
    with pytest.raises(InvalidToken):
        reader.verify(token)
    clock.now -= 300 + 55 + 10 + 70
    with pytest.raises(InvalidToken):
        reader.verify(token)


def test_a_token_for_another_hub_or_from_another_issuer_is_refused(ring: KeyRing) -> None:
    token = gate(ring).issue(TEACHER)
    for other in (gate(ring, audience="https://other.test"), gate(ring, issuer="https://evil.example")):
        with pytest.raises(InvalidToken):
            other.verify(token)


def test_a_remembered_token_ends_with_the_overlap_of_its_key(tmp_path: Path) -> None:
    clock = Clock()
    ring = KeyRing.open(tmp_path, overlap=600, clock=clock)
    keeper = gate(ring, clock=clock)
    token = keeper.issue(TEACHER, timedelta(hours=12))
    ring.rotate()
    clock.now += 599
    assert keeper.verify(token) == TEACHER
    clock.now += 10
    with pytest.raises(InvalidToken):
        keeper.verify(token)


@pytest.mark.parametrize("key", ["c371502-roster:class-{:05}", "c371502-roster:{}", "{}"])
def test_two_hundred_classes_fit_into_a_token(ring: KeyRing, key: str) -> None:
    names = range(200) if "05" in key else [uuid.uuid4() for _ in range(200)]
    many = RoleClaim("TEACHER", "371502", "3137000001", tuple(key.format(name) for name in names))
    teacher = Principal(ISSUER, "x" * 43, "SCHOOL", (many,), client_id="gradebook")
    token = gate(ring).issue(teacher)
    assert len(token) <= 8192
    assert gate(ring).verify(token) == teacher


def test_a_principal_with_too_many_classes_gets_no_token_that_cannot_be_read(ring: KeyRing) -> None:
    many = RoleClaim("TEACHER", class_keys=tuple(str(uuid.uuid4()) for _ in range(400)))
    with pytest.raises(TokenTooLarge, match="8 kB"):
        gate(ring).issue(Principal(ISSUER, "x", "SCHOOL", (many,)))


def test_token_type_confusion_an_id_token_or_a_logout_token_is_no_access_token(ring: KeyRing) -> None:
    claims = payload(gate(ring).issue(TEACHER))
    for kind in ("JWT", "logout+jwt", "dpop+jwt", "", "at+jwt "):
        with pytest.raises(InvalidToken):
            gate(ring).verify(resigned(ring, {"typ": kind}, claims))
    assert gate(ring).verify(resigned(ring, {"typ": "application/AT+JWT"}, claims)) == TEACHER


def test_algorithm_confusion_a_signature_of_our_own_other_key_is_refused(ring: KeyRing) -> None:
    claims = payload(gate(ring).issue(TEACHER))
    with pytest.raises(InvalidToken):
        gate(ring).verify(resigned(ring, {}, claims, alg="RS256"))
    with pytest.raises(InvalidToken):
        gate(ring).verify(resigned(ring, {"kid": ring.signing("RS256").kid}, claims))


@pytest.mark.parametrize(
    "header",
    [{"jwk": {}}, {"jku": "https://evil.example"}, {"x5u": "https://evil.example"}, {"crit": ["kid"]},
     {"cty": "JWT"}, {"kid": "../../dev/null"}, {"kid": "' OR 1=1"}],
)  # fmt: skip
def test_a_header_with_more_than_it_needs_is_refused(ring: KeyRing, header: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        gate(ring).verify(resigned(ring, header, payload(gate(ring).issue(TEACHER))))


@pytest.mark.parametrize(
    "change",
    [{"sub": ""}, {"sub": 7}, {"exp": "9999999999"}, {"exp": None}, {"aud": ["x", AUDIENCE]},
     {"scope": ["a"]}, {"jti": ""}, {"iat": 99999999999}, {"cnf": {"jkt": 1}}, {"ctx": ""}, {"ctx": "AAAA"},
     {"client_id": None}],
)  # fmt: skip
def test_claims_that_are_wrong_are_refused_though_we_signed_them(
    ring: KeyRing, change: dict[str, Any]
) -> None:
    claims = payload(gate(ring).issue(TEACHER)) | change
    with pytest.raises(InvalidToken):
        gate(ring).verify(resigned(ring, {}, claims))


def test_a_context_that_inflates_without_end_is_not_inflated(ring: KeyRing) -> None:
    bomb = zlib.compress(msgspec.msgpack.encode(["x" * 1_000_000, "", "", "", [], [], [], []]), wbits=-15)
    claims = payload(gate(ring).issue(TEACHER)) | {"ctx": ring.seal(f"ctx:{ring.signing().kid}", bomb)}
    token = resigned(ring, {}, claims)
    assert len(token) < 8192
    with pytest.raises(InvalidToken):
        gate(ring).verify(token)


def test_memory_of_verified_tokens_is_bounded_and_holds_no_refused_one(ring: KeyRing) -> None:
    reader = gate(ring)
    for _ in range(1100):
        reader.verify(reader.issue(TEACHER))
    good = reader.issue(TEACHER)
    with pytest.raises(InvalidToken):
        reader.verify(good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB"))
    assert len(reader._known) == 1024


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "a.b.c", "龘.龘.龘", "x" * 9000, "\x00.\x00.\x00", "e30.e30.e30", "\ud800.a.b",
     base64.urlsafe_b64encode(b"[" * 4000).decode().rstrip("=") + ".x.x"],
)  # fmt: skip
def test_garbage_is_an_invalid_token_and_nothing_else(ring: KeyRing, token: str) -> None:
    with pytest.raises(InvalidToken) as refused:
        gate(ring).verify(token)
    assert refused.value.__cause__ is None
    assert refused.value.public == InvalidToken.public
