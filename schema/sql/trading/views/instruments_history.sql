SELECT
    v.symbol AS symbol,
    iso_time(v.valid_from_ns) AS valid_from,
    iso_time((
        SELECT min(later.valid_from_ns)
        FROM {db}.instrument_versions AS later
        WHERE later.symbol = v.symbol AND later.valid_from_ns > v.valid_from_ns
    )) AS valid_until, -- of the newest: NULL
    v.status AS status,
    decimal_text(v.tick, v.px_exp) AS tick,
    decimal_text(v.lot, v.qty_exp) AS lot,
    decimal_text(nullif(v.detail ->> '$.min_qty', 0), v.qty_exp) AS min_qty,
    decimal_text(nullif(v.detail ->> '$.min_notional', 0), v.quote_exp) AS min_notional,
    v.detail ->> '$.unknown_filters' AS unknown_filters,
    v.px_exp AS px_exp,
    v.qty_exp AS qty_exp,
    v.quote_exp AS quote_exp,
    v.detail AS detail,
    v.valid_from_ns AS valid_from_ns
FROM {db}.instrument_versions AS v
