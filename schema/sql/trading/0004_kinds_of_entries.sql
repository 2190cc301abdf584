-- Each way that money comes and goes by has a kind of its own, and what nobody can explain stands
-- in suspense until somebody does. What is worth what says its funding, and what has no price.

CREATE TABLE entries (
    id INTEGER PRIMARY KEY,
    entry TEXT NOT NULL,
    ts_ns INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (
        kind IN (
            'trade', 'fee', 'rebate', 'funding', 'opening', 'deposit', 'withdrawal', 'adjustment',
            'suspense'
        )
    ),
    account TEXT NOT NULL, -- trading | external | market | fees | funding | outside | suspense
    asset TEXT NOT NULL CHECK (asset <> ''),
    amount INTEGER NOT NULL,
    exp INTEGER NOT NULL CHECK (exp BETWEEN 0 AND 18),
    leg INTEGER NOT NULL,
    symbol TEXT NOT NULL DEFAULT '', -- what was traded, or whose position earned it
    UNIQUE (entry, leg)
) STRICT;

INSERT INTO entries
SELECT
    id, entry, ts_ns,
    CASE
        WHEN kind = 'deposit' AND entry LIKE 'deposit:%:opening' THEN 'opening'
        WHEN kind = 'deposit' AND entry LIKE 'deposit:%:adopted-%' THEN 'adjustment'
        WHEN kind = 'deposit' AND (account = 'outside') = (amount > 0) THEN 'withdrawal'
        WHEN kind = 'fee' AND (account = 'fees') = (amount < 0) THEN 'rebate'
        ELSE kind
    END,
    account, asset, amount, exp, leg,
    iif(entry LIKE 'fill:%', substr(entry, 6, instr(substr(entry, 6), ':') - 1), '')
FROM ledger;

DROP TABLE ledger;

ALTER TABLE entries RENAME TO ledger;

-- What was unexplained before stands in the audit: each change of a difference is an entry.
INSERT INTO ledger (entry, ts_ns, kind, account, asset, amount, exp, leg)
WITH
seen AS (
    SELECT
        id, ts_ns, scope AS asset, detail ->> '$.difference' AS n,
        max(detail ->> '$.exp') OVER so_far AS exp,
        (detail ->> '$.difference') * CAST(
            '1' || substr(
                '000000000000000000', 1, max(detail ->> '$.exp') OVER so_far - (detail ->> '$.exp')
            ) AS INTEGER
        ) AS wide
    FROM audit WHERE what = 'BalanceSeen'
    WINDOW so_far AS (PARTITION BY scope ORDER BY id)
),
changed AS (
    SELECT
        id, ts_ns, asset, exp,
        wide - coalesce(
            lag(wide) OVER in_turn * CAST(
                '1' || substr('000000000000000000', 1, exp - lag(exp) OVER in_turn) AS INTEGER
            ), 0
        ) AS change
    FROM seen
    WINDOW in_turn AS (PARTITION BY asset ORDER BY id)
),
numbered AS (
    SELECT *, row_number() OVER (PARTITION BY asset ORDER BY id) AS n FROM changed WHERE change <> 0
)
SELECT
    'suspense:' || asset || ':' || n, ts_ns, 'suspense',
    iif(legs.leg = 0, 'suspense', 'outside'), asset, iif(legs.leg = 0, change, -change), exp,
    legs.leg
FROM numbered CROSS JOIN (SELECT 0 AS leg UNION ALL SELECT 1) AS legs
ORDER BY numbered.id, legs.leg;

CREATE INDEX ledger_by_account ON ledger (account, asset, ts_ns);

CREATE INDEX ledger_by_time ON ledger (ts_ns);

CREATE TRIGGER ledger_keeps BEFORE UPDATE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TRIGGER ledger_stays BEFORE DELETE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

ALTER TABLE positions ADD COLUMN funding INTEGER NOT NULL DEFAULT 0;

ALTER TABLE positions ADD COLUMN mark TEXT NOT NULL DEFAULT 'mid'; -- mid | last | fill | none

ALTER TABLE portfolio_snapshots ADD COLUMN funding INTEGER NOT NULL DEFAULT 0;

ALTER TABLE portfolio_snapshots ADD COLUMN deposits INTEGER NOT NULL DEFAULT 0;

-- Symbols without a price, by spaces: they are in equity at their cost.
ALTER TABLE portfolio_snapshots ADD COLUMN unpriced TEXT NOT NULL DEFAULT '';

-- Whether it is one of every minute, or the last of a UTC day.
ALTER TABLE portfolio_snapshots ADD COLUMN period TEXT NOT NULL DEFAULT 'minute';

CREATE INDEX portfolio_by_day ON portfolio_snapshots (ts_ns) WHERE period = 'day';
