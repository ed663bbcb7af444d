"""The schema as text, for code generators and people."""

from __future__ import annotations

import hashlib

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


def sdl_route(text: str, path: str = "/schema.graphql") -> Route:
    """Serves the SDL with an ETag; 304 to who has it already."""
    content = text.encode()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}

    async def schema(request: Request) -> Response:
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type="text/plain; charset=utf-8")

    return Route(path, schema, methods=["GET"])
