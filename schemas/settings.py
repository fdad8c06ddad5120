"""Settings: one small frozen tree, read once at the door of a process from a TOML file.

Every setting has a default that fits the local stack, so no file is needed on a laptop.
Unknown keys and bad values stop the start with one line.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from schemas.errors import SettingsError
from schemas.units import DAY_MS

MAX_PORT = 65535
Port = Annotated[int, Meta(ge=1, le=MAX_PORT)]
Count = Annotated[int, Meta(ge=1, le=10_000)]
Millis = Annotated[int, Meta(ge=1, le=DAY_MS)]
Folder = Annotated[str, Meta(pattern="^([a-z][a-z0-9]*:/.*)?$")]
Megabytes = Annotated[int, Meta(ge=64, le=1_000_000)]


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file."""


class Ports(_Section, frozen=True):
    """Loopback ports of the local stack."""

    kafka: Port = 9092
    kafka_controller: Port = 9093
    redis: Port = 6379
    cassandra: Port = 9042
    cassandra_storage: Port = 7000
    flink_rest: Port = 8081
    flink_rpc: Port = 6123
    flink_blob: Port = 6124
    flink_metrics_first: Port = 9250
    prometheus: Port = 9090
    alertmanager: Port = 9094
    api: Port = 8000
    alerts: Port = 9095


class Stack(_Section, frozen=True):
    """The local stack: `sluice up`. Memory is in MiB."""

    home: str = ".sluice"
    ports: Ports = msgspec.field(default_factory=Ports)
    task_managers: Count = 6
    task_manager_memory_mb: Annotated[int, Meta(ge=1280, le=1_000_000)] = 1600
    job_manager_memory_mb: Megabytes = 1024
    kafka_heap_mb: Megabytes = 512
    cassandra_heap_mb: Megabytes = 1024
    start_timeout_s: Annotated[int, Meta(ge=5, le=3600)] = 240

    def __post_init__(self) -> None:
        taken: dict[int, str] = {}
        for name, port in self._each_port():
            if port > MAX_PORT:
                raise ValueError(f"port {port} of {name} is above {MAX_PORT}; set flink_metrics_first lower")
            if port in taken:
                raise ValueError(f"{taken[port]} and {name} have the same port {port}; give each its own")
            taken[port] = name

    def _each_port(self) -> Iterator[tuple[str, int]]:
        """Every port that the stack listens at: also those of the TaskManagers, which follow the JobManager's."""
        for name in self.ports.__struct_fields__:
            yield f"ports.{name}", getattr(self.ports, name)
        for number in range(1, self.task_managers + 1):
            yield f"ports.flink_metrics_first + {number}", self.ports.flink_metrics_first + number


class Kafka(_Section, frozen=True):
    """Where the log is. An empty `bootstrap` is the local stack's."""

    bootstrap: str = ""
    replication: Count = 1
    partitions: Count | None = None


class Redis(_Section, frozen=True):
    """The online store. An empty `url` is the local stack's."""

    url: str = ""
    timeout_ms: Millis = 1000
    pool: Count = 50


class Cassandra(_Section, frozen=True):
    """The history store. Port 0 is the local stack's."""

    hosts: list[str] = msgspec.field(default_factory=lambda: ["127.0.0.1"])
    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    keyspace: Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,47}$")] = "sluice"
    replication: Count = 1
    timeout_ms: Millis = 10_000
    decision_days: Annotated[int, Meta(ge=1, le=3650)] = 180
    list_days: Annotated[int, Meta(ge=1, le=3650)] = 30
    list_feature_days: Annotated[int, Meta(ge=1, le=3650)] = 7
    delivery_days: Annotated[int, Meta(ge=1, le=3650)] = 90


