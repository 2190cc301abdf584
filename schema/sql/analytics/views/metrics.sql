SELECT
    m.name AS name,
    m.scope AS scope,
    iso_time(m.ts_ns) AS time,
    m.value AS value,
    m.ts_ns AS ts_ns
FROM {db}.analytics_metrics AS m
