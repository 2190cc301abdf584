SELECT
    iso_time(p.ts_ns) AS time,
    p.symbol AS symbol,
    p.timeframe AS timeframe,
    iso_time(p.bar_open_ns) AS bar_open,
    p.horizon_ns / 1000000000 AS horizon_s,
    p.probability_up AS probability_up,
    p.confidence AS confidence,
    p.expected_return AS expected_return,
    p.source AS source,
    p.model AS model,
    iso_time(p.said_ns) AS said,
    (p.said_ns - p.bar_said_ns) / 1000 AS bar_to_forecast_us,
    p.pos AS pos,
    p.bar_open_ns AS bar_open_ns
FROM {db}.ml_predictions AS p
