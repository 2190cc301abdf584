SELECT
    e.id AS id,
    iso_time(e.ts_ns) AS time,
    e.client_order_id AS client_order_id,
    e.type AS type,
    e.status AS status,
    e.outcome AS outcome,
    o.symbol AS symbol,
    o.strategy AS strategy,
    e.cause_stream AS cause_stream,
    e.cause_pos AS cause_pos,
    e.trace AS trace,
    e.detail AS detail,
    e.ts_ns AS ts_ns
FROM {db}.order_events AS e
LEFT JOIN {db}.orders AS o ON o.client_order_id = e.client_order_id
