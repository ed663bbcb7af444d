"""Protocol name -> tongue: the one line a new protocol adds."""

from __future__ import annotations

from importlib import import_module

from connectors.base import Connector
from schema.model.codes import SourceProtocol

TONGUES = {
    SourceProtocol.SMARTEDU: "connectors.smartedu:SmartEdu",
    SourceProtocol.OAI_PMH: "connectors.oai_pmh:OaiPmh",
    SourceProtocol.SQL: "connectors.sql:Sql",
    SourceProtocol.HUB_EXCHANGE: "connectors.hub_exchange:HubExchange",
    SourceProtocol.REST: "connectors.rest:Rest",
    SourceProtocol.ONEROSTER: "connectors.oneroster:OneRoster",
    SourceProtocol.TABLES: "connectors.tables:Tables",
    SourceProtocol.XAPI: "connectors.xapi:Xapi",
}


def tongue(protocol: SourceProtocol) -> type[Connector]:
    """The class that speaks `protocol`; loaded on first use, so that nobody pays for tongues not joined."""
    module, _, name = TONGUES[protocol].partition(":")
    found: type[Connector] = getattr(import_module(module), name)
    return found
