"""Pages that are generated from the code are current."""

import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest

from infra import docs_settings, docs_tables
from schemas.settings import Settings
from schemas.topics import TOPICS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The pages, written by a process of their own: click keeps a command's help options from its first call,
    and in this process another test may have made that call."""
    folder = tmp_path_factory.mktemp("docs")
    subprocess.run([sys.executable, "-m", "infra.docs_tables", str(folder)], check=True)
    return folder


@pytest.mark.parametrize("name", docs_tables.PAGES)
def test_the_committed_page_is_what_the_code_says_now(name, written):
    assert (DOCS / name).read_text() == (written / name).read_text(), "run: python -m infra.docs_tables"


def test_the_example_file_gives_the_defaults():
    assert msgspec.convert(tomllib.loads(docs_settings.example()), Settings) == Settings()


def test_every_topic_is_on_its_page():
    assert all(f"`{topic.name}`" in docs_tables.topics() for topic in TOPICS)
