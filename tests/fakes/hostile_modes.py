"""The ways in which a hostile provider lies, each with the kind under which it must be refused."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.fakes.hostile_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    Change,
    HostileProvider,
    Json,
    Mode,
    b64,
    bomb,
    compact,
    dripping,
    ec_key,
    failing,
    hanging,
    html,
    huge,
    instead,
    jwk_of,
    put,
    raw_signature,
    redirecting,
    rsa_key,
    with_raw,
    without,
    written,
)

ELSEWHERE = "http://elsewhere.test"
PLACES = ("metadata", "jwks", "token", "userinfo")

_BROKEN: dict[str, tuple[str, Change]] = {
    "answers 500": ("answer-unusable", failing(500)),
    "answers 503": ("unavailable", failing(503)),
    "answers 404": ("refuses-us", failing(404)),
    "is HTML": ("answer-unusable", html),
    "is empty": ("answer-unusable", instead(b"")),
    "is 30 MB": ("answer-unusable", huge),
    "is a gzip bomb": ("answer-unusable", bomb),
    "redirects to a trap": ("refuses-us", redirecting),
    "hangs": ("timeout", hanging),
    "drips": ("timeout", dripping),
    "is an array": ("answer-unusable", lambda honest, _: [honest]),
    "is a string": ("answer-unusable", instead("ok")),
    "is nested 500 deep": ("answer-unusable", with_raw(b'"x":' + b"[" * 500 + b"]" * 500)),
    "is nested past every stack": ("answer-unusable", with_raw(b'"x":' + b"[" * 100_000 + b"]" * 100_000)),
    "holds NaN": ("answer-unusable", with_raw(b'"x":NaN')),
    "holds Infinity": ("answer-unusable", with_raw(b'"x":-Infinity')),
    "holds a lone surrogate": ("answer-unusable", with_raw(b'"x":"\\ud800"')),
    "holds bytes that are no UTF-8": ("answer-unusable", with_raw(b'"x":"\xff\xfe"')),
    "names a member twice": ("answer-unusable", with_raw(b'"x":1,"x":2')),
    "names a nested member twice": ("answer-unusable", with_raw(b'"x":{"y":1,"y":2}')),
    "has something after it": ("answer-unusable", lambda honest, _: written(honest) + b"{}"),
}


def _broken() -> dict[str, Mode]:
    slow = {"hangs", "drips"}
    return {
        f"{place} {how}": Mode(kind, slow=how in slow, **{place: change})  # type: ignore[arg-type]
        for place in PLACES
        for how, (kind, change) in _BROKEN.items()
    }


def _endpoint(name: str, value: Any) -> Mode:
    return Mode("metadata-endpoint", metadata=put(**{name: value}))


_METADATA: dict[str, Mode] = {
    "metadata of another issuer": Mode("metadata-issuer", metadata=put(issuer=ELSEWHERE)),
    "metadata whose issuer ends in a slash": Mode(
        "metadata-issuer", metadata=lambda honest, it: {**honest, "issuer": f"{it.url}/"}
    ),
    "metadata whose issuer is in capitals": Mode(
        "metadata-issuer", metadata=lambda honest, it: {**honest, "issuer": it.url.upper()}
    ),
    "metadata without issuer": Mode("metadata-issuer", metadata=without("issuer")),
    "metadata whose issuer is a list": Mode(
        "metadata-issuer", metadata=lambda honest, it: {**honest, "issuer": [it.url]}
    ),
    "metadata with tokens elsewhere": _endpoint("token_endpoint", f"{ELSEWHERE}/token"),
    "metadata with keys elsewhere": _endpoint("jwks_uri", f"{ELSEWHERE}/jwks"),
    "metadata with userinfo elsewhere": _endpoint("userinfo_endpoint", f"{ELSEWHERE}/userinfo"),
    "metadata with sign-in elsewhere": _endpoint("authorization_endpoint", f"{ELSEWHERE}/authorize"),
    "metadata with logout elsewhere": _endpoint("end_session_endpoint", f"{ELSEWHERE}/logout"),
    "metadata with keys in a loopback trap": Mode(
        "metadata-endpoint", metadata=lambda honest, it: {**honest, "jwks_uri": it.trap}
    ),
    "metadata with tokens at the metadata service": _endpoint("token_endpoint", "http://169.254.169.254/t"),
    "metadata with its host before an @": Mode(
        "metadata-endpoint",
        metadata=lambda honest, it: {**honest, "token_endpoint": f"{it.url}@elsewhere.test/token"},
    ),
    "metadata with a backslash in an address": Mode(
        "metadata-endpoint",
        metadata=lambda honest, it: {**honest, "token_endpoint": f"{it.url}\\@elsewhere.test/token"},
    ),
    "metadata with its host as a prefix": Mode(
        "metadata-endpoint",
        metadata=lambda honest, it: {**honest, "token_endpoint": f"{it.url}1/token"},
    ),
    "metadata with a script for an address": _endpoint("authorization_endpoint", "javascript:alert(1)"),
    "metadata with a file for an address": _endpoint("jwks_uri", "file:///etc/passwd"),
    "metadata with a number for an address": _endpoint("token_endpoint", 443),
    "metadata without token endpoint": Mode("metadata-unusable", metadata=without("token_endpoint")),
    "metadata without keys": Mode("metadata-unusable", metadata=without("jwks_uri")),
    "metadata without code flow": Mode(
        "metadata-unusable", metadata=put(response_types_supported=["id_token"])
    ),
    "metadata whose response types are a word": Mode(
        "metadata-unusable", metadata=put(response_types_supported="code")
    ),
    "metadata with an iss flag that is a word": Mode(
        "metadata-unusable", metadata=put(authorization_response_iss_parameter_supported="false")
    ),
}

_CALLBACK: dict[str, Mode] = {
    "callback with a foreign iss": Mode("issuer", callback=put(iss=ELSEWHERE)),
    "callback without iss": Mode("issuer", callback=without("iss")),
    "callback with an iss of another case": Mode(
        "issuer", callback=lambda honest, it: {**honest, "iss": it.url.upper()}
    ),
    "callback with a foreign iss nobody promised": Mode(
        "issuer",
        metadata=without("authorization_response_iss_parameter_supported"),
        callback=put(iss=ELSEWHERE),
    ),
    "callback with a foreign state": Mode("state", callback=put(state="x" * 43)),
    "callback with an empty state": Mode("state", callback=put(state="")),
    "callback without state": Mode("state", callback=without("state")),
    "callback with a state of other letters": Mode("state", callback=put(state="状态" * 20)),
    "callback without code": Mode("no-code", callback=without("code")),
    "callback with a huge code": Mode("no-code", callback=put(code="c" * 5000)),
    "callback with a code holding a line break": Mode("no-code", callback=put(code="c\r\nHost: x")),
    "callback with a made-up code": Mode("code-refused", callback=put(code="made-up")),
    "callback where the person said no": Mode("denied", callback=put(error="access_denied")),
    "callback with an error of another issuer": Mode(
        "issuer", callback=put(error="access_denied", iss=ELSEWHERE)
    ),
    "callback with an error of another state": Mode("state", callback=put(error="access_denied", state="x")),
    "callback with a script for an error": Mode(
        "provider-error", callback=put(error="<script>", error_description="<script>alert(1)</script>")
    ),
    "callback that says server_error": Mode("unavailable", callback=put(error="server_error")),
    "callback that says login_required": Mode(
        "interaction-required", callback=put(error="login_required"), asked={"prompt": "none"}
    ),
}

_TOKEN: dict[str, Mode] = {
    "token endpoint refuses the code": Mode("code-refused", token=failing(400)),
    "token endpoint refuses the client": Mode("refuses-us", token=failing(401)),
    "token endpoint says error with 200": Mode("code-refused", token=put(error="invalid_grant")),
    "token answer without ID token": Mode("token-unusable", token=without("id_token")),
    "token answer whose ID token is an object": Mode("token-unusable", token=put(id_token={"sub": "x"})),
    "token answer whose ID token is empty": Mode("token-unusable", token=put(id_token="")),
    "token answer without access token": Mode("answer-unusable", token=without("access_token")),
    "token answer whose access token is a number": Mode("answer-unusable", token=put(access_token=7)),
    "token answer whose access token splits a header": Mode(
        "answer-unusable", token=put(access_token="t\r\nX-Admin: 1")
    ),
    "token answer whose access token is huge": Mode("answer-unusable", token=put(access_token="t" * 99_999)),
    "token answer without type": Mode("token-type", token=without("token_type")),
    "token answer of type mac": Mode("token-type", token=put(token_type="mac")),
    "token answer whose type is a list": Mode("token-type", token=put(token_type=["Bearer"])),
}


def _unsigned(header: Json, claims: Any, _it: HostileProvider) -> str:
    return compact({**header, "alg": "none"}, claims, b"")


def _hs256(secret_of: Any) -> Any:
    def sign(header: Json, claims: Any, it: HostileProvider) -> str:
        return compact({**header, "alg": "HS256"}, claims, secret_of(it))

    return sign


def _pem(it: HostileProvider) -> bytes:
    pem: bytes = it.key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


def _forged(header: Json, claims: Any, _it: HostileProvider) -> str:
    """Signed by the attacker's own key."""
    return compact(header, claims, ec_key(name="attacker"))


