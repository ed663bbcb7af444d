"""The database goes away right after a sign-on was written: its browser holds it all the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from auth.errors import StoreDown
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.connectors.sandbox.browser import Browser
from tests.fakes.middle import middle


async def test_who_was_signed_in_as_the_store_died_is_told_to_wait_and_is_signed_in(
    mongo: Mongo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_: Any) -> None:
        raise StoreDown

    async with middle(MongoStore(mongo), tmp_path) as hub, Browser() as teacher:
        await teacher.open(f"{hub.url}/sign-in")
        mark = next(each.value for each in teacher._http.cookie_jar if each.key == hub.cookies.mark_name)
        begun = await hub.interactions.begin(hub.applications["gradebook"], {}, mark, "")
        there = await hub.leave(teacher, "county", i=begun.id)
        monkeypatch.setattr(hub.interactions, "signed_in", dies)
        seen = await hub.through(teacher, there, "teacher", "county")
        assert seen.status == 503
        session = await hub.session(teacher)
        assert session is not None, "no sign-on is left that nobody can end"
