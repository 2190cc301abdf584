SELECT
    p.run_id AS run_id,
    p.symbol AS symbol,
    iso_time(p.ts_ns) AS time,
    decimal_text(p.px, p.px_exp) AS px
FROM {db}.run_prices AS p
