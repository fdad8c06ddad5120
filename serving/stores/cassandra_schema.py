"""The tables of the history store.

`decisions` holds a whole decision by its event id, `decisions_by_user` the short form by user and UTC day,
`lists_by_user` the lists that a user was shown, `lists` each list by its id with the features of its items, `words`
what labels said of an answer, `deliveries_by_person` what was sent to people of alerts. A decision, or a list, is one
cell: two writes of one event at one timestamp can never mix into a third.
Partitions are bounded by one user's day; rows expire together, so time-window compaction drops whole files.
"""

from __future__ import annotations

from schemas import settings

_TABLE_OPTIONS = """
    default_time_to_live = {ttl_s}
    AND compaction = {{'class': 'TimeWindowCompactionStrategy',
                       'compaction_window_unit': 'DAYS', 'compaction_window_size': {window_days}}}
"""

_KEYSPACE = """
CREATE KEYSPACE IF NOT EXISTS {keyspace}
WITH replication = {{'class': 'NetworkTopologyStrategy', 'replication_factor': {replication}}}
"""

_TABLES = {
    "decisions": "event_id text PRIMARY KEY, body blob",
    "decisions_by_user": """
        user_id text, day int, event_time_ms bigint, event_id text, body blob,
        PRIMARY KEY ((user_id, day), event_time_ms, event_id)
    """,
    "lists": "list_id text PRIMARY KEY, body blob",
    "words": "example_id text PRIMARY KEY, body blob",
    "lists_by_user": """
        user_id text, day int, event_time_ms bigint, list_id text, body blob,
        PRIMARY KEY ((user_id, day), event_time_ms, list_id)
    """,
    "deliveries_by_person": """
        person text, day int, at_ms bigint, message_id text, channel text, status text, body blob,
        PRIMARY KEY ((person, day), at_ms, message_id, channel, status)
    """,
}

_CLUSTERING = {
    "decisions_by_user": "CLUSTERING ORDER BY (event_time_ms DESC, event_id ASC) AND ",
    "lists_by_user": "CLUSTERING ORDER BY (event_time_ms DESC, list_id ASC) AND ",
    "deliveries_by_person": "CLUSTERING ORDER BY (at_ms DESC, message_id ASC, channel ASC, status ASC) AND ",
}

PUT_BY_ID = "INSERT INTO {keyspace}.decisions (event_id, body) VALUES (?, ?) USING TIMESTAMP ?"
PUT_BY_USER = (
    "INSERT INTO {keyspace}.decisions_by_user (user_id, day, event_time_ms, event_id, body) "
    "VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?"
)
GET_BY_ID = "SELECT body FROM {keyspace}.decisions WHERE event_id = ?"
GET_ALL = "SELECT body FROM {keyspace}.decisions"
GET_BY_USER = (
    "SELECT event_time_ms, event_id AS id, body FROM {keyspace}.decisions_by_user WHERE user_id = ? AND day IN ? "
    "AND event_time_ms >= ? AND event_time_ms < ? PER PARTITION LIMIT ?"
)
PUT_LIST = (
    "INSERT INTO {keyspace}.lists_by_user (user_id, day, event_time_ms, list_id, body) "
    "VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?"
)
GET_LISTS = (
    "SELECT event_time_ms, list_id AS id, body FROM {keyspace}.lists_by_user WHERE user_id = ? AND day IN ? "
    "AND event_time_ms >= ? AND event_time_ms < ? PER PARTITION LIMIT ?"
)
PUT_LIST_BY_ID = "INSERT INTO {keyspace}.lists (list_id, body) VALUES (?, ?) USING TIMESTAMP ?"
GET_LIST_BY_ID = "SELECT body FROM {keyspace}.lists WHERE list_id = ?"
PUT_WORDS = "INSERT INTO {keyspace}.words (example_id, body) VALUES (?, ?) USING TIMESTAMP ?"
GET_WORDS = "SELECT body FROM {keyspace}.words WHERE example_id = ?"
PUT_DELIVERY = (
    "INSERT INTO {keyspace}.deliveries_by_person (person, day, at_ms, message_id, channel, status, body) "
    "VALUES (?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
)
GET_DELIVERIES = (
    "SELECT body FROM {keyspace}.deliveries_by_person WHERE person = ? AND day IN ? "
    "AND at_ms >= ? AND at_ms < ? PER PARTITION LIMIT ?"
)
CHECK = "SELECT key FROM system.local"
STATEMENTS = (
    PUT_BY_ID,
    PUT_BY_USER,
    GET_BY_ID,
    GET_ALL,
    GET_BY_USER,
    PUT_LIST,
    GET_LISTS,
    PUT_LIST_BY_ID,
    GET_LIST_BY_ID,
    PUT_WORDS,
    GET_WORDS,
    CHECK,
)


def ddl(config: settings.Cassandra) -> list[str]:
    """The statements that create keyspace and tables, or bring their time to live up to date; run in order."""
    statements = [_KEYSPACE.format(keyspace=config.keyspace, replication=config.replication)]
    days_kept = {
        "lists_by_user": config.list_days,
        "lists": config.list_feature_days,
        "deliveries_by_person": config.delivery_days,
    }
    for table, columns in _TABLES.items():
        name = f"{config.keyspace}.{table}"
        days = days_kept.get(table, config.decision_days)
        # Some thirty files over the whole life of a row is what time-window compaction is made for.
        options = _TABLE_OPTIONS.format(ttl_s=days * 24 * 3600, window_days=max(1, days // 30))
        statements.append(f"CREATE TABLE IF NOT EXISTS {name} ({columns}) WITH {_CLUSTERING.get(table, '')}{options}")
        statements.append(f"ALTER TABLE {name} WITH {options}")
    return statements
