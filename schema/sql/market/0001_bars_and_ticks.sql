-- One month of one world's market. A bar's key is series << 26 | open_s / tf_s; a tick's key is
-- series << 44 | trade_id: the row says nothing twice, and a repeat finds its own key taken.
-- Numbers of a series have the decimals that its row names.

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE series (
    id INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 65535),
    symbol TEXT NOT NULL,
    timeframe TEXT NOT NULL,
    tf_s INTEGER NOT NULL CHECK (tf_s >= 0),
    px_exp INTEGER NOT NULL CHECK (px_exp BETWEEN 0 AND 18),
    qty_exp INTEGER NOT NULL CHECK (qty_exp BETWEEN 0 AND 18),
    quote_exp INTEGER NOT NULL CHECK (quote_exp BETWEEN 0 AND 18),
    UNIQUE (symbol, timeframe)
) STRICT;

CREATE TABLE bar (
    k INTEGER PRIMARY KEY,
    o INTEGER NOT NULL,
    h INTEGER NOT NULL,
    l INTEGER NOT NULL,
    c INTEGER NOT NULL,
    v INTEGER NOT NULL CHECK (v >= 0),
    q INTEGER NOT NULL CHECK (q >= 0),
    n INTEGER NOT NULL CHECK (n >= 0),
    src INTEGER NOT NULL CHECK (src IN (0, 1)), -- 0 folded from trades, 1 fetched whole
    series INTEGER AS (k >> 26) VIRTUAL,
    idx INTEGER AS (k & 67108863) VIRTUAL,
    CHECK (l > 0 AND l <= o AND l <= c AND h >= o AND h >= c)
) STRICT;

CREATE TABLE tick (
    k INTEGER PRIMARY KEY,
    ts_ns INTEGER NOT NULL,
    px INTEGER NOT NULL CHECK (px > 0),
    qty INTEGER NOT NULL CHECK (qty > 0),
    side INTEGER NOT NULL CHECK (side IN (0, 1)), -- the aggressor: 0 buy, 1 sell
    series INTEGER AS (k >> 44) VIRTUAL,
    trade_id INTEGER AS (k & 17592186044415) VIRTUAL
) STRICT;

CREATE TABLE tick_hwm (
    series INTEGER PRIMARY KEY,
    trade_id INTEGER NOT NULL,
    ts_ns INTEGER NOT NULL
) STRICT;

CREATE TABLE feed_gap (
    symbol TEXT NOT NULL,
    first_trade_id INTEGER NOT NULL,
    last_trade_id INTEGER NOT NULL,
    filled INTEGER NOT NULL CHECK (filled IN (0, 1)),
    reason TEXT NOT NULL,
    ts_ns INTEGER NOT NULL,
    PRIMARY KEY (symbol, first_trade_id)
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
