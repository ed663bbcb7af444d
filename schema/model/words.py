"""How a word of the model is declared: names in two languages, privacy, authority, all in one place.

Rule 1: a class about persons marks every field's privacy, or it cannot be defined.
Rule 2: values are plain and JSON-able: strings for codes and dates, numbers with the unit in the name.
Rule 3: a `Link` is never a value: it names a relation, so that relations carry the same marks as fields.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, ClassVar, NewType, get_args, get_origin

from schema.model.codes import Level
from schema.model.privacy import Duty, Mask, PrivacyClass

Date = NewType("Date", str)
"""ISO 8601 calendar date, `2026-09-01`."""
DateTime = NewType("DateTime", str)
"""RFC 3339 with offset, `2026-09-01T08:00:00+08:00`."""
YearMonth = NewType("YearMonth", str)
"""`2026-09`."""
SchoolYear = NewType("SchoolYear", str)
"""`2026-2027`."""
RegionCode = NewType("RegionCode", str)
"""GB/T 2260, six digits, or a hub-local code (functional zones)."""


class Link:
    """Marks a relation to other words; resolved by the graph, never sent by a connector."""


class Family(StrEnum):
    """The three families of data that an application may be let into, each for itself."""

    RESOURCES = "resources"
    IDENTITIES = "identities"
    ACTIVITY = "activity"


class Kind(StrEnum):
    """What a look-up can ask a source for."""

    REGION = "Region"
    ORGANIZATION = "Organization"
    SCHOOL = "School"
    SCHOOL_FACILITY = "SchoolFacility"
    CLASS_GROUP = "ClassGroup"
    PERSON = "Person"
    ACCOUNT = "Account"
    ENROLLMENT = "Enrollment"
    GUARDIANSHIP = "Guardianship"
    STUDENT_ROLL = "StudentRoll"
    LEARNING_SPACE = "LearningSpace"
    RESOURCE = "Resource"
    TEXTBOOK = "Textbook"
    CHAPTER = "Chapter"
    KNOWLEDGE_POINT = "KnowledgePoint"
    RESOURCE_COLLECTION = "ResourceCollection"
    APPLICATION = "Application"
    DATASET = "Dataset"
    ACTIVITY = "Activity"
    ACTIVITY_EVENT = "ActivityEvent"
    COMMUNITY = "Community"
    HOMEWORK_STAT = "HomeworkStat"
    PLATFORM_USAGE = "PlatformUsage"
    NOTICE = "Notice"
    LIVE_SESSION = "LiveSession"
    STATISTICS = "Statistics"
    METRIC = "Metric"
    HONOUR = "Honour"

    @property
    def family(self) -> Family:
        """The family of data it belongs to."""
        return _FAMILIES[self]


_OF_IDENTITIES = frozenset(
    {Kind.REGION, Kind.ORGANIZATION, Kind.SCHOOL, Kind.SCHOOL_FACILITY, Kind.CLASS_GROUP, Kind.PERSON,
     Kind.ACCOUNT, Kind.ENROLLMENT, Kind.GUARDIANSHIP, Kind.STUDENT_ROLL, Kind.LEARNING_SPACE}
)  # fmt: skip
_OF_RESOURCES = frozenset(
    {Kind.RESOURCE, Kind.TEXTBOOK, Kind.CHAPTER, Kind.KNOWLEDGE_POINT, Kind.RESOURCE_COLLECTION,
     Kind.APPLICATION, Kind.DATASET}
)  # fmt: skip
_FAMILIES = {
    kind: Family.IDENTITIES
    if kind in _OF_IDENTITIES
    else Family.RESOURCES
    if kind in _OF_RESOURCES
    else Family.ACTIVITY
    for kind in Kind
}


@dataclass(frozen=True, slots=True)
class Said:
    """What is said about one field, beside its type."""

    zh: str
    en: str
    privacy: PrivacyClass | None = None
    authority: tuple[Level, ...] = ()
    duties: frozenset[Duty] = frozenset()
    mask: Mask = Mask.NONE
    hidden: bool = False
    at_work: PrivacyClass | None = None


def said(
    zh: str,
    en: str,
    privacy: PrivacyClass | None = None,
    *,
    authority: Iterable[Level] = (),
    duties: Iterable[Duty] = (),
    mask: Mask = Mask.NONE,
    hidden: bool = False,
    at_work: PrivacyClass | None = None,
) -> Said:
    """Declare a field: Chinese and English description; `None` privacy and no authority inherit the type's.

    `duties`: under which staff may read it where it is sensitive. `hidden`: for the hub, never in the graph.
    `at_work`: its class where the person is staff and it tells of their post, such as a teacher's name.
    """
    return Said(zh, en, privacy, tuple(authority), frozenset(duties), mask, hidden, at_work)


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field as declared: `type` is the plain Python type of a present value; links have type `Link`."""

    name: str
    type: Any
    zh: str
    en: str
    privacy: PrivacyClass
    authority: tuple[Level, ...]
    duties: frozenset[Duty]
    mask: Mask
    hidden: bool
    at_work: PrivacyClass | None

    @property
    def link(self) -> bool:
        """Whether this is a relation and no value."""
        return self.type is Link


