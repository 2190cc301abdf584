SELECT
    p.id AS id,
    iso_time(p.ts_ns) AS time,
    p.quote AS quote,
    decimal_text(p.equity, p.quote_exp) AS equity,
    decimal_text(p.cash, p.quote_exp) AS cash,
    decimal_text(p.gross_exposure, p.quote_exp) AS gross_exposure,
    decimal_text(p.net_exposure, p.quote_exp) AS net_exposure,
    decimal_text(p.realized, p.quote_exp) AS realized,
    decimal_text(p.unrealized, p.quote_exp) AS unrealized,
    decimal_text(p.fees, p.quote_exp) AS fees,
    decimal_text(p.peak_equity, p.quote_exp) AS peak_equity,
    decimal_text(p.funding, p.quote_exp) AS funding,
    decimal_text(p.deposits, p.quote_exp) AS deposits,
    p.unpriced AS unpriced,
    p.period AS period,
    p.ts_ns AS ts_ns
FROM {db}.portfolio_snapshots AS p
