SELECT
    iso_time(t.ts_ns) AS time,
    t.symbol AS symbol,
    t.side AS side,
    decimal_text(t.px, t.px_exp) AS price,
    decimal_text(t.qty, t.qty_exp) AS qty,
    decimal_text(t.quote_qty, t.quote_exp) AS quote_qty,
    decimal_text(t.fee, t.fee_exp) AS fee,
    t.fee_asset AS fee_asset,
    t.maker AS maker,
    t.late AS late,
    o.strategy AS strategy,
    o.leg AS leg,
    t.client_order_id AS client_order_id,
    t.venue_order_id AS venue_order_id,
    t.venue_trade_id AS venue_trade_id,
    t.trace AS trace,
    t.ts_ns AS ts_ns
FROM {db}.trades AS t
LEFT JOIN {db}.orders AS o ON o.client_order_id = t.client_order_id
