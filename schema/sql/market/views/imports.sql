SELECT
    iso_time(i.wall_ns) AS time, -- by the clock of this machine
    i.symbol AS symbol,
    i.timeframe AS timeframe,
    i.source AS source,
    i.bars AS bars,
    i.added AS added,
    i.equal AS equal,
    i.differing AS differing,
    i.replaced AS replaced,
    i.source_sha256 AS source_sha256,
    i.sha256 AS sha256
FROM {db}.import_file AS i
