"""What the folders promise each other, read from the source itself. Layers of imports are import-linter's."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("jobs", "schemas", "serving", "online_learning", "infra")
SOURCES = [path for folder in (*FOLDERS, "tests") for path in sorted((ROOT / folder).rglob("*.py"))]
# Of what computes an answer, the files that may read a clock all the same. No answer follows from what they read.
EDGES = {
    "serving/api/metrics.py": "measures how long an answer of the API takes",
    "online_learning/log_edge.py": "waits for Kafka, and asks it now and then where partitions end",
    "online_learning/process.py": "keeps checkpoints by the clock, and beats for who watches the process",
}
PURE = [
    *sorted((ROOT / "schemas").rglob("*.py")),
    *sorted((ROOT / "serving").rglob("*.py")),
    *sorted((ROOT / "online_learning").rglob("*.py")),
    *(
        ROOT / "infra/alerts" / f"{name}.py"
        for name in ("channels", "notice", "policy", "quiet_hours", "responses", "router", "signals", "wording")
    ),
]
JOBS = sorted((ROOT / "jobs").glob("*/job.py"))
MOST_JOB_LINES = 150
IMPURE = re.compile(
    r"^(time\.(time|monotonic|perf_counter|sleep)(_ns)?|datetime\.(datetime\.)?(now|utcnow|today)|date\.today"
    r"|os\.(environ|getenv|urandom)|random\.(?!Random$)\w+|np\.random\..*|numpy\.random\..*|uuid\.uuid\d|secrets\..*)"
)
# A check that is switched off on a line, with the codes of what is switched off.
SWITCHED_OFF = re.compile(
    r"#\s*(?:noqa\b(?::\s*[A-Z]+\d+(?:[,\s]+[A-Z]+\d+\b)*)?|type:\s*ignore\b(?:\[[^\]]*\])?)", re.IGNORECASE
)
PAGES = ("README.md", "ARCHITECTURE.md", "DECISIONS.md", "CONTRIBUTING.md", "CHANGELOG.md")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def impurities(tree: ast.AST) -> Iterator[str]:
    """Uses of a clock, the environment or unseeded randomness: attributes, and names imported from such modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and IMPURE.match(dotted(node)):
            yield f"line {node.lineno}: {dotted(node)}"
        elif isinstance(node, ast.ImportFrom) and node.module in {
            "time",
            "os",
            "random",
            "datetime",
            "uuid",
            "secrets",
        }:
            for name in node.names:
                if IMPURE.match(f"{node.module}.{name.name}"):
                    yield f"line {node.lineno}: from {node.module} import {name.name}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "hash":
            yield f"line {node.lineno}: hash() differs between processes"


@pytest.mark.parametrize("path", [path for path in PURE if relative(path) not in EDGES], ids=relative)
def test_a_pure_file_knows_no_clock_no_environment_and_no_chance(path):
    assert list(impurities(ast.parse(path.read_text("utf-8")))) == []


@pytest.mark.parametrize("name", EDGES)
def test_a_file_is_an_edge_only_while_it_reads_a_clock_and_nothing_else(name):
    found = list(impurities(ast.parse((ROOT / name).read_text("utf-8"))))
    assert found
    assert [one for one in found if ": time." not in one] == []


@pytest.mark.parametrize(
    "name",
    ["serving/api/answers.py", "serving/drift/measures/psi.py", "online_learning/learners/half_space_trees.py"],
)
def test_the_scan_goes_into_every_folder(name):
    assert ROOT / name in PURE


@pytest.mark.parametrize(
    "line",
    [
        "import time; time.time()",
        "import time; time.perf_counter_ns()",
        "from time import monotonic",
        "import datetime; datetime.datetime.now()",
        "from datetime import datetime; datetime.now()",
        "import os; os.environ['X']",
        "import random; random.random()",
        "import numpy as np; np.random.rand()",
        "import uuid; uuid.uuid4()",
        "hash('x')",
    ],
)
def test_the_scan_sees_every_way_out(line):
    assert list(impurities(ast.parse(line)))


def test_a_seeded_generator_is_allowed():
    assert not list(impurities(ast.parse("import random; random.Random(7)")))


@pytest.mark.parametrize("path", JOBS, ids=relative)
def test_a_job_is_small_for_what_jobs_share_is_the_runtimes(path):
    assert len(path.read_text("utf-8").splitlines()) <= MOST_JOB_LINES


def test_every_job_has_its_file():
    assert len(JOBS) >= 6


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if folder != "jobs"])
def test_pyflink_is_imported_only_in_jobs(folder):
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] == "pyflink"], relative(path)


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_no_file_is_longer_than_400_lines(path):
    assert len(path.read_text("utf-8").splitlines()) <= 400


def unexplained(text: str) -> list[int]:
    """Lines on which a check is switched off without words that say why."""
    comments = [
        token for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type == tokenize.COMMENT
    ]
    return [
        comment.start[0]
        for comment in comments
        if not all(re.search("[a-z]{3}", reason, re.IGNORECASE) for reason in SWITCHED_OFF.split(comment.string)[1:])
    ]


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_check_is_switched_off_only_with_the_reason_on_its_line(path):
    assert unexplained(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("line", "explained"),
    [
        ("a = b  # noqa", False),
        ("a = b  # noqa: S608", False),
        ("a = b  # noqa: S608, S310", False),
        ("a = b  # NOQA:S608 --", False),
        ("a = b  # type: ignore", False),
        ("a = b  # type: ignore[arg-type,misc]", False),
        ("a = b  # noqa: S608  # type: ignore[misc]  # our own names", False),
        ("a = b  # noqa: S608  # our own names", True),
        ("a = b  # noqa: S608, S310 - ours", True),
        ("a = b  # type: ignore[misc]  # PyFlink has no types", True),
        ("a = b  # what it is for", True),
        ("a = '# noqa: S608'", True),
    ],
)
def test_the_scan_sees_every_check_that_is_switched_off_without_a_reason(line, explained):
    assert (unexplained(f"{line}\n") == []) is explained


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_no_file_is_a_drawer(path):
    assert path.stem not in {"utils", "util", "helpers", "common", "misc"}


def pages() -> list[Path]:
    found = [ROOT / name for name in PAGES if (ROOT / name).exists()]
    return found + [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("NOTES.md"))]


@pytest.mark.parametrize("page", pages(), ids=relative)
def test_every_path_that_a_page_names_exists(page):
    text = page.read_text("utf-8")
    named = set(re.findall(rf"(?<![\w/.-])((?:{'|'.join((*FOLDERS, 'tests', 'docs'))})/[\w./-]*\w)", text))
    named |= set(re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text))
    missing = sorted(name for name in named if not (ROOT / name).exists() and not (page.parent / name).exists())
    assert missing == []


def test_no_two_test_files_have_the_same_name():
    """pytest imports them by it."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))