@dataclass(frozen=True, slots=True, eq=False)
class WordSpec:
    """One type as declared, itself and no other: it hashes by identity.

    `shared`: its key means the same at every source, so records of it merge.
    `same`: where each source numbers for itself, records of several sources are one thing that agree in all
    fields of one of these rows, and in `apart` (which may be told by neither).
    `register`: a school's records are a register: the most authoritative level that tells any speaks alone.
    """

    name: str
    zh: str
    en: str
    kind: Kind | None
    privacy: PrivacyClass
    authority: tuple[Level, ...]
    shared: bool
    about_person: bool
    fields: Mapping[str, FieldSpec] = field(default_factory=dict)
    same: tuple[tuple[str, ...], ...] = ()
    apart: tuple[str, ...] = ()
    register: bool = False

    @property
    def identity(self) -> frozenset[str]:
        """The values that tell whether records of several sources are one thing."""
        return frozenset(name for row in (*self.same, self.apart) for name in row)

    def values(self) -> frozenset[str]:
        """Names of the fields that a source can send."""
        return frozenset(name for name, spec in self.fields.items() if not spec.link)


class Unmarked(TypeError):
    """A field about a person has no privacy mark, or a field no description: the model does not load."""


class Word:
    """Base of every declared type. Subclasses hold annotations only: `name: Annotated[type, said(...)]`."""

    declared: ClassVar[dict[str, type[Word]]] = {}
    _own: ClassVar[dict[str, Any]]

    def __init_subclass__(
        cls,
        *,
        zh: str,
        en: str,
        privacy: PrivacyClass,
        authority: Iterable[Level],
        kind: Kind | None = None,
        shared: bool = False,
        about_person: bool = False,
        same: Iterable[Sequence[str]] = (),
        apart: Iterable[str] = (),
        register: bool = False,
    ) -> None:
        super().__init_subclass__()
        cls._own = {
            "zh": zh, "en": en, "privacy": privacy, "authority": tuple(authority),
            "kind": kind, "shared": shared, "about_person": about_person,
            "same": tuple(map(tuple, same)), "apart": tuple(apart), "register": register,
        }  # fmt: skip
        Word.declared[cls.__name__] = cls
        cls.spec = _spec(cls)

    spec: ClassVar[WordSpec]


def _spec(cls: type[Word]) -> WordSpec:
    own = cls._own
    hints = typing.get_type_hints(cls, include_extras=True)
    names = [name for name in inspect.get_annotations(cls) if not name.startswith("_")]
    fields = {name: _field(cls, name, hints[name]) for name in names}
    spec = WordSpec(name=cls.__name__, fields=types.MappingProxyType(fields), **own)
    if unknown := spec.identity - spec.values():
        raise Unmarked(f"{spec.name} does not declare what it is known by: {', '.join(sorted(unknown))}")
    return spec


def _field(cls: type[Word], name: str, hint: Any) -> FieldSpec:
    mark = next((extra for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, Said)), None)
    if get_origin(hint) is not Annotated or mark is None:
        raise Unmarked(f"{cls.__name__}.{name} says nothing of itself: write Annotated[type, said(...)]")
    if cls._own["about_person"] and mark.privacy is None:
        raise Unmarked(f"{cls.__name__}.{name} is about a person: give it a privacy class")
    return FieldSpec(
        name=name,
        type=get_args(hint)[0],
        zh=mark.zh,
        en=mark.en,
        privacy=mark.privacy or cls._own["privacy"],
        authority=mark.authority or cls._own["authority"],
        duties=mark.duties,
        mask=mark.mask,
        hidden=mark.hidden,
        at_work=mark.at_work,
    )
