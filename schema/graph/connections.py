"""Pages of lists: Relay cursor connections, with the account of who was asked (`account`) and the total.

A connection never fails because a source is silent: it holds what the others said, and says who is missing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import strawberry

from schema.graph import enums, ids
from schema.graph.context import Account, BadCursor, Entity, Facet, Found
from schema.graph.cursors import covered
from schema.graph.directives import marks
from schema.graph.words import ANNOTATION, TYPES, both, framed, node, quick
from schema.model.codes import LEVELS, Level
from schema.model.privacy import PrivacyClass
from schema.model.words import Kind, WordSpec

MOST = 500
"""Most things on one page."""


class BadFirst(ValueError):
    """A page size outside of 0 to 500."""

    code = "BAD_FIRST"
    public = f"first 须在 0 至 {MOST} 之间 / first must be from 0 to {MOST}"


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list as connections show it."""

    entities: tuple[Entity, ...] = ()
    cursors: tuple[str, ...] = ()
    more: bool = False
    total: int | None = 0
    account: Account = field(default_factory=Account)
    facets: tuple[Facet, ...] | None = None


TYPES["Page"] = Page


def page_of(found: Found, facets: tuple[Facet, ...] | None = None) -> Page:
    """A page that a source-side list came as; `facets` None: nobody could count."""
    return Page(found.entities, found.cursors, found.more, found.total, found.account, facets)


def slice_of(found: Found, entities: Sequence[Entity], first: int, after: str | None) -> Page:
    """A page of a list that is whole, by position; the total only if nobody who might add to it is silent.

    Raises `BadCursor`, `BadFirst`.
    """
    start = position(after)
    shown = tuple(entities[start : start + checked(first)])
    return Page(
        shown,
        tuple(cursor(start + place + 1) for place in range(len(shown))),
        len(entities) > start + len(shown),
        None if found.account.missing or found.more else len(entities),
        found.account,
    )


def merged(found: Sequence[Found]) -> Found:
    """Several answers as one: each thing once, accounts added up; that for one of them nobody could be asked
    counts only where nobody was asked for any."""
    by_key = {entity.key: entity for answer in found for entity in answer.entities}
    account = Account()
    for answer in found:
        account += answer.account
    account = account.heard_of() if account.asked else account
    return Found(tuple(by_key.values()), account, len(by_key), any(answer.more for answer in found))


def filtered(found: Found, keep: Callable[[Entity], bool]) -> Found:
    """The same answer with fewer things."""
    return replace(found, entities=tuple(entity for entity in found.entities if keep(entity)))


def checked(first: int) -> int:
    """`first` if a page may be that long; raises `BadFirst`."""
    if not 0 <= first <= MOST:
        raise BadFirst
    return first


def cursor(place: int) -> str:
    """The cursor right after the first `place` things of a whole list."""
    return ids.pack(f"at|{place}||")


def position(after: str | None) -> int:
    """How many things `after` skips; raises `BadCursor`."""
    if not after:
        return 0
    mark, number, *_ = ids.unpack(after)
    if mark != "at" or not (number.isdecimal() and number.isascii()) or len(number) > 9:
        raise BadCursor
    if cursor(int(number)) != after:
        raise BadCursor
    return int(number)


def _structure(name: str, zh: str, en: str, fields: dict[str, Any], directives: list[object]) -> None:
    """A GraphQL type that is only the frame around words: no model word, quick fields."""
    framed(type(name, (), {"__doc__": en, "__module__": __name__, **fields}), name, both(zh, en), directives)


def _open() -> list[object]:
    return marks(PrivacyClass.PUBLIC, LEVELS)


