"""A statement is read strictly, and its signature counts by a key that somebody vouched for."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from auth.trust.errors import Distrusted
from auth.trust.keys import algorithms_of, published
from auth.trust.statements import LARGEST, STATEMENT, signed, statement

ME, NOW = "https://county.example", 1_700_000_000
EC = ECKey.generate_key("P-256")
RSA = RSAKey.generate_key(2048)
ED = OKPKey.generate_key("Ed25519")


def part(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def written(key: Key, alg: str, claims: Any, **header: Any) -> str:
    """A paper as nobody else would write it."""
    message = f"{part({'alg': alg, 'kid': 'k', 'typ': STATEMENT, **header})}.{part(claims)}"
    signature = JWSRegistry.algorithms[alg].sign(message.encode(), key)
    return f"{message}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def claims(key: Key, **more: Any) -> dict[str, Any]:
    jwk = {**key.as_dict(private=False), "kid": "k"}
    return {"iss": ME, "sub": ME, "iat": NOW, "exp": NOW + 60, "jwks": {"keys": [jwk]}, **more}


def checked(token: str) -> str:
    """ "ok", or why it is refused."""
    try:
        found = statement(token, ME, ME, now=NOW, lifetime=86_400.0)
        found.verify(found.keys, ME)
    except Distrusted as refused:
        return refused.reason
    return "ok"


@pytest.mark.parametrize(("key", "alg"), [(EC, "ES256"), (RSA, "RS256"), (ED, "EdDSA"), (ED, "Ed25519")])
def test_the_accepted_algorithms_are_these(key: Key, alg: str) -> None:
    assert checked(written(key, alg, claims(key))) == "ok"


@pytest.mark.parametrize(
    ("key", "alg"), [(RSA, "PS256"), (RSA, "RS512"), (OctKey.generate_key(256), "HS256")]
)
def test_no_other_algorithm_is_accepted(key: Key, alg: str) -> None:
    assert checked(written(key, alg, claims(EC))) == "bad-algorithm"


def test_a_public_key_is_no_shared_secret() -> None:
    secret = OctKey.import_key(json.dumps(EC.as_dict(private=False)))
    assert checked(written(secret, "HS256", claims(EC))) == "bad-algorithm"


def test_a_key_signs_with_its_own_algorithm_only() -> None:
    for key, alg, others in ((EC, "ES256", RSA), (RSA, "RS256", EC), (ED, "Ed25519", EC)):
        assert checked(written(key, alg, claims(others))) == "bad-signature"
    stated = claims(EC)
    stated["jwks"]["keys"][0]["alg"] = "RS256"
    assert checked(written(EC, "ES256", stated)) == "bad-signature"
    stated["jwks"]["keys"][0] |= {"alg": "ES256", "use": "enc"}
    assert checked(written(EC, "ES256", stated)) == "bad-signature"


def test_weak_and_overlong_rsa_keys_sign_nothing() -> None:
    sound = RSA.as_dict(private=False)
    assert algorithms_of(sound) == ("RS256",)
    assert algorithms_of({**sound, "n": str(sound["n"])[:171]}) == ()
    assert algorithms_of({**sound, "e": "A" * 300}) == ()
    assert algorithms_of({**sound, "n": "A" * 2000}) == ()


@pytest.mark.parametrize("keys", [
    [], "x", [{"kty": "EC"}], [{"kid": ""}], [{"kid": 1}], [{"kid": "a"}, {"kid": "a"}],
    [{"kid": "a", "kty": "EC", "d": "x"}], [{"kid": str(number)} for number in range(21)], [None],
])  # fmt: skip
def test_a_key_set_that_is_not_sound_is_refused_whole(keys: Any) -> None:
    with pytest.raises(ValueError):
        published({"keys": keys})


@pytest.mark.parametrize("body", [
    '{"iss":"https://county.example","iss":"https://county.example"}', '{"iat":NaN}', "[]", "null", '"x"',
    "[" * 60_000, '{"a":' * 10_000, '{"a":' * 40 + "1" + "}" * 40, '{"iat":' + "9" * 5000 + "}", "\ud800",
])  # fmt: skip
def test_json_that_parsers_read_differently_is_malformed(body: str) -> None:
    message = f"{part({'alg': 'ES256', 'kid': 'k', 'typ': STATEMENT})}."
    message += base64.urlsafe_b64encode(body.encode("utf-8", "surrogatepass")).rstrip(b"=").decode()
    assert checked(f"{message}.AAAA") == "malformed"


def test_nothing_is_read_that_is_longer_than_a_statement_may_be() -> None:
    assert checked("a" * (LARGEST + 1)) == "too-large"


@pytest.mark.parametrize(("more", "reason"), [
    ({"exp": NOW - 59}, "ok"), ({"exp": NOW - 61}, "expired"), ({"iat": NOW + 59}, "ok"),
    ({"iat": NOW + 61, "exp": NOW + 99}, "not-yet-valid"), ({"nbf": NOW + 61}, "not-yet-valid"),
    ({"exp": "soon"}, "malformed"), ({"iat": True}, "malformed"), ({"exp": 1e300}, "malformed"),
    ({"iat": -1}, "malformed"), ({"crit": []}, "malformed"), ({"crit": ["exp"]}, "malformed"),
    ({"crit": ["colour"]}, "unknown-critical"), ({"authority_hints": []}, "malformed"),
    ({"authority_hints": "https://a.b"}, "malformed"), ({"metadata": []}, "malformed"),
    ({"metadata": {"openid_provider": None}}, "malformed"), ({"trust_marks": {}}, "malformed"),
    ({"trust_marks": ["x"]}, "malformed"), ({"trust_mark_issuers": []}, "malformed"),
    ({"metadata_policy": {}}, "malformed"), ({"source_endpoint": ME}, "malformed"),
    ({"aud": ME}, "wrong-audience"), ({"trust_anchor": ME}, "wrong-audience"),
])  # fmt: skip
def test_claims_are_as_the_specification_has_them(more: dict[str, Any], reason: str) -> None:
    assert checked(written(EC, "ES256", claims(EC, **more))) == reason


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400) | st.text(alphabet='abcAB09-_.{}"', max_size=200))
def test_whatever_comes_in_is_a_statement_or_refused(token: bytes | str) -> None:
    with pytest.raises(Distrusted):
        signed(token, STATEMENT, ME)
