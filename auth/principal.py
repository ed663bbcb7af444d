"""Who is asking: the verified facts about a caller, and nothing about what they may see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RoleClaim:
    """One role and where it holds.

    `role` is a word such as TEACHER; `region_code` a division code (GB/T 2260 or hub-local);
    `school_code` the ten-digit school code; `class_keys` the classes taught or attended.
    """

    role: str
    region_code: str | None = None
    school_code: str | None = None
    class_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, verified. `(issuer, subject)` names them to this client; keys of persons never print.

    `person` is the hub's own person number; `person_keys` their records at rosters (`source:localId`),
    `children_keys` those of the children they are guardian of. `client_id` is the application that asks for
    them and `session` the sign-on it hangs on; `scopes` and `purposes` bound what it may ask and for what:
    without any purpose only what needs none; `first_party`: the bureau's own application; `minors`: it may
    be told of persons under 14. `jkt` is the thumbprint of the key that must prove possession (RFC 9449),
    `acr` how surely they were recognised, `auth_time` when, in seconds since 1970.
    """

    issuer: str
    subject: str
    level: str
    roles: tuple[RoleClaim, ...] = ()
    person: str = field(default="", repr=False)
    person_keys: tuple[str, ...] = field(default=(), repr=False)
    children_keys: tuple[str, ...] = field(default=(), repr=False)
    scopes: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    client_id: str = ""
    first_party: bool = False
    minors: bool = False
    session: str = field(default="", repr=False)
    jkt: str = ""
    acr: str = ""
    auth_time: int = 0


def role_from(values: Mapping[str, Any]) -> RoleClaim:
    """A RoleClaim from plain data. Raises ValueError on an unknown key or a value of another type."""
    _only(values, {"role", "region_code", "school_code", "class_keys"})
    return RoleClaim(
        role=_text(values.get("role"), "role"),
        region_code=_optional(values.get("region_code"), "region_code"),
        school_code=_optional(values.get("school_code"), "school_code"),
        class_keys=_texts(values.get("class_keys", ()), "class_keys"),
    )


def principal_from(values: Mapping[str, Any], *, issuer: str) -> Principal:
    """A Principal from plain data (a persona, or decoded claims).

    Keys: subject, level, roles (list of role data), person, person_keys, children_keys, scopes, purposes,
    client_id, first_party, minors, session, jkt, acr, auth_time.
    Raises ValueError on an unknown key or a value of another type.
    """
    _only(values, _KEYS)
    roles = values.get("roles", ())
    if not isinstance(roles, list | tuple) or not all(isinstance(role, Mapping) for role in roles):
        raise ValueError("roles")
    return Principal(
        issuer=issuer,
        subject=_text(values.get("subject"), "subject"),
        level=_text(values.get("level"), "level"),
        roles=tuple(role_from(role) for role in roles),
        person=_optional(values.get("person"), "person") or "",
        person_keys=_texts(values.get("person_keys", ()), "person_keys"),
        children_keys=_texts(values.get("children_keys", ()), "children_keys"),
        scopes=_texts(values.get("scopes", ()), "scopes"),
        purposes=_texts(values.get("purposes", ()), "purposes"),
        client_id=_optional(values.get("client_id"), "client_id") or "",
        first_party=values.get("first_party") is True,
        minors=values.get("minors") is True,
        session=_optional(values.get("session"), "session") or "",
        jkt=_optional(values.get("jkt"), "jkt") or "",
        acr=_optional(values.get("acr"), "acr") or "",
        auth_time=_seconds(values.get("auth_time", 0)),
    )


_KEYS = {
    "subject", "level", "roles", "person", "person_keys", "children_keys", "scopes", "purposes",
    "client_id", "first_party", "minors", "session", "jkt", "acr", "auth_time",
}  # fmt: skip


def _seconds(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("auth_time")
    return value


def _only(values: Mapping[str, Any], keys: set[str]) -> None:
    if unknown := sorted(str(key) for key in values if key not in keys):
        raise ValueError(f"unknown keys: {', '.join(unknown)}; known: {', '.join(sorted(keys))}")


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 255:
        raise ValueError(name)
    return value


def _optional(value: object, name: str) -> str | None:
    return None if value is None else _text(value, name)


def _texts(value: object, name: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(name)
    return tuple(_text(item, name) for item in value)
