"""The authorization code flow from the asker's side, as OIDC and plain OAuth 2 providers have it in common.

Rule 1: an answer counts for the provider that was asked, at the address it was told, with the state it was
given: a code of one level brought to another level's callback ends there (RFC 9700 §4.4).
Rule 2: a foreign `iss` beside the code is always refused, a missing one where it was promised (RFC 9207).
Rule 3: an error beside the code is believed no more than a code would be, and its text is never shown.

Sources: RFC 6749 §4.1, RFC 7636, RFC 9207, RFC 9700.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus, urlencode

from joserfc.util import urlsafe_b64encode

from auth.broker.answers import object_of
from auth.broker.signed import same
from auth.broker.upstream import UpstreamRefused, unanswered
from auth.fetch import Fetch, FetchFailed
from auth.settings import UpstreamSettings
from auth.store import secret

TOKEN_AUTH = ("basic", "post", "none")
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")
_CODE = re.compile(r"[\x20-\x7e]{1,4096}")  # RFC 6749 appendix A.11
_ERRORS = {
    "access_denied": ("denied", 400),
    "login_required": ("interaction-required", 400),
    "interaction_required": ("interaction-required", 400),
    "consent_required": ("interaction-required", 400),
    "account_selection_required": ("interaction-required", 400),
    "server_error": ("unavailable", 503),
    "temporarily_unavailable": ("unavailable", 503),
}


def begun(settings: UpstreamSettings, callback: str, state: str, *, pkce: bool = True) -> dict[str, str]:
    """What is kept at the server for one sign-in: whom it was asked of, and secrets made for it alone."""
    kept = {"upstream": settings.code, "callback": callback, "state": state, "nonce": secret()}
    return {**kept, "verifier": secret(384)} if pkce else kept


def question(settings: UpstreamSettings, kept: Mapping[str, str]) -> dict[str, str]:
    """The parameters that every authorization request has."""
    asked = {
        "response_type": "code",
        "client_id": settings.client_id,
        "redirect_uri": kept["callback"],
        "scope": " ".join(settings.scopes),
        "state": kept["state"],
    }
    if verifier := kept.get("verifier"):
        asked |= {
            "code_challenge": urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode(),
            "code_challenge_method": "S256",
        }
    return {name: value for name, value in asked.items() if value}


def address(endpoint: str, params: Mapping[str, str]) -> str:
    """`endpoint` with `params` added to its query."""
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(params)}"


def code_of(
    settings: UpstreamSettings,
    callback: str,
    state: str,
    query: Mapping[str, str],
    kept: Mapping[str, str],
    *,
    sends_iss: bool = False,
) -> str:
    """The code of a callback that answers what was asked. Raises `UpstreamRefused`: state, issuer, no-code,
    denied, interaction-required, provider-error, unavailable."""
    if kept.get("upstream") != settings.code or kept.get("callback") != callback:
        raise UpstreamRefused("state", "asked of another provider")
    if not state or not same(kept.get("state", ""), state) or not same(query.get("state", ""), state):
        raise UpstreamRefused("state", "not the answer to this sign-in")
    if query.get("iss", "" if sends_iss else settings.issuer) != settings.issuer:
        raise UpstreamRefused("issuer", "the answer is another provider's (RFC 9207)")
    if "error" in query:
        kind, status = _ERRORS.get(query["error"], ("provider-error", 400))
        raise UpstreamRefused(kind, "the provider answered with an error", status=status)
    code = query.get("code", "")
    if not _CODE.fullmatch(code):
        raise UpstreamRefused("no-code", "no code in the answer")
    return code


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a token endpoint gave. `answer` is all of it."""

    access_token: str = field(repr=False)
    answer: dict[str, Any] = field(repr=False)


async def redeemed(
    fetch: Fetch,
    settings: UpstreamSettings,
    endpoint: str,
    code: str,
    kept: Mapping[str, str],
    token_auth: str,
) -> Tokens:
    """The tokens for a code (RFC 6749 §4.1.3), asked for once. Raises `UpstreamRefused`: code-refused,
    refuses-us, token-type, answer-unusable, timeout, unavailable."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": kept["callback"]}
    if verifier := kept.get("verifier"):
        form["code_verifier"] = verifier
    headers = {"Accept": "application/json"}
    if token_auth == "basic":  # noqa: S105 - a method's name
        headers["Authorization"] = _basic(settings)
    else:
        form["client_id"] = settings.client_id
        if token_auth == "post":  # noqa: S105 - a method's name
            form["client_secret"] = settings.client_secret
    try:
        got = await fetch("POST", endpoint, headers=headers, form=form, within=settings.deadline)
    except FetchFailed as error:
        if error.status == 400:  # it does not know the code, or not for us: the person starts again
            raise UpstreamRefused("code-refused", error.detail) from None
        raise unanswered(error) from None
    return _tokens(object_of(got.body))


def _basic(settings: UpstreamSettings) -> str:
    """RFC 6749 §2.3.1: both parts form-encoded before they are joined."""
    pair = f"{quote_plus(settings.client_id)}:{quote_plus(settings.client_secret)}"
    return f"Basic {b64encode(pair.encode()).decode()}"


def _tokens(answer: dict[str, Any]) -> Tokens:
    if "error" in answer:
        raise UpstreamRefused("code-refused", "an error instead of tokens")
    kind, token = answer.get("token_type"), answer.get("access_token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise UpstreamRefused("token-type", "its tokens are not bearer tokens", status=502)
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise UpstreamRefused("answer-unusable", "no access token", status=502)
    return Tokens(token, answer)


def userinfo_headers(access_token: str) -> dict[str, str]:
    """How userinfo is asked (RFC 6750 §2.1)."""
    return {"Authorization": f"Bearer {access_token}", "Accept": "application/json"}
