"""A second real stack on ports of its own: every part survives SIGKILL, and the end leaves nothing."""

import os
import signal
import socket
from pathlib import Path

import psutil
import pytest
import redis
from confluent_kafka import Consumer, Producer

from infra import stack, topics
from infra.stack import doctor, flink_jobs, part_state, process, topology
from infra.stack.home import Home
from schemas.settings import Ports, Settings, Stack

pytestmark = pytest.mark.stack(own=True)
BASE_PORT = 21000


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """A running stack with one TaskManager; it shares only the jars with the default one."""
    home = tmp_path_factory.mktemp("stack")
    (home / "lib").symlink_to(Path(Settings().stack.home).resolve() / "lib")
    names = Ports.__struct_fields__
    # The metric ports follow each other, one for each TaskManager.
    ports = Ports(**{name: BASE_PORT + 10 * number for number, name in enumerate(names)})
    settings = Settings(stack=Stack(home=str(home), ports=ports, task_managers=1))
    stack.up(settings)
    topics.create(settings)
    yield settings
    stack.down(settings)


def test_every_part_is_healthy_and_only_a_job_is_missing(settings):
    assert {state.name: state.problem for state in part_state.parts(settings) if state.problem} == {}
    broken = [finding.what for finding in doctor.examine(settings) if "MiB are free" not in finding.what]
    assert broken == ["no job was submitted, so nothing is decided"]


def test_every_part_listens_on_loopback_only(settings):
    pids = {p.pid for r in process.find_all(Home.of(settings)) for p in _family(r.pid)}
    listening = {
        connection.laddr.ip
        for connection in psutil.net_connections(kind="inet")
        if connection.pid in pids and connection.status == psutil.CONN_LISTEN
    }
    assert listening <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
    assert listening


def test_what_was_acknowledged_survives_a_sigkill_of_the_broker(settings):
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap, "log_level": 0})
    for number in range(500):
        producer.produce("interactions", str(number).encode())
    assert producer.flush(30) == 0
    stack.stop_part(settings, "kafka", kill=True)
    stack.start_part(settings, "kafka")
    consumer = Consumer(
        {"bootstrap.servers": settings.kafka.bootstrap, "group.id": "reader", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(["interactions"])
    read = consumer.consume(500, timeout=90)
    consumer.close()
    assert {message.value() for message in read} == {str(number).encode() for number in range(500)}
    assert topics.differences(settings) == []


def test_what_redis_took_survives_a_sigkill(settings):
    redis.Redis.from_url(settings.redis.url).set("kept", "yes")
    stack.stop_part(settings, "redis", kill=True)
    stack.start_part(settings, "redis")
    assert redis.Redis.from_url(settings.redis.url).get("kept") == b"yes"


def test_a_killed_task_manager_is_noticed_and_its_successor_registers(settings):
    stack.stop_part(settings, "task-manager-1", kill=True)
    again = stack.start_part(settings, "task-manager-1")
    assert topology.part(settings, "task-manager-1").probe(again) is None
    assert list(flink_jobs.task_managers(settings)) == ["task-manager-1"]


def test_the_doctor_names_a_dead_part_with_what_mends_it(settings):
    stack.stop_part(settings, "alertmanager", kill=True)
    found = {finding.what: finding.mend for finding in doctor.examine(settings)}
    assert found["alertmanager is not running"] == "sluice up"
    stack.start_part(settings, "alertmanager")


def test_after_a_sigkill_of_everything_the_next_up_is_healthy_again(settings):
    for running in process.find_all(Home.of(settings)):
        os.killpg(running.pid, signal.SIGKILL)
    stack.up(settings)
    assert [state.problem for state in part_state.parts(settings) if state.problem] == []


def test_down_leaves_no_process_and_no_port(settings):
    family = [p for r in process.find_all(Home.of(settings)) for p in _family(r.pid)]
    assert len(stack.down(settings)) == len(topology.parts(settings))
    assert [p.pid for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []
    for part in topology.parts(settings):
        for port in part.ports.values():
            with socket.socket() as probe:
                assert probe.connect_ex(("127.0.0.1", port)) != 0


def _family(pid):
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]
