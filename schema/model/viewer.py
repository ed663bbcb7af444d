"""Who is asking, and from where: the one value that every decision about sight is made from."""

from __future__ import annotations

from dataclasses import dataclass

from schema.model.codes import PersonRole
from schema.model.privacy import Duty
from schema.model.words import Family

EVERY_FAMILY = frozenset(Family)


@dataclass(frozen=True, slots=True)
class Standing:
    """One role the viewer holds: where, for which classes, and the duties it carries."""

    role: PersonRole
    region_code: str = ""
    school_code: str = ""
    class_keys: frozenset[str] = frozenset()
    duties: frozenset[Duty] = frozenset()


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody asking, or nobody (`Viewer()`): `person_keys` are the viewer's own records at rosters.

    `children_keys` are the records of the children the viewer is guardian of; `purposes` what this request
    says it is for, which staff must name to read sensitive data outside teaching. `families` are those of the
    three families of data that the application asking was let into: of the others it sees what anybody sees.
    A `third_party` application sees of pupils only those in `consented` (keys of records whose guardian, or
    who, of age, themselves agreed, each with the purpose agreed to), and for no other purpose, whatever the
    person at its screen may see; and that person's own. Of children under 14, and of whom the age is not
    known, it sees nothing at all without the leave to be told of `minors`.
    `person` is the hub's own number of the person asking, `client` names the application.
    """

    subject: str = ""
    standings: tuple[Standing, ...] = ()
    person_keys: frozenset[str] = frozenset()
    children_keys: frozenset[str] = frozenset()
    match_keys: frozenset[str] = frozenset()
    purposes: frozenset[Duty] = frozenset()
    families: frozenset[Family] = EVERY_FAMILY
    third_party: bool = False
    consented: frozenset[tuple[str, Duty]] = frozenset()
    minors: bool = False
    client: str = ""
    person: str = ""

    @property
    def anonymous(self) -> bool:
        """Whether nobody signed in."""
        return not self.subject

    @property
    def audience(self) -> str:
        """What a cache keyed by audience must tell apart: everything that sight is decided from."""
        return "|".join(
            [
                self.subject,
                f"{self.client}:{self.minors}",
                ",".join(sorted(self.purposes)),
                ",".join(sorted(self.families)),
                ",".join(sorted(map("=".join, self.consented))),
                *sorted(
                    repr((s.role, s.region_code, s.school_code, sorted(s.class_keys))) for s in self.standings
                ),
            ]
        )


NOBODY = Viewer()
