SELECT
    iso_time(g.ts_ns) AS time,
    g.symbol AS symbol,
    g.first_trade_id AS first_trade_id,
    g.last_trade_id AS last_trade_id,
    g.filled AS filled,
    g.reason AS reason
FROM {db}.feed_gap AS g
