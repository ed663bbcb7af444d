"""What a mapping file says about a platform's own JSON: its envelope and its endpoints; judged at load.

Rule 1: a list is never silently shortened: an endpoint in pages must tell its total, its next page, or
whether there is more.
Rule 2: paths are JMESPath (jmespath.org), which reads and cannot do anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

import jmespath
import msgspec
from jmespath.exceptions import JMESPathError

from connectors.errors import Malformed
from connectors.mapping import Document, Fault, FieldRule, KeyRule, KindRule, Rule, nearest

Largest = Annotated[int, msgspec.Meta(ge=1, le=1000)]
_PLAIN = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*", re.ASCII)
_PATH = re.compile(r"/[\w\-.~/{}%]*", re.ASCII)


class Envelope(Rule, frozen=True):
    """What every answer is wrapped in. `code` is the JMESPath of its result code; the lists sort its values.

    `absent` means an empty answer, `expired` a fresh token and one more try; a code in no list is a fault
    of the source. Without `code` only the HTTP status counts.
    """

    code: str | None = None
    ok: list[str] = msgspec.field(default_factory=lambda: ["0"])
    absent: list[str] = msgspec.field(default_factory=list)
    expired: list[str] = msgspec.field(default_factory=list)
    refused: list[str] = msgspec.field(default_factory=list)
    overloaded: list[str] = msgspec.field(default_factory=list)
    unavailable: list[str] = msgspec.field(default_factory=list)


class Filter(Rule, frozen=True):
    """How a filter on one of our fields is asked for. A bare string is short for `to` alone.

    `to`      query parameter, or key of the JSON body
    `join`    several values in one parameter, with this between
    `repeat`  several values as a repeated parameter, or as a JSON array; else one request a value
    `here`    the source cannot; what it sends is filtered by us (match keys), with another filter beside it
    """

    to: str = ""
    join: str | None = None
    repeat: bool = False
    here: bool = False


class Endpoint(Rule, frozen=True):
    """One list of the platform.

    `list`, `total`, `more`, `next`   JMESPath in the answer: rows, their number, whether more follow,
                                      the next cursor or link
    `page`, `size`, `first`           names of the paging parameters (offset style: `page` is the offset),
                                      number of the first page; `largest` rows of a page
    `fixed`                           parameters sent always
    `needs`                           our fields by which the source must be asked; without them it refuses
    `text`                            parameter of free-text search
    `since`, `until`, `moments`       parameters of a span and their strftime format, in China's time;
                                      `until_inclusive` where the source counts the last second in
    `one`, `item`                     path of a single record with {id} in it, and where the record stands
    `harvest`                         the list is in a stable order and may be read whole
    """

    path: str
    method: Literal["GET", "POST"] = "GET"
    list: str = "data"
    total: str | None = None
    more: str | None = None
    next: str | None = None
    paging: Literal["none", "page", "offset", "cursor", "link"] = "none"
    page: str = "page"
    size: str = "size"
    first: int = 1
    largest: Largest = 100
    fixed: dict[str, str] = msgspec.field(default_factory=dict)
    filters: dict[str, str | Filter] = msgspec.field(default_factory=dict)
    needs: tuple[str, ...] = ()
    text: str | None = None
    since: str | None = None
    until: str | None = None
    moments: str = "%Y-%m-%d %H:%M:%S"
    until_inclusive: bool = False
    one: str | None = None
    item: str = "data"
    harvest: bool = False
    batch: Largest = 100

    @property
    def windows(self) -> bool:
        """Whether any window of the list can be asked for directly."""
        return self.paging in ("page", "offset") and self.total is not None

    def asked_by(self) -> dict[str, Filter]:
        """Our field -> its filter in full."""
        return {n: Filter(to=said) if isinstance(said, str) else said for n, said in self.filters.items()}


class RestDocument(Document, frozen=True):
    """The mapping file of a REST platform."""

    endpoints: dict[str, Endpoint]
    envelope: Envelope = Envelope()


def path(expression: str) -> Callable[[Any], Any]:
    """A JMESPath compiled once; plain dotted names skip the interpreter, which is twenty times slower."""
    if _PLAIN.fullmatch(expression) is None:
        return _searched(jmespath.compile(expression))
    names = expression.split(".")

    def take(native: Any) -> Any:
        for name in names:
            if not isinstance(native, dict):
                return None
            native = native.get(name)
        return native

    return take


def _searched(compiled: Any) -> Callable[[Any], Any]:
    def take(native: Any) -> Any:
        try:
            return compiled.search(native)
        except JMESPathError:
            raise Malformed("a declared path does not fit what the source sends") from None

    return take


def checked(document: RestDocument) -> Iterator[Fault]:
    """What is wrong with a REST mapping beyond its shape."""
    yield from _paths(("envelope", "code"), document.envelope.code)
    for name, endpoint in document.endpoints.items():
        yield from _endpoint(("endpoints", name), endpoint)
    for name, said in document.kinds.items():
        at = ("kinds", name)
        if isinstance(said, list):
            yield Fault(
                at, "rest 每类只有一个端点 / one endpoint a kind", f"写作 [kinds.{name}] / write it so"
            )
        else:
            yield from _kind(at, said, document)


def _paths(at: tuple[str | int, ...], *expressions: str | None) -> Iterator[Fault]:
    for expression in expressions:
        try:
            if expression is not None:
                jmespath.compile(expression)
        except JMESPathError:
            yield Fault(at, "不是 JMESPath / not a JMESPath", "见 jmespath.org / see there")


def _endpoint(at: tuple[str | int, ...], said: Endpoint) -> Iterator[Fault]:
    for key in ("list", "total", "more", "next", "item"):
        yield from _paths((*at, key), getattr(said, key))
    for key, asked in (("path", said.path), ("one", said.one)):
        if asked is not None and (not _PATH.fullmatch(asked) or "//" in asked or ".." in asked):
            yield Fault((*at, key), "不是以 / 开头的路径 / not a path from the root", "只写路径 / path only")
    if said.one is not None and said.one.count("{id}") != 1:
        yield Fault((*at, "one"), "须含一个 {id} / needs one {id}", "如 /books/{id}")
    if said.paging in ("cursor", "link") and said.next is None:
        yield Fault(at, "缺少 next / next is missing", "写明下一页在何处 / say where the next page is told")
    if said.paging in ("page", "offset") and said.total is None and said.more is None:
        yield Fault(
            at, "缺少 total 或 more，列表可能被截短 / a list could be cut unseen", "写明其一 / say one"
        )
    if said.harvest and said.paging == "none":
        yield Fault((*at, "harvest"), "不分页的列表不能 harvest / no pages, no harvest", "去掉 / drop it")
    for name in said.needs:
        if name not in said.filters:
            yield Fault((*at, "needs"), f"{name} 不是过滤项 / is no filter", nearest(name, said.filters))
    for name, asked_by in said.asked_by().items():
        if asked_by.here is bool(asked_by.to):
            yield Fault(
                (*at, "filters", name),
                "to 与 here 须恰有其一 / exactly one of to and here",
                "只留其一 / keep one",
            )


def _kind(at: tuple[str | int, ...], rule: KindRule, document: RestDocument) -> Iterator[Fault]:
    endpoint = document.endpoints.get(rule.from_)
    if endpoint is None:
        yield Fault(
            (*at, "from"),
            f"没有端点 {rule.from_} / no such endpoint",
            nearest(rule.from_, document.endpoints),
        )
    if rule.by:
        yield Fault(
            (*at, "by"), "rest 的过滤写在端点上 / filters stand at the endpoint", "移到 filters / move them"
        )
    natives = rule.key.from_ if isinstance(rule.key, KeyRule) else rule.key
    yield from _paths((*at, "key"), *([natives] if isinstance(natives, str) else natives))
    for name, said in rule.fields.items():
        yield from _paths((*at, "fields", name), said if isinstance(said, str) else said.from_)
    for name, said_by in (endpoint.asked_by() if endpoint else {}).items():
        told = rule.fields.get(name)
        sealed = isinstance(told, FieldRule) and (told.seal or told.mask)
        where = ("endpoints", rule.from_, "filters", name)
        if name != "key" and told is None:
            yield Fault(where, f"{name} 没有映射 / is not mapped", nearest(name, rule.fields))
        if sealed and not said_by.here:
            yield Fault(
                where, "源不认识匹配键 / the source knows no match keys", "写 { here = true } / write so"
            )
