"""A job as a Flink graph: Kafka to micro-batches, through the keyed stages, to Kafka.

Micro-batches are what makes Python fast enough: a call into Python costs the same for one record as for a
hundred (DECISIONS.md, 1). A batch is what came while the one before was worked on, and in a few milliseconds when
nothing was (java/MicroBatches.java); it decides only how records travel together, never what they give.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from pyflink.common import Configuration, TypeInformation, Types
from pyflink.datastream import DataStream, KeyedStream, StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway
from pyflink.table import DataTypes, Schema, StatementSet, StreamTableEnvironment

from jobs.runtime.fused import Fused
from jobs.runtime.operator import StageOperator
from jobs.runtime.stage import Flow, Job
from schemas.letters import MAX_LETTER_BYTES
from schemas.settings import Settings
from serving.inflight import PARTITIONS, SOURCES

MAX_PARALLELISM = 128
# Kafka and Flink count in whole milliseconds, and 0 would be a message for every record.
SHORTEST_MS = 1
# With so much a batch is full: all of it lies on the heap several times while Python works on it.
MOST_RECORDS = 2048
MOST_BYTES = 8 * 2**20
_BYTES = Types.PRIMITIVE_ARRAY(Types.BYTE())
# Behind its key, a record: where it stands (serving/inflight.py), arrival, key, value.
_RECORD = [Types.LONG(), Types.LONG(), _BYTES, _BYTES]
# Behind its key, what one stage sends to a bucket of the next.
_PACKED = [_BYTES]
# Topic number, key and value of each record. Not rows: thread mode converts every row of an array into the same Java
# object. Not three arrays with a place: Flink copies whatever array a row of the result refers to, for each row.
_OUTPUTS = Types.ROW_NAMED(["records"], [Types.OBJECT_ARRAY(Types.OBJECT_ARRAY(_BYTES))])


@dataclass(frozen=True)
class Submission:
    """What one submission adds, as URIs: the state to begin with, where checkpoints go unless the cluster decides, and
    the jar of the runtime's Java classes unless the cluster has them."""

    savepoint: str | None = None
    checkpoints: str | None = None
    jar: str | None = None


def configuration(settings: Settings, job: Job, submission: Submission) -> Configuration:
    """The job's own configuration; what is not here is the cluster's."""
    given = settings.job
    # Each task has a thread that wakes that often: all the tasks of a job that is in no hurry are a tenth of a core.
    width_ms = min(flow.batch_ms or given.batch_ms for flow in job.flows)
    host, _, port = settings.flink.rest.removeprefix("http://").partition(":")
    values = {
        "execution.target": "remote",
        "execution.attached": "false",
        "rest.address": host,
        "rest.port": port,
        "pipeline.name": job.name,
        "pipeline.object-reuse": "true",
        "pipeline.max-parallelism": str(MAX_PARALLELISM),
        "parallelism.default": str(given.parallelism),
        "python.execution-mode": "thread",
        "execution.buffer-timeout.interval": f"{_flush_ms(width_ms)} ms",
        "execution.checkpointing.interval": f"{given.checkpoint_ms} ms",
        "execution.checkpointing.mode": "EXACTLY_ONCE",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "execution.checkpointing.tolerable-failed-checkpoints": "10",
        "state.backend.type": given.state_backend if job.keeps_state else "hashmap",
        # Most reads that reach RocksDB ask for entities that were never seen.
        "state.backend.rocksdb.use-bloom-filter": "true",
        # What a checkpoint finds there it writes down before work goes on: seconds of changes, not all since the last.
        "state.backend.rocksdb.writebuffer.size": "8 mb",
        "state.backend.rocksdb.log.level": "HEADER_LEVEL",
        "state.backend.incremental": "true",
        # Operators that SQL makes keep their state across submissions, too.
        "table.exec.uid.generation": "ALWAYS",
        "table.exec.sink.not-null-enforcer": "ERROR",
    }
    if submission.savepoint is not None:
        values["execution.state-recovery.path"] = submission.savepoint
    if submission.checkpoints is not None:
        values["execution.checkpointing.dir"] = submission.checkpoints
    if submission.jar is not None:
        values["pipeline.jars"] = submission.jar
    configured = Configuration()
    for key, value in values.items():
        configured.set_string(key, value)
    return configured


def build(job: Job, settings: Settings, submission: Submission = Submission()) -> StatementSet:
    """The graph, ready to be executed on the cluster of the settings."""
    # PyFlink's own factory would start a cluster in this process; the constructor obeys `execution.target`.
    java_environment = get_gateway().jvm.org.apache.flink.streaming.api.environment.StreamExecutionEnvironment
    configured = configuration(settings, job, submission)
    environment = StreamExecutionEnvironment(java_environment(configured._j_configuration))
    tables = StreamTableEnvironment.create(environment)
    statements: StatementSet = tables.create_statement_set()
    for flow in job.flows:
        if not flow.permille(settings):
            continue
        given = settings if flow.buckets is None else _with_buckets(settings, flow.buckets)
        keys = bucket_keys(given.job.buckets)
        stream = _stages(_source(tables, job, flow, given, keys), job, flow, given, keys)
        statements.add_insert_sql(_insert(tables, stream, job, flow, settings))
    return statements


