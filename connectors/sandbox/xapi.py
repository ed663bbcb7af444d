"""A school's learning record store (xAPI 1.0.3): the last days' events, read, stored and voided."""

from __future__ import annotations

import base64
import json
import re
import uuid
from bisect import insort
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.sandbox.country import Country
from connectors.sandbox.country.records import Event

LOGIN = "rongtong"
LOGIN_SECRET = "sandbox-lrs-secret"
HOME = "https://accounts.example.invalid/roster"
VOCABULARY = "https://hub.example.invalid/xapi/"
CLASS_IRI = "https://hub.example.invalid/xapi/class/"
VERSION = "1.0.3"
VOIDED = "http://adlnet.gov/expapi/verbs/voided"

Statement = dict[str, Any]

_ADL = "http://adlnet.gov/expapi/verbs/"
_VERBS = {
    "logged-in": "https://w3id.org/xapi/adl/verbs/logged-in",
    "used": "https://w3id.org/xapi/dod-isd/verbs/used",
    "taught": "https://hub.example.invalid/xapi/verbs/taught",
    "published": "http://activitystrea.ms/schema/1.0/publish",
}
_TYPES = {
    "application": "http://activitystrea.ms/schema/1.0/application",
    "chapter": "http://adlnet.gov/expapi/activities/module",
    "lesson": "http://adlnet.gov/expapi/activities/lesson",
    "notice": "http://activitystrea.ms/schema/1.0/note",
}
_KNOWN = frozenset(
    (
        "statementId",
        "voidedStatementId",
        "agent",
        "verb",
        "activity",
        "registration",
        "since",
        "until",
        "related_activities",
        "related_agents",
        "limit",
        "format",
        "attachments",
        "ascending",
    )
)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Bad(Exception):
    """A request that the specification answers with this status."""

    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why)
        self.why, self.status = why, status


class Store:
    """Statements in the order they were stored; nothing is ever deleted, only voided.

    What `statements` say is stored later than `now` waits `ahead` until then.
    """

    def __init__(self, statements: Iterable[Statement], most: int, now: Callable[[], datetime]) -> None:
        self.kept: list[Statement] = []
        self.by_id: dict[str, Statement] = {}
        self.voided: set[str] = set()
        self.most, self._now = most, now
        self._ahead = deque(sorted(statements, key=_order))
        self.catch_up()

    def catch_up(self) -> None:
        """Take in what has been stored by now."""
        moment = _utc(self._now())
        while self._ahead and self._ahead[0]["stored"] <= moment:
            one = self._ahead.popleft()
            insort(self.kept, one, key=_order)
            self.by_id[one["id"]] = one

    @property
    def through(self) -> str:
        """The moment up to which everything stored can be read."""
        return self.kept[-1]["stored"] if self.kept else _utc(datetime(2026, 1, 1, tzinfo=UTC))

    def add(self, statement: Statement) -> str:
        """Store one statement, as the specification completes it; its id."""
        own = str(statement.get("id") or uuid.uuid4())
        if not _UUID.fullmatch(own) or not _whole(statement):
            raise Bad("not a statement")
        if own in self.by_id:
            raise Bad("a statement with this id is here", 409)
        stored = _utc(datetime.fromisoformat(self.through) + timedelta(seconds=1))
        full = {"timestamp": stored, "version": VERSION, **statement, "id": own, "stored": stored}
        self.kept.append(full)
        self.by_id[own] = full
        if statement["verb"]["id"] == VOIDED:
            self._void(statement["object"])
        return own

    def _void(self, thing: Statement) -> None:
        target = self.by_id.get(str(thing.get("id")))
        if thing.get("objectType") == "StatementRef" and target and target["verb"]["id"] != VOIDED:
            self.voided.add(target["id"])


def app(
    country: Country, school: str, days: int = 7, most: int = 100, now: Callable[[], datetime] | None = None
) -> Starlette:
    """The store of one school with the events of its last `days` up to `now`; pages of at most `most`."""
    found = country.school(school)
    if found is None:
        raise ValueError(f"no such school: {school}")
    dates = [country.today - timedelta(days=back) for back in range(days)]
    told = (statement(event) for day in dates for event in country.statements(found, day))
    store = Store(told, most, now or country.now)

    async def endpoint(request: Request) -> Response:
        try:
            _admit(request)
            store.catch_up()
            response = await _post(request, store) if request.method == "POST" else _get(request, store)
        except Bad as bad:
            response = JSONResponse({"error": bad.why}, bad.status)
        response.headers["X-Experience-API-Version"] = VERSION
        response.headers["X-Experience-API-Consistent-Through"] = store.through
        return response

    async def about(_: Request) -> Response:
        return JSONResponse({"version": [VERSION]}, headers={"X-Experience-API-Version": VERSION})

    return Starlette(
        routes=[
            Route("/xapi/about", about),
            Route("/xapi/statements", endpoint, methods=["GET", "POST"]),
        ]
    )