def _brought(**members: Any) -> Any:
    def sign(header: Json, claims: Any, it: HostileProvider) -> str:
        return compact({**header, **members}, claims, ec_key(name="attacker"))

    return sign


def _lured(member: str) -> Any:
    def sign(header: Json, claims: Any, it: HostileProvider) -> str:
        return compact({**header, member: it.trap}, claims, ec_key(name="attacker"))

    return sign


def _signature(change: Any) -> Any:
    def sign(header: Json, claims: Any, it: HostileProvider) -> str:
        signed, _, _ = compact(header, claims, it.key()).rpartition(".")
        return f"{signed}.{b64(change(raw_signature(it.alg, it.key(), signed.encode())))}"

    return sign


def _resigned(header: Json, claims: Any, it: HostileProvider) -> str:
    """An honest signature over other claims."""
    head, _, mark = compact(header, claims, it.key()).split(".")
    return f"{head}.{b64(written({**claims, 'sub': 'admin'}))}.{mark}"


def _keys(*extra: Json) -> Change:
    return lambda honest, _it: {"keys": [*honest["keys"], *extra]}


def _key(change: Change) -> Change:
    """Its own key, changed; the others as they are."""
    return lambda honest, it: {"keys": [change(honest["keys"][0], it), *honest["keys"][1:]]}


