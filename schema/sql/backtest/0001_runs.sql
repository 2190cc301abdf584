-- What backtests came to: one row a run.

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    run_id TEXT PRIMARY KEY,
    strategy TEXT NOT NULL,
    world TEXT NOT NULL,
    metrics TEXT NOT NULL CHECK (json_valid(metrics)), -- value by name; null: not a number
    orders INTEGER NOT NULL CHECK (orders >= 0),
    fingerprint TEXT NOT NULL,
    ts_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX runs_by_strategy ON runs (strategy, ts_ns);

CREATE TABLE stream_position (
    stream TEXT PRIMARY KEY,
    pos INTEGER NOT NULL CHECK (pos >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY,
    ts_ns INTEGER NOT NULL,
    type TEXT NOT NULL,
    reason TEXT NOT NULL,
    body BLOB NOT NULL -- the message as it was said, msgpack
) STRICT;