class Flink(_Section, frozen=True):
    """The cluster that runs the jobs. An empty `rest` is the local stack's; HOST:PORT and http://HOST:PORT are one."""

    rest: str = ""

    def __post_init__(self) -> None:
        if not self.rest:
            return
        given = re.fullmatch(r"(?:http://)?([A-Za-z0-9._-]+):([0-9]{1,5})/?", self.rest)
        if given is None or not 1 <= int(given[2]) <= 65535:
            raise ValueError(f"{self.rest!r} is no address of Flink's REST interface; give HOST:PORT, without https")
        msgspec.structs.force_setattr(self, "rest", f"http://{given[1]}:{int(given[2])}")


class Job(_Section, frozen=True):
    """How a job runs. `buckets` is a deployment constant: changing it needs a fresh state (DECISIONS.md, 2).

    `batch_ms` is how long a record waits for others, at most, while nothing is worked on; `delivery` at_least_once
    waits for no checkpoint. On another cluster than the local stack's, `checkpoint_dir` and `savepoint_dir` are URIs
    that all of it sees; empty: the cluster's own.
    """

    parallelism: Count = 1
    buckets: Count = 1
    batch_ms: Millis = 10
    checkpoint_ms: Millis = 10_000
    checkpoint_dir: Folder = ""
    savepoint_dir: Folder = ""
    state_backend: Literal["hashmap", "rocksdb"] = "rocksdb"
    delivery: Literal["at_least_once", "exactly_once"] = "at_least_once"
    cached_entities: Annotated[int, Meta(ge=100, le=10_000_000)] = 200_000
    start_from: Literal["earliest", "latest", "committed"] = "committed"
    group_suffix: str = ""


class Registry(_Section, frozen=True):
    """The folder that holds model artifacts, seen by every TaskManager at this path. Empty: `registry` in the home."""

    path: str = ""


class Promotion(_Section, frozen=True):
    """How online learners are promoted: `automatic`, `asked` (a person confirms), or `off`.

    A challenger needs `least_gain` more of its task's metric, relative, on the same examples; `alpha` bounds the chance
    of each wrong verdict, however long one watches. Before `least_examples` with `least_positives` nothing is said.
    A learner decides alone only after `least_shadow_hours` in the mode before: until then people can look at what it
    says. Promoted by itself, it becomes a shadow first.
    """

    mode: Literal["automatic", "asked", "off"] = "asked"
    least_gain: Annotated[float, Meta(ge=0, le=1)] = 0.02
    alpha: Annotated[float, Meta(ge=0.0001, le=0.5)] = 0.05
    least_examples: Annotated[int, Meta(ge=1, le=100_000_000)] = 5_000
    least_positives: Annotated[int, Meta(ge=1, le=1_000_000)] = 100
    least_shadow_hours: Annotated[int, Meta(ge=0, le=10_000)] = 24


class Learn(_Section, frozen=True):
    """The learning process. `path` is the folder of its checkpoints; empty: `learners` in the home.

    `port` is the first of those that show metrics: each process on one machine takes the next one that is free, up to
    `processes` of them. In an hour of event time a learner learns no more than `source_per_hour` examples of one source
    of labels, and `user_per_hour` of one user.
    """

    path: str = ""
    port: Port = 8001
    processes: Annotated[int, Meta(ge=1, le=64)] = 4
    checkpoint_ms: Millis = 10_000
    source_per_hour: Annotated[int, Meta(ge=1, le=100_000_000)] = 200_000
    user_per_hour: Annotated[int, Meta(ge=1, le=1_000_000)] = 60

    def __post_init__(self) -> None:
        if self.ports[-1] > MAX_PORT:
            raise ValueError(f"port {self.ports[-1]} of learn.processes is above {MAX_PORT}; set learn.port lower")

    @property
    def ports(self) -> range:
        """Where the metrics of learning processes may be."""
        return range(self.port, self.port + self.processes)


