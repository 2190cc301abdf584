-- What was copied out of a PostgreSQL database. Its tables are made beside these when they are
-- known; these say what became of each column, how far the copy is, and what could not be kept.

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row a column: its type there, and the rule by which it is kept here. A number of `exponent`
-- decimals is an integer: value = stored / 10^exponent.
CREATE TABLE column_map (
    "table" TEXT NOT NULL,
    "column" TEXT NOT NULL,
    legacy_table TEXT NOT NULL,
    legacy_column TEXT NOT NULL,
    position INTEGER NOT NULL CHECK (position > 0),
    source_type TEXT NOT NULL,
    kept TEXT NOT NULL CHECK (kept IN ('INTEGER', 'REAL', 'TEXT', 'BLOB')),
    form TEXT NOT NULL,
    exponent INTEGER,
    rule TEXT NOT NULL,
    key_position INTEGER NOT NULL CHECK (key_position >= 0), -- in the primary key; 0: not in it
    generated INTEGER NOT NULL CHECK (generated IN (0, 1)),
    PRIMARY KEY ("table", "column"),
    UNIQUE (legacy_table, legacy_column)
) STRICT, WITHOUT ROWID;

-- A row that has a value without an exact form here is kept here instead, whole: one line for each
-- such value. `row` has the row's values as the source wrote them.
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY,
    "table" TEXT NOT NULL,
    row_no INTEGER NOT NULL CHECK (row_no > 0),
    key TEXT NOT NULL CHECK (json_valid(key)),
    "column" TEXT NOT NULL,
    value TEXT,
    reason TEXT NOT NULL,
    row TEXT NOT NULL CHECK (json_valid(row))
) STRICT;

CREATE INDEX quarantine_of ON quarantine ("table", row_no);

-- How far a table is; moves in the transaction that keeps the rows it counts.
CREATE TABLE mig_state (
    "table" TEXT PRIMARY KEY,
    last_key TEXT NOT NULL,
    rows INTEGER NOT NULL CHECK (rows >= 0),
    quarantined INTEGER NOT NULL CHECK (quarantined BETWEEN 0 AND rows),
    sums TEXT NOT NULL CHECK (json_valid(sums)),
    hash INTEGER NOT NULL CHECK (hash >= 0),
    done INTEGER NOT NULL CHECK (done IN (0, 1))
) STRICT, WITHOUT ROWID;
