"""Which twins there are: one process each, by name, with the part of the country it speaks for."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from starlette.applications import Starlette

from connectors.sandbox.country import Country

ROSTER_COUNTIES = (
    "371502", "371503", "371521", "371522", "371525", "371526", "371571", "371572", "371573",
)  # fmt: skip
BUNDLE_COUNTY, TABLES_COUNTY = "371581", "371524"
PASSPORT_NAMES = (
    "nation-passport",
    "province-passport",
    "city-passport",
    "county-passport",
    "school-passport",
)
"""The identity providers, one a level: not sources of data, but where people sign in."""


def _app(module: str) -> Callable[..., Starlette]:
    made: Callable[..., Starlette] = import_module(f"connectors.sandbox.{module}").app
    return made


def _passport(name: str) -> Callable[[Country], Starlette]:
    return lambda country: _app("passport")(country, name)


def _second_school(country: Country) -> str:
    return country.schools_of("371502")[1].code


TWINS: dict[str, Callable[[Country], Starlette]] = {
    "national": lambda country: _app("smartedu")(country),
    "repository": lambda country: _app("oai_pmh")(country),
    "exchange": lambda country: _app("hub_exchange")(country),
    "platform": lambda country: _app("rest")(country),
    "rosters": lambda country: _app("oneroster")(country, units=ROSTER_COUNTIES),
    "school-roster": lambda country: _app("oneroster")(country, school=_second_school(country)),
    "school-lrs": lambda country: _app("xapi")(country, school=country.schools[0].code),
    "school-repository": lambda country: _app("oai_pmh")(
        country, level="SCHOOL", owner=country.schools[0].code
    ),
    **{name: _passport(name) for name in PASSPORT_NAMES},
}

FRONTENDS: dict[str, tuple[str, str]] = {
    "portal": ("学校门户（演示应用）", "School portal (demo application)"),
    "research": ("教研平台（演示应用）", "Teaching research (demo application)"),
}
"""Applications that sign people in at the hub: process name and client_id, with their titles."""


def frontend(name: str, hub: str) -> Starlette:
    """One of them, for the hub at this address."""
    made: Starlette = import_module("connectors.sandbox.frontend").app(hub, name, FRONTENDS[name])
    return made
