"""xAPI statements as activity events: pure; what cannot be mapped is left out and remarked.

Rule 1: of an actor only an account leaves, as a person key of the roster its homePage belongs to; names,
mailboxes and responses never do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from connectors.base import Identity
from connectors.xapi.options import Meaning, XapiOptions
from schema.model.codes import LoopStep, PersonRole, Scene

Statement = dict[str, Any]
E = TypeVar("E", bound=StrEnum)

VOIDED = "http://adlnet.gov/expapi/verbs/voided"
LONGEST = 500  # characters of a name, an id
_ADL, _STREAMS = "http://adlnet.gov/expapi/verbs/", "http://activitystrea.ms/schema/1.0/"
VERBS = {
    "https://w3id.org/xapi/adl/verbs/logged-in": Meaning(Scene.MANAGE),
    f"{_ADL}attended": Meaning(Scene.LEARN, LoopStep.LEARN),
    f"{_ADL}experienced": Meaning(Scene.LEARN, LoopStep.LEARN),
    f"{_ADL}progressed": Meaning(Scene.LEARN, LoopStep.LEARN),
    f"{_ADL}attempted": Meaning(Scene.LEARN, LoopStep.PRACTICE),
    f"{_ADL}completed": Meaning(Scene.LEARN, LoopStep.PRACTICE),
    f"{_ADL}answered": Meaning(Scene.EVALUATE, LoopStep.TEST),
    f"{_ADL}passed": Meaning(Scene.EVALUATE, LoopStep.TEST),
    f"{_ADL}failed": Meaning(Scene.EVALUATE, LoopStep.TEST),
    f"{_ADL}scored": Meaning(Scene.EVALUATE, LoopStep.EVALUATE),
    f"{_ADL}mastered": Meaning(Scene.EVALUATE, LoopStep.EVALUATE),
    f"{_ADL}shared": Meaning(Scene.TEACH, LoopStep.PREPARE),
    f"{_ADL}commented": Meaning(Scene.EVALUATE, LoopStep.EVALUATE),
    f"{_STREAMS}watch": Meaning(Scene.LEARN, LoopStep.LEARN),
    f"{_STREAMS}read": Meaning(Scene.LEARN, LoopStep.LEARN),
    f"{_STREAMS}submit": Meaning(Scene.LEARN, LoopStep.PRACTICE),
}


def moment(value: object) -> datetime | None:
    """A time with its offset (ISO 8601, xAPI Data §4.5), None for anything else."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) and len(value) < 64 else None
    except ValueError:
        return None
    return found if found and found.tzinfo else None


def at(value: Any, *steps: str) -> Any:
    """What lies at the end of nested objects, None if a step is missing."""
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def text(value: object) -> str | None:
    """A text that is neither blank nor endless."""
    return value if isinstance(value, str) and value.strip() and len(value) <= LONGEST else None


def voided_by(statement: Statement) -> str | None:
    """The id of the statement that this one declares void (xAPI Data §2.3.2)."""
    if at(statement, "verb", "id") != VOIDED or at(statement, "object", "objectType") != "StatementRef":
        return None
    return text(at(statement, "object", "id"))


