SELECT
    r.name AS name,
    r.scope AS scope,
    r.value AS value,
    r.observed AS observed,
    r.latched AS latched,
    r.by AS by,
    r.reason AS reason,
    iso_time(r.ts_ns) AS time,
    r.ts_ns AS ts_ns
FROM {db}.risk_limits AS r
