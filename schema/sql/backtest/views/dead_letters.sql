SELECT
    d.id AS id,
    iso_time(d.ts_ns) AS time,
    d.type AS type,
    d.reason AS reason,
    d.body AS body -- the message as it was said, msgpack
FROM {db}.dead_letter AS d
