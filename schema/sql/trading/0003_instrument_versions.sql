-- The rules of an instrument on any day: each version from its time on, and the newest.
-- A step of 0 is what an exchange says that asks for none; such rows had no place before.

CREATE TABLE instrument_versions (
    symbol TEXT NOT NULL,
    valid_from_ns INTEGER NOT NULL,
    venue_symbol TEXT NOT NULL,
    base TEXT NOT NULL,
    quote TEXT NOT NULL,
    px_exp INTEGER NOT NULL CHECK (px_exp BETWEEN 0 AND 18),
    qty_exp INTEGER NOT NULL CHECK (qty_exp BETWEEN 0 AND 18),
    quote_exp INTEGER NOT NULL CHECK (quote_exp BETWEEN 0 AND 18),
    tick INTEGER NOT NULL CHECK (tick >= 0),
    lot INTEGER NOT NULL CHECK (lot >= 0),
    status TEXT NOT NULL,
    detail TEXT NOT NULL CHECK (json_valid(detail)),
    PRIMARY KEY (symbol, valid_from_ns)
) STRICT, WITHOUT ROWID;

INSERT INTO instrument_versions
SELECT
    symbol, ts_ns, venue_symbol, base, quote, px_exp, qty_exp, quote_exp, tick, lot, status, detail
FROM instruments;

CREATE TABLE newest (
    symbol TEXT PRIMARY KEY,
    venue_symbol TEXT NOT NULL,
    base TEXT NOT NULL,
    quote TEXT NOT NULL,
    px_exp INTEGER NOT NULL CHECK (px_exp BETWEEN 0 AND 18),
    qty_exp INTEGER NOT NULL CHECK (qty_exp BETWEEN 0 AND 18),
    quote_exp INTEGER NOT NULL CHECK (quote_exp BETWEEN 0 AND 18),
    tick INTEGER NOT NULL CHECK (tick >= 0),
    lot INTEGER NOT NULL CHECK (lot >= 0),
    status TEXT NOT NULL,
    detail TEXT NOT NULL CHECK (json_valid(detail)),
    ts_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO newest SELECT * FROM instruments;

DROP TABLE instruments;

ALTER TABLE newest RENAME TO instruments;
