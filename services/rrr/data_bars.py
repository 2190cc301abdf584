"""Rows of a file to the bars of one series: on one grid, in one order, each time once."""

from collections.abc import Sequence

import msgspec
import numpy as np

from schema.setting_types import TIMEFRAMES_NS
from schema.units import INT64_LIMIT, MINUTE_NS, SECOND_NS, iso, to_text
from services.rrr.data_digits import DECIMALS_MAX, Bools, Ints, Smalls
from services.rrr.data_layouts import LayoutError
from services.rrr.data_report import GAPS_SHOWN, Entry, Report
from services.rrr.data_rows import VALUES, Rows

FIRST_NS = 946_684_800 * SECOND_NS  # the year 2000
FEW = 0.01
"""A share of rows too large for the decimals of the others; they are bad, not the decimals."""

FAR = 2
"""A bar whose high is more than so many times its low is taken, and shown."""

PRICES, QTY, QUOTE, TRADES = slice(0, 4), slice(4, 5), slice(5, 6), slice(6, 7)
Matrix = np.ndarray[tuple[int, int], np.dtype[np.int64]]


class Series(msgspec.Struct):
    """The bars of a file, oldest first: (8, bars) as a chunk has them, and their decimals."""

    timeframe: str
    exponents: tuple[int, int, int]
    columns: Matrix
    order: str  # of the rows in the file
    out_of_order: int
    missing: int
    gaps: list[Entry]  # the largest


def series_of(
    rows: Rows, timeframe: str, now_ns: int, report: Report, *, spaced: bool = True
) -> Series:
    """Return the bars of a file; LayoutError when they are not of this timeframe.

    Bars of which nobody has to guess the timeframe may be apart as they like: not `spaced`.
    """
    tf_ns = TIMEFRAMES_NS[timeframe]
    if spaced:
        _require_spacing(rows.opens_ns, timeframe)
    good = _in_time(rows, tf_ns, now_ns, report)
    columns, exponents = _columns(rows, tf_ns, good, report)
    _check_values(columns, rows, exponents, good, report)
    lines = rows.lines
    if not good.all():
        columns, lines = columns[:, good], lines[good]
    order, wrong = _order(columns[0])
    columns = _unique(columns, lines, exponents, tf_ns, report)
    missing, gaps = gaps_of(columns[0], tf_ns)
    for gap in gaps:
        report.gap(gap)
    return Series(timeframe, exponents, columns, order, wrong, missing, gaps[:GAPS_SHOWN])


def _columns(
    rows: Rows, tf_ns: int, good: Bools, report: Report
) -> tuple[Matrix, tuple[int, int, int]]:
    """Return rows as a chunk has them, and their decimals; what was read of them is given up."""
    columns = np.empty((8, len(rows.lines)), np.int64)
    columns[0] = rows.opens_ns // tf_ns
    exponents = []
    for which in (PRICES, QTY, QUOTE, TRADES):
        most = 0 if which is TRADES else DECIMALS_MAX
        kept, exp = _aligned(rows, which, good, report, most)
        exponents.append(exp)
        columns[which.start + 1 : which.stop + 1] = kept
        for at in range(which.start, which.stop):
            rows.values[at], rows.decimals[at] = rows.values[at][:0], rows.decimals[at][:0]
    px_exp, qty_exp, quote_exp, _ = exponents
    return columns, (px_exp, qty_exp, quote_exp)


def spacing_ns(opens_ns: Ints) -> int:
    """Return the most frequent distance between neighbouring times; 0 for less than two."""
    steps = np.diff(np.unique(opens_ns))
    if not len(steps):
        return 0
    lengths, counts = np.unique(steps, return_counts=True)
    return int(lengths[np.argmax(counts)])


def gaps_of(idx: Ints, tf_ns: int, most: int | None = None) -> tuple[int, list[Entry]]:
    """Return how many intervals are absent between first and last, and the largest gaps."""
    steps = np.diff(idx)
    at = np.flatnonzero(steps > 1)
    absent = steps[at] - 1
    largest = at[np.argsort(-absent, kind="stable")]
    gaps = [
        {
            "from": iso((int(idx[one]) + 1) * tf_ns),
            "to": iso((int(idx[one + 1]) - 1) * tf_ns),
            "missing": int(steps[one]) - 1,
        }
        for one in largest[:most]
    ]
    return int(absent.sum()), gaps


