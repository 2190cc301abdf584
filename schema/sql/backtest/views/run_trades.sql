SELECT
    t.run_id AS run_id,
    t.number AS number,
    t.symbol AS symbol,
    t.side AS side,
    iso_time(t.opened_ns) AS opened,
    iso_time(t.closed_ns) AS closed,
    decimal_text(t.qty, t.qty_exp) AS qty,
    t.entry_px AS entry_px,
    t.exit_px AS exit_px,
    decimal_text(t.gain, 8) AS gain,
    decimal_text(t.fees, 8) AS fees,
    t.entry_tag AS entry_tag,
    t.exit_tag AS exit_tag
FROM {db}.run_trades AS t
