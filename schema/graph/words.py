"""GraphQL types from the model's words: plain fields are generated, class bodies hold relations only.

Rule 1: type, description, privacy and authority of a field are said in the model and nowhere else.
Rule 2: a relation whose name the viewer's entity does not have in `seen` is absent; nobody is asked for it.
Rule 3: plain fields cost one look into a mapping; `quick` resolvers are put in place by `build`.
"""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, get_args, get_origin

import strawberry
from graphql import GraphQLResolveInfo
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.field import StrawberryField

from schema.graph import enums, ids  # noqa: F401 - enums are declared before types stand on them
from schema.graph.context import Context, Entity
from schema.graph.cursors import uncovered
from schema.graph.directives import field_marks, marks
from schema.graph.refusals import full
from schema.graph.wanted import selected
from schema.model.codes import LEVELS
from schema.model.privacy import PrivacyClass
from schema.model.words import FieldSpec, Word, WordSpec

T = TypeVar("T", bound=type)
F = TypeVar("F", bound=Callable[..., Any])
Info = strawberry.Info[Context, None]
Quick = Callable[..., Any]

TYPES: dict[str, Any] = {}
"""GraphQL types by name: what relations name as text, so that files of types need not know each other."""

WIDE = frozenset({"size", "row_count", "page_views", "visits", "plays", "downloads"})
"""Counts that outgrow GraphQL's 32-bit Int: they are Float in the graph."""

PARTS = frozenset({"nodes", "edges", "pageInfo"})
"""What of a page tells of the things on it."""

QUICK = "quick"
ANNOTATION = "annotation"


class Undeclared(TypeError):
    """A relation without a Link of its name in the model, or a Link without a relation."""


@dataclass(frozen=True, slots=True)
class Relation:
    """What `relation` says of a method: the type at its end, how many, the values it starts from."""

    annotation: str
    needs: frozenset[str]
    many: bool


def both(zh: str, en: str) -> str:
    """A description in both languages: `中文。English.`"""
    return f"{zh.rstrip('。')}。{en.rstrip('.')}."


def relation(
    *, one: str = "", few: str = "", many: str = "", needs: tuple[str, ...] = ()
) -> Callable[[F], F]:
    """Mark a method as the relation of its name: to `one` thing, a plain list of `few`, a page of `many`.

    `needs`: values of the owner that the relation starts from, in the model's names.
    """
    annotation = f"{one} | None" if one else f"list[{few}] | None" if few else f"{many}Connection | None"

    def mark(function: F) -> F:
        function.__dict__["relation"] = Relation(annotation, frozenset(needs), bool(many))
        return function

    return mark


def word(declared: type[Word]) -> Callable[[T], T]:
    """Make the GraphQL type of a word; raises `Undeclared` where relations and the model disagree."""

    def make(cls: T) -> T:
        spec = declared.spec
        relations = _relations(cls, spec)
        needs = {"": frozenset({least(spec)})} if spec.values() else {}
        for name, field in spec.fields.items():
            if field.hidden:
                continue
            made = _related(cls, field, spec, relations[name]) if field.link else _plain(cls, field, spec)
            if field.link:
                delattr(cls, name)  # so that fields stand in the model's order
            setattr(cls, name, made)
            needs[camel(name)] = relations[name].needs if field.link else frozenset({name})
        made_type = framed(cls, spec.name, both(spec.zh, spec.en), marks(spec.privacy, spec.authority))
        made_type.spec, made_type.needs = spec, needs
        made_type.shows = {camel(one.name): one.name for one in spec.fields.values() if _told(one)}
        made_type.__repr__ = Node.__repr__  # values of persons do not belong into logs
        return cls

    return make


def framed(cls: Any, name: str, description: str, directives: Sequence[object]) -> Any:
    """Declare a class to strawberry under `name`; its fields' types may name others that come later."""
    fields = {key: made for key, made in vars(cls).items() if isinstance(made, StrawberryField)}
    cls.__annotations__ = {**inspect.get_annotations(cls), **dict.fromkeys(fields, Any)}
    made_type = strawberry.type(cls, name=name, description=description, directives=directives)
    typed(made_type)
    TYPES[name] = made_type
    return made_type


def typed(cls: Any) -> None:
    """Give each field the type it was declared with; names in it are looked up when the schema is built."""
    for field in cls.__strawberry_definition__.fields:
        if ANNOTATION in field.metadata:
            field.type_annotation = StrawberryAnnotation(field.metadata[ANNOTATION], namespace=TYPES)


def quick(
    resolver: Quick, annotation: Any, zh: str, en: str, directives: tuple[object, ...] | list[object] = ()
) -> Any:
    """A field resolved by `resolver(source, info, **arguments)` alone, with nothing around it."""
    field = strawberry.field(
        graphql_type=Any,
        description=both(zh, en),
        directives=list(directives),
        metadata={QUICK: resolver, ANNOTATION: annotation},
    )
    assert isinstance(field, StrawberryField)
    field.init = field.repr = field.compare = False
    return field


def _global_id(source: Any, info: GraphQLResolveInfo[Any]) -> str:
    return ids.encode(source.entity.spec, source.entity.key, info.context.sources)


