SELECT
    iso_time(l.ts_ns) AS time,
    l.entry AS entry,
    l.kind AS kind,
    l.account AS account,
    l.asset AS asset,
    decimal_text(l.amount, l.exp) AS amount,
    l.symbol AS symbol,
    l.ts_ns AS ts_ns
FROM {db}.ledger AS l
