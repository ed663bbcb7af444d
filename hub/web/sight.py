"""From Principal to Viewer: the one function between who signed in and what policy decides from."""

from __future__ import annotations

from collections.abc import Iterable

from auth.principal import Principal, RoleClaim
from schema.model.codes import PersonRole
from schema.model.privacy import Duty
from schema.model.viewer import EVERY_FAMILY, NOBODY, Standing, Viewer
from schema.model.words import Family

GRAPH = "graph"
"""The scope of all three families; `graph.resources` and so on let an application into one."""

_BUREAU = frozenset({Duty.ROLL, Duty.AID, Duty.DROPOUT_PREVENTION, Duty.SCHOOL_MANAGEMENT})
_SCHOOL = frozenset({Duty.SCHOOL_MANAGEMENT, Duty.ROLL})


def duties_of(role: PersonRole, school_code: str) -> frozenset[Duty]:
    """Duties that a role carries: the administrations of city and county, of a school (一级部署、二级管理、
    三级应用), and the teacher's. All but teaching count only once declared as a request's purpose."""
    if role is PersonRole.TEACHER:
        return frozenset({Duty.TEACHING})
    if role is PersonRole.PRINCIPAL:
        return _SCHOOL
    if role is PersonRole.ADMIN:
        return _SCHOOL if school_code else _BUREAU
    return frozenset()


def viewer_of(
    principal: Principal | None,
    purposes: Iterable[str] = (),
    consented: frozenset[tuple[str, Duty]] = frozenset(),
) -> Viewer:
    """The viewer that `principal` is for this request; `purposes` are those the request declares.

    What narrows: unknown roles, scopes and purposes open nothing; an application may declare only its own
    purposes; a third party sees of pupils only those in `consented`, and for that purpose.
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
        purposes=frozenset(
            Duty(purpose) for purpose in purposes if purpose in set(Duty) and purpose in principal.purposes
        ),
        families=families_of(principal.scopes),
        third_party=not principal.first_party,
        minors=principal.minors,
        consented=consented,
        client=principal.client_id,
        person=principal.person,
    )


def families_of(scopes: Iterable[str]) -> frozenset[Family]:
    """The families of data that an access token's scopes open."""
    given = frozenset(scopes)
    if GRAPH in given:
        return EVERY_FAMILY
    return frozenset(family for family in Family if f"{GRAPH}.{family}" in given)


def _standing(claim: RoleClaim) -> Standing:
    role = PersonRole(claim.role)
    school = claim.school_code or ""
    return Standing(
        role, claim.region_code or "", school, frozenset(claim.class_keys), duties_of(role, school)
    )
