"""Without a database these endpoints say so, ask for patience, and change nothing."""

from __future__ import annotations

from pathlib import Path

from hub.embedded import EmbeddedMongo
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.auth.provider.desk import GRADEBOOK, INITIAL, bearer, desk


async def test_a_stopped_database_is_a_503_with_a_time_to_come_back_and_keys_go_on_being_published(
    mortal_mongo: EmbeddedMongo, tmp_path: Path
) -> None:
    mongo = Mongo.connect(mortal_mongo.uri, "story")
    async with desk(MongoStore(mongo), tmp_path) as here:
        _, refresh, token = await here.grant()
        await mortal_mongo.stop()
        said = {"redirect_uris": ["https://classroom.test/cb"]}
        for answer in (
            await here.call("GET", "/oauth/userinfo", headers=bearer(token)),
            await here.call("POST", "/oauth/introspect", data={"token": refresh}, headers=GRADEBOOK),
            await here.call("POST", "/oauth/revoke", data={"token": token}, headers=GRADEBOOK),
            await here.call("POST", "/oauth/register", json=said, headers=bearer(INITIAL)),
        ):
            assert (answer.status, answer.error) == (503, "temporarily_unavailable")
            assert int(answer.headers["Retry-After"]) >= 1
        assert (await here.call("GET", "/oauth/jwks")).status == 200
        assert here.tokens.verify(token).client_id == "gradebook"
        await mortal_mongo.start()
        told = await here.call("GET", "/oauth/userinfo", headers=bearer(token))
        assert told.status == 200
    await mongo.close()
