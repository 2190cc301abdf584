SELECT
    r.run_id AS run_id,
    r.strategy AS strategy,
    r.world AS world,
    r.orders AS orders,
    r.metrics AS metrics,
    r.fingerprint AS fingerprint,
    iso_time(r.ts_ns) AS time,
    r.report AS report
FROM {db}.runs AS r
