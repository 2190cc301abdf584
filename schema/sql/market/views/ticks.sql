SELECT
    s.symbol AS symbol,
    t.k & 17592186044415 AS trade_id,
    t.ts_ns / 1000000 AS ts_ms,
    decimal_text(t.px, s.px_exp) AS price,
    decimal_text(t.qty, s.qty_exp) AS qty,
    CASE t.side WHEN 0 THEN 'buy' ELSE 'sell' END AS side
FROM {db}.series AS s
CROSS JOIN {db}.tick AS t ON t.k BETWEEN s.id << 44 AND (s.id << 44) | 17592186044415
WHERE s.tf_s = 0
