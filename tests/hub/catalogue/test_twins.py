"""Harvesting over real sockets: the national platform's twin into the catalogue."""

from __future__ import annotations

from typing import Any

from connectors.base import Identity
from connectors.http import Http
from connectors.oai_pmh import OaiPmh, OaiPmhOptions
from connectors.sandbox import oai_pmh as repository
from connectors.sandbox import smartedu as twin
from connectors.sandbox.country import Country
from connectors.sandbox.frame import served
from connectors.smartedu import SmartEdu, SmartEduOptions
from hub.catalogue.harvest import RESOURCES
from schema.model.codes import Level
from tests.hub.catalogue.joined import Library


async def test_the_national_platform_is_harvested_and_what_it_has_is_found(library: Library) -> None:
    async with served(twin.app(Country())) as up, Http(["127.0.0.0/8"]) as http:
        bases = tuple(f"{up.url}/{mirror}" for mirror in twin.MIRRORS)
        tools = type(library.tools)(http, library.tools.seal, now=library.clock.epoch)
        source = SmartEdu(Identity("smartedu", Level.NATIONAL, "000000"), SmartEduOptions(bases=bases), tools)
        library.admit("smartedu", source)
        done = await library.catalogue.harvest("smartedu")
        assert (done.error, done.finished, done.refused) == ("", True, 0)
        kept: list[dict[str, Any]] = await library.mongo.collection(RESOURCES).find({"live": True}, limit=5)
        assert kept
        for document in kept:
            title = document["title"]
            hits = await library.viewer().search(title, filters={"level": ["NATIONAL"]}, first=200)
            assert hits is not None
            assert document["_id"] in {entity.key for entity in hits.found.entities}
        assert (await library.hits()).found.total == done.records
        again = await library.catalogue.harvest("smartedu")
        assert (again.records, again.finished) == (0, True), "nothing has changed since"
        await source.aclose()


async def test_a_provincial_repository_is_harvested_page_by_page_and_read_on(library: Library) -> None:
    site = repository.app(Country(), page_size=50)
    async with served(site) as up, Http(["127.0.0.0/8"]) as http:
        tools = type(library.tools)(http, library.tools.seal, now=library.clock.epoch)
        settings = OaiPmhOptions(base_url=f"{up.url}/oai")
        source = OaiPmh(Identity("repository", Level.PROVINCIAL, "370000"), settings, tools)
        library.admit("repository", source)
        done = await library.catalogue.harvest("repository")
        assert (done.error, done.finished, done.refused) == ("", True, 0)
        total = (await library.hits()).found.total
        assert total is not None
        assert total > 50
        again = await library.catalogue.harvest("repository")
        assert (again.error, again.finished) == ("", True)
        assert (await library.hits()).found.total == total
        await source.aclose()
