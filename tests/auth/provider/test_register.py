"""An application registers itself with leave, says only what it may say, and keeps what is its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey
from starlette.applications import Starlette

from auth.provider.register import Registration
from auth.store import kept
from hub.cli.listen import serving
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from hub.settings import Server
from tests.auth.provider.desk import INITIAL, Answer, Desk, basic, bearer, desk

PATH = "/oauth/register"
SAID: dict[str, Any] = {
    "client_name": "课堂助手",
    "client_name#en": "Classroom",
    "redirect_uris": ["https://classroom.test/cb"],
    "grant_types": ["authorization_code", "refresh_token"],
    "scope": "openid profile graph.activity",
    "logo_uri": "https://classroom.test/logo.png",
}
PUBLIC = {"kty": "EC", "crv": "P-256", "kid": "k", "x": "A" * 43, "y": "A" * 43}


async def register(here: Desk, said: Any, token: str = INITIAL) -> Answer:
    return await here.call("POST", PATH, json=said, headers=bearer(token))


async def manage(here: Desk, method: str, made: dict[str, Any], token: str = "", said: Any = None) -> Answer:
    path = made["registration_client_uri"].removeprefix(here.url)
    headers = bearer(token or made["registration_access_token"])
    return await here.call(method, path, headers=headers, **({"json": said} if said is not None else {}))


async def test_an_application_with_leave_registers_and_can_prove_itself_at_once(
    mongo: Mongo, tmp_path: Path
) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        answer = await register(here, SAID)
        assert (answer.status, answer.headers["Cache-Control"]) == (201, "no-store")
        made = answer.body
        assert made.items() >= SAID.items()
        assert made["client_secret_expires_at"] == 0
        assert made["subject_type"] == "pairwise"
        headers = basic(made["client_id"], made["client_secret"])
        asked = await here.call("POST", "/oauth/introspect", data={"token": "x"}, headers=headers)
        assert asked.body == {"active": False}
        client = await here.client(made["client_id"])
        assert (client.sector, client.first_party, client.minors, client.purposes) == (
            "classroom.test",
            False,
            False,
            (),
        )
        assert client.require_pkce


async def test_secrets_are_shown_once_and_kept_as_hashes(mongo: Mongo, tmp_path: Path) -> None:
    store = MongoStore(mongo)
    async with desk(store, tmp_path) as here:
        made = (await register(here, SAID)).body
        document = await store.collection("auth_clients").find_one({"_id": made["client_id"]})
        assert document is not None
        assert document["secret_kept"] == kept(made["client_secret"])
        for secret in (made["client_secret"], made["registration_access_token"]):
            assert secret not in str(document)
        read = await manage(here, "GET", made)
        assert read.status == 200
        assert read.body == {k: v for k, v in made.items() if not k.startswith("client_secret")}


@pytest.mark.parametrize("token", ["", "wrong", INITIAL + "x", "龘".encode().decode("latin-1")])
async def test_open_registration_is_refused(mongo: Mongo, tmp_path: Path, token: str) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        answer = await register(here, SAID, token)
        assert (answer.status, answer.error) == (401, "invalid_token")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert (await here.call("POST", PATH, json=SAID)).status == 401
        assert (await here.call("POST", PATH, json=SAID, headers=basic("x", INITIAL))).status == 401
        assert await here.store.collection("auth_clients").count({}) == 0


ODD: list[Any] = [
    "javascript:alert(1)", "http://classroom.test/cb", "https://classroom.test/cb#x", "https://classroom.test/*",
    "https://a@classroom.test/cb", "https://*.classroom.test/cb", "//classroom.test/cb", "/cb",
    "classroom:/cb", "data:text/html,x", "https://", "https:///cb", "https://classroom.test:0/cb", "https://classroom.test:99999/",
    "https://classroom.test\\@evil.example/cb", "https://classroom.test/c b", "https://教室.test/cb",
    "https://0x7f000001/cb", "https://127.1/cb", "https://classroom.test./cb", "https://-a.test/cb",
    "https://classroom.test/cb\n", "https://classroom.test/\x00", "HTTPS://classroom.test/cb", 7, None, {},
    "https://classroom.test/" + "a" * 1000, "http://localhost.evil.example/cb", "https://[::g]/cb", "",
]  # fmt: skip
PROPER = [
    "https://classroom.test/cb?x=1", "https://classroom.test:8443/cb", "https://10.1.2.3/cb", "http://[::1]/cb",
    "http://127.0.0.1/cb", "http://127.0.0.1:8000/cb", "https://xn--fiqs8s.test/cb", "http://localhost:3000/cb",
]  # fmt: skip


async def test_malformed_registration_an_odd_redirect_address_is_refused(
    mongo: Mongo, tmp_path: Path
) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        for uri in ODD:
            answer = await register(here, SAID | {"redirect_uris": ["https://classroom.test/ok", uri]})
            assert (answer.status, answer.error) == (400, "invalid_redirect_uri"), uri
            assert str(answer.body).isascii()


async def test_an_address_that_every_parser_reads_alike_is_taken(mongo: Mongo, tmp_path: Path) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        answer = await register(here, SAID | {"redirect_uris": PROPER})
        assert (answer.status, answer.body["redirect_uris"]) == (201, PROPER)


WRONG: list[dict[str, Any]] = [
    {"token_endpoint_auth_method": "tls_client_auth"}, {"token_endpoint_auth_method": ["none"]},
    {"token_endpoint_auth_method": "private_key_jwt"}, {"grant_types": ["implicit"]}, {"grant_types": "x"},
    {"grant_types": ["urn:ietf:params:oauth:grant-type:token-exchange"]}, {"grant_types": []},
    {"grant_types": ["client_credentials"], "token_endpoint_auth_method": "none", "response_types": []},
    {"response_types": ["token"]}, {"response_types": ["code", "id_token"]}, {"scope": "openid introspect"},
    {"scope": "openid admin"}, {"scope": ["openid"]}, {"scope": ""}, {"subject_type": "public"},
    {"id_token_signed_response_alg": "none"}, {"id_token_signed_response_alg": "HS256"},
    {"id_token_encrypted_response_alg": "RSA-OAEP"}, {"sector_identifier_uri": "https://evil.example/s"},
    {"request_uris": ["https://evil.example/r"]}, {"logo_uri": "javascript:alert(1)"},
    {"logo_uri": "https://10.0.0.1/l"},
    {"logo_uri": "http://127.0.0.1/l"}, {"logo_uri": "https://intranet.local/l"}, {"logo_uri": ["x"]},
    {"policy_uri": "data:text/html,x"}, {"initiate_login_uri": "http://evil.example/"},
    {"backchannel_logout_uri": "ftp://x/"},
    {"post_logout_redirect_uris": ["javascript:alert(1)"]}, {"post_logout_redirect_uris": "https://classroom.test"},
    {"client_name": "x" * 101}, {"client_name": "a\u202eb"}, {"client_name": "a\x1b[2J"}, {"client_name": 7},
    {"dpop_bound_access_tokens": "true"}, {"require_signed_request_object": True}, {"jwks": {"keys": []}},
    {"jwks": {"keys": [PUBLIC | {"d": "AAAA"}]}}, {"jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}},
    {"jwks": "x"},
    {"jwks": {"keys": [PUBLIC]}, "jwks_uri": "https://classroom.test/jwks"}, {"application_type": "x"},
    {"jwks": {"keys": [{"kty": "EC"}]}}, {"software_statement": "a.b.c"},
    {"frontchannel_logout_uri": "https://x.test"},
]  # fmt: skip


async def test_malformed_registration_what_would_not_be_kept_is_refused_by_name(
    mongo: Mongo, tmp_path: Path
) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        for wrong in WRONG:
            answer = await register(here, SAID | wrong)
            assert (answer.status, answer.error) == (400, "invalid_client_metadata"), wrong
            named = answer.body["error_description"]
            assert any(named.startswith(name) for name in (*wrong, "jwks"))
            assert named.isascii()
        assert await here.store.collection("auth_clients").count({}) == 0


async def test_what_nobody_knows_is_left_out_and_privileges_cannot_be_taken(
    mongo: Mongo, tmp_path: Path
) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        grasping = {"first_party": True, "minors": True, "purposes": ["aid"], "require_pkce": False,
                    "client_id": "gradebook", "origin": "settings", "$set": {"x": 1}, "a\0b": 1}  # fmt: skip
        answer = await register(here, SAID | grasping)
        client = await here.client(answer.body["client_id"])
        assert (client.first_party, client.minors, client.purposes, client.require_pkce) == (
            False,
            False,
            (),
            True,
        )
        assert (client.origin, client.id == "gradebook") == ("registered", False)


async def test_malformed_bodies_are_400_and_never_a_fault_of_ours(mongo: Mongo, tmp_path: Path) -> None:
    json = bearer(INITIAL) | {"Content-Type": "application/json"}
    async with desk(MongoStore(mongo), tmp_path) as here:
        for status, body in (
            (400, b""), (400, b"["), (400, b"[]"), (400, b'"x"'), (400, b"{"), (400, b"\xff\xfe"),
            (400, b"NaN"), (400, b"null"), (400, b'{"a":NaN}'),
            (400, b'{"client_name":"\\ud800"}'), (400, b'{"scope":"openid","scope":"graph"}'),
            (400, b"[" * 60_000), (400, b'{"a":' * 10_000), (400, b'{"a":' + b"9" * 50_000 + b"}"),
            (413, b'{"client_name":"' + b"x" * 70_000 + b'"}'),
            (400, b'{"redirect_uris":["https://a.test/\\u0000"]}'),
        ):  # fmt: skip
            answer = await here.call("POST", PATH, data=body, headers=json)
            assert answer.status == status, body[:40]
            assert answer.error.startswith("invalid_")
        for kind in ("application/x-www-form-urlencoded", "text/plain", ""):
            headers = json | {"Content-Type": kind}
            assert (await here.call("POST", PATH, data=b"{}", headers=headers)).status == 415


async def test_a_client_with_keys_of_its_own_gets_no_secret_and_an_rsa_reader_gets_a_key_to_read_with(
    mongo: Mongo, tmp_path: Path
) -> None:
    key = ECKey.generate_key("P-256").as_dict(private=False) | {
        "kid": "own",
        "$where": 1,
        "a.b": {"c\0": 2**80},
    }
    said = SAID | {
        "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key]},
        "id_token_signed_response_alg": "RS256",
    }  # fmt: skip
    async with desk(MongoStore(mongo), tmp_path) as here:
        answer = await register(here, said)
        assert answer.status == 201
        assert "client_secret" not in answer.body
        assert answer.body["jwks"]["keys"][0].keys() == {"kty", "crv", "x", "y", "kid"}
        assert "RS256" in {key["alg"] for key in (await here.call("GET", "/oauth/jwks")).body["keys"]}


async def test_ssrf_by_jwks_uri_a_private_address_is_refused_at_registration(
    mongo: Mongo, tmp_path: Path
) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        method = {"token_endpoint_auth_method": "private_key_jwt"}
        for uri in (f"{here.url}/oauth/jwks", "https://169.254.169.254/latest", "https://10.0.0.1/jwks"):
            answer = await register(here, SAID | method | {"jwks_uri": uri})
            assert (answer.status, answer.error) == (400, "invalid_client_metadata")
        allowed = here.url.replace("127.0.0.1", "localhost") + "/oauth/jwks"
        assert (await register(here, SAID | method | {"jwks_uri": allowed})).status == 201


async def test_a_client_changes_what_it_said_and_keeps_its_secret(mongo: Mongo, tmp_path: Path) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        made = (await register(here, SAID)).body
        moved = SAID | {
            "client_id": made["client_id"],
            "redirect_uris": ["https://moved.test/cb"],
            "client_name": "助手",
        }
        answer = await manage(here, "PUT", made, said=moved | {"client_secret": made["client_secret"]})
        assert answer.status == 200
        assert "client_secret" not in answer.body
        client = await here.client(made["client_id"])
        assert (client.redirect_uris, client.name) == (("https://moved.test/cb",), "助手")
        assert (client.sector, client.secret_kept) == ("moved.test", kept(made["client_secret"]))


async def test_an_update_that_names_another_or_says_what_is_ours_to_say_changes_nothing(
    mongo: Mongo, tmp_path: Path
) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        made = (await register(here, SAID)).body
        mine = SAID | {"client_id": made["client_id"]}
        for wrong in (
            SAID, mine | {"client_id": "gradebook"}, mine | {"client_secret": "wrong"},
            mine | {"client_secret": 7},
            mine | {"registration_access_token": made["registration_access_token"]},
            mine | {"client_id_issued_at": 0}, mine | {"redirect_uris": ["javascript:alert(1)"]},
        ):  # fmt: skip
            assert (await manage(here, "PUT", made, said=wrong)).status == 400
        assert (await manage(here, "GET", made)).body.items() >= SAID.items()


async def test_a_client_that_becomes_confidential_is_given_a_secret_once(
    mongo: Mongo, tmp_path: Path
) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        made = (await register(here, SAID | {"token_endpoint_auth_method": "none"})).body
        assert "client_secret" not in made
        said = SAID | {"client_id": made["client_id"], "token_endpoint_auth_method": "client_secret_post"}
        first = await manage(here, "PUT", made, said=said)
        second = await manage(here, "PUT", made, said=said)
        assert "client_secret" in first.body
        assert "client_secret" not in second.body


async def test_a_stranger_reads_changes_and_removes_nothing_and_learns_not_who_exists(
    mongo: Mongo, tmp_path: Path
) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        made, other = (await register(here, SAID)).body, (await register(here, SAID)).body
        absent = made | {"registration_client_uri": f"{here.url}{PATH}/absent"}
        settings = made | {"registration_client_uri": f"{here.url}{PATH}/gradebook"}
        operator = made | {"registration_client_uri": f"{here.url}{PATH}/%7B%22$ne%22:null%7D"}
        bodies = set()
        for method in ("GET", "PUT", "DELETE"):
            for target in (other, absent, settings, operator):
                answer = await manage(here, method, target, made["registration_access_token"])
                assert answer.status == 401
                bodies.add(str(answer.body))
            assert (await manage(here, method, made, INITIAL)).status == 401
        assert len(bodies) == 1
        assert (await manage(here, "GET", other)).status == 200


async def test_a_client_that_removes_itself_is_gone(mongo: Mongo, tmp_path: Path) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        made = (await register(here, SAID)).body
        answer = await manage(here, "DELETE", made)
        assert (answer.status, answer.body) == (204, b"")
        assert await here.clients.get(made["client_id"]) is None
        assert (await manage(here, "GET", made)).status == 401
        assert here.remembered.notes == ["client.registering", "client.deleting"]


@pytest.mark.parametrize("name", ["jwks_uri", "backchannel_logout_uri"])
async def test_ssrf_no_registered_client_has_the_hub_call_what_listens_on_its_own_machine(
    mongo: Mongo, tmp_path: Path, name: str
) -> None:
    """The guard of the way out may have loopback opened to it, for the hub's own sources."""
    async with desk(MongoStore(mongo), tmp_path) as here:
        public = Registration(
            "https://hub.test", here.store, here.clients, here.ring, here.remembered, here.clock,
            initial_token=INITIAL,
        )  # fmt: skip
        async with serving(Starlette(routes=public.routes()), Server(port=0)) as url:
            for host in ("127.0.0.1:8000", "localhost:6379", "[::1]:27017", "db.localhost", "127.8.8.8"):
                for scheme in ("http", "https"):
                    said = SAID | {name: f"{scheme}://{host}/x"}
                    async with here.http.post(url + PATH, json=said, headers=bearer(INITIAL)) as answer:
                        assert answer.status == 400, said[name]
                        assert name in (await answer.json())["error_description"]
            home = SAID | {"redirect_uris": ["http://127.0.0.1/cb"], name: ""}
            async with here.http.post(url + PATH, json=home, headers=bearer(INITIAL)) as answer:
                assert answer.status == 201
