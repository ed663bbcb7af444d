"""From who signed in to what policy decides from: nothing is added, nothing unknown opens anything."""

from __future__ import annotations

from auth.principal import Principal, RoleClaim
from hub.web.sight import viewer_of
from schema.model.codes import PersonRole
from schema.model.privacy import Duty
from schema.model.viewer import NOBODY
from schema.model.words import Family

ISSUER = "https://hub.rongtong.invalid/development"


def principal(*roles: RoleClaim, **more: object) -> Principal:
    return Principal(ISSUER, "someone", "COUNTY", roles, **more)  # type: ignore[arg-type]


def test_who_is_not_signed_in_is_nobody_whatever_purpose_they_declare() -> None:
    assert viewer_of(None, ["roll", "teaching"]) is NOBODY


def test_a_teacher_stands_in_her_classes_with_the_duty_of_teaching() -> None:
    claim = RoleClaim("TEACHER", "371502", "3137000001", ("roster:c1",))
    viewer = viewer_of(principal(claim, person_keys=("roster:t1",)))
    (standing,) = viewer.standings
    assert standing.role is PersonRole.TEACHER
    assert (standing.region_code, standing.school_code) == ("371502", "3137000001")
    assert standing.class_keys == {"roster:c1"}
    assert standing.duties == {Duty.TEACHING}
    assert viewer.person_keys == {"roster:t1"}
    assert not viewer.anonymous


def test_a_guardian_has_children_and_no_duty() -> None:
    viewer = viewer_of(
        principal(RoleClaim("GUARDIAN"), person_keys=("r:g1",), children_keys=("r:p1", "r:p2"))
    )
    assert viewer.children_keys == {"r:p1", "r:p2"}
    assert viewer.standings[0].duties == frozenset()


def test_pupils_and_staff_carry_no_duty_and_officers_only_those_of_their_role() -> None:
    roles = ("STUDENT", "STAFF", "RESEARCHER", "PUBLIC", "ADMIN", "PRINCIPAL")
    viewer = viewer_of(principal(*(RoleClaim(role) for role in roles)))
    duties = {standing.role.value: standing.duties for standing in viewer.standings}
    assert [duties[role] for role in roles[:4]] == [frozenset()] * 4
    assert Duty.TEACHING not in duties["ADMIN"] | duties["PRINCIPAL"]
    assert Duty.ROLL in duties["ADMIN"] & duties["PRINCIPAL"]


def test_unknown_roles_and_purposes_open_nothing() -> None:
    claims = [RoleClaim(role) for role in ("OWNER", "teacher", "__class__", "")]
    asking = principal(*claims, purposes=("roll", "everything"))
    viewer = viewer_of(asking, ["roll", "ROLL", "everything", "", "Duty.ROLL"])
    assert viewer.standings == ()
    assert viewer.purposes == {Duty.ROLL}


def test_the_same_subject_at_two_issuers_is_two_viewers() -> None:
    one = viewer_of(Principal(ISSUER, "someone", "COUNTY"))
    other = viewer_of(Principal("https://elsewhere.invalid", "someone", "COUNTY"))
    assert one.audience != other.audience


def test_a_purpose_declared_makes_another_audience() -> None:
    asking = principal(RoleClaim("ADMIN", "370000"), purposes=("roll",))
    assert viewer_of(asking).audience != viewer_of(asking, ["roll"]).audience


def test_an_application_declares_only_the_purposes_it_was_given() -> None:
    asking = principal(RoleClaim("ADMIN", "370000"), purposes=("aid",))
    assert viewer_of(asking, ["roll", "aid"]).purposes == {Duty.AID}


def test_an_administrator_of_a_school_has_the_duties_of_a_school_and_no_more() -> None:
    viewer = viewer_of(principal(RoleClaim("ADMIN", "371502", "3137000001"), RoleClaim("ADMIN", "371502")))
    school, county = viewer.standings
    assert school.duties == {Duty.SCHOOL_MANAGEMENT, Duty.ROLL}
    assert county.duties > school.duties
    assert {Duty.AID, Duty.DROPOUT_PREVENTION} <= county.duties


def test_scopes_let_an_application_into_one_family_or_all_or_none() -> None:
    assert viewer_of(principal(scopes=("openid", "graph.resources"))).families == {Family.RESOURCES}
    assert viewer_of(principal(scopes=("graph",))).families == set(Family)
    assert viewer_of(principal(scopes=("openid", "graph.", "graph.Identities", "graphs"))).families == set()


def test_who_is_not_the_bureaus_own_application_is_a_third_party() -> None:
    assert viewer_of(principal()).third_party
    assert not viewer_of(principal(first_party=True)).third_party


def test_two_applications_of_one_person_share_no_remembered_answer() -> None:
    one, other = (viewer_of(principal(client_id=name)) for name in ("school-app", "other-app"))
    assert one.audience != other.audience
