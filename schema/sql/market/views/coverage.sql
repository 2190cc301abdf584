SELECT
    s.symbol AS symbol,
    s.timeframe AS timeframe,
    iso_time(m.first_idx * s.tf_s * 1000000000) AS first,
    iso_time(m.last_idx * s.tf_s * 1000000000) AS last,
    m.bars AS bars,
    m.last_idx - m.first_idx + 1 - m.bars AS missing, -- between its first and its last
    m.from_trades AS from_trades
FROM {db}.candlestick_metadata AS m
JOIN {db}.series AS s ON s.id = m.series
