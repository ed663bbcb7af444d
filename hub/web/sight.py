"""From Principal to Viewer: the one function between who signed in and what policy decides from."""

from __future__ import annotations

from collections.abc import Iterable

from auth.principal import Principal, RoleClaim
from schema.model.codes import PersonRole
from schema.model.privacy import Duty
from schema.model.viewer import NOBODY, Standing, Viewer

DUTIES: dict[PersonRole, frozenset[Duty]] = {
    PersonRole.TEACHER: frozenset({Duty.TEACHING}),
    PersonRole.PRINCIPAL: frozenset({Duty.SCHOOL_MANAGEMENT, Duty.ROLL}),
    PersonRole.ADMIN: frozenset({Duty.ROLL, Duty.AID, Duty.DROPOUT_PREVENTION, Duty.SCHOOL_MANAGEMENT}),
}
"""Duties a role carries (一级部署、二级管理、三级应用); all but teaching must also be declared as purpose."""


def viewer_of(principal: Principal | None, purposes: Iterable[str] = ()) -> Viewer:
    """The viewer that `principal` is for this request; `purposes` are those the request declares.

    Unknown roles and purposes are dropped: they open nothing.
    """
    if principal is None:
        return NOBODY
    return Viewer(
        subject=f"{principal.issuer}|{principal.subject}",
        standings=tuple(
            _standing(claim) for claim in principal.roles if claim.role in PersonRole.__members__
        ),
        person_keys=frozenset(principal.person_keys),
        children_keys=frozenset(principal.children_keys),
        purposes=frozenset(Duty(purpose) for purpose in purposes if purpose in set(Duty)),
    )


def _standing(claim: RoleClaim) -> Standing:
    role = PersonRole(claim.role)
    return Standing(
        role,
        claim.region_code or "",
        claim.school_code or "",
        frozenset(claim.class_keys),
        DUTIES.get(role, frozenset()),
    )
