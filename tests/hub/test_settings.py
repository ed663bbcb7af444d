"""Settings that cannot be misspelt: where it is wrong, why, what to write instead; secrets never print."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.base import Tools
from connectors.http import Http
from connectors.seal import Seal
from hub.settings import Loaded, SettingsRefused, load
from hub.sources.registry import build_connector
from schema.model.codes import Level

SECRET = "hunter2-" + "x" * 40
GOOD = """[hub]
region = "371500"
deadline = "5s"

[server]
port = 8123

[[sources]]
code = "city"
name = "市平台"
level = "MUNICIPAL"
region = "371500"
protocol = "xapi"
deadline = "250ms"
fresh_for = "10m"

[[sources]]
code = "school"
name = "校平台"
level = "SCHOOL"
region = "371502"
school = "3137000001"
protocol = "xapi"
down_for = "7d"
[sources.options]
token = "env:TOKEN"
"""

Read = Callable[[str], Loaded]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads a text as a settings file, with one secret in the environment."""

    def reading(text: str) -> Loaded:
        file = tmp_path / "rongtong.toml"
        file.write_text(text, "utf-8")
        return load(file, {"TOKEN": SECRET, "SHORT": "abc", "LEVEL": SECRET})

    return reading


def refused(read: Read, text: str) -> SettingsRefused:
    with pytest.raises(SettingsRefused) as caught:
        read(text)
    assert str(caught.value).startswith(f"{caught.value.file}:{caught.value.line}: ")
    assert SECRET not in str(caught.value)
    return caught.value


def at(text: str, row: str, nth: int = 1) -> int:
    return [n for n, line in enumerate(text.splitlines(), 1) if line.startswith(row)][nth - 1]


def test_what_is_written_is_what_is_read(read: Read, tmp_path: Path) -> None:
    loaded = read(GOOD)
    city, school = loaded.settings.sources
    assert loaded.settings.hub.level is Level.MUNICIPAL
    assert (loaded.settings.hub.deadline, loaded.settings.server.port) == (5.0, 8123)
    assert (city.deadline, city.fresh_for, school.down_for) == (0.25, 600.0, 604_800.0)
    assert school.options == {"token": SECRET}
    assert loaded.root == tmp_path


def test_an_empty_file_is_a_hub_without_sources(read: Read) -> None:
    assert read("").settings.sources == ()


@pytest.mark.parametrize(
    ("wrong", "row", "nth", "meant"),
    [
        (GOOD.replace('port = 8123', 'prot = 8123'), "prot", 1, "port"),
        (GOOD.replace('fresh_for = "10m"', 'fresh_fro = "10m"'), "fresh_fro", 1, "fresh_for"),
        (GOOD.replace('down_for = "7d"', 'port = 1'), "port", 2, "protocol"),
        (GOOD.replace('[server]', '[sever]'), "[sever]", 1, "server"),
        ('[[source]]\ncode = "x"\n', "[[source]]", 1, "sources"),
        (GOOD.replace('[hub]', '[hub]\nmatching-key = "x"'), "matching-key", 1, "matching_key"),
    ],
)  # fmt: skip
def test_an_unknown_setting_is_refused_at_its_line_with_what_was_meant(
    read: Read, wrong: str, row: str, nth: int, meant: str
) -> None:
    error = refused(read, wrong)
    assert error.line == at(wrong, row, nth)
    assert meant in error.remedy


def test_an_unknown_setting_like_no_other_is_refused_with_all_there_are(read: Read) -> None:
    assert "memory_mb, durable" in refused(read, "[cache]\nzzz = 1\n").remedy


@pytest.mark.parametrize("span", ["5", '"5"', '"5 s"', '"-5s"', '"5x"', '""', "true", '["5s"]', '"1e3s"'])
def test_a_span_of_time_without_a_known_unit_is_refused(read: Read, span: str) -> None:
    wrong = GOOD.replace('down_for = "7d"', f"deadline = {span}")
    error = refused(read, wrong)
    assert error.line == at(wrong, "deadline", 3)  # the second source's own, not the hub's
    assert "250ms" in error.cause or "Expected" in error.cause


