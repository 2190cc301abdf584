SELECT
    a.id AS id,
    iso_time(a.ts_ns) AS time,
    a.by AS by,
    a.what AS what,
    a.scope AS scope,
    a.reason AS reason,
    a.detail AS detail,
    lower(hex(a.hash)) AS hash,
    a.ts_ns AS ts_ns
FROM {db}.audit AS a
