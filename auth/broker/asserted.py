"""The one place where a provider's claims become an Assertion, whatever kind of provider it is.

Rule 1: an identifier counts only if the operator made this provider an authority for its namespace, the
provider itself marks it verified, and it has the form of such a number. Otherwise it is left out: the person
may sign in all the same, but nothing is linked by it.
Rule 2: roles are those the operator's table lists, in the provider's own region and school, never elsewhere.
Rule 3: the account's name there (`sub`) is exact; a doubtful one ends the sign-in.
Rule 4: nothing else is taken from the provider: no e-mail, no phone, no group.

Words of `settings.claims` (our word = dotted path to its claim): sub, name, id_number, roll_number, roster
(or `roster:<source>` by its full name), role, assurance.
`settings.options["verified_claim"]`: path of the claim that says, by `true`, that its identifiers are
verified; without it they are from NAME_VERIFIED upwards. `settings.assurance[""]` is what holds for a
provider that says nothing about assurance.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from auth.broker.upstream import UpstreamRefused
from auth.ports import Assertion, Matching
from auth.principal import RoleClaim
from auth.settings import UpstreamSettings

ASSURANCES = ("SELF_ASSERTED", "NAME_VERIFIED", "FACE_VERIFIED")
ACR = {
    "SELF_ASSERTED": "urn:rongtong:acr:password",
    "NAME_VERIFIED": "urn:rongtong:acr:name-verified",
    "FACE_VERIFIED": "urn:rongtong:acr:face-verified",
}
LONGEST_SUB = 255  # OIDC Core §2
LONGEST_NAME = 100
LONGEST_VALUE = 255
MOST_ROLES = 32
MOST_METHODS = 16

_ID_NUMBER = re.compile(r"[0-9]{17}[0-9X]")
_ROLL_NUMBER = re.compile(r"[GJ][0-9]{17}[0-9X]")  # an L number is temporary and names nobody for long
_METHOD = re.compile(r"[a-zA-Z0-9_.:/-]{1,64}")
_FULL_WIDTH = str.maketrans("０１２３４５６７８９ＸｘＧｇＪｊ", "0123456789XxGgJj")
_WEIGHTS = tuple(pow(2, 17 - place, 11) for place in range(17))


def assertion_from(
    settings: UpstreamSettings,
    matching: Matching,
    values: Mapping[str, Any],
    *,
    iss: str = "",
    sub: str = "",
    assurance_at: str = "",
    amr: Sequence[str] = (),
    auth_time: int = 0,
    sid: str = "",
    hint: str = "",
) -> Assertion:
    """What the provider said, checked. `values` are its claims; `iss` and `sub` where they were verified on
    their own (else the configured issuer and the claim mapped as `sub`); `assurance_at`: the claim that tells
    assurance when the operator maps none (OIDC: `acr`). Raises `UpstreamRefused("claim-sub")` and no other.
    """
    assurance = _assurance(settings, values, assurance_at)
    verified = _verified(settings, values, assurance)
    return Assertion(
        upstream=settings.code,
        iss=iss or settings.issuer,
        sub=sub or subject(at(values, settings.claims.get("sub", "sub")), numbers=True),
        level=settings.level,
        region=settings.region,
        school=settings.school,
        name=_name(at(values, settings.claims.get("name", "name"))),
        identifiers=_identifiers(settings, matching, values) if verified else {},
        roles=_roles(settings, values),
        assurance=assurance,
        acr=ACR[assurance],
        amr=methods(amr),
        auth_time=auth_time,
        sid=sid,
        hint=hint,
    )


def subject(value: object, *, numbers: bool = False) -> str:
    """An account's name at its provider: 1 to 255 printable characters, no blank at either end.

    `numbers`: a whole JSON number is its decimal digits (outside OIDC, where it must be a string).
    Raises `UpstreamRefused("claim-sub")`.
    """
    if numbers and isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        value = str(value) if value < 1 << 64 else ""
    if not isinstance(value, str) or not _line(value, LONGEST_SUB):
        raise UpstreamRefused("claim-sub", "its sub is not a string of 1 to 255 printable characters")
    return value


def at(values: Mapping[str, Any], path: str) -> Any:
    """Where a dotted path (`data.user.id`, `accounts.0.id`) leads; None if nowhere. A whole name is first."""
    if path in values:
        return values[path]
    found: Any = values
    for step in path.split(".")[:16]:
        if isinstance(found, Mapping):
            found = found.get(step)
        elif isinstance(found, list) and step.isascii() and step.isdigit() and int(step[:6]) < len(found):
            found = found[int(step[:6])]
        else:
            return None
    return found


def methods(amr: object) -> tuple[str, ...]:
    """Authentication methods (RFC 8176) as far as they are well-formed; at most 16."""
    if not isinstance(amr, list | tuple):
        return ()
    return tuple(each for each in amr[:MOST_METHODS] if isinstance(each, str) and _METHOD.fullmatch(each))


def asked_of(settings: UpstreamSettings, acr_values: str) -> str:
    """Our `acr_values` in the provider's words: of its values those that are as strong as the first of ours
    that it knows (OIDC Core §3.1.2.1: by preference)."""
    ranks = {ACR[word]: rank for rank, word in enumerate(ASSURANCES)}
    for wish in acr_values.split()[:16]:
        if wish in ranks:
            strong = (value for value, word in settings.assurance.items() if _rank(word) >= ranks[wish])
            if found := " ".join(value for value in strong if value and " " not in value):
                return found
    return ""


def _rank(word: str) -> int:
    return ASSURANCES.index(word) if word in ASSURANCES else 0


def _assurance(settings: UpstreamSettings, values: Mapping[str, Any], default: str) -> str:
    path = settings.claims.get("assurance", default)
    said = _word(at(values, path)) if path else ""
    return ASSURANCES[_rank(settings.assurance.get(said, ""))]


def _verified(settings: UpstreamSettings, values: Mapping[str, Any], assurance: str) -> bool:
    claim = settings.options.get("verified_claim", "")
    if claim:
        said = at(values, str(claim))
        return said is True or said == "true"  # CAS and tickets know strings only
    return _rank(assurance) >= _rank("NAME_VERIFIED")


def _identifiers(settings: UpstreamSettings, matching: Matching, values: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for namespace in settings.authoritative:
        if namespace.startswith("roster:"):
            path = settings.claims.get(namespace) or settings.claims.get("roster", "")
            value = _word(at(values, path)) if path else ""
            if value:
                found[namespace] = value
    if number := _number(settings, values):
        found["match"] = matching.match_key(number)
    return found


def _number(settings: UpstreamSettings, values: Mapping[str, Any]) -> str:
    """The ID number, else the roll number, if this provider is an authority for it; "" else."""
    for namespace, flawless in (("id_number", _is_id_number), ("roll_number", _is_roll_number)):
        if namespace in settings.authoritative and namespace in settings.claims:
            value = _word(at(values, settings.claims[namespace])).translate(_FULL_WIDTH).upper()
            if flawless(value):
                return value
    return ""


def _is_id_number(value: str) -> bool:
    """GB 11643-1999: a real date of birth and a fitting check character. A placeholder such as eighteen
    zeros, or a masked number, must not make two people one."""
    if not _ID_NUMBER.fullmatch(value):
        return False
    try:
        date(int(value[6:10]), int(value[10:12]), int(value[12:14]))
    except ValueError:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(value[:17], _WEIGHTS, strict=True))
    return value[17] == "10X98765432"[total % 11]


def _is_roll_number(value: str) -> bool:
    """G holds an ID number; J was issued to a child without one."""
    if value[:1] == "G":
        return _is_id_number(value[1:])
    return bool(_ROLL_NUMBER.fullmatch(value)) and len(set(value[1:])) > 3


def _roles(settings: UpstreamSettings, values: Mapping[str, Any]) -> tuple[RoleClaim, ...]:
    path = settings.claims.get("role", "")
    said = at(values, path) if path else None
    told = said if isinstance(said, list) else [said]
    words = filter(None, map(_word, told[:MOST_ROLES]))
    ours = dict.fromkeys(settings.roles.get(word, "") for word in words)
    return tuple(RoleClaim(role, settings.region or None, settings.school or None) for role in ours if role)


def _name(value: object) -> str:
    """A display name: whatever cannot be printed is left out, so that it cannot turn a page's text around."""
    if not isinstance(value, str):
        return ""
    return "".join(char for char in value[:LONGEST_NAME] if char.isprintable()).strip()


def _word(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 64:
        value = str(value)
    return value if isinstance(value, str) and _line(value, LONGEST_VALUE) else ""


def _line(value: str, most: int) -> bool:
    return 0 < len(value) <= most and value.isprintable() and value == value.strip()
