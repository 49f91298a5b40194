"""What a database is made of beside its rows: tables, columns, keys, indexes, triggers, rules and functions, held
against what this program makes. A trigger that somebody added changes rows without any transaction of ours."""

import re
from contextlib import closing

from sqlalchemy import Connection, text

from ledger.store import accounts, agent, campaigns, chains, intents, jobs, maintenance, relay, spending, tables, turns
from ledger.store.audit_rows import Readable
from ledger.store.engine import IN_MEMORY, mapped, metadata, open_store

# Each brings tables of its own to those that a fresh database has.
_MAKERS = (accounts, agent, campaigns, chains, intents, jobs, maintenance, relay, spending, tables, turns)

Parts = dict[str, str]
"""Each part's kind and name, and what it is."""


def strange_parts(store: Readable) -> list[tuple[str, str, str]]:
    """The parts that are not as this program makes them: each one's name, what it should be and what it is.

    PostgreSQL is asked to make its tables once more for that, as temporary ones that nobody else sees and that are gone
    at once. Raises StoreUnavailable where it may not.
    """
    if store.is_sqlite:
        with closing(open_store(IN_MEMORY)) as fresh:
            right, found = _of_sqlite(fresh), _of_sqlite(store)
    else:
        right, found = _of_postgresql(store)
    return [
        (name, right.get(name, "none"), found.get(name, "missing"))
        for name in sorted(right.keys() | found.keys())
        if right.get(name) != found.get(name)
    ]


def _of_sqlite(store: Readable) -> Parts:
    # SQLite keeps notes of its own in tables that nobody else can name so.
    wanted = text("SELECT type, name, coalesce(sql, '') FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%'")
    with store.read() as connection:
        return {f"{kind} {name}": sql or "there" for kind, name, sql in connection.execute(wanted)}


def _of_postgresql(store: Readable) -> tuple[Parts, Parts]:
    """What should be there, and what is."""
    with store.read() as connection:
        engine = connection.engine
    with mapped(), engine.connect() as connection:
        ours = str(connection.execute(text("SELECT current_schema()")).scalar_one())
        everywhere = connection.execute(text(_EVERYWHERE))
        found = _in_schema(connection, ours) | {str(part): str(what) for part, what in everywhere}
        # Rolled back as the connection is closed.
        metadata.create_all(connection.execution_options(schema_translate_map={None: "pg_temp"}), checkfirst=False)
        name = connection.execute(text("SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema()")).scalar_one()
        return _in_schema(connection, str(name)), found


def _in_schema(connection: Connection, schema: str) -> Parts:
    # Definitions name the schema, and not all versions name a temporary one the same way.
    named = re.compile(rf'(?:"?{re.escape(schema)}"?|pg_temp(?:_\d+)?)\.')
    said = connection.execute(text(_PARTS), {"schema": schema})
    return {named.sub("", part): named.sub("", what) for part, what in said}


_EVERYWHERE = "SELECT 'event trigger ' || evtname, evtfoid::regproc::text FROM pg_event_trigger"

# Only what somebody made: extensions bring functions and views of their own, and every table brings a type.
_PARTS = """
WITH here AS (SELECT oid FROM pg_namespace WHERE nspname = :schema),
rel AS (
    SELECT c.* FROM pg_class c WHERE c.relnamespace = (SELECT oid FROM here)
    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
)
SELECT
    CASE relkind WHEN 'r' THEN 'table ' WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' WHEN 'S' THEN
        'sequence ' WHEN 'p' THEN 'partitioned table ' WHEN 'f' THEN 'foreign table ' ELSE 'type ' END || relname,
    CASE WHEN relpersistence = 'u' THEN 'unlogged' ELSE 'there' END
        || CASE WHEN relrowsecurity THEN ', with row security' ELSE '' END
FROM rel WHERE relkind NOT IN ('i', 'I', 't')
UNION ALL
SELECT 'column ' || relname || '.' || attname,
    format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END
        || attidentity::text || attgenerated::text || coalesce(' DEFAULT ' || pg_get_expr(adbin, adrelid), '')
FROM rel JOIN pg_attribute ON attrelid = rel.oid LEFT JOIN pg_attrdef ON adrelid = rel.oid AND adnum = attnum
WHERE relkind IN ('r', 'p', 'f') AND attnum > 0 AND NOT attisdropped
UNION ALL
SELECT 'constraint ' || relname || '.' || conname,
    pg_get_constraintdef(k.oid) || CASE WHEN convalidated THEN '' ELSE ' NOT VALID' END
FROM rel JOIN pg_constraint k ON conrelid = rel.oid WHERE contype <> 'n'
UNION ALL
SELECT 'index ' || i.relname, pg_get_indexdef(i.oid) || CASE WHEN indisvalid THEN '' ELSE ' INVALID' END
FROM rel JOIN pg_index x ON indrelid = rel.oid JOIN pg_class i ON i.oid = indexrelid WHERE rel.relkind <> 't'
UNION ALL
SELECT 'trigger ' || relname || '.' || tgname, pg_get_triggerdef(t.oid) || ' ' || tgenabled::text
FROM rel JOIN pg_trigger t ON tgrelid = rel.oid WHERE NOT tgisinternal
UNION ALL
SELECT 'rule ' || relname || '.' || rulename, pg_get_ruledef(r.oid)
FROM rel JOIN pg_rewrite r ON ev_class = rel.oid WHERE rulename <> '_RETURN'
UNION ALL
SELECT 'policy ' || relname || '.' || polname, 'there' FROM rel JOIN pg_policy ON polrelid = rel.oid
UNION ALL
SELECT 'child of ' || relname, inhrelid::regclass::text FROM rel JOIN pg_inherits ON inhparent = rel.oid
UNION ALL
SELECT 'function ' || p.oid::regprocedure::text, md5(prosrc)
FROM pg_proc p WHERE pronamespace = (SELECT oid FROM here)
AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
"""