class Retrain(_Section, frozen=True):
    """When `sluice retrain` trains the fraud model anew, and who promotes it: `automatic`, `asked`, or `off`.

    It is called for by the `schedule` (midnights UTC: each day's, Sunday's, that of the 1st), by alerts that ask for it
    (`on_alerts`), and by `new_samples` payments since the model's training (0 = never). It takes at least
    `min_new_samples` of them, and `min_interval_days` since the last training. The newest `window_days` are learned;
    labels are waited for `label_days`, twice: those of the newest payments, and between training and validation.
    New and old model are compared on the newest `backtest_days` whose labels are known, where these are at most two
    fifths of the days that one delay leaves of them; else, and with 0, on a fifth. Below `least_roc_auc` a model is not
    promoted by itself. With `automatic`, one that passes is the champion's shadow first, for `least_shadow_hours`
    (0 = none).
    """

    schedule: Literal["off", "daily", "weekly", "monthly"] = "weekly"
    on_alerts: bool = True
    new_samples: Annotated[int, Meta(ge=0, le=100_000_000)] = 0
    min_new_samples: Annotated[int, Meta(ge=0, le=100_000_000)] = 10_000
    min_interval_days: Annotated[float, Meta(ge=0, le=365)] = 1.0
    window_days: Annotated[int, Meta(ge=1, le=180)] = 120
    label_days: Annotated[int, Meta(ge=1, le=90)] = 21
    backtest_days: Annotated[int, Meta(ge=0, le=90)] = 30
    least_roc_auc: Annotated[float, Meta(ge=0, le=1)] = 0.7
    promotion: Literal["automatic", "asked", "off"] = "asked"
    least_shadow_hours: Annotated[float, Meta(ge=0, le=720)] = 24.0

    def __post_init__(self) -> None:
        least = 2 * self.label_days + self.backtest_days
        if self.window_days <= least:
            raise ValueError(
                f"retrain.window_days {self.window_days} leaves nothing to learn from: labels are waited for twice, "
                f"and the backtest takes its days; set it above {least}, or retrain.label_days {self.label_days} or "
                f"retrain.backtest_days {self.backtest_days} lower"
            )


class Drift(_Section, frozen=True):
    """What the job that watches drift keeps apart and how long. A window below `min_samples` answers says nothing.

    `segments` are watched one by one beside all traffic. Of a thousand answers `sample_permille` are watched for drift;
    business figures count all. `parity_permille` of a thousand users are computed again. A day's performance is
    told `label_days` later: a day more than the longest maturity policy waits, whose time-outs are the good payments.
    """

    window_min: Annotated[int, Meta(ge=5, le=1440)] = 60
    segments: Annotated[list[str], Meta(max_length=8)] = []
    min_samples: Annotated[int, Meta(ge=50, le=1_000_000)] = 200
    sample_permille: Annotated[int, Meta(ge=1, le=1000)] = 250
    parity_permille: Annotated[int, Meta(ge=0, le=1000)] = 10
    label_days: Annotated[int, Meta(ge=0, le=92)] = 31


Severity = Literal["critical", "high", "warning", "info"]


class Channel(_Section, frozen=True):
    """One way to a person. `key` is PagerDuty's routing key; `terminal` prints where the router runs.

    `severities` are those of the alerts that it takes, none meaning all.
    """

    kind: Literal["webhook", "slack", "pagerduty", "terminal"]
    url: str = ""
    key: str = ""
    severities: list[Severity] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        if self.kind != "terminal" and not self.url.startswith(("http://", "https://")):
            raise ValueError(f"a channel of kind {self.kind} needs a url that begins with http:// or https://")


