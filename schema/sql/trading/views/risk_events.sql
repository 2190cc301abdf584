SELECT
    r.id AS id,
    iso_time(r.ts_ns) AS time,
    r.type AS type,
    r.scope AS scope,
    r.state AS state,
    r.reason AS reason,
    r.trace AS trace,
    r.detail AS detail,
    r.ts_ns AS ts_ns
FROM {db}.risk_events AS r
