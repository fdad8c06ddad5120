"""docker-compose.yml brings up the topology of infra/stack/topology.py: same parts, versions, ports and settings."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from infra import grafana_dashboards
from infra.cli import sluice, tables
from infra.stack import alertmanager, flink_config, kafka, prometheus, topology, versions
from jobs.names import FRAUD_JOBS
from schemas import settings
from schemas.settings import Alerts, Ports, Settings, Stack
from serving.stores import cassandra_schema

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
PARTS = topology.parts(Settings())

# Where the two must differ: containers have addresses, folders and network namespaces of their own.
OWN_KAFKA = {"controller.quorum.voters", "listeners", "advertised.listeners", "log.dirs"}
OWN_FLINK = re.compile(
    r"address|host|port$|\.dir$|dirs$|^taskmanager\.(memory|cpu)|python\.executable|^web\.|^classloader\."
)


def test_every_part_is_a_service_and_every_service_a_part():
    # The router is a process beside the parts, as `sluice alerts route` is on the local stack.
    assert {part.service for part in PARTS} | {"topics", "tables", "alerts", "grafana"} == set(SERVICES)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_a_service_has_the_version_of_its_part(part):
    tag = SERVICES[part.service]["image"].partition(":")[2]
    assert tag.removeprefix("v") == part.version


def test_there_are_as_many_task_managers():
    wanted = sum(part.service == "taskmanager" for part in PARTS)
    assert SERVICES["taskmanager"]["deploy"]["replicas"] == wanted


@pytest.mark.parametrize("part", [part for part in PARTS if part.service != "taskmanager"], ids=lambda part: part.name)
def test_a_service_is_reached_at_the_port_of_its_part_on_loopback_only(part):
    assert SERVICES[part.service]["ports"] == [f"127.0.0.1:{part.port}:{part.port}"]


def test_the_broker_is_told_the_same():
    local = kafka.broker_properties(Settings(), Path("/data"))
    wanted = {key: value for key, value in local.items() if key not in OWN_KAFKA and not key.startswith("num.")}
    wanted.pop("log.cleaner.dedupe.buffer.size")
    given = {
        k.removeprefix("KAFKA_").lower().replace("_", "."): str(v) for k, v in SERVICES["kafka"]["environment"].items()
    }
    assert {key: given.get(key) for key in wanted} == wanted


@pytest.mark.parametrize("service", ["jobmanager", "taskmanager"])
def test_flink_is_told_the_same(service):
    local = flink_config.configuration(Settings(), Path("/data"))
    wanted = {key: value for key, value in local.items() if not OWN_FLINK.search(key)}
    properties = SERVICES[service]["environment"]["FLINK_PROPERTIES"]
    given = dict(line.split(": ", 1) for line in properties.strip().splitlines())
    assert {key: given.get(key) for key in wanted} == wanted
    assert given["python.execution-mode"] == "thread"


def test_flinks_image_is_built_from_the_same_versions():
    dockerfile = (ROOT / "infra/docker/Dockerfile").read_text()
    assert f"FROM flink:{versions.FLINK}-java{versions.JAVA}" in dockerfile
    assert f"-Dconnector.version={versions.FLINK_KAFKA_CONNECTOR}" in dockerfile


def test_flinks_image_holds_the_packages_of_every_command():
    """It also runs the router and the topics, and submits; `local` is the extra that any command needs at most."""
    extras = re.findall(r"--extra (\S+)", (ROOT / "infra/docker/Dockerfile").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    held = " ".join(package for extra in extras for package in project["optional-dependencies"][extra])
    assert extras == ["local"]
    assert all(package in held for package in ("psutil", "rich", "sluice[jobs,api,"))


def test_the_topics_are_created_from_the_table():
    assert SERVICES["topics"]["entrypoint"][-2:] == ["topics", "--create"]
    assert SERVICES["topics"]["image"] == SERVICES["jobmanager"]["image"]


@pytest.mark.parametrize("service", ["topics", "tables", "alerts"])
def test_a_step_runs_a_command_that_there_is_with_the_settings_of_the_image(service):
    program, flag, file, command, *words = SERVICES[service]["entrypoint"]
    assert [program, flag, file] == ["sluice", "--settings", "/opt/sluice/sluice.toml"]
    assert "infra/docker/sluice.toml /opt/sluice/sluice.toml" in (ROOT / "infra/docker/Dockerfile").read_text()
    context = click.Context(sluice)
    sluice.get_command(context, command).make_context(command, words, parent=context)


def test_the_tables_are_created_once_cassandra_answers_and_before_anything_is_written():
    assert SERVICES["tables"]["entrypoint"][3:] == ["tables"]
    assert SERVICES["tables"]["image"] == SERVICES["jobmanager"]["image"]
    assert SERVICES["tables"]["depends_on"] == {"cassandra": {"condition": "service_healthy"}}
    assert SERVICES["cassandra"]["healthcheck"]
    assert SERVICES["alerts"]["depends_on"]["tables"] == {"condition": "service_completed_successfully"}


def test_the_command_of_the_tables_creates_the_schema_of_the_settings(monkeypatch):
    asked = []
    monkeypatch.setattr("serving.stores.cassandra_session.run", lambda config, texts: asked.append((config, texts)))
    given = settings.read(ROOT / "infra/docker/sluice.toml")
    done = CliRunner().invoke(tables.command, obj=given, catch_exceptions=False)
    assert done.stdout == "tables: all there in keyspace sluice of cassandra\n"
    assert asked == [(given.cassandra, cassandra_schema.ddl(given.cassandra))]


def test_jobs_are_told_the_addresses_that_the_services_have_for_each_other():
    given = settings.read(ROOT / "infra/docker/sluice.toml")
    hosts = [given.kafka.bootstrap, given.flink.rest.removeprefix("http://"), given.redis.url.removeprefix("redis://")]
    assert {host.partition(":")[0] for host in hosts} | set(given.cassandra.hosts) == {
        "kafka",
        "jobmanager",
        "redis",
        "cassandra",
    }
    inside = SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert f"INSIDE://{given.kafka.bootstrap}" in inside


def test_the_page_submits_to_the_cluster_of_the_containers():
    shown = [line for line in (ROOT / "ARCHITECTURE.md").read_text().splitlines() if "infra/docker/sluice.toml" in line]
    context = click.Context(sluice)
    for line in shown:
        _, flag, file, name, *words = line.split()
        assert (flag, file, name) == ("--settings", "infra/docker/sluice.toml", "submit")
        found = sluice.get_command(context, name).make_context(name, words, parent=context).params
        assert SERVICES["jobmanager"]["ports"] == [f"{found['flink']}:{found['flink'].partition(':')[2]}"]
    assert len(shown) == len(FRAUD_JOBS)


def test_prometheus_scrapes_as_often_and_reads_the_same_rules():
    local = prometheus.configuration(Settings())
    composed = yaml.safe_load((ROOT / "infra/docker/prometheus.yml").read_text())
    assert composed["global"] == local["global"]
    assert composed["rule_files"] == local["rule_files"]
    assert f"--rules.alert.resend-delay={prometheus.RESEND}" in SERVICES["prometheus"]["command"]
    jobs = [scraped["job_name"] for scraped in local["scrape_configs"]]
    outside = {"api", "learn"}  # of the containers
    assert [scraped["job_name"] for scraped in composed["scrape_configs"]] == [
        job for job in jobs if job not in outside
    ]
    assert "./infra/prometheus/rules.yml:/etc/prometheus/rules.yml:ro" in SERVICES["prometheus"]["volumes"]


def test_alertmanager_reads_the_same_and_finds_the_router_where_it_is():
    text = (ROOT / "infra/alertmanager/alertmanager.yml").read_text()
    assert alertmanager.configuration(Settings()) == text
    assert (
        "./infra/alertmanager/alertmanager.yml:/etc/alertmanager/alertmanager.yml:ro"
        in (SERVICES["alertmanager"]["volumes"])
    )
    assert f"{alertmanager.ROUTER}/alertmanager" in text
    assert f":{Settings().stack.ports.alerts}" in alertmanager.ROUTER
    # One network for both: the address of the local stack holds there too.
    assert SERVICES["alerts"]["network_mode"] == "service:alertmanager"
    assert SERVICES["alerts"]["entrypoint"][3:5] == ["alerts", "route"]


def test_another_port_of_the_router_reaches_alertmanager():
    moved = alertmanager.configuration(Settings(stack=Stack(ports=Ports(alerts=19095))))
    assert "http://127.0.0.1:19095/alertmanager" in moved
    assert alertmanager.ROUTER not in moved


def test_a_fallback_hears_of_the_router_and_a_heartbeat_and_the_rest_goes_where_it_went():
    known = yaml.safe_load(alertmanager.configuration(Settings()))
    text = alertmanager.configuration(Settings(alerts=Alerts(fallback="https://outside/?key='#1")))
    found = yaml.safe_load(text)
    added = found["route"]["routes"][:2]
    assert [(route["receiver"], route["continue"]) for route in added] == [("fallback", True)] * 2
    assert found["route"]["routes"][2:] == known["route"]["routes"]
    assert found["receivers"][:-1] == known["receivers"]
    assert found["receivers"][-1]["webhook_configs"][0]["url"] == "https://outside/?key='#1"


def test_grafana_is_of_the_named_version_on_loopback_and_tells_nobody():
    service = SERVICES["grafana"]
    assert service["image"] == f"grafana/grafana:{versions.GRAFANA}"
    assert service["ports"] == ["127.0.0.1:3000:3000"]
    off = [name for name in service["environment"] if name.startswith(("GF_ANALYTICS", "GF_NEWS"))]
    assert {service["environment"][name] for name in off} == {"false"}


def test_grafana_is_given_every_dashboard_and_the_metrics():
    mounted = dict(volume.split(":")[:2] for volume in SERVICES["grafana"]["volumes"])
    provider = yaml.safe_load((ROOT / "infra/grafana/provider.yml").read_text())["providers"][0]
    assert {place for file, place in mounted.items() if file.endswith(".json")} == {
        f"{provider['options']['path']}/{name}.json" for name in grafana_dashboards.DASHBOARDS
    }
    source = yaml.safe_load((ROOT / "infra/grafana/datasource.yml").read_text())["datasources"][0]
    assert source["uid"] == grafana_dashboards.DATA_SOURCE["uid"]
    assert source["url"] == f"http://prometheus:{Settings().stack.ports.prometheus}"


def test_every_file_that_is_mounted_exists():
    mounted = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    files = [place for place in mounted if place.startswith("./")]
    assert files
    assert [place for place in files if not (ROOT / place).is_file()] == []
    assert {place for place in mounted if not place.startswith("./")} == set(COMPOSE["volumes"])


def test_docker_compose_reads_the_file():
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("the docker compose plugin is not installed")
    done = subprocess.run(
        ["docker", "compose", "config", "--quiet"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