class Person(_Section, frozen=True):
    """Who is told. `owners` are those of the alerts they hear of, none meaning all; hours are of their `zone`.

    Of `channels` those that take the alert's severity are tried in order; a critical alert takes two of them at once.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    channels: Annotated[list[Channel], Meta(min_length=1, max_length=8)]
    owners: list[str] = msgspec.field(default_factory=list)
    zone: str = "UTC"
    quiet_from_hour: Annotated[int, Meta(ge=0, le=23)] = 22
    quiet_until_hour: Annotated[int, Meta(ge=0, le=23)] = 8

    def __post_init__(self) -> None:
        for severity in get_args(Severity):
            if not any(severity in channel.severities or not channel.severities for channel in self.channels):
                raise ValueError(f"alerts.people {self.name}: none of the channels takes what is {severity}")


class Alerts(_Section, frozen=True):
    """Who hears of alerts and how often (NOT-1 to NOT-6). `people` are tables: `[[alerts.people]]`, each with channels.

    An empty `console` is the local API's, an empty `state` is `alerts` in the stack's home. `fallback` is a webhook
    that the stack's Alertmanager calls itself: when the router is down, and each minute as a heartbeat; empty = none.
    """

    people: list[Person] = msgspec.field(default_factory=lambda: [Person("on-call", [Channel("terminal")])])
    person_per_hour: Annotated[int, Meta(ge=2, le=10_000)] = 10
    channel_per_hour: Annotated[int, Meta(ge=2, le=100_000)] = 100
    all_per_hour: Annotated[int, Meta(ge=2, le=1_000_000)] = 1_000
    dedup_hours: Annotated[int, Meta(ge=1, le=720)] = 24
    console: str = ""
    alertmanager: str = ""
    state: str = ""
    fallback: str = ""

    def __post_init__(self) -> None:
        if self.fallback and not self.fallback.startswith(("http://", "https://")):
            raise ValueError("alerts.fallback needs an address that begins with http:// or https://")
        names = [person.name for person in self.people]
        if len(set(names)) != len(names):
            raise ValueError(f"alerts.people: a name is given twice among {', '.join(names)}")


class Settings(_Section, frozen=True):
    """Everything a process may be told. Addresses that are left empty follow `stack`, so one place moves them all."""

    stack: Stack = msgspec.field(default_factory=Stack)
    kafka: Kafka = msgspec.field(default_factory=Kafka)
    redis: Redis = msgspec.field(default_factory=Redis)
    cassandra: Cassandra = msgspec.field(default_factory=Cassandra)
    flink: Flink = msgspec.field(default_factory=Flink)
    job: Job = msgspec.field(default_factory=Job)
    registry: Registry = msgspec.field(default_factory=Registry)
    promotion: Promotion = msgspec.field(default_factory=Promotion)
    learn: Learn = msgspec.field(default_factory=Learn)
    retrain: Retrain = msgspec.field(default_factory=Retrain)
    drift: Drift = msgspec.field(default_factory=Drift)
    alerts: Alerts = msgspec.field(default_factory=Alerts)

    def __post_init__(self) -> None:
        ports = self.stack.ports
        self._fill("kafka", bootstrap=f"127.0.0.1:{ports.kafka}")
        self._fill("redis", url=f"redis://127.0.0.1:{ports.redis}/0")
        self._fill("cassandra", port=ports.cassandra)
        self._fill("flink", rest=f"http://127.0.0.1:{ports.flink_rest}")
        self._fill("registry", path=f"{self.stack.home}/registry")
        self._fill(
            "alerts",
            console=f"http://127.0.0.1:{ports.api}/",
            alertmanager=f"http://127.0.0.1:{ports.alertmanager}",
            state=f"{self.stack.home}/alerts",
        )

    def _fill(self, section: str, **local: str | int) -> None:
        """Replace what the section leaves empty by the local stack's value."""
        given = getattr(self, section)
        empty = {key: value for key, value in local.items() if not getattr(given, key)}
        msgspec.structs.force_setattr(self, section, msgspec.structs.replace(given, **empty))


def read(path: Path | None) -> Settings:
    """The settings of `path`, or of ./sluice.toml, or the defaults when there is no file.

    Raises SettingsError that names the file and the key.
    """
    if path is None:
        path = Path("sluice.toml")
        if not path.exists():
            return Settings()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"settings file {path}: {error.strerror}; give an existing file to --settings") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"settings file {path}: {error}; save it as UTF-8") from error
    try:
        return msgspec.convert(tomllib.loads(text), Settings)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise SettingsError(f"settings file {path}: {error}; see docs/settings.md for the keys") from error
