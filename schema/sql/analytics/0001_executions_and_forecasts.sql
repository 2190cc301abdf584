-- How fast orders went, and what the forecasts were worth. Nothing here is money on the books.
-- A time that ends in _said_ns is the wall clock of this machine when a message was put on its
-- stream; a place that ends in _pos is a position on that stream.

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row an order, made by whoever speaks of it first; NULL where a step was not taken.
CREATE TABLE trade_execution_log (
    client_order_id TEXT PRIMARY KEY,
    trace INTEGER NOT NULL,
    symbol TEXT NOT NULL,
    strategy TEXT,
    side TEXT CHECK (side IN ('buy', 'sell')),
    leg TEXT,
    ts_ns INTEGER NOT NULL, -- market time of the first word about it
    qty INTEGER,
    qty_exp INTEGER,
    filled_qty INTEGER NOT NULL DEFAULT 0,
    bar_pos INTEGER,
    forecast_pos INTEGER,
    intent_pos INTEGER,
    verdict_pos INTEGER,
    submitted_pos INTEGER,
    bar_said_ns INTEGER,
    forecast_said_ns INTEGER,
    intent_said_ns INTEGER,
    verdict_said_ns INTEGER,
    submitted_said_ns INTEGER,
    answered_said_ns INTEGER,
    answer TEXT CHECK (answer IN ('accepted', 'rejected', 'unconfirmed')),
    first_fill_said_ns INTEGER,
    ended_said_ns INTEGER,
    ended TEXT -- what ended it: the message's name
) STRICT, WITHOUT ROWID;

CREATE INDEX executions_by_forecast ON trade_execution_log (forecast_pos)
WHERE forecast_pos IS NOT NULL;

CREATE INDEX executions_without_bar ON trade_execution_log (bar_pos)
WHERE bar_pos IS NOT NULL AND bar_said_ns IS NULL;

CREATE TABLE ml_models (
    sha256 TEXT PRIMARY KEY, -- of the weights
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    timeframe TEXT NOT NULL,
    symbols TEXT NOT NULL CHECK (json_valid(symbols)),
    features TEXT NOT NULL CHECK (json_valid(features)),
    horizon_ns INTEGER NOT NULL CHECK (horizon_ns > 0),
    data_first_ns INTEGER NOT NULL,
    data_last_ns INTEGER NOT NULL,
    data_hash TEXT NOT NULL,
    data_rows INTEGER NOT NULL CHECK (data_rows >= 0),
    metrics TEXT NOT NULL CHECK (json_valid(metrics)),
    baselines TEXT NOT NULL CHECK (json_valid(baselines)),
    card TEXT NOT NULL,
    first_ns INTEGER NOT NULL, -- when it was named first
    ts_ns INTEGER NOT NULL -- and last
) STRICT, WITHOUT ROWID;

CREATE TABLE ml_predictions (
    pos INTEGER PRIMARY KEY,
    ts_ns INTEGER NOT NULL,
    trace INTEGER NOT NULL,
    symbol TEXT NOT NULL,
    timeframe TEXT NOT NULL,
    bar_open_ns INTEGER NOT NULL,
    horizon_ns INTEGER NOT NULL CHECK (horizon_ns > 0),
    probability_up REAL NOT NULL CHECK (probability_up BETWEEN 0 AND 1),
    confidence REAL NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    expected_return REAL NOT NULL,
    model TEXT NOT NULL,
    source TEXT NOT NULL,
    said_ns INTEGER NOT NULL,
    bar_pos INTEGER,
    bar_said_ns INTEGER
) STRICT;

CREATE INDEX predictions_by_bar ON ml_predictions (symbol, timeframe, bar_open_ns);

CREATE INDEX predictions_without_bar ON ml_predictions (bar_pos)
WHERE bar_pos IS NOT NULL AND bar_said_ns IS NULL;

CREATE TABLE ml_model_results (
    pos INTEGER PRIMARY KEY,
    ts_ns INTEGER NOT NULL,
    symbol TEXT NOT NULL,
    timeframe TEXT NOT NULL,
    model TEXT NOT NULL,
    forecasts INTEGER NOT NULL CHECK (forecasts >= 0),
    hit_ratio REAL NOT NULL CHECK (hit_ratio BETWEEN 0 AND 1),
    brier REAL NOT NULL CHECK (brier >= 0),
    log_loss REAL NOT NULL CHECK (log_loss >= 0)
) STRICT;

CREATE INDEX results_by_model ON ml_model_results (model, symbol, timeframe, ts_ns);

-- At most one value of a name in a market minute: the last one said in it.
CREATE TABLE analytics_metrics (
    name TEXT NOT NULL,
    scope TEXT NOT NULL,
    ts_ns INTEGER NOT NULL CHECK (ts_ns % 60000000000 = 0),
    value REAL NOT NULL,
    PRIMARY KEY (name, scope, ts_ns)
) STRICT, WITHOUT ROWID;

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
