"""The operator looks at chains, vouches for counties, withdraws them, issues and revokes marks."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from auth.trust.keys import thumbprints
from connectors.sandbox.federation import Federation as Country
from hub.cli.main import main

MINORS = "https://nation.example/marks/minors"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Operator:
    """Somebody at the command line of a hub."""

    settings: Path

    async def says(self, *words: str, code: int = 0) -> str:
        """What `rongtong trust …` answers; it must end with `code`.

        The command itself, on a thread: as processes, these stories would spend their time on starting.
        """
        ended, said = await asyncio.to_thread(_run, ("trust", *words, "-c", str(self.settings)))
        assert ended == code, said
        return said

    async def types(self, *words: str, code: int = 0) -> str:
        """The same as a process of its own."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hub.cli.main", "trust", *words, "-c", str(self.settings),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await process.communicate()
        assert process.returncode == code, said.decode()
        return said.decode()

    async def told(self, *words: str, code: int = 0) -> Any:
        """The same as JSON."""
        return json.loads(await self.says(*words, "--json", code=code))


def _run(words: tuple[str, ...]) -> tuple[object, str]:
    said = io.StringIO()
    with patch.object(sys, "argv", ["rongtong", *words]), redirect_stdout(said), redirect_stderr(said):
        try:
            main()
        except SystemExit as left:
            return left.code or 0, said.getvalue()
    return 0, said.getvalue()


@pytest.fixture
def operator(country: Country, mongo_uri: str, database: str, tmp_path: Path) -> Operator:
    """The operator of a hub that knows the nation."""
    file = tmp_path / "rongtong.toml"
    key = ", ".join(f'{name} = "{value}"' for name, value in country.nation.jwks["keys"][0].items())
    file.write_text(
        f'[hub]\nallowed_networks = ["127.0.0.0/8"]\nstate = "{tmp_path}/state"\n'
        f'[storage]\nuri = "{mongo_uri}"\ndatabase = "{database}"\n'
        f'[identity]\nissuer = "https://hub.example"\n'
        f'[trust.anchors."{country.nation.url}"]\nkeys = [{{ {key} }}]\n',
        "utf-8",
    )
    return Operator(file)


async def test_a_chain_is_shown_level_by_level(operator: Operator, country: Country) -> None:
    said = await operator.types("show", country.school.url)
    for entity in country.entities:
        assert entity.url in said
        assert entity.name in said or entity is country.school
    assert "371502" in said
    assert "MUNICIPAL" in said
    told = await operator.told("show", country.school.url)
    assert [level["entity"] for level in told["chain"]] == [one.url for one in reversed(country.entities)]
    assert told["region"] == "371502"


async def test_why_somebody_is_not_trusted_is_told(operator: Operator, country: Country) -> None:
    country.city.faults[country.county.url] = "expired"
    said = await operator.says("show", country.school.url, code=1)
    assert "已过期" in said
    assert country.county.url in said
    assert "(expired)" in said or "（expired）" in said
    assert "[DISTRUSTED]" in said


async def test_a_county_is_vouched_for_once_its_key_was_compared(
    operator: Operator, country: Country
) -> None:
    county = country.county
    told = await operator.told("subordinate", "add", county.url, code=1)
    assert told["error"]["code"] == "KEY_NOT_CONFIRMED"
    (thumbprint,) = thumbprints(county.jwks)
    assert thumbprint in told["error"]["message"]
    added = await operator.told(
        "subordinate", "add", county.url, "--key", thumbprint, "--authority", "--region", "371502",
        "--type", "federation_entity",
    )  # fmt: skip
    assert (added["entity"], added["intermediate"], added["keys"]) == (county.url, True, [thumbprint])
    assert (await operator.told("subordinate", "withdraw", county.url))["within"] == 6 * 3600
    (past,) = await operator.told("subordinate", "list", "--withdrawn")
    assert past["active"] is False
    assert "NOT_A_SUBORDINATE" in await operator.says("subordinate", "withdraw", county.url, code=1)


async def test_keys_and_policies_come_from_files(
    operator: Operator, country: Country, tmp_path: Path
) -> None:
    (tmp_path / "keys.json").write_text(json.dumps(country.county.jwks))
    (tmp_path / "policy.json").write_text('{"openid_relying_party": {"scope": {"one_of": []}}}')
    words = ("subordinate", "add", country.county.url, "--jwks", str(tmp_path / "keys.json"))
    refused = await operator.told(*words, "--policy", str(tmp_path / "policy.json"), code=1)
    assert refused["error"]["code"] == "SUBORDINATE_UNFIT"
    assert (await operator.told(*words))["active"] is True


async def test_a_mark_is_issued_and_revoked(operator: Operator, country: Country) -> None:
    token = (await operator.says("mark", "issue", MINORS, country.school.url)).strip()
    assert token.count(".") == 2
    assert await operator.told("mark", "revoke", MINORS, country.school.url) == {"revoked": 1}
    again = await operator.told("mark", "revoke", MINORS, country.school.url, code=1)
    assert again["error"]["code"] == "NO_SUCH_MARK"
