SELECT
    s.symbol AS symbol,
    s.timeframe AS timeframe,
    (n.k & 67108863) * s.tf_s * 1000 AS open_ms,
    iso_time((n.k & 67108863) * s.tf_s * 1000000000) AS time,
    n.revision AS revision,
    n.whole AS whole
FROM {db}.bar_note AS n
JOIN {db}.series AS s ON s.id = n.k >> 26
