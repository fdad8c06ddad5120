"""The one definition of the stack."""

import importlib.metadata
from collections import Counter

import psutil
import pytest

from infra.stack import flink_config, topology, versions
from infra.stack.part import Running
from jobs.names import JOB_NAMES
from schemas.errors import NotFoundError
from schemas.settings import Cassandra, Flink, Kafka, Ports, Redis, Settings, Stack


def test_no_two_parts_use_one_port():
    used = Counter(port for part in topology.parts(Settings()) for port in part.ports.values())
    assert [port for port, count in used.items() if count > 1] == []


def test_there_are_as_many_task_managers_as_the_settings_say():
    names = [part.name for part in topology.parts(Settings(stack=Stack(task_managers=2)))]
    assert [name for name in names if name.startswith("task-manager")] == ["task-manager-1", "task-manager-2"]


def test_every_job_has_a_task_manager_and_one_is_spare():
    assert Settings().stack.task_managers > len(JOB_NAMES) * Settings().job.parallelism


def test_a_part_that_does_not_run_is_not_healthy_and_says_why():
    nobody = Running("nobody", psutil.Process().pid, 0)
    # Nobody listens at the lowest ports.
    ports = Ports(
        **{name: number for number, name in enumerate(Ports.__struct_fields__, 1)} | {"flink_metrics_first": 14}
    )
    for part in topology.parts(Settings(stack=Stack(ports=ports, task_managers=1))):
        assert "refused" in (part.probe(nobody) or ""), part.name


def test_an_unknown_part_is_named():
    with pytest.raises(NotFoundError, match="no part 'zookeeper'; its parts are cassandra, kafka, "):
        topology.part(Settings(), "zookeeper")


def test_flink_is_the_version_of_the_wheel():
    assert importlib.metadata.version("apache-flink") == versions.FLINK


@pytest.mark.parametrize("process_mb", [1280, 1600, 4096, 16384])
def test_a_task_managers_shares_add_up_to_its_memory(process_mb):
    memory = flink_config.Memory.of(process_mb)
    fixed_mb = memory.off_heap_mb + memory.network_mb + memory.metaspace_mb
    assert memory.heap_mb + memory.managed_mb + memory.outside_mb + fixed_mb == process_mb


@pytest.mark.parametrize(("length", "given"), [(15, True), (90, False)])
def test_the_log_of_rocksdb_is_named_by_a_path_only_where_that_fits_a_file_name(length, given):
    settings = Settings(stack=Stack(home="/" + "h" * (length - 1)))
    command = topology.part(settings, "task-manager-1").command()
    folder = f"{settings.stack.home}/data/flink/tmp/task-manager-1"
    assert f"io.tmp.dirs={folder}" in command
    assert (f"state.backend.rocksdb.log.dir={folder}" in command) is given


def test_addresses_that_are_left_empty_follow_the_stack():
    moved = Settings(stack=Stack(home="/elsewhere", ports=Ports(kafka=1, redis=2, cassandra=3, flink_rest=4)))
    assert moved.kafka.bootstrap == "127.0.0.1:1"
    assert moved.redis.url == "redis://127.0.0.1:2/0"
    assert moved.cassandra.port == 3
    assert moved.flink.rest == "http://127.0.0.1:4"
    assert moved.registry.path == "/elsewhere/registry"


def test_addresses_that_are_given_are_kept():
    given = Settings(
        kafka=Kafka(bootstrap="broker:1"),
        redis=Redis(url="redis://r/1"),
        cassandra=Cassandra(port=5),
        flink=Flink(rest="http://f:1"),
    )
    assert given.kafka.bootstrap == "broker:1"
    assert given.redis.url == "redis://r/1"
    assert given.cassandra.port == 5
    assert given.flink.rest == "http://f:1"
