SELECT
    e.run_id AS run_id,
    iso_time(e.ts_ns) AS time,
    decimal_text(e.equity, e.exp) AS equity
FROM {db}.run_equity AS e
