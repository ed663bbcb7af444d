"""What an authorization request asks for: parameters known, bounded and understood (OIDC Core 3.1.2.1).

Rule: this file does no I/O. Whatever is wrong is a `Refusal`; it goes to the client, so it quotes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from auth.provider import scopes
from auth.provider.answers import Refusal

LONGEST: Mapping[str, int] = {
    "client_id": 2048, "response_type": 64, "redirect_uri": 2048, "scope": scopes.LONGEST, "state": 4096,
    "nonce": 512, "response_mode": 32, "prompt": 64, "max_age": 9, "acr_values": 1024, "claims": 8192,
    "ui_locales": 256, "login_hint": 256, "code_challenge": 128, "code_challenge_method": 16, "dpop_jkt": 64,
    "display": 16, "id_token_hint": 16_384,
}  # fmt: skip
"""The parameters that count, and how many characters each may have; others are passed over."""
PROMPTS = frozenset({"none", "login", "consent", "select_account"})
MODES = frozenset({"query", "form_post"})
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Asked:
    """An authorization request, understood. `subject`: whom it must be, by their pairwise name; `acr`: levels
    one of which must be reached; `claims`: the names in the claims request, by part; `jkt`: the key that its
    code is bound to."""

    scopes: tuple[str, ...]
    mode: str = "query"
    prompt: frozenset[str] = frozenset()
    max_age: int | None = None
    acr: tuple[str, ...] = ()
    subject: str = field(default="", repr=False)
    claims: dict[str, Any] = field(default_factory=dict)
    jkt: str = ""


def known(values: Mapping[str, Any]) -> dict[str, str]:
    """The parameters that count. Raises `Refusal` for one that is too long."""
    if any(len(values[name]) > longest for name, longest in LONGEST.items() if name in values):
        raise Refusal("invalid_request", "a parameter is too long")
    return {name: values[name] for name in LONGEST if name in values}


def mode_of(values: Mapping[str, Any]) -> str:
    """How the client wants its answer, also an error's; "query" when it says nothing that we know."""
    mode = values.get("response_mode", "query")
    return mode if mode in MODES else "query"


def understood(values: Mapping[str, Any]) -> Asked:
    """The request behind validated parameters. Raises `Refusal`."""
    if values.get("response_mode", "query") not in MODES:
        raise Refusal("invalid_request", "response_mode is query or form_post")
    claims = _claims(values.get("claims", ""))
    return Asked(
        scopes=scopes.parsed(values.get("scope", "")) or (),
        mode=mode_of(values),
        prompt=_prompt(values.get("prompt", "")),
        max_age=_max_age(values.get("max_age", "")),
        acr=_acr(values.get("acr_values", ""), claims),
        subject=_subject(values.get("_subject", ""), claims),
        claims={part: dict.fromkeys(names) for part, names in claims.items()},
        jkt=_jkt(values.get("dpop_jkt", "")),
    )


def _prompt(value: str) -> frozenset[str]:
    prompt = frozenset(value.split())
    if not prompt <= PROMPTS:
        raise Refusal("invalid_request", "prompt is none, login, consent or select_account")
    if "none" in prompt and len(prompt) > 1:
        raise Refusal("invalid_request", "prompt=none stands alone")
    return prompt


def _max_age(value: str) -> int | None:
    if value and not (value.isascii() and value.isdigit()):
        raise Refusal("invalid_request", "max_age is a number of seconds")
    return int(value) if value else None


def _jkt(value: str) -> str:
    if value and not _THUMBPRINT.fullmatch(value):
        raise Refusal("invalid_request", "dpop_jkt is a JWK thumbprint")
    return value


def _claims(value: str) -> dict[str, Any]:
    """The claims request (OIDC Core 5.5) as far as we know it: {"id_token": {...}, "userinfo": ...}."""
    if not value:
        return {}
    try:
        asked = orjson.loads(value)
    except orjson.JSONDecodeError:
        raise Refusal("invalid_request", "claims is not JSON") from None
    named = asked if isinstance(asked, dict) else {"id_token": ()}
    parts = {name: named[name] for name in ("id_token", "userinfo") if named.get(name) is not None}
    if not all(isinstance(part, dict) for part in parts.values()):
        raise Refusal("invalid_request", "claims is an object of objects")
    return {name: {k: part[k] for k in _CLAIMS if k in part} for name, part in parts.items() if part}


_CLAIMS = ("sub", "name", "roles", "acr", "amr", "auth_time")


def _acr(value: str, claims: Mapping[str, Any]) -> tuple[str, ...]:
    wish = (claims.get("id_token") or {}).get("acr")
    wished = _values(wish) if isinstance(wish, dict) else []
    return tuple(dict.fromkeys([*value.split(), *wished]))


def _subject(hinted: str, claims: Mapping[str, Any]) -> str:
    """Whom it must be: by the hint, or by a claims request for one `sub` (OIDC Core 5.5.1)."""
    wish = (claims.get("id_token") or {}).get("sub")
    wished = _values(wish) if isinstance(wish, dict) else []
    named = {each for each in (hinted, *wished) if each}
    if len(named) > 1:
        raise Refusal("invalid_request", "id_token_hint and claims name different subjects")
    return named.pop() if named else ""


def _values(wish: Mapping[str, Any]) -> list[str]:
    """`value` or `values` of one claim of a claims request."""
    several = wish.get("values", [])
    found = [wish["value"]] if "value" in wish else several if isinstance(several, list) else [several]
    if len(found) > 20 or not all(isinstance(each, str) and len(each) <= 256 for each in found):
        raise Refusal("invalid_request", "claims: a value is a text")
    return found
