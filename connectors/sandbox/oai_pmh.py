"""A repository's other half: a conforming OAI-PMH 2.0 server over the country's resources.

The province's (`level="PROVINCIAL"`) disseminates LOM and Dublin Core, a school's Dublin Core only. Nothing
is stored: pages are made from indexes, tokens carry their own state. `POST /_tokens` makes every token
given so far stale. Sets (`chapter:<id>`, `book:<id>`, `subject:<code>`) need one walk over the resources;
`indexed` bounds it, so at large scale only the first so many stand in sets.
"""

from __future__ import annotations

import base64
import binascii
import threading
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.sandbox import oai_records
from connectors.sandbox.country import Country, Resource

OAI = "http://www.openarchives.org/OAI/2.0/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
FORMATS = {
    "oai_dc": (
        "http://www.openarchives.org/OAI/2.0/oai_dc.xsd",
        "http://www.openarchives.org/OAI/2.0/oai_dc/",
    ),
    "lom": ("http://ltsc.ieee.org/xsd/lomv1.0/lom.xsd", "http://ltsc.ieee.org/xsd/LOM"),
}
GRANULARITIES = ("YYYY-MM-DDThh:mm:ssZ", "YYYY-MM-DD")
ARGUMENTS = {
    "Identify": (set(), set()),
    "ListMetadataFormats": (set(), {"identifier"}),
    "ListSets": (set(), {"resumptionToken"}),
    "GetRecord": ({"identifier", "metadataPrefix"}, set()),
    "ListRecords": ({"metadataPrefix"}, {"from", "until", "set", "resumptionToken"}),
    "ListIdentifiers": ({"metadataPrefix"}, {"from", "until", "set", "resumptionToken"}),
}
escape = oai_records.escape


class Fault(Exception):
    """An OAI error: its code and what it says."""

    def __init__(self, code: str, says: str) -> None:
        super().__init__(says)
        self.code = code


def app(
    country: Country,
    *,
    level: str = "PROVINCIAL",
    owner: str | None = None,
    prefixes: Sequence[str] = ("oai_dc", "lom"),
    domain: str = "sd.example",
    page_size: int = 200,
    indexed: int = 100_000,
    granularity: str = GRANULARITIES[0],
) -> Starlette:
    """The repository at `/oai`. `owner`: the school's code at SCHOOL level; `domain`: of its identifiers."""
    shelf = Repository(country, level, owner, tuple(prefixes), domain, page_size, indexed, granularity)

    async def ask(request: Request) -> Response:
        form = await request.form() if request.method == "POST" else request.query_params
        pairs = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
        address = str(request.url.replace(query=""))
        body = await run_in_threadpool(shelf.answer, pairs, address, request.app.state.generation)
        return Response(body, media_type="text/xml; charset=utf-8")

    async def forget(request: Request) -> Response:
        request.app.state.generation += 1
        return JSONResponse({"generation": request.app.state.generation})

    site = Starlette(routes=[
        Route("/oai", ask, methods=["GET", "POST"]), Route("/_tokens", forget, methods=["POST"]),
    ])  # fmt: skip
    site.state.generation = 0
    return site


