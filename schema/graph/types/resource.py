"""Resources, textbooks and chapters, and what else teaching draws on."""

from typing import Any

from schema.graph.arguments import After, AtLevels, First
from schema.graph.connections import Page
from schema.graph.context import Account, Entity
from schema.graph.looking import by, listed, note, one, related, several
from schema.graph.types.sourced import Sourced
from schema.graph.words import Info, node, relation, word
from schema.model import resource as model
from schema.model.words import Kind


@word(model.ResourceFile)
class ResourceFile:
    """One file; a mapping of the word's values."""


@word(model.ResourceTag)
class ResourceTag:
    """A tag; a mapping of the word's values."""


@word(model.DatasetColumn)
class DatasetColumn:
    """A column; a mapping of the word's values."""


@word(model.Resource)
class Resource(Sourced):
    """A learning resource of any level."""

    @relation(one="Textbook", needs=("textbook_key",))
    async def textbook(self, info: Info) -> Any:
        """Its textbook."""
        return await one(info, Kind.TEXTBOOK, self.entity.values.get("textbook_key"))

    @relation(few="Chapter", needs=("chapter_keys",))
    async def chapters(self, info: Info) -> Any:
        """Its chapters."""
        return await several(info, Kind.CHAPTER, self.entity.values.get("chapter_keys") or ())

    @relation(few="Resource")
    async def same_as(self, info: Info) -> Any:
        """The same work elsewhere, as the catalogue knows; null where there is no catalogue."""
        if (catalogue := info.context.catalogue) is None:
            return None
        entities = await catalogue.same_as(self.entity.key)
        note(info, entities, Account())
        return [node(entity) for entity in entities]

    @relation(one="School", needs=("school_code", "region_code"))
    async def school(self, info: Info) -> Any:
        """The school that made it."""
        return await one(info, Kind.SCHOOL, self.entity.place.school_code, self.entity.place)


@word(model.Textbook)
class Textbook(Sourced):
    """A textbook and its contents."""

    @relation(many="Chapter")
    async def chapters(self, info: Info, first: First = 100, after: After = None) -> Page:
        """The top chapters, in order."""
        return await related(
            info, Kind.CHAPTER, by("textbook_key", self.entity.key), first=first, after=after,
            keep=_top, order=_in_order, also=("depth", "order", "parent_key"),
        )  # fmt: skip


@word(model.Chapter)
class Chapter(Sourced):
    """A chapter, what is above and below it, and what there is for it."""

    @relation(one="Textbook", needs=("textbook_key",))
    async def textbook(self, info: Info) -> Any:
        """Its textbook."""
        return await one(info, Kind.TEXTBOOK, self.entity.values.get("textbook_key"))

    @relation(one="Chapter", needs=("parent_key",))
    async def parent(self, info: Info) -> Any:
        """The chapter above."""
        return await one(info, Kind.CHAPTER, self.entity.values.get("parent_key"))

    @relation(many="Chapter")
    async def children(self, info: Info, first: First = 100, after: After = None) -> Page:
        """The chapters right below, in order."""
        return await related(
            info, Kind.CHAPTER, by("parent_key", self.entity.key), first=first, after=after,
            order=_in_order, also=("order",),
        )  # fmt: skip

    @relation(many="Resource")
    async def resources(
        self, info: Info, level: AtLevels = None, first: First = 20, after: After = None
    ) -> Page:
        """Resources for it, from all levels or the ones named."""
        return await listed(
            info, Kind.RESOURCE, first=first, after=after, where={"chapter_keys": [self.entity.key]},
            levels=level or (),
        )  # fmt: skip


def _top(chapter: Entity) -> bool:
    depth = chapter.values.get("depth")
    return depth == 0 if depth is not None else not chapter.values.get("parent_key")


def _in_order(chapter: Entity) -> Any:
    return chapter.values.get("order") or 0, chapter.key


@word(model.KnowledgePoint)
class KnowledgePoint(Sourced):
    """A node of the knowledge graph."""

    @relation(one="KnowledgePoint", needs=("parent_key",))
    async def parent(self, info: Info) -> Any:
        """The point above."""
        return await one(info, Kind.KNOWLEDGE_POINT, self.entity.values.get("parent_key"))

    @relation(few="KnowledgePoint", needs=("prerequisite_keys",))
    async def prerequisites(self, info: Info) -> Any:
        """What should be known before."""
        return await several(info, Kind.KNOWLEDGE_POINT, self.entity.values.get("prerequisite_keys") or ())


@word(model.ResourceCollection)
class ResourceCollection(Sourced):
    """A column or library."""


@word(model.Application)
class Application(Sourced):
    """An entry of an application centre."""


@word(model.Dataset)
class Dataset(Sourced):
    """A table of the data centre, described."""
