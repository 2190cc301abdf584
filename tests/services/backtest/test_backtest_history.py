"""Recorded bars: read from files and shards, folded, and said in one order."""

import gzip
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.errors import HouseError
from schema.setting_types import TIMEFRAMES_NS
from schema.units import DAY_NS, MINUTE_NS, SECOND_NS, parse_iso
from services.backtest.columns import Columns, columns_of, fold
from services.backtest.history import History, in_order
from services.backtest.sheet import Grain, read_sheet, symbol_of
from services.backtest.shelf import newest_ns, read_shelf
from tests.services.market_desk import bar, kept, store

HOUR_NS = TIMEFRAMES_NS["1h"]
START_NS = parse_iso("2025-06-15T00:00:00Z")
AS_FILE = Grain()


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join([*lines, ""]))
    return path


def minutes(opens: list[int], seed: int = 1) -> Columns:
    """Return minutes that open so many minutes after the start."""
    chance = np.random.default_rng(seed)
    close = 10_000 + chance.integers(-500, 500, len(opens))
    open_ = 10_000 + chance.integers(-500, 500, len(opens))
    high = np.maximum(open_, close) + chance.integers(0, 50, len(opens))
    low = np.minimum(open_, close) - chance.integers(0, 50, len(opens))
    volume = chance.integers(1, 1000, len(opens))
    rows = [np.array(opens, np.int64) * MINUTE_NS + START_NS, open_, high, low, close, volume]
    return columns_of("1m", [*rows, volume * 7, np.ones(len(opens), np.int64)], (2, 4, 6))


def test_a_file_of_text_times_is_read_exactly(tmp_path: Path) -> None:
    file = written(
        tmp_path / "a.csv",
        "timestamp,open,high,low,close,volume",
        "2021-12-31 23:01:00.000000,46319.0,46385.5,46319.0,46377.0,2300413.7295",
        "2021-12-31 23:02:00.000000,46377.0,46411.0,46377.0,46411.0,218102.59507500002",
    )
    found = read_sheet(file, AS_FILE)
    assert (found.timeframe, found.px_exp, found.qty_exp) == ("1m", 1, 8)
    assert found.open_ns.tolist() == [
        parse_iso("2021-12-31T23:01Z"),
        parse_iso("2021-12-31T23:02Z"),
    ]
    assert found.high.tolist() == [463_855, 464_110]
    assert found.volume.tolist() == [230_041_372_950_000, 21_810_259_507_500]


def test_times_with_a_zone_are_those_in_utc(tmp_path: Path) -> None:
    head, rest = "time,open,high,low,close,volume", ",10,11,9,10,5"
    times = ("2021-12-31T23:01:00+05:30", "2021-12-31T17:32:00Z")
    file = written(tmp_path / "a.csv", head, *(time + rest for time in times))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read_sheet(file, AS_FILE)
    assert found.open_ns.tolist() == [
        parse_iso("2021-12-31T17:31Z"),
        parse_iso("2021-12-31T17:32Z"),
    ]


def test_what_may_never_end_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(HouseError, match=r"pipe\.csv is no file"):
        read_sheet(tmp_path / "pipe.csv", AS_FILE)


def test_columns_are_found_by_name_and_days_of_shares_are_whole(tmp_path: Path) -> None:
    file = written(
        tmp_path / "GOOG.csv",
        ",Open,Close,High,Low,Volume",
        "2004-08-19,100,100.34,104.06,95.96,22351900",
        "2004-08-20,101.01,108.31,109.08,100.5,11428600",
        "2004-08-23,110.75,109.4,113.48,109.05,9137200",
    )
    found = read_sheet(file, AS_FILE)
    assert (found.timeframe, found.px_exp, found.qty_exp) == ("1d", 2, 0)
    assert found.close.tolist() == [10_034, 10_831, 10_940]
    assert found.open_ns[2] - found.open_ns[1] == 3 * DAY_NS
    assert symbol_of(file) == "GOOG/USD"


