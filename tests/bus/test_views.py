"""Views over months give the answers that plain tables of the same rows give."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.shard import Connection
from bus.view_asks import number_range, time_range
from schema.units import MS_NS, iso_ms
from tests.bus.month_rig import at
from tests.bus.month_world import BTC, ETH
from tests.bus.view_oracle import Side


@pytest.fixture(scope="module")
def side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    made = Side(tmp_path_factory.mktemp("views"))
    yield made
    made.reader.close()


TIMES = st.sampled_from(
    ["2025", "2025-12-31T23", "2026-01-01", "2026-01-01T08:00:00.000Z", "2026-02-01T00:10",
     "2026-02-01T09:30:00.000Z", "2026-03", "2027", "", "z"]
)  # fmt: skip
MOMENTS = st.one_of(
    st.integers(at("2025-12-31T00:00:00") // MS_NS, at("2026-03-02T00:00:00") // MS_NS),
    st.sampled_from([at("2026-01-01T08:00:00") // MS_NS, at("2026-02-01T00:10:00") // MS_NS]),
    st.floats(1.76e12, 1.773e12),
    st.sampled_from(
        [None, "abc", "1767254400000", " 1767254400000.5 ", b"x", -5, 1 << 62, 1e300, -1e300]
    ),
)
OPS = st.sampled_from(["=", "<", "<=", ">", ">=", "==", "IS NOT", "<>"])
SYMBOLS = st.sampled_from([BTC, ETH, "NO/ONE", None])


@st.composite
def terms(draw: st.DrawFn, when: str) -> tuple[str, list[Any]]:
    """Draw one comparison and its values."""
    match draw(st.integers(0, 7)):
        case 0:
            return "symbol = ?", [draw(SYMBOLS)]
        case 1:
            return "symbol IN (?, ?)", [draw(SYMBOLS), draw(SYMBOLS)]
        case 2:
            return f"{when} {draw(OPS)} ?", [draw(MOMENTS)]
        case 3:
            return f"time {draw(OPS)} ?", [draw(TIMES)]
        case 4:
            return f"{when} BETWEEN ? AND ?", sorted(
                draw(st.tuples(*[st.integers(1_767_000_000_000, 1_773_000_000_000)] * 2))
            )
        case 5:
            return f"{when} IN (?, ?)", [draw(MOMENTS), draw(MOMENTS)]
        case 6:
            return "symbol = ? COLLATE NOCASE", [draw(st.sampled_from(["btc/usdt", "ETH/usdt"]))]
    return "symbol LIKE ?", [draw(st.sampled_from(["B%", "%usdt", "x%"]))]


@st.composite
def wheres(draw: st.DrawFn, when: str, *more: str) -> tuple[str, list[Any]]:
    """Draw a WHERE of a few comparisons."""
    found = draw(st.lists(terms(when), max_size=3))
    parts = [text for text, _ in found] + draw(st.lists(st.sampled_from(more), max_size=2))
    joined = draw(st.sampled_from([" AND ", " AND ", " OR "])).join(f"({part})" for part in parts)
    return f"WHERE {joined}" if parts else "", [value for _, values in found for value in values]


MORE_BARS = (
    "timeframe = '1m'",
    "timeframe = '1h'",
    "timeframe IN ('1h', '5m')",
    "trades > 2",
    "close LIKE '%5'",
)
ORDERS = st.sampled_from(
    ["ORDER BY symbol, timeframe, open_ms", "ORDER BY symbol, timeframe, time DESC",
     "ORDER BY open_ms DESC, symbol, timeframe",
     "ORDER BY symbol DESC, timeframe DESC, open_ms DESC",
     "ORDER BY time, symbol, timeframe"]
)  # fmt: skip


@settings(max_examples=100)
@given(
    where=wheres("open_ms", *MORE_BARS),
    order=ORDERS,
    limit=st.sampled_from(
        ["", "LIMIT 3", "LIMIT 40 OFFSET 5", "LIMIT 300 OFFSET 290", "LIMIT 0", "LIMIT -1 OFFSET 3"]
    ),
    what=st.sampled_from(["*", "open_ms, close", "symbol, time", "volume, source, trades"]),
)
def test_bars_are_those_of_a_plain_table(
    side: Side, where: tuple[str, list[Any]], order: str, limit: str, what: str
) -> None:
    sql = f"SELECT {what} FROM bars {where[0]} {order} {limit}"
    assert side.rows(sql, where[1]) == side.oracle.rows(sql, where[1])


SUMS = st.sampled_from(
    [
        "count(*)",
        "max(open_ms), min(open_ms)",
        "min(time)",
        "count(DISTINCT symbol)",
        "sum(trades), max(close)",
    ]
)


@settings(max_examples=50)
@given(where=wheres("open_ms", *MORE_BARS), what=SUMS)
def test_aggregates_are_those_of_a_plain_table(
    side: Side, where: tuple[str, list[Any]], what: str
) -> None:
    sql = f"SELECT {what} FROM bars {where[0]}"
    assert side.rows(sql, where[1]) == side.oracle.rows(sql, where[1])
    if "," not in what:
        single = (
            f"SELECT DISTINCT symbol, timeframe FROM bars {where[0]} ORDER BY symbol, timeframe"
        )
        assert side.rows(single, where[1]) == side.oracle.rows(single, where[1])
        grouped = f"SELECT symbol, {what} AS n FROM bars {where[0]} GROUP BY symbol ORDER BY 1"
        assert side.rows(grouped, where[1]) == side.oracle.rows(grouped, where[1])


@settings(max_examples=60)
@given(
    where=wheres(
        "ts_ms",
        "trade_id > 9000",
        "trade_id BETWEEN 70 AND 90",
        "trade_id IN (51, 9004)",
        "side = 'buy'",
    ),
    order=st.sampled_from(
        [
            "ORDER BY symbol, ts_ms, trade_id",
            "ORDER BY ts_ms DESC, trade_id, symbol",
            "ORDER BY trade_id, symbol",
        ]
    ),
    limit=st.sampled_from(["", "LIMIT 3", "LIMIT 20 OFFSET 600"]),
)
def test_ticks_are_those_of_a_plain_table(
    side: Side, where: tuple[str, list[Any]], order: str, limit: str
) -> None:
    sql = f"SELECT * FROM ticks {where[0]} {order} {limit}"
    assert side.rows(sql, where[1]) == side.oracle.rows(sql, where[1])


@pytest.mark.parametrize(
    "sql",
    [
        (
            "SELECT a.open_ms, b.close FROM bars a JOIN bars b ON b.symbol = a.symbol AND "
            "b.timeframe = '1m' AND b.open_ms = a.open_ms WHERE a.timeframe = '1h' ORDER BY 1, 2"
        ),
        (
            "SELECT s.x, (SELECT max(open_ms) FROM bars WHERE symbol = s.x AND timeframe = '1m') "
            "FROM (SELECT 'BTC/USDT' AS x UNION SELECT 'ETH/USDT' UNION SELECT 'NO') s ORDER BY 1"
        ),
        (
            "SELECT count(*) FROM ticks t JOIN bars b ON b.symbol = t.symbol "
            "AND b.timeframe = '1m' AND b.open_ms = t.ts_ms / 60000 * 60000"
        ),
        (
            "SELECT s.x, b.close FROM (SELECT 'BTC/USDT' AS x UNION SELECT 'NO') s "
            "LEFT JOIN bars b ON b.symbol = s.x AND b.timeframe = '1h' AND "
            "b.time < '2026-01-01T03' ORDER BY 1, 2"
        ),
        (
            "SELECT s.x, b.close FROM (SELECT 'BTC/USDT' AS x) s RIGHT JOIN bars b "
            "ON b.symbol = s.x AND b.open_ms = 1767254400000 WHERE b.timeframe = '1h' ORDER BY 1, 2"
        ),
        (
            "SELECT count(*) FROM bars a WHERE timeframe = '1h' AND EXISTS (SELECT 1 FROM bars b "
            "WHERE b.symbol = a.symbol AND b.timeframe = '1m' AND b.open_ms > a.open_ms "
            "LIMIT 1 OFFSET 500)"
        ),
        "SELECT b.time FROM bars b WHERE b.time > 5 AND timeframe = '1h' ORDER BY 1 LIMIT 3",
        "SELECT symbol, ts_ms FROM ticks WHERE symbol = 'BTC/USDT' ORDER BY ts_ms DESC LIMIT 4",
        "SELECT DISTINCT symbol FROM ticks ORDER BY symbol",
        "SELECT DISTINCT timeframe FROM bars ORDER BY timeframe DESC",
        "WITH h AS (SELECT * FROM bars WHERE timeframe = '1h') SELECT count(*), max(high) FROM h",
        (
            "SELECT * FROM bars WHERE symbol = 'ETH/USDT' UNION ALL SELECT * FROM bars WHERE "
            "symbol = 'BTC/USDT' AND timeframe = '1h' ORDER BY 1, 2, 3"
        ),
    ],
)
def test_joins_and_the_like_are_those_of_plain_tables(side: Side, sql: str) -> None:
    assert side.rows(sql) == side.oracle.rows(sql, ())


@given(
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.one_of(MOMENTS, st.floats(allow_nan=False), st.integers()),
)
def test_a_number_is_compared_as_sqlite_compares_it(number: int, value: Any) -> None:
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        return
    plain = Connection(":memory:")
    plain.execute("CREATE TABLE x (n INTEGER)")
    plain.execute("INSERT INTO x VALUES (?)", (number,))
    for op in ("=", "<", "<=", ">", ">="):
        low, high = number_range(op, value)
        ((found,),) = plain.execute(f"SELECT n {op} ? FROM x", (value,)).fetchall()
        assert (low <= number <= high) == bool(found), (op, value)


@given(st.integers(0, 253_402_300_799_999), st.text("0123456789-T:.Zaz", max_size=24))
def test_a_time_is_compared_as_text_is(ms: int, text: str) -> None:
    own = iso_ms(ms * MS_NS)
    for other in (text, own, own[:13]):
        expected = (own == other, own < other, own <= other, own > other, own >= other)
        ranges = [time_range(op, other) for op in ("=", "<", "<=", ">", ">=")]
        assert tuple(low <= ms <= high for low, high in ranges) == expected
