"""What the provider says of itself is so, and what it publishes lets others verify and nobody sign."""

from __future__ import annotations

from pathlib import Path

import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.auth.provider.desk import Desk, desk


async def test_both_well_known_addresses_tell_the_same_under_the_configured_issuer(
    mongo: Mongo, tmp_path: Path
) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        first, second = [
            await here.call("GET", f"/.well-known/{name}", headers={"Host": "evil.example"})
            for name in ("openid-configuration", "oauth-authorization-server")
        ]
        assert first.body == second.body
        assert first.body["issuer"] == here.url
        addresses = {k: v for k, v in first.body.items() if k.endswith(("_endpoint", "_uri"))}
        assert all(address.startswith(f"{here.url}/oauth/") for address in addresses.values())
        assert "max-age" in first.headers["Cache-Control"]


async def test_it_promises_what_it_keeps_and_nothing_weaker(mongo: Mongo, tmp_path: Path) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        said = (await here.call("GET", "/.well-known/openid-configuration")).body
        assert said["response_types_supported"] == ["code"]
        assert said["code_challenge_methods_supported"] == ["S256"]
        assert said["subject_types_supported"] == ["pairwise"]
        assert said["request_uri_parameter_supported"] is False
        assert said["authorization_response_iss_parameter_supported"] is True
        assert "none" not in said["introspection_endpoint_auth_methods_supported"]
        algorithms = {v for k, values in said.items() if "alg_values" in k for v in values}
        assert not {"none", "HS256", "HS384", "HS512"} & algorithms
        for endpoint in ("userinfo", "introspection", "revocation", "registration"):
            path = said[f"{endpoint}_endpoint"].removeprefix(here.url)
            assert (await here.call("POST", path)).status in (400, 401, 415)


async def test_without_an_initial_token_there_is_no_registration(mongo: Mongo, tmp_path: Path) -> None:
    async with desk(MongoStore(mongo), tmp_path, initial_token="") as here:
        said = (await here.call("GET", "/.well-known/openid-configuration")).body
        assert "registration_endpoint" not in said
        assert (await here.call("POST", "/oauth/register", json={})).status == 404


async def test_a_peer_that_read_the_keys_a_while_ago_verifies_what_is_signed_after_a_rotation(
    mongo: Mongo, tmp_path: Path
) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        published = await keys(here)
        here.ring.rotate()
        _, _, token = await here.grant()
        kid = here.tokens.opened(token).kid
        (known,) = [key for key in published if key["kid"] == kid]
        jws.deserialize_compact(token, ECKey.import_key(known), algorithms=["ES256"])
        assert (await keys(here)) != published


async def test_the_key_set_is_kept_for_minutes_and_asked_for_cheaply(mongo: Mongo, tmp_path: Path) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        answer = await here.call("GET", "/oauth/jwks")
        assert answer.headers["Cache-Control"] == "public, max-age=300"
        assert not {"d", "p", "q", "k"} & {part for key in answer.body["keys"] for part in key}
        again = await here.call("GET", "/oauth/jwks", headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status, again.body) == (304, b"")


async def keys(here: Desk) -> list[dict[str, str | list[str]]]:
    answer = await here.call("GET", "/oauth/jwks")
    found: list[dict[str, str | list[str]]] = answer.body["keys"]
    return found


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_metadata_is_only_read(mongo: Mongo, tmp_path: Path, method: str) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        assert (await here.call(method, "/oauth/jwks")).status == 405