_structure(
    "PageInfo", "分页信息", "About the page",
    {
        "has_next_page": quick(lambda page, _: page.more, bool, "后面是否还有", "Whether more follow"),
        "end_cursor": quick(
            lambda page, info: covered(page.cursors[-1], info) if page.cursors else None, str | None,
            "本页末尾的游标，用作下一页的 after", "Cursor of the last thing here: the next page's after",
        ),
    },
    _open(),
)  # fmt: skip
_structure(
    "SilentSource", "未应答的来源", "A source that was asked and is silent",
    {
        "source": quick(lambda silence, _: silence.source, str, "来源代码", "Code of the source"),
        "level": quick(lambda silence, _: silence.level, Level, "级别", "Its level"),
        "code": quick(lambda silence, _: silence.code, str, "错误代码", "Code of the error"),
        "reason": quick(lambda silence, _: silence.reason, str, "原因", "The reason in words"),
    },
    _open(),
)  # fmt: skip
_structure(
    "SourceAccount", "询问了哪些来源，谁答了，谁没有答", "Who was asked, who answered, who is silent",
    {
        "asked": quick(lambda account, _: account.asked, list[str], "询问过的来源", "Sources asked"),
        "answered": quick(lambda account, _: account.answered, list[str], "作答的来源", "Who answered"),
        "silent": quick(
            lambda account, _: account.silent, "list[SilentSource]", "未应答的来源", "Sources that are silent"
        ),
        "stale": quick(
            lambda account, _: account.stale, list[str],
            "以旧副本代答的来源", "Sources whose remembered answer stands in",
        ),
    },
    _open(),
)  # fmt: skip
_structure(
    "FacetCount", "检索结果按某一维度的计数", "How many matches have a value",
    {
        "dimension": quick(lambda facet, _: facet.dimension, enums.ResourceFacet, "维度", "The dimension"),
        "value": quick(lambda facet, _: facet.value, str, "取值", "The value"),
        "count": quick(lambda facet, _: facet.count, int, "条数", "How many"),
    },
    _open(),
)  # fmt: skip


def _edges(page: Page) -> list[tuple[str, Entity]]:
    # A list without cursors of its own can be shown, and not continued.
    return list(zip(page.cursors or ("",) * len(page.entities), page.entities, strict=False))


def connect(spec: WordSpec) -> None:
    """Make the Connection and Edge types of a kind."""
    own = marks(spec.privacy, spec.authority)
    _structure(
        f"{spec.name}Edge", f"{spec.zh}及其游标", f"A thing in a list, with its cursor: {spec.en}",
        {
            "cursor": quick(lambda edge, info: covered(edge[0], info), str, "游标", "Its cursor"),
            "node": quick(lambda edge, _: node(edge[1]), spec.name, spec.zh, spec.en),
        },
        own,
    )  # fmt: skip
    fields = {
        "nodes": quick(
            lambda page, _: [node(entity) for entity in page.entities],
            f"list[{spec.name}]", f"本页的{spec.zh}", f"What is on this page: {spec.en}",
        ),
        "edges": quick(
            lambda page, _: _edges(page), f"list[{spec.name}Edge]", "本页各项及游标", "The same, with cursors"
        ),
        "page_info": quick(lambda page, _: page, "PageInfo", "分页信息", "About the page"),
        "total_count": quick(
            lambda page, _: page.total, int | None,
            "总数；来源说不清时为空", "How many in all; null where the sources cannot tell",
        ),
        "account": quick(
            lambda page, _: page.account, "SourceAccount",
            "询问了哪些来源，谁没有答", "Who was asked, and who is silent",
        ),
    }  # fmt: skip
    if spec.kind is Kind.RESOURCE:
        fields["facets"] = _facets()
    _structure(f"{spec.name}Connection", f"{spec.zh}列表的一页", f"A page of a list: {spec.en}", fields, own)


def _counted(
    self: Page,
    dimensions: Annotated[
        list[enums.ResourceFacet] | None,
        strawberry.argument(description="维度；缺省为全部。Dimensions; all unless given."),
    ] = None,
) -> Any:
    if self.facets is None:
        return None
    chosen = set(dimensions or enums.ResourceFacet)
    return [facet for facet in self.facets if facet.dimension in chosen]


def _facets() -> Any:
    return strawberry.field(
        resolver=_counted,
        description=both("按维度计数；目录未作答时为空", "Counts by dimension; null without the catalogue"),
        graphql_type=Any,
        metadata={ANNOTATION: "list[FacetCount] | None"},
    )
