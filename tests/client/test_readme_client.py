"""The producer and the consumer of README.md, exactly as they stand there, with nothing but the light client."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

import pytest
from confluent_kafka import Consumer, TopicPartition

from schemas.settings import Settings
from schemas.topics import DECISIONS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
MAX_LINES = 15
CODE = ("schemas", "serving", "online_learning", "jobs", "infra")
PACKAGED = ("pyproject.toml", "README.md", "LICENSE", *CODE)
GROUP = "bookshop"
# The scoring job may have to be started, and to restore its state, before the first decision comes.
DECISION_TIMEOUT_S = 180
# A second decision for the same payment would follow the first within a batch or two.
SILENCE_S = 5


def blocks() -> dict[str, str]:
    """The Python blocks of README.md by the file name that stands before each."""
    found = re.findall(r"^`(\w+\.py)\b[^\n]*\n\n```python\n(.*?)```", README, re.DOTALL | re.MULTILINE)
    return dict(found)


def install_line() -> str:
    """The line of README.md that installs the client."""
    found = re.search(r"`(pip install [^`]*)`", README)
    assert found is not None
    return found.group(1)


def uv() -> list[str]:
    """The uv that `make setup` found or installed."""
    for program, *words in (["uv"], [sys.executable, "-m", "uv"], [str(ROOT / ".uv/bin/uv")]):
        if path := shutil.which(program):
            tried = subprocess.run([path, *words, "--version"], check=False, capture_output=True)
            if tried.returncode == 0:
                return [path, *words]
    raise AssertionError("uv is missing; run `make setup`")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment, away from the repository, after the README's line ran in a copy of that."""
    folder = tmp_path_factory.mktemp("client")
    run, source, programs = uv(), folder / "source", folder / "programs/bin"
    source.mkdir()
    for path in (ROOT / name for name in PACKAGED):
        if path.is_dir():
            shutil.copytree(path, source / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source)
    python = folder / "venv/bin/python"
    # pip stands beside: what it needs for itself is not what the line brings.
    for words, name in (((), "venv"), (("--seed",), "programs")):
        subprocess.run([*run, "venv", "--quiet", *words, "--python", sys.executable, folder / name], check=True)
    given = {"PATH": f"{programs}:{os.environ['PATH']}", "PIP_PYTHON": str(python)}
    subprocess.run(["/bin/sh", "-euc", install_line()], check=True, cwd=source, env=os.environ | given)
    for name, code in blocks().items():
        (folder / name).write_text(code)
    return python


def ask(python: Path, code: str) -> str:
    return subprocess.run(
        [python, "-c", code], check=True, capture_output=True, text=True, cwd=python.parent
    ).stdout.strip()


def test_both_programs_are_in_the_readme_and_short() -> None:
    assert set(blocks()) == {"produce.py", "consume.py"}
    for name, code in blocks().items():
        assert len(code.splitlines()) <= MAX_LINES, name


def test_no_text_sends_anybody_to_the_other_project_of_that_name() -> None:
    texts = [*ROOT.glob("*.md"), *(file for name in CODE for file in (ROOT / name).rglob("*.py"))]
    sent = re.compile(r"pip install [\"']?sluice(\[[^]]*\](?! @ )|\b(?!\[))")
    assert [str(text) for text in texts if sent.search(text.read_text())] == []


def test_the_light_client_installs_three_packages_beside_ours(client: Path) -> None:
    listed = "from importlib.metadata import distributions; print(*(d.name for d in distributions()))"
    assert set(ask(client, listed).split()) == {"sluice", "msgspec", "click", "confluent-kafka"}


def test_no_heavy_package_can_be_imported_there(client: Path) -> None:
    heavy = ["pyflink", "numpy", "onnxruntime", "xgboost", "pandas", "pyarrow", "redis", "cassandra", "fastapi"]
    found = f"from importlib.util import find_spec; print([n for n in {heavy} if find_spec(n)])"
    assert ask(client, found) == "[]"


def test_topics_events_and_settings_are_usable_there(client: Path) -> None:
    code = "from schemas import codec, control, events, settings, topics; print(len(topics.TOPICS))"
    assert int(ask(client, code)) > 0


@pytest.fixture
def consumer(stack: Settings, client: Path) -> Iterator[Queue[str]]:
    """The lines that consume.py prints; its group has read everything that lies in the topic before."""
    assert stack.kafka.bootstrap == "127.0.0.1:9092", "the README names the default address"
    _go_to_end(stack)
    lines: Queue[str] = Queue()
    environment = {"PATH": os.environ["PATH"]}
    script = client.parents[2] / "consume.py"
    process = subprocess.Popen([client, script], stdout=subprocess.PIPE, text=True, env=environment)

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)

    Thread(target=read, daemon=True).start()
    yield lines
    assert process.poll() is None, "consume.py ended by itself"
    process.terminate()
    process.wait(timeout=60)


def _go_to_end(stack: Settings) -> None:
    """Commit the end of the decisions for the README's group, as if it had read what others wrote."""
    mover = Consumer({"bootstrap.servers": stack.kafka.bootstrap, "group.id": GROUP})
    ends = []
    for partition in mover.list_topics(DECISIONS.name, timeout=30).topics[DECISIONS.name].partitions:
        _, end = mover.get_watermark_offsets(TopicPartition(DECISIONS.name, partition), timeout=30)
        ends.append(TopicPartition(DECISIONS.name, partition, end))
    mover.commit(offsets=ends, asynchronous=False)
    mover.close()


def produce(client: Path, event_id: str) -> None:
    subprocess.run([client, client.parents[2] / "produce.py", event_id], check=True, timeout=180, cwd=client.parent)


@pytest.mark.stack
def test_a_payment_sent_twice_is_decided_once_in_the_eyes_of_the_consumer(client: Path, consumer: Queue[str]) -> None:
    event_id = f"readme-{uuid.uuid4()}"
    produce(client, event_id)
    produce(client, event_id)
    found = [_line(consumer, event_id, DECISION_TIMEOUT_S)]
    assert re.search(r"APPROVE|REVIEW|CHALLENGE|BLOCK", found[0])
    with pytest.raises(Empty):
        _line(consumer, event_id, SILENCE_S)
    # Another payment comes through: the consumer did not fall silent, the repeat was left out.
    other = f"readme-{uuid.uuid4()}"
    produce(client, other)
    assert other in _line(consumer, other, DECISION_TIMEOUT_S)


def _line(lines: Queue[str], event_id: str, timeout_s: float) -> str:
    """The next line about the event; raises Empty when none comes. Lines about others' payments are passed over."""
    while True:
        line = lines.get(timeout=timeout_s)
        if event_id in line:
            return line