_JOSE: dict[str, Mode] = {
    "ID token unsigned": Mode("algorithm", sign=_unsigned),
    "ID token unsigned where metadata lists none": Mode(
        "algorithm", sign=_unsigned, metadata=put(id_token_signing_alg_values_supported=["none"])
    ),
    "ID token unsigned in odd letters": Mode(
        "algorithm", sign=lambda head, body, _it: compact({**head, "alg": "nOnE"}, body, b"")
    ),
    "ID token by HMAC with the public key": Mode("algorithm", sign=_hs256(_pem)),
    "ID token by HMAC with the client secret": Mode(
        "algorithm", sign=_hs256(lambda _it: CLIENT_SECRET.encode())
    ),
    "ID token by an algorithm that is not pinned": Mode(
        "algorithm",
        sign=lambda head, body, _it: compact(
            {**head, "alg": "ES384", "kid": "other"}, body, ec_key(ec.SECP384R1)
        ),
    ),
    "ID token whose algorithm is a list": Mode(
        "algorithm", sign=lambda head, body, it: compact({**head, "alg": ["ES256"]}, body, it.key(), "ES256")
    ),
    "ID token without algorithm": Mode(
        "algorithm", sign=lambda head, body, it: compact({"kid": "k1"}, body, it.key(), "ES256")
    ),
    "ID token with its own key": Mode("header", sign=_brought(jwk=jwk_of(ec_key(name="attacker"), "k1"))),
    "ID token with its own key address": Mode("header", sign=_lured("jku")),
    "ID token with its own certificate address": Mode("header", sign=_lured("x5u")),
    "ID token with its own certificate": Mode("header", sign=_brought(x5c=["MIIB"])),
    "ID token with something critical": Mode("header", header=put(crit=["exp"])),
    "ID token with unencoded payload": Mode("header", header=put(b64=False, crit=["b64"])),
    "ID token whose key id is a path": Mode("key", sign=_brought(kid="../../../../../../dev/null")),
    "ID token whose key id is SQL": Mode("key", sign=_brought(kid="x' UNION SELECT 'k' --")),
    "ID token whose key id is an object": Mode("header", sign=_brought(kid={"$ne": ""})),
    "ID token whose key id is a number": Mode("header", sign=_brought(kid=1)),
    "ID token whose key id is null": Mode("header", sign=_brought(kid=None)),
    "ID token whose key nobody knows": Mode("key", sign=_brought(kid="nobody")),
    "ID token whose key id belongs to another type of key": Mode("key", header=put(kid="other")),
    "ID token without key id where several fit": Mode(
        "key", header=without("kid"), jwks=_keys(jwk_of(ec_key(name="second"), "k2"))
    ),
    "ID token whose key id two keys have": Mode("key", jwks=_keys(jwk_of(ec_key(name="second"), "k1"))),
    "ID token by a key for encryption": Mode("key", jwks=_key(put(use="enc"))),
    "ID token by a key that must not verify": Mode("key", jwks=_key(put(key_ops=["encrypt"]))),
    "ID token by a key of another algorithm": Mode("key", jwks=_key(put(alg="ES512"))),
    "ID token by a key whose point is nowhere": Mode("key", jwks=_key(put(x="AAAA"))),
    "ID token by a weak RSA key": Mode(
        "key",
        sign=lambda head, body, _it: compact({**head, "alg": "RS256", "kid": "weak"}, body, rsa_key(1024)),
        jwks=_keys(jwk_of(rsa_key(1024), "weak")),
    ),
    "ID token by an RSA key with exponent 1": Mode(
        "key",
        header=put(alg="RS256", kid="one"),
        sign=lambda head, body, it: compact(head, body, rsa_key()),
        jwks=_keys({**jwk_of(rsa_key(), "one"), "e": "AQ"}),
    ),
    "ID token forged": Mode("signature", sign=_forged),
    "ID token without signature": Mode("signature", sign=_signature(lambda mark: b"")),
    "ID token with half a signature": Mode("signature", sign=_signature(lambda mark: mark[:32])),
    "ID token with a signature of zeros": Mode("signature", sign=_signature(lambda mark: bytes(64))),
    "ID token with a longer signature": Mode("signature", sign=_signature(lambda mark: mark + b"\0")),
    "ID token with changed claims": Mode("signature", sign=_resigned),
    "ID token with padding": Mode("token-unusable", sign=lambda head, body, it: "e30=.e30=.AA=="),
    "ID token of five parts": Mode("token-unusable", sign=lambda head, body, it: "a.b.c.d.e"),
    "ID token of two parts": Mode("token-unusable", sign=lambda head, body, it: "e30.e30"),
    "ID token of other letters": Mode("token-unusable", sign=lambda head, body, it: "é.é.é"),
    "ID token of 100 kB": Mode("token-unusable", claims=put(x="x" * 100_000)),
    "ID token whose claims are a list": Mode("token-unusable", claims=lambda honest, _it: [honest]),
    "ID token naming a claim twice": Mode("token-unusable", claims=with_raw(b'"sub":"admin"')),
    "ID token whose claims hold NaN": Mode("token-unusable", claims=put(exp=float("nan"))),
    "ID token whose claims are nested too deep": Mode(
        "token-unusable", claims=with_raw(b'"x":' + b"[" * 2000 + b"]" * 2000)
    ),
    "ID token that is a logout token": Mode("token-type", header=put(typ="logout+jwt")),
    "ID token that is an access token": Mode("token-type", header=put(typ="at+jwt")),
    "ID token whose type is a number": Mode("header", header=put(typ=1)),
}

_WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "iss": {"foreign": ELSEWHERE, "a list": [ELSEWHERE], "null": None},
    "aud": {"foreign": "somebody", "an empty list": [], "a number": 7, "an object": {CLIENT_ID: 1},
            "a list with an object": [CLIENT_ID, {}], "a longer name": f"{CLIENT_ID}-2", "null": None},
    "azp": {"foreign": "somebody", "a list": [CLIENT_ID], "a number": 7},
    "exp": {"long past": 1, "a word": "9999999999", "true": True, "below zero": -1, "beyond time": 10**300,
            "a list": [9], "null": None},
    "iat": {"a word": "1", "true": True, "beyond time": 1 << 60, "null": None},
    "nbf": {"a word": "1", "far ahead": 1 << 40, "null": None},
    "nonce": {"foreign": "n" * 43, "empty": "", "a number": 1, "a list": ["n"], "null": None},
    "sub": {"empty": "", "a number": 7, "a list": ["a"], "an object": {"$ne": ""}, "null": None, "true": True,
            "huge": "a" * 256, "with NUL": "a\0b", "with a line break": "a\nb", "a blank": " ",
            "with a blank before it": f" {'teacher-7'}", "turning text around": "a\u202eb"},
    "at_hash": {"foreign": "AAAAAAAAAAAAAAAAAAAAAA", "a number": 1, "empty": ""},
    "auth_time": {"a word": "1", "below zero": -5, "far ahead": 1 << 40, "true": True, "null": None},
    "acr": {"an object": {"level": 3}, "a number": 3, "huge": "a" * 600},
    "amr": {"a word": "pwd", "a list of numbers": [1], "an object": {}},
    "sid": {"a number": 1, "huge": "s" * 600, "with NUL": "s\0"},
}  # fmt: skip
_NEEDED = ("iss", "aud", "exp", "iat", "nonce", "sub")


