SELECT
    o.client_order_id AS client_order_id,
    o.strategy AS strategy,
    o.symbol AS symbol,
    o.side AS side,
    o.order_type AS order_type,
    o.leg AS leg,
    o.status AS status,
    decimal_text(o.qty, o.qty_exp) AS qty,
    decimal_text(nullif(o.limit_px, 0), o.px_exp) AS limit_price,
    decimal_text(nullif(o.stop_px, 0), o.px_exp) AS stop_price,
    decimal_text(o.filled_qty, o.qty_exp) AS filled_qty,
    decimal_text(o.filled_quote, o.quote_exp) AS filled_quote,
    o.venue_order_id AS venue_order_id,
    o.reason AS reason,
    iso_time(o.created_ns) AS created,
    iso_time(o.updated_ns) AS updated
FROM {db}.orders AS o
