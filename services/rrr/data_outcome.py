"""What became of a file of bars, as a person reads it."""

from collections.abc import Iterator, Sequence

from bus.plain import printable
from services.rrr.data_report import SHOWN_MAX, Entry, Outcome

COUNTS = (
    ("same", "rows that are there twice"),
    ("duplicates", "rows with the time of another and other values: the larger volume stayed"),
    ("out_of_order", "rows out of order"),
    ("bad", "bad rows: not taken"),
    ("rounded", "numbers rounded"),
    ("restored", "numbers whose float digits were taken off"),
    ("dates_differ", "dates that differ from their epochs: the epochs count"),
    ("prices_odd", "bars with prices far apart: taken as they are"),
)

ORDER = ("bad", "differs", "duplicate", "rounded", "price", "date")


def outcome_lines(one: Outcome) -> Iterator[str]:
    """Yield the lines of one file."""
    if not one.taken:
        yield f"{printable(one.source)}: refused: {printable(one.reason)}"
        yield from map(_shown, one.shown[:SHOWN_MAX])
        return
    yield f"{printable(one.source)}: {one.status}: {one.exchange} {one.symbol} {one.timeframe}"
    yield (
        f"  {one.rows:,} rows ({one.format}, {one.order}): {one.bars:,} bars, {one.added:,} added, "
        f"{one.equal:,} equal to what is there, {one.differing:,} differing, "
        f"{one.replaced:,} replaced"
    )
    yield f"  {one.first} … {one.last}, {one.missing:,} intervals absent"
    for gap in one.gaps:
        yield f"    absent {gap['missing']:,}: {gap['from']} … {gap['to']}"
    for name, text in COUNTS:
        if getattr(one, name):
            yield f"  {getattr(one, name):,} {text}"
    yield from map(_shown, sorted(one.shown, key=_weight)[:SHOWN_MAX])
    if one.report:
        yield f"  all of it: {one.report}"


def total_line(outcomes: Sequence[Outcome], others: int) -> str:
    """Return the line behind all files."""
    taken = sum(one.taken for one in outcomes)
    added = sum(one.added for one in outcomes)
    text = f"{taken} of {len(outcomes)} files taken, {added:,} bars added"
    return f"{text}; {others} other files were not looked at" if others else text


def _weight(entry: Entry) -> int:
    return ORDER.index(entry["what"]) if entry["what"] in ORDER else len(ORDER)


def _shown(entry: Entry) -> str:
    fields = dict(entry)
    what, line = fields.pop("what"), fields.pop("line", None)
    at = f"line {line}: " if line is not None else ""
    said = ", ".join(f"{name} {value}" for name, value in fields.items())
    return f"  {at}{what}: {printable(said)}"
