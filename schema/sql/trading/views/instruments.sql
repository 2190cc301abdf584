SELECT
    i.symbol AS symbol,
    i.venue_symbol AS venue_symbol,
    i.base AS base,
    i.quote AS quote,
    i.status AS status,
    decimal_text(i.tick, i.px_exp) AS tick,
    decimal_text(i.lot, i.qty_exp) AS lot,
    i.px_exp AS px_exp,
    i.qty_exp AS qty_exp,
    i.quote_exp AS quote_exp,
    i.detail AS detail,
    iso_time(i.ts_ns) AS time,
    i.ts_ns AS ts_ns
FROM {db}.instruments AS i
