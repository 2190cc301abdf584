-- What is there and what is under way, without reading it all.

-- The bar that is not closed yet, of series that have a bar in this month: as the bars of closed
-- minutes and the trades of others make it. Written at most once a second; only in the last month.
CREATE TABLE bar_live (
    series INTEGER PRIMARY KEY,
    idx INTEGER NOT NULL,
    o INTEGER NOT NULL,
    h INTEGER NOT NULL,
    l INTEGER NOT NULL,
    c INTEGER NOT NULL,
    v INTEGER NOT NULL CHECK (v >= 0),
    q INTEGER NOT NULL CHECK (q >= 0),
    n INTEGER NOT NULL CHECK (n >= 0),
    ts_ns INTEGER NOT NULL -- market time of its last trade, or the end of its last minute if later
) STRICT;

-- Of the bars of each series in this month.
CREATE TABLE candlestick_metadata (
    series INTEGER PRIMARY KEY,
    bars INTEGER NOT NULL CHECK (bars > 0),
    first_idx INTEGER NOT NULL,
    last_idx INTEGER NOT NULL CHECK (last_idx >= first_idx),
    from_trades INTEGER NOT NULL CHECK (from_trades BETWEEN 0 AND bars)
) STRICT;

INSERT INTO candlestick_metadata
SELECT k >> 26, count(*), min(k & 67108863), max(k & 67108863), sum(src = 0)
FROM bar GROUP BY k >> 26;

-- From a minute to its trades: the key is series << 26 | minutes since 1970.
CREATE TABLE tick_mark (
    k INTEGER PRIMARY KEY,
    first_id INTEGER NOT NULL, -- the lowest and the highest trade id with a time in this minute
    last_id INTEGER NOT NULL CHECK (last_id >= first_id)
) STRICT;

INSERT INTO tick_mark
SELECT (k >> 44) << 26 | ts_ns / 60000000000, min(k & 17592186044415), max(k & 17592186044415)
FROM tick GROUP BY 1;
