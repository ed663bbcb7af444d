"""The hub's addresses, all in one list."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from hub.web.graphql import GraphQLEndpoint
from hub.web.page import Personas, page_routes
from hub.web.probes import Check, probe_routes
from hub.web.sdl import sdl_route


def routes(
    endpoint: GraphQLEndpoint,
    check: Check,
    *,
    sdl: str | None,
    page: bool = True,
    personas: Personas | None = None,
) -> list[BaseRoute]:
    """`/graphql`, `/livez`, `/readyz`; `/schema.graphql` unless `sdl` is None; the query page at `/`
    unless `page` is false, with the demo `personas` (name, title_zh, title_en, token) if any.

    In production hand in `sdl=None` or accept that anybody reads the schema, and no personas.
    """
    found: list[BaseRoute] = [Route("/graphql", endpoint), *probe_routes(check)]
    if sdl is not None:
        found.append(sdl_route(sdl))
    if page:
        found.extend(page_routes(personas))
    return found
