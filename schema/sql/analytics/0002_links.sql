-- When bars were said stands in the shard, so that no memory and no order of reading matters.

-- One row for the bars side by side that were said at one moment, while something may follow them.
CREATE TABLE bar_said (
    pos INTEGER PRIMARY KEY, -- of the first
    last INTEGER NOT NULL CHECK (last >= pos),
    said_ns INTEGER NOT NULL
) STRICT;

-- Whose wish the row holds: 0 nobody's, 1 the intent's, 2 that of what was submitted.
ALTER TABLE trade_execution_log
ADD COLUMN wanted_by INTEGER NOT NULL DEFAULT 0 CHECK (wanted_by IN (0, 1, 2));

-- The decimals of filled_qty, as the fills have them; qty_exp is of what was wanted.
ALTER TABLE trade_execution_log
ADD COLUMN filled_exp INTEGER CHECK (filled_exp BETWEEN 0 AND 18);

UPDATE trade_execution_log SET filled_exp = qty_exp WHERE filled_qty > 0;

UPDATE trade_execution_log
SET wanted_by = iif(submitted_pos IS NOT NULL, 2, strategy IS NOT NULL);

UPDATE trade_execution_log SET qty_exp = NULL WHERE wanted_by = 0;
