"""What SQLite itself finds wrong with a file; its checksums are another matter (bus/checksums)."""

from bus.shard import Connection

FAULTS_MAX = 5


def faults(db: Connection, schema: str = "main") -> list[str]:
    """Return what is wrong with pages, indexes and keys, in words; nothing for a sound file."""
    return [*broken_pages(db, schema), *lost_keys(db, schema)][:FAULTS_MAX]


def broken_pages(db: Connection, schema: str = "main", *, quick: bool = False) -> list[str]:
    """Return what is wrong with pages and, unless it is to be quick, with indexes."""
    what = "quick_check" if quick else "integrity_check"
    said = [str(line) for (line,) in db.execute(f"PRAGMA {schema}.{what}({FAULTS_MAX})")]
    return [line for line in said if line != "ok"]


def lost_keys(db: Connection, schema: str = "main") -> list[str]:
    """Return the rows that refer to others which are not there."""
    return [
        f"a row of {table} refers to {parent}, which has no such row"
        for table, _, parent, _ in db.execute(f"PRAGMA {schema}.foreign_key_check")
    ]