class Repository:
    """What the repository holds, and its six verbs."""

    def __init__(
        self, country: Country, level: str, owner: str | None, prefixes: tuple[str, ...], domain: str,
        page_size: int, indexed: int, granularity: str,
    ) -> None:  # fmt: skip
        self._country, self._level, self._prefixes, self._domain = country, level, prefixes, domain
        self._rows = country.resources(level, owner)
        self._size, self._indexed, self._granularity = page_size, indexed, granularity
        self._lock = threading.Lock()
        self._members: dict[str, array[int]] | None = None

    def answer(self, pairs: Sequence[tuple[str, str]], address: str, generation: int) -> bytes:
        """The whole answer to one request."""
        asked = dict(pairs)
        verb = asked.pop("verb", "")
        try:
            if len(asked) + 1 != len(pairs) or verb not in ARGUMENTS:
                raise Fault("badVerb", "no verb, an unknown one, or something said twice")
            self._check(verb, asked)
            body = f"<{verb}>{''.join(self._said(verb, asked, address, generation))}</{verb}>"
            said = "".join(f' {name}="{escape(value)}"' for name, value in pairs)
        except Fault as fault:
            body, said = f'<error code="{fault.code}">{escape(str(fault))}</error>', ""
        return (
            f'<?xml version="1.0" encoding="UTF-8"?><OAI-PMH xmlns="{OAI}" xmlns:xsi="{XSI}" '
            f'xsi:schemaLocation="{OAI} {OAI[:-1]}/OAI-PMH.xsd"><responseDate>{self._now()}</responseDate>'
            f"<request{said}>{escape(address)}</request>{body}</OAI-PMH>"
        ).encode()

    def _check(self, verb: str, asked: Mapping[str, str]) -> None:
        needed, allowed = ARGUMENTS[verb]
        if "resumptionToken" in asked and "resumptionToken" in allowed:
            if len(asked) > 1:
                raise Fault("badArgument", "a resumptionToken stands alone")
        elif not needed <= asked.keys() or not asked.keys() <= needed | allowed:
            raise Fault("badArgument", "an argument is missing, or one too many")

    def _said(self, verb: str, asked: dict[str, str], address: str, generation: int) -> Iterator[str]:
        made: dict[str, Callable[[], Iterator[str]]] = {
            "Identify": lambda: self._identify(address),
            "ListMetadataFormats": lambda: self._formats(asked),
            "ListSets": lambda: self._sets(asked, generation),
            "GetRecord": lambda: self._get(asked),
            "ListRecords": lambda: self._list(asked, generation, self._record),
            "ListIdentifiers": lambda: self._list(asked, generation, lambda row, _: self._header(row)),
        }
        return made[verb]()

    def _identify(self, address: str) -> Iterator[str]:
        earliest = self._stamp(self._rows[0]) if len(self._rows) else self._now()
        yield f"<repositoryName>{'学校' if self._level == 'SCHOOL' else '省'}样例资源库</repositoryName>"
        yield f"<baseURL>{escape(address)}</baseURL><protocolVersion>2.0</protocolVersion>"
        yield "<adminEmail>admin@example.invalid</adminEmail>"
        yield f"<earliestDatestamp>{earliest}</earliestDatestamp><deletedRecord>persistent</deletedRecord>"
        yield f"<granularity>{self._granularity}</granularity>"

    def _formats(self, asked: Mapping[str, str]) -> Iterator[str]:
        if "identifier" in asked:
            self._found(asked["identifier"])
        for prefix in self._prefixes:
            schema, namespace = FORMATS[prefix]
            yield f"<metadataFormat><metadataPrefix>{prefix}</metadataPrefix><schema>{schema}</schema>"
            yield f"<metadataNamespace>{namespace}</metadataNamespace></metadataFormat>"

    def _sets(self, asked: Mapping[str, str], generation: int) -> Iterator[str]:
        names = list(self._index())
        token = asked.get("resumptionToken")
        offset = self._state(token, generation)["offset"] if token else 0
        for name in names[offset : offset + self._size]:
            yield f"<set><setSpec>{name}</setSpec><setName>{escape(name)}</setName></set>"
        yield self._token({"offset": offset}, len(names), generation, asked)

    def _get(self, asked: Mapping[str, str]) -> Iterator[str]:
        self._prefix(asked["metadataPrefix"])
        yield self._record(self._found(asked["identifier"]), asked["metadataPrefix"])

    def _found(self, identifier: str) -> Resource:
        head = f"oai:{self._domain}:"
        row = self._country.resource(identifier[len(head) :]) if identifier.startswith(head) else None
        owner = self._rows[0].owner if len(self._rows) else ""
        if row is None or row.level != self._level or row.owner != owner:
            raise Fault("idDoesNotExist", "no such record")
        return row

    def _prefix(self, prefix: str) -> None:
        if prefix not in self._prefixes:
            raise Fault("cannotDisseminateFormat", "not in this format")

    def _list(
        self, asked: dict[str, str], generation: int, make: Callable[[Resource, str], str]
    ) -> Iterator[str]:
        token = asked.get("resumptionToken")
        state: dict[str, Any] = self._state(token, generation) if token else {**asked, "offset": 0}
        self._prefix(state.get("metadataPrefix", ""))
        chosen = self._chosen(state)
        if not len(chosen):
            raise Fault("noRecordsMatch", "nothing fits")
        for number in chosen[state["offset"] : state["offset"] + self._size]:
            yield make(self._rows[number], state["metadataPrefix"])
        yield self._token(state, len(chosen), generation, asked)

    def _chosen(self, state: Mapping[str, Any]) -> Sequence[int]:
        first, last = self._bounds(state.get("from", ""), state.get("until", ""))
        if "set" not in state:
            return range(first, last)
        members = self._index().get(state["set"], array("L"))
        return members[bisect_left(members, first) : bisect_left(members, last)]

    def _bounds(self, since: str, until: str) -> tuple[int, int]:
        if since and until and (len(since) != len(until) or since > until):
            raise Fault("badArgument", "from and until do not go together")
        first = self._country.resources_since(self._level, self._moment(since)) if since else 0
        if not until:
            return first, len(self._rows)
        step = timedelta(days=1) if len(until) == 10 else timedelta(seconds=1)
        return first, self._country.resources_since(self._level, self._moment(until, step))

    def _moment(self, stamp: str, step: timedelta = timedelta()) -> str:
        """A UTC date-stamp as the country writes moments, `step` later."""
        form = "%Y-%m-%d" if len(stamp) == 10 else "%Y-%m-%dT%H:%M:%SZ"
        try:
            if len(stamp) != 10 and self._granularity == "YYYY-MM-DD":
                raise ValueError(stamp)
            moment = datetime.strptime(stamp, form).replace(tzinfo=UTC) + step
        except ValueError:
            raise Fault("badArgument", f"date-stamps are written {self._granularity}") from None
        return (moment + timedelta(hours=8)).strftime("%Y-%m-%dT%H:%M:%S+08:00")

    def _state(self, token: str, generation: int) -> dict[str, Any]:
        try:
            state = orjson.loads(base64.urlsafe_b64decode(token.encode() + b"=="))
            if state.pop("generation") != generation or state["offset"] < 0:
                raise ValueError(token)
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
            raise Fault("badResumptionToken", "not a token, or one that is stale") from None
        return dict(state)

    def _token(self, state: dict[str, Any], total: int, generation: int, asked: Mapping[str, str]) -> str:
        offset = state["offset"] + self._size
        counts = f'completeListSize="{total}" cursor="{state["offset"]}"'
        if offset >= total:
            return f"<resumptionToken {counts}/>" if "resumptionToken" in asked else ""
        body = orjson.dumps(state | {"offset": offset, "generation": generation})
        token = base64.urlsafe_b64encode(body).decode().rstrip("=")
        return f"<resumptionToken {counts}>{token}</resumptionToken>"

    def _record(self, row: Resource, prefix: str) -> str:
        if row.deleted:
            return f"<record>{self._header(row)}</record>"
        made = oai_records.lom(row) if prefix == "lom" else oai_records.dublin_core(row)
        return f"<record>{self._header(row)}<metadata>{made}</metadata></record>"

    def _header(self, row: Resource) -> str:
        status = ' status="deleted"' if row.deleted else ""
        specs = "".join(f"<setSpec>{name}</setSpec>" for name in _sets_of(row))
        identifier = f"<identifier>oai:{self._domain}:{row.id}</identifier>"
        return f"<header{status}>{identifier}<datestamp>{self._stamp(row)}</datestamp>{specs}</header>"

    def _stamp(self, row: Resource) -> str:
        moment = datetime.fromisoformat(row.updated_at).astimezone(UTC)
        return moment.strftime("%Y-%m-%d" if self._granularity == "YYYY-MM-DD" else "%Y-%m-%dT%H:%M:%SZ")

    def _now(self) -> str:
        return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _index(self) -> dict[str, array[int]]:
        with self._lock:
            if self._members is None:
                found: dict[str, array[int]] = {}
                for number, row in enumerate(self._rows[: self._indexed]):
                    for name in _sets_of(row):
                        found.setdefault(name, array("L")).append(number)
                self._members = found
            return self._members


def _sets_of(row: Resource) -> tuple[str, str, str]:
    return f"chapter:{row.chapter_id}", f"book:{row.textbook_id}", f"subject:{row.subject_code}"
