-- What is to be known of single bars beside their numbers. Most bars have no note: they are whole,
-- and stand as they were said first.

CREATE TABLE bar_note (
    k INTEGER PRIMARY KEY, -- of the bar
    revision INTEGER NOT NULL CHECK (revision >= 0), -- how often it was said again, corrected
    whole INTEGER NOT NULL CHECK (whole IN (0, 1)) -- 0: something that belongs into it is missing
) STRICT;
