"""Five addresses that stand for a module, with a new country behind them for every story.

A server is slow to go down, a country is quick to make: keys, statements and faults are of one story alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from connectors.sandbox.federation import Entity, Federation, introduce
from connectors.sandbox.frame import Served, served
from tests.fakes.together import together


class Door(Starlette):
    """An address; whoever is `behind` it answers."""

    def __init__(self) -> None:
        super().__init__()
        self.behind = Starlette()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        await self.behind(scope, receive, send)


@dataclass(frozen=True)
class Place:
    """A door that is served."""

    door: Door
    served: Served

    def take(self, entity: Entity) -> None:
        """The entity stands here now; nothing is left of the one before."""
        self.door.behind = entity.app
        entity.url, entity.frame = self.served.url, self.served.frame
        entity.frame.mode = "ok"
        entity.frame.calls.clear()


@asynccontextmanager
async def places(hosts: int = 5) -> AsyncIterator[Sequence[Place]]:
    """So many addresses, up together."""
    doors = [Door() for _ in range(hosts)]
    async with together(*map(served, doors)) as up:
        yield [Place(door, one) for door, one in zip(doors, up, strict=True)]


def country_at(found: Sequence[Place]) -> Federation:
    """A new country of five levels at these addresses, each vouching for the one below."""
    names = ("国家教育数字化中心", "省教育厅", "市教育和体育局", "区教育和体育局", "学校作业系统")
    entities = [Entity(name, authority=place < 4) for place, name in enumerate(names)]
    for place, entity in zip(found, entities, strict=True):
        place.take(entity)
    made = Federation(*entities)
    introduce(made)
    return made