def values_text(column: Sequence[int], exponents: tuple[int, int, int]) -> str:
    """Return the values of a bar, open to trades, as people read them."""
    px_exp, qty_exp, quote_exp = exponents
    decimals = (px_exp, px_exp, px_exp, px_exp, qty_exp, quote_exp, 0)
    return " ".join(to_text(int(n), exp) for n, exp in zip(column, decimals, strict=True))


def span_text(span_ns: int) -> str:
    """Return a distance of bars as people write it."""
    known = {ns: name for name, ns in TIMEFRAMES_NS.items()}
    whole = span_ns % MINUTE_NS == 0
    return known.get(span_ns) or (
        f"{span_ns // MINUTE_NS} minutes" if whole else f"{span_ns / SECOND_NS:g} seconds"
    )


def _require_spacing(opens_ns: Ints, timeframe: str) -> None:
    found_ns = spacing_ns(opens_ns)
    if found_ns and found_ns != TIMEFRAMES_NS[timeframe]:
        raise LayoutError(
            f"its rows are {span_text(found_ns)} apart, and its timeframe is said to be "
            f"{timeframe}",
            f"Say --timeframe {span_text(found_ns)}"
            if span_text(found_ns) in TIMEFRAMES_NS
            else f"The house keeps bars of {' '.join(TIMEFRAMES_NS)}",
        )


def _in_time(rows: Rows, tf_ns: int, now_ns: int, report: Report) -> Bools:
    opens_ns = rows.opens_ns
    early = opens_ns < FIRST_NS
    late = opens_ns > now_ns - tf_ns
    off = (opens_ns % tf_ns != 0) & ~early & ~late
    for wrong, expected in (
        (early, "a time after the year 2000"),
        (late, f"a bar that is closed at {iso(now_ns // SECOND_NS * SECOND_NS)}"),
        (off, f"a time on the grid of {span_text(tf_ns)}"),
    ):
        for at in np.flatnonzero(wrong):
            report.bad(int(rows.lines[at]), expected, iso(int(opens_ns[at])))
    fine: Bools = ~(early | late | off)
    return fine