@pytest.mark.parametrize(
    ("was", "wrong", "row", "nth"),
    [
        ('code = "school"', 'code = "city"', "code", 2),
        ('code = "school"', 'code = "School 1"', "code", 2),
        ('code = "school"', 'code = "a:b"', "code", 2),
        ('school = "3137000001"\n', "", "level", 2),
        ('down_for = "7d"', 'deadline = "0s"', "deadline", 3),
        ('deadline = "5s"', 'deadline = "0s"', "deadline", 1),
        ('deadline = "5s"', 'matching_key = "too short"', "matching_key", 1),
        ("port = 8123", "port = 70000", "port", 1),
        ("port = 8123", "port = -1", "port", 1),
        ("port = 8123", 'port = "8123"', "port", 1),
        ('level = "SCHOOL"', 'level = "VILLAGE"', "level", 2),
        ('name = "校平台"\n', "", "[[sources]]", 2),
    ],
)
def test_what_cannot_be_is_refused_at_its_line(read: Read, was: str, wrong: str, row: str, nth: int) -> None:
    text = GOOD.replace(was, wrong)
    assert text != GOOD
    error = refused(read, text)
    assert error.line == at(text, row, nth)
    assert error.remedy


def test_a_short_matching_key_does_not_print(read: Read) -> None:
    error = refused(read, GOOD.replace('deadline = "5s"', 'matching_key = "env:SHORT"'))
    assert "abc" not in str(error)


def test_text_that_is_no_toml_is_refused_at_its_line(read: Read) -> None:
    assert refused(read, GOOD + "\nname = \n").line == len(GOOD.splitlines()) + 2


