"""A small school graph behind the real endpoint, on a real server and a real socket."""

from __future__ import annotations

import asyncio
import io
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn
from graphql import DocumentNode, ExecutionResult, GraphQLSchema, build_schema, execute
from starlette.applications import Starlette
from starlette.requests import Request

from auth.keys import KeyRing, SigningKey
from auth.principal import Principal
from auth.tokens import AccessTokens
from hub.web.graphql import GraphQLEndpoint
from hub.web.identify import bearer
from hub.web.limits import Limits
from hub.web.routes import routes

SDL = """
type Query {
  me: Person
  school(code: String!): School
  schools(first: Int = 20): SchoolConnection!
  broken: String
  refused: String
  vanished: String!
  echo(text: String, count: Int, ids: [ID!]): String
  rare: String
  odd: String
}
type SchoolConnection { nodes: [School!]! totalCount: Int }
type School { code: String! name: String! stages: [String!]! classes: [ClassGroup!]!
  neighbours(first: Int = 20, last: Int): SchoolConnection! }
type ClassGroup { name: String! school: School! pupils(first: Int): [Person!]! }
type Person { displayName: String }
type Mutation { rename(name: String!): String }
type Subscription { ticks: Int }
"""

SCHOOL = {"code": "3715020001", "name": "东昌府区龘小学", "stages": ["PRIMARY"], "classes": []}


class Denied(Exception):
    """A typed refusal of a resolver."""

    code = "CONSENT_MISSING"
    public = "缺少监护人同意 / a guardian's consent is missing"


class Overloaded(Exception):
    """A typed refusal of the whole request."""

    code = "OVERLOADED"
    public = "请稍后再试 / try again later"
    status = 503
    retry_after = 2.0


class SmallGraph:
    """The executor: graphql-core over a few facts."""

    def __init__(self) -> None:
        self.schema: GraphQLSchema = build_schema(SDL)
        self.renamed: list[str] = []
        self.overloaded = False
        self.silent: list[dict[str, str]] = []

    async def execute(
        self,
        document: DocumentNode,
        *,
        variables: dict[str, Any] | None,
        operation_name: str | None,
        context: Any,
    ) -> ExecutionResult:
        if self.overloaded:
            raise Overloaded
        result = execute(
            self.schema,
            document,
            root_value=self._root(context),
            context_value=context,
            variable_values=variables,
            operation_name=operation_name,
        )
        return result if isinstance(result, ExecutionResult) else await result

    def _rename(self, info: Any, name: str) -> str:
        self.renamed.append(name)
        return name

    def _root(self, context: Mapping[str, Any]) -> dict[str, Any]:
        viewer: Principal | None = context["viewer"]
        return {
            "me": {"displayName": viewer.subject} if viewer else None,
            "school": lambda info, code: SCHOOL,
            "schools": lambda info, first: {"nodes": [SCHOOL] * min(first, 3), "totalCount": 3},
            "broken": _break,
            "refused": _refuse,
            "vanished": lambda info: _refuse(info),
            "echo": lambda info, **given: given.get("text"),
            "rare": "䶮𬭊𫘧𠮷",
            "odd": "\ud800 bad",
            "rename": self._rename,
        }


def _break(info: Any) -> str:
    raise RuntimeError("password=hunter2 in /srv/secret.py")


def _refuse(info: Any) -> str:
    raise Denied


@dataclass
class Hub:
    """What a test holds of a running hub."""

    url: str
    port: int
    http: aiohttp.ClientSession
    graph: SmallGraph
    endpoint: GraphQLEndpoint
    tokens: AccessTokens
    key: SigningKey

    async def ask(self, query: str, **more: Any) -> tuple[int, dict[str, Any]]:
        """POST a query; `headers` and JSON members may be given."""
        headers = more.pop("headers", {})
        async with self.http.post(
            f"{self.url}/graphql", json={"query": query, **more}, headers=headers
        ) as answer:
            return answer.status, await answer.json()

    async def send(self, body: bytes | io.BytesIO, **headers: str) -> tuple[int, bytes]:
        """POST raw bytes as application/json."""
        given = {"Content-Type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
        async with self.http.post(f"{self.url}/graphql", data=body, headers=given) as answer:
            return answer.status, await answer.read()

    async def raw(self, request: bytes) -> bytes:
        """Bytes on a socket, and all that comes back until the hub closes or a second passes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        parts = []
        try:
            async with asyncio.timeout(1):
                while part := await reader.read(65536):
                    parts.append(part)
        except TimeoutError:
            pass
        writer.close()
        return b"".join(parts)

    def token(self, subject: str = "county-teacher") -> str:
        return self.tokens.issue(Principal("https://hub.test", subject, "COUNTY"))


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[int]:
    """The port of a uvicorn server that serves `app` in this loop."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, lifespan="off", log_level="critical", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 - uvicorn tells by a flag only
            await asyncio.sleep(0.01)
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await task


async def all_well() -> dict[str, str]:
    """Readiness of a hub that is well."""
    return {"mongo": "ok"}


def fresh_ring() -> KeyRing:
    """Keys of a hub that never rotates them: the folder is gone, what is loaded stays."""
    with tempfile.TemporaryDirectory() as folder:
        return KeyRing.open(Path(folder))


def gate(keys: KeyRing) -> AccessTokens:
    """Tokens of the hub of these tests."""
    return AccessTokens(keys, issuer="https://hub.test", audience="https://hub.test/graphql")


@asynccontextmanager
async def hub(
    *,
    production: bool = False,
    limits: Limits | None = None,
    check: Callable[[], Any] = all_well,
    personas: Sequence[Mapping[str, str]] | None = None,
    sdl: str | None = SDL,
    tokens: AccessTokens | None = None,
) -> AsyncIterator[Hub]:
    """A running hub over the small graph."""
    keys, graph = fresh_ring(), SmallGraph()
    tokens = tokens or gate(keys)

    def context(request: Request, viewer: Any) -> dict[str, Any]:
        return {"viewer": viewer, "provenance": request.state.provenance}

    async def finish(context: dict[str, Any], result: ExecutionResult) -> dict[str, Any] | None:
        found: dict[str, Any] = {"provenance": {"me": "county"}} if context["provenance"] else {}
        return found | {"silent": graph.silent} if graph.silent else found or None

    endpoint = GraphQLEndpoint(graph, bearer(tokens.verify), context, finish, limits or Limits(), production)
    app = Starlette(routes=routes(endpoint, check, sdl=sdl, personas=personas))
    async with serving(app) as port, aiohttp.ClientSession() as http:
        yield Hub(f"http://127.0.0.1:{port}", port, http, graph, endpoint, tokens, keys.signing())


def codes(answer: Mapping[str, Any]) -> list[str]:
    """The codes of an answer's errors."""
    return [error["extensions"]["code"] for error in answer.get("errors", [])]