def test_a_packed_file_in_ms_is_read_with_fewer_decimals(tmp_path: Path) -> None:
    at_ms = START_NS // 1_000_000
    text = f"timestamp_ms,open,high,low,close,volume\n{at_ms},1.125,1.135,1.115,1.1349,3\n"
    file = tmp_path / "BTCUSDT_1m.csv.gz"
    file.write_bytes(gzip.compress(text.encode()))
    found = read_sheet(file, Grain(px=2, qty=1))
    row = [int(side[0]) for side in (found.open, found.high, found.low, found.close)]
    assert row == [112, 114, 112, 113]  # A half goes to the even one.
    assert (found.px_exp, found.qty_exp, found.volume.tolist()) == (2, 1, [30])
    assert symbol_of(file) == "BTC/USDT"


@pytest.mark.parametrize(
    ("line", "row", "said"),
    [
        ("2025-06-15 01:00,1,2,1,2", 3, "6 columns, found 5"),
        ("2025-06-15 01:00,1,2,1,x,5", 3, "a plain decimal number, found 'x'"),
        ("2025-06-15 01:00,1,2,1,-2,5", 3, "a plain decimal number, found '-2'"),
        ("2025-06-15 01:00,1,2,1,3,5", 3, "low <= open, close <= high"),
        ("2025-06-15 01:00,1,2,0,1,5", 3, "prices above zero"),
        ("2025-06-15 01:00,1,2,1,1.123456789,5", 3, "at most 8 decimals"),
        ("2025-06-15 00:00,1,2,1,2,5", 3, "a time after 2025-06-15 00:00"),
        ("yesterday,1,2,1,2,5", 3, "an ISO time in UTC"),
        ("2025-06-15 01:07,1,2,1,2,5", 2, "mostly bars of 67 minutes"),
    ],
)
def test_what_cannot_have_been_traded_is_refused_with_its_line(
    tmp_path: Path, line: str, row: int, said: str
) -> None:
    head = ("date,open,high,low,close,volume", "2025-06-15 00:00,1,2,1,2,5")
    with pytest.raises(HouseError, match="--file") as caught:
        read_sheet(written(tmp_path / "a.csv", *head, line), AS_FILE)
    assert f"a.csv:{row}: " in str(caught.value)
    assert said in str(caught.value)


def test_a_header_without_prices_and_a_file_of_nothing_are_refused(tmp_path: Path) -> None:
    for lines in (("a,b", "1,2"), ("date,open,high,low,close,volume",), ("",)):
        with pytest.raises(HouseError, match=r"a\.csv"):
            read_sheet(written(tmp_path / "a.csv", *lines), AS_FILE)
    with pytest.raises(HouseError, match="cannot be read"):
        read_sheet(tmp_path / "gone.csv", AS_FILE)


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(0, 400), min_size=2, max_size=150), st.sampled_from(["5m", "15m", "1h"]))
def test_longer_bars_are_what_their_minutes_add_up_to(opens: set[int], timeframe: str) -> None:
    base, step_ns = minutes(sorted(opens)), TIMEFRAMES_NS[timeframe]
    found: dict[int, list[tuple[int, ...]]] = {}
    for row in zip(*(column.tolist() for column in base.rows()), strict=True):
        found.setdefault(row[0] - row[0] % step_ns, []).append(row)
    whole = {
        open_ns: parts
        for open_ns, parts in found.items()
        if open_ns >= base.first_ns and open_ns + step_ns <= base.end_ns
    }
    made = fold(base, timeframe)
    assert made.open_ns.tolist() == list(whole)
    for place, parts in enumerate(whole.values()):
        _, open_, high, low, close, volume, money, trades = zip(*parts, strict=True)
        ends = (made.open[place], made.close[place])
        assert ends == (open_[0], close[-1])
        assert (made.high[place], made.low[place]) == (max(high), min(low))
        sums = (made.volume[place], made.money[place], made.trades[place])
        assert sums == (sum(volume), sum(money), sum(trades))