def statement(event: Event) -> Statement:
    """An event of the country as the school's platform writes it; actors carry a name, as many do."""
    grouping = [{"id": CLASS_IRI + event.class_key}] if event.class_key else []
    told = {"scene": event.scene, "loop-step": event.loop_step, "school": event.school_code}
    told["role"] = event.actor_role.upper()
    happened = datetime.fromisoformat(event.timestamp)
    result = (
        {"score": {"raw": event.score, "min": 0, "max": 10, "scaled": event.score / 10}}
        if event.score
        else {}
    )
    return {
        "id": event.id,
        "actor": {
            "objectType": "Agent",
            "name": f"账号 {event.actor_id}",
            "account": {"homePage": HOME, "name": event.actor_id},
        },
        "verb": {"id": _VERBS.get(event.verb, _ADL + event.verb), "display": {"en-US": event.verb}},
        "object": {
            "objectType": "Activity",
            "id": f"https://hub.example.invalid/{event.object_type}/{event.object_id}",
            "definition": {"name": {"zh-CN": event.object_name}, "type": _TYPES[event.object_type]},
        },
        **({"result": {**result, "completion": True}} if result else {}),
        "context": {
            "platform": event.app,
            "contextActivities": {"grouping": grouping},
            "extensions": {VOCABULARY + name: value for name, value in told.items() if value},
        },
        "timestamp": event.timestamp,
        "stored": _utc(happened + timedelta(seconds=3 + len(event.object_name))),
        "version": VERSION,
        "authority": {"objectType": "Agent", "account": {"homePage": HOME, "name": "lrs"}},
    }


def _order(one: Statement) -> tuple[str, str]:
    return one["stored"], one["id"]


def _utc(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"


def _admit(request: Request) -> None:
    if not request.headers.get("X-Experience-API-Version", "").startswith("1.0"):
        raise Bad("X-Experience-API-Version is missing or not 1.0.x")
    scheme, _, packed = request.headers.get("Authorization", "").partition(" ")
    expected = base64.b64encode(f"{LOGIN}:{LOGIN_SECRET}".encode()).decode()
    if scheme != "Basic" or packed != expected:
        raise Bad("who are you?", 401)


async def _post(request: Request, store: Store) -> Response:
    try:
        body = await request.json()
    except ValueError:
        raise Bad("not JSON") from None
    return JSONResponse([store.add(one) for one in (body if isinstance(body, list) else [body])])


def _whole(one: Any) -> bool:
    return (
        isinstance(one, dict)
        and all(isinstance(one.get(part), dict) for part in ("actor", "verb", "object"))
        and isinstance(one["verb"].get("id"), str)
    )


def _get(request: Request, store: Store) -> Response:
    asked = dict(request.query_params)
    if "cursor" in asked:
        asked = json.loads(base64.urlsafe_b64decode(asked["cursor"]))
    offset = int(asked.pop("offset", "0"))
    if set(asked) - _KNOWN:
        raise Bad("unknown parameter")
    if "statementId" in asked or "voidedStatementId" in asked:
        return _single(asked, store)
    found = _found(asked, store)
    limit = min(_limit(asked) or store.most, store.most)
    page = found[offset : offset + limit]
    more = ""
    if offset + limit < len(found):
        rest = json.dumps({**asked, "offset": str(offset + limit)}).encode()
        more = f"/xapi/statements?cursor={base64.urlsafe_b64encode(rest).decode()}"
    return JSONResponse({"statements": page, "more": more})


def _single(asked: dict[str, str], store: Store) -> Response:
    if set(asked) - {"statementId", "voidedStatementId", "format", "attachments"} or len(asked) > 3:
        raise Bad("statementId stands alone")
    void = "voidedStatementId" in asked
    own = asked["voidedStatementId" if void else "statementId"]
    if not _UUID.fullmatch(own):
        raise Bad("not a UUID")
    if own not in store.by_id or (own in store.voided) != void:
        raise Bad("no such statement", 404)
    return JSONResponse(store.by_id[own])


def _limit(asked: dict[str, str]) -> int:
    text = asked.get("limit", "0")
    if not text.isascii() or not text.isdigit():
        raise Bad("limit is a number")
    return int(text)


def _found(asked: dict[str, str], store: Store) -> list[Statement]:
    since, until = _moment(asked, "since"), _moment(asked, "until")
    agent = _account(asked["agent"]) if "agent" in asked else None
    found = [
        one
        for one in store.kept
        if one["id"] not in store.voided
        and (since is None or datetime.fromisoformat(one["stored"]) > since)
        and (until is None or datetime.fromisoformat(one["stored"]) <= until)
        and (agent is None or one["actor"].get("account") == agent)
        and ("verb" not in asked or one["verb"]["id"] == asked["verb"])
        and ("activity" not in asked or asked["activity"] in _activities(one, asked))
    ]
    return found if asked.get("ascending") == "true" else found[::-1]


def _moment(asked: dict[str, str], name: str) -> datetime | None:
    if name not in asked:
        return None
    try:
        when = datetime.fromisoformat(asked[name])
    except ValueError:
        raise Bad(f"{name} is no timestamp") from None
    if when.tzinfo is None:
        raise Bad(f"{name} has no offset")
    return when


def _account(text: str) -> Any:
    try:
        account = json.loads(text)["account"]
    except (ValueError, KeyError, TypeError):
        raise Bad("agent is no identified agent") from None
    return {"homePage": account.get("homePage"), "name": account.get("name")}


def _activities(one: Statement, asked: dict[str, str]) -> set[str]:
    held = {str(one["object"].get("id"))}
    if asked.get("related_activities") == "true":
        context = one.get("context", {}).get("contextActivities", {})
        held |= {str(activity.get("id")) for part in context.values() for activity in part}
    return held
