"""The files beside the pages, from our own disk: read once, named with a digest, never joined to a path."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

AT = "/auth/static/"
_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    digest: str
    media_type: str


class Assets:
    """The folder `auth/static`. A file asked for with its digest may be kept for a year."""

    def __init__(self) -> None:
        self._files = {
            each.name: _file(each.read_bytes(), _TYPES[kind])
            for each in resources.files("auth").joinpath("static").iterdir()
            if (kind := each.name.rpartition(".")[2]) in _TYPES
        }

    def address(self, name: str) -> str:
        """Where browsers find it. KeyError for a file that is not there."""
        return f"{AT}{name}?v={self._files[name].digest}"

    def routes(self) -> list[BaseRoute]:
        """`/auth/static/{name}`."""
        return [Route(f"{AT}{{name}}", self._serve, methods=["GET"])]

    async def _serve(self, request: Request) -> Response:
        file = self._files.get(request.path_params["name"])
        if file is None:
            return Response("没有这个文件 / no such file", 404, _HEADERS, "text/plain; charset=utf-8")
        kept = "public, max-age=31536000, immutable"
        current = request.query_params.get("v") == file.digest
        headers = _HEADERS | {"Cache-Control": kept if current else "no-cache", "ETag": f'"{file.digest}"'}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(file.content, headers=headers, media_type=file.media_type)


def _file(content: bytes, media_type: str) -> _File:
    return _File(content, hashlib.sha256(content).hexdigest()[:16], media_type)
