SELECT
    s.symbol AS symbol,
    s.timeframe AS timeframe,
    b.idx * s.tf_s * 1000 AS open_ms,
    iso_time(b.idx * s.tf_s * 1000000000) AS time,
    decimal_text(b.o, s.px_exp) AS open,
    decimal_text(b.h, s.px_exp) AS high,
    decimal_text(b.l, s.px_exp) AS low,
    decimal_text(b.c, s.px_exp) AS close,
    decimal_text(b.v, s.qty_exp) AS volume,
    decimal_text(b.q, s.quote_exp) AS quote_volume,
    b.n AS trades,
    iso_time(b.ts_ns) AS last_trade
FROM {db}.bar_live AS b
JOIN {db}.series AS s ON s.id = b.series
