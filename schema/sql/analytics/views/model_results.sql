SELECT
    r.pos AS pos,
    iso_time(r.ts_ns) AS time,
    r.model AS model,
    r.symbol AS symbol,
    r.timeframe AS timeframe,
    r.forecasts AS forecasts,
    r.hit_ratio AS hit_ratio,
    r.brier AS brier,
    r.log_loss AS log_loss,
    r.ts_ns AS ts_ns
FROM {db}.ml_model_results AS r
