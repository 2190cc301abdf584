SELECT
    p.symbol AS symbol,
    p.strategy AS strategy,
    decimal_text(p.qty, p.qty_exp) AS qty,
    decimal_text(p.cost, p.quote_exp) AS cost,
    average_price(p.qty, p.qty_exp, p.cost, p.quote_exp, p.px_exp) AS avg_price,
    decimal_text(p.mark_px, p.px_exp) AS mark_price,
    decimal_text(p.realized, p.quote_exp) AS realized,
    decimal_text(p.fees, p.quote_exp) AS fees,
    decimal_text(p.funding, p.quote_exp) AS funding,
    p.mark AS mark,
    iso_time(p.ts_ns) AS time
FROM {db}.positions AS p
