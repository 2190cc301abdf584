-- Rows that do not depend on which stream was read first, and an audit that vouches for itself.

-- Whose wish the row holds: 0 nobody's, 1 the intent's, 2 that of what was submitted.
ALTER TABLE orders ADD COLUMN wanted_by INTEGER NOT NULL DEFAULT 0 CHECK (wanted_by IN (0, 1, 2));

-- The decimals of filled_qty, as the fills have them; qty_exp is of what was wanted.
ALTER TABLE orders ADD COLUMN filled_exp INTEGER CHECK (filled_exp BETWEEN 0 AND 18);

UPDATE orders SET filled_exp = qty_exp WHERE filled_qty > 0;

UPDATE orders SET wanted_by = iif(
    EXISTS (
        SELECT 1 FROM order_events AS e
        WHERE e.client_order_id = orders.client_order_id AND e.type = 'OrderSubmitted'
    ), 2, strategy IS NOT NULL
);

UPDATE orders SET qty_exp = NULL WHERE wanted_by = 0;

-- An order began with the first that was said of it, and has the trace of what it holds.
UPDATE orders SET created_ns = (
    SELECT min(min(e.ts_ns, coalesce(e.detail ->> '$.intent.ts_event', e.ts_ns)))
    FROM order_events AS e WHERE e.client_order_id = orders.client_order_id
);

UPDATE orders SET trace = coalesce(
    CASE wanted_by
        WHEN 0 THEN (
            SELECT min(e.trace) FROM order_events AS e
            WHERE e.client_order_id = orders.client_order_id AND e.trace <> 0
        )
        WHEN 1 THEN (
            SELECT e.trace FROM order_events AS e
            WHERE e.client_order_id = orders.client_order_id AND e.type = 'OrderIntent'
            ORDER BY e.id LIMIT 1
        )
        ELSE (
            SELECT e.detail ->> '$.intent.trace' FROM order_events AS e
            WHERE e.client_order_id = orders.client_order_id AND e.type = 'OrderSubmitted'
            ORDER BY e.id DESC LIMIT 1
        )
    END, 0
);

-- The status after an event is the gateway's word alone; what others say of an order has none.
DROP TRIGGER order_events_keep;

UPDATE order_events SET status = '' WHERE type IN ('OrderIntent', 'CancelIntent', 'Verdict');

CREATE TRIGGER order_events_keep BEFORE UPDATE ON order_events
BEGIN SELECT RAISE(ABORT, 'order events are append-only'); END;

-- Each row of the audit has the hash of the row before it and of all its own fields.
CREATE TABLE chained (
    id INTEGER PRIMARY KEY,
    ts_ns INTEGER NOT NULL,
    by TEXT NOT NULL,
    what TEXT NOT NULL,
    scope TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL CHECK (json_valid(detail)),
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

INSERT INTO chained
WITH RECURSIVE link (id, hash) AS (
    SELECT 0, zeroblob(32)
    UNION ALL
    SELECT a.id, audit_hash(link.hash, a.id, a.ts_ns, a.by, a.what, a.scope, a.reason, a.detail)
    FROM link JOIN audit AS a ON a.id = (SELECT min(n.id) FROM audit AS n WHERE n.id > link.id)
)
SELECT a.*, link.hash FROM link JOIN audit AS a USING (id);

DROP TABLE audit;

ALTER TABLE chained RENAME TO audit;

CREATE TRIGGER audit_keeps BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;

CREATE TRIGGER audit_stays BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;

-- What people ask: what is open now, and what happened in a stretch of time. Open orders are found
-- by their status already, and that index counts the others, too.
CREATE INDEX orders_by_time ON orders (created_ns);

CREATE INDEX trades_by_time ON trades (ts_ns);

CREATE INDEX ledger_by_account ON ledger (account, asset, ts_ns);

CREATE INDEX positions_open ON positions (symbol) WHERE qty <> 0;

CREATE INDEX portfolio_by_time ON portfolio_snapshots (ts_ns);

CREATE INDEX risk_events_by_type ON risk_events (type, ts_ns);

CREATE INDEX risk_events_by_time ON risk_events (ts_ns);

CREATE INDEX audit_by_time ON audit (ts_ns);
