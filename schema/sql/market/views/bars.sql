SELECT
    s.symbol AS symbol,
    s.timeframe AS timeframe,
    (b.k & 67108863) * s.tf_s * 1000 AS open_ms,
    decimal_text(b.o, s.px_exp) AS open,
    decimal_text(b.h, s.px_exp) AS high,
    decimal_text(b.l, s.px_exp) AS low,
    decimal_text(b.c, s.px_exp) AS close,
    decimal_text(b.v, s.qty_exp) AS volume
FROM {db}.series AS s
CROSS JOIN {db}.bar AS b ON b.k BETWEEN s.id << 26 AND (s.id << 26) | 67108863
WHERE s.tf_s > 0
