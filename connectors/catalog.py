"""Protocol name -> tongue: the one line a new protocol adds."""

from __future__ import annotations

from importlib import import_module

from connectors.base import Connector

TONGUES = {
    "smartedu": "connectors.smartedu:SmartEdu",
    "oai_pmh": "connectors.oai_pmh:OaiPmh",
    "sql": "connectors.sql:Sql",
    "hub_exchange": "connectors.hub_exchange:HubExchange",
    "rest": "connectors.rest:Rest",
    "oneroster": "connectors.oneroster:OneRoster",
    "tables": "connectors.tables:Tables",
    "xapi": "connectors.xapi:Xapi",
}


def tongue(protocol: str) -> type[Connector]:
    """The class that speaks `protocol`; loaded on first use, so that nobody pays for tongues not joined."""
    module, _, name = TONGUES[protocol].partition(":")
    found: type[Connector] = getattr(import_module(module), name)
    return found