def _ago(name: str, seconds: float) -> Change:
    return lambda honest, it: {**honest, name: it.clock() - seconds}


def _kind(claim: str) -> str:
    return f"claim-{claim.replace('_', '-')}"


def _claims() -> dict[str, Mode]:
    modes = {
        f"ID token whose {name} is {what}": Mode(_kind(name), claims=put(**{name: value}))
        for name, values in _WRONG_CLAIMS.items()
        for what, value in values.items()
    }
    modes |= {f"ID token without {name}": Mode(_kind(name), claims=without(name)) for name in _NEEDED}
    return modes | {
        "ID token expired 21 s ago": Mode("claim-exp", claims=_ago("exp", 21)),
        "ID token issued 21 s ahead": Mode("claim-iat", claims=_ago("iat", -21)),
        "ID token valid 21 s from now": Mode("claim-nbf", claims=_ago("nbf", -21)),
        "ID token for several without azp": Mode("claim-azp", claims=put(aud=[CLIENT_ID, "somebody"])),
        "ID token whose iss ends in a slash": Mode(
            "claim-iss", claims=lambda honest, it: {**honest, "iss": f"{it.url}/"}
        ),
        "ID token whose sub holds a lone surrogate": Mode("token-unusable", claims=put(sub="a\ud800")),
        "ID token of an old sign-in where a fresh one was asked": Mode(
            "claim-auth-time", claims=_ago("auth_time", 121), asked={"max_age": 100}
        ),
        "ID token without auth_time where a fresh one was asked": Mode(
            "claim-auth-time", claims=without("auth_time"), asked={"max_age": 100}
        ),
    }


_USERINFO: dict[str, Mode] = {
    "userinfo of somebody else": Mode("userinfo-sub", userinfo=put(sub="admin")),
    "userinfo without sub": Mode("userinfo-sub", userinfo=without("sub")),
    "userinfo whose sub is in capitals": Mode("userinfo-sub", userinfo=put(sub="TEACHER-7")),
    "userinfo whose sub is a list": Mode("userinfo-sub", userinfo=put(sub=["teacher-7"])),
    "userinfo refuses its own token": Mode("refuses-us", userinfo=failing(401)),
}

_EC = jwk_of(ec_key(name="second"), "k2")
_JWKS: dict[str, Mode] = {
    "keys without list": Mode("keys-unusable", jwks=instead({})),
    "keys none": Mode("keys-unusable", jwks=instead({"keys": []})),
    "keys as an object": Mode("keys-unusable", jwks=instead({"keys": {"k1": {}}})),
    "keys that are words": Mode("keys-unusable", jwks=instead({"keys": ["k1"]})),
    "keys without end": Mode("keys-unusable", jwks=instead({"keys": [_EC] * 101})),
    "keys of unknown types": Mode("keys-unusable", jwks=instead({"keys": [{"kty": "XX", "kid": "k1"}]})),
    "keys with a type that is a list": Mode("keys-unusable", jwks=instead({"keys": [{"kty": ["EC"]}]})),
    "keys with secret parts": Mode("keys-unusable", jwks=_keys({**_EC, "d": "AAAA"})),
    "keys that are symmetric": Mode("keys-unusable", jwks=_keys({"kty": "oct", "k": "AAAA", "kid": "k1"})),
    "keys with half a point": Mode("keys-unusable", jwks=instead({"keys": [{**_EC, "y": ""}]})),
    "keys with a point of numbers": Mode("keys-unusable", jwks=instead({"keys": [{**_EC, "x": 1, "y": 2}]})),
    "keys with a monstrous modulus": Mode(
        "keys-unusable", jwks=instead({"keys": [{"kty": "RSA", "kid": "k1", "e": "AQAB", "n": "_" * 2048}]})
    ),
}

MODES: dict[str, Mode] = {
    **_broken(), **_METADATA, **_CALLBACK, **_TOKEN, **_JOSE, **_claims(), **_USERINFO, **_JWKS,
}  # fmt: skip