class Words:
    """Turns statements into the values of activity events, for one source; collects remarks."""

    def __init__(self, identity: Identity, options: XapiOptions) -> None:
        self._identity, self._options = identity, options
        self._verbs = VERBS | options.verbs
        self._seen: Counter[str] = Counter()

    def remark(self, said: str) -> None:
        """Note an oddity; no personal data."""
        self._seen[said] += 1

    def remarks(self) -> tuple[str, ...]:
        """One line for each kind of oddity."""
        return tuple(f"{said}（×{number}）" if number > 1 else said for said, number in self._seen.items())

    def values(self, statement: Statement) -> dict[str, Any]:
        """All values that the statement tells."""
        verb = text(at(statement, "verb", "id"))
        meaning = self._verbs.get(verb or "", Meaning())
        return {
            "person_key": self._person(statement.get("actor")),
            "actor_role": self._one_of(statement, "role", PersonRole),
            "verb": verb,
            "scene": self._one_of(statement, "scene", Scene) or meaning.scene,
            "loop_step": self._one_of(statement, "loop-step", LoopStep) or meaning.loop_step,
            **self._object(statement.get("object")),
            "score_scaled": self._score(at(statement, "result", "score")),
            "occurred_at": self._time(statement, "timestamp") or self._time(statement, "stored"),
            "stored_at": self._time(statement, "stored"),
            "school_code": text(self._extension(statement, "school")) or self._identity.school_code or None,
            "region_code": self._identity.region_code,
            "class_key": self._class(statement),
            "platform": text(at(statement, "context", "platform")),
        }

    def _person(self, actor: object) -> str | None:
        """`roster:name` of an account; a mailbox, a group or a foreign account is nobody we know."""
        if at(actor, "objectType") not in (None, "Agent"):
            return None
        home, name = at(actor, "account", "homePage"), text(at(actor, "account", "name"))
        if home is None or name is None:
            self.remark("行为人不是账号，未关联人员 / the actor is no account: no person")
            return None
        roster = self._options.actors.get(home) if isinstance(home, str) else None
        if roster is None:
            self.remark("账号所属平台未登记，未关联人员 / an account's homePage is not mapped: no person")
            return None
        return f"{roster}:{name}"

    def _object(self, thing: object) -> dict[str, str | None]:
        """Type, id and name of an activity; of a person, group or statement only what it is."""
        kind = at(thing, "objectType") or "Activity"
        if kind != "Activity":
            return {"object_type": text(kind)}
        names = at(thing, "definition", "name")
        return {
            "object_type": text(at(thing, "definition", "type")),
            "object_id": text(at(thing, "id")),
            "object_name": next(_named(names), None) if isinstance(names, dict) else None,
        }

    def _score(self, score: object) -> float | None:
        """0 to 1: the scaled score, else the raw one within its bounds."""
        scaled = at(score, "scaled")
        if not _number(scaled):
            raw, least, best = at(score, "raw"), at(score, "min") or 0, at(score, "max")
            if not (_number(raw) and _number(least) and _number(best) and best > least):
                return None
            scaled = (raw - least) / (best - least)
        return min(max(float(scaled), 0.0), 1.0)

    def _time(self, statement: Statement, name: str) -> str | None:
        found = moment(statement.get(name))
        if found is None and statement.get(name) is not None:
            self.remark(f"{name} 缺少时区或不是时间 / {name} is no time with an offset")
        return found.isoformat() if found else None

    def _extension(self, statement: Statement, name: str) -> Any:
        return at(statement, "context", "extensions", self._options.vocabulary + name)

    def _one_of(self, statement: Statement, name: str, of: type[E]) -> E | None:
        value = self._extension(statement, name)
        if value is None or value == "":
            return None
        try:
            return of(value)
        except ValueError:
            self.remark(f"扩展 {name} 的取值不认识 / unknown value of the extension {name}")
            return None

    def _class(self, statement: Statement) -> str | None:
        """The class among the context activities, by the beginning of its id."""
        start, roster = self._options.class_iri, self._options.classes
        for own in _context_ids(statement):
            if start and own.startswith(start) and len(own) > len(start):
                return f"{roster}:{own[len(start) :]}"
        return None


def _context_ids(statement: Statement) -> Iterator[str]:
    for place in ("grouping", "parent", "category", "other"):
        held = at(statement, "context", "contextActivities", place)
        for activity in held if isinstance(held, list) else [held]:
            own = text(at(activity, "id"))
            if own:
                yield own


def _named(names: dict[str, Any]) -> Iterator[str]:
    """Chinese first, then whatever there is."""
    for language in ("zh-CN", "zh-Hans", "zh", *names):
        found = text(names.get(language))
        if found:
            yield found


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
