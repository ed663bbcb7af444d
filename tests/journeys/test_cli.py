"""The other commands beside a running demonstration, as an operator types them."""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import orjson
import pytest

from hub.cli.main import main
from tests.journeys.command import Started, demonstration, rongtong
from tests.journeys.examples import FIRST_LIGHT

SCHOOLS = '{ schools(region: "371502", first: 2) { nodes { name principalName } } }'


TABLES = (
    "sources", "add", "county-tables", "--protocol", "tables", "--level", "COUNTY", "--region", "371524",
    "--name", "某县教育数据表", "--option", "folder=tables", "--option", "mapping=c371524-tables.toml",
)  # fmt: skip


@dataclass
class Operator:
    """Somebody at a terminal, in a folder with queries, beside a running demonstration."""

    demo: Started
    desk: Path

    @property
    def config(self) -> str:
        """The settings file that the demonstration wrote."""
        return str(self.demo.told["config"])

    def types(self, *words: str, stdin: str = "", **more: str) -> CompletedProcess[str]:
        """One command."""
        return rongtong(*words, cwd=self.desk, stdin=stdin, **more)

    def asks(self, *words: str, stdin: str = "") -> CompletedProcess[str]:
        """One query to the demonstration's hub."""
        return self.types("query", *words, "--url", self.demo.told["page"], stdin=stdin)

    def reads(self, *words: str) -> Any:
        """What a command that must succeed prints as JSON, all of it in one line."""
        done = self.types(*words, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("\n") == 1
        assert done.stderr == ""
        return orjson.loads(done.stdout)


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """An operator whose demonstration runs for the whole file."""
    scratch = tmp_path_factory.mktemp("operator")
    (scratch / "first.graphql").write_text(FIRST_LIGHT, "utf-8")
    (scratch / "schools.graphql").write_text(SCHOOLS, "utf-8")
    with demonstration(scratch / ".rongtong" / "demo", scratch) as demo:
        yield Operator(demo, scratch)


def refusal(done: CompletedProcess[str]) -> str:
    """The code of a refusal that was printed for scripts."""
    assert done.returncode == 1, done.stdout + done.stderr
    return str(orjson.loads(done.stdout)["error"]["code"])


def test_a_query_comes_from_a_file_or_standard_input(operator: Operator) -> None:
    filed = operator.asks("schools.graphql", "--json")
    piped = operator.asks("-", "--json", stdin=SCHOOLS)
    assert filed.returncode == piped.returncode == 0
    assert orjson.loads(filed.stdout) == orjson.loads(piped.stdout)
    assert "学" in filed.stdout
    assert "\\u" not in filed.stdout


def test_who_asks_is_a_persona_or_a_token_or_nobody(operator: Operator) -> None:
    def principal(*words: str) -> object:
        answer = orjson.loads(operator.asks("schools.graphql", "--json", *words).stdout)
        return answer["data"]["schools"]["nodes"][0]["principalName"]

    assert principal() is None
    assert principal("--as", "officer")
    token = operator.reads("token", "--as", "officer")["token"]
    assert principal("--token", token) == principal("--as", "officer")


def test_the_longest_answer_arrives_whole_and_with_its_provenance(operator: Operator) -> None:
    done = operator.asks("first.graphql", "--as", "pupil", "--provenance", "--json")
    assert done.returncode == 0, done.stdout
    answer = orjson.loads(done.stdout)
    assert len({line.split(" ")[2] for line in answer["extensions"]["provenance"]["sources"]}) >= 5
    roster = (
        'query R($after: String) { schools(region: "371500", first: 100, after: $after) { nodes { '
        + " ".join(
            f"a{n}: name b{n}: address c{n}: sources {{ sourceName level fetchedAt }}" for n in range(20)
        )
        + " } } }"
    )
    long = operator.asks("-", "--json", stdin=roster)
    assert long.returncode == 0, long.stdout[:500]
    assert len(long.stdout) > 150_000


def test_wrong_questions_are_refused_in_words_and_with_exit_code_1(operator: Operator) -> None:
    assert operator.asks("-", stdin="{ nonsense }").returncode == 1
    assert refusal(operator.asks("nowhere.graphql", "--json")) == "NO_FILE"
    assert refusal(operator.asks("-", "--variables", "[]", "--json", stdin=SCHOOLS)) == "BAD_VARIABLES"
    away = operator.types("query", "schools.graphql", "--url", "http://127.0.0.1:1", "--json")
    assert refusal(away) == "NO_HUB"
    assert refusal(operator.types("token", "--as", "teachr", "--json")) == "UNKNOWN_PERSONA"
    assert refusal(operator.types("token", "--as", "teacher", "--folder", "x", "--json")) == "NO_DEMO"
    spoken = operator.types("token", "--as", "teachr")
    assert spoken.stdout == ""
    assert "did you mean teacher?" in spoken.stderr


def test_wrong_usage_ends_with_exit_code_2_and_a_suggestion(operator: Operator) -> None:
    misspelt = operator.types("qury")
    assert misspelt.returncode == 2
    assert "query" in misspelt.stderr
    assert operator.types("demo", "--port", "99999").returncode == 2
    assert operator.types("demo", "--scale", "moon").returncode == 2


def test_explain_names_for_every_question_who_is_asked_and_why_each_other_is_not(operator: Operator) -> None:
    found = operator.reads("explain", "first.graphql", "-c", operator.config)
    sources = {source["code"] for source in operator.demo.told["sources"]}
    kinds = {one["kind"] for one in found}
    assert kinds >= {
        "Person", "StudentRoll", "Account", "LearningSpace", "Guardianship", "ActivityEvent", "Enrollment",
        "ClassGroup", "School", "Textbook", "Chapter", "Resource", "Activity",
    }  # fmt: skip
    for one in found:
        told = [*one["asked"], *one["passedOver"]]
        assert {source["source"] for source in told} == sources
        assert len(told) == len(sources)
        assert all(source["why"] for source in told)
    resources = next(one for one in found if one["kind"] == "Resource")
    assert len({source["level"] for source in resources["asked"]}) >= 4


def test_explain_for_people_gives_a_reason_once_for_all_that_share_it(operator: Operator) -> None:
    done = operator.types("explain", "first.graphql", "-c", operator.config)
    assert done.returncode == 0, done.stderr
    for question in done.stdout.split("\n\n"):
        reasons = [line for line in question.splitlines() if "不问 / not asked" in line]
        assert len(reasons) == len(set(reasons))
        assert all(source["code"] in question for source in operator.demo.told["sources"])
    assert max(map(len, done.stdout.splitlines())) < 200


def test_sources_are_listed_from_the_nation_down_and_probed(operator: Operator) -> None:
    listed = operator.reads("sources", "list", "-c", operator.config)
    assert [source["code"] for source in listed] == [
        source["code"] for source in operator.demo.told["sources"]
    ]
    probed = operator.reads("sources", "check", "-c", operator.config)
    assert set(probed) == {source["code"] for source in listed}
    assert not any(probed.values())
    shown = operator.types("sources", "list", "-c", operator.config, NO_COLOR="1")
    assert "国家中小学智慧教育平台" in shown.stdout
    assert "\x1b" not in shown.stdout


def test_harvest_fills_the_demonstrations_catalogue_and_is_quiet_without_a_terminal(
    operator: Operator,
) -> None:
    done = operator.reads("harvest", "s-repository", "-c", operator.config)
    assert [(one["source"], one["finished"], one["error"]) for one in done] == [("s-repository", True, "")]
    spoken = operator.types("harvest", "s-repository", "-c", operator.config)
    assert spoken.returncode == 0
    assert spoken.stderr == ""
    unknown = operator.types("harvest", "s-lrs", "-c", operator.config, "--json")
    assert refusal(unknown) == "UNKNOWN_SOURCE"


def test_the_doctor_knows_our_own_hub_on_its_port_and_has_a_remedy_for_what_is_not_well(
    operator: Operator,
) -> None:
    findings = operator.reads("doctor", "-c", operator.config)
    port = next(finding for finding in findings if finding["what"].startswith("端口"))
    assert port["well"]
    assert "本中心正在运行" in port["seen"]
    assert all(not finding["remedy"] for finding in findings)
    sick = operator.demo.folder / "sick.toml"
    address = next(s["address"] for s in operator.demo.told["sources"] if s["code"] == "s-roster")
    sick.write_text(Path(operator.config).read_text("utf-8").replace(address, "http://127.0.0.1:1"), "utf-8")
    done = operator.types("doctor", "-c", str(sick), "--json")
    assert done.returncode == 1
    (ill,) = [finding for finding in orjson.loads(done.stdout) if not finding["well"]]
    assert ill["what"].endswith("s-roster")
    assert ill["remedy"]


def test_a_source_is_tried_first_written_when_told_to_and_not_joined_twice(operator: Operator) -> None:
    config = operator.desk / "mine.toml"
    before = '# ours\n[hub]\nenvironment = "development"\nallowed_networks = ["127.0.0.0/8"]'
    config.write_text(before, "utf-8")
    config.chmod(0o640)
    national = next(s["address"] for s in operator.demo.told["sources"] if s["protocol"] == "smartedu")
    words = [
        "sources", "add", "nation", "--protocol", "smartedu", "--level", "national", "--region", "000000",
        "--name", '平台 "一"\\', "--option", f'bases=["{national}/m1", "{national}/m2"]', "-c", str(config),
    ]  # fmt: skip
    tried = operator.reads(*words)
    assert tried == {"code": "nation", "kinds": ["Chapter", "Resource", "Textbook"], "written": False}
    assert config.read_text("utf-8") == before
    assert operator.reads(*words, "--write")["written"]
    joined = tomllib.loads(config.read_text("utf-8"))["sources"]
    assert [(source["code"], source["name"]) for source in joined] == [("nation", '平台 "一"\\')]
    assert config.read_text("utf-8").startswith(before)
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    assert operator.reads("sources", "check", "-c", str(config)) == {"nation": ""}
    after = config.read_bytes()
    assert refusal(operator.types(*words, "--write", "--json")) == "CODE_TAKEN"
    assert config.read_bytes() == after


def test_a_source_that_is_wrong_or_silent_is_not_written(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = operator.desk / "theirs.toml"
    config.write_text('[hub]\nenvironment = "development"\nallowed_networks = ["127.0.0.0/8"]\n', "utf-8")
    before = config.read_bytes()

    def refused(*changed: str) -> str:
        usual = {
            "--protocol": "oai_pmh", "--level": "PROVINCIAL", "--region": "370000", "--name": "省",
            "--option": "base_url=http://127.0.0.1:1/oai",
        }  # fmt: skip
        usual |= dict(zip(changed[::2], changed[1::2], strict=True))
        words = [word for pair in usual.items() for word in pair]
        typed = ["rongtong", "sources", "add", "one", *words, "-c", str(config), "--write", "--json"]
        monkeypatch.setattr("sys.argv", typed)
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 1
        return str(orjson.loads(capsys.readouterr().out)["error"]["code"])

    assert refused() == "SOURCE_UNAVAILABLE"
    assert refused("--protocol", "oaipmh") == "BAD_SOURCE"
    assert refused("--level", "GALAXY") == "BAD_SOURCE"
    assert refused("--option", "base_url") == "BAD_OPTION"
    assert refused("--option", "base=http://127.0.0.1:1") == "SETTINGS_REFUSED"
    assert refused("--option", "base_url=env:NOT_THERE") == "SETTINGS_REFUSED"
    assert refused("--level", "SCHOOL") == "SETTINGS_REFUSED"
    assert config.read_bytes() == before
    assert [path.name for path in operator.desk.glob(".theirs*")] == []


def test_without_a_settings_file_commands_look_at_the_demonstration_that_runs(operator: Operator) -> None:
    listed = operator.reads("sources", "list")
    assert [source["code"] for source in listed] == [
        source["code"] for source in operator.demo.told["sources"]
    ]
    assert not any(operator.reads("sources", "check").values())
    assert operator.reads("doctor")
    assert operator.reads("explain", "schools.graphql")
    assert operator.reads("harvest", "s-repository")
    spoken = operator.types("sources", "list")
    assert "演示的设置" in spoken.stderr
    tried = operator.reads(*TABLES)
    assert tried["code"] == "county-tables"
    assert not tried["written"]
    assert refusal(operator.types(*TABLES, "--write", "--json")) == "DEMO_SETTINGS"


def test_without_a_settings_file_and_a_demonstration_commands_say_what_to_type(tmp_path: Path) -> None:
    left_behind = tmp_path / ".rongtong" / "demo" / "rongtong.local.toml"
    (tmp_path / "schools.graphql").write_text(SCHOOLS, "utf-8")
    for killed in (False, True):
        if killed:
            left_behind.parent.mkdir(parents=True)
            left_behind.write_text("", "utf-8")
        for words in (("sources", "check"), ("doctor",), ("explain", "schools.graphql"), ("harvest",)):
            assert refusal(rongtong(*words, "--json", cwd=tmp_path)) == "NO_SETTINGS"
    spoken = rongtong("sources", "check", cwd=tmp_path)
    assert spoken.stderr.count("\n") == 1
    assert "make demo" in spoken.stderr
    assert "-c" in spoken.stderr
    assert refusal(rongtong("serve", "--json", cwd=tmp_path)) == "NO_SETTINGS"
    (tmp_path / "rongtong.toml").write_text("", "utf-8")
    assert rongtong("sources", "list", "--json", cwd=tmp_path).stdout == "[]\n"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"mapping": "nowhere.toml"}, "MAPPING_REFUSED"),
        ({"mapping": "../../etc/passwd"}, "SETTINGS_REFUSED"),
        ({"mapping": "twice-wrong.toml"}, "MAPPING_REFUSED"),
        ({"folder": "/etc"}, "SETTINGS_REFUSED"),
    ],
)
def test_wrong_mappings_and_folders_are_refused_in_one_line_and_never_with_a_traceback(
    operator: Operator, changed: dict[str, str], code: str
) -> None:
    (operator.demo.folder / "twice-wrong.toml").write_text("[nonsense]\na = 1\n[more]\nb = 2\n", "utf-8")
    options = {"folder": "tables", "mapping": "c371524-tables.toml"} | changed
    config = operator.demo.folder / "with-a-fault.toml"
    rows = "".join(f'{name} = "{value}"\n' for name, value in options.items())
    config.write_text(
        '[[sources]]\ncode = "ill"\nname = "县"\nlevel = "COUNTY"\nregion = "371524"\nprotocol = "tables"\n'
        f"[sources.options]\n{rows}",
        "utf-8",
    )
    added = [word for name, value in options.items() for word in ("--option", f"{name}={value}")]
    attempts = (
        ("sources", "check", "-c", str(config)),
        ("explain", "schools.graphql", "-c", str(config)),
        (*TABLES[:-4], *added),
    )
    for words in attempts:
        assert refusal(operator.types(*words, "--json")) == code
        spoken = operator.types(*words)
        assert spoken.returncode == 1
        assert spoken.stdout == ""
        assert spoken.stderr.splitlines()[-1].startswith("✗ ")
        assert spoken.stderr.splitlines()[-1].endswith(f"[{code}]")
        assert "Traceback" not in spoken.stderr
    examined = operator.types("doctor", "-c", str(config), "--json")
    assert examined.returncode == 1
    ill = [finding for finding in orjson.loads(examined.stdout) if not finding["well"]]
    assert all(finding["remedy"] for finding in ill)


def test_a_hub_is_served_from_a_settings_file_until_its_port_is_wanted_twice(operator: Operator) -> None:
    assert refusal(operator.types("serve", "-c", operator.config, "--json")) == "PORT_TAKEN"
    assert refusal(operator.types("serve", "-c", "nowhere.toml", "--json")) == "SETTINGS_REFUSED"


def test_the_sdl_is_printed_whole(operator: Operator) -> None:
    plain = operator.types("sdl")
    assert plain.returncode == 0
    assert plain.stdout == operator.reads("sdl")["sdl"]
    assert "type School" in plain.stdout


def test_help_is_plain_and_does_not_load_the_hub(operator: Operator) -> None:
    done = operator.types("--help", PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0
    assert "启动演示" in done.stdout
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "typer" in loaded
    assert not loaded & {"rich.console", "strawberry", "uvicorn", "aiohttp", "hub.app", "connectors.base"}
