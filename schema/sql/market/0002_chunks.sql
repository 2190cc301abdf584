-- A closed month as its archive holds it: bars and ticks in compressed columns.
-- Bodies are read and written by bus/chunks.py alone; crc is of a body's head, in which those of
-- its columns stand.

CREATE TABLE bar_chunk (
    k INTEGER PRIMARY KEY, -- of its bars, >> 9
    first INTEGER NOT NULL, -- key of its first bar
    last INTEGER NOT NULL CHECK (last >= first),
    n INTEGER NOT NULL CHECK (n BETWEEN 1 AND 512),
    codec INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE tick_chunk (
    k INTEGER PRIMARY KEY, -- key of its first tick
    last INTEGER NOT NULL CHECK (last >= k),
    n INTEGER NOT NULL CHECK (n > 0),
    first_ns INTEGER NOT NULL, -- the earliest and the latest time in it
    last_ns INTEGER NOT NULL CHECK (last_ns >= first_ns),
    codec INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