@strawberry.interface(
    name="Node",
    description=both("凡有全局标识者", "Whatever has a global id"),
    directives=marks(PrivacyClass.PUBLIC, LEVELS),
)
class Node:
    """A thing as the viewer may see it."""

    entity: strawberry.Private[Entity]
    spec: ClassVar[WordSpec]
    needs: ClassVar[Mapping[str, frozenset[str]]] = {}
    shows: ClassVar[Mapping[str, str]] = {}

    id: strawberry.ID = quick(_global_id, strawberry.ID, "全局标识", "Global id")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


typed(Node)
TYPES["Node"] = Node


def node(entity: Entity) -> Any:
    """The GraphQL object of an entity."""
    return TYPES[entity.spec.name](entity=entity)


def camel(name: str) -> str:
    """`school_code` -> `schoolCode`, as strawberry names fields."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def least(spec: WordSpec) -> str:
    """The value to ask for when nothing is wanted but the thing itself: the first that is shown."""
    shown = [name for name, field in spec.fields.items() if not field.link and not field.hidden]
    return min(shown, key=lambda name: spec.fields[name].privacy is not PrivacyClass.PUBLIC)


def _relations(cls: type, spec: WordSpec) -> dict[str, Relation]:
    found = {name: made.__dict__["relation"] for name, made in vars(cls).items() if _is_relation(made)}
    links = {name for name, field in spec.fields.items() if field.link and not field.hidden}
    if odd := found.keys() ^ links:
        raise Undeclared(f"{spec.name}: relations and Links of the model differ in {', '.join(sorted(odd))}")
    return found


def _is_relation(made: object) -> bool:
    return inspect.isfunction(made) and "relation" in made.__dict__


def _plain(cls: type, field: FieldSpec, spec: WordSpec) -> StrawberryField:
    name, held = field.name, get_origin(field.type) is list
    nested = not any("entity" in inspect.get_annotations(base) for base in cls.__mro__)

    def of_entity(source: Any, _info: GraphQLResolveInfo[Any]) -> Any:
        return source.entity.values.get(name)

    def list_of_entity(source: Any, _info: GraphQLResolveInfo[Any]) -> Any:
        return source.entity.values.get(name) or []

    def of_values(source: Any, _info: GraphQLResolveInfo[Any]) -> Any:
        return source.get(name)

    def list_of_values(source: Any, _info: GraphQLResolveInfo[Any]) -> Any:
        return source.get(name) or []

    resolvers = {(0, 0): of_entity, (0, 1): list_of_entity, (1, 0): of_values, (1, 1): list_of_values}
    annotation = list[_graph(field, get_args(field.type)[0])] if held else _graph(field, field.type) | None  # type: ignore[misc]
    made = quick(resolvers[nested, held], annotation, field.zh, field.en, field_marks(field, spec))
    assert isinstance(made, StrawberryField)
    return made


def _graph(field: FieldSpec, plain: Any) -> Any:
    """The GraphQL side of a plain type: wide counts are Float, words are their GraphQL types."""
    if plain is int and field.name in WIDE:
        return float
    if isinstance(plain, type) and issubclass(plain, Word):
        return TYPES[plain.__name__]
    return plain


def _related(cls: type, field: FieldSpec, spec: WordSpec, said: Relation) -> StrawberryField:
    made = strawberry.field(
        resolver=_guarded(vars(cls)[field.name], field.name, said.many),
        description=both(field.zh, field.en),
        directives=field_marks(field, spec),
        graphql_type=Any,
        metadata={ANNOTATION: said.annotation},
    )
    assert isinstance(made, StrawberryField)
    return made


def _guarded(function: Callable[..., Any], name: str, many: bool) -> Callable[..., Any]:
    """`function`, unless the relation is not for this viewer: then it looks absent and nobody is asked."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def ask(self: Any, *args: Any, **kwargs: Any) -> Any:
            if name not in self.entity.seen:
                return TYPES["Page"]() if many else None
            full(kwargs)
            found = await function(self, *args, **uncovered(kwargs))
            _followed(self.entity, name, found, kwargs["info"])
            return found

        return ask

    @functools.wraps(function)
    def look(self: Any, *args: Any, **kwargs: Any) -> Any:
        if name not in self.entity.seen:
            return None
        found = function(self, *args, **kwargs)
        _followed(self.entity, name, found, kwargs["info"])
        return found

    return look


def _told(field: FieldSpec) -> bool:
    """Whether it is a value that clients see as it is."""
    return not (field.link or field.hidden)


def _followed(entity: Entity, name: str, found: Any, info: Any) -> None:
    """Write into the diary that the relation told something, if only how many there are."""
    if name not in entity.logged or found is None:
        return
    if not isinstance(found, TYPES["Page"]) or _tells(found, info._raw_info):
        info.context.diary.read([entity], links=frozenset({name}))


def _tells(page: Any, info: GraphQLResolveInfo[Any]) -> bool:
    """Whether what the client selected on a page says that there is anything."""
    names = {node.name.value for node in selected(info, info.field_nodes, frozenset())}
    here, counted = bool(page.entities), "totalCount" in names and bool(page.total)
    return counted or (here and bool(names & PARTS)) or (page.more and "pageInfo" in names)
