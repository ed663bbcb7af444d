"""A harvester in a process of its own, to be killed.

Run as `python -m tests.hub.catalogue.harvesting URI DATABASE COUNT`; prints how many it has written so far.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from hub.mongo import Mongo
from tests.fakes.harvestable import STAGES, SUBJECTS, Repository
from tests.hub.catalogue.joined import Library

SOURCE = "province"


def lean(number: int) -> dict[str, Any]:
    """A resource with little text, so that a hundred thousand are soon read."""
    return {"title": f"圆 {number}", "stage": STAGES[number % 3], "subject_code": SUBJECTS[number % 6],
            "grade_code": f"G{number % 9 + 1:02}"}  # fmt: skip


def joined(mongo: Mongo, count: int) -> tuple[Library, Repository]:
    """A library with one repository of `count` resources; a dead harvester's lease soon ends."""
    library = Library(mongo, lease=2.0)
    repository = library.join(SOURCE)
    repository.stock(range(count), lean)
    return library, repository


async def _main(uri: str, database: str, count: int) -> None:
    mongo = Mongo.connect(uri, database)
    library, _ = joined(mongo, count)
    await library.catalogue.harvest(SOURCE, lambda progress: print(progress.records, flush=True))
    await mongo.close()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
