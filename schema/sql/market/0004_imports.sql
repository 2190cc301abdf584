-- What rows of this month came from files: each chunk of normalised bars once, by its hash.

CREATE TABLE import_file (
    sha256 TEXT PRIMARY KEY,
    source TEXT NOT NULL, -- the file that a person named
    source_sha256 TEXT NOT NULL,
    symbol TEXT NOT NULL,
    timeframe TEXT NOT NULL,
    bars INTEGER NOT NULL CHECK (bars >= 0), -- of this month
    added INTEGER NOT NULL CHECK (added >= 0),
    equal INTEGER NOT NULL CHECK (equal >= 0), -- were there already, with the same values
    differing INTEGER NOT NULL CHECK (differing >= 0), -- were there already, and stayed
    replaced INTEGER NOT NULL CHECK (replaced >= 0), -- were there already, and gave way
    wall_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
