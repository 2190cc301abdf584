-- What a run did and how its worth went: enough to show it again as it was shown.

ALTER TABLE runs ADD COLUMN report TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(report));

CREATE TABLE run_trades (
    run_id TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 0),
    symbol TEXT NOT NULL,
    side TEXT NOT NULL,
    opened_ns INTEGER NOT NULL,
    closed_ns INTEGER NOT NULL,
    opened_bar INTEGER NOT NULL,
    closed_bar INTEGER NOT NULL,
    qty INTEGER NOT NULL,
    qty_exp INTEGER NOT NULL,
    entry_px REAL NOT NULL, -- averages of the fills
    exit_px REAL NOT NULL,
    gain INTEGER NOT NULL, -- after fees; eight decimals, like the fees
    fees INTEGER NOT NULL,
    entry_tag TEXT NOT NULL,
    exit_tag TEXT NOT NULL,
    PRIMARY KEY (run_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_equity (
    run_id TEXT NOT NULL,
    ts_ns INTEGER NOT NULL,
    equity INTEGER NOT NULL,
    exp INTEGER NOT NULL,
    PRIMARY KEY (run_id, ts_ns)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_prices (
    run_id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    ts_ns INTEGER NOT NULL,
    px INTEGER NOT NULL,
    px_exp INTEGER NOT NULL,
    PRIMARY KEY (run_id, symbol, ts_ns)
) STRICT, WITHOUT ROWID;
