"""Whatever stands in a file: each row is a bar or is told, and the bars are those of a loop."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from services.rrr.data_bars import series_of
from services.rrr.data_layouts import LayoutError, layout_of
from services.rrr.data_report import Report
from services.rrr.data_rows import Reader
from tests.services.market_desk import NOW
from tests.services.rrr.data_desk import HEADER, opens_s

PRICE = st.sampled_from(["0", "-1", "1", "1.5", "2", "2.25", "x", "", "1e0", "1.50"])
ROW = st.tuples(
    st.integers(0, 6), PRICE, PRICE, PRICE, PRICE, st.sampled_from(["0", "1", "1.0", "3", "-1"])
)
Row = tuple[int, str, str, str, str, str]


def by_hand(rows: list[Row]) -> dict[int, tuple[Decimal, ...]]:
    """Return the bars as the rules say them, slowly."""
    kept: dict[int, tuple[Decimal, ...]] = {}
    for minute, *texts in rows:
        try:
            o, h, low, c, v = (Decimal(text) for text in texts)
        except ArithmeticError:
            continue
        if min(o, h, low, c) <= 0 or v < 0 or h < max(o, c) or low > min(o, c):
            continue
        if minute not in kept or v >= kept[minute][4]:
            kept[minute] = (o, h, low, c, v)
    return kept


@settings(deadline=None)
@given(st.lists(ROW, min_size=1, max_size=30))
def test_the_bars_of_a_file_are_those_that_the_rules_name(rows: list[Row]) -> None:
    lines = [",".join([str(opens_s(minute)), *texts]) for minute, *texts in rows]
    layout = layout_of(f"{HEADER}\n".encode())
    report = Report()
    reader = Reader(layout, report)
    read = reader.rows("\n".join([*lines, ""]).encode(), 2)
    expected = by_hand(rows)
    try:
        series = series_of(read, "1m", NOW, report)
    except LayoutError as error:
        assert "apart" in error.what  # noqa: PT017 - the spacing of what could be read
        return
    px, qty, _ = series.exponents
    found = {
        int(column[0]) - opens_s(0) // 60: (
            *(Decimal(n).scaleb(-px) for n in column[1:5]),
            Decimal(column[5]).scaleb(-qty),
        )
        for column in series.columns.T.tolist()
    }
    assert found == expected
    assert reader.read == len(rows)
    told = sum(report.count(what) for what in ("bad", "same", "duplicate"))
    assert told + len(found) == len(rows)
