-- One world's trading: each table is a fold of what engine, risk and gateway said.
-- Prices, quantities and money are integers; the exponent columns beside them say the decimals.

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE instruments (
    symbol TEXT PRIMARY KEY,
    venue_symbol TEXT NOT NULL,
    base TEXT NOT NULL,
    quote TEXT NOT NULL,
    px_exp INTEGER NOT NULL CHECK (px_exp BETWEEN 0 AND 18),
    qty_exp INTEGER NOT NULL CHECK (qty_exp BETWEEN 0 AND 18),
    quote_exp INTEGER NOT NULL CHECK (quote_exp BETWEEN 0 AND 18),
    tick INTEGER NOT NULL CHECK (tick > 0),
    lot INTEGER NOT NULL CHECK (lot > 0),
    status TEXT NOT NULL,
    detail TEXT NOT NULL CHECK (json_valid(detail)),
    ts_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The current state; what the verdict or the venue says first makes the row, the intent fills it.
CREATE TABLE orders (
    client_order_id TEXT PRIMARY KEY,
    symbol TEXT NOT NULL,
    status TEXT NOT NULL, -- schema/lifecycle.py
    under TEXT NOT NULL, -- what it is while a cancel is under way, else the same
    strategy TEXT,
    side TEXT CHECK (side IN ('buy', 'sell')),
    order_type TEXT,
    time_in_force TEXT,
    leg TEXT,
    parent TEXT,
    reason TEXT,
    qty INTEGER CHECK (qty > 0),
    limit_px INTEGER CHECK (limit_px >= 0),
    stop_px INTEGER CHECK (stop_px >= 0),
    px_exp INTEGER,
    qty_exp INTEGER,
    venue_order_id TEXT,
    filled_qty INTEGER NOT NULL DEFAULT 0 CHECK (filled_qty >= 0),
    filled_quote INTEGER NOT NULL DEFAULT 0 CHECK (filled_quote >= 0),
    quote_exp INTEGER,
    created_ns INTEGER NOT NULL,
    updated_ns INTEGER NOT NULL,
    trace INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX orders_by_status ON orders (status, symbol);

CREATE TABLE order_events (
    id INTEGER PRIMARY KEY,
    client_order_id TEXT NOT NULL,
    ts_ns INTEGER NOT NULL,
    type TEXT NOT NULL,
    status TEXT NOT NULL, -- of the order after this event
    outcome TEXT NOT NULL CHECK (outcome IN ('ok', 'late_fill', 'illegal')),
    trace INTEGER NOT NULL,
    cause_stream INTEGER NOT NULL,
    cause_pos INTEGER NOT NULL,
    detail TEXT NOT NULL CHECK (json_valid(detail))
) STRICT;

CREATE INDEX order_events_by_order ON order_events (client_order_id);

CREATE TABLE trades (
    symbol TEXT NOT NULL,
    venue_trade_id TEXT NOT NULL,
    client_order_id TEXT NOT NULL,
    venue_order_id TEXT NOT NULL,
    ts_ns INTEGER NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('buy', 'sell')),
    px INTEGER NOT NULL CHECK (px > 0),
    qty INTEGER NOT NULL CHECK (qty > 0),
    quote_qty INTEGER NOT NULL CHECK (quote_qty >= 0),
    fee INTEGER NOT NULL,
    fee_asset TEXT NOT NULL,
    maker INTEGER NOT NULL CHECK (maker IN (0, 1)),
    late INTEGER NOT NULL CHECK (late IN (0, 1)),
    px_exp INTEGER NOT NULL,
    qty_exp INTEGER NOT NULL,
    quote_exp INTEGER NOT NULL,
    fee_exp INTEGER NOT NULL,
    trace INTEGER NOT NULL,
    PRIMARY KEY (symbol, venue_trade_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX trades_by_order ON trades (client_order_id);

-- Double entry: the legs of an entry add up to zero in each asset. Rows never change.
CREATE TABLE ledger (
    id INTEGER PRIMARY KEY,
    entry TEXT NOT NULL,
    ts_ns INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('trade', 'fee', 'deposit')),
    account TEXT NOT NULL,
    asset TEXT NOT NULL CHECK (asset <> ''),
    amount INTEGER NOT NULL,
    exp INTEGER NOT NULL CHECK (exp BETWEEN 0 AND 18),
    leg INTEGER NOT NULL,
    UNIQUE (entry, leg)
) STRICT;

CREATE TABLE positions (
    symbol TEXT NOT NULL,
    strategy TEXT NOT NULL, -- empty: the whole account
    qty INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    realized INTEGER NOT NULL,
    fees INTEGER NOT NULL,
    mark_px INTEGER NOT NULL,
    px_exp INTEGER NOT NULL,
    qty_exp INTEGER NOT NULL,
    quote_exp INTEGER NOT NULL,
    ts_ns INTEGER NOT NULL,
    PRIMARY KEY (symbol, strategy)
) STRICT, WITHOUT ROWID;

CREATE TABLE portfolio_snapshots (
    id INTEGER PRIMARY KEY,
    ts_ns INTEGER NOT NULL,
    quote TEXT NOT NULL,
    cash INTEGER NOT NULL,
    equity INTEGER NOT NULL,
    gross_exposure INTEGER NOT NULL,
    net_exposure INTEGER NOT NULL,
    realized INTEGER NOT NULL,
    unrealized INTEGER NOT NULL,
    fees INTEGER NOT NULL,
    peak_equity INTEGER NOT NULL,
    quote_exp INTEGER NOT NULL
) STRICT;

CREATE TABLE risk_limits (
    name TEXT NOT NULL,
    scope TEXT NOT NULL,
    value TEXT NOT NULL, -- decimal
    observed TEXT NOT NULL, -- decimal, when it was reached last
    latched INTEGER NOT NULL CHECK (latched IN (0, 1)),
    by TEXT NOT NULL,
    reason TEXT NOT NULL,
    ts_ns INTEGER NOT NULL,
    PRIMARY KEY (name, scope)
) STRICT, WITHOUT ROWID;

CREATE TABLE risk_events (
    id INTEGER PRIMARY KEY,
    ts_ns INTEGER NOT NULL,
    type TEXT NOT NULL,
    scope TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    trace INTEGER NOT NULL,
    detail TEXT NOT NULL CHECK (json_valid(detail))
) STRICT;

CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    ts_ns INTEGER NOT NULL,
    by TEXT NOT NULL,
    what TEXT NOT NULL,
    scope TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL CHECK (json_valid(detail))
) STRICT;

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

CREATE TRIGGER audit_keeps BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;

CREATE TRIGGER audit_stays BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;

CREATE TRIGGER ledger_keeps BEFORE UPDATE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TRIGGER ledger_stays BEFORE DELETE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TRIGGER trades_keep BEFORE UPDATE ON trades
BEGIN SELECT RAISE(ABORT, 'fills are append-only'); END;

CREATE TRIGGER trades_stay BEFORE DELETE ON trades
BEGIN SELECT RAISE(ABORT, 'fills are append-only'); END;

CREATE TRIGGER order_events_keep BEFORE UPDATE ON order_events
BEGIN SELECT RAISE(ABORT, 'order events are append-only'); END;

CREATE TRIGGER order_events_stay BEFORE DELETE ON order_events
BEGIN SELECT RAISE(ABORT, 'order events are append-only'); END;