def _flush_ms(width_ms: int) -> int:
    """How long records may wait for others on their way to the next task, or to the broker."""
    return max(SHORTEST_MS, width_ms // 5)


def _with_buckets(settings: Settings, buckets: int) -> Settings:
    return msgspec.structs.replace(settings, job=msgspec.structs.replace(settings.job, buckets=buckets))


def _stages(stream: DataStream, job: Job, flow: Flow, settings: Settings, keys: list[int]) -> DataStream:
    width_ms = flow.batch_ms or settings.job.batch_ms
    sources = [topic.name for topic in flow.sources]
    outputs = [topic.name for topic in flow.outputs]
    # With one bucket every key is here already: a hop would only copy.
    stages = flow.stages if settings.job.buckets > 1 or len(flow.stages) == 1 else (Fused(flow.stages),)
    for place, stage in enumerate(stages):
        last = place == len(stages) - 1
        operator = StageOperator(
            stage,
            settings,
            sources=sources if place == 0 else None,
            outputs=outputs if last else None,
            keys=keys,
            job=job,
            flow=flow,
        )
        name = f"{job.name}/{flow.name}/{stage.uid}"
        # Between stages nothing waits for more: what is there when a stage is free is its batch.
        keyed = _micro_batches(stream, _PACKED if place else _RECORD, 0 if place else width_ms, f"{name}/batches")
        stream = (
            keyed.process(operator, output_type=_OUTPUTS if last else Types.ROW([Types.INT(), *_PACKED]))
            # State of another number of buckets lies under other keys: the id makes Flink refuse it.
            .uid(f"{name}/{settings.job.buckets}-buckets")
            .name(stage.uid)
            # What leaves is a batch already: waiting for more would only cost time.
            .set_buffer_timeout(0)
        )
    # Another thread, which needs no Python, unnests the records, compresses and sends them.
    return stream.rescale()


def _micro_batches(stream: DataStream, fields: list[TypeInformation], width_ms: int, uid: str) -> KeyedStream:
    """Rows of (key, fields...) as rows of (key, columns...), keyed, gathered by the thread that works on them."""
    jvm = get_gateway().jvm
    key_type = Types.ROW([Types.INT()]).get_java_type_info()
    columns = Types.ROW([_column(field) for field in fields])
    classes = get_gateway().new_array(jvm.Class, len(fields))
    for place, field in enumerate(fields):
        classes[place] = field.get_java_type_info().getTypeClass()
    # PyFlink's `key_by` would take each row to Python and back to ask for the key that is in it.
    batches = (
        stream._j_data_stream.keyBy(jvm.KeyByKeySelector(), key_type)
        .transform(
            "micro-batches",
            Types.ROW([Types.INT(), columns]).get_java_type_info(),
            jvm.MicroBatches(classes, width_ms, MOST_RECORDS, MOST_BYTES),
        )
        .uid(uid)
    )
    # Still the same keys in the same places, so it may be chained to what works on them.
    again = jvm.org.apache.flink.streaming.api.datastream.DataStreamUtils.reinterpretAsKeyedStream
    return KeyedStream(again(batches, jvm.KeyByKeySelector(), key_type), columns, stream)


def _column(field: TypeInformation) -> TypeInformation:
    return Types.OBJECT_ARRAY(field) if field is _BYTES else Types.BASIC_ARRAY(field)


def bucket_keys(buckets: int) -> list[int]:
    """For each bucket the key that spreads the buckets evenly over Flink's key groups.

    Flink hashes keys into key groups; left to chance, two of four buckets would often share a TaskManager.
    """
    jvm = get_gateway().jvm
    assign = jvm.org.apache.flink.runtime.state.KeyGroupRangeAssignment.assignToKeyGroup
    wanted = {int((b + 0.5) * MAX_PARALLELISM / buckets): b for b in range(buckets)}
    found: dict[int, int] = {}
    candidate = 0
    while len(found) < len(wanted):
        fields = get_gateway().new_array(jvm.Object, 1)
        fields[0] = candidate
        group = assign(jvm.org.apache.flink.types.Row.of(fields), MAX_PARALLELISM)
        if group in wanted and wanted[group] not in found:
            found[wanted[group]] = candidate
        candidate += 1
    return [found[b] for b in range(buckets)]


def _source(tables: StreamTableEnvironment, job: Job, flow: Flow, settings: Settings, keys: list[int]) -> DataStream:
    """The flow's records: the key of their bucket, then the fields of _RECORD."""
    given = settings.job
    width_ms = flow.batch_ms or given.batch_ms
    startup = {"earliest": "earliest-offset", "latest": "latest-offset", "committed": "group-offsets"}[given.start_from]
    topics = ";".join(topic.name for topic in flow.sources)
    tables.execute_sql(f"""
        CREATE TEMPORARY TABLE {flow.name}_source (
            `key` BYTES,
            `value` BYTES,
            `topic` STRING METADATA VIRTUAL,
            `partition` INT METADATA VIRTUAL,
            `offset` BIGINT METADATA VIRTUAL,
            `timestamp` TIMESTAMP_LTZ(3) METADATA VIRTUAL
        ) WITH (
            'connector' = 'kafka',
            'topic' = '{topics}',
            'properties.bootstrap.servers' = '{settings.kafka.bootstrap}',
            'properties.group.id' = '{job.consumer_group(flow, settings)}',
            'properties.auto.offset.reset' = 'earliest',
            'properties.fetch.max.wait.ms' = '{max(SHORTEST_MS, width_ms // 2)}',
            'properties.fetch.min.bytes' = '65536',
            'properties.isolation.level' = 'read_committed',
            'scan.startup.mode' = '{startup}',
            'key.format' = 'raw',
            'key.fields' = 'key',
            'value.format' = 'raw',
            'value.fields-include' = 'EXCEPT_KEY'
        )""")
    # `fetch.min.bytes`: one byte would be a request to the broker for every record that comes alone, a good part of
    # a core at 2,000/s; so the broker gathers, for half a micro-batch at most. Each source asks that often also while
    # nothing comes: at 5 ms the six idle ones of a stack took a quarter of a core.
    # The bucket is of the key's hash, not of the partition: producers in other languages partition differently.
    cases = " ".join(f"WHEN '{topic.name}' THEN {number}" for number, topic in enumerate(flow.sources))
    tables.execute_sql(f"""
        CREATE TEMPORARY VIEW {flow.name}_bucketed AS SELECT
            MOD(MOD(COALESCE(HASH_CODE(CAST(`key` AS STRING)), 0), {given.buckets}) + {given.buckets}, {given.buckets})
                AS bucket,
            `key`, `value`,
            (`offset` * {PARTITIONS} + `partition`) * {SOURCES} + CASE `topic` {cases} END AS place,
            CAST(EXTRACT(EPOCH FROM `timestamp`) AS BIGINT) * 1000
                + CAST(EXTRACT(MILLISECOND FROM `timestamp`) AS BIGINT) AS arrival_ms
        FROM {flow.name}_source{_sampled(flow.permille(settings))}""")  # noqa: S608  # numbers and names of our own settings
    keyed = " ".join(f"WHEN {bucket} THEN {key}" for bucket, key in enumerate(keys))
    keyed_records = tables.sql_query(
        f"SELECT CASE bucket {keyed} END, place, arrival_ms, `key`, `value` FROM {flow.name}_bucketed"  # noqa: S608  # our own names
    )
    return tables.to_append_stream(keyed_records, Types.ROW([Types.INT(), *_RECORD]))


def _sampled(permille: int) -> str:
    """The condition that leaves so many of a thousand keys, whatever their topic."""
    if permille >= 1000:
        return ""
    return f" WHERE MOD(MOD(COALESCE(HASH_CODE(CAST(`key` AS STRING)), 0), 1000) + 1000, 1000) < {permille}"


def _insert(tables: StreamTableEnvironment, stream: DataStream, job: Job, flow: Flow, settings: Settings) -> str:
    """The statement that writes the flow's finished records to their topics."""
    given = settings.job
    # The connector lets a row name its topic only where there is a choice.
    only = len(flow.outputs) == 1
    exactly_once = (
        f"""'sink.delivery-guarantee' = 'exactly-once',
            'sink.transactional-id-prefix' = 'sluice-{job.name}-{flow.name}{given.group_suffix}',
            'properties.transaction.timeout.ms' = '600000',"""
        if given.delivery == "exactly_once"
        else "'sink.delivery-guarantee' = 'at-least-once',"
    )
    tables.execute_sql(f"""
        CREATE TEMPORARY TABLE {flow.name}_sink (
            {"" if only else "`topic` STRING METADATA,"}
            `key` BYTES,
            `value` BYTES
        ) WITH (
            'connector' = 'kafka',
            'topic' = '{";".join(topic.name for topic in flow.outputs)}',
            'properties.bootstrap.servers' = '{settings.kafka.bootstrap}',
            'properties.linger.ms' = '{_flush_ms(flow.batch_ms or given.batch_ms)}',
            'properties.compression.type' = 'lz4',
            'properties.max.request.size' = '{MAX_LETTER_BYTES}',
            {exactly_once}
            'key.format' = 'raw',
            'key.fields' = 'key',
            'value.format' = 'raw',
            'value.fields-include' = 'EXCEPT_KEY'
        )""")
    schema = Schema.new_builder().column("records", DataTypes.ARRAY(DataTypes.ARRAY(DataTypes.BYTES()))).build()
    tables.create_temporary_view(f"{flow.name}_finished", tables.from_data_stream(stream, schema))
    cases = " ".join(f"WHEN '{number}' THEN '{topic.name}'" for number, topic in enumerate(flow.outputs))
    target = "" if only else f"CASE CAST(record[1] AS STRING) {cases} END,"
    return f"""
        INSERT INTO {flow.name}_sink
        SELECT {target} record[2], record[3]
        FROM {flow.name}_finished CROSS JOIN UNNEST(records) AS item (record)"""  # noqa: S608  # our own names