def test_a_secret_may_lie_in_a_file_beside_the_settings(read: Read, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n", "utf-8")
    loaded = read(GOOD.replace("env:TOKEN", "file:secret"))
    assert loaded.settings.sources[1].options["token"] == SECRET


@pytest.mark.parametrize("written", ["env:NO_SUCH", "file:no-such"])
def test_a_secret_that_is_not_there_is_named_at_its_line(read: Read, written: str) -> None:
    text = GOOD.replace("env:TOKEN", written)
    error = refused(read, text)
    assert error.line == at(text, "token")
    assert written.partition(":")[2] in error.cause


def test_a_secret_file_that_is_no_text_is_refused_without_a_byte_of_it(read: Read, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\xff\xfe secret bytes")
    assert "secret bytes" not in str(refused(read, GOOD.replace("env:TOKEN", "file:secret")))


def test_a_secret_in_the_wrong_place_does_not_print(read: Read) -> None:
    refused(read, GOOD.replace('level = "SCHOOL"', 'level = "env:LEVEL"'))
    refused(read, GOOD.replace("port = 8123", 'port = "env:TOKEN"'))
    refused(read, GOOD.replace('deadline = "5s"', 'deadline = "env:TOKEN"'))


def test_settings_never_print_what_is_secret(read: Read) -> None:
    text = GOOD.replace('deadline = "5s"', f'matching_key = "{SECRET}"')
    text += '\n[storage]\nuri = "env:TOKEN"\n'
    loaded = read(text)
    assert SECRET not in f"{loaded!r} {loaded.settings!r} {loaded.settings.sources!r} {loaded.settings.hub}"


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match="读不到"):
        load(tmp_path / "nowhere.toml", {})
    (tmp_path / "odd.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsRefused, match="UTF-8"):
        load(tmp_path / "odd.toml", {})


async def test_an_option_that_a_tongue_does_not_take_is_refused_without_its_value(read: Read) -> None:
    loaded = read(GOOD.replace('token = "env:TOKEN"', 'no_such_option = "env:TOKEN"'))
    http = Http(())
    tools = Tools(http, Seal(bytes(32)))
    with pytest.raises(SettingsRefused) as caught:
        build_connector(loaded.file, loaded.settings.sources[1], tools)
    await http.aclose()
    assert "no_such_option" in str(caught.value)
    assert "school" in caught.value.cause
    assert SECRET not in str(caught.value)


def test_a_network_that_is_none_is_refused_at_its_line(read: Read) -> None:
    with pytest.raises(SettingsRefused) as refused:
        read(GOOD.replace("[hub]", '[hub]\nallowed_networks = ["10.1.0.1/16"]'))
    assert refused.value.line == 2
    assert "neither a network" in refused.value.cause
    assert "10.1.0.0/16" in refused.value.remedy


# --- sign-on ---

KEY = (
    '{ kty = "EC", crv = "P-256", kid = "k1", x = "WbbXwVYGdJoP4Xm3qCkGvBRcRvKtEfXbw2sPvHfPLM0", '
    'y = "HWt9b2hDsEAR4pvVYMEnGq1oMbiQRSQmQcxMQLqHLkw" }'
)
ANCHOR = "https://nation.example"
GATE = f"""[hub]
environment = "production"

[identity]
issuer = "https://id.city.example"

[trust]
authority_hints = ["https://province.example"]
chain_lifetime = "6h"

[trust.anchors."{ANCHOR}"]
keys = [{KEY}]

[[upstreams]]
code = "county"
kind = "oidc"
name = "县统一身份认证"
level = "COUNTY"
region = "371502"
issuer = "https://id.county.example/"
client_id = "rongtong"
trusted_by = "{ANCHOR}"

[[upstreams]]
code = "province"
kind = "cas"
name = "省统一身份认证"
level = "PROVINCIAL"
region = "370000"
issuer = "https://cas.province.example"

[[clients]]
id = "school"
name = "某校应用"

[[clients]]
id = "county-app"
name = "某县应用"
"""


def test_sign_on_as_it_should_be_is_read(read: Read) -> None:
    settings = read(GATE).settings
    assert list(settings.trust.anchors) == [ANCHOR]
    assert settings.trust.anchors[ANCHOR]["keys"][0]["kid"] == "k1"
    assert [upstream.code for upstream in settings.upstreams] == ["county", "province"]


@pytest.mark.parametrize(
    ("was", "wrong", "row", "nth"),
    [
        ("id.city.example", "id.city.example/", "issuer", 1),
        ("https://id.city.example", "http://id.city.example", "issuer", 1),
        ("https://id.city.example", "id.city.example", "issuer", 1),
        ("https://id.city.example", "https://id.city.example/rongtong", "issuer", 1),
        ("https://id.city.example", "https://id.city.example?a=b", "issuer", 1),
        ("https://id.city.example", "https://root@id.city.example", "issuer", 1),
        ("https://id.city.example", "https://id.city.example:port", "issuer", 1),
        ("https://id.city.example", "ftp://id.city.example", "issuer", 1),
        (f'anchors."{ANCHOR}"', 'anchors."http://nation.example"', "[trust.anchors.", 1),
        (f'anchors."{ANCHOR}"', 'anchors."nation"', "[trust.anchors.", 1),
        (f'anchors."{ANCHOR}"', 'anchors."https://nation.example?x=1"', "[trust.anchors.", 1),
        (f"keys = [{KEY}]", "keys = []", "[trust.anchors.", 1),
        (f"keys = [{KEY}]", "", "[trust.anchors.", 1),
        ('kid = "k1", ', "", "[trust.anchors.", 1),
        ('kid = "k1"', 'kid = "k1", d = "AA"', "[trust.anchors.", 1),
        ('crv = "P-256"', 'crv = "secp256k1"', "[trust.anchors.", 1),
        ("https://province.example", "http://province.example", "authority_hints", 1),
        ("https://province.example", "province", "authority_hints", 1),
        ("https://province.example", "https://id.city.example", "authority_hints", 1),
        ('chain_lifetime = "6h"', 'chain_lifetime = "0s"', "chain_lifetime", 1),
        ('code = "province"', 'code = "local"', "code", 2),
        ('code = "province"', 'code = "to"', "code", 2),
        ('code = "province"', 'code = "passkey"', "code", 2),
        ('code = "province"', 'code = "county"', "code", 2),
        ('code = "county"', 'code = "County 1"', "code", 1),
        ('code = "county"', 'code = "a/b"', "code", 1),
        ('level = "PROVINCIAL"', 'level = "VILLAGE"', "level", 2),
        ('region = "370000"', 'region = "999999"', "region", 2),
        ('region = "370000"', 'region = ""', "region", 2),
        (f'trusted_by = "{ANCHOR}"', 'trusted_by = "https://other.example"', "trusted_by", 1),
        ('id = "county-app"', 'id = "school"', "id", 2),
    ],
)  # fmt: skip
def test_sign_on_that_cannot_work_is_refused_at_its_line(
    read: Read, was: str, wrong: str, row: str, nth: int
) -> None:
    text = GATE.replace(was, wrong, 1)
    assert text != GATE
    error = refused(read, text)
    assert error.line == at(text, row, nth)
    assert error.remedy
    assert " / " in error.cause


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"])
def test_an_issuer_of_this_machine_may_do_without_tls(read: Read, issuer: str) -> None:
    assert read(GATE.replace("https://id.city.example", issuer)).settings.identity.issuer == issuer


def test_development_may_do_without_tls_anywhere(read: Read) -> None:
    text = GATE.replace("https://id.city.example", "http://city.lan").replace("production", "development")
    assert read(text).settings.identity.issuer == "http://city.lan"


def test_a_secret_where_a_superior_belongs_does_not_print(read: Read) -> None:
    refused(read, GATE.replace("https://province.example", "env:TOKEN"))
    refused(read, GATE.replace('region = "371502"', 'region = "env:TOKEN"'))
    refused(read, GATE.replace(f'trusted_by = "{ANCHOR}"', 'trusted_by = "env:TOKEN"'))
