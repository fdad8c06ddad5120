import zipfile

import pytest

from infra.stack import flink, java_classes
from infra.stack.home import Home
from schemas.errors import PartFailedError

pytestmark = pytest.mark.stack


@pytest.fixture
def home(stack):
    return Home.of(stack)


def test_the_jar_of_the_runtime_holds_its_classes_at_the_top(home):
    with zipfile.ZipFile(flink.runtime_jar(home)) as jar:
        assert jar.namelist() == [name.replace(".java", ".class") for name, _ in java_classes.RUNTIME.files()]


def test_what_was_compiled_once_is_not_compiled_again(home):
    made = flink.runtime_jar(home)
    before = made.stat().st_mtime_ns
    assert flink.runtime_jar(home) == made
    assert made.stat().st_mtime_ns == before


def test_a_source_that_does_not_compile_is_named_and_leaves_nothing(home, tmp_path, monkeypatch):
    package = tmp_path / "broken_sources"
    package.mkdir()
    package.joinpath("__init__.py").touch()
    package.joinpath("Broken.java").write_text("class Broken { nonsense }")
    monkeypatch.syspath_prepend(tmp_path)
    broken = java_classes.Sources("broken_sources", ".")
    flink.runtime_jar(home)
    with pytest.raises(PartFailedError, match=r"of broken_sources failed: .*nonsense"):
        java_classes.compile_once(home, broken, "")
    assert not java_classes.classes(home, broken).exists()
