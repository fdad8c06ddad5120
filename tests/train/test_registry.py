"""The registry folder: numbered versions, one write a stage change, nothing half done after a crash."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from example_builders import START_MS, add, files, onnx

from schemas.errors import GateError, InputError, NotFoundError, SignatureError
from schemas.models import Promotion
from serving.model import load
from serving.registry import Registry


@pytest.fixture
def registry(tmp_path) -> Registry:
    return Registry(tmp_path / "registry")


@pytest.fixture(scope="module")
def model() -> bytes:
    return onnx()


def _enter(registry: Registry, version: str, stage: str = "Production") -> None:
    with registry.changing("fraud"):
        registry.promote("fraud", Promotion(version, stage, START_MS, "tester"))


def test_versions_are_numbered_and_begin_in_staging(registry, model):
    assert [add(registry, model=model) for _ in range(11)] == [str(n) for n in range(1, 12)]
    assert registry.versions("fraud")[-2:] == ["10", "11"]
    assert set(registry.stages("fraud").stages.values()) == {"Staging"}
    assert registry.names() == ["fraud"]
    assert registry.champion("fraud") is None


def test_an_empty_registry_has_no_names_and_a_missing_version_is_named(registry, model):
    assert registry.names() == []
    with pytest.raises(NotFoundError, match=r"no model fraud@1; the registry .* no version of it"):
        registry.signature("fraud", "1")
    add(registry, model=model)
    with pytest.raises(NotFoundError, match="has versions 1"):
        registry.metrics("fraud", "2")


def test_a_name_that_leaves_the_folder_is_refused(registry):
    with pytest.raises(InputError, match="is no model name"):
        registry.versions("../fraud")


def test_promotion_archives_the_version_before_it(registry, model):
    for _ in range(2):
        add(registry, model=model)
    _enter(registry, "1")
    _enter(registry, "2")
    assert registry.champion("fraud") == "2"
    assert registry.stages("fraud").stages == {"1": "Archived", "2": "Production"}


def test_rollback_walks_back_through_the_production_versions(registry, model):
    for version in ("1", "2", "3"):
        add(registry, model=model)
        _enter(registry, version)
    for expected in ("2", "1"):
        with registry.changing("fraud"):
            registry.roll_back("fraud", author="tester", at_ms=START_MS, note="")
        assert registry.champion("fraud") == expected
    with pytest.raises(NotFoundError, match="no earlier Production version"):
        registry.predecessor("fraud")
    assert registry.stages("fraud").stages == {"1": "Production", "2": "Archived", "3": "Archived"}


def test_the_production_version_can_not_be_moved_away(registry, model):
    add(registry, model=model)
    _enter(registry, "1")
    with pytest.raises(GateError, match="is in Production"):
        _enter(registry, "1", "Archived")
    assert registry.champion("fraud") == "1"


def test_a_changed_file_is_refused_by_its_hash(registry, model):
    version = add(registry, model=model)
    pointer = registry.pointer("fraud", version, "Production")
    assert load(pointer, registry.root).label == "fraud@1"
    path = registry.root / "fraud" / version / "model.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(SignatureError, match="differs from its signature's hash"):
        load(pointer, registry.root)
    described = registry.root / "fraud" / version / "signature.json"
    described.write_bytes(described.read_bytes() + b" ")
    with pytest.raises(SignatureError, match="differs from the pointer's hash"):
        load(pointer, registry.root)


def test_a_damaged_stage_file_is_named(registry, model):
    add(registry, model=model)
    (registry.root / "fraud" / "stages.json").write_text("{")
    with pytest.raises(SignatureError, match=r"stages\.json"):
        registry.stages("fraud")


def test_a_folder_that_can_not_be_written_is_named(tmp_path, model):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"registry .*file/fraud"):
        add(Registry(tmp_path / "file"), model=model)


def test_whether_a_folder_can_be_written_is_asked_without_making_it(registry, model, monkeypatch):
    registry.require_writable("fraud")
    assert not registry.root.exists()
    add(registry, model=model)
    registry.require_writable("fraud")
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.F_OK and path.exists())
    with pytest.raises(InputError, match=r"registry .*/fraud: .*/fraud can not be written; set \[registry\] path"):
        registry.require_writable("fraud")


def _killed_at(step: int, action) -> bool:
    """Run the action in a child that dies without a goodbye at that sync or rename; whether it died."""
    child = os.fork()
    if child == 0:
        left = [step]

        def dying(real):
            def call(*args, **kwargs):
                if left[0] == 0:
                    os._exit(9)
                left[0] -= 1
                return real(*args, **kwargs)

            return call

        os.fsync = dying(os.fsync)
        Path.rename = dying(Path.rename)
        Path.replace = dying(Path.replace)
        action()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_a_writer_killed_at_any_step_leaves_whole_versions_only(registry, model):
    add(registry, model=model)
    step, died = 0, True
    while died:
        before = registry.versions("fraud")
        died = _killed_at(step, lambda: add(registry, model=model))
        for version in registry.versions("fraud"):
            load(registry.pointer("fraud", version, "Staging"), registry.root)
            registry.metrics("fraud", version)
        assert registry.versions("fraud")[: len(before)] == before
        added = add(registry, model=model)
        assert added == registry.versions("fraud")[-1]
        assert not [path for path in files(registry.root) if ".part" in path]
        step += 1
    assert step > 8


def test_a_promotion_killed_at_any_step_never_leaves_production_empty(registry, model):
    for _ in range(2):
        add(registry, model=model)
    _enter(registry, "1")
    step, died = 0, True
    while died:
        died = _killed_at(step, lambda: _enter(registry, "2"))
        stages = registry.stages("fraud")
        champion = registry.champion("fraud")
        assert champion in {"1", "2"}
        assert [v for v, stage in stages.stages.items() if stage == "Production"] == [champion]
        assert died or champion == "2"
        _enter(registry, "1")
        step += 1
    assert step > 3


def test_writers_take_turns_so_that_no_version_is_given_twice(registry, model):
    given: list[str] = []
    threads = [threading.Thread(target=lambda: given.append(add(registry, model=model))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given, key=int) == [str(n) for n in range(1, 9)]
    assert set(registry.stages("fraud").stages) == set(given)
