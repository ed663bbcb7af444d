"""A source's protocol is a tongue that exists, or the settings say which one may be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.catalog import TONGUES
from hub.settings import SettingsRefused, load

SOURCE = """[[sources]]
code = "c371502-roster"
name = "样例名册"
level = "COUNTY"
region = "371502"
protocol = "{}"
"""


def written(folder: Path, protocol: str) -> Path:
    file = folder / "rongtong.toml"
    file.write_text(SOURCE.format(protocol), "utf-8")
    return file


@pytest.mark.parametrize("protocol", TONGUES)
def test_every_tongue_may_be_named(tmp_path: Path, protocol: str) -> None:
    assert load(written(tmp_path, protocol)).settings.sources[0].protocol == protocol


def test_a_tongue_misspelt_is_refused_with_its_line_and_the_one_that_is_meant(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match=r":6: .*onerooster.*did you mean oneroster") as caught:
        load(written(tmp_path, "onerooster"))
    assert all(name in caught.value.remedy for name in TONGUES)


def test_a_tongue_like_none_is_refused_with_all_there_are(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match="no such protocol") as caught:
        load(written(tmp_path, "gopher"))
    assert "did you mean" not in caught.value.remedy
