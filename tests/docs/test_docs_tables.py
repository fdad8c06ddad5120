"""Pages that are generated from the code are current."""

import tomllib
from pathlib import Path

import msgspec
import pytest

from infra import docs_settings, docs_tables
from schemas.settings import Settings
from schemas.topics import TOPICS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", docs_tables.PAGES)
def test_the_committed_page_is_what_the_code_says_now(name):
    assert (DOCS / name).read_text() == docs_tables.PAGES[name](), "run: python -m infra.docs_tables"


def test_the_example_file_gives_the_defaults():
    assert msgspec.convert(tomllib.loads(docs_settings.example()), Settings) == Settings()


def test_every_topic_is_on_its_page():
    assert all(f"`{topic.name}`" in docs_tables.topics() for topic in TOPICS)
