SELECT
    m.name AS name,
    m.sha256 AS sha256,
    m.source AS source,
    m.timeframe AS timeframe,
    m.symbols AS symbols,
    m.horizon_ns / 1000000000 AS horizon_s,
    iso_time(m.data_first_ns) AS data_first,
    iso_time(m.data_last_ns) AS data_last,
    m.data_rows AS data_rows,
    m.metrics AS metrics,
    m.baselines AS baselines,
    iso_time(m.first_ns) AS first,
    iso_time(m.ts_ns) AS time
FROM {db}.ml_models AS m
