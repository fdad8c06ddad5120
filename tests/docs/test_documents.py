"""Hand-written pages say what is true: commands, decisions, dependencies, limits. Paths are tests/architecture's."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import click
import pytest

from infra.cli import COMMANDS, sluice
from schemas.topics import TOPICS

ROOT = Path(__file__).parents[2]
HAND_WRITTEN = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "infra/runbooks").glob("*.md")),
    *sorted(path for folder in ("jobs", "serving", "infra") for path in (ROOT / folder).rglob("NOTES.md")),
]
SOURCES = [
    path
    for folder in ("schemas", "serving", "online_learning", "jobs", "infra", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
DECISIONS = (ROOT / "DECISIONS.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
# A page that greets fits two screens.
README_LINES = 100


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def decisions() -> list[int]:
    return [int(number) for number in re.findall(r"^## (\d+)\. ", DECISIONS, re.MULTILINE)]


def command_lines(text: str) -> Iterator[list[str]]:
    """The words after `sluice` of every call that a page shows, in code spans and shell blocks."""
    for shown in re.findall(r"`(?:[\w./]*/)?sluice +([^`\n]+)`", text):
        yield shown.split()
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            call = re.match(r"(?:[\w./]*/)?sluice +([^#]+)", line)
            if call:
                yield call[1].split()


def refusal(words: list[str]) -> str | None:
    """What is wrong with a call: an unknown command, or an option that its command has not."""
    if words[0] == "--settings" or words[0].isupper():
        return None
    name = words[0].rstrip(",|")
    command = sluice.get_command(click.Context(sluice), name) if name in COMMANDS else None
    if command is None:
        return f"no command {name}"
    rest = words[1:]
    if isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        inner = command.get_command(click.Context(command), rest[0])
        if inner is None:
            return f"{name} has no command {rest[0]}"
        command, rest = inner, rest[1:]
    known = {"--help"} | {option for parameter in command.params for option in parameter.opts}
    unknown = [word.strip("[]") for word in rest if word.strip("[]").startswith("--") and word.strip("[]") not in known]
    return f"{name} has no option {unknown[0]}" if unknown else None


@pytest.mark.parametrize("path", HAND_WRITTEN, ids=name_of)
def test_every_command_that_a_page_shows_exists(path: Path) -> None:
    refused = [(words, why) for words in command_lines(path.read_text("utf-8")) if (why := refusal(words))]
    assert refused == []


@pytest.mark.parametrize("call", ["nonsense", "models nonsense", "up --nonsense", "dead-letters replay --nonsense"])
def test_a_call_that_does_not_exist_is_seen(call: str) -> None:
    (words,) = command_lines(f"see `sluice {call}`")
    assert refusal(words)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_place_on_the_page_of_commands(command: str) -> None:
    assert f"\n## sluice {command}\n" in (ROOT / "docs/commands.md").read_text("utf-8")


@pytest.mark.parametrize("path", HAND_WRITTEN, ids=name_of)
def test_every_make_target_that_a_page_shows_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    text = path.read_text("utf-8")
    shown = set(re.findall(r"`make ([a-z]+)", text)) | set(re.findall(r"^make ([a-z]+)", text, re.MULTILINE))
    assert shown <= targets


def test_decisions_are_numbered_without_a_gap_and_give_a_reason() -> None:
    assert decisions() == list(range(1, len(decisions()) + 1))
    for entry in re.split(r"^## ", DECISIONS, flags=re.MULTILINE)[1:]:
        if not entry.startswith("12."):
            assert "**Why:**" in entry, entry.splitlines()[0]


@pytest.mark.parametrize("path", [*SOURCES, *HAND_WRITTEN], ids=name_of)
def test_every_decision_that_is_cited_exists(path: Path) -> None:
    if path == Path(__file__):
        return
    cited = [int(number) for number in re.findall(r"DECISIONS\.md, (\d+)", path.read_text("utf-8"))]
    assert [number for number in cited if number not in decisions()] == []


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = list(project["project"]["dependencies"])
    for extra in project["project"]["optional-dependencies"].values():
        wanted += extra
    wanted += project["dependency-groups"]["dev"]
    names = {re.match(r"[\w-]+", requirement)[0] for requirement in wanted} - {"sluice"}  # type: ignore[index]  # a name
    section = DECISIONS[DECISIONS.index("## 12.") : DECISIONS.index("## 13.")]
    assert sorted(name for name in names if not re.search(rf"\b{name}\b", section)) == []


def test_every_job_folder_says_what_it_does_not_handle() -> None:
    folders = [path.parent for path in (ROOT / "jobs").glob("*/job.py")]
    assert folders
    assert [name_of(folder) for folder in folders if not (folder / "NOTES.md").exists()] == []


def test_the_readme_is_short_and_shows_the_way() -> None:
    assert len(README.splitlines()) <= README_LINES
    for page in ("ARCHITECTURE.md", "DECISIONS.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/picture.svg"):
        assert f"]({page})" in README
    for page in (ROOT / "docs").glob("*.md"):
        assert f"](docs/{page.name})" in README, page.name


def test_the_picture_names_topics_that_exist_and_says_itself_in_words() -> None:
    picture = ElementTree.parse(ROOT / "docs/picture.svg").getroot()
    texts = [element.text or "" for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {topic.name for topic in TOPICS} - set(texts) <= {"interactions", "items", "recommendations"}
    assert picture.find("{http://www.w3.org/2000/svg}title") is not None


@pytest.mark.parametrize("path", HAND_WRITTEN, ids=name_of)
def test_no_page_hides_unfinished_work(path: Path) -> None:
    assert not re.search(r"\b(TODO|FIXME|TBD|XXX|DEMO_OUTPUT)\b", path.read_text("utf-8"))