def test_at_one_close_the_shorter_comes_first_and_symbols_as_the_settings_say() -> None:
    base = {"SOL/USDT": minutes(list(range(11))), "BTC/USDT": minutes(list(range(11)), 2)}
    history = History(base)
    wanted = [(symbol, tf) for tf in ("5m", "1m") for symbol in ("BTC/USDT", "SOL/USDT")]
    said = list(in_order(history.tracks(wanted), START_NS, START_NS + 10 * MINUTE_NS))
    assert [bar.ts_event for bar in said] == sorted(bar.ts_event for bar in said)
    at_five = [(b.symbol, b.timeframe) for b in said if b.ts_event == START_NS + 5 * MINUTE_NS]
    assert at_five == [
        ("SOL/USDT", "1m"), ("BTC/USDT", "1m"), ("SOL/USDT", "5m"), ("BTC/USDT", "5m"),
    ]  # fmt: skip
    assert len(said) == 2 * (10 + 2)
    assert len({bar.trace for bar in said}) == len(said)


def test_a_longer_bar_closes_at_its_own_time_even_in_a_hole() -> None:
    history = History({"BTC/USDT": minutes([0, 1, 2, 7, 8])})
    wanted = [("BTC/USDT", "1m"), ("BTC/USDT", "5m")]
    said = in_order(history.tracks(wanted), START_NS, history.end_ns)
    order = [((bar.ts_event - START_NS) // MINUTE_NS, bar.timeframe) for bar in said]
    assert order == [(1, "1m"), (2, "1m"), (3, "1m"), (5, "5m"), (8, "1m"), (9, "1m")]


def test_bars_that_cannot_be_made_are_refused_by_name() -> None:
    history = History({"BTC/USDT": fold(minutes(list(range(240))), "1h")})
    with pytest.raises(HouseError, match="bars of 5m are needed"):
        history.tracks([("BTC/USDT", "5m")])
    with pytest.raises(HouseError, match="--symbol ETH/USDT"):
        history.tracks([("ETH/USDT", "1h")])
    assert len(history.tracks([("BTC/USDT", "4h")])[0].columns) == 1


def test_the_stretch_is_what_lies_between_and_its_first_bars() -> None:
    history = History({"BTC/USDT": minutes([*range(10), *range(60, 70)])})
    assert history.span(None, None) == (START_NS, START_NS + 70 * MINUTE_NS)
    assert history.span(None, None, 12) == (START_NS, START_NS + 62 * MINUTE_NS)
    start_ns = START_NS + 3 * MINUTE_NS + SECOND_NS
    assert history.span(start_ns, None, 2)[0] == START_NS + 4 * MINUTE_NS
    with pytest.raises(HouseError, match="no bar of BTC/USDT lies between"):
        history.span(START_NS + 20 * MINUTE_NS, START_NS + 30 * MINUTE_NS)


def test_the_data_of_a_run_has_a_digest_of_its_own() -> None:
    first, again = (History({"BTC/USDT": minutes(list(range(9)))}) for _ in range(2))
    other = History({"BTC/USDT": minutes(list(range(9)), 2)})
    assert first.digest() == again.digest() != other.digest()


def test_minutes_of_several_months_are_read_from_the_shards(tmp_path: Path) -> None:
    made = store(tmp_path)
    first_ns = bar().open_ns
    bars = [bar(first_ns + n * MINUTE_NS, close=6_400_001 + n) for n in range(5)]
    made.commit(kept(*bars, bar(first_ns, "ETH/USDT")), {})
    made.close()
    found = read_shelf(tmp_path, "BTC/USDT", first_ns + MINUTE_NS, first_ns + 4 * MINUTE_NS)
    assert found.open_ns.tolist() == [one.open_ns for one in bars[1:4]]
    assert found.close.tolist() == [6_400_002, 6_400_003, 6_400_004]
    assert (found.px_exp, found.qty_exp, found.money_exp) == (2, 8, 8)
    assert len({one.name for one in tmp_path.glob("market_data_*.db")}) == 2
    assert newest_ns(tmp_path, "BTC/USDT") == first_ns + 5 * MINUTE_NS
    with pytest.raises(HouseError, match="hold no 1m bar of SOL/USDT"):
        read_shelf(tmp_path, "SOL/USDT", 0, first_ns)