def _aligned(
    rows: Rows, which: slice, good: Bools, report: Report, most: int = DECIMALS_MAX
) -> tuple[list[Ints], int]:
    """Return columns with as many decimals as the finest value has, and how many those are.

    Where 64 bits do not hold them all: a few rows that are too large are bad; many take decimals
    from all, and what was finer is rounded.
    """
    values, decimals = rows.values[which], rows.decimals[which]
    if not good.any():
        return [np.zeros_like(one) for one in values], 0
    exp = min(most, max((int(one[good].max(initial=0)) for one in decimals), default=0))
    if _too_large(values, decimals, exp)[good].any():  # Zeros at the end may be all that is long.
        values, decimals = _stripped(values, decimals)
        exp = min(most, max(int(one[good].max(initial=0)) for one in decimals))
    while exp and _too_large(values, decimals, exp)[good].mean() > FEW:
        exp -= 1
    for at in np.flatnonzero(_too_large(values, decimals, exp) & good):
        report.bad(int(rows.lines[at]), f"numbers below 2**63 with {exp} decimals", "larger ones")
        good[at] = False
    kept = [
        _with(one, of, exp, good, rows, name, report)
        for one, of, name in zip(values, decimals, VALUES[which], strict=True)
    ]
    while exp and not any((one[good] % 10).any() for one in kept):
        kept, exp = [one // 10 for one in kept], exp - 1
    return kept, exp


def _too_large(values: Sequence[Ints], decimals: Sequence[Smalls], exp: int) -> Bools:
    powers = 10 ** np.arange(19, dtype=np.int64)
    found = np.zeros(len(values[0]), np.bool_)
    for one, of in zip(values, decimals, strict=True):
        largest = max(int(one.max(initial=0)), -int(one.min(initial=0)))
        if largest * 10**exp < INT64_LIMIT:
            continue
        found |= np.abs(one) > (INT64_LIMIT - 1) // powers[np.clip(exp - of, 0, 18)]
    return found


def _stripped(
    values: Sequence[Ints], decimals: Sequence[Smalls]
) -> tuple[list[Ints], list[Smalls]]:
    values, decimals = [one.copy() for one in values], [one.copy() for one in decimals]
    for one, of in zip(values, decimals, strict=True):
        while (ending := (of > 0) & (one % 10 == 0)).any():
            one[ending] //= 10
            of[ending] -= 1
    return values, decimals


def _with(
    values: Ints, decimals: Smalls, exp: int, good: Bools, rows: Rows, name: str, report: Report
) -> Ints:
    powers = 10 ** np.arange(19, dtype=np.int64)
    kept = np.where(good, values, 0) * powers[np.clip(exp - decimals, 0, 18)]
    for at in np.flatnonzero((decimals > exp) & good):
        power = 10 ** int(decimals[at] - exp)
        whole, rest = divmod(int(values[at]), power)
        kept[at] = whole + (2 * rest > power or (2 * rest == power and whole % 2 == 1))
        found = to_text(int(values[at]), int(decimals[at]))
        if rest and name == "trades":
            good[at] = False
            report.bad(int(rows.lines[at]), "a whole number of trades", found)
        elif rest:
            report.rounded(int(rows.lines[at]), name, found, int(kept[at]), exp)
    return kept


def _check_values(
    columns: Matrix, rows: Rows, exponents: tuple[int, int, int], good: Bools, report: Report
) -> None:
    _, opens, highs, lows, closes, volumes, quotes, trades = columns
    checks = (
        (opens <= 0, "an open above zero"),
        (highs <= 0, "a high above zero"),
        (lows <= 0, "a low above zero"),
        (closes <= 0, "a close above zero"),
        (highs < lows, "a high that is not below the low"),
        (highs < np.maximum(opens, closes), "a high that is not below open and close"),
        (lows > np.minimum(opens, closes), "a low that is not above open and close"),
        (volumes < 0, "a volume that is not below zero"),
        ((quotes < 0) | (trades < 0), "a quote volume and trades that are not below zero"),
    )
    for wrong, expected in checks:
        for at in np.flatnonzero(wrong & good):
            good[at] = False
            found = values_text(columns[1:, at].tolist(), exponents)
            report.bad(int(rows.lines[at]), expected, found)
    for at in np.flatnonzero((highs // FAR > lows) & good):
        low, high = (to_text(int(one[at]), exponents[0]) for one in (lows, highs))
        report.price_odd(int(rows.lines[at]), int(rows.opens_ns[at]), low, high)


def _order(idx: Ints) -> tuple[str, int]:
    steps = np.diff(idx)
    up, down = int((steps > 0).sum()), int((steps < 0).sum())
    if down <= up:
        return ("oldest first", down)
    return ("newest first", up)


def _unique(
    columns: Matrix, lines: Ints, exponents: tuple[int, int, int], tf_ns: int, report: Report
) -> Matrix:
    """Return bars oldest first; of rows with one time stays the one with the larger volume.

    Of those with the same volume stays the last of the file.
    """
    steps = np.diff(columns[0])
    if (steps > 0).all():
        return columns
    at = np.lexsort((lines, columns[5], columns[0]))
    columns, lines = columns[:, at], lines[at]
    last = np.concatenate((np.diff(columns[0]) != 0, [True]))
    keepers, all_dropped = np.flatnonzero(last), np.flatnonzero(~last)
    all_kept = keepers[np.searchsorted(keepers, all_dropped)]
    for dropped, keeper in zip(all_dropped.tolist(), all_kept.tolist(), strict=True):
        one, other = columns[1:, dropped], columns[1:, keeper]
        report.duplicate(
            int(lines[dropped]),
            int(columns[0, dropped]) * tf_ns,
            int(lines[keeper]),
            values_text(one.tolist(), exponents),
            values_text(other.tolist(), exponents),
            same=bool((one == other).all()),
        )
    return columns[:, last]
