"""The query page: GraphiQL from our own disk, under a policy that lets nothing else in.

Every file is read once when the routes are built. The page names its files with a digest of their
content, so browsers may keep them for a year; asked for by any other name or digest, they are checked
by ETag. Only the names in the folder exist: a path is looked up, never joined.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from auth.settings import ClientSettings
from schema.model.privacy import Duty

Personas = Sequence[Mapping[str, str]] | Callable[[], Sequence[Mapping[str, str]]]
"""Demo personas, or what makes them anew at each visit, for their tokens grow old."""

PERSONAS_PATH = "/demo/personas.json"
SECURITY_HEADERS = {
    # No exception even for styles: of all that GraphiQL writes at run time, only its dialogs' lock of the
    # scroll bar is an inline style, and the page does not scroll.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}
_REFERENCE = re.compile(r'(?<=")/static/([\w./-]+)(?=")')


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    digest: str
    media_type: str


def page_client(issuer: str) -> ClientSettings:
    """The query page as an application of the hub that serves it."""
    return ClientSettings(
        id="rongtong-page",
        name="查询页",
        name_en="Query page",
        auth_method="none",
        redirect_uris=(f"{issuer}/",),
        post_logout_redirect_uris=(f"{issuer}/",),
        scopes=("openid", "profile", "graph"),
        purposes=tuple(duty.value for duty in Duty),
        first_party=True,
        minors=True,
    )


def page_routes(personas: Personas | None = None) -> list[Route]:
    """`/` (the page), `/static/...`, `/favicon.ico`, and, when `personas` are given (demo only),
    `/demo/personas.json`: a list of {name, title_zh, title_en, token}, as it is when asked for."""
    files = _files(resources.files("hub.web").joinpath("static"))
    page = _File(*_with_digests(files.pop("page.html"), files))

    async def home(request: Request) -> Response:
        return _serve(page, request, "no-cache")

    async def static(request: Request) -> Response:
        return _static(files.get(request.path_params["name"]), request)

    async def favicon(request: Request) -> Response:
        return _static(files.get("favicon.svg"), request)

    routes = [
        Route("/", home, methods=["GET"]),
        Route("/static/{name:path}", static, methods=["GET"]),
        Route("/favicon.ico", favicon, methods=["GET"]),
    ]
    return routes if personas is None else [*routes, _personas_route(personas)]


def _personas_route(personas: Personas) -> Route:
    async def demo(request: Request) -> Response:
        current = personas() if callable(personas) else personas
        content = orjson.dumps([dict(each) for each in current])
        headers = SECURITY_HEADERS | {"Cache-Control": "no-store"}
        return Response(content, headers=headers, media_type="application/json")

    return Route(PERSONAS_PATH, demo, methods=["GET"])


def _files(folder: Traversable, prefix: str = "") -> dict[str, _File]:
    found: dict[str, _File] = {}
    for entry in folder.iterdir():
        name = prefix + entry.name
        if entry.is_dir():
            found |= _files(entry, f"{name}/")
        elif media_type := _TYPES.get(name.rpartition(".")[2]):
            found[name] = _file(entry.read_bytes(), media_type)
    return found


def _file(content: bytes, media_type: str) -> _File:
    return _File(content, hashlib.sha256(content).hexdigest()[:16], media_type)


def _with_digests(page: _File, files: Mapping[str, _File]) -> tuple[bytes, str, str]:
    """The page, each file it names carrying its digest. KeyError when it names a missing one."""

    def reference(match: re.Match[str]) -> str:
        return f"{match[0]}?v={files[match[1]].digest}"

    content = _REFERENCE.sub(reference, page.content.decode()).encode()
    return content, hashlib.sha256(content).hexdigest()[:16], page.media_type


def _static(file: _File | None, request: Request) -> Response:
    if file is None:
        return Response("没有这个文件 / no such file", 404, SECURITY_HEADERS, "text/plain; charset=utf-8")
    current = request.query_params.get("v") == file.digest
    return _serve(file, request, "public, max-age=31536000, immutable" if current else "no-cache")


def _serve(file: _File, request: Request, cache: str) -> Response:
    etag = f'"{file.digest}"'
    headers = SECURITY_HEADERS | {"Cache-Control": cache, "ETag": etag}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers=headers, media_type=file.media_type)
